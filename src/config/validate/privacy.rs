//! Privacy modes.

use std::time::Duration;

use maskwatch_vision::privacy::LEAST_RATE;
use maskwatch_vision::statistics::StatisticsConfig;

use super::Check;
use crate::config::plan::{CameraPlan, Privacy};
use crate::config::raw::RawStatistics;
use crate::config::tree::Step;

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What cameras with `privacy: statistics` tell.
pub(super) fn statistics(check: &mut Check, raw: &RawStatistics) -> StatisticsConfig {
    let at = |key: &str| [Step::from("statistics"), Step::from(key)];
    let usual = StatisticsConfig::default();
    let window = raw.window.map_or(usual.window, |window| {
        check.range(&at("window"), window.0, (MINUTE, DAY), "1m to 24h; shorter windows tell of single people")
    });
    let minimum = raw.minimum.map_or(usual.minimum, |minimum| {
        u64::from(check.range(&at("minimum"), minimum, (3, 1000), "3 to 1000; fewer would tell of single people"))
    });
    StatisticsConfig { window, minimum }
}

/// Faces can be hidden only where they are looked for often enough.
pub(super) fn camera(check: &mut Check, at: &[Step], camera: &CameraPlan) {
    let slow = camera.analyze_fps > 0.0 && camera.analyze_fps < LEAST_RATE;
    if camera.privacy == Privacy::Blur && slow {
        let rate = camera.analyze_fps;
        let at: Vec<Step> = at.iter().cloned().chain([Step::from("privacy")]).collect();
        let what = format!("`blur` needs more than {rate} analyses per second");
        check.problem(&at, what, "whole pictures would stay hidden; set analyze_fps to 1 or more, better 5");
    }
}
