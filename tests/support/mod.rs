//! What the end-to-end tests share: a `maskwatch` child process with its log, its config and its metrics; other
//! people's programs as peers (VLC and ffmpeg, as cameras and as viewers); clips; and bounded waiting.
//!
//! Rules: every wait has a deadline and says what it waited for; every child process is ended when its value is
//! dropped, also when a test panics; nothing here waits for a fixed time; what GStreamer complains of fails the test.

// Each test file takes what it needs of this module; the rest is unused in that file only.
#![allow(dead_code, unused_imports, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::print_stderr)]

pub mod app;
pub mod clip;
pub mod complaints;
pub mod data;
pub mod demo;
pub mod faces;
pub mod grab;
pub mod http;
pub mod metrics;
pub mod onvif;
pub mod peer;
pub mod process;
pub mod users;
pub mod wait;
pub mod web;

pub use app::{App, AppConfig};
pub use metrics::Scrape;
pub use process::Process;
pub use wait::{let_pass, soon, wait_until};

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::path::PathBuf;
use std::sync::Mutex;

/// The checkout.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The program under test.
pub fn maskwatch() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_maskwatch"))
}

/// A folder that goes away with its value. Others may read it: VLC refuses to run as root, so in a container it runs
/// as `nobody`.
pub fn temp_dir() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    tempfile::Builder::new().prefix("maskwatch-test-").permissions(PermissionsExt::from_mode(0o777)).tempdir().unwrap()
}

/// A TCP port on the loopback interface that nobody listens on now, and that was not given before: the system may name
/// one again as soon as it is free.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// An even UDP port with its odd neighbour free as well, as RTP wants them.
pub fn free_udp_pair() -> u16 {
    for _ in 0..200 {
        let port = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port() & !1;
        let both = [port, port + 1].map(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok());
        if both == [true, true] {
            return port;
        }
    }
    panic!("no pair of free UDP ports");
}
