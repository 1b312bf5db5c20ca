//! The demo's cameras as test material: people with known places and states.

use maskwatch::demo;

use super::root;

/// The four clips and their truth; made where they are missing.
pub fn cameras() -> Vec<demo::DemoCamera> {
    gst::init().unwrap();
    demo::cameras(&root().join(".fetched/demo"), |count| eprintln!("making {count} demo clips"))
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The camera of that name.
pub fn camera(name: &str) -> demo::DemoCamera {
    cameras().into_iter().find(|camera| camera.name == name).unwrap()
}

/// Whether the default classifier tells a mask under the nose from none and from a good one.
pub fn knows_incorrect() -> bool {
    let plan = maskwatch::config::plan::InferencePlan::default();
    let Some(name) = plan.classifier else { return true };
    let manifest = std::fs::read_to_string(root().join("models").join(name).join("manifest.yaml")).unwrap();
    manifest.lines().any(|line| line.trim_start().starts_with("labels:") && line.contains("incorrect"))
}
