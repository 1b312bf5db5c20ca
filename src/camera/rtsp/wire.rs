//! What stands on an RTSP connection, from its bytes: answers, requests of the camera, and interleaved packets.
//!
//! Lenient where cameras are careless: lines may end in LF alone, header names may have any case, lines that are no
//! header are passed over, and bytes between the packets that belong to nobody are skipped and counted. (The crate
//! `rtsp-types` insists on CRLF and on well-formed headers, and stops at foreign bytes.)

/// Beyond this a head or a body is no message of a camera.
const LONGEST_MESSAGE: usize = 256 * 1024;
/// Smallest RTP or RTCP packet that can be told from foreign bytes.
const SMALLEST_PACKET: usize = 8;
/// Version of RTP in the first two bits.
const RTP_VERSION: u8 = 2;

/// How an answer or a request of a camera begins.
const BEGINNINGS: [&[u8]; 8] = [
    b"RTSP/",
    b"OPTIONS ",
    b"ANNOUNCE ",
    b"REDIRECT ",
    b"GET_PARAMETER ",
    b"SET_PARAMETER ",
    b"PLAY_NOTIFY ",
    b"TEARDOWN ",
];

/// One thing that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// An answer.
    Answer(Answer),
    /// The camera asks something.
    Request(Request),
    /// A packet of a channel.
    Packet { channel: u8, data: Vec<u8> },
}

/// An answer of the camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    /// Three digits: 200 is good.
    pub(super) status: u16,
    /// The words after it.
    pub(super) reason: String,
    /// Headers.
    pub(super) headers: Headers,
    /// What follows the headers.
    pub(super) body: Vec<u8>,
}

/// A request of the camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Request {
    /// `OPTIONS`, for example.
    pub(super) method: String,
    /// Headers.
    pub(super) headers: Headers,
}

/// Headers in their order, names in lower case.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers(Vec<(String, String)>);

impl Headers {
    /// The first value of a header, by its name in lower case.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// All its values.
    pub(super) fn all<'a>(&'a self, name: &'static str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// The number that ties an answer to a request.
    pub(super) fn cseq(&self) -> Option<u32> {
        self.get("cseq")?.split_whitespace().next()?.parse().ok()
    }

    fn parse(lines: &[&str]) -> Self {
        let mut headers: Vec<(String, String)> = Vec::new();
        for line in lines {
            if line.starts_with([' ', '\t'])
                && let Some((_, value)) = headers.last_mut()
            {
                value.push(' ');
                value.push_str(line.trim());
            } else if let Some((name, value)) = line.split_once(':') {
                headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self(headers)
    }
}

/// The connection talks nothing that could be RTSP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what it sends is no RTSP")]
pub(super) struct Nonsense;

/// Takes bytes as they come and gives what they mean.
#[derive(Debug, Default)]
pub(super) struct Wire {
    buffer: Vec<u8>,
    /// What stands before it in `buffer` is used up.
    start: usize,
    skipped: u64,
    /// Skipped since the last thing that was understood.
    nonsense: usize,
}

/// What the beginning of the buffer is.
enum Head {
    Packet,
    Message,
    /// More bytes have to come before that can be said.
    Open,
    Foreign,
}

impl Wire {
    /// More bytes came.
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        if self.start > 0 && self.start >= self.buffer.len() / 2 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        self.buffer.extend_from_slice(bytes);
    }

    /// Bytes so far that belonged to nobody.
    pub(super) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// The next thing; `None`: more bytes are needed.
    ///
    /// # Errors
    /// Nothing could be made of many bytes in a row.
    pub(super) fn next(&mut self) -> Result<Option<Item>, Nonsense> {
        loop {
            match self.head() {
                Head::Open => return Ok(None),
                Head::Foreign => self.skip()?,
                Head::Packet => {
                    let rest = &self.buffer[self.start..];
                    let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
                    if rest.len() < 4 + length {
                        return Ok(None);
                    }
                    let item = Item::Packet { channel: rest[1], data: rest[4..4 + length].to_vec() };
                    self.used(4 + length);
                    return Ok(Some(item));
                }
                Head::Message => match message(&self.buffer[self.start..]) {
                    Parsed::Whole(item, length) => {
                        self.used(length);
                        return Ok(Some(item));
                    }
                    Parsed::Part if self.buffer.len() - self.start > LONGEST_MESSAGE => return Err(Nonsense),
                    Parsed::Part => return Ok(None),
                    Parsed::Not => self.skip()?,
                },
            }
        }
    }

    fn used(&mut self, bytes: usize) {
        self.start += bytes;
        self.nonsense = 0;
    }

    fn skip(&mut self) -> Result<(), Nonsense> {
        self.start += 1;
        self.skipped += 1;
        self.nonsense += 1;
        if self.nonsense > LONGEST_MESSAGE { Err(Nonsense) } else { Ok(()) }
    }

    fn head(&self) -> Head {
        let rest = &self.buffer[self.start..];
        let Some(first) = rest.first() else { return Head::Open };
        match first {
            b'$' => packet(rest),
            b'A'..=b'Z' => message_head(rest),
            _ => Head::Foreign,
        }
    }
}

/// A message begins with the protocol's name or with a method.
fn message_head(rest: &[u8]) -> Head {
    if BEGINNINGS.iter().any(|beginning| rest.starts_with(beginning)) {
        Head::Message
    } else if BEGINNINGS.iter().any(|beginning| beginning.starts_with(rest)) {
        Head::Open
    } else {
        Head::Foreign
    }
}

fn packet(rest: &[u8]) -> Head {
    if rest.len() < 5 {
        return Head::Open;
    }
    let length = usize::from(u16::from_be_bytes([rest[2], rest[3]]));
    if length >= SMALLEST_PACKET && rest[4] >> 6 == RTP_VERSION { Head::Packet } else { Head::Foreign }
}

enum Parsed {
    Whole(Item, usize),
    Part,
    Not,
}

/// Reads a message from the beginning of `bytes`.
fn message(bytes: &[u8]) -> Parsed {
    let Some(head) = head_length(bytes) else { return Parsed::Part };
    let text = String::from_utf8_lossy(&bytes[..head]);
    let mut lines = text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line));
    let first = lines.next().unwrap_or_default();
    let lines: Vec<&str> = lines.collect();
    let headers = Headers::parse(&lines);
    let length = headers.get("content-length").and_then(|value| value.parse().ok()).unwrap_or(0usize);
    if length > LONGEST_MESSAGE {
        return Parsed::Not;
    }
    let Some(body) = bytes.get(head..head + length) else { return Parsed::Part };
    let mut words = first.splitn(3, ' ');
    let (one, two, three) = (words.next().unwrap_or_default(), words.next(), words.next());
    if one.starts_with("RTSP/") {
        let Some(status) = two.and_then(|two| two.trim().parse().ok()) else { return Parsed::Not };
        let reason = three.unwrap_or_default().trim().to_owned();
        return Parsed::Whole(Item::Answer(Answer { status, reason, headers, body: body.to_vec() }), head + length);
    }
    if !three.is_some_and(|version| version.trim().starts_with("RTSP/")) {
        return Parsed::Not;
    }
    Parsed::Whole(Item::Request(Request { method: one.to_owned(), headers }), head + length)
}

