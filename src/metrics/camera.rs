//! Metrics of one camera.

use std::sync::Arc;
use std::time::Duration;

use maskwatch_vision::face::MaskState;
use maskwatch_vision::privacy::Unknown;
use maskwatch_vision::zone::WHOLE_PICTURE;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use tracing_mutex::parking_lot::{RwLock, RwLockReadGuard};

use super::degraded::{Degraded, DegradedFamily};
use super::single::{Single, SingleFamilies};
use super::{DegradedReason, DisconnectReason, FrameDrop, PictureLoss, counters, float_gauges, gauges, unix_seconds};
use crate::config::plan::Privacy;

/// Stages of `frames_total`.
const STAGES: [&str; 4] = ["decoded", "analyzed", "encoded", "received"];

/// The families that have a camera label.
pub(super) struct CameraFamilies {
    up: IntGaugeVec,
    last_frame: GaugeVec,
    connects: IntCounterVec,
    disconnects: IntCounterVec,
    frames: IntCounterVec,
    dropped: IntCounterVec,
    in_flight: IntGaugeVec,
    packets_lost: IntCounterVec,
    degraded: DegradedFamily,
    hidden: IntCounterVec,
    privacy: IntGaugeVec,
    single: SingleFamilies,
    people: IntCounterVec,
    compliance: GaugeVec,
    rtsp_clients: IntGaugeVec,
    /// Held by a scrape alone, and by changes that touch several families: no scrape sees half of one.
    pub(super) changing: Arc<RwLock<()>>,
}

