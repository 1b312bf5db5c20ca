//! Simulated cameras for `maskwatch demo` and for tests: the scenes of [`maskwatch_scenes`] as clips, made once, each with
//! its exact truth beside it.

mod encode;

use std::fs;
use std::path::{Path, PathBuf};

pub use maskwatch_scenes::{Face, Person, State, Truth};
use maskwatch_scenes::{SCENES, Scene, VERSION};

/// The portrait's file name in the demo's folder.
const PORTRAIT: &str = "astronaut.png";

/// One simulated camera.
#[derive(Clone, Debug)]
pub struct DemoCamera {
    /// As in a configuration.
    pub name: &'static str,
    /// The clip (MP4), begins and ends without people.
    pub clip: PathBuf,
    /// What is in it.
    pub truth: Truth,
}

/// Why the demo's clips cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No portrait.
    #[error("{}: {cause} (hint: `make setup` fetches the demo's portrait)", path.display())]
    Portrait {
        /// Where it was looked for.
        path: PathBuf,
        /// What went wrong.
        cause: image::ImageError,
    },
    /// The folder cannot be written.
    #[error("{}: {cause} (hint: name a folder that can be written by --scenes)", path.display())]
    Folder {
        /// File or folder.
        path: PathBuf,
        /// What went wrong.
        cause: std::io::Error,
    },
    /// No video encoder, or it failed.
    #[error("the clip {name} cannot be made: {cause} (hint: `make setup` installs the GStreamer packages)")]
    Encode {
        /// Scene.
        name: &'static str,
        /// What GStreamer said.
        cause: String,
    },
}

/// Gives the demo's cameras. Clips that are missing in `folder`, or are of an older version, are made, which takes some
/// seconds; `making` is called before with their number. GStreamer must be initialised.
///
/// # Errors
/// The portrait is missing, the folder cannot be written, or GStreamer has no H.264 encoder.
pub fn cameras(folder: &Path, making: impl FnOnce(usize)) -> Result<Vec<DemoCamera>, DemoError> {
    if !missing(folder).is_empty() {
        let _lock = lock(folder)?;
        let missing = missing(folder); // another process may have made them meanwhile
        if !missing.is_empty() {
            making(missing.len());
            make(folder, &missing)?;
        }
    }
    let camera = |scene: &Scene| DemoCamera { name: scene.name, clip: clip_path(folder, scene), truth: scene.truth() };
    Ok(SCENES.iter().map(camera).collect())
}

fn missing(folder: &Path) -> Vec<&'static Scene> {
    SCENES.iter().filter(|scene| !present(folder, scene)).collect()
}

/// Keeps other processes from making the same clips at the same time, until the file is dropped.
fn lock(folder: &Path) -> Result<fs::File, DemoError> {
    let path = folder.join(".lock");
    let failed = |cause| DemoError::Folder { path: path.clone(), cause };
    fs::create_dir_all(folder).map_err(failed)?;
    let file = fs::File::create(&path).map_err(failed)?;
    file.lock().map_err(failed)?;
    Ok(file)
}

fn make(folder: &Path, scenes: &[&Scene]) -> Result<(), DemoError> {
    let path = folder.join(PORTRAIT);
    let portrait = image::open(&path).map_err(|cause| DemoError::Portrait { path, cause })?.into_rgb8();
    std::thread::scope(|scope| {
        let each: Vec<_> = scenes.iter().map(|scene| scope.spawn(|| make_one(folder, scene, &portrait))).collect();
        // A panic in a worker goes on here.
        each.into_iter().try_for_each(|worker| worker.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Writes clip and truth under other names first, so that whatever lies under the right ones is whole.
fn make_one(folder: &Path, scene: &Scene, portrait: &image::RgbImage) -> Result<(), DemoError> {
    let painter = scene.painter(portrait);
    let (clip, truth) = (clip_path(folder, scene), truth_path(folder, scene));
    let part = clip.with_extension("part");
    let frames = (0..scene.frames()).map(|frame| painter.frame(frame));
    encode::write(&part, scene, frames).map_err(|cause| DemoError::Encode { name: scene.name, cause })?;
    let text = serde_json::to_vec(&scene.truth()).unwrap_or_default(); // plain data always serialises
    fs::rename(&part, &clip).map_err(|cause| DemoError::Folder { path: clip, cause })?;
    fs::write(&truth, text).map_err(|cause| DemoError::Folder { path: truth, cause })
}

/// Whether the clip lies there in this version.
fn present(folder: &Path, scene: &Scene) -> bool {
    let known = |text: String| serde_json::from_str(&text).is_ok_and(|truth: Truth| truth.version == VERSION);
    clip_path(folder, scene).is_file() && fs::read_to_string(truth_path(folder, scene)).is_ok_and(known)
}

fn clip_path(folder: &Path, scene: &Scene) -> PathBuf {
    folder.join(format!("{}.mp4", scene.name))
}

fn truth_path(folder: &Path, scene: &Scene) -> PathBuf {
    folder.join(format!("{}.json", scene.name))
}
