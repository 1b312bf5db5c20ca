//! Files as cameras: every container and coding plays endlessly at its own pace, and what can't play says why.

#![allow(clippy::unwrap_used)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use maskwatch::metrics::DisconnectReason;

mod rig;
mod support;

use rig::Rig;
use support::{Scrape, process::run_well, soon, temp_dir, wait_until};

/// Rounds that every file is watched for.
const ROUNDS: f64 = 2.5;
/// Pictures that may be ahead of the clock: what had waited when the count began.
const AHEAD: f64 = 4.0;

fn ffmpeg(args: &[&str], out: &Path) -> PathBuf {
    let mut command = Command::new("ffmpeg");
    run_well(command.args(["-nostdin", "-v", "error", "-y"]).args(args).arg(out), soon());
    out.to_owned()
}

/// Moving pictures of so many seconds at 25 per second.
fn source(seconds: &'static str) -> Vec<&'static str> {
    vec!["-f", "lavfi", "-t", seconds, "-i", "testsrc2=size=160x120:rate=25"]
}

const H264: [&str; 8] = ["-c:v", "libx264", "-preset", "veryfast", "-g", "25", "-pix_fmt", "yuv420p"];
const SOUND: [&str; 6] = ["-f", "lavfi", "-i", "sine=r=44100", "-c:a", "aac"];

/// A file, its pictures per second and per round.
struct Case {
    file: PathBuf,
    rate: f64,
    pictures: f64,
}

/// Files whose every picture can be decoded.
fn whole_files(folder: &Path) -> Vec<Case> {
    let at = |name: &str| folder.join(name);
    // B-frames and sound; the sound is longer.
    let args = [source("1"), SOUND[..4].to_vec(), vec!["-t", "1.4"], H264.to_vec(), vec!["-bf", "2", "-c:a", "aac"]];
    let with_sound = ffmpeg(&args.concat(), &at("sound.mp4"));
    let path = with_sound.to_str().unwrap();
    let remux = |name: &str, more: &[&str]| ffmpeg(&[&["-i", path, "-c", "copy"], more].concat(), &at(name));
    let coded = |name: &str, seconds, codec: &[&str]| ffmpeg(&[&source(seconds), codec].concat(), &at(name));
    let annexb = ["-an", "-bsf:v", "h264_mp4toannexb", "-f", "h264"];
    let files = vec![
        remux("frag.mp4", &["-movflags", "frag_keyframe+empty_moov+default_base_moof"]),
        remux("late.mp4", &["-output_ts_offset", "3"]),
        remux("m.mkv", &[]),
        remux("t.ts", &[]),
        remux("f.flv", &[]),
        remux("a.avi", &["-an"]),
        remux("raw.h264", &annexb),
        // The name says nothing, the bytes do; and a name with what URLs escape.
        remux("a clip %23 été", &annexb),
        with_sound.clone(),
        coded(
            "raw.h265",
            "1",
            &["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error:keyint=25"],
        ),
        coded("raw.mjpeg", "1", &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]),
        coded("j.mkv", "1", &["-c:v", "mjpeg", "-pix_fmt", "yuvj420p"]),
        coded("v.webm", "1", &["-c:v", "libvpx", "-deadline", "realtime"]),
        coded("p.mpg", "1", &["-c:v", "mpeg2video", "-bf", "2"]),
    ];
    let mut cases: Vec<_> = files.into_iter().map(|file| Case { file, rate: 25.0, pictures: 25.0 }).collect();
    let one = [source("1"), vec!["-frames:v", "1"]].concat();
    cases.extend([
        Case { file: coded("short.mp4", "0.2", &H264), rate: 25.0, pictures: 5.0 },
        Case { file: ffmpeg(&[&one[..], &H264].concat(), &at("one.mp4")), rate: 25.0, pictures: 1.0 },
        Case { file: ffmpeg(&one, &at("one.jpg")), rate: 25.0, pictures: 1.0 },
        Case { file: coded("ten.gif", "1", &["-vf", "fps=10"]), rate: 10.0, pictures: 10.0 },
        Case { file: coded("slow.mp4", "2", &[&["-vf", "fps=5"], &H264[..]].concat()), rate: 5.0, pictures: 10.0 },
    ]);
    cases
}

