//! `maskwatch video` and `maskwatch camera-sim` as a user calls them.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

mod support;

use maskwatch_vision::geometry::Rect;
use support::clip::{Clip, Codec};
use support::faces::{self, Patch};
use support::{Process, grab, soon, temp_dir};

/// A clip of the portrait, moving to the right: one person in every frame.
fn portrait(folder: &Path, frames: u32) -> PathBuf {
    let (path, picture) = (folder.join("portrait.mp4"), support::root().join(".fetched/demo/astronaut.png"));
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-loop", "1", "-framerate", "10", "-i"]).arg(picture);
    command.args([
        "-vf",
        "pad=768:512:128:0:gray,crop=640:512:128-2*n:0,format=yuv420p",
        "-frames:v",
        &frames.to_string(),
    ]);
    command.args(["-c:v", "libx264", "-preset", "ultrafast"]);
    support::process::run_well(command.arg(&path), soon());
    path
}

fn video(path: &Path, args: &[&str]) -> Output {
    let mut command = Command::new(support::maskwatch());
    command.arg("video").arg(path).args(args).current_dir(support::root());
    support::process::run(&mut command, soon())
}

fn packets(path: &Path) -> usize {
    grab::packets(path.to_str().unwrap(), "tcp", 100_000, soon()).len()
}

