//! The camera: it listens, and serves one connection per thread.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::jpeg;
use super::options::{Body, Options};
use super::parts;
use crate::zoo::auth::{Guard, Verdict};
use crate::zoo::head::Head;
use crate::zoo::journal::Journal;
use crate::zoo::net::{Host, Inbox, dribble, wait_until_moment};

/// A fake HTTP camera on loopback. Dropping it closes its connections.
pub struct Camera {
    front: Host,
    /// Where a redirected client goes.
    _moved: Option<Host>,
    journal: Arc<Journal>,
}

struct Shared {
    options: Options,
    guard: Option<Guard>,
    journal: Arc<Journal>,
    moved_to: Option<(u16, SocketAddr)>,
}

impl Camera {
    pub fn start(options: Options) -> Self {
        let journal = Arc::new(Journal::default());
        let host = |moved_to| {
            let guard = options.login.clone().map(Guard::new);
            let shared = Shared { options: options.clone(), guard, journal: Arc::clone(&journal), moved_to };
            Host::start(move |stream| {
                if let Err(error) = shared.serve(stream) {
                    shared.journal.note(format!("the client is gone: {error}"));
                }
            })
        };
        let moved = options.redirect.map(|_| host(None));
        let front = host(options.redirect.zip(moved.as_ref().map(Host::address)));
        Self { front, _moved: moved, journal }
    }

    /// What to put into the config. `path`: from the slash on.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.front.address())
    }

    pub fn journal(&self) -> &Arc<Journal> {
        &self.journal
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut inbox = Inbox::new(stream.try_clone()?);
        while let Some(text) = inbox.take_head() {
            let Some(head) = Head::parse(&text) else { break };
            self.journal.request(&head);
            if self.options.mute {
                continue;
            }
            let refusal = self.guard.as_ref().and_then(|guard| match guard.look(&head, &self.journal) {
                Verdict::Welcome => None,
                Verdict::Challenge { stale } => Some((401, guard.challenges(stale))),
                Verdict::Locked => Some((403, Vec::new())),
            });
            let moved = self.moved_to.map(|(code, to)| (code, vec![format!("Location: http://{to}/moved")]));
            let status = self.options.status.map(|code| (code, Vec::new()));
            match moved.or(refusal).or(status) {
                Some((code, headers)) => {
                    let lines: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
                    write!(stream, "HTTP/1.1 {code} Because\r\n{lines}Content-Length: 0\r\n\r\n")?;
                }
                None => {
                    self.play(&mut stream)?;
                    break;
                }
            }
        }
        stream.shutdown(std::net::Shutdown::Both)
    }

    fn play(&self, stream: &mut TcpStream) -> io::Result<()> {
        let options = &self.options;
        let head = parts::head(options);
        if matches!(options.body, Body::Single | Body::Page) {
            let (width, height) = (options.width, options.height);
            let body = if options.body == Body::Single {
                self.journal.picture(true);
                jpeg::picture(0, width, height, options.kind)
            } else {
                b"<html><body>Log in here</body></html>".to_vec()
            };
            write!(stream, "{head}Content-Length: {}\r\n\r\n", body.len())?;
            return stream.write_all(&body);
        }
        self.send(stream, format!("{head}\r\n").as_bytes())?;
        self.chunk(stream, parts::preamble(options).as_bytes())?;
        let (start, step) = (Instant::now(), Duration::from_secs_f64(1.0 / f64::from(options.fps)));
        for number in 0..options.pictures {
            wait_until_moment(start + step * number as u32);
            let (width, height) = match options.then {
                Some((after, width, height)) if number >= after => (width, height),
                _ => (options.width, options.height),
            };
            let picture = jpeg::picture(number, width, height, options.kind);
            self.chunk(stream, &parts::part(options, number, &picture))?;
            self.journal.picture(!options.kind.is_cut(number));
        }
        self.journal.hold();
        if !options.closes {
            // Until the client, or the test, hangs up.
            while Inbox::new(&mut *stream).more() {}
        }
        Ok(())
    }

    fn chunk(&self, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        if !self.options.chunked {
            return self.send(stream, bytes);
        }
        if bytes.is_empty() {
            return Ok(());
        }
        let framed = [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat();
        self.send(stream, &framed)
    }

    fn send(&self, stream: &mut TcpStream, bytes: &[u8]) -> io::Result<()> {
        if self.options.dribble { dribble(stream, bytes) } else { stream.write_all(bytes) }
    }
}
