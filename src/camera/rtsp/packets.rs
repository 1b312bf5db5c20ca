//! The packets of one stream on their way to the jitter buffer: foreign ones and repetitions are left out, and what a
//! camera does to its numbering (a new source in mid-stream, a leap) becomes one row of numbers. Counts what a receiver
//! report tells. Pure.

use rtcp_types::prelude::{RtcpPacketWriter, RtcpPacketWriterExt};
use rtcp_types::{ReceiverReport, ReportBlock, SdesChunk, SdesItem};
use rtp_types::RtpPacket;

/// Packets whose numbers are remembered to know a repetition.
const MEMORY: u16 = 64;
/// A leap in the numbers beyond this is a new count, not a loss: nobody waits for what lies between.
const LEAP: u16 = 3000;
/// By UDP a packet of a new source may be a stray; so many in a row are the new stream.
const STRAYS: u32 = 3;
/// Who we are in reports: any number will do.
const OUR_SSRC: u32 = 0x4d61_736b;

/// What was seen of a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::camera) struct Seen {
    /// Packets handed on.
    pub(in crate::camera) packets: u64,
    /// Repetitions.
    pub(in crate::camera) repeated: u64,
    /// Packets of another payload type or source, or none at all.
    pub(in crate::camera) foreign: u64,
    /// Times that the source or its count began anew.
    pub(in crate::camera) restarts: u64,
}

/// One stream.
#[derive(Debug)]
pub(super) struct Packets {
    payload: u8,
    clock_rate: u32,
    /// Packets come in their order: what is missing was never sent.
    ordered: bool,
    source: Option<Source>,
    strays: u32,
    seen: Seen,
    jitter: f64,
    last_transit: Option<f64>,
    /// Of the last sender report: the middle of its NTP time, and when it came, in seconds.
    sender_report: Option<(u32, f64)>,
}

#[derive(Clone, Copy, Debug)]
struct Source {
    ssrc: u32,
    /// Highest number so far, with the turns of its 16 bits.
    highest: u32,
    first: u32,
    received: u32,
    /// Bit n: the packet n before `highest` came.
    recent: u64,
    /// Added to its numbers so that they go on from those before.
    shift: u16,
    reported: (u32, u32),
}

impl Packets {
    /// `payload`: the type that was agreed on. `ordered`: they travel in one connection.
    pub(super) fn new(payload: u8, clock_rate: u32, ordered: bool) -> Self {
        Self {
            payload,
            clock_rate,
            ordered,
            source: None,
            strays: 0,
            seen: Seen::default(),
            jitter: 0.0,
            last_transit: None,
            sender_report: None,
        }
    }

    /// Takes a packet at `now` (seconds since any fixed moment); gives the number under which it goes on, having written
    /// it into the packet. `None`: it is left out.
    pub(super) fn take(&mut self, data: &mut [u8], now: f64) -> Option<u16> {
        let Ok(packet) = RtpPacket::parse(data) else {
            self.seen.foreign += 1;
            return None;
        };
        if packet.payload_type() != self.payload || packet.payload_len() == 0 {
            self.seen.foreign += 1;
            return None;
        }
        let (ssrc, number, timestamp) = (packet.ssrc(), packet.sequence_number(), packet.timestamp());
        let number = self.place(ssrc, number)?;
        self.measure(timestamp, now);
        self.seen.packets += 1;
        data[2..4].copy_from_slice(&number.to_be_bytes());
        // The jitter buffer minds a change of the source; the numbers go on, so it need not know.
        data[8..12].copy_from_slice(&OUR_SSRC.to_be_bytes());
        Some(number)
    }

    /// The number under which packet `number` of `ssrc` goes on.
    fn place(&mut self, ssrc: u32, number: u16) -> Option<u16> {
        let Some(source) = self.source.as_mut().filter(|source| source.ssrc == ssrc) else {
            return self.other(ssrc, number);
        };
        self.strays = 0;
        let step = number.wrapping_sub(source.highest as u16);
        if step == 0 || step > u16::MAX - MEMORY {
            // An older one, or the newest again.
            let age = u32::from(step.wrapping_neg());
            if age >= u32::from(MEMORY) || source.recent >> age & 1 == 1 {
                self.seen.repeated += 1;
                return None;
            }
            source.recent |= 1 << age;
        } else if step > LEAP {
            return self.begin(ssrc, number);
        } else {
            source.recent = if step >= MEMORY { 1 } else { source.recent << step | 1 };
            source.highest = source.highest.wrapping_add(u32::from(step));
        }
        source.received += 1;
        Some(number.wrapping_add(source.shift))
    }

