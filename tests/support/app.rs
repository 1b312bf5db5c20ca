//! The program under test as a user starts it: a config file, a child process, its ports.

use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Process, Scrape, free_port, http, maskwatch, metrics, root, soon, wait_until};

/// Builds a config file.
#[derive(Clone, Debug, Default)]
pub struct AppConfig {
    top: Vec<String>,
    inference: Vec<String>,
    defaults: Vec<String>,
    cameras: Vec<(String, String, Vec<String>)>,
    env: Vec<(String, String)>,
    args: Vec<String>,
}

impl AppConfig {
    /// No camera yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A line of the file's top level, as `state_dir: /srv/state`.
    pub fn top(mut self, line: &str) -> Self {
        self.top.push(line.into());
        self
    }

    /// A line of `inference:`, as `max_batch: 4`.
    pub fn inference(mut self, line: &str) -> Self {
        self.inference.push(line.into());
        self
    }

    /// A line of `defaults:`, as `analyze_fps: 2`.
    pub fn default_line(mut self, line: &str) -> Self {
        self.defaults.push(line.into());
        self
    }

    /// A camera.
    pub fn camera(self, name: &str, url: &str) -> Self {
        self.camera_with(name, url, &[])
    }

    /// A camera with more lines, as `transport: udp`.
    pub fn camera_with(mut self, name: &str, url: &str, lines: &[&str]) -> Self {
        self.cameras.push((name.into(), url.into(), lines.iter().map(|line| (*line).into()).collect()));
        self
    }

    /// An environment variable of the child.
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// A command line argument after `run -c FILE`.
    pub fn arg(mut self, arg: &str) -> Self {
        self.args.push(arg.into());
        self
    }

    /// The file's text.
    pub fn yaml(&self, http: u16, rtsp: u16) -> String {
        let mut text = format!("http: {{ listen: 127.0.0.1:{http} }}\nrtsp: {{ listen: 127.0.0.1:{rtsp} }}\n");
        self.top.iter().for_each(|line| text.push_str(&format!("{line}\n")));
        for (key, lines) in [("inference", &self.inference), ("defaults", &self.defaults)] {
            if !lines.is_empty() {
                text.push_str(&format!("{key}:\n  {}\n", lines.join("\n  ")));
            }
        }
        text.push_str(if self.cameras.is_empty() { "cameras: []\n" } else { "cameras:\n" });
        for (name, url, lines) in &self.cameras {
            text.push_str(&format!("  - name: {name}\n    url: '{url}'\n"));
            for line in lines {
                text.push_str(&format!("    {line}\n"));
            }
        }
        text
    }

    /// Writes the file and starts `maskwatch run` on free ports; returns when it answers `/livez`.
    #[track_caller]
    pub fn start(self) -> App {
        self.start_with(Stdio::piped(), Stdio::piped())
    }

    /// The same with other outputs.
    #[track_caller]
    pub fn start_with(self, stdout: Stdio, stderr: Stdio) -> App {
        let folder = super::temp_dir();
        let (http, rtsp) = (free_port(), free_port());
        let config = folder.path().join("maskwatch.yaml");
        std::fs::write(&config, self.yaml(http, rtsp)).unwrap();
        let mut command = Command::new(maskwatch());
        command.args(["run", "-c"]).arg(&config).args(&self.args).current_dir(root());
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        let process = Process::start_with("maskwatch", command.stdout(stdout).stderr(stderr));
        let mut app = App { process, http, rtsp, folder };
        app.wait_alive();
        app
    }
}

/// A running `maskwatch run` (or `demo`).
pub struct App {
    pub process: Process,
    /// Port of the HTTP server.
    pub http: u16,
    /// Port of the RTSP server.
    pub rtsp: u16,
    /// Holds the config file `maskwatch.yaml`.
    pub folder: TempDir,
}

impl App {
    /// Waits until `/livez` answers; panics when the process ends before.
    #[track_caller]
    pub fn wait_alive(&mut self) {
        wait_until("maskwatch answers /livez", soon(), || {
            assert!(self.process.running(), "maskwatch ended at start");
            http::get(self.http, "/livez").is_ok_and(|answer| answer.status == 200)
        });
    }

    /// Waits until every camera has given a picture or has been given up.
    #[track_caller]
    pub fn wait_ready(&mut self) -> &mut Self {
        wait_until("maskwatch is ready", soon(), || {
            assert!(self.process.running(), "maskwatch ended");
            http::get(self.http, "/readyz").is_ok_and(|answer| answer.status == 200)
        });
        self
    }

    /// The metrics page now.
    #[track_caller]
    pub fn metrics(&self) -> Scrape {
        Scrape::take(self.http).expect("the metrics page answers")
    }

    /// Scrapes until `condition` holds; gives that scrape.
    #[track_caller]
    pub fn wait_for_metrics(&self, what: &str, limit: Duration, condition: impl FnMut(&Scrape) -> bool) -> Scrape {
        metrics::wait_for_metrics(self.http, what, limit, condition)
    }

    /// An annotated stream: a camera's name, or `mosaic`.
    pub fn stream(&self, name: &str) -> String {
        format!("rtsp://127.0.0.1:{}/{name}", self.rtsp)
    }

    /// Asks it to end by SIGTERM and waits for that.
    #[track_caller]
    pub fn stop(&mut self) -> ExitStatus {
        self.process.signal("TERM");
        self.process.wait(Duration::from_secs(20))
    }
}
