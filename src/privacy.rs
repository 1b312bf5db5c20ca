//! The record of privacy modes: what is in force for which camera, since when, by which configuration.
//!
//! One line per camera in the log, at the start and at each change, under the target [`AUDIT`]; the same in the metric
//! `privacy_mode_info` and in the API.

use crate::config::plan::{CameraPlan, Privacy};
use crate::frames::Hub;
use crate::metrics::CameraMetrics;

/// Target of the log lines: `MASKWATCH_LOG=maskwatch::audit=info` shows them alone.
pub const AUDIT: &str = "maskwatch::audit";

/// Records that a camera's mode is in force from now on. `version`: of the configuration.
pub fn record(plan: &CameraPlan, hub: &Hub, metrics: &CameraMetrics, version: &str) {
    metrics.privacy(plan.privacy);
    let since = humantime::format_rfc3339_seconds(hub.since());
    let (camera, mode) = (&plan.name, plan.privacy.as_str());
    if plan.privacy == Privacy::Statistics {
        let (window_s, minimum) = (plan.statistics.window.as_secs(), plan.statistics.minimum);
        tracing::info!(target: AUDIT, camera, mode, %since, config = version, window_s, minimum, "privacy mode in force");
    } else {
        tracing::info!(target: AUDIT, camera, mode, %since, config = version, "privacy mode in force");
    }
}
