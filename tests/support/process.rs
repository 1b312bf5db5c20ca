//! A child process: its output is kept line by line, and it ends with its value.

use std::io::{BufRead, BufReader, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::{complaints, wait};

/// All lines of stdout and stderr so far, in the order of arrival.
#[derive(Default)]
struct Log {
    lines: Mutex<Vec<String>>,
    more: Condvar,
}

/// A child process in a group of its own.
pub struct Process {
    name: String,
    child: Child,
    log: Arc<Log>,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts `command`; `name` stands in messages.
    pub fn start(name: &str, command: &mut Command) -> Self {
        Self::start_with(name, command.stdout(Stdio::piped()).stderr(Stdio::piped()))
    }

    /// The same with the outputs that the command names: only those that are pipes of this process are kept.
    pub fn start_with(name: &str, command: &mut Command) -> Self {
        command.stdin(Stdio::null()).process_group(0);
        let mut child = command.spawn().unwrap_or_else(|error| {
            panic!("{name} doesn't start: {error}; is its package installed? (`make setup` installs it)")
        });
        let log = Arc::new(Log::default());
        child.stdout.take().into_iter().for_each(|output| collect(&log, output));
        child.stderr.take().into_iter().for_each(|output| collect(&log, output));
        Self { name: name.into(), child, log, status: None }
    }

    /// Process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// All output so far.
    pub fn log(&self) -> Vec<String> {
        self.log.lines.lock().unwrap().clone()
    }

    /// Waits for a line that contains `text`.
    #[track_caller]
    pub fn wait_for_line(&self, text: &str, limit: Duration) -> String {
        let end = Instant::now() + limit;
        let mut lines = self.log.lines.lock().unwrap();
        loop {
            if let Some(line) = lines.iter().find(|line| line.contains(text)) {
                return line.clone();
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                drop(lines);
                self.show();
                panic!("{}: no line with `{text}` within {limit:?}", self.name);
            }
            lines = self.log.more.wait_timeout(lines, left).unwrap().0;
        }
    }

    /// Sends a signal by its name without `SIG`: `TERM`, `INT`, `HUP`, `STOP`, `CONT`, `KILL`.
    pub fn signal(&self, name: &str) {
        kill(name, &self.child.id().to_string());
    }

    /// Whether it still runs.
    pub fn running(&mut self) -> bool {
        self.poll().is_none()
    }

    /// Waits for the end.
    #[track_caller]
    pub fn wait(&mut self, limit: Duration) -> ExitStatus {
        let end = Instant::now() + limit;
        loop {
            if let Some(status) = self.poll() {
                return status;
            }
            if Instant::now() >= end {
                self.show();
                panic!("{} still runs after {limit:?}", self.name);
            }
            wait::pause();
        }
    }

    /// Kills it at once, and its children.
    pub fn kill(&mut self) {
        if self.poll().is_none() {
            kill("KILL", &format!("-{}", self.child.id()));
            self.child.kill().ok();
            self.status = self.child.wait().ok();
        }
    }

    /// Resident memory in KiB; `None` when it has ended.
    pub fn rss_kib(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find(|line| line.starts_with("VmRSS:"))?;
        line.split_whitespace().nth(1)?.parse().ok()
    }

    /// Processor time used so far, user and system.
    pub fn cpu_time(&self) -> Option<Duration> {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id())).ok()?;
        let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
        let ticks: u64 = fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?;
        Some(Duration::from_millis(ticks * 10)) // USER_HZ is 100 on every Linux that we run on
    }

    /// Prints the end of the log: for a failed test.
    pub fn show(&self) {
        let lines = self.log();
        eprintln!("--- {} (pid {}), last lines", self.name, self.child.id());
        for line in lines.iter().skip(lines.len().saturating_sub(60)) {
            eprintln!("  {line}");
        }
    }

    fn poll(&mut self) -> Option<ExitStatus> {
        if self.status.is_none() {
            self.status = self.child.try_wait().unwrap();
        }
        self.status
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.show();
        }
        self.kill();
        let ours = self.name.starts_with("maskwatch") && !std::thread::panicking();
        let complaints: Vec<String> = self.log().into_iter().filter(|line| ours && complaints::is_one(line)).collect();
        assert!(complaints.is_empty(), "{} complains: {complaints:?}", self.name);
    }
}

/// Runs a command to its end; panics when it doesn't end within `limit`.
#[track_caller]
pub fn run(command: &mut Command, limit: Duration) -> Output {
    let name = format!("{command:?}");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} doesn't start: {error}"));
    let stdout = drain(child.stdout.take().unwrap());
    let stderr = drain(child.stderr.take().unwrap());
    let end = Instant::now() + limit;
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if Instant::now() >= end {
            kill("KILL", &format!("-{}", child.id()));
            child.kill().ok();
            child.wait().ok();
            let text = String::from_utf8_lossy(&stderr.join().unwrap()).into_owned();
            panic!("{name} still runs after {limit:?}; it said:\n{text}");
        }
        wait::pause();
    };
    Output { status, stdout: stdout.join().unwrap(), stderr: stderr.join().unwrap() }
}

/// As [`run`], and the command must succeed. Gives its standard output.
#[track_caller]
pub fn run_well(command: &mut Command, limit: Duration) -> Vec<u8> {
    let output = run(command, limit);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    output.stdout
}

fn kill(signal: &str, whom: &str) {
    // The shell's own `kill`: no package needed, no unsafe code.
    let line = format!("kill -{signal} {whom}");
    Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status().ok();
}

fn collect(log: &Arc<Log>, from: impl Read + Send + 'static) {
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        let mut reader = BufReader::new(from);
        let mut bytes = Vec::new();
        while matches!(reader.read_until(b'\n', &mut bytes), Ok(count) if count > 0) {
            let line = String::from_utf8_lossy(&bytes).trim_end().to_owned();
            log.lines.lock().unwrap().push(line);
            log.more.notify_all();
            bytes.clear();
        }
    });
}

fn drain(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).ok();
        bytes
    })
}
