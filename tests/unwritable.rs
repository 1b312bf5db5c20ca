//! Outputs that cannot be written or are not read, and signals of a terminal that goes away: a service goes on and counts
//! what it could not say; a command ends as its result is.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs::{File, OpenOptions};
use std::io::{PipeReader, Read, Write, pipe};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use support::{App, AppConfig, Process, clip::Clip, http, maskwatch, root, soon, temp_dir, wait_until};

/// A service that has much to say.
fn talkative(cameras: usize) -> AppConfig {
    let more = |config: AppConfig, index: usize| config.camera(&format!("absent-{index}"), "rtsp://127.0.0.1:9/x");
    (0..cameras).fold(AppConfig::new(), more).arg("--log").arg("trace")
}

/// More cameras than a pipe and the queue behind it have room for what is said of them.
const MANY: usize = 150;

/// A service whose log nobody reads: the pipe is full before it starts. Both outputs go there, as `2>&1 | reader` has them.
fn unread() -> (App, PipeReader) {
    let (reader, writer) = pipe().unwrap();
    let written = Arc::new(AtomicUsize::new(0));
    let (mut filler, count) = (writer.try_clone().unwrap(), Arc::clone(&written));
    std::thread::spawn(move || {
        while count.load(Ordering::Relaxed) < 32
            && filler.write_all(&[b"x".repeat(4095), b"\n".to_vec()].concat()).is_ok()
        {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    wait_until("the pipe is full", soon(), || written.load(Ordering::Relaxed) >= 16);
    (talkative(MANY).start_with(writer.try_clone().unwrap().into(), writer.into()), reader)
}

fn full() -> File {
    OpenOptions::new().write(true).open("/dev/full").unwrap()
}

#[track_caller]
fn wait_until_lines_are_dropped(app: &App) -> f64 {
    let dropped = |scrape: &support::Scrape| scrape.get("log_lines_dropped_total", &[]);
    dropped(&app.wait_for_metrics("lines are dropped", soon(), |scrape| dropped(scrape) > 20.0))
}

/// It is alive, tells of its camera, and ends in order and in time.
#[track_caller]
fn goes_on_and_ends(mut app: App) {
    app.wait_ready();
    let camera = http::get(app.http, "/api/v1/cameras/absent-0").unwrap().json();
    assert_eq!(camera["failure"]["reason"], "refused");
    let begin = Instant::now();
    assert_eq!(app.stop().code(), Some(0));
    assert!(begin.elapsed() < Duration::from_secs(6), "{:?}", begin.elapsed());
}

#[test]
fn a_service_goes_on_where_its_log_disk_is_full() {
    let app = talkative(4).start_with(full().into(), full().into());
    let before = wait_until_lines_are_dropped(&app);
    app.wait_for_metrics("each further line is counted", soon(), |scrape| {
        scrape.get("log_lines_dropped_total", &[]) > before + 20.0
    });
    goes_on_and_ends(app);
}

#[test]
fn a_service_goes_on_where_the_reader_of_its_log_is_gone() {
    let (reader, writer) = pipe().unwrap();
    drop(reader);
    let app = talkative(4).start_with(writer.try_clone().unwrap().into(), writer.into());
    wait_until_lines_are_dropped(&app);
    goes_on_and_ends(app);
}

#[test]
fn a_service_goes_on_where_nobody_reads_its_log_and_says_later_what_is_missing() {
    let (app, mut reader) = unread();
    wait_until_lines_are_dropped(&app);
    let text = std::thread::spawn(move || {
        let mut text = Vec::new();
        reader.read_to_end(&mut text).unwrap();
        String::from_utf8_lossy(&text).into_owned()
    });
    goes_on_and_ends(app);
    let text = text.join().unwrap();
    let told: Vec<&str> = text.lines().filter(|line| line.contains("log lines were lost")).collect();
    assert!(!told.is_empty(), "not told in {} lines", text.lines().count());
    assert!(told.iter().all(|line| line.contains("WARN") && line.contains(" lines=")), "{told:?}");
    assert!(text.contains("ended"), "the last line comes after them");
}

#[test]
fn a_service_ends_in_time_where_nobody_reads_its_log() {
    let (app, _reader) = unread();
    wait_until_lines_are_dropped(&app);
    goes_on_and_ends(app);
}

#[test]
fn nothing_is_dropped_where_the_log_is_read() {
    let mut app = AppConfig::new().camera("absent", "rtsp://127.0.0.1:9/x").start();
    app.wait_ready();
    assert_eq!(app.metrics().get("log_lines_dropped_total", &[]), 0.0, "exported from the start");
    assert!(app.stop().success());
    assert!(!app.process.log().iter().any(|line| line.contains("were lost")));
}

#[test]
fn a_command_ends_as_its_result_is_whatever_its_outputs() {
    let bad = "tests/config/bad/unknown-keys.yaml";
    // Arguments, standard output and error that cannot be written, status.
    let cases: [(&[&str], bool, bool, i32); 9] = [
        (&["check", "-c", bad], false, true, 2),
        (&["run", "-c", bad], true, true, 2),
        (&["image", "missing.png"], true, true, 1),
        (&["image", "--wrong"], true, true, 2),
        (&["--log", "maskwatch=loud", "models"], true, true, 2),
        (&["schema"], true, true, 1),
        (&["schema"], false, true, 0),
        (&["models"], true, true, 1),
        (&["--help"], true, true, 1),
    ];
    for (args, stdout, stderr, status) in cases {
        let output = |is_full: bool| if is_full { Stdio::from(full()) } else { Stdio::null() };
        let mut command = Command::new(maskwatch());
        command.args(args).current_dir(root()).stdin(Stdio::null()).stdout(output(stdout)).stderr(output(stderr));
        assert_eq!(command.status().unwrap().code(), Some(status), "{args:?}");
        // A reader that is gone is nobody's fault; what is wrong otherwise stays so.
        let gone = || {
            let (_, writer) = pipe().unwrap();
            Stdio::from(writer)
        };
        let read = if args == ["schema"] || args == ["models"] || args == ["--help"] { 0 } else { status };
        command.stdout(gone()).stderr(gone());
        assert_eq!(command.status().unwrap().code(), Some(read), "{args:?} without readers");
    }
}

#[test]
fn an_error_is_said_where_the_standard_output_is_full() {
    let mut command = Command::new(maskwatch());
    let output = command.arg("schema").current_dir(root()).stdout(full()).stderr(Stdio::piped()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(text.starts_with("maskwatch: the standard output cannot be written"), "{text}");
}

#[test]
fn a_hangup_ends_no_service() {
    let mut app = AppConfig::new().camera("absent", "rtsp://127.0.0.1:9/x").start();
    for _ in 0..3 {
        app.process.signal("HUP");
    }
    app.process.wait_for_line("configuration: nothing to do", soon());
    app.wait_ready();
    assert!(app.process.running());
    assert_eq!(app.stop().code(), Some(0));
    let mut sim = Command::new(maskwatch());
    let folder = temp_dir();
    let file = Clip::default().write(folder.path(), "clip");
    sim.arg("camera-sim").arg(&file).args(["--listen", "127.0.0.1:0"]);
    let mut sim = Process::start("maskwatch camera-sim", &mut sim);
    sim.wait_for_line("/cam0", soon());
    sim.signal("HUP");
    sim.wait_for_line("SIGHUP", soon());
    sim.signal("TERM");
    assert!(sim.wait(soon()).success());
}

/// Starts `maskwatch video` over a clip of so many seconds, and sends SIGHUP once it writes. Gives the summary's frames.
fn frames_of_a_video_with_a_hangup(seconds: u32, nohup: bool) -> u64 {
    let folder = temp_dir();
    let clip = Clip { seconds, ..Clip::default() }.write(folder.path(), "clip");
    let (json, out) = (folder.path().join("lines.jsonl"), folder.path().join("out.mp4"));
    let mut command = Command::new("sh");
    let trap = if nohup { "trap '' HUP; " } else { "" };
    command.args(["-c", &format!("{trap}exec \"$0\" \"$@\"")]).arg(maskwatch());
    command.arg("video").arg(&clip).arg("--json").arg(&json).arg("--out").arg(&out).current_dir(root());
    let mut process = Process::start("maskwatch video", &mut command);
    let part = folder.path().join("out.mp4.part");
    wait_until("it writes", soon(), || part.metadata().is_ok_and(|meta| meta.len() > 20_000));
    process.signal("HUP");
    assert_eq!(process.wait(soon() * 2).code(), Some(0));
    let text = std::fs::read_to_string(&json).unwrap();
    let last: serde_json::Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    last["summary"]["frames"].as_u64().unwrap_or_else(|| panic!("no summary: {last}"))
}

#[test]
fn a_hangup_ends_a_file_command_in_order_unless_nohup_asks_for_the_contrary() {
    let fps = u64::from(Clip::default().fps);
    let ended_early = frames_of_a_video_with_a_hangup(120, false);
    assert!((1..120 * fps).contains(&ended_early), "{ended_early}");
    assert_eq!(frames_of_a_video_with_a_hangup(12, true), 12 * fps);
}
