//! The families of metrics that have a camera label, and the series of a camera in them.

use std::sync::Arc;

use maskwatch_vision::face::MaskState;
use maskwatch_vision::privacy::Unknown;
use maskwatch_vision::zone::WHOLE_PICTURE;
use prometheus::{GaugeVec, IntCounterVec, IntGauge, IntGaugeVec, Registry};
use tracing_mutex::parking_lot::RwLock;

use super::camera::{CameraMetrics, STAGES, people_of};
use super::degraded::DegradedFamily;
use super::single::SingleFamilies;
use super::{DisconnectReason, FrameDrop, PictureLoss, counters, float_gauges, gauges};
use crate::config::plan::Privacy;

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
