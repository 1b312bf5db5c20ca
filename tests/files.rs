//! Files as people have them: turned, squeezed, without times, cut off, with odd names, from pipes.

#![allow(clippy::unwrap_used)]

use std::ffi::OsStr;
use std::fs::{self, File};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;

mod support;

use support::process::{run, run_well};
use support::{faces, grab, root, soon, temp_dir};

/// Pictures in a clip.
const FRAMES: usize = 6;

/// The portrait, 640 x 480, in a form.
fn clip(folder: &Path, name: &str, filter: &str, codec: &[&str]) -> PathBuf {
    let path = folder.join(name);
    let filter = format!("scale=480:480,pad=640:480:80:0:0x606060,format=rgb24,{filter}");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-loop", "1", "-framerate", "10", "-i"]).arg(faces::portrait());
    command.args(["-vf", &filter, "-frames:v", &FRAMES.to_string()]).args(codec);
    run_well(command.arg(&path), soon());
    path
}

const X264: [&str; 4] = ["-c:v", "libx264", "-preset", "ultrafast"];

/// The same file in another container, or with another turn.
fn copied(from: &Path, name: &str, how: &[&str]) -> PathBuf {
    let path = from.with_file_name(name);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(from).args(["-c", "copy"]).args(how);
    run_well(command.arg(&path), soon());
    path
}

fn maskwatch(command: &str) -> Command {
    let mut made = Command::new(support::maskwatch());
    made.arg(command).current_dir(root());
    made
}

fn video(path: &Path, out: Option<&Path>) -> Output {
    let mut command = maskwatch("video");
    command.arg(path).args(["--json", "-"]);
    if let Some(out) = out {
        command.arg("--out").arg(out);
    }
    run(&mut command, soon())
}

