//! Other people's programs at the other end of the wire: VLC and ffmpeg as cameras and as viewers.

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

/// Somebody who looks at an RTSP stream; the pictures are decoded and thrown away.
pub struct Viewer {
    pub process: Process,
    first_picture: &'static str,
    _home: Option<TempDir>,
}

impl Viewer {
    /// VLC where its RTSP module (live555) is installed, else ffmpeg: Debian and Ubuntu build VLC without it.
    pub fn start(url: &str, tcp: bool) -> Self {
        if vlc_plays_rtsp() { Self::vlc(url, tcp) } else { Self::ffmpeg(url, tcp) }
    }

    /// VLC.
    pub fn vlc(url: &str, tcp: bool) -> Self {
        let (mut command, home) = vlc();
        command.args(["-vvv", "--no-audio", "--vout=dummy", "--network-caching=200"]);
        if tcp {
            command.arg("--rtsp-tcp");
        }
        let process = Process::start("vlc (viewer)", command.arg(url));
        Self { process, first_picture: "Received first picture", _home: Some(home) }
    }

    /// ffmpeg.
    pub fn ffmpeg(url: &str, tcp: bool) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-rtsp_transport", if tcp { "tcp" } else { "udp" }, "-i", url]);
        command.args(["-an", "-progress", "pipe:1", "-stats_period", "0.2", "-f", "null", "-"]);
        let process = Process::start("ffmpeg (viewer)", &mut command);
        Self { process, first_picture: "out_time_ms=", _home: None }
    }

    /// Waits until it has decoded a first picture.
    #[track_caller]
    pub fn wait_for_picture(&self, limit: Duration) {
        self.process.wait_for_line(self.first_picture, limit);
    }
}

/// Whether the VLC of this machine can open `rtsp://` at all.
pub fn vlc_plays_rtsp() -> bool {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().filter_map(|entry| Some(entry.ok()?.path()));
    let has = |folder: std::path::PathBuf| folder.join("vlc/plugins/access/liblive555_plugin.so").exists();
    has("/usr/lib".into()) || folders.into_iter().any(has)
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