impl CameraFamilies {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let r = registry;
        Ok(Self {
            up: gauges(r, "camera_up", "1: a frame was decoded within the camera's timeout.", &["camera"])?,
            last_frame: float_gauges(
                r,
                "camera_last_frame_timestamp_seconds",
                "When the last frame was decoded (Unix time); 0: never.",
                &["camera"],
            )?,
            connects: counters(r, "camera_connects_total", "Connects after which a first frame came.", &["camera"])?,
            disconnects: counters(
                r,
                "camera_disconnects_total",
                "Times that a connection ended or did not come about.",
                &["camera", "reason"],
            )?,
            frames: counters(r, "frames_total", "Frames that passed a stage.", &["camera", "stage"])?,
            dropped: counters(
                r,
                "frames_dropped_total",
                "Frames that did not get on, with the reason. \
                 Received = decoded + gate + late + decoder + ended + broken + in flight.",
                &["camera", "reason"],
            )?,
            in_flight: gauges(r, "frames_in_flight", "Received frames that are in the decoder now.", &["camera"])?,
            packets_lost: counters(
                r,
                "rtp_packets_lost_total",
                "RTP packets that were sent and never came, by their numbers.",
                &["camera"],
            )?,
            degraded: DegradedFamily::new(r)?,
            hidden: counters(
                r,
                "frames_hidden_total",
                "Frames hidden as a whole by `privacy: blur`, because their faces were not known.",
                &["camera", "reason"],
            )?,
            privacy: gauges(
                r,
                "privacy_mode_info",
                "Always 1; the label says what may leave of what the camera sees.",
                &["camera", "mode"],
            )?,
            single: SingleFamilies::new(r)?,
            people: counters(r, "people_total", "People counted, each once.", &["camera", "zone", "state"])?,
            compliance: float_gauges(
                r,
                "compliance_ratio",
                "Share of people with a mask among those with a known state, in the sliding window; absent while too few.",
                &["camera"],
            )?,
            rtsp_clients: gauges(r, "rtsp_clients", "Viewers of the annotated stream.", &["camera"])?,
            changing: Arc::default(),
        })
    }

    /// A camera's handle. All its series exist from now on; the ratio only once it is known.
    pub(super) fn camera(&self, name: &str, zones: &[String]) -> CameraMetrics {
        let frames = STAGES.map(|stage| self.frames.with_label_values(&[name, stage]));
        CameraMetrics {
            name: name.to_owned(),
            up: self.up.with_label_values(&[name]),
            last_frame: self.last_frame.with_label_values(&[name]),
            connects: self.connects.with_label_values(&[name]),
            disconnects: DisconnectReason::ALL
                .map(|reason| self.disconnects.with_label_values(&[name, reason.as_str()])),
            frames,
            dropped: FrameDrop::ALL.map(|reason| self.dropped.with_label_values(&[name, reason.as_str()])),
            lost: PictureLoss::ALL.map(|reason| self.dropped.with_label_values(&[name, reason.as_str()])),
            in_flight: self.in_flight.with_label_values(&[name]),
            packets_lost: self.packets_lost.with_label_values(&[name]),
            degraded: self.degraded.camera(name),
            hidden: Unknown::ALL.map(|reason| self.hidden.with_label_values(&[name, reason.as_str()])),
            privacy: self.privacy.clone(),
            single: RwLock::new(Some(self.single.of(name))),
            single_families: self.single.clone(),
            people: people_of(&self.people, name, WHOLE_PICTURE),
            people_at: RwLock::new(
                zones.iter().map(|zone| (zone.clone(), people_of(&self.people, name, zone))).collect(),
            ),
            people_family: self.people.clone(),
            compliance: self.compliance.clone(),
            rtsp_clients: self.rtsp_clients(name),
            changing: Arc::clone(&self.changing),
        }
    }

    pub(super) fn rtsp_clients(&self, name: &str) -> IntGauge {
        self.rtsp_clients.with_label_values(&[name])
    }

    /// Takes all series of a camera out. Series that are not there are no fault.
    pub(super) fn remove(&self, name: &str, zones: &[String]) {
        let one = &[name][..];
        drop(self.up.remove_label_values(one));
        drop(self.last_frame.remove_label_values(one));
        drop(self.connects.remove_label_values(one));
        for reason in DisconnectReason::ALL {
            drop(self.disconnects.remove_label_values(&[name, reason.as_str()]));
        }
        for stage in STAGES {
            drop(self.frames.remove_label_values(&[name, stage]));
        }
        let losses = PictureLoss::ALL.map(PictureLoss::as_str);
        for reason in FrameDrop::ALL.map(FrameDrop::as_str).iter().chain(&losses) {
            drop(self.dropped.remove_label_values(&[name, *reason]));
        }
        drop(self.in_flight.remove_label_values(one));
        drop(self.packets_lost.remove_label_values(one));
        self.degraded.remove(name);
        for reason in Unknown::ALL {
            drop(self.hidden.remove_label_values(&[name, reason.as_str()]));
        }
        for mode in Privacy::ALL {
            drop(self.privacy.remove_label_values(&[name, mode.as_str()]));
        }
        self.single.remove(name);
        for state in MaskState::ALL {
            for zone in zones.iter().map(String::as_str).chain([WHOLE_PICTURE]) {
                drop(self.people.remove_label_values(&[name, zone, state.as_str()]));
            }
        }
        drop(self.compliance.remove_label_values(one));
        drop(self.rtsp_clients.remove_label_values(one));
    }
}

fn people_of(family: &IntCounterVec, camera: &str, zone: &str) -> [IntCounter; MaskState::ALL.len()] {
    MaskState::ALL.map(|state| family.with_label_values(&[camera, zone, state.as_str()]))
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read()
}

