//! Users by request: the same file, and the same changes, as those of `maskwatch user`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::api::timestamp;
use super::ask::{Body, Name, Query};
use super::guard::Peer;
use super::problem::Problem;
use super::{Shared, State, change, paging, session, tags};
use crate::access::edit::{NewPassword, Objection, UserChange, check_user};
use crate::access::{Access, Asked, Book, Caller, DigestForm, Grant, Role, Scope, User, UsersError};

/// What of a name does not stand in a path as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'_').remove(b'-');
/// Changes at a time: one is made, others may wait for it.
pub(super) const EDITS: usize = 4;

/// Which of them
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(super) struct Which {
    /// Most entries of a page. Default: 500
    #[schemars(range(min = 1, max = 500))]
    pub(super) limit: Option<u32>,
    /// `next` of the page before
    #[schemars(regex(pattern = "^[0-9]{1,9}\\..+$"))]
    pub(super) cursor: Option<String>,
}

/// Somebody with a password
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "User")]
pub(super) struct UserView {
    /// Unique
    name: String,
    /// What they may do
    #[schemars(with = "String", extend("enum" = ["viewer", "operator"]))]
    role: Role,
    /// A viewer sees the cameras that have all of these labels; empty: all cameras
    labels: BTreeMap<String, String>,
    /// Whether they may log in at the streams by Digest
    rtsp_digest: bool,
    /// When the password was set
    #[schemars(extend("format" = "date-time"))]
    password_changed: String,
}

/// Users, in the order of the file; never a password, nor a hash of one
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct Users {
    users: Vec<UserView>,
    /// Cursor of the next page; null: this is the last one
    next: Option<String>,
}

/// Who comes
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!(
    { "name": "guard", "role": "viewer", "labels": { "site": "mall-a" }, "password": "correct horse" }
))]
pub(super) struct NewUser {
    /// Letters, digits and `. _ - @ +`, beginning with a letter or a digit
    #[schemars(length(min = 1, max = 64))]
    name: String,
    /// What they may do
    #[schemars(with = "String", extend("enum" = ["viewer", "operator"]))]
    role: Role,
    /// Of a viewer: labels of the cameras that may be seen; none: all cameras
    #[serde(default)]
    labels: BTreeMap<String, String>,
    /// Kept as a hash alone
    #[schemars(length(min = 8, max = 1024))]
    password: String,
    /// Keep the form of the password that a login by Digest at the streams needs: as good as the password there
    #[serde(default)]
    rtsp_digest: bool,
}

/// What is another from now on; what is left out stays
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(example = serde_json::json!({ "role": "viewer", "labels": {} }))]
pub(super) struct ChangedUser {
    /// What they may do
    #[schemars(with = "Option<String>", extend("enum" = ["viewer", "operator", null]))]
    role: Option<Role>,
    /// Of a viewer: labels of the cameras that may be seen; none: all cameras
    labels: Option<BTreeMap<String, String>>,
    /// Kept as a hash alone; sessions with the old one end
    #[schemars(length(min = 8, max = 1024))]
    password: Option<String>,
    /// Whether the form of the password for Digest is kept; true needs a password, unless it is kept already
    rtsp_digest: Option<bool>,
}

fn view(user: &User) -> UserView {
    let labels = user.labels.labels().clone();
    UserView {
        name: user.name.clone(),
        role: user.role,
        labels,
        rtsp_digest: user.rtsp_digest.is_some(),
        password_changed: timestamp(user.changed),
    }
}

/// All users. The tag is that of all of them.
pub(super) async fn list(state: Shared, Query(which): Query<Which>) -> Result<Response, Problem> {
    state.access.keeps_users().map_err(|objection| problem(&objection))?;
    let limit = paging::limit(which.limit, paging::MOST)?;
    let book = state.access.book();
    let name = |user: &&User| user.name.clone();
    let (page, next) = paging::page(book.users.iter().collect(), name, which.cursor.as_deref(), limit)?;
    let users = Users { users: page.into_iter().map(view).collect(), next };
    Ok(tags::tagged(&state.tags.users(&book.users), Json(users)))
}

/// One of them.
pub(super) async fn one(state: Shared, Name(name): Name) -> Result<Response, Problem> {
    shown(&state, &name)
}

fn shown(state: &State, name: &str) -> Result<Response, Problem> {
    state.access.keeps_users().map_err(|objection| problem(&objection))?;
    let book = state.access.book();
    let user = book.user(name).ok_or_else(|| problem(&Objection::NoUser(name.to_owned())))?;
    Ok(tags::tagged(&state.tags.users([user]), Json(view(user))))
}

/// Somebody comes. 201, with their address.
pub(super) async fn add(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Body(new): Body<NewUser>,
) -> Result<Response, Problem> {
    let NewUser { name, role, labels, password, rtsp_digest } = new;
    let grant = Grant { role, scope: Scope::of(labels) };
    let whom = name.clone();
    in_turn(&state, move |access| {
        access.keeps_users()?;
        check_user(&whom, &grant)?;
        if access.book().user(&whom).is_some() {
            return Err(Objection::UserThere(whom));
        }
        let new = hashed(access, &whom, &password)?;
        let asked = Asked { by: &caller, from: peer.0, what: "user.added", whom };
        access.edit(&asked, |book| {
            let said = said(&asked.whom, &grant);
            book.add_user(&asked.whom, grant, new, rtsp_digest, SystemTime::now()).map(|()| ((), said))
        })
    })
    .await?;
    let place = [(header::LOCATION, format!("/api/v1/users/{}", utf8_percent_encode(&name, ESCAPED)))];
    Ok((StatusCode::CREATED, place, shown(&state, &name)?).into_response())
}

