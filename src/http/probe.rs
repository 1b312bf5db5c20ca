//! One look at a camera that need not be configured: what it sends, or why nothing comes.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::http::StatusCode;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Shared;
use super::ask::Body;
use super::problem::Problem;
use super::{State, snapshot};
use crate::camera::probe::{Limits, Report, look};
use crate::config::plan::{CameraPlan, Credentials, Privacy, Transport};
use crate::config::secret::{CameraUrl, Secret};
use crate::shutdown::Shutdown;

/// Looks at a time: each is a camera's pipeline.
pub(super) const PROBES: usize = 3;
/// Time for the pictures, and for all of the look; what ends it takes a second more.
const LIMITS: Limits = Limits { watch: Duration::from_secs(2), whole: Some(Duration::from_secs(8)) };
/// The answer is there by then.
const LONGEST: Duration = Duration::from_secs(10);
/// Longest texts that are taken.
const LONGEST_URL: usize = 2048;
const LONGEST_LOGIN: usize = 256;
/// One line without a `:`.
pub(super) const USERNAME: &str = "^[^:\\u0000-\\u001f\\u007f-\\u009f]+$";
/// One line that is not blank.
pub(super) const PASSWORD: &str =
    "^[^\\u0000-\\u001f\\u007f-\\u009f]*[^\\s\\u0000-\\u001f\\u007f-\\u009f][^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// A camera to look at
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(extend("dependentRequired" = { "username": ["password"], "password": ["username"] }))]
pub(super) struct ProbeRequest {
    /// rtsp://, rtsps://, http:// or https://, without user name and password
    #[schemars(length(min = 1, max = 2048), regex(pattern = "^(rtsp|rtsps|http|https)://.+"), extend("format" = "uri"))]
    url: String,
    /// For the camera's login, with `password`
    #[serde(default)]
    #[schemars(length(min = 1, max = 256), regex(pattern = USERNAME))]
    username: Option<String>,
    /// For the camera's login; never given back
    #[serde(default)]
    #[schemars(length(min = 1, max = 256), regex(pattern = PASSWORD), extend("format" = "password", "writeOnly" = true))]
    password: Option<String>,
    /// How RTSP media travels; auto: UDP, then TCP where nothing arrives. Default: tcp
    #[serde(default)]
    transport: ProbeTransport,
    /// Accept a server certificate that does not verify. Default: false
    #[serde(default)]
    insecure_tls: bool,
    /// Give a small picture, too. Default: false
    #[serde(default)]
    picture: bool,
}

#[derive(Clone, Copy, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ProbeTransport {
    #[default]
    Tcp,
    Udp,
    Auto,
}

/// What a look at a camera found
#[derive(Serialize, JsonSchema)]
pub(super) struct ProbeAnswer {
    #[serde(flatten)]
    report: Report,
    /// A JPEG in Base64, at most 320 pixels wide; null: not asked for, none came, or cameras of the configuration have
    /// a privacy mode, which a look does not know how to keep
    picture: Option<String>,
}

/// Ends a look whose asker is gone.
struct EndsOnDrop(Shutdown);

impl Drop for EndsOnDrop {
    fn drop(&mut self) {
        self.0.set();
    }
}

/// Connects once, and tells.
pub(super) async fn probe(state: Shared, Body(request): Body<ProbeRequest>) -> Result<Json<ProbeAnswer>, Problem> {
    let picture = request.picture && pictures_may_leave(&state);
    let plan = plan(&state, request)?;
    let place = Arc::clone(&state.probes).try_acquire_owned();
    let place = place.map_err(|_| Problem::busy(format!("{PROBES} looks are under way; ask again in some seconds")))?;
    fit(&plan).await?;
    tracing::info!("probe of {}", plan.url);
    let stop = Shutdown::new();
    let _ends = EndsOnDrop(stop.clone());
    let looking = tokio::task::spawn_blocking(move || {
        let (report, shown) = look(&plan, LIMITS, &stop);
        drop(place);
        let small = shown.filter(|_| picture).and_then(|shown| snapshot::small(&shown).ok());
        ProbeAnswer { report, picture: small.map(|jpeg| BASE64_STANDARD.encode(jpeg)) }
    });
    match tokio::time::timeout(LONGEST, looking).await {
        Ok(answer) => answer.map(Json).map_err(Problem::internal),
        Err(_) => Err(Problem::new(StatusCode::GATEWAY_TIMEOUT, "the look did not end in time")),
    }
}

/// A camera that hides its faces may have another address, too.
fn pictures_may_leave(state: &State) -> bool {
    state.roster.all().iter().all(|entry| entry.plan.privacy == Privacy::Off)
}

fn plan(state: &State, request: ProbeRequest) -> Result<CameraPlan, Problem> {
    let unfit = |detail: String| Problem::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
    let url = CameraUrl::parse(&request.url).map_err(|problem| unfit(format!("url: {problem}")))?;
    if url.host().is_none() || request.url.len() > LONGEST_URL {
        return Err(unfit("url: rtsp, rtsps, http and https are looked at, of up to 2048 characters".into()));
    }
    Ok(CameraPlan {
        credentials: credentials(request.username, request.password).map_err(|said| unfit(said.into()))?,
        transport: match request.transport {
            ProbeTransport::Tcp => Transport::Tcp,
            ProbeTransport::Udp => Transport::Udp,
            ProbeTransport::Auto => Transport::Auto,
        },
        insecure_tls: request.insecure_tls,
        reach: state.reach(),
        ..CameraPlan::new("probe", url)
    })
}

/// A login, of both parts or none.
pub(super) fn credentials(
    username: Option<String>,
    password: Option<String>,
) -> Result<Option<Credentials>, &'static str> {
    let (username, password) = match (username, password) {
        (None, None) => return Ok(None),
        (Some(username), Some(password)) => (username, password),
        _ => return Err("username and password belong together"),
    };
    let fits = |text: &str| (1..=LONGEST_LOGIN).contains(&text.chars().count()) && !text.contains(char::is_control);
    if username.contains(':') || !fits(&username) {
        return Err("username: one line of up to 256 characters without a `:`");
    }
    if !fits(&password) {
        return Err("password: one line of up to 256 characters");
    }
    let password = Secret::read(&password).map_err(|_| "password: one line that is not empty")?;
    Ok(Some(Credentials { username, password }))
}

/// Says at once what each connection is checked for again.
async fn fit(plan: &CameraPlan) -> Result<(), Problem> {
    let (Some(host), Some(port)) = (plan.url.host(), plan.url.port()) else { return Ok(()) };
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let looked_up = tokio::time::timeout(LONGEST / 5, plan.reach.resolve(bare, port)).await;
    match looked_up {
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::PermissionDenied => {
            Err(Problem::new(StatusCode::FORBIDDEN, error.to_string()))
        }
        // A name that is unknown is told of in the words of a camera's log.
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_has_both_parts_and_is_never_repeated() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(credentials(None, None), Ok(None));
        assert!(credentials(some("ops"), some("hunter2")).unwrap().is_some());
        for (username, password) in [
            (some("ops"), None),
            (None, some("hunter2")),
            (some(""), some("hunter2")),
            (some("o:ps"), some("hunter2")),
            (some("ops"), some(" ")),
            (some("ops"), some("hunter2\nx")),
        ] {
            let said = credentials(username, password).unwrap_err();
            assert!(!said.contains("hunter2") && !said.contains("ps:"), "{said}");
        }
    }
}
