//! What a crash leaves: no core, which would hold passwords, unless somebody asks for it.

// Helpers outside of test functions fail by panicking too.
#![allow(clippy::unwrap_used)]

mod support;

use std::os::unix::process::ExitStatusExt;
use std::process::Command;

use support::{App, Process, free_port, maskwatch, root, soon};

#[test]
fn a_crash_leaves_no_core_unless_it_is_asked_for() {
    let limit = |id: u32| {
        let limits = std::fs::read_to_string(format!("/proc/{id}/limits")).unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
        line.split_whitespace().nth(4).unwrap().to_owned()
    };
    let start = |more: &str| {
        let folder = support::temp_dir();
        let (file, http, rtsp) = (folder.path().join("maskwatch.yaml"), free_port(), free_port());
        let text = support::AppConfig::new().camera("away", "rtsp://127.0.0.1:9/x").yaml(http, rtsp);
        std::fs::write(&file, text).unwrap();
        // As somebody's shell that lets everything dump.
        let line = format!("ulimit -c \"$(ulimit -H -c)\"; cd {}; exec \"$@\"", folder.path().display());
        let mut run = Command::new("sh");
        run.args(["-c", &line, "sh"]).arg(maskwatch()).args(["run", "-c"]).arg(&file);
        run.args(more.split_whitespace());
        let models = root().join("models");
        std::fs::write(
            &file,
            std::fs::read_to_string(&file).unwrap() + &format!("inference: {{ models_dir: {} }}\n", models.display()),
        )
        .unwrap();
        let mut app = App { process: Process::start("maskwatch", &mut run), http, rtsp, folder };
        app.wait_alive();
        app
    };
    let mut app = start("");
    assert_eq!(limit(app.process.id()), "1");
    app.process.signal("ABRT");
    let status = app.process.wait(soon());
    assert_eq!((status.signal(), status.core_dumped()), (Some(6), false));
    let names: Vec<_> = std::fs::read_dir(app.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| !name.to_string_lossy().contains("core")), "{names:?}");
    let mut app = start("--core-dumps");
    let hard = std::fs::read_to_string(format!("/proc/{}/limits", app.process.id())).unwrap();
    let hard = hard
        .lines()
        .find_map(|line| line.strip_prefix("Max core file size"))
        .unwrap()
        .split_whitespace()
        .nth(1)
        .unwrap()
        .to_owned();
    assert_eq!(limit(app.process.id()), hard, "it is left as it was");
    assert_eq!(app.stop().code(), Some(0));
}
