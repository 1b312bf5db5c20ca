//! Times for pictures that come without: raw H.264 and Motion JPEG have none.

use gst::prelude::*;
use tracing_mutex::parking_lot::Mutex;

/// Between two pictures, where a file tells no rate: as FFmpeg takes it.
const USUAL: gst::ClockTime = gst::ClockTime::from_mseconds(40);

/// Gives a picture without a time the one after the last picture's.
#[derive(Debug, Default)]
struct Stamps {
    next: gst::ClockTime,
}

impl Stamps {
    /// The time of a picture that tells `pts`, or none, and is shown for `step`.
    fn of(&mut self, pts: Option<gst::ClockTime>, step: gst::ClockTime) -> gst::ClockTime {
        let pts = pts.unwrap_or(self.next);
        self.next = pts + step;
        pts
    }
}

/// How long one picture is shown at this rate.
fn step(rate: Option<gst::Fraction>) -> gst::ClockTime {
    let told = rate.and_then(|rate| {
        let (pictures, seconds) = (u64::try_from(rate.numer()).ok()?, u64::try_from(rate.denom()).ok()?);
        (1_000_000_000u64.checked_mul(seconds)?).checked_div(pictures)
    });
    told.filter(|step| *step > 0).map_or(USUAL, gst::ClockTime::from_nseconds)
}

/// All pictures that pass `pad` have a time behind it.
pub(super) fn stamp_missing(pad: &gst::Pad) {
    let stamps = Mutex::new(Stamps::default());
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let rate = || pad.current_caps()?.structure(0)?.get::<gst::Fraction>("framerate").ok();
        let length = buffer.duration().unwrap_or_else(|| step(rate()));
        let told = buffer.pts();
        let pts = stamps.lock().of(told, length);
        if told.is_none() {
            let buffer = buffer.make_mut();
            buffer.set_pts(pts);
            buffer.set_duration(length);
        }
        gst::PadProbeReturn::Ok
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_go_on_where_none_are_told_and_stay_where_they_are() {
        let ms = gst::ClockTime::from_mseconds;
        let mut stamps = Stamps::default();
        assert_eq!(stamps.of(None, ms(40)), ms(0));
        assert_eq!(stamps.of(None, ms(40)), ms(40));
        assert_eq!(stamps.of(Some(ms(500)), ms(40)), ms(500));
        assert_eq!(stamps.of(None, ms(20)), ms(540));
        assert_eq!(stamps.of(None, ms(20)), ms(560));
    }

    #[test]
    fn a_rate_that_is_not_told_is_25() {
        let rate = gst::Fraction::new;
        assert_eq!(step(Some(rate(10, 1))).mseconds(), 100);
        for none in [None, Some(rate(0, 1)), Some(rate(-1, 1))] {
            assert_eq!(step(none), USUAL);
        }
    }
}
