//! How people add up to shares.

use std::time::Duration;

use super::Check;
use crate::config::plan::CompliancePlan;
use crate::config::raw::RawCompliance;
use crate::config::tree::Step;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

pub(super) fn plan(check: &mut Check, raw: &RawCompliance) -> CompliancePlan {
    let at = |key: &str| [Step::from("compliance"), Step::from(key)];
    let usual = CompliancePlan::default();
    let window = raw.window.map_or(usual.window, |window| window.0);
    let bucket = raw.bucket.map_or(usual.bucket, |bucket| bucket.0);
    let history = raw.history.map_or(usual.history, |history| history.0);
    let plan = CompliancePlan {
        window: check.range(&at("window"), window, (MINUTE, 7 * DAY), "1m to 7d"),
        bucket: check.range(&at("bucket"), bucket, (Duration::from_secs(1), HOUR), "1s to 1h"),
        min_people: check.range(
            &at("min_people"),
            raw.min_people.unwrap_or(usual.min_people),
            (1, 10_000),
            "1 to 10000",
        ),
        history: check.range(&at("history"), history, (DAY, 366 * DAY), "1d to 366d"),
    };
    if plan.bucket.subsec_nanos() != 0 {
        check.problem(&at("bucket"), "not a whole number of seconds", "such as 10s or 1m");
    }
    if plan.bucket > plan.window {
        let key = if raw.bucket.is_some() { "bucket" } else { "window" };
        let hint = "a window has at least one step; give `bucket` and `window` together";
        check.problem(&at(key), "the step is longer than the window", hint);
    }
    plan
}
