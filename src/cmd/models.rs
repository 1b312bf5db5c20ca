//! `maskwatch models`: what is installed, and whether it is what its manifest says.

use std::path::Path;

use anyhow::Context;
use maskwatch_engine::manifest::{self, Manifest};

use crate::cli::{ModelsAction, ModelsArgs};
use crate::config::plan::find_models_dir;
use crate::shutdown::ExitStatus;

/// Lists or verifies. Failure where a model cannot be used.
pub(super) fn run(args: &ModelsArgs) -> anyhow::Result<ExitStatus> {
    let folder = args.models_dir.clone().unwrap_or_else(find_models_dir);
    let models = manifest::list(&folder).with_context(|| format!("models in {}", folder.display()))?;
    anyhow::ensure!(!models.is_empty(), "no models in {} (name the folder by --models-dir)", folder.display());
    let mut text = String::new();
    let mut good = true;
    let width = models.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, loaded) in &models {
        let line = match (loaded, args.action) {
            (Ok(model), ModelsAction::List) => describe(model),
            (Ok(model), ModelsAction::Verify) => match model.verify() {
                Ok(()) => format!("good      sha256 {}", model.sha256),
                Err(error) => bad(&mut good, &error),
            },
            (Err(error), _) => bad(&mut good, error),
        };
        text += &format!("{name:width$}  {line}\n");
    }
    super::print(&text)?;
    Ok(if good { ExitStatus::SUCCESS } else { ExitStatus::FAILED })
}

fn bad(good: &mut bool, error: &manifest::ManifestError) -> String {
    *good = false;
    format!("BAD       {error}")
}

/// Task, precision, size and licence.
fn describe(model: &Manifest) -> String {
    let size = size(&model.file).unwrap_or_else(|| "file is missing".to_owned());
    let input = &model.input;
    format!(
        "{:<14}  {}  {}x{}  {size}  {}",
        model.task.as_str(),
        model.precision.as_str(),
        input.width,
        input.height,
        model.about.licence.as_deref().unwrap_or("no licence named"),
    )
}

fn size(file: &Path) -> Option<String> {
    let bytes = std::fs::metadata(file).ok()?.len();
    Some(format!("{:.1} MB", bytes as f64 / 1e6))
}
