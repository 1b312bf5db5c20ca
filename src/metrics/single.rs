//! The series of a camera that move with single people. With `privacy: statistics` there are none.

use maskwatch_vision::face::MaskState;
use prometheus::{Histogram, HistogramVec, IntGauge, IntGaugeVec, Registry};

use super::{gauges, histograms};

/// Seconds from a decoded frame to its result.
const LATENCY: [f64; 10] = [0.02, 0.035, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5];
/// Heights of faces in pixels of the camera's picture.
const FACE_HEIGHT: [f64; 9] = [8.0, 12.0, 16.0, 24.0, 32.0, 48.0, 64.0, 128.0, 256.0];

/// The families.
#[derive(Clone)]
pub(super) struct SingleFamilies {
    latency: HistogramVec,
    visible: IntGaugeVec,
    face_height: HistogramVec,
}

/// One camera's.
pub(super) struct Single {
    pub(super) latency: Histogram,
    pub(super) visible: [IntGauge; MaskState::ALL.len()],
    pub(super) face_height: Histogram,
}

impl SingleFamilies {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let r = registry;
        let told = "From a decoded frame to the result of its analysis.";
        let heights = "Heights of analysed faces in the camera's picture.";
        Ok(Self {
            latency: histograms(r, "frame_latency_seconds", told, &["camera"], &LATENCY)?,
            visible: gauges(r, "people_visible", "People in the picture now.", &["camera", "state"])?,
            face_height: histograms(r, "face_height_pixels", heights, &["camera"], &FACE_HEIGHT)?,
        })
    }

    /// A camera's; they exist from now on.
    pub(super) fn of(&self, name: &str) -> Single {
        Single {
            latency: self.latency.with_label_values(&[name]),
            visible: MaskState::ALL.map(|state| self.visible.with_label_values(&[name, state.as_str()])),
            face_height: self.face_height.with_label_values(&[name]),
        }
    }

    /// Takes them out. Series that are not there are no fault.
    pub(super) fn remove(&self, name: &str) {
        drop(self.latency.remove_label_values(&[name]));
        for state in MaskState::ALL {
            drop(self.visible.remove_label_values(&[name, state.as_str()]));
        }
        drop(self.face_height.remove_label_values(&[name]));
    }
}
