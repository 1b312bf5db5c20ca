//! What the API tells of a camera.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use axum::http::{HeaderMap, header};
use maskwatch_vision::placement::Figures;
use schemars::JsonSchema;
use serde::Serialize;

use super::State;
use super::people::{self, ByState, Window, ZoneView};
use crate::camera::{Degradation, Failure};
use crate::config::plan::Privacy;
use crate::frames::Shape;
use crate::roster::Entry;
use crate::state_file::StoreHealth;

/// A camera: its configuration as far as it may be told (no password, no query of its URL), and how it fares
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct CameraView {
    /// Unique; the path of its stream and the label of its metrics
    name: String,
    /// Where its pictures come from; what may be secret in it is ***
    url: String,
    /// As configured
    labels: BTreeMap<String, String>,
    /// connecting: no picture yet and no failure yet; refused: the login is refused, and tried again after minutes only
    #[schemars(extend("enum" = ["connecting", "up", "down", "refused"]))]
    state: &'static str,
    /// Since when it has that state
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// What ended the last connection or attempt, while the camera is down
    failure: Option<WhyDown>,
    /// Why too little comes of a camera that is up
    degraded: Option<Degraded>,
    /// Last decoded picture of all connections
    #[schemars(extend("format" = "date-time"))]
    last_frame: Option<String>,
    /// Connections that gave a picture
    connects: u64,
    /// Connections and attempts that ended in a failure
    disconnects: u64,
    /// Null before the first one
    picture: Option<PictureFacts>,
    /// Pictures analysed per second at most; 0: all
    analyze_fps: f64,
    /// Pictures so far
    frames: FrameCounts,
    /// People counted since the start
    people: ByState,
    /// The ratio of `compliance`
    compliance_ratio: Option<f64>,
    /// The sliding window
    compliance: Window,
    /// Zones by name, and lines by direction as door:forward
    zones: Vec<ZoneView>,
    /// What may be seen of its pictures
    privacy: PrivacyMode,
    /// One sentence, where faces cannot be judged well
    advice: Option<String>,
    /// What the advice follows from: the last ten minutes
    placement: PlacementView,
    /// Clients that watch its stream
    viewers: i64,
    /// Address of the annotated stream
    stream: String,
    /// Path of the latest picture
    snapshot: String,
}

/// Why there are no pictures, in the words of the log
#[derive(Clone, Debug, Serialize, JsonSchema)]
pub(super) struct WhyDown {
    /// The label of maskwatch_camera_disconnects_total
    reason: &'static str,
    /// What happened
    cause: String,
    /// What to look at
    hint: &'static str,
}

/// Why too few pictures come out decoded
#[derive(Debug, Serialize, JsonSchema)]
struct Degraded {
    /// The label of maskwatch_camera_degraded
    reason: &'static str,
    /// What is the matter, and what to do about it
    message: String,
    /// Decoded pictures, of those that arrived or were announced in the last ten seconds, whichever is more
    #[schemars(range(min = 0.0, max = 1.0))]
    ratio: f64,
    /// Since when
    #[schemars(extend("format" = "date-time"))]
    since: String,
}

/// A camera's picture as it is shown
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Picture")]
struct PictureFacts {
    width: u32,
    height: u32,
    /// As the camera announces it
    fps: Option<f64>,
}

/// Pictures since the start
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Frames")]
struct FrameCounts {
    decoded: u64,
    analyzed: u64,
}

/// What may be seen of a camera's pictures
#[derive(Debug, Serialize, JsonSchema)]
struct PrivacyMode {
    /// off: all; blur: no face; statistics: no picture
    #[schemars(extend("enum" = ["off", "blur", "statistics"]))]
    mode: &'static str,
    /// Since when
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// With statistics: seconds of a window
    #[serde(skip_serializing_if = "Option::is_none")]
    window_s: Option<u64>,
    /// With statistics: fewest people in a number
    #[serde(skip_serializing_if = "Option::is_none")]
    minimum: Option<u64>,
}

