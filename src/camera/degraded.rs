//! Whether enough of what a camera sends comes out decoded, and if not, why.
//!
//! Pure: it is given the counts of one connection about once a second. A camera is degraded where over ten seconds less
//! than [`LOW`] of what arrived, or of the announced rate, came out decoded, and sound again at [`HIGH`].

use std::collections::VecDeque;
use std::time::Duration;

use super::failure::Origin;
use super::tally::Counts;
use crate::metrics::{DegradedReason, DisconnectReason, PictureLoss};

/// What is judged. A younger connection is not.
const WINDOW: Duration = Duration::from_secs(10);
/// Least time between two looks.
const EVERY: Duration = Duration::from_secs(1);
/// Less than this share of a window's pictures is too little.
const LOW: f64 = 0.8;
/// From this share on it is enough again.
const HIGH: f64 = 0.9;
/// So many pictures have to be missing: one more or less is where the window's borders happen to lie.
const FEW: f64 = 2.0;
/// Shares are compared with this tolerance, for the sake of rounding.
const TINY: f64 = 1e-9;
/// A reason gives way to another one that is so many times as strong, and no sooner than a window later.
const STRONGER: u64 = 2;

/// What comes of a look at a camera that is not simply well.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Finding {
    /// It is degraded. `news`: it was not before, or for another reason.
    Degraded { shortfall: Shortfall, news: bool },
    /// It is no longer.
    Restored,
}

/// What was missing in one window, mostly for one reason.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shortfall {
    pub(super) reason: DegradedReason,
    /// Pictures that are missing for this reason.
    missing: u64,
    span: Duration,
    received: u64,
    decoded: u64,
    /// Pictures a second.
    announced: Option<f64>,
    packets_lost: u64,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Duration,
    counts: Counts,
    announced: Option<f64>,
}

/// How much of one connection comes out decoded.
#[derive(Debug, Default)]
pub(super) struct Fitness {
    /// Of the last window, oldest first.
    looks: VecDeque<Look>,
    /// What it is degraded by, and since when.
    told: Option<(DegradedReason, Duration)>,
}

impl Fitness {
    /// To be called from the first decoded picture on, as often as one likes. `now`: since any fixed moment; `counts`: of
    /// one connection, each has its own [`Fitness`]; `announced`: pictures a second.
    pub(super) fn look(&mut self, now: Duration, counts: Counts, announced: Option<f64>) -> Option<Finding> {
        if let Some(last) = self.looks.back() {
            if counts.received < last.counts.received || counts.decoded < last.counts.decoded {
                // Not the same connection's.
                let before = std::mem::take(self);
                self.looks.push_back(Look { at: now, counts, announced });
                return before.told.map(|_| Finding::Restored);
            }
            if now < last.at + EVERY {
                return None;
            }
        }
        self.looks.push_back(Look { at: now, counts, announced });
        while self.looks.get(1).is_some_and(|look| look.at + WINDOW <= now) {
            self.looks.pop_front();
        }
        let window = Window::of(&self.looks)?;
        if window.is_empty() {
            return None;
        }
        if !window.lacks(if self.told.is_some() { HIGH } else { LOW }) {
            return self.told.take().map(|_| Finding::Restored);
        }
        let (reason, missing) = window.reason(self.told, now);
        let news = self.told.is_none_or(|(told, _)| told != reason);
        if news {
            self.told = Some((reason, now));
        }
        let Window { span, received, decoded, announced, packets_lost, .. } = window;
        let shortfall = Shortfall { reason, missing, span, received, decoded, announced, packets_lost };
        Some(Finding::Degraded { shortfall, news })
    }
}

/// The difference between the first and the last of some looks.
struct Window {
    span: Duration,
    received: u64,
    decoded: u64,
    gate: u64,
    late: u64,
    packets_lost: u64,
    announced: Option<f64>,
}

impl Window {
    /// `None`: not long enough to be judged.
    fn of(looks: &VecDeque<Look>) -> Option<Self> {
        let (first, last) = looks.front().zip(looks.back())?;
        let span = last.at.checked_sub(first.at).filter(|span| *span >= WINDOW)?;
        let since = |count: fn(&Counts) -> u64| count(&last.counts).saturating_sub(count(&first.counts));
        // A rate that changed in between is judged by once it has held for a window.
        let announced = looks.iter().map(|look| look.announced).reduce(|a, b| a.zip(b).map(|(a, b)| a.min(b)));
        Some(Self {
            span,
            received: since(|counts| counts.received),
            decoded: since(|counts| counts.decoded),
            gate: since(|counts| counts.lost[PictureLoss::Gate as usize]),
            late: since(|counts| counts.lost[PictureLoss::Late as usize]),
            packets_lost: since(|counts| counts.packets_lost),
            announced: announced.flatten(),
        })
    }

    /// Pictures that would have come at the announced rate; 0 where none is.
    fn expected(&self) -> f64 {
        self.announced.unwrap_or_default() * self.span.as_secs_f64()
    }

    /// Nothing came, and nothing was announced: that says nothing.
    fn is_empty(&self) -> bool {
        self.received == 0 && self.decoded == 0 && self.expected() < FEW
    }

    /// Whether less than `share` of what arrived, or of what was announced, came out decoded.
    fn lacks(&self, share: f64) -> bool {
        self.lacks_of(self.received as f64, share) || self.lacks_of(self.expected(), share)
    }

