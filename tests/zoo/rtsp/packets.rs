//! From pictures to RTP packets, and sender reports.

use super::options::{Packets, Reports, Times};
use crate::zoo::coded::Codec;

/// Payload type of the video.
pub const VIDEO: u8 = 96;
/// SSRC of the video before it changes.
pub const SOURCE: u32 = 0x1234_ABCD;
const NEW_SOURCE: u32 = 0x7777_7777;
const NEW_SEQUENCE: u16 = 60_000;
const TICKS: f64 = 90_000.0;
/// Seconds from 1900 to 1970.
const NTP_EPOCH: u64 = 2_208_988_800;

/// One packet.
pub struct Packet {
    pub sequence: u16,
    pub bytes: Vec<u8>,
    /// Its picture is incomplete without it.
    pub needed: bool,
}

/// Numbers packets of one session.
pub struct Packer {
    options: Packets,
    codec: Codec,
    source: u32,
    sequence: u16,
    packets: u32,
    octets: u32,
}

impl Packer {
    pub fn new(options: &Packets, codec: Codec) -> Self {
        let sequence = options.first_sequence;
        Self { options: options.clone(), codec, source: SOURCE, sequence, packets: 0, octets: 0 }
    }

    /// The packets of one picture. `number`: pictures before it.
    pub fn pack(&mut self, nals: &[&[u8]], number: u64, time: u32) -> Vec<Packet> {
        if self.options.new_source_after == Some(number) {
            (self.source, self.sequence) = (NEW_SOURCE, NEW_SEQUENCE);
        }
        let payloads = self.payloads(nals);
        let last = payloads.len() - 1;
        let packet = |(index, (payload, needed)): (usize, &(Vec<u8>, bool))| {
            let (sequence, bytes) = self.packet(payload, time, index == last);
            Packet { sequence, bytes, needed: *needed }
        };
        payloads.iter().enumerate().map(packet).collect()
    }

    /// The timestamp of a picture. `shown`: ticks after the first; `number`: pictures before it.
    pub fn time(&self, shown: u64, number: u64, step: u64) -> u32 {
        let first = u64::from(self.options.first_time);
        let time = match self.options.times {
            Times::Constant => first,
            Times::ResetAfter(after) if number >= after => (number - after) * step,
            Times::JumpAfter(after) if number >= after => first + shown + 3600 * TICKS as u64,
            // The counter has room below: it wraps.
            Times::BackAfter(after) if number >= after => (first + shown).wrapping_sub(10 * TICKS as u64),
            Times::Fast => first + shown * 11 / 10,
            _ => first + shown,
        };
        time as u32
    }

    /// Payloads, and whether their picture is incomplete without them.
    fn payloads(&self, nals: &[&[u8]]) -> Vec<(Vec<u8>, bool)> {
        let mut payloads = Vec::new();
        let mut rest = nals;
        if self.options.aggregate {
            let fits = |count: usize| nals[..count].iter().map(|nal| nal.len() + 2).sum::<usize>() < self.options.most;
            let together = (2..=nals.len()).rev().find(|&count| fits(count)).unwrap_or(0);
            if together > 0 {
                payloads.push((self.aggregate(&nals[..together]), true));
                rest = &nals[together..];
            }
        }
        for nal in rest {
            if nal.len() <= self.options.most {
                payloads.push((nal.to_vec(), self.codec.is_needed(nal)));
            } else {
                self.fragment(nal, &mut payloads);
            }
        }
        payloads
    }

    fn aggregate(&self, nals: &[&[u8]]) -> Vec<u8> {
        let mut payload = match self.codec {
            Codec::H264 => vec![nals[0][0] & 0xE0 | 24],
            Codec::Hevc => vec![48 << 1, 1],
        };
        for nal in nals {
            payload.extend((nal.len() as u16).to_be_bytes());
            payload.extend(*nal);
        }
        payload
    }

    fn fragment(&self, nal: &[u8], payloads: &mut Vec<(Vec<u8>, bool)>) {
        let (head, kind, body) = match self.codec {
            Codec::H264 => (vec![nal[0] & 0xE0 | 28], nal[0] & 31, &nal[1..]),
            Codec::Hevc => (vec![nal[0] & 0x81 | 49 << 1, nal[1]], (nal[0] >> 1) & 63, &nal[2..]),
        };
        let pieces = body.chunks(self.options.most - 10);
        let last = pieces.len() - 1;
        for (index, piece) in pieces.enumerate() {
            let mark = if index == 0 { 0x80 } else { 0 } | if index == last { 0x40 } else { 0 } | kind;
            payloads.push(([&head[..], &[mark], piece].concat(), self.codec.is_needed(nal)));
        }
    }

    fn packet(&mut self, payload: &[u8], time: u32, last: bool) -> (u16, Vec<u8>) {
        let options = &self.options;
        let bits = [(options.padding, 0x20), (options.extension, 0x10), (options.contributors, 2)];
        let first = bits.iter().fold(0x80, |byte, (on, bit)| if *on { byte | bit } else { byte });
        let mark = if last && options.marker { 0x80 } else { 0 };
        let mut packet = vec![first, VIDEO | mark];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend(self.source.to_be_bytes());
        if options.contributors {
            packet.extend([0, 0, 0, 7, 0, 0, 0, 8]);
        }
        if options.extension {
            packet.extend([0xAB, 0xAC, 0, 3]);
            packet.extend([1, 2, 3, 4].repeat(3));
        }
        packet.extend(payload);
        if options.padding {
            packet.extend([0, 0, 0, 0, 0, 0, 7]);
        }
        let sequence = self.sequence;
        self.sequence = self.sequence.wrapping_add(1);
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(payload.len() as u32);
        (sequence, packet)
    }

    /// A sender report with a name, or none. `time`: the timestamp of now.
    pub fn report(&self, time: u32, number: u64) -> Option<Vec<u8>> {
        let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let now = since.as_secs() + NTP_EPOCH;
        let odd = number / 20 % 2 == 1;
        let (seconds, time) = match self.options.reports {
            Reports::Absent => return None,
            Reports::Right => (now, time),
            Reports::Of1900 => (number / 10, time),
            Reports::Jumping => (now + if odd { 31_536_000 } else { 0 }, time),
            Reports::Random => (number.wrapping_mul(2_654_435_761) >> 3, (number as u32).wrapping_mul(2_246_822_519)),
        };
        let mut report = vec![0x80, 200, 0, 6];
        let fraction = (u64::from(since.subsec_nanos()) << 32) / 1_000_000_000;
        for word in [self.source, seconds as u32, fraction as u32, time, self.packets, self.octets] {
            report.extend(word.to_be_bytes());
        }
        report.extend([0x81, 202, 0, 2]);
        report.extend(self.source.to_be_bytes());
        report.extend([1, 1, b'a', 0]);
        Some(report)
    }
}
