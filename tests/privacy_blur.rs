//! `privacy: blur`: tries to get a face out of everything that leaves, and fails.

#![allow(clippy::unwrap_used)]

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use image::RgbImage;
use maskwatch::access::Access;
use maskwatch::config::plan::{AccessPlan, CameraPlan, ListenPlan, Privacy};
use maskwatch::frames::{Shown, Subscription};
use maskwatch::metrics::Metrics;
use maskwatch::rtsp::{RtspServer, Stream};
use maskwatch::sim;
use maskwatch_vision::geometry::Rect;

mod rig;
mod support;

use rig::{Rig, plan, simulate};
use support::faces::{self, ENGINE, Patch};
use support::{AppConfig, data, grab, http, soon, temp_dir, wait_until};

/// What may be left of a face's detail. Between two clean pictures of the same face it is 0.6 and more.
const LEFT: f32 = 0.15;
/// The least score at which a detector's answer counts as a face found: the default model's own.
const FOUND: f32 = 0.5;

fn url(path: &Path) -> String {
    format!("file://{}", path.display())
}

fn blurred(url: &str) -> CameraPlan {
    CameraPlan { privacy: Privacy::Blur, ..plan("gate", url) }
}

/// Everything that a hub hands out, looked at by `look`, whose answers are kept.
fn watch<T: Send + 'static>(
    rig: &Rig,
    look: impl Fn(&Shown) -> Option<T> + Send + Sync + 'static,
) -> (Subscription, Arc<Mutex<Vec<T>>>) {
    let seen: Arc<Mutex<Vec<T>>> = Arc::default();
    let sink = Arc::clone(&seen);
    let subscription = rig.hub.subscribe(Arc::new(move |shown| sink.lock().unwrap().extend(look(shown))));
    (subscription, seen)
}

/// Number of the clip's frame that a picture is; `None` from the second round on.
fn number(shown: &Shown, fps: u32) -> Option<usize> {
    let time = shown.sample().buffer()?.pts()?;
    Some((time.nseconds() as f64 / 1e9 * f64::from(fps)).round() as usize)
}

#[test]
fn every_true_face_of_a_walking_crowd_is_hidden_in_every_picture() {
    faces::engine();
    let camera = support::demo::camera("north-gate");
    let truth = Arc::new(camera.truth.clone());
    let size = [truth.width as f32, truth.height as f32];
    let all = Metrics::new().unwrap();
    let look = |fps: u32| {
        let truth = Arc::clone(&truth);
        move |shown: &Shown| {
            let frame = number(shown, fps)?;
            let faces = truth.frames.get(frame)?.iter().filter_map(|face| {
                let [x, y, w, h] = face.bbox;
                let rect = Rect::new(x / size[0], y / size[1], w / size[0], h / size[1]);
                Some(((frame, face.person), Patch::of_sample(shown.sample(), &rect)?))
            });
            // The backdrop in a corner where nobody walks.
            let corner = Patch::of_sample(shown.sample(), &Rect::new(0.02, 0.02, 0.2, 0.2))?.strength();
            Some((faces.collect::<Vec<_>>(), corner))
        }
    };
    let clean = Rig::with_metrics(CameraPlan { name: "clean".into(), ..plan("clean", &url(&camera.clip)) }, &all);
    let hidden = Rig::with_engine(blurred(&url(&camera.clip)), &all, Some(ENGINE));
    let (_clean, control) = watch(&clean, look(truth.fps));
    let (_hidden, seen) = watch(&hidden, look(truth.fps));
    let faces_in =
        |seen: &Mutex<Vec<(Vec<_>, f32)>>| seen.lock().unwrap().iter().map(|(faces, _)| faces.len()).sum::<usize>();
    let sharp_in = || seen.lock().unwrap().iter().filter(|(_, corner)| *corner > 1.0).count();
    wait_until("faces come by, and not all pictures are hidden whole", Duration::from_secs(200), || {
        faces_in(&seen) >= 150 && faces_in(&control) >= 200 && sharp_in() >= 10
    });

    let control: HashMap<(usize, u32), Patch> =
        control.lock().unwrap().iter().flat_map(|(faces, _)| faces.clone()).collect();
    let next = |(frame, person): (usize, u32)| control.get(&(frame + 1, person));
    let matching = control.iter().filter_map(|(key, patch)| Some(patch.share_in(next(*key)?)));
    let matching: Vec<f32> = matching.collect();
    let same = matching.iter().filter(|share| **share > 0.6).count();
    assert!(same * 10 > matching.len() * 9, "clean faces match: {same} of {}", matching.len());

    let seen = seen.lock().unwrap();
    let left = seen
        .iter()
        .flat_map(|(faces, _)| faces)
        .filter_map(|(key, patch)| Some((*key, control.get(key)?.share_in(patch))));
    let left: Vec<((usize, u32), f32)> = left.collect();
    let worst = left.iter().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap();
    println!("{} faces compared; most that is left: {:.3} at {:?}", left.len(), worst.1, worst.0);
    assert!(left.len() >= 50, "{}", left.len());
    assert!(worst.1 < LEFT, "{worst:?}");
    let sharp = seen.iter().filter(|(_, corner)| *corner > 1.0).count();
    println!("{sharp} of {} pictures are shown but for their faces", seen.len());
}

