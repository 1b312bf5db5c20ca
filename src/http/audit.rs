//! Who did what.

use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Shared;
use super::ask::Query;
use super::problem::Problem;

/// Entries where nothing is said.
const USUAL: usize = 100;

/// How many
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    /// Most entries. Default: 100
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<u32>,
}

/// What was done, the newest first
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Audit {
    #[schemars(with = "Vec<serde_json::Map<String, Value>>")]
    audit: Value,
}

/// The latest entries.
pub(super) async fn latest(state: Shared, Query(which): Query<Which>) -> Result<Json<Audit>, Problem> {
    let limit = which.limit.map_or(USUAL, |limit| limit as usize);
    if !(1..=1000).contains(&limit) {
        return Err(Problem::bad(format!("limit={limit} is out of range (1 to 1000)")));
    }
    let audit = serde_json::to_value(state.access.audit().latest(limit)).map_err(Problem::internal)?;
    Ok(Json(Audit { audit }))
}
