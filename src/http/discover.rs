//! The search for cameras on the networks that the configuration names.

use std::sync::Arc;

use axum::Json;
use axum::http::StatusCode;
use schemars::JsonSchema;
use serde::Deserialize;

use super::Shared;
use super::ask::Body;
use super::problem::Problem;
use super::{State, probe};
use crate::config::plan::Credentials;
use crate::discover::{self, Discovery};

/// Searches at a time: each asks whole networks.
pub(super) const SEARCHES: usize = 1;

/// A login to try on each device. Each gets a proof of the password, not the password itself
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct DiscoverRequest {
    #[schemars(length(min = 1, max = 256), regex(pattern = probe::USERNAME))]
    username: String,
    /// Never given back
    #[schemars(length(min = 1, max = 256), regex(pattern = probe::PASSWORD), extend("format" = "password", "writeOnly" = true))]
    password: String,
}

/// Without a login: devices that want one are told of, without what they send.
pub(super) async fn discover(state: Shared) -> Result<Json<Discovery>, Problem> {
    search(&state, None).await
}

/// With a login.
pub(super) async fn with_login(
    state: Shared,
    Body(request): Body<DiscoverRequest>,
) -> Result<Json<Discovery>, Problem> {
    let login = probe::credentials(Some(request.username), Some(request.password));
    let login = login.map_err(|said| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, said))?;
    search(&state, login.as_ref()).await
}

async fn search(state: &State, login: Option<&Credentials>) -> Result<Json<Discovery>, Problem> {
    let networks = state.network.borrow().discover.clone();
    if networks.is_empty() {
        let why = "cameras are not searched for here: name the networks under network.discover, such as 10.0.0.0/24";
        return Err(Problem::new(StatusCode::FORBIDDEN, why));
    }
    let place = Arc::clone(&state.searches).try_acquire_owned();
    let _place = place.map_err(|_| Problem::busy("a search is under way; ask again in some seconds"))?;
    let found = discover::discover(&networks, login, &state.reach()).await;
    tracing::info!(devices = found.devices.len(), login = login.is_some(), "searched for cameras");
    Ok(Json(found))
}
