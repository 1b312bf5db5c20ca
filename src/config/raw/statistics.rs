//! `statistics:`, for cameras with `privacy: statistics`.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawDuration;

/// What cameras with `privacy: statistics` tell.
#[derive(Clone, Copy, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Statistics")]
pub struct RawStatistics {
    /// Length of the windows whose totals are told, 1m to 24h. Default: 15m
    pub window: Option<RawDuration>,
    /// Fewest people in a number that is told, 3 to 1000; fewer wait for the next window. Default: 10
    pub minimum: Option<u32>,
}
