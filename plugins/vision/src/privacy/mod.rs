//! What of a picture must be hidden so that no face in it can be recognised, and when it may be shown.
//!
//! Analyses come some times per second and late; pictures come all the time. A picture is shown only when the analysis
//! before it and the one after it are both known and near enough to each other: then every face in it lies where one
//! of the two saw it, or between ([`Looks`]). Until then it waits, in a bounded queue ([`Gate`]); what waits too long
//! is hidden as a whole. Nothing is ever sharp because something is missing. Pictures of a file need no clock: [`Film`].

mod film;
mod gate;
mod looks;
mod suspects;

use std::time::Duration;

pub use film::Film;
pub use gate::Gate;
pub use looks::Looks;
pub(crate) use suspects::take_in;
pub use suspects::{MOST_SUSPECTS, Suspects};

use crate::geometry::Rect;

/// What of one picture is hidden.
#[derive(Clone, Debug, PartialEq)]
pub enum Cover {
    /// All of it, because its faces are not known.
    Whole(Unknown),
    /// These boxes, clipped to the picture; they may overlap. None: nobody is there.
    Parts(Vec<Rect>),
}

impl Cover {
    /// For a picture alone, by what its analysis found.
    pub fn of_still(suspects: &Suspects) -> Self {
        let mut looks = Looks::new(PrivacyConfig::default());
        looks.add(Duration::ZERO, suspects);
        looks.cover(Duration::ZERO).unwrap_or(Self::Whole(Unknown::First))
    }

    /// Whether any of `rect` (in the picture) stays visible, looked at in a raster of 32 x 32 points.
    pub fn shows(&self, rect: &Rect) -> bool {
        const POINTS: u8 = 32;
        let Self::Parts(parts) = self else { return false };
        let rect = rect.clip();
        let at = |n: u8| f32::from(n) / f32::from(POINTS - 1);
        let hidden = |x: f32, y: f32| {
            // Rounding may put the far edge of a box a hair outside of itself.
            let reach = 1e-5;
            parts.iter().any(|part| {
                (part.x - reach..=part.right() + reach).contains(&x)
                    && (part.y - reach..=part.bottom() + reach).contains(&y)
            })
        };
        let shown = |row, column| !hidden(rect.x + at(column) * rect.w, rect.y + at(row) * rect.h);
        rect.area() > 0.0 && (0..POINTS).any(|row| (0..POINTS).any(|column| shown(row, column)))
    }
}

/// Why the faces of a picture are not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Unknown {
    /// No analysis came before it: the camera has just been connected to, or changed its picture.
    First,
    /// No analysis after it was through in time: the engine is busy, or its results fail.
    Late,
    /// The analyses before and after it are too far apart.
    Gap,
    /// There may be more of them than are told apart ([`MOST_SUSPECTS`]), in this picture or just before it.
    Crowd,
    /// The analysis gave numbers that are none.
    Unreadable,
}

impl Unknown {
    /// All reasons.
    pub const ALL: [Self; 5] = [Self::First, Self::Late, Self::Gap, Self::Crowd, Self::Unreadable];

    /// For people.
    pub fn words(self) -> &'static str {
        match self {
            Self::First => "nothing is known of its faces",
            Self::Late => "its analysis is not there in time",
            Self::Gap => "the analyses around it are too far apart",
            Self::Crowd => "there may be more faces than can be told apart",
            Self::Unreadable => "the detector gave numbers that are none",
        }
    }

    /// The label's value in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::First => "first",
            Self::Late => "late",
            Self::Gap => "gap",
            Self::Crowd => "crowd",
            Self::Unreadable => "unreadable",
        }
    }
}

/// How much is hidden and how long is waited. Lengths are in sizes of the box that they belong to: in its width along
/// the picture, in its height down it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PrivacyConfig {
    /// A box is grown on every side by so much: a detector's boxes end at the chin and the brow.
    pub margin: f32,
    /// A face that only one of the two analyses saw may have moved so fast, in sizes per second.
    pub speed: f32,
    /// A face that both saw may stray so far from the straight way between, in sizes per second.
    pub stray: f32,
    /// A box that is not found again stays hidden for so long.
    pub hold: Duration,
    /// A box is hidden for so long before it is found first, as far as that is known when the picture goes.
    pub lead: Duration,
    /// Analyses further apart than this say nothing about the pictures between.
    pub max_gap: Duration,
    /// A picture waits so long at most for the analysis after it.
    pub max_wait: Duration,
    /// So many pictures wait at most; the oldest then goes, hidden as a whole.
    pub max_frames: usize,
}

/// [`PrivacyConfig::margin`] of every preset: what a detector's boxes mean by "within".
pub const MARGIN: f32 = 0.35;

/// Least rate of analysis, per second, at which pictures are shown at all: slower ones are further apart than
/// [`PrivacyConfig::max_gap`] may be.
pub const LEAST_RATE: f64 = 1.0;

impl PrivacyConfig {
    /// For `analyze_fps` analyses per second; 0: every frame.
    pub fn for_rate(analyze_fps: f64) -> Self {
        let interval = Duration::try_from_secs_f64(1.0 / analyze_fps).unwrap_or_default().min(Duration::from_secs(1));
        // One analysis may fail or be dropped; at the usual five per second a walking person moves by one face then.
        let max_gap = interval.mul_f64(2.5).clamp(Duration::from_millis(400), Duration::from_secs(2));
        Self {
            margin: MARGIN,
            speed: 4.0,
            stray: 1.0,
            hold: Duration::from_secs(1),
            lead: Duration::ZERO,
            max_gap,
            max_wait: max_gap + Duration::from_millis(400),
            max_frames: 64,
        }
    }

    /// For the pictures of a file, which may wait: as with a camera that is analysed five times per second.
    pub fn for_file() -> Self {
        Self { lead: Duration::from_millis(200), ..Self::for_rate(5.0) }
    }
}

impl Default for PrivacyConfig {
    fn default() -> Self {
        Self::for_rate(5.0)
    }
}