/// What is percent-encoded in a URL.
fn file_url(path: &Path) -> String {
    url::Url::from_file_path(path).unwrap().to_string()
}

fn figures(rig: &Rig) -> Scrape {
    Scrape::parse(&rig.all.render().unwrap())
}

fn received(rig: &Rig) -> f64 {
    figures(rig).frames("gate", "received")
}

fn lost(rig: &Rig) -> Vec<(&'static str, f64)> {
    let page = figures(rig);
    let of = |reason| page.get("frames_dropped_total", &[("camera", "gate"), ("reason", reason)]);
    ["gate", "late", "decoder", "broken"].into_iter().map(|reason| (reason, of(reason))).filter(|l| l.1 > 0.0).collect()
}

#[test]
fn all_play_endlessly_at_their_own_pace_on_one_connection() {
    let folder = temp_dir();
    let cases = whole_files(folder.path());
    let rigs: Vec<_> = cases.iter().map(|case| (Rig::on(&file_url(&case.file)), case)).collect();
    for (rig, case) in &rigs {
        let name = case.file.file_name().unwrap().to_string_lossy();
        wait_until(&format!("{name} plays"), soon(), || {
            let view = rig.camera.status().view();
            assert_eq!(view.disconnects, 0, "{name}: {view:?}");
            rig.hub.published() >= 3
        });
    }
    let begins: Vec<_> = rigs.iter().map(|(rig, _)| (Instant::now(), received(rig))).collect();
    for ((rig, case), (begin, before)) in rigs.iter().zip(begins) {
        let name = case.file.file_name().unwrap().to_string_lossy();
        let wanted = (ROUNDS * case.pictures).max(10.0);
        wait_until(&format!("{name} goes round"), soon(), || received(rig) - before >= wanted);
        let came = received(rig) - before;
        let clock = begin.elapsed().as_secs_f64();
        assert!(came <= clock * case.rate + AHEAD, "{name} runs ahead: {came} pictures in {clock:.2} s");
        let view = rig.camera.status().view();
        assert_eq!((view.connects, view.disconnects), (1, 0), "{name} has no seam");
        assert_eq!(lost(rig), [], "{name}: every picture is decoded");
    }
    rigs.into_iter().for_each(|(rig, _)| rig.stop());
}

#[test]
fn the_simulator_serves_them_as_well() {
    gst::init().unwrap();
    let folder = temp_dir();
    // GStreamer, which reads them here, never comes to the end of a GIF.
    let cases = whole_files(folder.path()).into_iter().filter(|case| case.file.extension() != Some("gif".as_ref()));
    for Case { file, .. } in cases {
        assert!(maskwatch::sim::Clip::load(&file).is_ok(), "{file:?}: {:?}", maskwatch::sim::Clip::load(&file).err());
    }
    let sound = ffmpeg(&[&SOUND[..], &["-t", "1"]].concat(), &folder.path().join("sound.m4a"));
    let words = maskwatch::sim::Clip::load(&sound).unwrap_err().to_string();
    assert!(words.contains("no video in it"), "{words}");
}

#[test]
fn what_was_cut_off_plays_as_far_as_it_goes() {
    let folder = temp_dir();
    let at = |name: &str| folder.path().join(name);
    let fragments = [source("2"), H264.to_vec(), vec!["-movflags", "frag_keyframe+empty_moov"]].concat();
    let files = [
        ffmpeg(&fragments, &at("frag.mp4")),
        ffmpeg(&[&source("2"), &H264[..]].concat(), &at("m.mkv")),
        ffmpeg(&[&source("2"), &H264[..]].concat(), &at("t.ts")),
    ];
    for file in &files {
        let bytes = std::fs::read(file).unwrap();
        std::fs::write(file, &bytes[..bytes.len() * 7 / 10]).unwrap();
    }
    let rigs = files.each_ref().map(|file| Rig::on(&file_url(file)));
    for (rig, file) in rigs.iter().zip(&files) {
        // More than all rounds that would fit into a whole file.
        wait_until(&format!("{file:?} goes round"), soon(), || received(rig) > 120.0);
        let view = rig.camera.status().view();
        assert_eq!((view.connects, view.disconnects), (1, 0), "{file:?}");
    }
    rigs.into_iter().for_each(Rig::stop);
}

