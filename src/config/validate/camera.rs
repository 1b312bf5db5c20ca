//! The cameras.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Duration;

use maskwatch_vision::statistics::StatisticsConfig;
use maskwatch_vision::zone::Areas;

use super::{Check, Included, Login, privacy, zones};
use crate::config::plan::{CameraPlan, Credentials, OutputPlan, Privacy, Transport};
use crate::config::raw::{RawCamera, RawConfig, RawOutput, RawPrivacy, RawTransport};
use crate::config::secret::CameraUrl;
use crate::config::tree::Step;
use crate::reach::Reach;

/// Paths of the RTSP server that are no camera.
const RESERVED: [&str; 1] = ["mosaic"];
const MOST_LABELS: usize = 16;
const LONGEST_LABEL: usize = 128;

/// All cameras that have what a camera needs, those of the file first; and the files of those that are included. `bounds`:
/// where those that the API wrote may be.
pub(super) fn all(
    check: &mut Check,
    raw: &RawConfig,
    (included, bounds): (&[Included], &Reach),
    statistics: StatisticsConfig,
) -> (Vec<CameraPlan>, BTreeMap<String, PathBuf>) {
    let shared = shared(check, raw, statistics);
    let cameras_at = ["cameras".into()];
    let empty = !check.place(&cameras_at).written || check.tree.is_empty_list(&cameras_at);
    if empty && raw.include.is_none() {
        let hint = "add for example:  cameras: [{ name: gate, url: rtsp://10.0.0.21:554/stream1 }]";
        check.problem(&cameras_at, "no cameras", hint);
    }
    let mut first = HashMap::new();
    let at = |index: usize| [Step::from("cameras"), Step::from(index)];
    let own = raw.cameras.iter().enumerate();
    let mut cameras: Vec<CameraPlan> =
        own.filter_map(|(index, camera)| one(check, &at(index), camera, &shared, &mut first)).collect();
    let mut files = BTreeMap::new();
    for one_file in included {
        let (Included { file, tree, cameras: written, .. }, ours) = (one_file, one_file.is_ours());
        let folder = file.parent().unwrap_or(Path::new(""));
        let surroundings = check.surroundings;
        let mut check = Check { tree, file: Some(file), folder, surroundings, problems: &mut *check.problems };
        for (at, camera) in written {
            if let Some(mut plan) = one(&mut check, at, camera, &shared, &mut first) {
                if ours {
                    bound(&mut check, at, &mut plan, bounds);
                }
                files.insert(plan.name.clone(), file.clone());
                cameras.push(plan);
            }
        }
    }
    (cameras, files)
}

/// What the API names is not what people name: no files, no devices, and only addresses within its bounds.
fn bound(check: &mut Check, at: &[Step], plan: &mut CameraPlan, bounds: &Reach) {
    if matches!(plan.url.scheme(), "file" | "v4l2") {
        let hint = "rtsp, rtsps, http or https; write files and devices into the configuration by hand";
        check.problem(&under(at, "url"), "the API adds cameras of the network alone", hint);
    }
    plan.reach = bounds.clone();
}

/// What cameras have that do not say it themselves.
struct Shared<'a> {
    raw: &'a RawCamera,
    login: Option<Credentials>,
    areas: Areas,
    statistics: StatisticsConfig,
}

fn shared<'a>(check: &mut Check, raw: &'a RawConfig, statistics: StatisticsConfig) -> Shared<'a> {
    let defaults = &raw.defaults;
    let at = [Step::from("defaults")];
    for (key, written) in [("name", defaults.name.is_some()), ("url", defaults.url.is_some())] {
        if written {
            check.problem(
                &["defaults".into(), key.into()],
                "cannot be the same for every camera",
                "write it at the camera",
            );
        }
    }
    let login = keys(check, &at, defaults);
    let areas = zones::areas(check, &under(&at, "zones"), defaults.zones.as_deref().unwrap_or_default());
    Shared { raw: defaults, login, areas, statistics }
}

fn one(
    check: &mut Check,
    at: &[Step],
    camera: &RawCamera,
    shared: &Shared,
    first: &mut HashMap<String, String>,
) -> Option<CameraPlan> {
    let login = keys(check, at, camera).or_else(|| shared.login.clone());
    let name = name(check, at, camera, first);
    let url = url(check, at, camera);
    let own = camera.zones.as_ref().map(|zones| zones::areas(check, &under(at, "zones"), zones));
    let areas = own.unwrap_or_else(|| shared.areas.clone());
    let plan = CameraPlan {
        areas: with_height(areas, camera, shared.raw),
        statistics: shared.statistics,
        ..merge(name?, url?, login, camera, shared.raw)
    };
    privacy::camera(check, at, &plan);
    Some(plan)
}

/// The areas with the least face height of the camera or of all.
fn with_height(areas: Areas, own: &RawCamera, shared: &RawCamera) -> Areas {
    let pixels = own.min_face_px.or(shared.min_face_px).unwrap_or_default();
    Areas { min_face_height_px: pixels as f32, ..areas }
}

fn under(at: &[Step], key: &str) -> Vec<Step> {
    at.iter().cloned().chain([Step::from(key)]).collect()
}

fn name(check: &mut Check, at: &[Step], camera: &RawCamera, first: &mut HashMap<String, String>) -> Option<String> {
    let place = check.place(&under(at, "name"));
    let Some(name) = &camera.name else {
        if !place.written {
            check.problem(at, "the camera has no `name`", "lower-case letters, digits and `-`, such as north-gate");
        }
        return None;
    };
    let at = under(at, "name");
    check.name(&at, name, "north-gate");
    if RESERVED.contains(&name.as_str()) {
        check.problem(&at, format!("`{name}` is reserved"), format!("/{name} shows all cameras; choose another name"));
    }
    match first.get(name) {
        Some(seen) => {
            let what = format!("{} is the name of another camera", check.tree.said(&at));
            check.problem(&at, what, format!("see {seen}"));
        }
        None => {
            let line = format!("line {}", place.line);
            let of = |file: &Path| format!("{}:{}", file.display(), place.line);
            first.insert(name.clone(), check.file.map_or(line, of));
        }
    }
    Some(name.clone())
}