/// Where the face of a portrait clip at rest is.
fn face_of(clip: &Path) -> (Rect, RgbImage) {
    let picture = grab::pictures(clip.to_str().unwrap(), "", 1, soon()).remove(0);
    let found = faces::find(&picture, 0.7);
    assert_eq!(found.len(), 1, "{found:?}");
    (found[0].0, picture)
}

#[test]
fn first_pictures_reconnects_and_changes_of_size_show_nothing() {
    faces::engine();
    let folder = temp_dir();
    let clips = [(640, 360), (480, 270)]
        .map(|size| faces::portrait_clip(folder.path(), &format!("still-{}", size.0), size, false));
    let (face, picture) = face_of(&clips[0]);
    let clean = Patch::of_picture(&picture, &face).unwrap();
    assert!(clean.strength() > 3.0 && clean.share_in(&clean) > 0.99);
    let cameras = simulate(&[&clips[0]]);
    let rig = Rig::with_engine(blurred(&cameras.url(0)), &Metrics::new().unwrap(), Some(ENGINE));
    let (_subscription, seen) = watch(&rig, move |shown| {
        let caps = shown.sample().caps()?.structure(0)?.get::<i32>("width").ok()?;
        Some((caps, clean.share_in(&Patch::of_sample(shown.sample(), &face)?)))
    });
    let count = |width: i32| seen.lock().unwrap().iter().filter(|(w, _)| *w == width).count();
    wait_until("pictures", soon(), || count(640) > 20);
    cameras.cameras()[0].kill();
    rig.wait_down();
    cameras.cameras()[0].revive();
    let before = count(640);
    wait_until("pictures again", soon(), || count(640) > before + 20);
    cameras.cameras()[0].switch(sim::Clip::load(&clips[1]).unwrap());
    wait_until("pictures of another size", soon(), || count(480) > 20);
    let seen = seen.lock().unwrap();
    let worst = seen.iter().map(|(_, left)| *left).fold(f32::MIN, f32::max);
    println!("{} pictures; most that is left of the face: {worst:.3}", seen.len());
    assert!(worst < LEFT, "{worst}");
}

/// Mean step from pixel to pixel in the lower half of a picture, where no caption is, over the middle third.
fn step(picture: &RgbImage) -> f64 {
    let (width, height) = picture.dimensions();
    let rows = height / 2..height - 4;
    let steps = rows.flat_map(|y| (width / 3..width * 2 / 3).map(move |x| (x, y)));
    let difference =
        |(x, y): (u32, u32)| f64::from(picture.get_pixel(x, y).0[1].abs_diff(picture.get_pixel(x + 1, y).0[1]));
    let (sum, count) = steps.map(difference).fold((0.0, 0.0), |(sum, count), step| (sum + step, count + 1.0));
    sum / count
}

