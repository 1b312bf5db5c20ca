//! The service is killed while it writes cameras for the API: the folder is whole, and each camera is as it was before the
//! write or as it was to be. `MASKWATCH_KILLS=50` for more of it.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::http::request;
use support::users::start;
use support::{free_port, maskwatch, root, soon};

/// How often it is killed where nothing is said.
const KILLS: usize = 12;
/// First line of a file that the API wrote.
const OURS: &str = "# Written by Maskwatch's API";

/// What a camera is: the path of its address, and its password.
type Cameras = BTreeMap<String, (String, String)>;

/// One write, and what is there when it is done.
fn next(number: usize, cameras: &Cameras) -> (&'static str, String, Value, Cameras) {
    let name = format!("cam-{}", number % 3);
    let (url, password) = (format!("rtsp://127.0.0.1:9/{number}"), format!("s3cret-{number}"));
    let body = json!({ "url": url, "username": "ops", "password": password });
    let mut after = cameras.clone();
    let place = format!("/api/v1/cameras/{name}");
    // Each of them comes, changes twice, and goes.
    if !cameras.contains_key(&name) {
        let mut body = body;
        body["name"] = name.clone().into();
        after.insert(name, (url, password));
        return ("POST", "/api/v1/cameras".into(), body, after);
    }
    if number % 4 == 3 {
        after.remove(&name);
        return ("DELETE", place, Value::Null, after);
    }
    after.insert(name, (url, password));
    ("PUT", place, body, after)
}

/// What the folder says, with every rule that it has to keep.
fn read(folder: &Path) -> Cameras {
    let mut cameras = Cameras::new();
    for (name, path) in files(folder).into_iter().filter(|(name, _)| name.ends_with(".yaml") && !name.starts_with('.'))
    {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with(OURS) && text.ends_with('\n'), "half a file: {name}: {text}");
        let value = |key: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(&format!("{key}: ")));
            line.unwrap_or_else(|| panic!("{name} has no {key}: {text}")).to_owned()
        };
        let password = folder.join(value("password_file"));
        let mode = fs::metadata(&password).unwrap_or_else(|error| panic!("{name}: {error}")).permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", password.display());
        cameras.insert(value("name"), (value("url"), fs::read_to_string(&password).unwrap()));
    }
    cameras
}

fn files(folder: &Path) -> BTreeMap<String, std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), entry.path())).collect()
}

#[test]
fn killed_while_it_writes_cameras_it_leaves_a_whole_folder() {
    let kills = std::env::var("MASKWATCH_KILLS").map_or(KILLS, |count| count.parse().unwrap());
    let (http, rtsp) = (free_port(), free_port());
    let mut folder = support::temp_dir();
    let included = folder.path().join("cameras.d");
    fs::create_dir(&included).unwrap();
    let text = format!(
        "http: {{ listen: 127.0.0.1:{http} }}\nrtsp: {{ listen: 127.0.0.1:{rtsp} }}\ninclude: cameras.d/*.yaml\n\
         cameras: [{{ name: main, url: 'rtsp://127.0.0.1:9/main' }}]\n"
    );
    fs::write(folder.path().join("maskwatch.yaml"), text).unwrap();
    let (mut cameras, mut number, mut cut_short, mut between) = (Cameras::new(), 0, 0, 0);
    for kill in 0..kills {
        let mut app = start(folder, http, rtsp);
        app.wait_ready();
        // What an end in the middle left over is gone.
        let strays: BTreeSet<String> = files(&included).into_keys().filter(|name| name.starts_with('.')).collect();
        assert!(strays.is_empty(), "{strays:?}");
        assert_eq!(files(&included).len(), 2 * cameras.len(), "{:?}", files(&included).keys());
        let begin = std::time::Instant::now();
        // Spread over some writes; each takes some milliseconds for the disk.
        let delay = Duration::from_micros(1_000 + (kill as u64 * 7_919) % 61_000);
        let id = app.process.id();
        let killer = std::thread::spawn(move || {
            support::let_pass(delay.saturating_sub(begin.elapsed()));
            Command::new("sh").args(["-c", &format!("kill -KILL {id}")]).status().unwrap();
        });
        let wanted = loop {
            let (method, path, body, after) = next(number, &cameras);
            number += 1;
            let text = if body.is_null() { String::new() } else { body.to_string() };
            match request(http, method, &path, &[("Content-Type", "application/json")], text.as_bytes()) {
                Ok(answer) => {
                    assert!((200..300).contains(&answer.status), "{method} {path}: {}", answer.text());
                    cameras = after;
                }
                Err(_) => break after,
            }
        };
        killer.join().unwrap();
        app.process.wait(soon());
        folder = std::mem::replace(&mut app.folder, tempfile::tempdir().unwrap());
        let found = read(&included);
        assert!(found == cameras || found == wanted, "neither {cameras:?} nor {wanted:?}: {found:?}");
        cut_short += usize::from(found == cameras);
        between += usize::from(files(&included).len() != 2 * found.len());
        cameras = found;
        let mut check = Command::new(maskwatch());
        check.args(["check", "-c"]).arg(folder.path().join("maskwatch.yaml")).current_dir(root());
        let checked = check.output().unwrap();
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    println!("{kills} kills in {number} writes: {cut_short} writes undone, {between} left something over");
    let mut app = start(folder, http, rtsp);
    app.wait_ready();
    assert_eq!(files(&included).len(), 2 * cameras.len(), "{:?}", files(&included).keys());
    assert_eq!(app.stop().code(), Some(0));
}
