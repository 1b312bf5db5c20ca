//! Whether enough of what a camera sends comes out decoded.

use prometheus::{IntGauge, IntGaugeVec, Registry};

use super::{DegradedReason, gauges};

/// `camera_degraded{camera,reason}`.
pub(super) struct DegradedFamily(IntGaugeVec);

impl DegradedFamily {
    pub(super) fn new(registry: &Registry) -> Result<Self, prometheus::Error> {
        let help = "1: over 10 s less than 80 % of what arrives, or of the announced rate, came out decoded.";
        Ok(Self(gauges(registry, "camera_degraded", help, &["camera", "reason"])?))
    }

    /// A camera's series, from now on.
    pub(super) fn camera(&self, name: &str) -> Degraded {
        Degraded(DegradedReason::ALL.map(|reason| self.0.with_label_values(&[name, reason.as_str()])))
    }

    /// They go.
    pub(super) fn remove(&self, name: &str) {
        for reason in DegradedReason::ALL {
            drop(self.0.remove_label_values(&[name, reason.as_str()]));
        }
    }
}

/// One camera's series: at most one of them is 1.
pub(super) struct Degraded([IntGauge; DegradedReason::ALL.len()]);

impl Degraded {
    pub(super) fn set(&self, reason: Option<DegradedReason>) {
        for (gauge, each) in self.0.iter().zip(DegradedReason::ALL) {
            gauge.set(i64::from(reason == Some(each)));
        }
    }
}