    /// A packet of another source than the one so far.
    fn other(&mut self, ssrc: u32, number: u16) -> Option<u16> {
        if self.source.is_some() && !self.ordered {
            self.strays += 1;
            if self.strays < STRAYS {
                self.seen.foreign += 1;
                return None;
            }
        }
        self.begin(ssrc, number)
    }

    /// A new count. Its first packet follows on the last one of the old, with one number between: what came before is not
    /// continued, and the depacketiser has to know.
    fn begin(&mut self, ssrc: u32, number: u16) -> Option<u16> {
        let shift = match self.source {
            None => 0,
            Some(before) => {
                self.seen.restarts += 1;
                (before.highest as u16).wrapping_add(before.shift).wrapping_add(2).wrapping_sub(number)
            }
        };
        let highest = u32::from(number);
        self.source = Some(Source { ssrc, highest, first: highest, received: 1, recent: 1, shift, reported: (0, 0) });
        self.strays = 0;
        Some(number.wrapping_add(shift))
    }

    /// RFC 3550, A.8.
    fn measure(&mut self, timestamp: u32, now: f64) {
        let transit = now * f64::from(self.clock_rate) - f64::from(timestamp);
        if let Some(before) = self.last_transit.replace(transit) {
            let difference = (transit - before).abs();
            // A leap of the camera's clock is no jitter.
            if difference < f64::from(self.clock_rate) {
                self.jitter += (difference - self.jitter) / 16.0;
            }
        }
    }

    /// What was seen so far.
    pub(super) fn seen(&self) -> Seen {
        self.seen
    }

    /// Takes a packet of RTCP in: of a sender report its time is given back to the camera.
    pub(super) fn control(&mut self, data: &[u8], now: f64) {
        // Version 2, type 200, and the six words of the sender's information.
        if data.len() >= 28 && data[0] >> 6 == 2 && data[1] == 200 {
            let middle = u32::from_be_bytes([data[10], data[11], data[12], data[13]]);
            self.sender_report = Some((middle, now));
        }
    }

