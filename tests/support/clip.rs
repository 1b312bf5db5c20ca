//! Clips without faces, made by ffmpeg: sizes, rates and codecs. (Clips with faces: `maskwatch::demo`.)

use std::path::{Path, PathBuf};
use std::process::Command;

use super::{process::run_well, soon};

/// How a clip is encoded, and in what file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    /// `.mp4`
    H264,
    /// `.mp4`
    Hevc,
    /// `.mkv`: Motion JPEG
    Mjpeg,
}

/// A test picture that moves.
#[derive(Clone, Copy, Debug)]
pub struct Clip {
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub seconds: u32,
    pub codec: Codec,
}

impl Default for Clip {
    fn default() -> Self {
        Self { width: 640, height: 360, fps: 25, seconds: 4, codec: Codec::H264 }
    }
}

impl Clip {
    /// Writes it to `folder`; gives its path. Anybody may read it.
    pub fn write(self, folder: &Path, name: &str) -> PathBuf {
        let source = format!("testsrc2=size={}x{}:rate={}", self.width, self.height, self.fps);
        let path = folder.join(format!("{name}.{}", if self.codec == Codec::Mjpeg { "mkv" } else { "mp4" }));
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source]);
        command.args(["-t", &self.seconds.to_string(), "-pix_fmt"]);
        command.arg(if self.codec == Codec::Mjpeg { "yuvj420p" } else { "yuv420p" });
        let gop = self.fps.to_string();
        match self.codec {
            Codec::H264 => command.args(["-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", &gop]),
            Codec::Hevc => command.args(["-c:v", "libx265", "-preset", "ultrafast", "-g", &gop, "-x265-params"]),
            Codec::Mjpeg => command.args(["-c:v", "mjpeg", "-q:v", "4"]),
        };
        if self.codec == Codec::Hevc {
            command.arg(format!("log-level=error:keyint={gop}:bframes=0"));
        }
        run_well(command.arg(&path), soon());
        path
    }
}