/// The happenings of one camera. Cheap enough for every frame.
pub struct CameraMetrics {
    name: String,
    up: IntGauge,
    last_frame: Gauge,
    connects: IntCounter,
    disconnects: [IntCounter; DisconnectReason::ALL.len()],
    frames: [IntCounter; STAGES.len()],
    dropped: [IntCounter; FrameDrop::ALL.len()],
    lost: [IntCounter; PictureLoss::ALL.len()],
    in_flight: IntGauge,
    packets_lost: IntCounter,
    degraded: Degraded,
    hidden: [IntCounter; Unknown::ALL.len()],
    privacy: IntGaugeVec,
    /// `None`: nothing that tells of single people is told.
    single: RwLock<Option<Single>>,
    single_families: SingleFamilies,
    people: [IntCounter; MaskState::ALL.len()],
    /// By zone, and by line and direction.
    people_at: RwLock<Vec<(String, [IntCounter; MaskState::ALL.len()])>>,
    people_family: IntCounterVec,
    compliance: GaugeVec,
    rtsp_clients: IntGauge,
    changing: Arc<RwLock<()>>,
}

impl CameraMetrics {
    fn change(&self) -> RwLockReadGuard<'_, ()> {
        self.changing.read()
    }

    /// A connection gave its first frame.
    pub fn connected(&self) {
        let _whole = self.change();
        self.connects.inc();
        self.up.set(1);
    }

    /// The connection ended, or an attempt failed. Nobody is visible any more.
    pub fn disconnected(&self, reason: DisconnectReason) {
        let _whole = self.change();
        self.disconnects[reason as usize].inc();
        self.up.set(0);
        self.people_visible([0; MaskState::ALL.len()]);
    }

    /// The connection was ended because another is wanted. Nobody is visible any more.
    pub fn renewed(&self) {
        let _whole = self.change();
        self.up.set(0);
        self.people_visible([0; MaskState::ALL.len()]);
    }

    /// Whether frames come; for a camera that is frozen but not yet given up.
    pub fn set_up(&self, up: bool) {
        self.up.set(i64::from(up));
    }

    /// A frame came out of the decoder, now.
    pub fn frame_decoded(&self) {
        self.frames[0].inc();
        self.last_frame.set(unix_seconds());
    }

    /// A frame was analysed, `latency` after it was decoded.
    pub fn frame_analyzed(&self, latency: Duration) {
        self.frames[1].inc();
        self.single(|single| single.latency.observe(latency.as_secs_f64()));
    }

    /// A frame was analysed; how long that took would tell whether somebody was there.
    pub fn frame_analyzed_unseen(&self) {
        self.frames[1].inc();
    }

    /// The camera's privacy mode is this one.
    pub fn privacy(&self, mode: Privacy) {
        for other in Privacy::ALL {
            if other != mode {
                drop(self.privacy.remove_label_values(&[&self.name, other.as_str()]));
            }
        }
        self.privacy.with_label_values(&[&self.name, mode.as_str()]).set(1);
    }

    /// A frame left the encoder.
    pub fn frame_encoded(&self) {
        self.frames[2].inc();
    }

    /// A coded picture arrived.
    pub fn frame_received(&self) {
        self.frames[3].inc();
    }

    /// So many coded pictures are in the decoder.
    pub fn pictures_in_flight(&self, count: u64) {
        self.in_flight.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many coded pictures were not decoded.
    pub fn picture_lost(&self, reason: PictureLoss, count: u64) {
        self.lost[reason as usize].inc_by(count);
    }

    /// So many packets never came.
    pub fn packets_lost(&self, count: u64) {
        self.packets_lost.inc_by(count);
    }

    /// Too little comes out decoded, for this reason; `None`: enough does.
    pub fn degraded(&self, reason: Option<DegradedReason>) {
        self.degraded.set(reason);
    }

    /// A frame was dropped.
    pub fn frame_dropped(&self, reason: FrameDrop) {
        self.frames_dropped(reason, 1);
    }

    /// So many frames were dropped.
    pub fn frames_dropped(&self, reason: FrameDrop, count: u64) {
        self.dropped[reason as usize].inc_by(count);
    }

    /// A frame was hidden as a whole.
    pub fn frame_hidden(&self, reason: Unknown) {
        self.hidden[reason as usize].inc();
    }

    /// A face of this height, in pixels of the camera's picture, was analysed.
    pub fn face_seen(&self, height: f32) {
        self.single(|single| single.face_height.observe(f64::from(height)));
    }

    /// A person was counted.
    pub fn person(&self, state: MaskState) {
        self.people[state as usize].inc();
    }

    /// So many people were counted.
    pub fn people(&self, state: MaskState, count: u64) {
        self.people[state as usize].inc_by(count);
    }

    /// A person was counted in a zone, or over a line (`door:forward`). A place that is not configured is left out: the
    /// labels are bounded.
    pub fn person_at(&self, zone: &str, state: MaskState) {
        if let Some((_, counters)) = read(&self.people_at).iter().find(|(name, _)| name == zone) {
            counters[state as usize].inc();
        }
    }

    /// People are counted at these places from now on. The series of others go; those of places that stay go on.
    pub fn set_zones(&self, zones: &[String]) {
        let _whole = self.change();
        let mut people_at = self.people_at.write();
        let (kept, gone) = std::mem::take(&mut *people_at).into_iter().partition(|(name, _)| zones.contains(name));
        *people_at = kept;
        for (zone, _) in gone {
            for state in MaskState::ALL {
                drop(self.people_family.remove_label_values(&[&self.name, &zone, state.as_str()]));
            }
        }
        for zone in zones {
            if !people_at.iter().any(|(name, _)| name == zone) {
                people_at.push((zone.clone(), people_of(&self.people_family, &self.name, zone)));
            }
        }
    }

    /// Whether the series that tell of single people by moving with them are left out: who looks often enough sees each
    /// one pass.
    pub fn withhold(&self, withheld: bool) {
        let _whole = self.change();
        let mut single = self.single.write();
        if withheld {
            *single = None;
            self.single_families.remove(&self.name);
        } else if single.is_none() {
            *single = Some(self.single_families.of(&self.name));
        }
    }

    fn single(&self, tell: impl FnOnce(&Single)) {
        if let Some(single) = &*read(&self.single) {
            tell(single);
        }
    }

    /// The zones, and lines with their directions, that people are counted at.
    pub fn zones(&self) -> Vec<String> {
        read(&self.people_at).iter().map(|(name, _)| name.clone()).collect()
    }

    /// People counted so far at each of them, in the order of [`MaskState::ALL`].
    pub fn people_by_zone(&self) -> Vec<(String, [u64; MaskState::ALL.len()])> {
        let people_at = read(&self.people_at);
        people_at.iter().map(|(name, counters)| (name.clone(), counters.each_ref().map(IntCounter::get))).collect()
    }

    /// People in the picture now, in the order of [`MaskState::ALL`].
    pub fn people_visible(&self, counts: [usize; MaskState::ALL.len()]) {
        self.single(|single| {
            for (gauge, count) in single.visible.iter().zip(counts) {
                gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
            }
        });
    }

    /// The compliance ratio of the sliding window; `None`: too few people, no figure is exported.
    pub fn compliance(&self, ratio: Option<f64>) {
        match ratio {
            Some(ratio) => self.compliance.with_label_values(&[&self.name]).set(ratio),
            None => drop(self.compliance.remove_label_values(&[&self.name])),
        }
    }

    /// Viewers of the annotated stream now.
    pub fn rtsp_clients(&self, count: usize) {
        self.rtsp_clients.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// Viewers of the annotated stream now.
    pub fn viewers(&self) -> i64 {
        self.rtsp_clients.get()
    }

    /// People counted so far, in the order of [`MaskState::ALL`].
    pub fn people_so_far(&self) -> [u64; MaskState::ALL.len()] {
        self.people.each_ref().map(IntCounter::get)
    }

    /// Frames decoded so far.
    pub fn frames_decoded(&self) -> u64 {
        self.frames[0].get()
    }

    /// Frames analysed so far.
    pub fn frames_analyzed(&self) -> u64 {
        self.frames[1].get()
    }
}