/// The JSON lines of a run that went well.
#[track_caller]
fn lines(output: &Output) -> Vec<Value> {
    assert!(output.status.success(), "{}", said(output));
    String::from_utf8_lossy(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Width, height, shape of pixels and number of pictures that ffprobe finds.
fn probed(path: &Path) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-count_packets", "-select_streams", "v:0", "-of", "csv=p=0", "-show_entries"]);
    command.arg("stream=width,height,sample_aspect_ratio,nb_read_packets:stream_side_data=rotation").arg(path);
    String::from_utf8(run(&mut command, soon()).stdout).unwrap().trim().trim_end_matches(',').to_owned()
}

fn numbers(value: &Value) -> Vec<f64> {
    serde_json::from_value(value.clone()).unwrap()
}

/// How much two boxes in pixels have in common: intersection over union.
fn overlap(a: &[f64], b: &[f64]) -> f64 {
    let along = |i: usize| ((a[i] + a[i + 2]).min(b[i] + b[i + 2]) - a[i].max(b[i])).max(0.0);
    let shared = along(0) * along(1);
    shared / (a[2] * a[3] + b[2] * b[3] - shared)
}

#[test]
fn turned_and_squeezed_videos_are_analysed_and_written_as_players_show_them() {
    let folder = temp_dir();
    let plain = clip(folder.path(), "plain.mp4", "format=yuv420p", &X264);
    let left = clip(folder.path(), "left.mp4", "transpose=clock,format=yuv420p", &X264);
    let forms = [
        copied(&left, "turned.mp4", &["-metadata:s:v:0", "rotate=90"]),
        clip(folder.path(), "wide.mp4", "scale=320:480,setsar=2,format=yuv420p", &X264),
        clip(folder.path(), "tall.mp4", "scale=1280:480,setsar=1/2,format=yuv420p", &X264),
    ];
    let expected = lines(&video(&plain, None));
    for form in forms {
        let out = folder.path().join("out.mp4");
        let seen = lines(&video(&form, Some(&out)));
        assert_eq!(seen.len(), expected.len(), "{}", form.display());
        for (seen, expected) in seen.iter().zip(&expected).take(FRAMES) {
            let (faces, whole) = (seen["faces"].as_array().unwrap(), numbers(&expected["faces"][0]["bbox"]));
            assert_eq!(faces.len(), 1, "{}: {seen}", form.display());
            let shared = overlap(&numbers(&faces[0]["bbox"]), &whole);
            assert!(shared > 0.8, "{}: {seen} instead of {expected}", form.display());
        }
        assert_eq!(probed(&out), format!("640,480,1:1,{FRAMES}"), "{}", form.display());
    }
}

#[test]
fn videos_without_times_gifs_and_full_chroma_are_analysed_and_written() {
    let folder = temp_dir();
    let x264 = |more: &[&'static str]| [&X264, more].concat();
    for (name, filter, codec, ms) in [
        ("422.mp4", "format=yuv422p", x264(&[]), 100.0),
        ("raw.h264", "format=yuv420p", x264(&["-x264-params", "force-cfr=1"]), 100.0),
        ("raw.mjpeg", "scale=out_range=full,format=yuvj420p", vec!["-c:v", "mjpeg", "-q:v", "3"], 40.0),
        ("loops.gif", "format=rgb24", vec!["-loop", "0"], 100.0),
        ("once.gif", "format=rgb24", vec!["-loop", "-1"], 100.0),
    ] {
        let form = clip(folder.path(), name, filter, &codec);
        let out = folder.path().join("out.mp4");
        let seen = lines(&video(&form, Some(&out)));
        assert_eq!(seen.len(), FRAMES + 1, "{name}");
        for (index, line) in seen.iter().take(FRAMES).enumerate() {
            assert_eq!(line["faces"].as_array().unwrap().len(), 1, "{name}: {line}");
            let (told, due) = (line["pts_s"].as_f64().unwrap() * 1e3, index as f64 * ms);
            assert!((told - due).abs() < 1.0, "{name}: picture {index} at {told} ms instead of {due}");
        }
        assert_eq!(probed(&out), format!("640,480,1:1,{FRAMES}"), "{name}");
    }
}

#[test]
fn what_is_no_video_is_told_before_the_work() {
    let folder = temp_dir();
    let sound = folder.path().join("sound.m4a");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "sine=duration=1"]);
    run_well(command.args(["-c:a", "aac"]).arg(&sound), soon());
    let empty = folder.path().join("empty.mp4");
    File::create(&empty).unwrap();
    let plain = clip(folder.path(), "plain.mp4", "format=yuv420p", &X264);
    let cut = folder.path().join("cut.mp4");
    let bytes = fs::read(&plain).unwrap();
    fs::write(&cut, &bytes[..bytes.len() * 2 / 3]).unwrap();
    for (path, word) in [
        (sound.as_path(), "there is no video in it, only audio/"),
        (&empty, "is empty"),
        (&cut, "cut off before its index"),
        (folder.path(), "is a folder"),
    ] {
        // Before the work: the models are not looked at.
        let output = run(maskwatch("video").arg(path).args(["--models-dir", "/nowhere"]), soon());
        assert_eq!(output.status.code(), Some(1), "{}", said(&output));
        assert!(said(&output).contains(word) && said(&output).contains(path.to_str().unwrap()), "{}", said(&output));
    }
}

#[test]
fn of_a_cut_video_what_is_there_is_analysed_and_a_warning_says_so() {
    let folder = temp_dir();
    let plain = clip(folder.path(), "plain.mp4", "noise=alls=20:allf=t,format=yuv420p", &X264);
    let forms = [
        copied(&plain, "fast.mp4", &["-movflags", "+faststart"]),
        copied(&plain, "plain.mkv", &[]),
        clip(folder.path(), "noise.gif", "noise=alls=20:allf=t,format=rgb24", &[]),
    ];
    for form in forms {
        let bytes = fs::read(&form).unwrap();
        fs::write(&form, &bytes[..bytes.len() * 2 / 3]).unwrap();
        let out = folder.path().join("out.mp4");
        let output = video(&form, Some(&out));
        let seen = lines(&output);
        let summary = &seen.last().unwrap()["summary"];
        assert_eq!(summary["truncated"], true, "{}: {summary}", form.display());
        assert!((1..FRAMES).contains(&(seen.len() - 1)), "{}: {} lines", form.display(), seen.len());
        assert!(said(&output).contains("cut off"), "{}", said(&output));
        assert_eq!(probed(&out), format!("640,480,1:1,{}", seen.len() - 1), "{}", form.display());
    }
}

