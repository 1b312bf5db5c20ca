//! Which frames are analysed.

use std::time::Duration;

/// Picks frames by running time. Time is cut into intervals of `1 / fps`; the first frame in each is due.
///
/// The cuts are shifted by a phase that follows from the camera's name, so that cameras of equal rate do not all ask
/// for the engine at the same instant.
#[derive(Clone, Debug)]
pub(crate) struct Sampler {
    /// `None`: every frame.
    interval: Option<Duration>,
    phase: Duration,
    last: Option<u128>,
}

impl Sampler {
    /// `fps` of 0 (or nonsense) takes every frame.
    pub(crate) fn new(fps: f64, camera: &str) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / fps).ok().filter(|interval| !interval.is_zero());
        let phase = interval.map(|interval| interval.mul_f64(unit_hash(camera))).unwrap_or_default();
        Self { interval, phase, last: None }
    }

    /// Time between two analyses; zero for every frame.
    pub(crate) fn interval(&self) -> Duration {
        self.interval.unwrap_or_default()
    }

    /// Whether the frame at `time` is due; marks it as taken. Frames without a time are. So is the first frame, and the
    /// first after time went backwards.
    pub(crate) fn due(&mut self, time: Option<Duration>) -> bool {
        let (Some(interval), Some(time)) = (self.interval, time) else { return true };
        let cut = (time + self.phase).as_nanos() / interval.as_nanos();
        self.last.replace(cut) != Some(cut)
    }

    /// The next frame is due.
    pub(crate) fn reset(&mut self) {
        self.last = None;
    }
}

/// A number in `0..1` that spreads well over names: FNV-1a, then the top bits after a multiplication.
fn unit_hash(name: &str) -> f64 {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    let top = hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    top as f64 / 4_294_967_296.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(sampler: &mut Sampler, frame_ms: u64, frames: u64) -> Vec<u64> {
        (0..frames).filter(|i| sampler.due(Some(Duration::from_millis(i * frame_ms)))).collect()
    }

    #[test]
    fn takes_the_rate_asked_for() {
        for camera in ["a", "b", "north-gate"] {
            let taken = taken(&mut Sampler::new(5.0, camera), 40, 250);
            assert!((50..=51).contains(&taken.len()), "{camera}: {}", taken.len());
            assert_eq!(taken[0], 0);
        }
    }

    #[test]
    fn zero_takes_every_frame() {
        assert_eq!(taken(&mut Sampler::new(0.0, "a"), 40, 25).len(), 25);
        assert!(Sampler::new(5.0, "a").due(None));
        assert_eq!(Sampler::new(0.0, "a").interval(), Duration::ZERO);
        assert_eq!(Sampler::new(f64::NAN, "a").interval(), Duration::ZERO);
    }

    #[test]
    fn a_rate_above_the_cameras_takes_all() {
        assert_eq!(taken(&mut Sampler::new(30.0, "a"), 100, 10).len(), 10);
    }

    #[test]
    fn time_going_backwards_and_reset_make_a_frame_due() {
        let mut sampler = Sampler::new(1.0, "a");
        assert!(sampler.due(Some(Duration::from_secs(10))));
        assert!(!sampler.due(Some(Duration::from_secs(10))));
        assert!(sampler.due(Some(Duration::ZERO)));
        sampler.reset();
        assert!(sampler.due(Some(Duration::ZERO)));
    }

    #[test]
    fn cameras_do_not_all_ask_at_once() {
        let names: Vec<String> = (0..16).map(|i| format!("cam{i}")).collect();
        let mut per_frame = [0; 5];
        for name in &names {
            // The second analysis shows the phase: the first is always frame 0.
            let second = taken(&mut Sampler::new(5.0, name), 40, 10)[1];
            per_frame[second as usize % 5] += 1;
        }
        assert!(per_frame.iter().all(|count| *count < 10), "{per_frame:?}");
    }
}
