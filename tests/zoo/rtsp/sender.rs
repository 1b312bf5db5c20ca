//! The thread that sends one session's pictures.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::carrier::{Carrier, Wire, framed};
use super::options::{Options, Question, Sets};
use super::packets::{Packer, Packet};
use super::session::Session;
use crate::zoo::coded::Coded;
use crate::zoo::journal::Journal;
use crate::zoo::net::wait_until_moment;

/// How often a waiting sender looks whether its session lives.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Pictures from one sender report to the next.
const REPORT_EACH: u64 = 20;

/// What it needs.
pub struct Sender {
    pub options: Arc<Options>,
    pub journal: Arc<Journal>,
    pub session: Arc<Session>,
    pub wire: Arc<Wire>,
    pub carrier: Carrier,
}

impl Sender {
    /// Sends until the session is over or its connection is gone.
    pub fn run(self) {
        if let Err(error) = self.send_all() {
            self.journal.note(format!("the client is gone: {error}"));
            return;
        }
        self.journal.hold();
        if self.options.flow.closes {
            self.wire.close();
            return;
        }
        while self.lives() {
            wait_until_moment(Instant::now() + LOOK_EVERY);
        }
    }

    fn send_all(&self) -> io::Result<()> {
        let flow = &self.options.flow;
        let mut reel = Reel::new(Coded::of(self.options.recipe), flow.joins_at);
        let mut packer = Packer::new(&self.options.packets, self.options.recipe.codec);
        let picture = Duration::from_secs_f64(1.0 / f64::from(self.options.recipe.fps));
        let start = Instant::now();
        let mut stalled_until = start;
        for number in 0..flow.pictures {
            let behind = picture * (number.saturating_sub(flow.head_start)) as u32;
            let due = start + if flow.when_shown { behind.max(reel.shown()) } else { behind };
            if let Some((each, lasts)) = flow.stalls
                && number > 0
                && number % each == 0
            {
                stalled_until = due + lasts;
            }
            if !self.wait(due.max(stalled_until)) {
                return Err(io::Error::other("the session is over"));
            }
            if let Some((after, recipe)) = flow.then
                && number == after
            {
                reel.change(Coded::of(recipe));
            }
            self.send_picture(&mut reel, &mut packer, number)?;
            self.ask(number)?;
        }
        Ok(())
    }

    fn send_picture(&self, reel: &mut Reel, packer: &mut Packer, number: u64) -> io::Result<()> {
        let flow = &self.options.flow;
        let step = reel.coded.step();
        let (coded, index, shown) = reel.next();
        let unit = &coded.units[index];
        let in_band = self.options.sdp.sets != Sets::InDescription || flow.then.is_some();
        let sets = coded.sets.iter().filter(|_| unit.keyframe && in_band);
        let nals: Vec<&[u8]> = sets.chain(&unit.nals).map(Vec::as_slice).collect();
        let time = packer.time(shown, number, step);
        let mut packets = packer.pack(&nals, number, time);
        if flow.shuffle {
            packets.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        let kept = |packet: &Packet| flow.lose_each.is_none_or(|each| u32::from(packet.sequence) % each != 0);
        let whole = packets.iter().all(|packet| kept(packet) || !packet.needed);
        let whole = reel.follow(whole, unit.keyframe, unit.reference);
        let copies = self.options.packets.copies as usize;
        let packets: Vec<Vec<u8>> =
            packets.into_iter().filter(kept).flat_map(|packet| std::iter::repeat_n(packet.bytes, copies)).collect();
        let report = number.is_multiple_of(REPORT_EACH).then(|| packer.report(time, number)).flatten();
        let mut behind = Vec::new();
        if flow.noise_each.is_some_and(|each| number.is_multiple_of(each)) {
            behind.extend(b"\x00\xff\x13garbage");
        }
        if flow.foreign_channel {
            behind.extend(framed(42, b"nobody asked for this"));
        }
        self.carrier.send(&packets, report.as_deref(), &behind)?;
        self.journal.picture(whole);
        Ok(())
    }

    /// The camera's own questions.
    fn ask(&self, number: u64) -> io::Result<()> {
        let Some((question, each)) = self.options.answers.asks else { return Ok(()) };
        if number % each != each - 1 {
            return Ok(());
        }
        if self.session.open_question.swap(true, Ordering::AcqRel) {
            self.journal.note("hung up: its question was not answered");
            self.wire.close();
            return Err(io::Error::other("no answer"));
        }
        let number = &self.session.number;
        let text = match question {
            Question::Options => {
                format!("OPTIONS rtsp://camera/stream RTSP/1.0\r\nCSeq: 7\r\nSession: {number}\r\n\r\n")
            }
            Question::Announce => {
                let body = "v=0\r\no=- 1 2 IN IP4 0.0.0.0\r\ns=Fake camera\r\nt=0 0\r\n";
                let length = body.len();
                format!(
                    "ANNOUNCE rtsp://camera/stream RTSP/1.0\r\nCSeq: 7\r\nSession: {number}\r\n\
                     Content-Type: application/sdp\r\nContent-Length: {length}\r\n\r\n{body}"
                )
            }
        };
        self.wire.write(text.as_bytes())
    }

    /// Waits; false where the session ended meanwhile.
    fn wait(&self, until: Instant) -> bool {
        while Instant::now() < until {
            wait_until_moment(until.min(Instant::now() + LOOK_EVERY));
            if !self.lives() {
                return false;
            }
        }
        self.lives()
    }

    fn lives(&self) -> bool {
        if self.session.timed_out() {
            self.journal.note("the session timed out");
            self.session.end();
            self.wire.close();
        }
        !self.session.is_over()
    }
}

/// An endless stream.
struct Reel {
    coded: Arc<Coded>,
    index: usize,
    /// Ticks of the rounds before this one.
    base: u64,
    /// What is sent now is built upon something that was not.
    broken: bool,
}

impl Reel {
    fn new(coded: Arc<Coded>, index: usize) -> Self {
        Self { coded, index, base: 0, broken: true }
    }

    /// The stream, its next picture, and when that is shown, in ticks.
    fn next(&mut self) -> (Arc<Coded>, usize, u64) {
        if self.index == self.coded.units.len() {
            self.index = 0;
            self.base += self.coded.length();
        }
        let index = self.index;
        self.index += 1;
        (Arc::clone(&self.coded), index, self.base + self.coded.units[index].shown_at)
    }

    /// When the next picture is shown, from the start of the first round.
    fn shown(&self) -> Duration {
        let round = self.index / self.coded.units.len();
        let unit = &self.coded.units[self.index % self.coded.units.len()];
        let ticks = self.base + self.coded.length() * round as u64 + unit.shown_at;
        Duration::from_secs_f64(ticks as f64 / 90_000.0)
    }

    /// Whether a picture can be decoded, given whether all of it was sent.
    fn follow(&mut self, sent: bool, keyframe: bool, reference: bool) -> bool {
        let whole = sent && (keyframe || !self.broken);
        if keyframe || reference {
            self.broken = !whole;
        }
        whole
    }

    /// Goes on with another stream from its start.
    fn change(&mut self, coded: Arc<Coded>) {
        self.base += self.coded.step() * self.index as u64;
        self.index = 0;
        self.coded = coded;
    }
}
