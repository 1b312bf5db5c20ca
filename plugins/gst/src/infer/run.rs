//! One camera's analysis between start and stop: what the streaming thread and the engine's threads share.

use std::{
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use gst::{glib, prelude::*};
use maskwatch_vision::{
    census::{Census, News},
    face::{ClassifiedFace, Detection, FaceView},
    privacy::Suspects,
    sight::Luma,
    track::{Link, TrackerConfig},
    zone::Areas,
};
use tracing_mutex::stdsync::{Condvar, Mutex, MutexGuard};

use super::{
    MaskInfer,
    found::{admitted, exact, plain},
    scores::Looked,
};
use crate::report::{DropReport, FrameReport, PersonReport, Report, VerdictReport, VisitReport, Visited, to_message};

/// Pictures of one camera that may be in the engine at once: one detected, one classified, one waiting.
pub const MOST_IN_FLIGHT: u32 = 3;

/// Faces older than this are not known any more, unless analyses are further apart.
const FRESH: Duration = Duration::from_secs(2);

/// How the run works; fixed between start and stop.
#[derive(Clone, Debug)]
pub(super) struct Mode {
    pub(super) camera: String,
    pub(super) track: bool,
    pub(super) sync: bool,
}

/// The frame that a result is of.
#[derive(Clone, Copy, Debug)]
pub(super) struct FrameFacts {
    pub(super) generation: u64,
    /// Running time, or the latest known where the frame has none.
    pub(super) time: Duration,
    pub(super) running_time: Option<gst::ClockTime>,
    pub(super) pts: Option<gst::ClockTime>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) arrived: Instant,
    /// Brightness of a picture that is analysed.
    pub(super) luma: Option<Luma>,
}

/// How a frame that was waited for ended.
#[derive(Debug)]
pub(super) enum Verdict {
    Known {
        faces: Vec<FaceView>,
        /// Where faces may be, where that is asked for.
        hide: Option<Suspects>,
    },
    Failed(String),
    Interrupted,
}

#[derive(Default)]
struct State {
    /// Counts flushes; results of an earlier one are stale.
    generation: u64,
    /// Nobody may wait: flushing or stopping.
    interrupted: bool,
    in_flight: u32,
    /// Counts changes of the place in the engine, or of the engine.
    epoch: u64,
    /// Of the pictures in flight those of earlier epochs.
    leaving: u32,
    census: Census,
    /// Where people are counted, and where nobody is looked at: those of the census, to be held without the lock.
    areas: Arc<Areas>,
    /// Time between analyses.
    interval: Duration,
    /// Time and faces of the latest analysis.
    latest: Option<(Duration, Vec<FaceView>)>,
    /// The outcome of the frame that a sync streaming thread waits for.
    verdict: Option<Verdict>,
}

/// See the module.
pub(super) struct Run {
    element: glib::WeakRef<MaskInfer>,
    mode: Mode,
    state: Mutex<State>,
    changed: Condvar,
}

/// One place among the pictures in flight; given back on drop, whatever happens to the picture.
pub(super) struct Ticket {
    run: Arc<Run>,
    epoch: u64,
}

impl Ticket {
    pub(super) fn run(&self) -> &Run {
        &self.run
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let mut state = self.run.lock();
        state.in_flight -= 1;
        if self.epoch < state.epoch {
            state.leaving -= 1;
        }
        drop(state);
        self.run.changed.notify_all();
    }
}

impl Run {
    pub(super) fn new(element: &MaskInfer, mode: Mode, interval: Duration, areas: Areas) -> Arc<Self> {
        let element = element.downgrade();
        let config = TrackerConfig { interval, ..TrackerConfig::default() };
        let census = Census::new(config, areas.clone());
        let state = Mutex::new(State { census, areas: Arc::new(areas), interval, ..State::default() });
        Arc::new(Self { element, mode, state, changed: Condvar::new() })
    }

    pub(super) fn mode(&self) -> &Mode {
        &self.mode
    }