#[test]
fn what_takes_a_files_place_is_taken_in_the_next_round() {
    let folder = temp_dir();
    let file = ffmpeg(&[&source("0.4"), &H264[..]].concat(), &folder.path().join("clip.mp4"));
    let larger = ["-f", "lavfi", "-i", "testsrc2=size=320x240:rate=25", "-t", "0.4"];
    let other = ffmpeg(&[&larger, &H264[..]].concat(), &folder.path().join("other.mp4"));
    let rig = Rig::on(&file_url(&file));
    rig.wait_up();
    assert_eq!(rig.size(), Some((160, 120)));
    std::fs::rename(&other, &file).unwrap();
    wait_until("the new size comes", soon(), || rig.size() == Some((320, 240)));
    assert_eq!(rig.camera.status().view().disconnects, 0, "on the same connection");

    std::fs::remove_file(&file).unwrap();
    let (reason, words) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::NotFound, "{words}");
    rig.stop();
}

#[test]
fn what_cannot_play_says_why() {
    use DisconnectReason::{Decode, NotFound, Unsupported};
    let folder = temp_dir();
    let at = |name: &str| folder.path().join(name);
    let cut = ffmpeg(&[&source("1"), &H264[..]].concat(), &at("cut.mp4"));
    let bytes = std::fs::read(&cut).unwrap();
    std::fs::write(&cut, &bytes[..bytes.len() / 2]).unwrap();
    std::fs::write(at("notes.txt"), "no video, but a list of\nthings to do\n".repeat(40)).unwrap();
    std::fs::write(at("zeros.bin"), vec![0; 100_000]).unwrap();
    std::fs::write(at("empty.mp4"), "").unwrap();
    // The begin of a Matroska file without a single picture.
    let mkv = std::fs::read(ffmpeg(&[&source("1"), &H264[..]].concat(), &at("m.mkv"))).unwrap();
    std::fs::write(at("begin.mkv"), &mkv[..600]).unwrap();
    run_well(Command::new("mkfifo").arg(at("pipe")), soon());
    let cases = [
        (ffmpeg(&[&SOUND[..], &["-t", "1"]].concat(), &at("sound.m4a")), Unsupported, "there is no video in it"),
        (ffmpeg(&[&SOUND[..4], &["-t", "1"]].concat(), &at("sound.wav")), Unsupported, "there is no video in it"),
        (cut, Decode, "cut off"),
        (at("begin.mkv"), Decode, "cut off"),
        (at("notes.txt"), Unsupported, "it is no video"),
        (at("zeros.bin"), Unsupported, "it is no video"),
        (at("empty.mp4"), Unsupported, "the file is empty"),
        (at("pipe"), Unsupported, "it is a pipe"),
        (at("none.mp4"), NotFound, "there is no such file"),
        (at("notes.txt/x.mp4"), NotFound, "there is no such file"),
        (folder.path().to_owned(), Unsupported, "it is a folder"),
        (PathBuf::from("/dev/null"), Unsupported, "it is a device"),
    ];
    let rigs: Vec<_> = cases.iter().map(|(file, ..)| Rig::on(&file_url(file))).collect();
    for (rig, (file, reason, words)) in rigs.iter().zip(&cases) {
        let (told, message) = rig.wait_down();
        assert_eq!(told, *reason, "{file:?}: {message}");
        assert!(message.contains(words), "{file:?}: {message}");
        assert!(!message.contains("camera") || file.starts_with("/dev"), "{file:?}: hints of files: {message}");
        assert_eq!(rig.hub.published(), 0, "{file:?}");
    }
    rigs.into_iter().for_each(Rig::stop);
}
