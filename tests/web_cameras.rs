//! Cameras over HTTP: pictures in every framing, other streams, logins, redirects, and failures that say why.

#![allow(clippy::unwrap_used)]

use std::io::Cursor;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use maskwatch::config::plan::{CameraPlan, Credentials};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::DisconnectReason;

mod rig;
mod support;

use rig::{Rig, plan};
use support::web::{Request, Web};
use support::{Scrape, process::run_well, soon, temp_dir, wait_until};

/// Pictures a second that the cameras here send.
const RATE: u32 = 20;
const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace;boundary=foo\r\n\r\n";

/// A JPEG of these sizes; `n` changes its colour.
fn jpeg(n: usize, width: u32, height: u32) -> Vec<u8> {
    let shade = u8::try_from(n * 7 % 256).unwrap();
    let picture = image::RgbImage::from_fn(width, height, |x, y| image::Rgb([shade, (x * 3) as u8, (y * 5) as u8]));
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).unwrap();
    bytes.into_inner()
}

fn picture(n: usize) -> Vec<u8> {
    jpeg(n, 160, 120)
}

fn part(n: usize) -> Vec<u8> {
    let data = picture(n);
    let head = format!("--foo\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", data.len());
    [head.as_bytes(), &data, b"\r\n"].concat()
}

/// A camera that sends `head` and then `message(n)` for ever.
fn camera(head: &'static [u8], message: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> Web {
    Web::start(move |request| {
        if request.send(head) {
            request.stream(RATE, &message);
        }
        false
    })
}

fn credentials(password: &str) -> Option<Credentials> {
    Some(Credentials { username: "ops".into(), password: Secret::new(password) })
}

fn around(before: &str, after: &'static str) -> impl Fn(usize) -> Vec<u8> + Send + Sync + 'static {
    let before = before.to_owned();
    move |n| {
        [before.replace("LENGTH", &picture(n).len().to_string()).as_bytes(), &picture(n), after.as_bytes()].concat()
    }
}

#[test]
fn pictures_in_every_framing_play() {
    let huge = format!("--foo\r\nContent-Type: image/jpeg\r\nX-Junk: {}\r\n\r\n", "z".repeat(100_000));
    let html = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n";
    let raw = b"HTTP/1.0 200 OK\r\nContent-Type: image/jpeg\r\n\r\n";
    let bare = b"HTTP/1.0 200\nContent-Type: multipart/x-mixed-replace\n\n";
    let chunked = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        ("as it should be", camera(OK, part)),
        ("another boundary than was said", camera(OK, around("--bar\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"))),
        ("no dashes", camera(OK, around("foo\r\nContent-Type: image/jpeg\r\nContent-Length: LENGTH\r\n\r\n", "\r\n"))),
        ("dashes twice", camera(OK, around("----foo\r\nContent-Type: image/jpeg\r\n\r\n", "\r\n"))),
        ("no first boundary", camera(OK, around("Content-Type: image/jpeg\r\n\r\n", "\r\n--foo\r\n"))),
        ("no part headers", camera(OK, around("--foo\r\n\r\n", "\r\n"))),
        ("bare line feeds", camera(bare, around("--foo\nContent-Length: LENGTH\n\n", "\n"))),
        ("a length too long", camera(OK, around("--foo\r\nContent-Length: 9LENGTH\r\n\r\n", "\r\n"))),
        ("a length too short", camera(OK, around("--foo\r\nContent-Length: 10\r\n\r\n", "\r\n"))),
        ("endless part headers", camera(OK, around(&huge, "\r\n"))),
        ("nothing between", camera(raw, picture)),
        ("padding between", camera(raw, around("", "\0\0\0\0\0\0\0"))),
        ("no type", camera(html, part)),
        (
            "chunks",
            camera(chunked, |n| {
                let whole = part(n);
                // Chunks that end anywhere.
                let pieces = whole.chunks(1000).map(|p| [format!("{:x}\r\n", p.len()).as_bytes(), p, b"\r\n"].concat());
                pieces.collect::<Vec<_>>().concat()
            }),
        ),
    ];
    let rigs: Vec<_> = cases.iter().map(|(_, web)| Rig::on(&web.url("/video"))).collect();
    for (rig, (name, _)) in rigs.iter().zip(&cases) {
        wait_until(&format!("{name} plays"), soon(), || {
            let view = rig.camera.status().view();
            assert_eq!(view.disconnects, 0, "{name}: {view:?}");
            rig.hub.published() >= 20
        });
        assert_eq!(rig.size(), Some((160, 120)), "{name}");
        let page = Scrape::parse(&rig.all.render().unwrap());
        let broken = [("camera", "gate"), ("reason", "broken")];
        assert_eq!(page.get("frames_dropped_total", &broken), 0.0, "{name}");
    }
    rigs.into_iter().for_each(Rig::stop);
}