/// Somebody has another role, other cameras or another password.
pub(super) async fn change(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    headers: HeaderMap,
    Body(changed): Body<ChangedUser>,
) -> Result<Response, Problem> {
    let oneself = state.access.is_oneself(&caller, &name);
    if oneself && changed.role.is_some_and(|role| !role.covers(caller.grant().role)) {
        return Err(problem(&Objection::Oneself(name)));
    }
    let sessions = |id| state.access.session(id).is_some_and(|owner| state.access.is_oneself(&owner, &name));
    let renews = oneself && changed.password.is_some() && session::cookies(&headers).any(sessions);
    let seen = seen(&headers);
    let (shared, whom) = (Arc::clone(&state), name.clone());
    in_turn(&state, move |access| {
        access.keeps_users()?;
        if access.book().user(&whom).is_none() {
            return Err(Objection::NoUser(whom));
        }
        let password = changed.password.as_deref().map(|password| hashed(access, &whom, password)).transpose()?;
        let asked = Asked { by: &caller, from: peer.0, what: "user.changed", whom };
        access.edit(&asked, |book| {
            let user = as_seen(&shared, book, &asked.whom, seen.as_deref())?;
            let (before, again) = (user.grant(), password.is_some());
            let scope = changed.labels.map_or_else(|| before.scope.clone(), Scope::of);
            let grant = Grant { role: changed.role.unwrap_or(before.role), scope };
            let mut said = said(&asked.whom, &grant);
            if again {
                said += ", another password";
            }
            match changed.rtsp_digest {
                Some(true) => said += ", with a form for Digest",
                Some(false) => said += ", without a form for Digest",
                None => {}
            }
            let grant = Some(grant).filter(|grant| *grant != before);
            let change = UserChange { grant, password, rtsp_digest: changed.rtsp_digest };
            book.change_user(&asked.whom, change, SystemTime::now()).map(|()| ((), said))
        })
    })
    .await?;
    let mut response = shown(&state, &name)?;
    // Who changed their own password by a page stays logged in there, and nowhere else.
    if renews
        && let Ok(caller) = state.access.again(&name)
        && let Some(cookie) = session::renewed(&state, &caller, peer.0)
    {
        response.headers_mut().insert(header::SET_COOKIE, cookie);
    }
    Ok(response)
}

/// Somebody goes: their sessions and streams end.
pub(super) async fn remove(
    state: Shared,
    Extension(caller): Extension<Caller>,
    Extension(peer): Extension<Peer>,
    Name(name): Name,
    headers: HeaderMap,
) -> Result<StatusCode, Problem> {
    if state.access.is_oneself(&caller, &name) {
        return Err(problem(&Objection::Oneself(name)));
    }
    let (shared, seen) = (Arc::clone(&state), seen(&headers));
    in_turn(&state, move |access| {
        let asked = Asked { by: &caller, from: peer.0, what: "user.removed", whom: name };
        access.edit(&asked, |book| {
            as_seen(&shared, book, &asked.whom, seen.as_deref())?;
            book.remove_user(&asked.whom).map(|()| ((), asked.whom.clone()))
        })
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Does what waits for the disk and for hashes on another thread; few wait at a time.
pub(super) async fn in_turn<T: Send + 'static>(
    state: &State,
    edit: impl FnOnce(&Access) -> Result<T, Objection> + Send + 'static,
) -> Result<T, Problem> {
    let Ok(place) = Arc::clone(&state.edits).try_acquire_owned() else {
        return Err(Problem::busy("too many changes of users wait already"));
    };
    let access = Arc::clone(&state.access);
    let made = tokio::task::spawn_blocking(move || {
        let made = edit(&access);
        drop(place);
        made
    });
    made.await.map_err(Problem::internal)?.map_err(|objection| problem(&objection))
}

fn hashed(access: &Access, name: &str, password: &str) -> Result<NewPassword, Objection> {
    let hash = access.hashed(password).map_err(|problem| Objection::Unfit(problem.to_string()))?;
    Ok(NewPassword { hash, form: DigestForm::of(name, password) })
}

/// Tags that the caller has seen (`If-Match`).
fn seen(headers: &HeaderMap) -> Option<Vec<String>> {
    let seen: Vec<String> = change::if_match(headers).map(str::to_owned).collect();
    (!seen.is_empty()).then_some(seen)
}

/// The user, if they are still as the caller has seen them.
fn as_seen<'a>(state: &State, book: &'a Book, name: &str, seen: Option<&[String]>) -> Result<&'a User, Objection> {
    let user = book.user(name).ok_or_else(|| Objection::NoUser(name.to_owned()))?;
    let tag = state.tags.users([user]);
    let fits = seen.is_none_or(|seen| seen.iter().any(|one| one == "*" || *one == tag));
    if fits { Ok(user) } else { Err(Objection::Changed) }
}

/// Who may do what, for the audit.
pub(super) fn said(whom: &str, grant: &Grant) -> String {
    let labels = if grant.scope.is_whole() { String::new() } else { format!(", {}", grant.scope) };
    format!("{whom}: {}{labels}", grant.role)
}

pub(super) fn problem(objection: &Objection) -> Problem {
    let status = match objection {
        Objection::NoUser(_) | Objection::NoToken(_) => StatusCode::NOT_FOUND,
        Objection::Unfit(_) => StatusCode::UNPROCESSABLE_ENTITY,
        Objection::Revoked => StatusCode::UNAUTHORIZED,
        Objection::Changed => StatusCode::PRECONDITION_FAILED,
        Objection::File(UsersError::Disk { .. }) => StatusCode::INSUFFICIENT_STORAGE,
        _ => StatusCode::CONFLICT,
    };
    Problem::new(status, objection.to_string())
}
