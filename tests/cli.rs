//! The program as a user calls it: outputs, messages and exit codes of the contract.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use support::faces::{self, Patch};
use support::{maskwatch, root, temp_dir};

/// Runs in the checkout and waits.
#[track_caller]
fn run(args: &[&str]) -> Output {
    run_with(args, &[])
}

#[track_caller]
fn run_with(args: &[&str], env: &[(&str, &str)]) -> Output {
    Command::new(maskwatch()).args(args).envs(env.iter().copied()).current_dir(root()).output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

#[track_caller]
fn exits(output: &Output, code: i32) {
    assert_eq!(output.status.code(), Some(code), "stdout:\n{}\nstderr:\n{}", stdout(output), stderr(output));
}

/// The public-domain portrait that set-up fetches.
#[track_caller]
fn portrait() -> PathBuf {
    let file = root().join(".fetched/demo/astronaut.png");
    assert!(file.is_file(), "{} is missing: run `make setup`", file.display());
    file
}

#[test]
fn check_says_good_or_names_everything_that_is_bad() {
    let good = run(&["check", "-c", "config/maskwatch.yaml"]);
    exits(&good, 0);
    assert_eq!(stdout(&good), "config/maskwatch.yaml: good, 1 camera\n");
    let bad = run(&["check", "-c", "tests/config/bad/unknown-keys.yaml"]);
    exits(&bad, 2);
    assert_eq!(stdout(&bad), "");
    let lines: Vec<_> = stderr(&bad).lines().map(str::to_owned).collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(lines.iter().all(|line| line.starts_with("tests/config/bad/unknown-keys.yaml:")), "{lines:?}");
    let absent = run(&["check", "-c", "no-such-file.yaml"]);
    exits(&absent, 2);
    assert!(stderr(&absent).contains("no-such-file.yaml: cannot be read"), "{}", stderr(&absent));
}

#[test]
fn run_refuses_what_check_refuses() {
    let bad = run(&["run", "-c", "tests/config/bad/bad-urls.yaml"]);
    exits(&bad, 2);
    assert!(!stderr(&bad).contains("hunter2"), "{}", stderr(&bad));
}

#[test]
fn the_schema_is_printed() {
    let output = run(&["schema"]);
    exits(&output, 0);
    assert_eq!(stdout(&output), fs::read_to_string(root().join("config/maskwatch.schema.json")).unwrap());
}

#[test]
fn bad_usage_is_2() {
    for args in [&["fly"][..], &[], &["image"], &["image", "a.png", "--min-score", "7"], &["models", "sing"]] {
        exits(&run(args), 2);
    }
    let output = run(&["--log", "maskwatch=loud", "models"]);
    exits(&output, 2);
    assert!(stderr(&output).contains("is no log filter"), "{}", stderr(&output));
}

#[test]
fn models_are_listed_and_verified() {
    let list = run(&["models"]);
    exits(&list, 0);
    assert!(stdout(&list).contains("maskwatch-ssd-640"), "{}", stdout(&list));
    let verify = run(&["models", "verify"]);
    exits(&verify, 0);

    let folder = temp_dir();
    let copy = folder.path().join("maskwatch-ssd-640");
    fs::create_dir(&copy).unwrap();
    for file in ["manifest.yaml", "maskwatch-ssd-640.onnx"] {
        fs::copy(root().join("models/maskwatch-ssd-640").join(file), copy.join(file)).unwrap();
    }
    let mut bytes = fs::read(copy.join("maskwatch-ssd-640.onnx")).unwrap();
    bytes[1000] ^= 1;
    fs::write(copy.join("maskwatch-ssd-640.onnx"), bytes).unwrap();
    std::os::unix::fs::symlink(root().join("models/maskwatch-cls"), folder.path().join("maskwatch-cls")).unwrap();
    let folder = folder.path().to_str().unwrap();
    let altered = run(&["models", "verify", "--models-dir", folder]);
    exits(&altered, 1);
    assert!(stdout(&altered).contains("sha256"), "{}", stdout(&altered));

    let used = run(&["image", "a.png", "--models-dir", folder]);
    exits(&used, 2);
    assert!(stderr(&used).contains("sha256"), "{}", stderr(&used));
}

#[test]
fn a_library_that_does_not_load_is_told_with_a_hint() {
    let folder = temp_dir();
    let library = folder.path().join("libonnxruntime.so");
    fs::write(&library, "no library").unwrap();
    let output = run(&["image", "a.png", "--library", library.to_str().unwrap()]);
    exits(&output, 2);
    assert!(stderr(&output).contains("make setup"), "{}", stderr(&output));
}

/// The lines that `--json` wrote.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

/// A line of `image --json` by the contract.
#[track_caller]
fn is_image_line(line: &Value) {
    let schema = serde_json::json!({
        "type": "object", "additionalProperties": false, "required": ["file", "width", "height", "faces"],
        "properties": {
            "file": { "type": "string" },
            "width": { "type": "integer", "minimum": 1 },
            "height": { "type": "integer", "minimum": 1 },
            "faces": { "type": "array", "items": {
                "type": "object", "additionalProperties": false, "required": ["bbox", "score", "state", "state_scores"],
                "properties": {
                    "bbox": { "type": "array", "items": { "type": "number", "minimum": 0 }, "minItems": 4, "maxItems": 4 },
                    "score": { "type": "number", "minimum": 0, "maximum": 1 },
                    "state": { "enum": ["mask", "incorrect", "no_mask", "unknown"] },
                    "state_scores": { "type": ["object", "null"], "required": ["mask", "incorrect", "no_mask"] }
                }
            } }
        }
    });
    let errors: Vec<_> =
        jsonschema::validator_for(&schema).unwrap().iter_errors(line).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:?}: {line}");
}