#[test]
fn sizes_may_change_and_cut_pictures_are_shown_or_counted() {
    let changes = camera(OK, |n| if n < 10 { jpeg(n, 160, 120) } else { jpeg(n, 320, 240) });
    let rig = Rig::on(&changes.url("/"));
    wait_until("the new size comes", soon(), || rig.size() == Some((320, 240)));
    assert_eq!(rig.camera.status().view().disconnects, 0);
    rig.stop();

    let halves = camera(OK, |n| [&b"--foo\r\n\r\n"[..], &picture(n)[..picture(n).len() * 2 / 3], b"\r\n"].concat());
    let rig = Rig::on(&halves.url("/"));
    rig.wait_up();
    assert_eq!(rig.size(), Some((160, 120)), "as far as they go");
    rig.stop();

    // Every second one ends within its tables.
    let stumps = camera(OK, |n| {
        [b"--foo\r\n\r\n", &picture(n)[..if n % 2 == 0 { usize::MAX } else { 300 }.min(picture(n).len())]].concat()
    });
    let rig = Rig::on(&stumps.url("/"));
    rig.wait_up();
    wait_until("what cannot be shown is counted", soon(), || {
        let page = Scrape::parse(&rig.all.render().unwrap());
        page.get("frames_dropped_total", &[("camera", "gate"), ("reason", "broken")]) >= 3.0
    });
    rig.stop();
}

/// Asks for a password as `challenge` says; who brings one that `fits` gets the stream.
fn locked(challenge: &'static str, fits: impl Fn(&str) -> bool + Send + Sync + 'static) -> Web {
    Web::start(move |request| {
        if request.header("authorization").is_some_and(&fits) {
            request.send(OK);
            request.stream(RATE, part);
            return false;
        }
        let refused = format!("HTTP/1.1 401 No\r\nWWW-Authenticate: {challenge}\r\nContent-Length: 2\r\n\r\nno");
        request.send(refused.as_bytes())
    })
}

#[test]
fn a_password_is_given_once_and_to_nobody_else() {
    // "ops:s3cret"
    let basic = || locked("Basic realm=\"cam\"", |answer| answer == "Basic b3BzOnMzY3JldA==");
    let right = basic();
    let rig = Rig::start(CameraPlan { credentials: credentials("s3cret"), ..plan("gate", &right.url("/v?x=1")) });
    rig.wait_up();
    assert_eq!(right.requests(), 2, "one question, one answer");
    rig.stop();

    let wrong = basic();
    let rig = Rig::start(CameraPlan { credentials: credentials("wr0ng"), ..plan("gate", &wrong.url("/v")) });
    let (reason, words) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Auth, "{words}");
    assert!(words.contains("refuses the password") && !words.contains("wr0ng"), "{words}");
    support::let_pass(Duration::from_secs(3));
    assert_eq!(wrong.requests(), 2, "and no second attempt soon");
    rig.stop();

    let rig = Rig::on(&wrong.url("/v"));
    let (reason, words) = rig.wait_down();
    assert_eq!((reason, words.contains("asks for a password")), (DisconnectReason::Auth, true), "{words}");
    rig.stop();

    for (challenge, wanted) in [
        (r#"Digest realm="cam", nonce="abc", qop="auth""#, "qop=auth"),
        (r#"Digest realm="cam", nonce="abc", qop="auth", algorithm=SHA-256"#, "algorithm=SHA-256"),
        (r#"Digest realm="cam", nonce="abc""#, "response="),
    ] {
        let digest = locked(challenge, move |answer| answer.starts_with("Digest ") && answer.contains(wanted));
        let rig = Rig::start(CameraPlan { credentials: credentials("s3cret"), ..plan("gate", &digest.url("/v")) });
        rig.wait_up();
        assert_eq!(digest.requests(), 2, "{challenge}");
        rig.stop();
    }

    // The other server would take the password, but is not the one it is meant for.
    let other = basic();
    let target = other.url("/v");
    let sends_on = Web::start(move |request| {
        request.send(format!("HTTP/1.1 302 Found\r\nLocation: {target}\r\nContent-Length: 0\r\n\r\n").as_bytes())
    });
    let rig = Rig::start(CameraPlan { credentials: credentials("s3cret"), ..plan("gate", &sends_on.url("/v")) });
    let (reason, words) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Auth, "{words}");
    assert!(words.contains("put that address into the url"), "{words}");
    assert_eq!(other.requests(), 1);
    rig.stop();
}

#[test]
fn requests_are_sent_on_but_not_for_ever() {
    let web = Web::start(|request| match request.head.split(' ').nth(1) {
        Some("/end") => {
            request.send(OK);
            request.stream(RATE, part);
            false
        }
        Some("/begin") => request.send(b"HTTP/1.1 301 Moved\r\nLocation: end\r\nContent-Length: 0\r\n\r\n"),
        _ => request.send(b"HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n"),
    });
    let rig = Rig::on(&web.url("/begin"));
    rig.wait_up();
    rig.stop();
    let rig = Rig::on(&web.url("/round"));
    assert!(rig.wait_down().1.contains("on and on"));
    rig.stop();
}

/// A picture that says that it is made of four colours.
fn for_print(n: usize) -> Vec<u8> {
    let mut data = picture(n);
    let frame = data.windows(2).position(|marker| marker == [0xff, 0xc0]).unwrap();
    data[frame + 9] = 4;
    [b"--foo\r\n\r\n", &data[..]].concat()
}

/// The https address of who answers whatever is said, and not in TLS.
fn blurting(answer: &'static str) -> String {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            if client.read(&mut [0; 1024]).is_ok_and(|length| length > 0) {
                client.write_all(answer.as_bytes()).ok();
            }
        }
    });
    format!("https://127.0.0.1:{port}/v?token=t0p")
}