fn url(check: &mut Check, at: &[Step], camera: &RawCamera) -> Option<CameraUrl> {
    let key = under(at, "url");
    let Some(url) = &camera.url else {
        if !check.place(&key).written {
            check.problem(at, "the camera has no `url`", "such as rtsp://10.0.0.21:554/stream1");
        }
        return None;
    };
    match CameraUrl::parse(url) {
        Ok(url) => Some(url),
        Err(problem) => {
            let (what, hint) = problem.said();
            check.problem(&key, what, hint);
            None
        }
    }
}

/// Checks the keys that `defaults` and a camera share; returns the login written there.
fn keys(check: &mut Check, at: &[Step], raw: &RawCamera) -> Option<Credentials> {
    let seconds = Duration::from_secs;
    if let Some(latency) = raw.latency {
        check.range(&under(at, "latency"), latency.0, (Duration::ZERO, seconds(10)), "0s to 10s");
    }
    if let Some(timeout) = raw.timeout {
        check.range(&under(at, "timeout"), timeout.0, (Duration::from_millis(500), seconds(600)), "500ms to 10m");
    }
    if let Some(fps) = raw.analyze_fps {
        check.range(&under(at, "analyze_fps"), fps, (0.0, 120.0), "0 to 120; 0: every frame");
    }
    if let Some(weight) = raw.weight {
        check.range(&under(at, "weight"), weight, (1, 100), "1 to 100");
    }
    if let Some(score) = raw.min_score {
        check.range(&under(at, "min_score"), score, (0.0, 1.0), "0 to 1");
    }
    if let Some(pixels) = raw.min_face_px {
        check.range(&under(at, "min_face_px"), pixels, (0, 1000), "0 to 1000; 0: all faces");
    }
    labels(check, &under(at, "labels"), &raw.labels);
    output(check, &under(at, "output"), &raw.output);
    let login = Login {
        username: raw.username.as_ref(),
        password: raw.password.as_ref(),
        password_file: raw.password_file.as_ref(),
    };
    check.login(at, &login)
}

fn labels(check: &mut Check, at: &[Step], labels: &BTreeMap<String, String>) {
    if labels.len() > MOST_LABELS {
        check.problem(at, format!("{} labels", labels.len()), format!("at most {MOST_LABELS}"));
    }
    for (key, value) in labels {
        let mut chars = key.chars();
        let begins = chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_');
        if !begins || !chars.all(|c| c.is_ascii_alphanumeric() || c == '_') {
            check.problem(&under(at, key), "not a label's name", "letters, digits and `_`; a digit is not first");
        }
        if value.len() > LONGEST_LABEL {
            check.problem(&under(at, key), "the value is too long", format!("at most {LONGEST_LABEL} bytes"));
        }
    }
}

fn output(check: &mut Check, at: &[Step], output: &RawOutput) {
    if let Some(rate) = output.bitrate_kbps {
        check.range(&under(at, "bitrate_kbps"), rate, (50, 100_000), "50 to 100000");
    }
    if let Some(fps) = output.max_fps {
        check.range(&under(at, "max_fps"), fps, (1, 120), "1 to 120; leave it out for every frame");
    }
}

/// A camera's own keys before the defaults, and those before the program's.
fn merge(
    name: String,
    url: CameraUrl,
    credentials: Option<Credentials>,
    own: &RawCamera,
    shared: &RawCamera,
) -> CameraPlan {
    let usual = CameraPlan::new(name, url);
    let duration = |own: Option<crate::config::raw::RawDuration>, shared: Option<_>| own.or(shared).map(|d| d.0);
    let mut labels = shared.labels.clone();
    labels.extend(own.labels.clone());
    CameraPlan {
        credentials,
        transport: own.transport.or(shared.transport).map_or(usual.transport, |transport| match transport {
            RawTransport::Tcp => Transport::Tcp,
            RawTransport::Udp => Transport::Udp,
            RawTransport::Auto => Transport::Auto,
        }),
        latency: duration(own.latency, shared.latency).unwrap_or(usual.latency),
        timeout: duration(own.timeout, shared.timeout).unwrap_or(usual.timeout),
        insecure_tls: own.insecure_tls.or(shared.insecure_tls).unwrap_or(usual.insecure_tls),
        analyze_fps: own.analyze_fps.or(shared.analyze_fps).unwrap_or(usual.analyze_fps),
        weight: own.weight.or(shared.weight).unwrap_or(usual.weight),
        min_score: own.min_score.or(shared.min_score).map(|score| score as f32),
        privacy: own.privacy.or(shared.privacy).map_or(usual.privacy, |privacy| match privacy {
            RawPrivacy::Off => Privacy::Off,
            RawPrivacy::Blur => Privacy::Blur,
            RawPrivacy::Statistics => Privacy::Statistics,
        }),
        labels,
        output: OutputPlan {
            bitrate_kbps: own.output.bitrate_kbps.or(shared.output.bitrate_kbps).unwrap_or(usual.output.bitrate_kbps),
            max_fps: own.output.max_fps.or(shared.output.max_fps),
            zones: own.output.zones.or(shared.output.zones).unwrap_or(usual.output.zones),
        },
        ..usual
    }
}
