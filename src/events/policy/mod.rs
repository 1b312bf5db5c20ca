//! Which happenings become events. Pure: times come in, drafts of events go out.
//!
//! One narrow place decides what is told about people: [`Policy::verdict`] and [`Policy::figure`]. A camera whose
//! [`Watched::people`] is false (privacy by statistics) gives no events about people at all.

mod compliance;
mod limit;

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime};

use maskwatch_vision::compliance::Counts;
use maskwatch_vision::face::MaskState;
use maskwatch_vision::sight::{Luma, Sight, SightChange};
use maskwatch_vision::track::Person;
use maskwatch_vision::zone::WHOLE_PICTURE;

use self::compliance::Watchdog;
use self::limit::Limit;
use super::event::{Body, ComplianceFacts, DegradedFacts, FailureFacts, PersonFacts, SightFacts};
use crate::config::plan::ComplianceAlert;
use crate::metrics::DisconnectReason;

/// A moment by two clocks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Moment {
    /// What a person would read off the wall.
    pub wall: SystemTime,
    /// Since the start of the program; never goes back.
    pub steady: Duration,
}

/// An event without its id.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    /// When it happened.
    pub at: Moment,
    /// The camera's name.
    pub camera: String,
    /// What happened.
    pub body: Body,
}

/// What has to be known of a camera.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Watched {
    /// Labels for its events.
    pub labels: BTreeMap<String, String>,
    /// Whether single people may be told of.
    pub people: bool,
    /// Names of the zones whose compliance is looked at besides the whole picture's.
    pub zones: Vec<String>,
}

/// How a camera's connection was last told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Link {
    /// Not yet.
    #[default]
    Untold,
    Up,
    Frozen,
    Down,
}

/// What is remembered of one camera.
#[derive(Debug, Default)]
struct Memory {
    watched: Watched,
    link: Link,
    /// The reason for which it was told to be degraded.
    degraded: Option<String>,
    sight: Sight,
    no_mask: Limit,
    incorrect: Limit,
    /// By zone; the whole picture's under the empty name.
    watchdogs: BTreeMap<String, Watchdog>,
}

impl Memory {
    fn watch(&mut self, watched: Watched, compliance: Option<ComplianceAlert>) {
        if let Some(alert) = compliance {
            let places = std::iter::once(WHOLE_PICTURE.to_owned()).chain(watched.zones.iter().cloned());
            let mut known = std::mem::take(&mut self.watchdogs);
            let kept = |zone: String| (known.remove(&zone).unwrap_or_else(|| Watchdog::new(alert)), zone);
            self.watchdogs = places.map(kept).map(|(watchdog, zone)| (zone, watchdog)).collect();
        }
        self.watched = watched;
    }
}

/// The decisions for all cameras.
#[derive(Debug)]
pub struct Policy {
    person_every: Duration,
    compliance: Option<ComplianceAlert>,
    cameras: HashMap<String, Memory>,
}

impl Policy {
    /// Knows no camera yet.
    pub fn new(person_every: Duration, compliance: Option<ComplianceAlert>) -> Self {
        Self { person_every, compliance, cameras: HashMap::new() }
    }

    /// Decides by these from now on. What is remembered stays; a share that is low goes on being so until it recovers.
    pub fn set_rules(&mut self, person_every: Duration, compliance: Option<ComplianceAlert>) {
        self.person_every = person_every;
        if self.compliance == compliance {
            return;
        }
        self.compliance = compliance;
        for memory in self.cameras.values_mut() {
            match compliance {
                Some(alert) => memory.watchdogs.values_mut().for_each(|watchdog| watchdog.set_alert(alert)),
                None => memory.watchdogs.clear(),
            }
            memory.watch(memory.watched.clone(), compliance);
        }
    }

    /// A camera is there, or what is known of it has changed. What is remembered of it and of its zones stays.
    pub fn watch(&mut self, camera: &str, watched: Watched) {
        self.cameras.entry(camera.to_owned()).or_default().watch(watched, self.compliance);
    }

    /// A camera is configured no longer.
    pub fn forget(&mut self, camera: &str) {
        self.cameras.remove(camera);
    }

    /// All places whose compliance is watched: camera and zone.
    pub fn places(&self) -> Vec<(String, String)> {
        let zones = |(camera, memory): (&String, &Memory)| {
            memory.watchdogs.keys().map(|zone| (camera.clone(), zone.clone())).collect::<Vec<_>>()
        };
        self.cameras.iter().filter(|(_, memory)| memory.watched.people).flat_map(zones).collect()
    }

