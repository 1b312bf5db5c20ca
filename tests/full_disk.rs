//! Disks that are full, read-only or away, for a while or from the start: the service starts and goes on, says so, and
//! has lost nothing when there is room. On a small file system of its own where this user may mount one.

// Helpers outside of test functions fail by panicking too, and say what they skip.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value;
use support::{App, AppConfig, free_port, http, soon, temp_dir, wait_until};
use tempfile::TempDir;

/// A file system of 3 MiB.
struct SmallDisk {
    folder: TempDir,
}

impl SmallDisk {
    /// `None` where this user may not mount one; that is said.
    fn mount() -> Option<Self> {
        let folder = temp_dir();
        let mounted = Command::new("mount").args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"]).arg(folder.path()).output();
        if !mounted.is_ok_and(|output| output.status.success()) {
            println!("SKIPPED: no file system may be mounted here");
            return None;
        }
        Some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all the room there is.
    fn fill(&self) {
        let mut file = File::create(self.ballast()).unwrap();
        while file.write_all(&[1; 4096]).is_ok() {}
        while file.write_all(&[1]).is_ok() {}
    }

    fn empty(&self) {
        fs::remove_file(self.ballast()).unwrap();
    }

    fn remount(&self, mode: &str) {
        let options = format!("remount,{mode}");
        support::process::run_well(Command::new("mount").args(["-o", &options]).arg(self.path()), soon());
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(self.path()).status().ok();
    }
}

/// A service with a store of people, and with one of events that wait for a broker that is not there.
fn config(state: &Path, broker: u16) -> AppConfig {
    AppConfig::new().top(&format!(
        "state_dir: {}\nevents:\n  sinks:\n    - {{ name: bus, type: mqtt, url: 'mqtt://127.0.0.1:{broker}' }}",
        state.display()
    ))
}

fn absent(config: AppConfig) -> AppConfig {
    config.camera("absent", "rtsp://127.0.0.1:9/x")
}

/// Past events and what was audited are few, and a full disk may hold a file that has room for them within itself: so only
/// that they are kept is waited for.
#[track_caller]
fn wait_for_stores(app: &App, ok: bool) {
    let stores = if ok { &["people", "events", "history", "audit"][..] } else { &["people", "events"] };
    app.wait_for_metrics(&format!("the stores are ok: {ok}"), soon() * 2, |scrape| {
        stores.iter().all(|store| scrape.get("state_store_ok", &[("store", store)]) == f64::from(u8::from(ok)))
    });
    let told = http::get(app.http, "/api/v1/cameras").unwrap().json()["stores"].clone();
    let told = told.as_array().unwrap();
    assert_eq!(told.len(), 4, "{told:?}");
    for store in told.iter().filter(|store| stores.contains(&store["store"].as_str().unwrap())) {
        assert_eq!(store["ok"], ok, "{store}");
        assert_eq!(store["problem"].as_str().is_some_and(|text| text.contains("wait in memory")), !ok, "{store}");
    }
}

fn waiting(app: &App) -> f64 {
    app.metrics().get("events_spooled", &[("sink", "bus")])
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// A disk that refuses in some way at the start, what it takes to mend it, and what is said meanwhile.
fn starts_without_a_disk(state: &Path, said: &str, mend: impl FnOnce()) {
    let broker = free_port();
    let mut app = absent(config(state, broker)).start();
    app.wait_ready();
    wait_for_stores(&app, false);
    let line = app.process.wait_for_line("people counted wait in memory", soon());
    assert!(line.contains(said) && line.contains("tried again"), "{line}");
    wait_until("the camera's failure waits as an event", soon(), || waiting(&app) >= 1.0);
    mend();
    wait_for_stores(&app, true);
    app.process.wait_for_line("what waited is on the disk now", soon());
    let events = waiting(&app);
    app.process.kill();
    assert_eq!(
        names(state),
        ["audit.redb", "events.redb", "history.redb", "people.redb"],
        "no broken file, nothing moved aside"
    );
    let mut app = absent(config(state, broker)).start();
    wait_for_stores(&app, true);
    assert!(waiting(&app) >= events, "the events of before the crash wait");
    assert!(app.stop().success());
    let log = app.process.log();
    assert!(!log.iter().any(|line| line.contains("corrupt") || line.contains("lost")), "{log:?}");
}

#[test]
fn a_service_starts_on_a_full_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    let state = disk.path().join("state");
    fs::create_dir(&state).unwrap();
    disk.fill();
    starts_without_a_disk(&state, "make room there", || disk.empty());
}

#[test]
fn a_service_starts_on_a_read_only_disk() {
    let Some(disk) = SmallDisk::mount() else { return };
    disk.remount("ro");
    starts_without_a_disk(&disk.path().join("state"), "read-only", || disk.remount("rw"));
}

#[test]
fn a_service_starts_where_its_disk_is_away() {
    let folder = temp_dir();
    let disk = folder.path().join("disk");
    fs::write(&disk, "").unwrap();
    starts_without_a_disk(&disk.join("state"), "state_dir", || fs::remove_file(&disk).unwrap());
}

#[test]
fn a_disk_that_is_full_as_often_as_it_likes_costs_nobody() {
    let Some(disk) = SmallDisk::mount() else { return };
    let state = disk.path().join("state");
    fs::create_dir(&state).unwrap();
    let (broker, scene) = (free_port(), support::demo::camera("shop"));
    let turn = scene.truth.people.len() as u64;
    let start = || config(&state, broker).camera("gate", &format!("file://{}", scene.clip.display())).start();
    disk.fill();
    let mut app = start();
    let wait_for_people = |app: &App, count: u64| {
        wait_until("people are counted", Duration::from_secs(120), || people(app) >= count);
    };
    wait_for_people(&app, turn);
    wait_for_stores(&app, false);
    for _ in 0..2 {
        disk.empty();
        wait_for_stores(&app, true);
        let before = people(&app);
        disk.fill();
        wait_for_people(&app, before + turn);
        wait_for_stores(&app, false);
    }
    // The end comes while the disk is said to be full, and has room: the last try finds it.
    let counted = people(&app);
    disk.empty();
    assert!(app.stop().success());
    let mut app = start();
    let now = people(&app);
    // Who was in the picture at the end was counted then.
    assert!((counted..=counted + turn).contains(&now), "{counted} before, {now} now");
    wait_for_stores(&app, true);
    assert_eq!(
        names(&state),
        ["audit.redb", "events.redb", "history.redb", "people.redb"],
        "no broken file, nothing moved aside"
    );
    assert!(app.stop().success());
}

fn people(app: &App) -> u64 {
    let camera: Value = http::get(app.http, "/api/v1/cameras/gate").unwrap().json();
    camera["compliance"]["people"].as_object().unwrap().values().map(|count| count.as_u64().unwrap()).sum()
}

#[test]
fn a_log_that_was_full_says_how_many_lines_are_missing() {
    let Some(disk) = SmallDisk::mount() else { return };
    let log = disk.path().join("maskwatch.log");
    let file = File::create(&log).unwrap();
    disk.fill();
    let app = AppConfig::new().camera("absent", "rtsp://127.0.0.1:9/x").arg("--log").arg("debug");
    let mut app = app.start_with(File::create("/dev/null").unwrap().into(), file.into());
    app.wait_for_metrics("lines are lost", soon(), |scrape| scrape.get("log_lines_dropped_total", &[]) > 5.0);
    disk.empty();
    wait_until("it is said", soon(), || fs::read_to_string(&log).unwrap().contains("log lines were lost"));
    assert!(app.stop().success());
    let text = fs::read_to_string(&log).unwrap();
    let told: f64 = text.lines().filter_map(|line| line.split_once(" lines=")?.1.trim().parse::<f64>().ok()).sum();
    assert!(told > 5.0, "{text}");
    assert!(text.lines().last().unwrap().contains("ended"), "{text}");
}

#[test]
fn a_users_file_that_cannot_be_written_is_said_and_read_on() {
    let Some(disk) = SmallDisk::mount() else { return };
    let users = disk.path().join("users.json");
    let mut app = support::users::service_at(&users, "cameras: [{ name: north, url: 'rtsp://127.0.0.1:9/a' }]\n");
    let add = || {
        let body = serde_json::json!({ "name": "bert", "role": "viewer", "password": "battery staple" });
        support::users::ask(app.http, "POST", "/api/v1/users", "anna:correct horse", &body)
    };
    for refuse in ["read-only", "full"] {
        if refuse == "full" {
            disk.fill()
        } else {
            disk.remount("ro")
        }
        let answer = add();
        assert_eq!(answer.status, 507, "{refuse}: {}", answer.text());
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains("users.json") && detail.contains("may this user write there"), "{detail}");
        assert_eq!(support::users::look(app.http, "/api/v1/users", "anna:correct horse"), 200);
        if refuse == "full" { disk.empty() } else { disk.remount("rw") }
    }
    assert_eq!(add().status, 201);
    let names: Vec<_> = fs::read_dir(disk.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["users.json"], "nothing half is left behind");
    assert_eq!(app.stop().code(), Some(0));
}
