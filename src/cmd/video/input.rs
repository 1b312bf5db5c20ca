//! What `video` reads: a file, or a pipe, which is read once and from the beginning only.

use std::fs::File;
use std::io::{Cursor, Read};
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context;
use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

use super::look;
use super::whole;
use crate::animation;

/// The input, looked at before the work.
pub(super) enum Input {
    /// GStreamer decodes it.
    File {
        /// The file.
        path: PathBuf,
        /// It ends before it says that it does.
        cut_off: bool,
    },
    /// We decode it: all its bytes.
    Gif(Arc<[u8]>),
    /// Anything that cannot be opened twice.
    Pipe {
        /// The rest of it.
        file: File,
        /// What was read to see what it is.
        head: Vec<u8>,
    },
}

impl Input {
    /// Looks at `path`; `-` is the standard input. GStreamer has to be started.
    ///
    /// # Errors
    /// It cannot be read, or there is no video in it that this machine can decode.
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let unreadable = || format!("{} cannot be read", path.display());
        let source = if path == Path::new("-") { Path::new("/dev/stdin") } else { path };
        let mut file = File::open(source).with_context(unreadable)?;
        let kind = file.metadata().with_context(unreadable)?;
        anyhow::ensure!(!kind.is_dir(), "{} is a folder (give a video file)", path.display());
        let mut head = Vec::new();
        (&mut file).take(animation::MAGIC.len() as u64).read_to_end(&mut head).with_context(unreadable)?;
        anyhow::ensure!(!head.is_empty(), "{} is empty", path.display());
        if head == animation::MAGIC {
            file.read_to_end(&mut head).with_context(unreadable)?;
            return Ok(Self::Gif(head.into()));
        }
        if !kind.is_file() {
            return Ok(Self::Pipe { file, head });
        }
        let cut_off = whole::is_cut_off(&mut file).with_context(unreadable)?;
        look::for_video(source, cut_off).with_context(|| path.display().to_string())?;
        Ok(Self::File { path: source.to_owned(), cut_off })
    }

    /// Whether it can be read from the beginning again.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self, Self::Pipe { .. })
    }

    /// Whether it is known to end in the middle.
    pub(super) fn is_cut_off(&self) -> bool {
        matches!(self, Self::File { cut_off: true, .. })
    }

    /// Puts what reads and decodes it before `entry`; gives those elements.
    pub(super) fn read_into(
        &mut self,
        pipeline: &gst::Pipeline,
        entry: &gst::Pad,
    ) -> anyhow::Result<Vec<gst::Element>> {
        let source = match self {
            Self::File { path, .. } => {
                gst::ElementFactory::make("filesrc").property("location", path.as_path()).build()?
            }
            // It can be interrupted while it waits for bytes, which `filesrc` cannot.
            Self::Pipe { file, head } => {
                let source = gst::ElementFactory::make("fdsrc").property("fd", file.as_raw_fd()).build()?;
                put_before(&source.static_pad("src").context("a source without a pad")?, std::mem::take(head));
                source
            }
            Self::Gif(bytes) => {
                let source: gst::Element = animation::source(Cursor::new(Arc::clone(bytes)))?.upcast();
                pipeline.add(&source)?;
                source.static_pad("src").context("a source without a pad")?.link(entry)?;
                return Ok(vec![source]);
            }
        };
        let decode = gst::ElementFactory::make("decodebin")
            .property("caps", gst::Caps::builder("video/x-raw").any_features().build())
            .property("expose-all-streams", false)
            .build()?;
        pipeline.add_many([&source, &decode])?;
        source.link(&decode)?;
        let entry = entry.clone();
        decode.connect_pad_added(move |_, pad| {
            if !entry.is_linked()
                && let Err(error) = pad.link(&entry)
            {
                tracing::warn!(%error, "the decoder's output does not fit");
            }
        });
        Ok(vec![source, decode])
    }
}

/// Puts bytes that were read already before those that a source gives.
fn put_before(pad: &gst::Pad, head: Vec<u8>) {
    let moved = head.len() as u64;
    let head = Mutex::new(Some(head));
    pad.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let head = head.lock().take();
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let offset = match head {
            Some(head) => {
                let mut whole = gst::Buffer::from_mut_slice(head);
                whole.append(buffer.clone());
                *buffer = whole;
                0
            }
            None => buffer.offset().saturating_add(moved),
        };
        buffer.make_mut().set_offset(offset);
        gst::PadProbeReturn::Ok
    });
}