#[test]
fn a_camera_that_is_not_analysed_is_hidden_as_a_whole() {
    faces::engine();
    let folder = temp_dir();
    let clip = faces::portrait_clip(folder.path(), "sway", (640, 360), true);
    let metrics = Metrics::new().unwrap();
    let clean = grab::pictures(clip.to_str().unwrap(), "", 1, soon()).remove(0);
    // No engine answers.
    let rig = Rig::with_metrics(blurred(&url(&clip)), &metrics);
    let access = Access::start(&AccessPlan::default(), None, None, &metrics).unwrap();
    let listen = ListenPlan::plain(([127, 0, 0, 1], 0).into(), None);
    let server = RtspServer::start(&listen, access, None, &metrics).unwrap();
    server.add(Stream {
        hub: Arc::clone(&rig.hub),
        status: Arc::clone(rig.camera.status()),
        metrics: Arc::clone(&rig.metrics),
        output: rig.camera.plan().output,
        areas: Arc::default(),
        labels: Default::default(),
    });
    rig.wait_up();
    wait_until("a hidden picture", soon(), || rig.hub.latest().is_some());
    for mount in ["gate", "mosaic"] {
        for picture in grab::pictures(&server.url(mount), "tcp", 20, soon()) {
            assert!(faces::find(&picture, 0.2).is_empty(), "{mount}");
            let (sharp, hidden) = (step(&clean), step(&picture));
            assert!(hidden * 3.0 < sharp, "{mount}: steps of {hidden}, clean {sharp}");
        }
    }
    let text = metrics.render().unwrap();
    assert!(!text.contains("frames_hidden_total{camera=\"gate\",reason=\"first\"} 0"), "{text}");
}

/// Photos of the validation set with people in them.
fn photos(count: usize) -> Option<Vec<PathBuf>> {
    let list: serde_json::Value =
        serde_json::from_slice(&std::fs::read(data::find("detection/val.json")?).ok()?).ok()?;
    let folder = data::find("detection/images")?;
    let names = list["images"].as_array()?.iter().filter_map(|image| image["file_name"].as_str());
    Some(names.step_by(7).take(count).map(|name| folder.join(name)).collect())
}

/// A service that shows `clip` as camera `gate`; gives pictures of the stream, of the mosaic and snapshots.
fn outputs(clip: &Path, privacy: &str, count: u32) -> Vec<(&'static str, RgbImage)> {
    let mut app = AppConfig::new().camera_with("gate", &url(clip), &[&format!("privacy: {privacy}")]).start();
    app.wait_ready();
    app.wait_for_metrics("analyses", soon(), |scrape| scrape.frames("gate", "analyzed") > 5.0);
    let snapshot = || {
        let answer = http::get(app.http, "/api/v1/cameras/gate/snapshot.jpg").unwrap();
        image::load_from_memory(&answer.body).unwrap().into_rgb8()
    };
    let mut all = vec![("snapshot", snapshot())];
    for mount in ["gate", "mosaic"] {
        all.extend(
            grab::pictures(&app.stream(mount), "tcp", count, soon()).into_iter().map(|picture| (mount, picture)),
        );
        all.push(("snapshot", snapshot()));
    }
    assert_eq!(app.stop().code(), Some(0));
    all
}

/// How many pictures, and how many faces found in them.
fn search(outputs: &[(&'static str, RgbImage)]) -> (usize, Vec<(&'static str, f32)>) {
    let found = outputs
        .iter()
        .flat_map(|(from, picture)| faces::find(picture, FOUND).into_iter().map(move |(_, score)| (*from, score)));
    (outputs.len(), found.collect())
}

#[test]
fn a_detector_finds_no_face_in_streams_mosaic_and_snapshots() {
    let folder = temp_dir();
    let portrait = faces::portrait_clip(folder.path(), "sway", (1280, 720), true);
    let (pictures, clear) = search(&outputs(&portrait, "off", 3));
    assert!(clear.len() >= pictures * 9 / 10, "the detector finds clean faces: {} in {pictures}", clear.len());
    let (pictures, found) = search(&outputs(&portrait, "blur", 20));
    assert!(found.is_empty(), "{found:?} in {pictures} pictures");
}

#[test]
fn a_detector_finds_no_face_of_photos() {
    let folder = temp_dir();
    let Some(photos) = photos(6) else { return };
    let clip = faces::photo_clip(folder.path(), "photos", &photos);
    let clean = grab::pictures(clip.to_str().unwrap(), "", 150, soon());
    let clean: Vec<_> = clean.into_iter().step_by(25).map(|picture| ("clip", picture)).collect();
    let (pictures, clear) = search(&clean);
    assert!(clear.len() >= 5, "faces in {pictures} photos");
    let (pictures, found) = search(&outputs(&clip, "blur", 60));
    println!("{} faces in the photos, {} found in {pictures} pictures of them", clear.len(), found.len());
    assert!(found.is_empty(), "{found:?} in {pictures} pictures");
}
