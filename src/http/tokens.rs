//! Tokens of machines by request: the same file, and the same changes, as those of `maskwatch token`.

use std::collections::BTreeMap;
use std::time::SystemTime;

use axum::http::StatusCode;
use axum::{Extension, Json};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::timestamp;
use super::ask::{Body, Name, Query};
use super::guard::Peer;
use super::problem::Problem;
use super::users::{Which, in_turn, problem, said};
use super::{Shared, paging};
use crate::access::edit::{Expiry, Objection};
use crate::access::{Access, Asked, Caller, Grant, Role, Scope, Token};

/// A token of a machine; never the token itself
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Token")]
pub(super) struct TokenView {
    /// Unique among tokens
    name: String,
    /// What may be done by it
    #[schemars(with = "String", extend("enum" = ["metrics", "viewer", "operator"]))]
    role: Role,
    /// A viewer's labels of the cameras that it sees; empty: all cameras
    labels: BTreeMap<String, String>,
    /// When it was made
    #[schemars(extend("format" = "date-time"))]
    created: String,
    /// When it ends; null: never
    #[schemars(extend("format" = "date-time"))]
    expires: Option<String>,
    /// It has ended
    expired: bool,
    /// As far as is known
    #[schemars(extend("format" = "date-time"))]
    last_used: Option<String>,
}

/// Tokens, in the order of the file
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Tokens {
    tokens: Vec<TokenView>,
    /// Cursor of the next page; null: this is the last one
    next: Option<String>,
}

/// What a machine is to come in by
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "name": "prometheus", "role": "metrics", "expires_in": "90d" }))]
pub(super) struct NewToken {
    /// What it is for: letters, digits and `. _ - @ +`, beginning with a letter or a digit
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// What may be done by it
    #[schemars(with = "String", extend("enum" = ["metrics", "viewer", "operator"]))]
    role: Role,
    /// Of a viewer: labels of the cameras that may be seen; none: all cameras
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// How long it holds, as 90d or 12h; or never. Default: 365d
    expires_in: Option<String>,
}

/// A new token
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "NewTokenMade")]
pub(super) struct Made {
    /// What to send as `Authorization: Bearer`. It is kept nowhere, and not told again
    token: String,
    about: TokenView,
}

fn view(access: &Access, token: &Token, now: SystemTime) -> TokenView {
    TokenView {
        name: token.name.clone(),
        role: token.role,
        labels: token.labels.labels().clone(),
        created: timestamp(token.created),
        expires: token.expires.map(timestamp),
        expired: token.expired(now),
        last_used: access.last_used(token).map(timestamp),
    }
}

/// All tokens.
pub(super) async fn list(state: Shared, Query(which): Query<Which>) -> Result<Json<Tokens>, Problem> {
    state.access.keeps_users().map_err(|objection| problem(&objection))?;
    let limit = paging::limit(which.limit, paging::MOST)?;
    let (book, now) = (state.access.book(), SystemTime::now());
    let name = |token: &&Token| token.name.clone();
    let (page, next) = paging::page(book.tokens.iter().collect(), name, which.cursor.as_deref(), limit)?;
    Ok(Json(Tokens { tokens: page.into_iter().map(|token| view(&state.access, token, now)).collect(), next }))
}

/// A machine comes. 201, with its token.
pub(super) async fn add(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Body(new): Body<NewToken>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let NewToken { name, role, labels, expires_in } = new;
    let expiry = Expiry::read(expires_in.as_deref().unwrap_or(Expiry::USUAL));
    let expiry = expiry.map_err(|hint| problem(&Objection::Unfit(format!("expires_in: {hint}"))))?;
    let grant = Grant { role, scope: Scope::of(labels) };
    let made = in_turn(&state, move |access| {
        let asked = Asked { by: &caller, from: peer.0, what: "token.added", whom: format!("token:{name}") };
        let now = SystemTime::now();
        let (token, ticket) = access.edit(&asked, |book| {
            let said = said(&asked.whom, &grant);
            Ok((book.add_token(&name, grant, expiry, now)?, said))
        })?;
        Ok(Made { token: ticket.expose().to_owned(), about: view(access, &token, now) })
    });
    Ok((StatusCode::CREATED, Json(made.await?)))
}

/// A token is worth nothing any more: its streams end.
pub(super) async fn remove(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
) -> Result<StatusCode, Problem> {
    in_turn(&state, move |access| {
        let asked = Asked { by: &caller, from: peer.0, what: "token.removed", whom: format!("token:{name}") };
        access.edit(&asked, |book| book.remove_token(&name).map(|()| ((), asked.whom.clone())))
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
