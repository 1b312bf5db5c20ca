//! Other people's programs at the other end of the wire: VLC and ffmpeg as cameras, VLC as viewer.

use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use super::{Process, free_port, grab, wait_until};

/// Who runs VLC when the tests run as root, which VLC refuses.
const NOBODY: u32 = 65_534;

/// A camera that plays a file for ever.
pub struct Camera {
    /// What to put into the config.
    pub url: String,
    /// To kill, stop (`signal("STOP")`: the connection stays, no data comes) or go on.
    pub process: Process,
    _home: Option<TempDir>,
}

impl Camera {
    /// VLC's RTSP server, on a free port.
    pub fn vlc(file: &Path) -> Self {
        Self::vlc_on(file, free_port())
    }

    /// VLC's RTSP server on `port`; returns when it answers a client. It sends by UDP only, and while it starts its
    /// file anew a client that comes just then is sent away: take a clip that outlasts the test's start.
    pub fn vlc_on(file: &Path, port: u16) -> Self {
        let url = format!("rtsp://127.0.0.1:{port}/cam");
        let (mut command, home) = vlc();
        command.arg(file).arg("--loop").arg("--sout-keep").arg(format!("--sout=#rtp{{sdp={url}}}"));
        let process = Process::start("vlc (camera)", &mut command);
        wait_until("VLC serves", Duration::from_secs(30), || grab::readable(&url, "udp", Duration::from_secs(20)));
        Self { url, process, _home: Some(home) }
    }

    /// ffmpeg as an HTTP camera with Motion JPEG; it serves one client and ends with it.
    pub fn ffmpeg_mjpeg(file: &Path) -> Self {
        let port = free_port();
        let url = format!("http://127.0.0.1:{port}/video.mjpg");
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "warning", "-re", "-stream_loop", "-1", "-i"]).arg(file);
        command.args(["-an", "-c:v", "mjpeg", "-q:v", "5", "-pix_fmt", "yuvj420p", "-f", "mpjpeg"]);
        command.args(["-content_type", "multipart/x-mixed-replace;boundary=ffmpeg", "-listen", "1", &url]);
        let process = Process::start("ffmpeg (camera)", &mut command);
        Self { url, process, _home: None }
    }
}

/// VLC looking at a stream; its pictures are decoded and thrown away.
pub struct Viewer {
    pub process: Process,
    _home: TempDir,
}

impl Viewer {
    /// Starts to look at `url`, by TCP or UDP.
    pub fn vlc(url: &str, tcp: bool) -> Self {
        let (mut command, home) = vlc();
        command.args(["-vvv", "--no-audio", "--vout=dummy", "--network-caching=200"]);
        if tcp {
            command.arg("--rtsp-tcp");
        }
        Self { process: Process::start("vlc (viewer)", command.arg(url)), _home: home }
    }

    /// Waits until VLC has decoded and shown a first picture.
    #[track_caller]
    pub fn wait_for_picture(&self, limit: Duration) {
        self.process.wait_for_line("Received first picture", limit);
    }
}

fn vlc() -> (Command, TempDir) {
    let home = super::temp_dir();
    let mut command = Command::new("cvlc");
    command.args(["--no-color", "--no-interact", "--ignore-config", "--no-media-library"]);
    command.env("HOME", home.path()).env("XDG_RUNTIME_DIR", home.path()).env_remove("DISPLAY").current_dir(home.path());
    if home.path().metadata().unwrap().uid() == 0 {
        command.uid(NOBODY).gid(NOBODY);
    }
    (command, home)
}
