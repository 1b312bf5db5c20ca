//! The demo as a newcomer starts it, against the truth of its clips: everybody is counted once and in the right state,
//! boxes are where the faces are, streams are playable, and it ends when asked.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use image::RgbImage;
use maskwatch::demo::{DemoCamera, Face, State};
use support::{App, Process, Scrape, grab, soon};

const STATES: [State; 3] = [State::Mask, State::Incorrect, State::NoMask];

/// `maskwatch demo` on free ports, with its clips at hand.
fn start() -> (App, Vec<DemoCamera>) {
    let cameras = support::demo::cameras();
    let (http, rtsp) = (support::free_port(), support::free_port());
    let mut command = Command::new(support::maskwatch());
    command.args(["demo", "--http", &format!("127.0.0.1:{http}"), "--rtsp", &format!("127.0.0.1:{rtsp}")]);
    let process = Process::start("maskwatch demo", command.current_dir(support::root()));
    let mut app = App { process, http, rtsp, folder: support::temp_dir() };
    app.wait_alive();
    app.wait_ready();
    (app, cameras)
}

#[test]
fn people_are_counted_once_and_in_the_right_state() {
    let (mut app, cameras) = start();
    // A turn of a clip is a number of decoded frames. From a moment without people to the same moment of the next turn
    // exactly the people of the clip come by.
    let mut turns: Vec<Turn> = cameras.iter().map(Turn::new).collect();
    app.wait_for_metrics("a turn of each clip", Duration::from_secs(150), |scrape| {
        turns.iter_mut().for_each(|turn| turn.look(scrape));
        turns.iter().all(|turn| turn.after.is_some())
    });
    for turn in turns {
        let (camera, before, after) = (turn.camera, turn.before.unwrap(), turn.after.unwrap());
        let counted = |state: &str| after.people(camera.name, state) - before.people(camera.name, state);
        assert_counts(camera, &STATES.map(|state| (state, counted(state.as_str()) as usize)).into(), camera.name);
        assert_eq!(counted("unknown"), 0.0, "{}: unknown", camera.name);
    }
    app.process.signal("INT");
    assert!(app.process.wait(Duration::from_secs(10)).success());
}

/// One turn of a clip: the metrics at its begin and at its end.
struct Turn<'a> {
    camera: &'a DemoCamera,
    before: Option<Scrape>,
    after: Option<Scrape>,
}

impl<'a> Turn<'a> {
    fn new(camera: &'a DemoCamera) -> Self {
        Self { camera, before: None, after: None }
    }

    /// Keeps the scrape if it is of a moment without people at the begin or the end of the turn.
    fn look(&mut self, scrape: &Scrape) {
        let (name, truth) = (self.camera.name, &self.camera.truth);
        let (decoded, frames) = (scrape.frames(name, "decoded"), truth.frames.len() as f64);
        if scrape.get("people_visible", &[("camera", name)]) > 0.0 || self.after.is_some() {
            return;
        }
        match &self.before {
            None if decoded > frames / 2.0 && decoded % frames < 0.6 * f64::from(truth.fps) => {
                self.before = Some(scrape.clone());
            }
            Some(before) if decoded >= before.frames(name, "decoded") + frames => self.after = Some(scrape.clone()),
            _ => {}
        }
    }
}

/// A classifier with two states takes a mask under the nose for a mask; that is its manifest's word, not a failure.
fn assert_counts(camera: &DemoCamera, counted: &BTreeMap<State, usize>, what: &str) {
    let truth = |state| camera.truth.count(state);
    if support::demo::knows_incorrect() {
        for state in STATES {
            assert_eq!(counted[&state], truth(state), "{what}: {}, all: {counted:?}", state.as_str());
        }
    } else {
        let masked = counted[&State::Mask] + counted[&State::Incorrect];
        assert_eq!(masked, truth(State::Mask) + truth(State::Incorrect), "{what}: {counted:?}");
        assert_eq!(counted[&State::NoMask], truth(State::NoMask), "{what}: {counted:?}");
    }
}

#[test]
fn streams_play_and_boxes_are_where_faces_are() {
    let (mut app, cameras) = start();
    for camera in &cameras {
        let url = app.stream(camera.name);
        let probe = grab::probe(&url, "tcp", soon());
        assert_eq!(
            (probe.codec.as_str(), probe.width, probe.height),
            ("h264", camera.truth.width, camera.truth.height)
        );
    }
    for transport in ["tcp", "udp"] {
        let packets = grab::packets(&app.stream("north-gate"), transport, 40, soon());
        assert!(packets.len() > 20, "{transport}: {packets:?}");
        assert!(packets.windows(2).all(|pair| pair[0].pts < pair[1].pts), "{transport}: {packets:?}");
    }
    assert!(grab::readable(&app.stream("mosaic"), "tcp", soon()));

    let camera = &cameras[0];
    let thumbnails: Vec<RgbImage> = thumbnails(&camera.clip);
    assert_eq!(thumbnails.len(), camera.truth.frames.len());
    let pictures = grab::pictures(&app.stream(camera.name), "tcp", 250, soon());
    let (mut faces, mut boxed) = (0, 0);
    for picture in pictures.iter().skip(25).step_by(5) {
        let frame = &camera.truth.frames[nearest(&thumbnails, picture)];
        for face in frame.iter().filter(|face| well_inside(face, picture.width())) {
            faces += 1;
            boxed += usize::from(has_box(picture, face));
        }
    }
    assert!(faces >= 10, "only {faces} faces in the pictures");
    // Not all: where somebody stops or starts at once, the prediction overshoots for a moment.
    assert!(boxed * 10 >= faces * 7, "{boxed} of {faces} faces have their box");
    app.process.signal("TERM");
    assert!(app.process.wait(Duration::from_secs(10)).success());
}

