//! How people add up to shares.

use schemars::JsonSchema;
use serde::Deserialize;

use super::RawDuration;

/// Shares of people with a mask.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(rename = "Compliance")]
pub struct RawCompliance {
    /// Length of the sliding window, 1m to 7d. Default: 1h
    pub window: Option<RawDuration>,
    /// Steps in which the window moves on, 1s to 1h and no longer than the window. Default: 1m
    pub bucket: Option<RawDuration>,
    /// People with a known state below which no share is told, 1 to 10000. Default: 20
    pub min_people: Option<u64>,
    /// How long people by hour are kept, 1d to 366d. Default: 14d
    pub history: Option<RawDuration>,
}