/// How well faces can be seen; null: too little is known
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Placement")]
struct PlacementView {
    /// Faces looked at
    faces: usize,
    /// Their median height, in pixels
    face_height_px: Option<f32>,
    /// Their median sharpness
    sharpness: Option<f32>,
    /// Their median brightness
    face_luma: Option<f32>,
    /// Median brightness of the pictures
    luma: Option<f32>,
    /// People decided
    people: u64,
    /// Share of them that stayed unknown
    unknown_share: Option<f64>,
}

/// Something that is to outlive the process
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Store")]
pub(super) struct StoreView {
    /// The label of maskwatch_state_store_ok
    store: &'static str,
    /// All of it is on the disk
    ok: bool,
    /// Since when that is so
    #[schemars(extend("format" = "date-time"))]
    since: String,
    /// What is wrong
    problem: Option<String>,
}

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
pub(super) fn stream(host: &str, (scheme, port): (&str, u16), name: &str) -> String {
    format!("{scheme}://{host}:{port}/{name}")
}

/// Everything about one camera that may be told: no password, no query of its URL.
pub(super) fn view(entry: &Entry, state: &State, host: &str) -> CameraView {
    let name = &entry.plan.name;
    let (placement, advice) = entry.status.advice();
    let status = entry.status.view();
    let compliance = people::compliance(entry, state);
    CameraView {
        name: name.clone(),
        url: entry.plan.url.to_string(),
        labels: entry.plan.labels.clone(),
        state: status.state.as_str(),
        since: timestamp(status.since),
        failure: status.failure.as_ref().map(WhyDown::of),
        degraded: status.degraded.as_ref().map(Degraded::of),
        last_frame: status.last_frame.map(timestamp),
        connects: status.connects,
        disconnects: status.disconnects,
        picture: entry.hub.shape().map(PictureFacts::of),
        analyze_fps: entry.plan.analyze_fps,
        frames: FrameCounts { decoded: entry.metrics.frames_decoded(), analyzed: entry.metrics.frames_analyzed() },
        people: ByState::of(entry.metrics.people_so_far()),
        compliance_ratio: compliance.ratio(),
        compliance,
        zones: people::zones(entry, state),
        privacy: privacy(entry),
        advice,
        placement: PlacementView::of(&placement),
        viewers: entry.metrics.viewers(),
        stream: stream(host, state.rtsp, name),
        snapshot: format!("/api/v1/cameras/{name}/snapshot.jpg"),
    }
}

/// What is to outlive the process, and whether it is on the disk now.
pub(super) fn stores(state: &State) -> Vec<StoreView> {
    let view = |store: &Arc<StoreHealth>| {
        let standing = store.standing();
        let ok = standing.problem.is_none();
        StoreView { store: store.store(), ok, since: timestamp(standing.since), problem: standing.problem }
    };
    state.stores.iter().map(view).collect()
}

impl WhyDown {
    pub(super) fn of(failure: &Failure) -> Self {
        Self { reason: failure.reason.as_str(), cause: failure.cause.clone(), hint: failure.hint }
    }
}

impl Degraded {
    fn of(degraded: &Degradation) -> Self {
        Self {
            reason: degraded.reason.as_str(),
            message: degraded.message.clone(),
            ratio: degraded.ratio,
            since: timestamp(degraded.since),
        }
    }
}

impl PictureFacts {
    fn of(shape: Shape) -> Self {
        let fps = shape.fps.map(|fps| f64::from(fps.numer()) / f64::from(fps.denom()));
        Self { width: shape.width, height: shape.height, fps }
    }
}

impl PlacementView {
    fn of(figures: &Figures) -> Self {
        Self {
            faces: figures.faces,
            face_height_px: figures.face_height_px,
            sharpness: figures.sharpness,
            face_luma: figures.face_luma,
            luma: figures.luma,
            people: figures.people,
            unknown_share: figures.unknown_share,
        }
    }
}

/// The mode, since when, and with `statistics` how long and how many.
fn privacy(entry: &Entry) -> PrivacyMode {
    let mode = entry.hub.privacy();
    let statistics = Some(entry.plan.statistics).filter(|_| mode == Privacy::Statistics);
    PrivacyMode {
        mode: mode.as_str(),
        since: timestamp(entry.hub.since()),
        window_s: statistics.map(|statistics| statistics.window.as_secs()),
        minimum: statistics.map(|statistics| statistics.minimum),
    }
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
