//! What both fakes do with sockets and time.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Waits until `moment`.
pub fn wait_until_moment(moment: Instant) {
    while let Some(left) = moment.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
        std::thread::park_timeout(left);
    }
}

/// Waits for `span`.
pub fn pause(span: Duration) {
    wait_until_moment(Instant::now() + span);
}

/// A listener on loopback; every connection gets a thread. Dropping it closes all of them.
pub struct Host {
    address: SocketAddr,
    closing: Arc<AtomicBool>,
    open: Arc<Mutex<Vec<TcpStream>>>,
}

impl Host {
    /// Listens; `attend` ends when its connection does.
    pub fn start(attend: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (closing, open) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Vec::<TcpStream>::new())));
        let (over, all, attend) = (Arc::clone(&closing), Arc::clone(&open), Arc::new(attend));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::Acquire) {
                    return;
                }
                stream.set_nodelay(true).ok();
                all.lock().unwrap().extend(stream.try_clone());
                let attend = Arc::clone(&attend);
                std::thread::spawn(move || attend(stream));
            }
        });
        Self { address, closing, open }
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::Release);
        // The listener's thread looks at the flag when somebody comes.
        TcpStream::connect(self.address).ok();
        for stream in self.open.lock().unwrap().drain(..) {
            stream.shutdown(Shutdown::Both).ok();
        }
    }
}

/// Writes in pieces of a few bytes, each in a segment of its own.
pub fn dribble(mut to: impl Write, bytes: &[u8]) -> io::Result<()> {
    for piece in bytes.chunks(9) {
        to.write_all(piece)?;
        to.flush()?;
        pause(Duration::from_millis(1));
    }
    Ok(())
}

/// Bytes of a connection that are looked at before they are taken.
pub struct Inbox<R> {
    from: R,
    bytes: Vec<u8>,
}

impl<R: Read> Inbox<R> {
    pub fn new(from: R) -> Self {
        Self { from, bytes: Vec::new() }
    }

    /// What has come so far and was not taken.
    pub fn seen(&self) -> &[u8] {
        &self.bytes
    }

    /// Reads more; false at the end.
    pub fn more(&mut self) -> bool {
        let mut piece = [0; 4096];
        let count = self.from.read(&mut piece).unwrap_or(0);
        self.bytes.extend_from_slice(&piece[..count]);
        count > 0
    }

    /// Takes the first `count` bytes, waiting for them; `None` at the end.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.bytes.len() < count {
            if !self.more() {
                return None;
            }
        }
        Some(self.bytes.drain(..count).collect())
    }

    /// Takes all to the end of the next empty line; `None` at the end.
    pub fn take_head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.bytes.windows(4).position(|four| four == b"\r\n\r\n") {
                let head = self.take(at + 4)?;
                return Some(String::from_utf8_lossy(&head).into_owned());
            }
            if !self.more() {
                return None;
            }
        }
    }
}