    fn lacks_of(&self, all: f64, share: f64) -> bool {
        let decoded = self.decoded as f64;
        all - decoded >= FEW - TINY && decoded < all * (share - TINY)
    }

    /// The pictures that are missing for each reason, in the order of [`DegradedReason::ALL`].
    fn parts(&self) -> [u64; DegradedReason::ALL.len()] {
        let swallowed = self.received.saturating_sub(self.decoded + self.gate + self.late);
        let away = (self.expected() - self.received as f64).max(0.0).round() as u64;
        // Each lost packet may be the whole of a picture, or what a decoder stumbles at.
        let lost_away = away.min(self.packets_lost);
        let lost_swallowed = swallowed.min(self.packets_lost - lost_away);
        // What becomes of the pictures that do come is the graver matter. Cameras announce too much without harm.
        let grave = self.lacks_of(self.received as f64, LOW);
        let withheld = if grave { 0 } else { away - lost_away };
        [self.gate + lost_away + lost_swallowed, self.late, swallowed - lost_swallowed, withheld]
    }

    /// For what most is missing, and how many for that. The reason `told` stays for a window, and longer unless another
    /// one is much stronger: two that are alike do not alternate.
    fn reason(&self, told: Option<(DegradedReason, Duration)>, now: Duration) -> (DegradedReason, u64) {
        let parts = self.parts();
        let part = |reason: DegradedReason| parts[reason as usize];
        let strongest = DegradedReason::ALL.into_iter().reduce(|a, b| if part(b) > part(a) { b } else { a });
        let strongest = strongest.unwrap_or(DegradedReason::Loss);
        let stays = |reason: DegradedReason, since: Duration| {
            part(reason) > 0 && (now < since + WINDOW || part(strongest) < STRONGER * part(reason))
        };
        let reason = told.filter(|&(reason, since)| stays(reason, since)).map_or(strongest, |(reason, _)| reason);
        (reason, part(reason))
    }
}

impl Shortfall {
    /// Decoded pictures, of those that arrived or were announced, whichever is more; 0 to 1.
    pub(super) fn ratio(&self) -> f64 {
        let expected = self.announced.unwrap_or_default() * self.span.as_secs_f64();
        (self.decoded as f64 / expected.max(self.received as f64).max(1.0)).min(1.0)
    }

    /// What is the matter, and what to do about it. `origin`: where the pictures come from, and by what way.
    pub(super) fn sentence(&self, origin: Origin) -> String {
        match self.reason {
            DegradedReason::Loss => format!("{}: {}", self.share(), self.lost(origin)),
            DegradedReason::Late => format!(
                "{} % of the pictures come too late for this machine's decoder (fewer cameras, a smaller stream)",
                self.percent()
            ),
            DegradedReason::Decoder => {
                // Were it the network's fault, packets would be missing.
                let origin = if origin == Origin::Udp { Origin::Tcp } else { origin };
                let hint = origin.hint(DisconnectReason::Decode);
                format!("the decoder makes nothing of {} % of the pictures ({hint})", self.percent())
            }
            DegradedReason::Rate => {
                let hint = match origin {
                    Origin::Device => "long exposure in the dark, or another device on the same bus?",
                    Origin::Tcp | Origin::Http => {
                        "long exposure at night, or a connection too slow for it? look at its settings"
                    }
                    Origin::Udp | Origin::File => "long exposure at night? look at its settings",
                };
                let announced = plain(self.announced.unwrap_or_default());
                format!("the camera announces {announced} pictures a second and sends {} ({hint})", self.per_second())
            }
        }
    }

    /// Pictures that arrive a second.
    fn per_second(&self) -> String {
        plain(self.received as f64 / self.span.as_secs_f64().max(1.0))
    }

    /// Those that are missing for the reason, of those that arrived; never so few that it sounds like none.
    fn percent(&self) -> u64 {
        (self.missing * 100).div_ceil(self.received.max(1)).min(100)
    }

    fn share(&self) -> String {
        let (decoded, received) = (self.decoded as f64, self.received as f64);
        let announced = self.announced.filter(|rate| received < rate * self.span.as_secs_f64() * HIGH);
        match announced {
            Some(rate) if decoded >= received * HIGH => {
                let rate = plain(rate);
                format!("of the {rate} pictures a second that the camera announces {} arrive", self.per_second())
            }
            _ => {
                let share = (self.decoded * 100 / self.received.max(1)).min(100);
                format!("{share} % of the pictures that arrive are decoded")
            }
        }
    }

    fn lost(&self, origin: Origin) -> String {
        let seconds = self.span.as_secs_f64().round();
        let packets = match self.packets_lost {
            0 => None,
            1 => Some("a packet".to_owned()),
            count => Some(format!("{count} packets")),
        };
        match (origin, packets) {
            (Origin::Udp, Some(packets)) => {
                format!("the network lost {packets} in {seconds} s (try transport: tcp, or look at cable and switch)")
            }
            (Origin::Udp, None) => {
                "the others build upon lost ones (try transport: tcp, or keyframes that come more often)".to_owned()
            }
            (Origin::Tcp, Some(packets)) => {
                format!("the camera left out {packets} in {seconds} s (is its network too slow? lower its bitrate)")
            }
            (_, _) => "the others build upon lost ones (keyframes that come more often make that shorter)".to_owned(),
        }
    }
}

/// `25`, `12.3`.
fn plain(rate: f64) -> String {
    let text = format!("{rate:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

#[cfg(test)]
#[path = "degraded_tests.rs"]
mod tests;