#[test]
fn the_face_of_the_portrait_is_found_and_has_no_mask() {
    let folder = temp_dir();
    let out = folder.path().join("out");
    let portrait = portrait();
    let portrait = portrait.to_str().unwrap();
    let output = run(&["image", portrait, "--json", "-", "--out", out.to_str().unwrap()]);
    exits(&output, 0);
    let lines = lines(&stdout(&output));
    let [line] = &lines[..] else { panic!("{lines:?}") };
    is_image_line(line);
    assert_eq!(line["file"], portrait);
    assert_eq!((&line["width"], &line["height"]), (&512.into(), &512.into()));
    let faces = line["faces"].as_array().unwrap();
    let [face] = &faces[..] else { panic!("{faces:?}") };
    assert_eq!(face["state"], "no_mask");
    let bbox: Vec<f64> = face["bbox"].as_array().unwrap().iter().map(|value| value.as_f64().unwrap()).collect();
    let (x, y) = (bbox[0] + bbox[2] / 2.0, bbox[1] + bbox[3] / 2.0);
    // The astronaut's nose is at about (224, 120).
    assert!((190.0..260.0).contains(&x) && (80.0..160.0).contains(&y), "{bbox:?}");

    // The copy has a box: it differs from the image around the face, and nowhere far from it.
    let before = image::open(portrait).unwrap().to_rgb8();
    let after = image::open(out.join("astronaut.png")).unwrap().to_rgb8();
    let changed = |x: u32, y: u32| before.get_pixel(x, y) != after.get_pixel(x, y);
    let edge = (bbox[0].round() as u32).saturating_sub(2)..(bbox[0].round() as u32 + 4);
    assert!(edge.clone().any(|x| changed(x, y as u32)), "no box at {bbox:?}");
    assert!((300..512).all(|y| (0..512).all(|x| !changed(x, y))));
}

#[test]
fn with_privacy_the_copy_has_no_face_and_the_line_stays() {
    let folder = temp_dir();
    let (portrait, out) = (portrait(), folder.path().join("out"));
    let portrait = portrait.to_str().unwrap();
    let clear = run(&["image", portrait, "--json", "-"]);
    let hidden = run(&["image", portrait, "--json", "-", "--out", out.to_str().unwrap(), "--privacy", "blur"]);
    exits(&hidden, 0);
    assert_eq!(stdout(&hidden), stdout(&clear));
    let before = image::open(portrait).unwrap().to_rgb8();
    let after = image::open(out.join("astronaut.png")).unwrap().to_rgb8();
    let [(face, _)] = faces::find(&before, 0.7)[..] else { panic!("one face in the portrait") };
    let clean = Patch::of_picture(&before, &face).unwrap();
    let left = clean.share_in(&Patch::of_picture(&after, &face).unwrap());
    assert!(clean.strength() > 3.0 && left < 0.15, "{left} of the face is left");
    assert!(faces::find(&after, 0.5).is_empty());
    let same = |x: u32, y: u32| before.get_pixel(x, y) == after.get_pixel(x, y);
    assert!((0..512).all(|y| (0..100).chain(400..512).all(|x| same(x, y))), "the rest stays");
}

