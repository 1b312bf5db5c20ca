//! What the people counted add up to: the share with a mask, by camera and zone, over a sliding window and by the hour;
//! kept over restarts.
//!
//! Everything that tells people apart from the metrics' plain counters is asked here: [`People::figure`],
//! [`People::history`] and the captions. A share grows old by itself when nobody comes, so it is worked out when it is
//! asked for.

mod keeper;
mod ledger;
mod place;
mod shelf;
mod store;

use std::collections::HashMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::Sender;
use gstmaskwatch::report::{PersonReport, VisitReport};
use maskwatch_vision::compliance::{Counts, Figure};
use maskwatch_vision::face::MaskState;
use maskwatch_vision::statistics::Totals;
use maskwatch_vision::zone::WHOLE_PICTURE;

pub use keeper::Keeper;
use ledger::Ledger;
pub use ledger::Stretch;
use shelf::Shelf;
use tracing_mutex::parking_lot::{Mutex, MutexGuard};

use crate::camera::Listener;
use crate::clock::{Clock, Reading};
use crate::config::plan::CompliancePlan;
use crate::frames::Hub;
use crate::metrics::Metrics;
use crate::state_file::{Folder, StoreHealth};

/// Most stretches of one history.
const MOST_STRETCHES: usize = 10_000;

/// The people of all cameras.
pub struct People {
    metrics: Arc<Metrics>,
    clock: Clock,
    ledger: Mutex<Ledger>,
    /// Cameras whose captions show the window.
    hubs: Mutex<HashMap<String, Arc<Hub>>>,
    wake: Sender<()>,
    store: Option<Arc<StoreHealth>>,
    /// Held while a caption is worked out and set: the one that is set last is the latest.
    captioning: Mutex<()>,
}

impl People {
    /// Takes over what was counted before, from `state_dir` where there is one, and starts to keep what comes. The `clock`
    /// is told what was seen of the time before.
    ///
    /// # Errors
    /// The system gives no thread. A disk that refuses is no error: it is said in the log, the metrics and the API, people
    /// are counted in memory, and all is brought together when the disk gives and takes again.
    pub fn start(
        metrics: Arc<Metrics>,
        plan: CompliancePlan,
        state_dir: Option<&Path>,
        clock: Clock,
    ) -> std::io::Result<(Arc<Self>, Keeper)> {
        // One wish to be woken is as good as many.
        let (wake, woken) = crossbeam_channel::bounded(1);
        let (ledger, hubs) = (Mutex::new(Ledger::new(plan)), Mutex::default());
        let store = state_dir.map(|_| Arc::new(StoreHealth::new(&store::KIND, metrics.state_store(store::KIND.store))));
        let shelf =
            state_dir.zip(store.as_ref()).map(|(path, health)| Shelf::new(Folder::new(path), Arc::clone(health)));
        let people = Arc::new(Self { metrics, clock, ledger, hubs, wake, store, captioning: Mutex::default() });
        let keeper = Keeper::start(&people, shelf, woken)?;
        Ok((people, keeper))
    }

    /// The camera's caption shows its window from now on.
    pub fn caption(&self, hub: &Arc<Hub>) {
        self.hubs.lock().insert(hub.camera().to_owned(), Arc::clone(hub));
        self.renew_caption(hub);
    }

    /// The camera is configured no longer. What was counted on it stays.
    pub fn forget(&self, camera: &str) {
        let forgotten = self.hubs.lock().remove(camera);
        drop(forgotten);
    }

    /// Brings the gauges up to date: before each scrape.
    pub fn refresh(&self) {
        let ratios: Vec<(String, Option<f64>)> = {
            let (now, ledger) = self.at_now();
            let ratio = |camera: &str| ledger.figure(now.wall, camera, WHOLE_PICTURE).ratio;
            ledger.cameras().map(|camera| (camera.to_owned(), ratio(camera))).collect()
        };
        for (camera, ratio) in ratios {
            // Somebody may have been counted before a restart at a camera that is configured no longer.
            if let Some(metrics) = self.metrics.known_camera(&camera) {
                metrics.compliance(ratio);
            }
        }
    }

