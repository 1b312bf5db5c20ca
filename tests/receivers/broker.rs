//! Real message brokers on free ports of the loopback interface, that can be killed and started again.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Process, free_port, soon, temp_dir};

/// What a broker is started as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// MQTT: mosquitto, which keeps its sessions on disk.
    Mosquitto,
    /// NATS with JetStream, whose streams are on disk.
    Nats,
}

/// A broker that may be dead for a while.
pub struct Broker {
    kind: Kind,
    pub port: u16,
    folder: tempfile::TempDir,
    process: Option<Process>,
}

impl Broker {
    /// Has a port and does not run.
    pub fn absent(kind: Kind) -> Self {
        Self { kind, port: free_port(), folder: temp_dir(), process: None }
    }

    /// Runs and takes connections.
    #[track_caller]
    pub fn start(kind: Kind) -> Self {
        let mut broker = Self::absent(kind);
        broker.revive();
        broker
    }

    /// Runs again, with what it has on disk.
    #[track_caller]
    pub fn revive(&mut self) {
        let (mut command, ready) = match self.kind {
            Kind::Mosquitto => (mosquitto(self.folder.path(), &format!("listener {} 127.0.0.1", self.port)), "running"),
            Kind::Nats => (nats(self.folder.path(), self.port), "Server is ready"),
        };
        let process = Process::start(&format!("{:?}", self.kind), &mut command);
        process.wait_for_line(ready, soon());
        self.process = Some(process);
    }

    /// Ends without a chance to tidy up.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Goes on, or stops without closing anything.
    pub fn freeze(&self, frozen: bool) {
        self.process.as_ref().unwrap().signal(if frozen { "STOP" } else { "CONT" });
    }
}

/// mosquitto with settings of its own.
pub fn secured(folder: &Path, lines: &str) -> Command {
    let file = folder.join("mosquitto.conf");
    fs::write(&file, format!("{lines}\nlog_dest stderr\nuser root\n")).unwrap();
    program(&file)
}

/// mosquitto with everything on disk at once; `lines`: where it listens, and who may come in.
pub fn mosquitto(folder: &Path, lines: &str) -> Command {
    let text = format!(
        "{lines}\nallow_anonymous true\npersistence true\npersistence_location {}/\nautosave_on_changes true\n\
         autosave_interval 1\nmax_queued_messages 0\nmax_inflight_messages 0\nlog_dest stderr\nuser root\n",
        folder.display()
    );
    let file = folder.join("mosquitto.conf");
    fs::write(&file, text).unwrap();
    program(&file)
}

fn program(file: &Path) -> Command {
    // Not in every user's path.
    let usual = "/usr/sbin/mosquitto";
    let mut command = Command::new(if Path::new(usual).exists() { usual } else { "mosquitto" });
    command.arg("-c").arg(file);
    command
}

fn nats(folder: &Path, port: u16) -> Command {
    let mut command = Command::new("nats-server");
    command.args(["-js", "-a", "127.0.0.1", "-p", &port.to_string(), "-sd"]).arg(folder);
    command
}
