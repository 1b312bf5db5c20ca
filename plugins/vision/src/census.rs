//! People by place: the tracker of one camera and its areas together.
//!
//! A person is counted once on the camera, once in each zone visited, and once per line and direction. Who has been
//! counted and goes on to another zone is counted there with the state that it was counted with, so that in each state a
//! zone never has more people than its camera.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::face::{ClassifiedFace, Detection, FaceView, MaskState};
use crate::track::{Association, Link, Person, Tracker, TrackerConfig};
use crate::zone::{Areas, Place, Ways};

/// A person counted, and where it has been until then.
#[derive(Clone, Debug, PartialEq)]
pub struct Counted {
    /// Who.
    pub person: Person,
    /// Zones visited and lines crossed.
    pub places: Vec<Place>,
}

/// Somebody already counted is now counted at a further place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The track.
    pub track: u64,
    /// As it was counted.
    pub state: MaskState,
    /// Where.
    pub place: Place,
}

/// Somebody's state is known while they are still in view.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// Who, so far.
    pub person: Person,
    /// Indices of the zones that the face is in.
    pub zones: Vec<usize>,
}

/// What happened since it was last asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct News {
    /// People counted.
    pub people: Vec<Counted>,
    /// Further places of people counted earlier.
    pub visits: Vec<Visit>,
    /// States known for the first time; each once per track.
    pub verdicts: Vec<Verdict>,
}

/// The people of one camera.
#[derive(Clone, Debug, Default)]
pub struct Census {
    areas: Areas,
    tracker: Tracker,
    ways: Ways,
    /// State that a living track was counted with.
    counted: BTreeMap<u64, MaskState>,
    visits: Vec<Visit>,
}

impl Census {
    /// Nobody yet.
    pub fn new(config: TrackerConfig, areas: Areas) -> Self {
        Self { areas, tracker: Tracker::new(config), ..Self::default() }
    }

    /// The areas.
    pub fn areas(&self) -> &Areas {
        &self.areas
    }

    /// Other areas from now on. Tracks go on, and nobody is counted twice on the camera; visits to places of before are
    /// forgotten where nobody was told of them yet, and places of now count from their next analysis on.
    pub fn set_areas(&mut self, areas: Areas) {
        self.areas = areas;
        self.ways = Ways::default();
        self.visits.clear();
    }

    /// See [`Tracker::set_interval`].
    pub fn set_interval(&mut self, interval: Duration) {
        self.tracker.set_interval(interval);
    }

    /// Matches the detections of the frame at `time` to the tracks, as [`Tracker::associate`]. Detections that the areas
    /// do not admit are linked to nothing. `picture_height` in pixels.
    pub fn associate(&mut self, time: Duration, found: &[Detection], picture_height: u32) -> Association {
        let admitted: Vec<usize> =
            (0..found.len()).filter(|&index| self.areas.admits(&found[index], picture_height)).collect();
        let chosen: Vec<Detection> = admitted.iter().map(|&index| found[index]).collect();
        let mut answer = self.tracker.associate(time, &chosen);
        let mut links = vec![Link { track: None, classify: false }; found.len()];
        for (&index, link) in admitted.iter().zip(&answer.links) {
            links[index] = *link;
            if let Some(track) = link.track {
                self.observe(track, &found[index]);
            }
        }
        answer.links = links;
        answer
    }

    fn observe(&mut self, track: u64, found: &Detection) {
        let places = self.ways.observe(&self.areas, track, &found.rect);
        if let Some(&state) = self.counted.get(&track) {
            self.visits.extend(places.into_iter().map(|place| Visit { track, state, place }));
        }
    }

    /// See [`Tracker::evidence`].
    pub fn evidence(&mut self, time: Duration, track: u64, face: &ClassifiedFace, face_height_px: f32) {
        self.tracker.evidence(time, track, face, face_height_px);
    }

    /// See [`Tracker::view`].
    pub fn view(&self, time: Duration) -> Vec<FaceView> {
        self.tracker.view(time)
    }

    /// What happened since the last call. Call it after every frame, and after [`Self::end_all`].
    pub fn take_news(&mut self) -> News {
        let visits = std::mem::take(&mut self.visits);
        let verdicts = self.tracker.take_verdicts().into_iter();
        let verdicts = verdicts.map(|person| Verdict { person, zones: self.ways.zones(person.track) }).collect();
        let people: Vec<Counted> = self
            .tracker
            .take_decided()
            .into_iter()
            .map(|person| Counted { person, places: self.ways.visits(person.track) })
            .collect();
        self.counted.extend(people.iter().map(|counted| (counted.person.track, counted.person.state)));
        let tracker = &self.tracker;
        self.counted.retain(|track, _| tracker.is_alive(*track));
        self.ways.retain(|track| tracker.is_alive(track));
        News { people, visits, verdicts }
    }

    /// Ends all tracks, as [`Tracker::end_all`].
    pub fn end_all(&mut self) {
        self.tracker.end_all();
    }
}

#[cfg(test)]
#[path = "census_tests.rs"]
mod tests;