#[test]
fn failures_say_what_they_are() {
    use DisconnectReason::{Eos, Error, NotFound, Refused, Timeout, Unreachable, Unsupported};
    fn says(text: &'static [u8]) -> Web {
        Web::start(move |request| {
            request.send(text);
            false
        })
    }
    let still = |request: &mut Request<'_>| {
        let data = picture(1);
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\nContent-Length: {}\r\n\r\n", data.len());
        request.send(&[head.as_bytes(), &data].concat())
    };
    let sound = b"--foo\r\nContent-Type: audio/basic\r\n\r\n";
    let closed = format!("http://127.0.0.1:{}/", support::free_port());
    let mute = Web::start(|_| {
        support::let_pass(Duration::from_secs(60));
        false
    });
    let of = |web: &Web| web.url("/v?token=t0p");
    let webs = [
        (Web::start(still), Unsupported, "a single picture, not a stream"),
        (
            says(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>"),
            Unsupported,
            "a web page (text/html), not a stream",
        ),
        (says(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), Unsupported, "the answer is empty"),
        (says(b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n"), NotFound, "no such stream (HTTP 404"),
        (says(b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"), Error, "how many viewers does it allow?"),
        (says(b"RTSP/1.0 400 Bad Request\r\n\r\n"), Unsupported, "is that port the camera's HTTP port?"),
        (says(b""), Eos, "closes the connection without an answer"),
        (camera(OK, move |_| [&sound[..], &vec![0x55; 1 << 20]].concat()), Unsupported, "holds audio/basic, not JPEG"),
        (camera(OK, for_print), Unsupported, "in four colours, as for print"),
        (mute, Timeout, "takes the connection and answers nothing"),
    ];
    let mut cases: Vec<_> = webs.iter().map(|(web, reason, words)| (of(web), *reason, *words)).collect();
    cases.push((closed, Refused, "connection refused by 127.0.0.1"));
    cases.push(("http://no-such-host.invalid/".to_owned(), Unreachable, "the name of no-such-host.invalid"));
    cases.push((blurting("HTTP/1.1 400 Bad Request\r\n\r\n"), Error, "no TLS on this port"));
    let rigs: Vec<_> = cases.iter().map(|(url, ..)| Rig::on(url)).collect();
    for (rig, (url, reason, words)) in rigs.iter().zip(&cases) {
        let (told, message) = rig.wait_down();
        assert_eq!(told, *reason, "{url}: {message}");
        assert!(message.contains(words), "{url}: {message}");
        assert!(!message.contains("t0p") && !message.contains("transport"), "{url}: {message}");
    }
    rigs.into_iter().for_each(Rig::stop);
}

/// A file that is served whole, at once, to everybody who asks.
fn file_server(file: &Path, kind: &'static str) -> Web {
    let bytes = std::fs::read(file).unwrap();
    Web::start(move |request| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\r\n", bytes.len());
        request.send(&[head.as_bytes(), &bytes].concat())
    })
}

#[test]
fn what_is_no_series_of_pictures_plays_at_its_own_pace() {
    let folder = temp_dir();
    for (name, kind) in [("t.ts", "video/mp2t"), ("f.flv", "video/x-flv"), ("m.mkv", "application/octet-stream")] {
        let file = folder.path().join(name);
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=25", "-t", "4"]);
        command.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", "2", "-g", "25", "-pix_fmt", "yuv420p"]);
        run_well(command.arg(&file), soon());
        let web = file_server(&file, kind);
        let rig = Rig::on(&web.url("/stream"));
        let begin = std::time::Instant::now();
        let received = || Scrape::parse(&rig.all.render().unwrap()).frames("gate", "received");
        wait_until(&format!("{name} plays"), soon(), || received() >= 75.0);
        assert!(begin.elapsed() >= Duration::from_millis(2700), "{name} runs ahead: {:?}", begin.elapsed());
        let (reason, words) = rig.wait_down();
        assert_eq!((reason, words.contains("ended")), (DisconnectReason::Eos, true), "{name}: {words}");
        rig.stop();
    }
}