    /// Counts, ratio and its uncertainty of one camera now; nobody where nobody came. `zone`: a zone's name, a line as
    /// `door:forward`, or [`WHOLE_PICTURE`].
    pub fn figure(&self, camera: &str, zone: &str) -> Figure {
        let (now, ledger) = self.at_now();
        ledger.figure(now.wall, camera, zone)
    }

    /// Now, since the Unix epoch.
    pub fn now(&self) -> Duration {
        self.clock.now().wall
    }

    /// The time of which there may be people at a camera and zone, in whole quarters of an hour since the Unix epoch.
    pub fn extent(&self, camera: &str, zone: &str) -> Range<Duration> {
        let (now, ledger) = self.at_now();
        ledger.extent(now.wall, (camera, zone))
    }

    /// People of a camera and zone in stretches of `step`, in order of time. Begin, end and step are taken to whole
    /// quarters of an hour, outward.
    pub fn history(&self, camera: &str, zone: &str, span: (Duration, Duration), step: Duration) -> Vec<Stretch> {
        self.at_now().1.history((camera, zone), span, step, MOST_STRETCHES)
    }

    /// The share of people that were counted at several places, under the same minimum as one place's.
    pub fn share(&self, counts: Counts) -> Figure {
        self.ledger.lock().share(counts)
    }

    /// How the store stands; `None` where nothing is stored.
    pub fn store(&self) -> Option<&Arc<StoreHealth>> {
        self.store.as_ref()
    }

    /// How the windows are made.
    pub fn plan(&self) -> CompliancePlan {
        self.ledger.lock().plan()
    }

    /// Windows are made by another plan from now on; who was counted stays counted.
    pub fn set_plan(&self, plan: CompliancePlan) {
        self.ledger.lock().set_plan(plan);
        // Full: the keeper is woken anyway.
        self.wake.try_send(()).ok();
        self.renew_captions();
    }

    fn count(&self, camera: &str, zones: impl IntoIterator<Item = String>, state: MaskState) {
        let (now, mut ledger) = self.at_now();
        zones.into_iter().for_each(|zone| ledger.add(&now, camera, &zone, state));
        drop(ledger);
        // Full: the keeper is woken anyway.
        self.wake.try_send(()).ok();
    }

    fn renew_captions(&self) {
        let hubs: Vec<_> = self.hubs.lock().values().cloned().collect();
        hubs.iter().for_each(|hub| self.renew_caption(hub));
    }

    fn renew_caption(&self, hub: &Hub) {
        let _turn = self.captioning.lock();
        hub.set_caption(&caption(&self.figure(hub.camera(), WHOLE_PICTURE)));
    }

    /// The ledger as it stands now. The time is asked for under the lock: readings come to it in order.
    fn at_now(&self) -> (Reading, MutexGuard<'_, Ledger>) {
        let mut ledger = self.ledger.lock();
        let now = self.clock.now();
        ledger.follow(&now);
        (now, ledger)
    }
}

impl Listener for People {
    fn person(&self, camera: &str, report: &PersonReport) {
        let lines = report.crossings.iter().map(|crossing| crossing.label());
        let zones = std::iter::once(WHOLE_PICTURE.to_owned()).chain(report.zones.iter().cloned()).chain(lines);
        self.count(camera, zones, report.person.state);
    }

    fn visit(&self, camera: &str, report: &VisitReport) {
        self.count(camera, [report.visited.label()], report.state);
    }

    fn totals(&self, camera: &str, totals: &Totals) {
        for (state, people) in MaskState::ALL.into_iter().zip(totals.people) {
            (0..people.unwrap_or(0)).for_each(|_| self.count(camera, [WHOLE_PICTURE.to_owned()], state));
        }
    }
}