/// The clip's frames, small.
fn thumbnails(clip: &Path) -> Vec<RgbImage> {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(clip);
    command.args(["-vf", "scale=96:54", "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]);
    let bytes = support::process::run_well(&mut command, soon());
    bytes.chunks_exact(96 * 54 * 3).map(|frame| RgbImage::from_raw(96, 54, frame.to_vec()).unwrap()).collect()
}

/// Number of the frame that a picture of the stream shows. The overlay's parts are small and weigh little.
fn nearest(thumbnails: &[RgbImage], picture: &RgbImage) -> usize {
    let small = image::imageops::resize(picture, 96, 54, image::imageops::FilterType::Triangle);
    let distance = |other: &RgbImage| -> u64 {
        let pairs = small.as_raw().iter().zip(other.as_raw());
        pairs.map(|(a, b)| u64::from(a.abs_diff(*b).min(60))).sum()
    };
    (0..thumbnails.len()).min_by_key(|index| distance(&thumbnails[*index])).unwrap()
}

fn well_inside(face: &Face, width: u32) -> bool {
    let [left, _, wide, _] = face.bbox;
    left > wide && left + 2.0 * wide < width as f32
}

/// Whether two vertical lines in a box's colour stand at the face's sides.
fn has_box(picture: &RgbImage, face: &Face) -> bool {
    let [left, top, wide, high] = face.bbox;
    let rows = (top + 0.25 * high) as u32..(top + 0.75 * high) as u32;
    let line_at = |x: u32| {
        let hits = rows.clone().filter(|y| is_box_colour(picture.get_pixel(x, *y).0)).count();
        hits * 2 > rows.len()
    };
    let near = |x: f32| ((x - 0.4 * wide) as u32..=(x + 0.4 * wide) as u32).any(line_at);
    near(left) && near(left + wide)
}

/// The overlay's blue, red or amber by hue: the encoder mixes the colour of a thin line with what is beside it.
fn is_box_colour([r, g, b]: [u8; 3]) -> bool {
    let [r, g, b] = [r, g, b].map(i32::from);
    let blue = b - r > 75 && b - g > 40;
    let red = r - g > 60 && r - b > 60;
    let amber = r - b > 110 && g - b > 70;
    blue || red || amber
}

#[test]
fn video_finds_the_faces_of_every_frame() {
    let camera = support::demo::camera("lobby");
    let mut command = Command::new(support::maskwatch());
    command.arg("video").arg(&camera.clip).args(["--json", "-"]).current_dir(support::root());
    let output = support::process::run_well(&mut command, Duration::from_secs(240));
    let lines: Vec<serde_json::Value> =
        String::from_utf8(output).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, frames) = lines.split_last().unwrap();
    assert_eq!(frames.len(), camera.truth.frames.len());
    let (mut wanted, mut found, mut reported) = (0, 0, 0);
    for (line, truth) in frames.iter().zip(&camera.truth.frames) {
        let boxes: Vec<[f32; 4]> =
            line["faces"].as_array().unwrap().iter().map(|face| corner_box(&face["bbox"])).collect();
        reported += boxes.len();
        let whole = truth.iter().filter(|face| face.whole);
        for face in whole {
            wanted += 1;
            found += usize::from(boxes.iter().any(|other| overlap(*other, face.bbox) > 0.5));
        }
    }
    assert!(found * 100 >= wanted * 98, "{found} of {wanted} faces found");
    assert!(reported <= wanted + wanted / 8, "{reported} faces reported where there are {wanted}");
    let people = &summary["summary"]["people"];
    let counted = STATES.map(|state| (state, people[state.as_str()].as_u64().unwrap() as usize)).into();
    assert_counts(&camera, &counted, "video");
}

fn corner_box(value: &serde_json::Value) -> [f32; 4] {
    let number = |index: usize| value[index].as_f64().unwrap() as f32;
    [number(0), number(1), number(2), number(3)]
}

/// Intersection over union of two boxes (left, top, width, height).
fn overlap(a: [f32; 4], b: [f32; 4]) -> f32 {
    let side = |axis: usize| ((a[axis] + a[axis + 2]).min(b[axis] + b[axis + 2]) - a[axis].max(b[axis])).max(0.0);
    let both = side(0) * side(1);
    both / (a[2] * a[3] + b[2] * b[3] - both)
}

#[test]
fn a_port_in_use_is_said_and_nothing_stays() {
    support::demo::cameras();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for port in ["--http", "--rtsp"] {
        let other = if port == "--http" { "--rtsp" } else { "--http" };
        let mut command = Command::new(support::maskwatch());
        command.args(["demo", port, &address, other, "127.0.0.1:0"]).current_dir(support::root());
        let output = support::process::run(&mut command, soon());
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(&address) && text.contains("in use"), "{text}");
    }
}
