//! A web server that answers by a script: each request gets what a closure writes.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A server on loopback. Its threads end with the test process.
pub struct Web {
    pub port: u16,
    requests: Arc<AtomicUsize>,
}

/// One request's head, lines and all.
pub struct Request<'a> {
    pub head: &'a str,
    pub client: &'a mut TcpStream,
}

impl Request<'_> {
    /// Writes to the client; false: it is gone.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.client.write_all(bytes).is_ok()
    }

    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then_some(value.trim())
        })
    }

    /// Sends `message(n)` for n = 0, 1, … so many times a second, until the client goes.
    pub fn stream(&mut self, rate: u32, mut message: impl FnMut(usize) -> Vec<u8>) {
        for n in 0.. {
            if !self.send(&message(n)) {
                return;
            }
            super::let_pass(Duration::from_secs(1) / rate);
        }
    }
}

impl Web {
    /// `answer` is called for each request; true: the connection stays for another.
    pub fn start(answer: impl Fn(&mut Request<'_>) -> bool + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(AtomicUsize::new(0));
        let (answer, count) = (Arc::new(answer), Arc::clone(&requests));
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let (answer, count) = (Arc::clone(&answer), Arc::clone(&count));
                std::thread::spawn(move || serve(client, &*answer, &count));
            }
        });
        Self { port, requests }
    }

    /// Its address with a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Requests so far.
    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn serve(mut client: TcpStream, answer: &dyn Fn(&mut Request<'_>) -> bool, count: &AtomicUsize) {
    let mut held = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let end = held.windows(4).position(|window| window == b"\r\n\r\n");
        let Some(end) = end else {
            match client.read(&mut piece) {
                Ok(length) if length > 0 => held.extend_from_slice(&piece[..length]),
                _ => return,
            }
            continue;
        };
        let head = String::from_utf8_lossy(&held[..end]).into_owned();
        held.drain(..end + 4);
        count.fetch_add(1, Ordering::SeqCst);
        if !answer(&mut Request { head: &head, client: &mut client }) {
            return;
        }
    }
}
