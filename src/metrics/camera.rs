//! Metrics of one camera.

use std::sync::Arc;
use std::time::Duration;

use maskwatch_vision::face::MaskState;
use maskwatch_vision::privacy::Unknown;
use prometheus::{Gauge, GaugeVec, IntCounter, IntCounterVec, IntGauge, IntGaugeVec};
use tracing_mutex::parking_lot::{RwLock, RwLockReadGuard};

use super::degraded::Degraded;
use super::single::{Single, SingleFamilies};
use super::{DegradedReason, DisconnectReason, FrameDrop, PictureLoss, unix_seconds};
use crate::config::plan::Privacy;

/// Stages of `frames_total`.
pub(super) const STAGES: [&str; 4] = ["decoded", "analyzed", "encoded", "received"];

pub(super) fn people_of(family: &IntCounterVec, camera: &str, zone: &str) -> [IntCounter; MaskState::ALL.len()] {
    MaskState::ALL.map(|state| family.with_label_values(&[camera, zone, state.as_str()]))
}

fn read<T>(lock: &RwLock<T>) -> RwLockReadGuard<'_, T> {
    lock.read()
}

/// The happenings of one camera. Cheap enough for every frame.
pub struct CameraMetrics {
    pub(super) name: String,
    pub(super) up: IntGauge,
    pub(super) last_frame: Gauge,
    pub(super) connects: IntCounter,
    pub(super) disconnects: [IntCounter; DisconnectReason::ALL.len()],
    pub(super) frames: [IntCounter; STAGES.len()],
    pub(super) dropped: [IntCounter; FrameDrop::ALL.len()],
    pub(super) lost: [IntCounter; PictureLoss::ALL.len()],
    pub(super) in_flight: IntGauge,
    pub(super) packets_lost: IntCounter,
    pub(super) degraded: Degraded,
    pub(super) hidden: [IntCounter; Unknown::ALL.len()],
    pub(super) privacy: IntGaugeVec,
    /// `None`: nothing that tells of single people is told.
    pub(super) single: RwLock<Option<Single>>,
    pub(super) single_families: SingleFamilies,
    pub(super) people: [IntCounter; MaskState::ALL.len()],
    /// By zone, and by line and direction.
    pub(super) people_at: RwLock<Vec<(String, [IntCounter; MaskState::ALL.len()])>>,
    pub(super) people_family: IntCounterVec,
    pub(super) compliance: GaugeVec,
    pub(super) rtsp_clients: IntGauge,
    pub(super) changing: Arc<RwLock<()>>,
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
