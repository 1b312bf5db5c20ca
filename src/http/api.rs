//! The API's view of a camera.

use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderMap, header};
use maskwatch_vision::placement::Figures;
use serde_json::{Value, json};

use super::{State, people};
use crate::config::plan::Privacy;
use crate::roster::Entry;
use crate::state_file::StoreHealth;

/// The host by which the client reached us, so that stream addresses are ones that it can reach too. Only what a host
/// may look like is taken over.
pub(super) fn host_of(headers: &HeaderMap) -> String {
    let given = headers.get(header::HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let host = match given.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, _)) => format!("[{v6}]"),
        None => given.split(':').next().unwrap_or_default().to_owned(),
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '[' | ']' | ':');
    if host.is_empty() || !host.chars().all(fits) { "127.0.0.1".to_owned() } else { host }
}

/// Address of an annotated stream.
pub(super) fn stream(host: &str, port: u16, name: &str) -> String {
    format!("rtsp://{host}:{port}/{name}")
}

/// Everything about one camera that may be told: no password, no query of its URL.
pub(super) fn view(entry: &Entry, state: &State, host: &str) -> Value {
    let name = &entry.plan.name;
    let (placement, advice) = entry.status.advice();
    let status = entry.status.view();
    let compliance = people::compliance(entry, state);
    json!({
        "name": name,
        "url": entry.plan.url.to_string(),
        "labels": entry.plan.labels,
        "state": status.state.as_str(),
        "since": timestamp(status.since),
        "failure": status.failure.as_ref().map(|failure| json!({
            "reason": failure.reason.as_str(), "cause": failure.cause, "hint": failure.hint,
        })),
        "degraded": status.degraded.as_ref().map(|degraded| json!({
            "reason": degraded.reason.as_str(), "message": degraded.message, "ratio": degraded.ratio,
            "since": timestamp(degraded.since),
        })),
        "last_frame": status.last_frame.map(timestamp),
        "connects": status.connects,
        "disconnects": status.disconnects,
        "picture": entry.hub.shape().map(|shape| json!({
            "width": shape.width,
            "height": shape.height,
            "fps": shape.fps.map(|fps| f64::from(fps.numer()) / f64::from(fps.denom())),
        })),
        "analyze_fps": entry.plan.analyze_fps,
        "frames": { "decoded": entry.metrics.frames_decoded(), "analyzed": entry.metrics.frames_analyzed() },
        "people": people::by_state(entry.metrics.people_so_far()),
        "compliance_ratio": compliance["ratio"],
        "compliance": compliance,
        "zones": people::zones(entry, state),
        "privacy": privacy(entry),
        "advice": advice,
        "placement": view_of(&placement),
        "viewers": entry.metrics.viewers(),
        "stream": stream(host, state.rtsp_port, name),
        "snapshot": format!("/api/v1/cameras/{name}/snapshot.jpg"),
    })
}

/// What is to outlive the process, and whether it is on the disk now.
pub(super) fn stores(state: &State) -> Vec<Value> {
    let view = |store: &Arc<StoreHealth>| {
        let standing = store.standing();
        json!({
            "store": store.store(),
            "ok": standing.problem.is_none(),
            "since": timestamp(standing.since),
            "problem": standing.problem,
        })
    };
    state.stores.iter().map(view).collect()
}

/// What the advice follows from: the last ten minutes.
fn view_of(placement: &Figures) -> Value {
    json!({
        "faces": placement.faces,
        "face_height_px": placement.face_height_px,
        "sharpness": placement.sharpness,
        "face_luma": placement.face_luma,
        "luma": placement.luma,
        "people": placement.people,
        "unknown_share": placement.unknown_share,
    })
}

/// The mode, since when, and with `statistics` how long and how many.
fn privacy(entry: &Entry) -> Value {
    let since = timestamp(entry.hub.since());
    let mode = entry.hub.privacy();
    if mode == Privacy::Statistics {
        let statistics = entry.plan.statistics;
        return json!({
            "mode": mode.as_str(), "since": since,
            "window_s": statistics.window.as_secs(), "minimum": statistics.minimum,
        });
    }
    json!({ "mode": mode.as_str(), "since": since })
}

/// RFC 3339, UTC, milliseconds.
pub(super) fn timestamp(time: SystemTime) -> String {
    humantime::format_rfc3339_millis(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_is_what_the_client_said_if_it_is_a_host() {
        let host = |value: &'static str| host_of(&HeaderMap::from_iter([(header::HOST, value.parse().unwrap())]));
        assert_eq!(host("cam.example:8080"), "cam.example");
        assert_eq!(host("[::1]:8080"), "[::1]");
        assert_eq!(host("10.0.0.1"), "10.0.0.1");
        assert_eq!(host("a/b\"c"), "127.0.0.1");
        assert_eq!(host_of(&HeaderMap::new()), "127.0.0.1");
    }
}