    /// Every writer leaves the state whole at each step, so a panic elsewhere does not spoil it.
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Analyses come at another rate, or people are counted elsewhere, from now on. Tracks go on.
    pub(super) fn change(&self, interval: Duration, areas: Areas) {
        let mut state = self.lock();
        if state.interval != interval {
            state.interval = interval;
            state.census.set_interval(interval);
        }
        if *state.areas != areas {
            state.areas = Arc::new(areas.clone());
            state.census.set_areas(areas);
        }
    }

    /// A place for one more picture and the current generation; `None` when too many are in the engine already.
    pub(super) fn ticket(self: &Arc<Self>) -> Option<(Ticket, u64)> {
        let mut state = self.lock();
        if state.in_flight >= MOST_IN_FLIGHT {
            return None;
        }
        state.in_flight += 1;
        state.verdict = None;
        let (generation, epoch) = (state.generation, state.epoch);
        drop(state);
        Some((Ticket { run: self.clone(), epoch }, generation))
    }

    /// Pictures go to another place from now on. Those under way are waited for with [`Self::left`].
    pub(super) fn move_on(&self) {
        let mut state = self.lock();
        state.epoch += 1;
        state.leaving = state.in_flight;
    }

    /// Waits until no picture is left at a place of before, `limit` at most; false when some still are.
    pub(super) fn left(&self, limit: Duration) -> bool {
        let waiting = |state: &mut State| state.leaving > 0 && !state.interrupted;
        let waited = self.changed.wait_timeout_while(self.lock(), limit, waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.leaving == 0
    }

    /// The faces of the picture at `time`, and whether they are known.
    pub(super) fn faces_at(&self, time: Duration) -> (Vec<FaceView>, bool) {
        let state = self.lock();
        let Some((analyzed_at, faces)) = &state.latest else { return (Vec::new(), false) };
        let known = time.abs_diff(*analyzed_at) <= FRESH.max(state.interval * 3);
        let faces = match (self.mode.track, known) {
            (true, _) => state.census.view(time),
            (false, true) => faces.clone(),
            (false, false) => Vec::new(),
        };
        (faces, known)
    }

    /// The latest time known, for frames without one.
    pub(super) fn latest_time(&self) -> Duration {
        self.lock().latest.as_ref().map(|(time, _)| *time).unwrap_or_default()
    }

    /// Matches the faces found to the tracks; `None` for a stale frame.
    pub(super) fn associate(&self, frame: &FrameFacts, found: &[Detection]) -> Option<Vec<Link>> {
        let mut state = self.lock();
        if state.generation != frame.generation {
            return None;
        }
        if self.mode.track {
            return Some(state.census.associate(frame.time, found, frame.height).links);
        }
        let admitted = |face: &Detection| state.areas.admits(face, frame.height);
        Some(found.iter().map(|face| Link { track: None, classify: admitted(face) }).collect())
    }

    /// Takes a result in and reports it.
    pub(super) fn done(&self, frame: &FrameFacts, links: &[Link], raw: Vec<ClassifiedFace>, looked: Looked) {
        let mut state = self.lock();
        if state.generation != frame.generation {
            drop(state);
            return self.dropped("flushed", None);
        }
        let areas = Arc::clone(&state.areas);
        let (links, raw) = admitted(&areas, frame.height, links, raw);
        let faces = if self.mode.track { self.vote(&mut state.census, frame, &links, &raw) } else { plain(&raw) };
        let news = state.census.take_news();
        state.latest = Some((frame.time, faces.clone()));
        if self.mode.sync {
            state.verdict = Some(Verdict::Known { faces: faces.clone(), hide: looked.hide.clone() });
        }
        drop(state);
        self.post(Report::Frame(FrameReport {
            camera: self.mode.camera.clone(),
            running_time: frame.running_time,
            pts: frame.pts,
            width: frame.width,
            height: frame.height,
            latency: frame.arrived.elapsed(),
            luma: frame.luma,
            faces,
            raw,
            hide: looked.hide,
            quality: looked.quality,
        }));
        self.post_news(&areas, news);
    }

    /// Feeds the frame's evidence to the votes and gives the faces as they are shown.
    fn vote(&self, census: &mut Census, frame: &FrameFacts, links: &[Link], raw: &[ClassifiedFace]) -> Vec<FaceView> {
        for (link, face) in links.iter().zip(raw) {
            if let Some(track) = link.track {
                let height = face.detection.rect.h * frame.height as f32;
                census.evidence(frame.time, track, face, height);
            }
        }
        let shown = census.view(frame.time);
        if self.mode.sync { exact(links, raw, &shown) } else { shown }
    }

    /// A frame was not analysed.
    pub(super) fn dropped(&self, reason: &str, error: Option<String>) {
        self.post(Report::Drop(DropReport { camera: self.mode.camera.clone(), reason: reason.into(), error }));
    }

    /// The engine dropped a frame.
    pub(super) fn given_up(&self, frame: &FrameFacts, reason: &str) {
        self.missed(frame, &format!("a frame was not analysed: {reason}"));
        self.dropped(reason, None);
    }

    /// The engine could not analyse a frame.
    pub(super) fn failed(&self, frame: &FrameFacts, error: String) {
        self.missed(frame, &error);
        self.dropped("failed", Some(error));
    }

    /// Tells a streaming thread that waits for this very frame.
    fn missed(&self, frame: &FrameFacts, error: &str) {
        let mut state = self.lock();
        if self.mode.sync && state.generation == frame.generation {
            state.verdict = Some(Verdict::Failed(error.to_owned()));
        }
    }

    /// Waits until no picture is in the engine, and gives the latest one's outcome.
    pub(super) fn wait(&self) -> Verdict {
        let mut state = self.lock();
        while state.in_flight > 0 && !state.interrupted {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.verdict.take().unwrap_or(Verdict::Interrupted)
    }

    /// Waits until no picture is in the engine, `limit` at most; false when some still are.
    pub(super) fn drain(&self, limit: Duration) -> bool {
        let waiting = |state: &mut State| state.in_flight > 0 && !state.interrupted;
        let waited = self.changed.wait_timeout_while(self.lock(), limit, waiting);
        let (state, _) = waited.unwrap_or_else(PoisonError::into_inner);
        state.in_flight == 0
    }

    /// Results of the frames so far become stale, and nobody waits until [`Run::resume`].
    pub(super) fn interrupt(&self) {
        let mut state = self.lock();
        state.generation += 1;
        state.interrupted = true;
        drop(state);
        self.changed.notify_all();
    }

    /// Waiting is possible again. A frame that slipped in since [`Run::interrupt`] is stale too.
    pub(super) fn resume(&self) {
        let mut state = self.lock();
        state.generation += 1;
        state.interrupted = false;
        state.latest = None;
    }

    /// All tracks end, and the people not yet reported are.
    pub(super) fn end_all(&self) {
        let mut state = self.lock();
        state.census.end_all();
        let news = state.census.take_news();
        let areas = Arc::clone(&state.areas);
        drop(state);
        self.post_news(&areas, news);
    }

    /// `areas`: those that the news speak of.
    fn post_news(&self, areas: &Areas, News { people, visits, verdicts }: News) {
        let camera = || self.mode.camera.clone();
        for verdict in verdicts {
            let zones = verdict.zones.iter().filter_map(|&index| areas.zones.get(index)).map(|zone| zone.name.clone());
            let report = VerdictReport { camera: camera(), verdict: verdict.person, zones: zones.collect() };
            self.post(Report::Verdict(report));
        }
        for counted in people {
            let mut report =
                PersonReport { camera: camera(), person: counted.person, zones: Vec::new(), crossings: Vec::new() };
            for place in counted.places {
                match Visited::of(areas, place) {
                    Visited::Zone(name) => report.zones.push(name),
                    Visited::Line(crossing) => report.crossings.push(crossing),
                }
            }
            self.post(Report::Person(report));
        }
        for visit in visits {
            let visited = Visited::of(areas, visit.place);
            self.post(Report::Visit(VisitReport { camera: camera(), track: visit.track, state: visit.state, visited }));
        }
    }

    /// Called without any lock. An element that is gone, or has no bus, needs no report.
    fn post(&self, report: Report) {
        if let Some(element) = self.element.upgrade() {
            let message = to_message(&element, report);
            let _ = element.post_message(message);
        }
    }
}