    /// The camera's labels; none for one that is not known.
    pub fn labels(&self, camera: &str) -> BTreeMap<String, String> {
        self.cameras.get(camera).map(|memory| memory.watched.labels.clone()).unwrap_or_default()
    }

    /// A person's state is decided.
    pub fn verdict(&mut self, at: Moment, camera: &str, person: &Person, zones: &[String]) -> Option<Draft> {
        let every = self.person_every;
        let memory = self.cameras.get_mut(camera).filter(|memory| memory.watched.people)?;
        let limit = match person.state {
            MaskState::NoMask => &mut memory.no_mask,
            MaskState::Incorrect => &mut memory.incorrect,
            MaskState::Mask | MaskState::Unknown => return None,
        };
        let suppressed = limit.admit(at.steady, every, zones)?;
        let facts = PersonFacts {
            state: person.state,
            confidence: person.confidence,
            zones: zones.to_vec(),
            track: person.track,
            face_height_px: person.face_height_px,
            suppressed,
        };
        let body = if person.state == MaskState::NoMask { Body::NoMask(facts) } else { Body::Incorrect(facts) };
        Some(Draft { at, camera: camera.to_owned(), body })
    }

    /// The people in the window of a camera's zone now, or of its whole picture; called every few seconds.
    pub fn figure(&mut self, at: Moment, camera: &str, zone: &str, people: Counts) -> Option<Draft> {
        let alert = self.compliance?;
        let memory = self.cameras.get_mut(camera).filter(|memory| memory.watched.people)?;
        let news = memory.watchdogs.get_mut(zone)?.look(at.steady, &people)?;
        let (zone, for_s) = (zone.to_owned(), alert.hold.as_secs());
        let facts = ComplianceFacts { zone, ratio: news.ratio, target: alert.target, for_s, people };
        let body = if news.low { Body::ComplianceLow(facts) } else { Body::ComplianceRecovered(facts) };
        Some(Draft { at, camera: camera.to_owned(), body })
    }

    /// Pictures come. That a connection before this one was degraded is over; where its end was not told, this is.
    pub fn up(&mut self, at: Moment, camera: &str) -> Option<Draft> {
        let memory = self.cameras.get_mut(camera)?;
        let news = memory.link != Link::Up;
        memory.link = Link::Up;
        let degraded = memory.degraded.take().is_some();
        let body = if news { Body::CameraUp } else { Body::CameraRestored };
        (news || degraded).then(|| Draft { at, camera: camera.to_owned(), body })
    }

    /// Too little comes out decoded. Told once for each reason until it is over.
    pub fn degraded(&mut self, at: Moment, camera: &str, facts: DegradedFacts) -> Option<Draft> {
        let memory = self.cameras.get_mut(camera)?;
        if memory.degraded.as_ref() == Some(&facts.reason) {
            return None;
        }
        memory.degraded = Some(facts.reason.clone());
        Some(Draft { at, camera: camera.to_owned(), body: Body::CameraDegraded(facts) })
    }

    /// Enough comes out decoded again.
    pub fn restored(&mut self, at: Moment, camera: &str) -> Option<Draft> {
        self.cameras.get_mut(camera)?.degraded.take()?;
        Some(Draft { at, camera: camera.to_owned(), body: Body::CameraRestored })
    }

    /// The connection ended or none came about. Told once, and once more where a frozen camera turns out to be gone.
    pub fn down(&mut self, at: Moment, camera: &str, reason: DisconnectReason, facts: FailureFacts) -> Option<Draft> {
        let memory = self.cameras.get_mut(camera)?;
        memory.degraded = None;
        let link = match (memory.link, reason) {
            (Link::Up, DisconnectReason::Timeout) => Link::Frozen,
            (Link::Frozen, DisconnectReason::Timeout) => return None,
            (Link::Down, _) => return None,
            _ => Link::Down,
        };
        memory.link = link;
        let body = if link == Link::Frozen { Body::CameraFrozen(facts) } else { Body::CameraDown(facts) };
        Some(Draft { at, camera: camera.to_owned(), body })
    }

    /// Brightness of an analysed picture.
    pub fn picture(&mut self, at: Moment, camera: &str, luma: &Luma) -> Option<Draft> {
        let memory = self.cameras.get_mut(camera)?;
        let body = match memory.sight.look(at.steady, luma)? {
            SightChange::Blinded(how) => Body::CameraBlinded(SightFacts {
                picture: how.as_str().to_owned(),
                luma: luma.mean,
                contrast: luma.contrast,
            }),
            SightChange::Cleared => Body::CameraCleared,
        };
        Some(Draft { at, camera: camera.to_owned(), body })
    }
}

#[cfg(test)]
mod tests;
