//! Whether a camera sees faces well enough to judge them, and what to do where it does not, in one plain sentence.
//!
//! What is measured over the last minutes: the height of faces, the share of people who stayed unknown, sharpness and
//! light. The limits are those at which the classifier begins to fail, measured on faces of the validation set (see
//! [`Limits`]).

use std::collections::VecDeque;
use std::time::Duration;

use crate::face::MaskState;
use crate::quality::FaceQuality;

/// Length of a slot; slots older than [`Placement`]'s span go.
const SLOT: Duration = Duration::from_secs(60);
/// Slots that count.
const SLOTS: usize = 10;
/// Values of one kind that a slot keeps at most: more say nothing new.
const MOST: usize = 256;

/// When a camera is told to be wanting.
///
/// The defaults were measured with the default classifier on 150 faces of the validation set, each made smaller, blurred
/// and darker: with a face's mean luma under 0.06, 27 % became unknown (under 0.03: 80 %), against 3 %; with a sharpness
/// under 0.04, 7 % were judged wrongly, against 4 %. Down to 12 px no more became unknown; but a face under 16 px counts
/// for less than a seventh in the vote ([`crate::vote::VoteConfig`]), and detectors begin to miss it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// Fewest faces, over all analyses, before anything is said of faces.
    pub faces: usize,
    /// Fewest people before their unknown share is looked at.
    pub people: u64,
    /// Median height in pixels under which faces are too small.
    pub height_px: f32,
    /// Median sharpness under which they are blurred.
    pub sharpness: f32,
    /// Mean luma under which a picture or its faces are too dark.
    pub dark: f32,
    /// Mean luma over which a picture is too bright.
    pub bright: f32,
    /// Share of unknown people that needs a word although nothing else is found.
    pub unknown: f64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { faces: 30, people: 10, height_px: 16.0, sharpness: 0.04, dark: 0.06, bright: 0.9, unknown: 0.25 }
    }
}

/// What was seen in the last ten minutes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Figures {
    /// Faces looked at, at most 256 per minute.
    pub faces: usize,
    /// Their median height in pixels of the camera's picture.
    pub face_height_px: Option<f32>,
    /// Their median sharpness ([`FaceQuality::sharpness`]).
    pub sharpness: Option<f32>,
    /// Their median luma.
    pub face_luma: Option<f32>,
    /// Median of the pictures' mean luma.
    pub luma: Option<f32>,
    /// People decided.
    pub people: u64,
    /// Share of them that stayed unknown.
    pub unknown_share: Option<f64>,
}

#[derive(Clone, Debug, Default)]
struct Slot {
    began: Duration,
    heights: Vec<f32>,
    sharpness: Vec<f32>,
    face_luma: Vec<f32>,
    luma: Vec<f32>,
    people: u64,
    unknown: u64,
}

/// What one camera has seen lately. Times are by any clock that only rises.
#[derive(Clone, Debug, Default)]
pub struct Placement {
    slots: VecDeque<Slot>,
}

impl Placement {
    /// A picture was analysed: its mean luma (`0..=1`), where that is known, and the faces in it.
    pub fn picture(&mut self, now: Duration, luma: Option<f32>, faces: &[FaceQuality]) {
        let slot = self.slot(now);
        if let Some(luma) = luma {
            keep(&mut slot.luma, luma);
        }
        for face in faces {
            keep(&mut slot.heights, face.height_px);
            keep(&mut slot.face_luma, face.luma);
            if let Some(sharpness) = face.sharpness {
                keep(&mut slot.sharpness, sharpness);
            }
        }
    }

    /// A person was decided.
    pub fn person(&mut self, now: Duration, state: MaskState) {
        let slot = self.slot(now);
        slot.people += 1;
        slot.unknown += u64::from(state == MaskState::Unknown);
    }

    /// The figures of the last ten minutes.
    pub fn figures(&self, now: Duration) -> Figures {
        let span = SLOT * SLOTS as u32;
        let slots = || self.slots.iter().filter(|slot| now.saturating_sub(slot.began) < span);
        let all =
            |values: fn(&Slot) -> &Vec<f32>| median(slots().flat_map(|slot| values(slot).iter().copied()).collect());
        let (people, unknown) = slots().fold((0, 0), |(p, u), slot| (p + slot.people, u + slot.unknown));
        Figures {
            faces: slots().map(|slot| slot.heights.len()).sum(),
            face_height_px: all(|slot| &slot.heights),
            sharpness: all(|slot| &slot.sharpness),
            face_luma: all(|slot| &slot.face_luma),
            luma: all(|slot| &slot.luma),
            people,
            unknown_share: (people > 0).then(|| unknown as f64 / people as f64),
        }
    }

    fn slot(&mut self, now: Duration) -> &mut Slot {
        let current = self.slots.back().is_some_and(|slot| now.saturating_sub(slot.began) < SLOT);
        if !current {
            self.slots.push_back(Slot { began: now, ..Slot::default() });
            if self.slots.len() > SLOTS {
                self.slots.pop_front();
            }
        }
        let last = self.slots.len() - 1;
        &mut self.slots[last]
    }
}