#[test]
fn every_frame_has_its_line_and_its_picture() {
    let folder = temp_dir();
    let clip = portrait(folder.path(), 20);
    let out = folder.path().join("out.mp4");
    let output = video(&clip, &["--json", "-", "--out", out.to_str().unwrap(), "--min-score", "0.6"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (summary, frames) = lines.split_last().unwrap();
    assert_eq!(frames.len(), 20);
    for (number, frame) in frames.iter().enumerate() {
        assert_eq!(frame["frame"], number);
        assert!((frame["pts_s"].as_f64().unwrap() - number as f64 / 10.0).abs() < 0.002, "{frame}");
        let faces = frame["faces"].as_array().unwrap();
        assert_eq!(faces.len(), 1, "one face: {frame}");
        let bbox: Vec<f64> = serde_json::from_value(faces[0]["bbox"].clone()).unwrap();
        let center = [bbox[0] + bbox[2] / 2.0, bbox[1] + bbox[3] / 2.0];
        // The face of the portrait lies around (224, 118); it moves by two pixels a frame.
        let moved = 224.0 + 2.0 * number as f64;
        assert!((center[0] - moved).abs() < 30.0 && (center[1] - 118.0).abs() < 40.0, "{frame}");
        assert_eq!(faces[0]["track"], frames[0]["faces"][0]["track"], "it is one person");
    }
    assert_eq!(summary["summary"]["frames"], 20);
    let people = summary["summary"]["people"].as_object().unwrap();
    assert_eq!(people.values().map(|count| count.as_u64().unwrap()).sum::<u64>(), 1, "{summary}");
    assert_eq!(people["no_mask"], 1, "{summary}");
    assert_eq!(summary["summary"]["compliance_ratio"], 0.0);

    assert_eq!(packets(&out), 20);
    let picture = &grab::pictures(out.to_str().unwrap(), "tcp", 1, soon())[0];
    let source = &grab::pictures(clip.to_str().unwrap(), "tcp", 1, soon())[0];
    let red = |picture: &image::RgbImage| {
        let area = image::imageops::crop_imm(picture, 100, 20, 250, 220).to_image();
        area.pixels().filter(|pixel| pixel.0[0] > 170 && pixel.0[1] < 100 && pixel.0[2] < 100).count()
    };
    assert!(red(picture) > red(source) + 250, "a red box: {} pixels against {}", red(picture), red(source));
    assert!(!folder.path().join("out.mp4.part").exists());
}

#[test]
fn with_privacy_no_face_is_in_the_output_and_the_lines_stay() {
    let folder = temp_dir();
    let plain = portrait(folder.path(), 20);
    let clip = folder.path().join("tagged.mp4");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&plain).args([
        "-c",
        "copy",
        "-metadata",
        "title=Eileen at home",
    ]);
    support::process::run_well(command.arg(&clip), soon());
    let out = folder.path().join("out.mp4");
    let clear = video(&clip, &["--json", "-"]);
    let hidden = video(&clip, &["--json", "-", "--out", out.to_str().unwrap(), "--privacy", "blur"]);
    assert!(hidden.status.success(), "{}", String::from_utf8_lossy(&hidden.stderr));
    assert_eq!(String::from_utf8(hidden.stdout).unwrap(), String::from_utf8(clear.stdout).unwrap());

    let before = grab::pictures(clip.to_str().unwrap(), "tcp", 20, soon());
    let after = grab::pictures(out.to_str().unwrap(), "tcp", 20, soon());
    assert_eq!((before.len(), after.len()), (20, 20));
    let mut open = 0;
    for (number, (before, after)) in before.iter().zip(&after).enumerate() {
        let [(face, _)] = faces::find(before, 0.7)[..] else { panic!("one face in picture {number}") };
        let clean = Patch::of_picture(before, &face).unwrap();
        let left = clean.share_in(&Patch::of_picture(after, &face).unwrap());
        assert!(clean.strength() > 3.0 && left < 0.15, "{left} of the face is left in picture {number}");
        assert!(faces::find(after, 0.5).is_empty(), "picture {number}");
        let corner = Rect::new(0.02, 0.3, 0.12, 0.25);
        let same = Patch::of_picture(before, &corner).unwrap().share_in(&Patch::of_picture(after, &corner).unwrap());
        open += usize::from(same > 0.6);
    }
    assert!(open >= 10, "what is no face stays, in most pictures: {open} of 20");
    let written = std::fs::read(&out).unwrap();
    assert!(!written.windows(6).any(|bytes| bytes == b"Eileen"), "what the file said of itself is not passed on");
}

#[test]
fn odd_sizes_and_other_codecs_are_written_too() {
    let folder = temp_dir();
    let source = Clip { codec: Codec::Mjpeg, width: 162, height: 122, seconds: 1, ..Clip::default() }
        .write(folder.path(), "even");
    let odd = folder.path().join("odd.mkv");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&source);
    command.args(["-vf", "format=yuvj444p,crop=161:121", "-c:v", "mjpeg", "-pix_fmt", "yuvj444p"]).arg(&odd);
    support::process::run_well(&mut command, soon());
    let out = folder.path().join("out.mp4");
    let output = video(&odd, &["--out", out.to_str().unwrap()]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(String::from_utf8_lossy(&output.stdout).contains("25 frames"), "{output:?}");
    assert_eq!(packets(&out), 25);
}

#[test]
fn bad_input_is_named_and_leaves_nothing() {
    let folder = temp_dir();
    let clip = Clip { seconds: 1, ..Clip::default() }.write(folder.path(), "clip");
    let text = folder.path().join("notes.txt");
    std::fs::write(&text, "no video in here\n".repeat(400)).unwrap();
    let out = folder.path().join("out.mp4");
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();

    let output = video(Path::new("/nowhere/clip.mp4"), &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(said(&output).contains("/nowhere/clip.mp4"), "{}", said(&output));

    let output = video(&text, &["--out", out.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "nothing is left behind: {left:?}");

    let before = std::fs::read(&clip).unwrap();
    let output = video(&clip, &["--out", clip.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(std::fs::read(&clip).unwrap(), before, "the input is untouched");
}

#[test]
fn an_interrupt_leaves_a_playable_file_and_a_summary() {
    let folder = temp_dir();
    let clip = Clip { seconds: 120, ..Clip::default() }.write(folder.path(), "long");
    let (out, json) = (folder.path().join("out.mp4"), folder.path().join("out.jsonl"));
    let mut command = Command::new(support::maskwatch());
    command.arg("video").arg(&clip).arg("--out").arg(&out).arg("--json").arg(&json).current_dir(support::root());
    let mut process = Process::start("maskwatch video", &mut command);
    let part = folder.path().join("out.mp4.part");
    support::wait_until("the output grows", soon(), || part.metadata().is_ok_and(|meta| meta.len() > 20_000));
    process.signal("INT");
    let status = process.wait(soon());
    assert!(status.success(), "{status}");
    let frames = packets(&out);
    assert!(frames > 0 && frames < 3000, "{frames} frames of 3000");
    let text = std::fs::read_to_string(&json).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!(last["summary"]["frames"], frames as u64);
    assert_eq!(text.lines().count(), frames + 1);
}

#[test]
fn camera_sim_serves_files_until_it_is_told_to_end() {
    let folder = temp_dir();
    let files = [
        Clip::default().write(folder.path(), "a"),
        Clip { codec: Codec::Hevc, width: 320, height: 240, ..Clip::default() }.write(folder.path(), "b"),
    ];
    let mut command = Command::new(support::maskwatch());
    command.arg("camera-sim").args(&files).args(["--listen", "127.0.0.1:0"]);
    let mut process = Process::start("maskwatch camera-sim", &mut command);
    for (index, (codec, width)) in [("h264", 640), ("hevc", 320)].into_iter().enumerate() {
        let line = process.wait_for_line(&format!("/cam{index}"), soon());
        let url = line.split_whitespace().find(|word| word.starts_with("rtsp://")).unwrap().to_owned();
        let seen = grab::probe(&url, "tcp", soon());
        assert_eq!((seen.codec.as_str(), seen.width), (codec, width));
        // More pictures than the file has: it plays for ever, and its time goes on.
        let packets = grab::packets(&url, "tcp", 130, soon());
        assert!(packets.len() >= 120, "{} packets", packets.len());
        assert!(packets.windows(2).all(|pair| pair[1].pts > pair[0].pts));
    }
    process.signal("TERM");
    assert!(process.wait(soon()).success());

    let output = support::process::run(Command::new(support::maskwatch()).args(["camera-sim", "/nowhere.mp4"]), soon());
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere.mp4"));
}
