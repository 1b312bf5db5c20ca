//! GIFs as a source of raw pictures.
//!
//! GStreamer's own demultiplexer of them (FFmpeg's, behind a reader that tells no end) never ends: it reads the end of
//! the file for ever. The `image` crate decodes them here, each picture whole, as a browser shows it.

use std::io::{BufRead, Seek};

use anyhow::Context;
use gst::prelude::*;
use image::codecs::gif::GifDecoder;
use image::{AnimationDecoder, Frame, ImageDecoder};
use tracing_mutex::parking_lot::Mutex;

/// What every GIF begins with.
pub(crate) const MAGIC: &[u8] = b"GIF8";
/// A shorter time than this is not meant: browsers and FFmpeg show such pictures for [`USUAL`].
const SHORTEST: gst::ClockTime = gst::ClockTime::from_mseconds(20);
/// How long a picture is shown that does not say it.
const USUAL: gst::ClockTime = gst::ClockTime::from_mseconds(100);
/// Pictures that wait to be taken.
const BACKLOG: u64 = 2;

/// Gives the pictures of a GIF, RGBA, at their times, once. The file is read on a thread of its own, as fast as pictures
/// are taken, from the moment when the first is asked for.
///
/// A file that is cut off or damaged ends at the last whole picture, with a warning on the bus.
///
/// # Errors
/// It is no GIF.
pub(crate) fn source(file: impl BufRead + Seek + Send + 'static) -> anyhow::Result<gst_app::AppSrc> {
    let decoder = GifDecoder::new(file).context("not a readable GIF")?;
    let (width, height) = decoder.dimensions();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgba, width, height)
        .fps(gst::Fraction::new(0, 1))
        .build()
        .context("a GIF without pictures")?;
    let source = gst_app::AppSrc::builder()
        .caps(&info.to_caps()?)
        .format(gst::Format::Time)
        .max_buffers(BACKLOG)
        .max_bytes(0)
        .block(true)
        .build();
    let waiting = Mutex::new(Some(decoder));
    let target = source.downgrade();
    let first = move |_: &gst_app::AppSrc, _: u32| {
        let decoder = waiting.lock().take();
        let (Some(decoder), Some(source)) = (decoder, target.upgrade()) else { return };
        let name = "gif".to_owned();
        let failed = source.clone();
        if let Err(error) = std::thread::Builder::new().name(name).spawn(move || feed(&source, decoder)) {
            gst::element_error!(failed, gst::ResourceError::Failed, ("no thread to read the GIF: {error}"));
        }
    };
    source.set_callbacks(gst_app::AppSrcCallbacks::builder().need_data(first).build());
    Ok(source)
}

/// Pushes all pictures; ends early when nobody takes them any more.
fn feed(source: &gst_app::AppSrc, decoder: GifDecoder<impl BufRead + Seek>) {
    let mut pts = gst::ClockTime::ZERO;
    for frame in decoder.into_frames() {
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => {
                gst::element_warning!(source, gst::StreamError::Decode, ("the GIF ends in the middle: {error}"));
                break;
            }
        };
        let duration = shown_for(&frame);
        let mut buffer = gst::Buffer::from_mut_slice(frame.into_buffer().into_raw());
        if let Some(buffer) = buffer.get_mut() {
            buffer.set_pts(pts);
            buffer.set_duration(duration);
        }
        pts += duration;
        if source.push_buffer(buffer).is_err() {
            return;
        }
    }
    // Refused by a source that is stopping: nobody waits for it then.
    source.end_of_stream().ok();
}

fn shown_for(frame: &Frame) -> gst::ClockTime {
    let (numerator, denominator) = frame.delay().numer_denom_ms();
    let told = gst::ClockTime::from_nseconds(u64::from(numerator) * 1_000_000 / u64::from(denominator.max(1)));
    if told < SHORTEST { USUAL } else { told }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use image::codecs::gif::GifEncoder;
    use image::{Delay, Rgba, RgbaImage};

    use super::*;

    /// Pictures of one colour each, shown for so many milliseconds.
    fn gif(delays: &[u32]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut encoder = GifEncoder::new(&mut bytes);
        for (index, delay) in delays.iter().enumerate() {
            let picture = RgbaImage::from_pixel(8, 6, Rgba([40 * index as u8, 0, 0, 255]));
            encoder.encode_frame(Frame::from_parts(picture, 0, 0, Delay::from_numer_denom_ms(*delay, 1))).unwrap();
        }
        drop(encoder);
        bytes
    }

    /// Times of the pictures in milliseconds, and whether a warning came.
    fn play(bytes: Vec<u8>) -> (Vec<u64>, bool) {
        gst::init().unwrap();
        let pipeline = gst::Pipeline::new();
        let source = source(Cursor::new(bytes)).unwrap();
        let sink = gst_app::AppSink::builder().sync(false).build();
        pipeline.add_many([source.upcast_ref::<gst::Element>(), sink.upcast_ref()]).unwrap();
        source.link(&sink).unwrap();
        pipeline.set_state(gst::State::Playing).unwrap();
        let times = std::iter::from_fn(|| sink.pull_sample().ok())
            .map(|sample| sample.buffer().unwrap().pts().unwrap().mseconds())
            .collect();
        let warned = pipeline.bus().unwrap().pop_filtered(&[gst::MessageType::Warning]).is_some();
        pipeline.set_state(gst::State::Null).unwrap();
        (times, warned)
    }

    #[test]
    fn every_picture_comes_once_at_its_time_and_then_it_ends() {
        assert_eq!(play(gif(&[100, 0, 40, 10, 500])), (vec![0, 100, 200, 240, 340], false));
    }

    #[test]
    fn a_cut_file_gives_its_whole_pictures_and_a_warning() {
        let whole = gif(&[100; 5]);
        let (times, warned) = play(whole[..whole.len() * 3 / 4].to_vec());
        assert!(warned && (2..5).contains(&times.len()), "{times:?}, warned: {warned}");
        assert!(source(Cursor::new(b"no GIF at all".to_vec())).is_err());
    }
}