#[test]
fn pipes_are_read() {
    let folder = temp_dir();
    let plain = clip(folder.path(), "plain.mkv", "format=yuv420p", &X264);
    let gif = clip(folder.path(), "plain.gif", "format=rgb24", &[]);
    let [png, jpeg] =
        ["a.png", "a.jpg"].map(|name| clip(folder.path(), name, "null", &["-frames:v", "1", "-update", "1"]));
    for (command, path, given) in [
        ("video", &plain, "-"),
        ("video", &gif, "-"),
        ("video", &plain, "/dev/stdin"),
        ("image", &png, "-"),
        ("image", &jpeg, "/dev/stdin"),
    ] {
        let mut cat = Command::new("cat").arg(path).stdout(Stdio::piped()).spawn().unwrap();
        let mut command = maskwatch(command);
        command.args([given, "--json", "-"]).stdin(cat.stdout.take().unwrap());
        let output = command.output().unwrap();
        cat.wait().unwrap();
        let seen = lines(&output);
        assert_eq!(seen[0]["faces"].as_array().unwrap().len(), 1, "{}: {}", path.display(), seen[0]);
        assert!(seen.len() == 1 || seen.len() == FRAMES + 1, "{}: {} lines", path.display(), seen.len());
    }
}

#[test]
fn names_that_are_no_text_are_kept() {
    let folder = temp_dir();
    let name = |bytes: &'static [u8]| folder.path().join(OsStr::from_bytes(bytes));
    let (clip_file, photo) = (name(b"caf\xe9.mp4"), name(b"caf\xe9.png"));
    fs::rename(clip(folder.path(), "plain.mp4", "format=yuv420p", &X264), &clip_file).unwrap();
    fs::copy(faces::portrait(), &photo).unwrap();
    let out = name(b"out\xe9.mp4");
    assert_eq!(lines(&video(&clip_file, Some(&out))).len(), FRAMES + 1);
    assert_eq!(probed(&out), format!("640,480,1:1,{FRAMES}"));
    let copies = folder.path().join("copies");
    let output = run(maskwatch("image").arg(&photo).args(["--json", "-", "--out"]).arg(&copies), soon());
    let bytes = lines(&output)[0]["file_bytes"].as_str().unwrap().to_owned();
    let bytes = base64::Engine::decode(&base64::prelude::BASE64_STANDARD, bytes).unwrap();
    assert_eq!(bytes, photo.as_os_str().as_bytes());
    assert!(copies.join(OsStr::from_bytes(b"caf\xe9.png")).is_file());
}

#[test]
fn half_a_photo_gives_its_faces_and_a_warning() {
    let folder = temp_dir();
    let whole = clip(folder.path(), "whole.jpg", "null", &["-frames:v", "1", "-update", "1", "-q:v", "2"]);
    let half = folder.path().join("half.jpg");
    let bytes = fs::read(&whole).unwrap();
    fs::write(&half, &bytes[..bytes.len() * 6 / 10]).unwrap();
    let output = run(maskwatch("image").args([&whole, &half]).args(["--json", "-"]), soon());
    let seen = lines(&output);
    assert!(seen[0].get("truncated").is_none() && seen[1]["truncated"] == true, "{seen:?}");
    assert_eq!(seen[1]["faces"].as_array().unwrap().len(), 1, "the face is in the half that is there: {}", seen[1]);
    assert!(said(&output).contains("half.jpg: the file ends in the middle"), "{}", said(&output));
    assert!(!said(&output).contains("whole.jpg"), "{}", said(&output));
}

#[test]
fn a_gif_ends_soon_after_an_interrupt() {
    let folder = temp_dir();
    let gif = folder.path().join("long.gif");
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10", "-t", "100"]);
    run_well(command.arg(&gif), soon());
    let (out, json) = (folder.path().join("out.mp4"), folder.path().join("out.jsonl"));
    let mut command = maskwatch("video");
    command.arg(&gif).arg("--out").arg(&out).arg("--json").arg(&json);
    let mut process = support::Process::start("maskwatch video", &mut command);
    let part = folder.path().join("out.mp4.part");
    support::wait_until("the output grows", soon(), || part.metadata().is_ok_and(|meta| meta.len() > 10_000));
    process.signal("INT");
    assert!(process.wait(soon()).success());
    let text = fs::read_to_string(&json).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let frames = last["summary"]["frames"].as_u64().unwrap();
    assert!(frames < 1000, "{frames}");
    assert_eq!(grab::packets(out.to_str().unwrap(), "tcp", 100_000, soon()).len() as u64, frames);
    assert!(last["summary"].get("truncated").is_none(), "{last}");
}