    /// A receiver report about the stream at `now`.
    pub(super) fn report(&mut self, now: f64) -> Option<Vec<u8>> {
        let mut report = ReceiverReport::builder(OUR_SSRC);
        if let Some(source) = &mut self.source {
            let expected = source.highest.wrapping_sub(source.first).wrapping_add(1);
            let lost = expected.saturating_sub(source.received);
            let (expected_before, lost_before) = std::mem::replace(&mut source.reported, (expected, lost));
            let (new, missed) = (expected.saturating_sub(expected_before), lost.saturating_sub(lost_before));
            let fraction = if new == 0 { 0 } else { (u64::from(missed) * 256 / u64::from(new)).min(255) as u8 };
            let (last, delay) = self.sender_report.map_or((0, 0.0), |(middle, came)| (middle, now - came));
            let block = ReportBlock::builder(source.ssrc)
                .fraction_lost(fraction)
                .cumulative_lost(lost.min(0x7f_ffff))
                .extended_sequence_number(source.highest)
                .interarrival_jitter(self.jitter as u32)
                .last_sender_report_timestamp(last)
                .delay_since_last_sender_report_timestamp((delay.max(0.0) * 65_536.0) as u32);
            report = report.add_report_block(block);
        }
        let name = SdesChunk::builder(OUR_SSRC).add_item(SdesItem::builder(SdesItem::CNAME, "maskwatch"));
        let names = rtcp_types::Sdes::builder().add_chunk(name);
        let compound = rtcp_types::Compound::builder().add_packet(report).add_packet(names);
        let mut out = vec![0; compound.calculate_size().ok()?];
        compound.write_into(&mut out).ok()?;
        Some(out)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn packet(ssrc: u32, number: u16, payload: u8) -> Vec<u8> {
        let mut data = vec![0x80, payload];
        data.extend(number.to_be_bytes());
        data.extend((u32::from(number) * 3600).to_be_bytes());
        data.extend(ssrc.to_be_bytes());
        data.extend(b"payload");
        data
    }

    fn take(packets: &mut Packets, ssrc: u32, number: u16) -> Option<u16> {
        packets.take(&mut packet(ssrc, number, 96), 0.0)
    }

    #[test]
    fn repetitions_and_foreign_packets_are_left_out() {
        let mut packets = Packets::new(96, 90_000, true);
        assert_eq!(take(&mut packets, 1, 65_535), Some(65_535));
        assert_eq!(take(&mut packets, 1, 65_535), None);
        assert_eq!(take(&mut packets, 1, 0), Some(0));
        assert_eq!(take(&mut packets, 1, 65_535), None);
        assert_eq!(packets.take(&mut packet(1, 1, 97), 0.0), None, "another payload type");
        assert_eq!(packets.take(&mut [0x80; 3], 0.0), None);
        let seen = packets.seen();
        assert_eq!((seen.packets, seen.repeated, seen.foreign, seen.restarts), (2, 2, 2, 0));
    }

    #[test]
    fn packets_that_were_overtaken_are_taken_once() {
        let mut packets = Packets::new(96, 90_000, false);
        let numbers = [10, 12, 11, 11, 14, 13, 12];
        let taken: Vec<_> = numbers.into_iter().filter_map(|number| take(&mut packets, 1, number)).collect();
        assert_eq!(taken, [10, 12, 11, 14, 13]);
    }

    #[test]
    fn a_new_source_goes_on_where_the_old_one_ended() {
        let mut packets = Packets::new(96, 90_000, true);
        take(&mut packets, 1, 100);
        assert_eq!(take(&mut packets, 2, 60_000), Some(102), "one number is left out: what follows is new");
        assert_eq!(take(&mut packets, 2, 60_001), Some(103));
        assert_eq!(take(&mut packets, 2, 5), Some(105), "a leap back is a new count");
        assert_eq!(packets.seen().restarts, 2);
    }

    #[test]
    fn by_udp_a_stray_is_no_new_source() {
        let mut packets = Packets::new(96, 90_000, false);
        take(&mut packets, 1, 100);
        assert_eq!(take(&mut packets, 2, 7), None);
        assert_eq!(take(&mut packets, 1, 101), Some(101));
        assert_eq!((take(&mut packets, 2, 7), take(&mut packets, 2, 8)), (None, None));
        assert_eq!(take(&mut packets, 2, 9), Some(103));
    }

    #[test]
    fn reports_tell_losses_and_give_the_sender_its_time_back() {
        let mut packets = Packets::new(96, 90_000, true);
        for number in [10, 11, 14, 15] {
            take(&mut packets, 7, number);
        }
        let mut sent = vec![0x80, 200, 0, 6];
        sent.extend([0; 24]);
        sent[10..14].copy_from_slice(&0x0102_0304u32.to_be_bytes());
        packets.control(&sent, 1.0);
        let report = packets.report(1.5).unwrap();
        assert_eq!((report[1], report[12], &report[13..16]), (201, 85, &[0, 0, 2][..]), "2 of 6 are missing");
        assert_eq!(&report[16..20], &15u32.to_be_bytes());
        assert_eq!(&report[24..28], &0x0102_0304u32.to_be_bytes());
        assert_eq!(&report[28..32], &32_768u32.to_be_bytes());
        assert_eq!(packets.report(2.0).unwrap()[12], 0, "nothing new");
    }

    proptest! {
        /// In a connection every packet of a stream without repetitions goes on, in rising numbers.
        #[test]
        fn nothing_is_left_out_of_an_ordered_stream(steps in prop::collection::vec(prop_oneof![9 => Just(1u16), 1 => 2u16..50], 1..300), first in any::<u16>()) {
            let mut packets = Packets::new(96, 90_000, true);
            let mut number = first;
            let mut before = None;
            for step in steps {
                let given = take(&mut packets, 1, number);
                prop_assert_eq!(given, Some(number));
                if let Some(before) = before.replace(number) {
                    let gap: u16 = number.wrapping_sub(before);
                    prop_assert!(gap > 0 && gap < 50);
                }
                number = number.wrapping_add(step);
            }
        }

        /// No number goes out twice while it is remembered, whatever comes in.
        #[test]
        fn no_number_goes_out_twice(numbers in prop::collection::vec((1u32..3, 0u16..40), 0..300), ordered in any::<bool>()) {
            let mut packets = Packets::new(96, 90_000, ordered);
            let mut last: Option<u32> = None;
            let mut out = std::collections::HashSet::new();
            for (ssrc, number) in numbers {
                if last.is_some_and(|last| last != ssrc) {
                    out.clear();
                }
                last = Some(ssrc);
                if let Some(number) = take(&mut packets, ssrc, number) {
                    prop_assert!(out.insert(number), "{number} twice");
                }
            }
        }
    }
}
