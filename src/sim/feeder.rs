//! Sends one clip to one client, picture by picture, for ever.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError};
use gst::ClockTime;
use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

use super::clip::{Clip, Codec, Unit};

/// What a camera does at the moment. Feeders look at it before every picture.
#[derive(Debug)]
pub(super) struct Scene {
    clip: Mutex<Arc<Clip>>,
    /// Nothing is sent, connections stay.
    pub(super) frozen: AtomicBool,
    /// What is sent is nonsense.
    pub(super) garbage: AtomicBool,
    /// Of so many packets one is lost on the way; 0: none.
    pub(super) loss: AtomicU32,
    /// When the camera was switched on: all clients see the same moment.
    origin: Instant,
}

impl Scene {
    pub(super) fn new(clip: Arc<Clip>) -> Self {
        let (frozen, garbage) = (AtomicBool::new(false), AtomicBool::new(false));
        Self { clip: Mutex::new(clip), frozen, garbage, loss: AtomicU32::new(0), origin: Instant::now() }
    }

    pub(super) fn clip(&self) -> Arc<Clip> {
        Arc::clone(&self.clip.lock())
    }

    pub(super) fn set_clip(&self, clip: Arc<Clip>) {
        *self.clip.lock() = clip;
    }

    /// Where in the clip the camera is now.
    fn position(&self, clip: &Clip) -> Duration {
        let round = clip.length.as_nanos().max(1);
        Duration::from_nanos(u64::try_from(self.origin.elapsed().as_nanos() % round).unwrap_or(0))
    }
}

/// The client plays from now on. A closed channel means that it is gone.
pub(super) struct Play;

/// Runs until the client goes. One picture is sent at once: the session's description is made from it.
pub(super) fn feed(scene: &Scene, source: &gst_app::AppSrc, control: &Receiver<Play>) {
    let mut clip = scene.clip();
    source.set_caps(Some(&clip.caps));
    let mut index = clip.keyframe_before(scene.position(&clip));
    if source.push_buffer(stamped(&clip.units[index], ClockTime::ZERO, ClockTime::ZERO)).is_err() {
        return;
    }
    if control.recv().is_err() {
        return;
    }
    // `base` in the pipeline's time and `start` in ours are the moment at which `first` is due.
    let base = source.current_running_time().unwrap_or(ClockTime::ZERO);
    let mut start = Instant::now();
    let mut offset = Duration::ZERO;
    let mut first = clip.units[index].decode_at;
    let mut rounds: u32 = 0;
    let mut whole = true;
    let mut noise = Noise(0x9e37_79b9_7f4a_7c15);
    loop {
        index += 1;
        if index == clip.units.len() {
            index = 0;
            rounds += 1;
        }
        let latest = scene.clip();
        if !Arc::ptr_eq(&latest, &clip) {
            clip = latest;
            source.set_caps(Some(&clip.caps));
            offset += start.elapsed();
            start = Instant::now();
            (index, rounds, first) = (0, 0, clip.units[0].decode_at);
        }
        let unit = &clip.units[index];
        let due = (clip.length * rounds + unit.decode_at).saturating_sub(first);
        match control.recv_deadline(start + due) {
            Ok(Play) => {}
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => return,
        }
        if scene.frozen.load(Ordering::Relaxed) {
            whole = false;
            continue;
        }
        // After a gap a decoder can use nothing before a keyframe.
        whole |= unit.keyframe;
        if !whole {
            continue;
        }
        let decode = base + clock(offset + due);
        let show = decode + clock(unit.show_at.saturating_sub(unit.decode_at));
        let mut buffer = stamped(unit, decode, show);
        if scene.garbage.load(Ordering::Relaxed) {
            buffer = noise.spoil(&buffer, clip.codec);
        }
        if source.push_buffer(buffer).is_err() {
            return;
        }
    }
}

fn clock(time: Duration) -> ClockTime {
    ClockTime::from_nseconds(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX / 2))
}

/// A copy of the picture's envelope, not of its bytes.
fn stamped(unit: &Unit, decode: ClockTime, show: ClockTime) -> gst::Buffer {
    let mut buffer = unit.data.copy();
    if let Some(buffer) = buffer.get_mut() {
        buffer.set_dts(decode);
        buffer.set_pts(show);
    }
    buffer
}

/// Pseudo-random bytes (xorshift64).
struct Noise(u64);

impl Noise {
    fn next(&mut self) -> u8 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u8
    }

    /// The same picture with its content overwritten; the first bytes stay, so that it still travels.
    fn spoil(&mut self, buffer: &gst::Buffer, codec: Codec) -> gst::Buffer {
        let Ok(map) = buffer.map_readable() else { return buffer.clone() };
        let mut bytes = map.as_slice().to_vec();
        drop(map);
        let keep = match codec {
            Codec::H264 | Codec::H265 => 6,
            // A JPEG's tables fill its first part and must parse.
            Codec::Jpeg => bytes.len() / 2,
        };
        for byte in bytes.iter_mut().skip(keep) {
            *byte = self.next();
        }
        let mut spoilt = gst::Buffer::from_mut_slice(bytes);
        if let Some(spoilt) = spoilt.get_mut() {
            spoilt.set_dts(buffer.dts());
            spoilt.set_pts(buffer.pts());
            spoilt.set_flags(buffer.flags());
        }
        spoilt
    }
}
