//! Every command line of the README is run as it stands there, in a folder that has what it names.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use support::{Process, process, root, soon};
use tempfile::TempDir;

/// The mark before a block whose lines are run.
const MARK: &str = "<!-- tested -->\n```sh\n";

/// Commands that go on until they are asked to end, and what they print once they run.
const ENDLESS: [(&str, &str); 3] =
    [("maskwatch run", "/metrics"), ("maskwatch demo", "/mosaic"), ("maskwatch camera-sim", "/cam1")];

fn readme() -> String {
    fs::read_to_string(root().join("README.md")).unwrap()
}

/// The command lines of the marked blocks, without their comments.
fn lines(text: &str) -> Vec<String> {
    let blocks = text.split(MARK).skip(1).filter_map(|rest| rest.split_once("```"));
    let lines = blocks.flat_map(|(block, _)| block.lines());
    lines.map(|line| line.split(" # ").next().unwrap().trim().to_owned()).filter(|line| !line.is_empty()).collect()
}

/// A folder as the README supposes it: models, configuration, the demo's clips, a photo, a clip.
fn workplace() -> TempDir {
    let folder = support::temp_dir();
    let path = folder.path();
    for name in ["models", ".fetched"] {
        symlink(root().join(name), path.join(name)).unwrap();
    }
    fs::create_dir(path.join("config")).unwrap();
    let config = fs::read_to_string(root().join("config/maskwatch.yaml")).unwrap();
    // The example's camera is elsewhere; a test sends nothing beyond this machine.
    fs::write(path.join("config/maskwatch.yaml"), config.replace("10.0.0.21:554", "127.0.0.1:9")).unwrap();
    let lobby = support::demo::camera("lobby").clip;
    let ffmpeg = |arguments: &[&str]| {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-ss", "6", "-i"]).arg(&lobby).args(arguments);
        process::run_well(command.current_dir(path), soon());
    };
    ffmpeg(&["-t", "3", "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "clip.mp4"]);
    ffmpeg(&["-frames:v", "1", "photo.jpg"]);
    plugin_folder(path);
    folder
}

/// The plugin beside the test's own dependencies, under the name that GStreamer looks for.
fn plugin_folder(path: &Path) {
    let folder = path.join("plugins");
    fs::create_dir(&folder).unwrap();
    let built = support::maskwatch().with_file_name("deps").join("libgstmaskwatch.so");
    symlink(built, folder.join("libgstmaskwatch.so")).unwrap();
}

fn shell(folder: &Path, line: &str) -> Command {
    let program = support::maskwatch();
    let path = format!("{}:{}", program.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec {line}")]).current_dir(folder).env("PATH", path);
    command.env("GST_PLUGIN_PATH", folder.join("plugins")).env("GST_REGISTRY", folder.join("registry.bin"));
    command.env("ORT_DYLIB_PATH", root().join(".fetched/onnxruntime/libonnxruntime.so"));
    command
}

#[test]
fn command_lines_of_the_readme_run() {
    let folder = workplace();
    let lines = lines(&readme());
    assert!(lines.len() >= 10, "{lines:?}");
    for line in &lines {
        let mut command = shell(folder.path(), line);
        match ENDLESS.iter().find(|(start, _)| line.starts_with(start)) {
            Some((_, sign)) => {
                let mut process = Process::start(line, &mut command);
                process.wait_for_line(sign, soon());
                process.signal("INT");
                assert!(process.wait(Duration::from_secs(10)).success(), "{line}");
            }
            None => drop(process::run_well(&mut command, Duration::from_secs(120))),
        }
    }
    for made in ["out/photo.jpg", "out.mp4", "out.jsonl"] {
        assert!(folder.path().join(made).metadata().is_ok_and(|file| file.len() > 0), "{made} was not made");
    }
}

#[test]
fn make_targets_of_the_readme_exist() {
    let text = readme();
    let targets: Vec<&str> = text
        .split("make ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase()).next())
        .filter(|target| ["demo", "test", "image", "build", "setup"].contains(target))
        .collect();
    assert!(targets.contains(&"demo") && targets.contains(&"test"), "{targets:?}");
    for target in targets {
        process::run_well(Command::new("make").args(["-n", target]).current_dir(root()), soon());
    }
}

#[test]
fn links_of_the_readme_lead_somewhere() {
    for link in readme().split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        assert!(link.starts_with("https://") || root().join(link).exists(), "{link} is not there");
    }
}