/// The overlay's line: the window's figure as the API tells it; people only while there are too few for a share; empty
/// while there is nobody.
fn caption(figure: &Figure) -> String {
    let (known, unknown) = (figure.counts.known(), figure.counts.unknown);
    let rest = if unknown > 0 { format!(", {unknown} unknown") } else { String::new() };
    match figure.ratio {
        Some(ratio) => format!("Mask {:.0} % of {known}{rest}", ratio * 100.0),
        None if known + unknown == 0 => String::new(),
        None if known == 1 => format!("1 person{rest}"),
        None => format!("{known} people{rest}"),
    }
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use gstmaskwatch::report::{LineCrossing, Visited};
    use maskwatch_vision::track::Person;
    use maskwatch_vision::zone::Direction;

    use super::*;
    use crate::config::plan::CameraPlan;
    use crate::config::secret::CameraUrl;

    fn start(state_dir: Option<&Path>) -> (Arc<Metrics>, Arc<People>, Keeper) {
        let metrics = Metrics::new().unwrap();
        metrics.camera("gate");
        let (clock, _) = Clock::by_hand(UNIX_EPOCH + Duration::from_secs(1_790_000_000));
        let plan = CompliancePlan::default();
        let (people, keeper) = People::start(Arc::clone(&metrics), plan, state_dir, clock).unwrap();
        (metrics, people, keeper)
    }

    fn person(state: MaskState) -> PersonReport {
        let (first_seen, last_seen) = (Duration::ZERO, Duration::ZERO);
        let person =
            Person { track: 1, state, confidence: 1.0, first_seen, last_seen, frames: 3, face_height_px: 40.0 };
        PersonReport { camera: "gate".into(), person, zones: Vec::new(), crossings: Vec::new() }
    }

    #[test]
    fn gauge_and_caption_appear_with_enough_known_people() {
        let (metrics, people, _keeper) = start(None);
        let plan = CameraPlan::new("gate", CameraUrl::parse("rtsp://127.0.0.1/a").unwrap());
        let hub = Hub::new(&plan, &metrics.camera("gate"));
        people.caption(&hub);
        assert_eq!(&*hub.caption(), "");
        for _ in 0..30 {
            people.person("gate", &person(MaskState::Unknown));
        }
        for _ in 0..19 {
            people.person("gate", &person(MaskState::Mask));
        }
        people.refresh();
        people.renew_captions();
        assert!(!metrics.render().unwrap().contains("compliance_ratio{"), "19 known people are too few");
        assert_eq!(&*hub.caption(), "19 people, 30 unknown");
        people.person("gate", &person(MaskState::NoMask));
        people.refresh();
        people.renew_captions();
        let text = metrics.render().unwrap();
        assert!(text.contains("maskwatch_compliance_ratio{camera=\"gate\"} 0.95"), "{text}");
        assert_eq!(&*hub.caption(), "Mask 95 % of 20, 30 unknown");
        let (low, high) = people.figure("gate", WHOLE_PICTURE).interval.unwrap();
        assert!(low < 0.95 && 0.95 < high);
        assert_eq!(people.figure("yard", WHOLE_PICTURE), Figure::default());
    }

    #[test]
    fn zones_and_lines_are_kept_over_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let (_, people, keeper) = start(Some(folder.path()));
        let crossing = LineCrossing { line: "door".into(), direction: Direction::Forward };
        let mut report = person(MaskState::Mask);
        report.zones = vec!["hall".into()];
        report.crossings = vec![crossing.clone()];
        people.person("gate", &report);
        people.person("gate", &person(MaskState::NoMask));
        let visited = Visited::Zone("hall".into());
        people.visit("gate", &VisitReport { camera: "gate".into(), track: 1, state: MaskState::NoMask, visited });
        keeper.stop();
        drop(people);
        let (metrics, people, _keeper) = start(Some(folder.path()));
        let counts = |zone: &str| people.figure("gate", zone).counts;
        let expected = Counts { mask: 1, no_mask: 1, ..Counts::default() };
        assert_eq!((counts(WHOLE_PICTURE), counts("hall")), (expected, expected));
        assert_eq!(counts(&crossing.label()), Counts { mask: 1, ..Counts::default() });
        let (end, hour) = (people.now() + Duration::from_secs(1), Duration::from_secs(3600));
        let hours = people.history("gate", "hall", (end.saturating_sub(hour), end), hour);
        assert_eq!(hours.iter().map(|hour| hour.figure.counts.total()).sum::<u64>(), 2);
        people.refresh();
        assert!(!metrics.render().unwrap().contains("yard"), "no series for cameras of the past");
    }
}