#[test]
fn an_unreadable_image_is_told_and_the_others_run() {
    let folder = temp_dir();
    let broken = folder.path().join("broken.jpg");
    fs::write(&broken, "no image").unwrap();
    let json = folder.path().join("faces.jsonl");
    let (portrait, broken) = (portrait(), broken.to_str().unwrap().to_owned());
    let output = run(&["image", &broken, portrait.to_str().unwrap(), "missing.png", "--json", json.to_str().unwrap()]);
    exits(&output, 1);
    let lines = lines(&fs::read_to_string(&json).unwrap());
    assert_eq!(lines.len(), 3);
    assert_eq!(lines[0]["file"], *broken);
    assert!(lines[0]["error"].as_str().unwrap().contains("not a readable image"), "{}", lines[0]);
    is_image_line(&lines[1]);
    assert_eq!(lines[2]["file"], "missing.png");
    assert!(stderr(&output).contains("missing.png: cannot be read"), "{}", stderr(&output));
}

#[test]
fn a_minimum_score_leaves_faces_out() {
    let portrait = portrait();
    let output = run(&["image", portrait.to_str().unwrap(), "--json", "-", "--min-score", "1"]);
    exits(&output, 0);
    assert_eq!(lines(&stdout(&output))[0]["faces"], Value::Array(Vec::new()));
}

/// Every picture of the validation set, when it is there.
#[test]
fn lines_over_many_photos_match_the_contract() {
    let Some(folder) = support::data::find("detection/images") else { return };
    let mut files: Vec<_> = photos(&folder);
    files.truncate(60);
    let mut command = Command::new(maskwatch());
    let output = command.arg("image").args(&files).args(["--json", "-"]).current_dir(root()).output().unwrap();
    exits(&output, 0);
    let lines = lines(&stdout(&output));
    assert_eq!(lines.len(), files.len());
    lines.iter().for_each(is_image_line);
    let faces: usize = lines.iter().map(|line| line["faces"].as_array().unwrap().len()).sum();
    assert!(faces > files.len() / 2, "{faces} faces in {} photos", files.len());
}

fn photos(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "jpg" || extension == "png") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

#[test]
fn a_port_in_use_is_told_and_nothing_starts() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let free = support::free_port();
    for (key, http, rtsp) in [("http", port, free), ("rtsp", free, port)] {
        let folder = temp_dir();
        let config = folder.path().join("a.yaml");
        let text = format!(
            "http: {{ listen: 127.0.0.1:{http} }}\nrtsp: {{ listen: 127.0.0.1:{rtsp} }}\n\
             cameras: [{{ name: a, url: rtsp://127.0.0.1:1/a }}]\n"
        );
        fs::write(&config, text).unwrap();
        let output = run(&["run", "-c", config.to_str().unwrap()]);
        exits(&output, 1);
        let told = stderr(&output);
        assert!(told.contains(&format!("{key}: 127.0.0.1:{port} is in use")), "{told}");
        assert!(!told.contains("camera a"), "no camera was started: {told}");
    }
}

#[test]
fn a_difference_is_told_before_it_is_made() {
    let folder = temp_dir();
    let file = |name: &str, cameras: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, format!("cameras:\n{cameras}")).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let old = file("old.yaml", "- { name: a, url: 'rtsp://10.0.0.1/x' }\n- { name: b, url: 'rtsp://10.0.0.2/x' }\n");
    let new = file(
        "new.yaml",
        "- { name: b, url: 'rtsp://10.0.0.2/x', weight: 2 }\n- { name: c, url: 'rtsp://10.0.0.3/x' }\n",
    );
    let bad = file("bad.yaml", "- { name: a }\n");
    let diff = |new: &str, more: &[&str]| run(&[&["diff", "-c", new, "--against", &old], more].concat());
    let told = diff(&new, &[]);
    assert_eq!(told.status.code(), Some(1));
    assert_eq!(stdout(&told), "camera b: changed (weight)\ncamera a: removed\ncamera c: added\n");
    let json: Value = serde_json::from_slice(&diff(&new, &["--json"]).stdout).unwrap();
    assert_eq!(json["changes"][0], serde_json::json!({ "action": "change", "camera": "b", "keys": ["weight"] }));
    let same = diff(&old, &[]);
    assert_eq!((same.status.code(), stdout(&same).as_str()), (Some(0), ""));
    let refused = diff(&bad, &[]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(stderr(&refused).contains("bad.yaml:2: cameras[0]"), "{}", stderr(&refused));
}