/// One plain sentence on what to do; `None`: all is well, or there is too little to say.
///
/// The first cause that fits is told: who follows it may find the next gone as well.
pub fn advice(figures: &Figures, limits: &Limits) -> Option<String> {
    let under = |value: Option<f32>, limit: f32| value.is_some_and(|value| value < limit);
    if under(figures.luma, limits.dark) {
        return Some("the picture is too dark to judge faces; add light or let the camera expose longer".into());
    }
    if figures.luma.is_some_and(|luma| luma > limits.bright) {
        return Some("the picture is too bright to judge faces; lower the camera's exposure".into());
    }
    let share = figures.unknown_share.filter(|_| figures.people >= limits.people);
    if figures.faces >= limits.faces {
        if let Some(height) = figures.face_height_px.filter(|height| *height < limits.height_px) {
            let height = height.round();
            return Some(format!("faces here are {height} px high; move the camera nearer or choose the main stream"));
        }
        if under(figures.face_luma, limits.dark) {
            let hint = "light them from the front, or turn on the camera's backlight compensation (WDR)";
            return Some(format!("faces here are dark against their background; {hint}"));
        }
        if under(figures.sharpness, limits.sharpness) {
            let hint = "shorten the exposure time, add light, or check the lens";
            return Some(format!("faces here are blurred by motion or focus; {hint}"));
        }
    }
    let share = share.filter(|share| *share > limits.unknown)?;
    let percent = (share * 100.0).round();
    Some(format!("{percent} % of the people here could not be judged; point the camera at where people face it"))
}

fn keep(values: &mut Vec<f32>, value: f32) {
    if value.is_finite() && values.len() < MOST {
        values.push(value);
    }
}

fn median(mut values: Vec<f32>) -> Option<f32> {
    let middle = values.len() / 2;
    (!values.is_empty()).then(|| *values.select_nth_unstable_by(middle, f32::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: Option<f32> = Some(0.45);
    const CLEAR: FaceQuality = FaceQuality { height_px: 60.0, luma: 0.5, sharpness: Some(0.4) };

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    /// What is said after 40 faces like this one.
    fn said(luma: Option<f32>, face: FaceQuality) -> String {
        let mut placement = Placement::default();
        (0..40).for_each(|n| placement.picture(seconds(n), luma, &[face]));
        advice(&placement.figures(seconds(40)), &Limits::default()).unwrap_or_default()
    }

    #[test]
    fn each_cause_has_its_sentence() {
        assert_eq!(said(GOOD, CLEAR), "");
        let small = "faces here are 14 px high; move the camera nearer or choose the main stream";
        assert_eq!(said(GOOD, FaceQuality { height_px: 14.2, ..CLEAR }), small);
        assert!(said(Some(0.03), CLEAR).contains("too dark"));
        assert!(said(Some(0.97), CLEAR).contains("too bright"));
        assert!(said(GOOD, FaceQuality { sharpness: Some(0.01), ..CLEAR }).contains("blurred"));
        assert!(said(GOOD, FaceQuality { luma: 0.04, ..CLEAR }).contains("dark against"));
        assert_eq!(
            said(GOOD, FaceQuality { height_px: 30.0, sharpness: None, ..CLEAR }),
            "",
            "too small to tell sharpness"
        );
    }

    #[test]
    fn unknown_people_need_a_word_when_they_are_many() {
        let said = |unknown: u64, known: u64| {
            let mut placement = Placement::default();
            (0..unknown).for_each(|_| placement.person(seconds(1), MaskState::Unknown));
            (0..known).for_each(|_| placement.person(seconds(1), MaskState::Mask));
            advice(&placement.figures(seconds(2)), &Limits::default())
        };
        assert_eq!(said(5, 2), None, "too few people");
        assert_eq!(said(2, 10), None);
        assert!(said(6, 6).unwrap().starts_with("50 % of the people"));
    }

    #[test]
    fn little_is_no_reason_and_old_things_are_forgotten() {
        let mut placement = Placement::default();
        assert_eq!(advice(&placement.figures(seconds(0)), &Limits::default()), None);
        placement.picture(seconds(0), GOOD, &[FaceQuality { height_px: 9.0, ..CLEAR }]);
        assert_eq!(advice(&placement.figures(seconds(1)), &Limits::default()), None, "one face");
        (0..40).for_each(|n| placement.picture(seconds(n), GOOD, &[FaceQuality { height_px: 9.0, ..CLEAR }]));
        assert!(advice(&placement.figures(seconds(60)), &Limits::default()).is_some());
        assert_eq!(placement.figures(seconds(700)), Figures::default());
        for minute in 1..40 {
            placement.picture(seconds(minute * 60), GOOD, &[FaceQuality { height_px: 50.0, ..CLEAR }]);
        }
        let figures = placement.figures(seconds(39 * 60));
        assert_eq!((figures.faces, figures.face_height_px), (SLOTS, Some(50.0)));
        assert_eq!(placement.slots.len(), SLOTS);
    }
}