/// Up to and with the empty line.
fn head_length(bytes: &[u8]) -> Option<usize> {
    let mut line = 0;
    for (at, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let text = &bytes[line..at];
        if line > 0 && (text.is_empty() || text == b"\r") {
            return Some(at + 1);
        }
        line = at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ANSWER: &[u8] = b"RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 4\r\nX: a\r\n b\r\n\r\nbody";

    fn packet(channel: u8, payload: &[u8]) -> Vec<u8> {
        let data = [&[0x80, 96, 0, 1, 0, 0, 0, 9, 1, 2, 3, 4], payload].concat();
        [&[b'$', channel, 0, data.len() as u8], &data[..]].concat()
    }

    fn all(wire: &mut Wire) -> Vec<Item> {
        std::iter::from_fn(|| wire.next().unwrap()).collect()
    }

    fn read(bytes: &[u8]) -> Vec<Item> {
        let mut wire = Wire::default();
        wire.feed(bytes);
        all(&mut wire)
    }

    #[test]
    fn answers_have_headers_and_a_body() {
        let [Item::Answer(answer)] = &read(ANSWER)[..] else { panic!("one answer") };
        assert_eq!((answer.status, answer.reason.as_str(), &answer.body[..]), (200, "OK", &b"body"[..]));
        assert_eq!((answer.headers.cseq(), answer.headers.get("x")), (Some(3), Some("a b")));
    }

    #[test]
    fn careless_answers_are_read() {
        for text in [
            "RTSP/1.0 200 OK\ncseq: 3\n\n",
            "RTSP/1.0 200\r\nCSEQ:3\r\nno header\r\n\r\n",
            "RTSP/1.0 200 OK\r\nCSeq: 3 \r\n\r\n",
        ] {
            let [Item::Answer(answer)] = &read(text.as_bytes())[..] else { panic!("{text:?}") };
            assert_eq!((answer.status, answer.headers.cseq()), (200, Some(3)), "{text:?}");
        }
    }

    #[test]
    fn the_camera_may_ask() {
        let [Item::Request(request)] = &read(b"OPTIONS rtsp://cam/1 RTSP/1.0\r\nCSeq: 9\r\n\r\n")[..] else { panic!() };
        assert_eq!((request.method.as_str(), request.headers.cseq()), ("OPTIONS", Some(9)));
    }

    #[test]
    fn foreign_bytes_between_packets_are_skipped() {
        let one = packet(0, b"one");
        let bytes = [&one[..], b"\x00\xff\x13garbage", &one, b"$$\0", ANSWER, b"GARBAGE", &one].concat();
        let mut wire = Wire::default();
        wire.feed(&bytes);
        let items = all(&mut wire);
        assert_eq!(items.len(), 4, "{items:?}");
        assert!(matches!(items[2], Item::Answer(_)));
        assert_eq!(wire.skipped(), 20);
    }

    #[test]
    fn a_page_of_a_web_server_is_nonsense_in_the_end() {
        let mut wire = Wire::default();
        wire.feed(&vec![b'<'; LONGEST_MESSAGE + 2]);
        assert_eq!(wire.next(), Err(Nonsense));
    }

    proptest! {
        /// However the bytes are cut, the same things are read.
        #[test]
        fn cuts_do_not_matter(cuts in prop::collection::vec(1usize..40, 1..60), noise in prop::collection::vec(0u8..36, 0..30)) {
            let bytes = [&packet(0, b"one")[..], &noise, ANSWER, &packet(1, &[b'$'; 40]), &noise, &packet(2, b"R")].concat();
            let mut wire = Wire::default();
            let (mut items, mut rest) = (Vec::new(), &bytes[..]);
            for cut in cuts.iter().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (now, later) = rest.split_at((*cut).min(rest.len()));
                wire.feed(now);
                items.extend(all(&mut wire));
                rest = later;
            }
            prop_assert_eq!(&items, &read(&bytes));
            prop_assert_eq!(items.len(), 4);
            prop_assert_eq!(wire.skipped(), 2 * noise.len() as u64);
        }

        /// Nothing that a peer sends ends the program.
        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
            let mut wire = Wire::default();
            wire.feed(&bytes);
            while let Ok(Some(_)) = wire.next() {}
        }
    }
}
