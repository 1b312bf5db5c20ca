//! Models and batching.

use std::path::{Path, PathBuf};

use maskwatch_engine::Provider;

use super::Check;
use crate::config::plan::{self, InferencePlan};
use crate::config::raw::{RawInference, RawProvider};
use crate::config::tree::Step;

/// The written name for "no classifier".
const NONE: &str = "none";

pub(super) fn plan(check: &mut Check, raw: &RawInference) -> InferencePlan {
    let at = |key: &str| [Step::from("inference"), Step::from(key)];
    let usual = InferencePlan::default();
    let models_dir = models_dir(check, &at("models_dir"), raw.models_dir.as_deref());
    let detector = raw.detector.clone().unwrap_or(usual.detector);
    let classifier = match raw.classifier.as_deref() {
        Some(NONE) => None,
        Some(name) => Some(name.to_owned()),
        None => usual.classifier,
    };
    if models_dir.is_dir() {
        model(check, &at("detector"), &models_dir, &detector);
        if let Some(classifier) = &classifier {
            model(check, &at("classifier"), &models_dir, classifier);
        }
    }
    let library = raw.library.as_deref().map(|library| check.path(library));
    if let Some(library) = &library
        && !library.is_file()
    {
        let written = raw.library.as_deref().unwrap_or(library);
        let what = format!("{} is not there", check.said_path(&at("library"), written));
        check.problem(&at("library"), what, "leave the key out to have the library found; `make setup` fetches it");
    }
    if raw.max_wait.is_some() {
        let hint = "leave it out: a frame waits only while the detector is busy";
        check.warning(&at("max_wait"), "has no effect any more", hint);
    }
    let max_batch = raw.max_batch.map_or(usual.max_batch, |n| n as usize);
    let threads = raw.threads.map_or(usual.threads, |n| n as usize);
    InferencePlan {
        provider: raw.provider.map_or(usual.provider, provider),
        library,
        models_dir,
        detector,
        classifier,
        max_batch: check.range(&at("max_batch"), max_batch, (1, 64), "1 to 64"),
        threads: check.range(&at("threads"), threads, (0, 256), "0 to 256; 0: all cores"),
    }
}

fn provider(raw: RawProvider) -> Provider {
    match raw {
        RawProvider::Auto => Provider::Auto,
        RawProvider::Cpu => Provider::Cpu,
        RawProvider::Openvino => Provider::Openvino,
        RawProvider::Cuda => Provider::Cuda,
        RawProvider::Tensorrt => Provider::Tensorrt,
    }
}

fn models_dir(check: &mut Check, at: &[Step], written: Option<&Path>) -> PathBuf {
    match written {
        Some(written) => {
            let folder = check.path(written);
            if !folder.is_dir() {
                let hint =
                    "a folder with one folder per model; relative paths start at the configuration file's folder";
                check.problem(at, format!("{} is no folder", check.said_path(at, written)), hint);
            }
            folder
        }
        None => {
            let folder = plan::find_models_dir();
            if !folder.is_dir() {
                let hint = "name the folder that holds the models";
                check.problem(at, "no folder of models was found beside the program", hint);
            }
            folder
        }
    }
}

/// A model is there. Its contents are checked when it is loaded.
fn model(check: &mut Check, at: &[Step], models_dir: &Path, name: &str) {
    let path = models_dir.join(name);
    if path.join("manifest.yaml").is_file() || path.is_file() {
        return;
    }
    let installed = installed(models_dir).join(", ");
    let said = if check.place(at).written { check.tree.said(at) } else { format!("`{name}`") };
    let what = format!("no model {said} in {}", models_dir.display());
    check.problem(at, what, format!("installed: {}", if installed.is_empty() { "none" } else { &installed }));
}

fn installed(models_dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(models_dir).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .filter(|entry| entry.path().join("manifest.yaml").is_file())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
