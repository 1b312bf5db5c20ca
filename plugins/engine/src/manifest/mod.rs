//! Model manifests: what a model is, read from `models/NAME/manifest.yaml`.
//!
//! A manifest is checked as a whole and reports every problem at once, each with file, line, field and a hint. The
//! model file is read once ([`Manifest::read_model`]): the bytes whose hash is checked are the bytes that are loaded.

mod check;
mod places;
mod problem;
mod raw;

use std::{
    fmt::Write as _,
    fs,
    path::{Component, Path, PathBuf},
};

use maskwatch_vision::{
    detect::{Activation, DecodeSpec},
    face::MaskState,
    preprocess::InputSpec,
};
use sha2::{Digest, Sha256};

pub use self::{
    problem::{ManifestError, Problem},
    raw::Precision,
};

/// Name of the manifest in a model's folder.
pub const FILE_NAME: &str = "manifest.yaml";

/// A checked manifest.
#[derive(Clone, Debug)]
pub struct Manifest {
    /// Name, equal to the folder's.
    pub name: String,
    /// The manifest's file.
    pub path: PathBuf,
    /// The ONNX file beside it.
    pub file: PathBuf,
    /// SHA-256 of that file, 64 lower-case hexadecimal digits.
    pub sha256: String,
    /// Of the weights; for information only.
    pub precision: Precision,
    /// Name of the input tensor.
    pub input_name: String,
    /// How a picture becomes that tensor.
    pub input: InputSpec,
    /// What the model does.
    pub task: Task,
    /// For people.
    pub about: About,
}

/// What a model does.
#[derive(Clone, Debug)]
pub enum Task {
    /// Finds faces.
    Detection(DetectionSpec),
    /// Tells a face's state.
    Classification(ClassificationSpec),
}

impl Task {
    /// `detection` or `classification`.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Detection(_) => "detection",
            Self::Classification(_) => "classification",
        }
    }
}

/// How a detector's outputs are read.
#[derive(Clone, Debug)]
pub struct DetectionSpec {
    /// Name of the score tensor `[N, A, C]`.
    pub scores: String,
    /// Name of the box tensor `[N, A, 4]`.
    pub boxes: String,
    /// Decoding of both.
    pub decode: DecodeSpec,
    /// Least score of what may be a face and is hidden where no face may be seen; not over the decoding's threshold.
    pub hide_score: f32,
    /// Whether the classes name states, so that the detector gives state scores.
    pub states: bool,
    /// `A`, where anchors fix it (`box_format: ssd`).
    pub anchors: Option<usize>,
}

/// How a classifier's input is cut and its output read.
#[derive(Clone, Debug, PartialEq)]
pub struct ClassificationSpec {
    /// Name of the output tensor `[N, L]`.
    pub output: String,
    /// The `L` labels.
    pub labels: Vec<MaskState>,
    /// [`Activation::None`] (already probabilities) or [`Activation::Softmax`].
    pub activation: Activation,
    /// Logits are divided by it before softmax; over 1 softens.
    pub temperature: f32,
    /// The face's box grows by this share of its size on each side before it is cut.
    pub margin: f32,
    /// The box's shorter side then grows to the longer one.
    pub square: bool,
    /// A best score under this is [`MaskState::Unknown`].
    pub unknown_below: f32,
    /// Faces lower than this many source pixels are [`MaskState::Unknown`] without being classified.
    pub min_face_px: f32,
    /// Weight of the detector's own state scores, `0..=1`.
    pub detector_weight: f32,
}

/// What the program shows but does not read meaning into.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct About {
    /// Licence of the weights.
    pub licence: Option<String>,
    /// One sentence or more.
    pub description: Option<String>,
    /// File name of the model card, beside the manifest.
    pub card: Option<String>,
    /// Where weights and data come from.
    pub sources: Vec<serde_yaml::Value>,
    /// Measured figures.
    pub accuracy: Option<serde_yaml::Value>,
}

impl Manifest {
    /// Loads the manifest named `given`: a folder's name in `models_dir`, or a path to a model folder or manifest file.
    ///
    /// # Errors
    /// Missing, unreadable, or wrong in any field. The model file itself is not read; see [`Manifest::verify`].
    pub fn load(models_dir: &Path, given: &str) -> Result<Self, ManifestError> {
        Self::load_file(&locate(models_dir, given)?)
    }

    /// Loads a manifest file.
    ///
    /// # Errors
    /// As [`Manifest::load`].
    pub fn load_file(path: &Path) -> Result<Self, ManifestError> {
        let text = fs::read_to_string(path).map_err(|error| {
            ManifestError::one(
                path,
                "",
                format!("cannot be read: {error}"),
                "see models/README.md for how a model is laid out",
            )
        })?;
        check::parse(path, &text)
    }

    /// Reads the model file and checks its hash.
    ///
    /// # Errors
    /// Missing, unreadable, or with another hash than the manifest's.
    pub fn read_model(&self) -> Result<Vec<u8>, ManifestError> {
        let bytes = fs::read(&self.file).map_err(|error| {
            let cause = format!("{} cannot be read: {error}", self.file.display());
            ManifestError::one(&self.path, "file", cause, "run `make setup`, which fetches the model files")
        })?;
        let got = Sha256::digest(&bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
            // Writing to a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        if got != self.sha256 {
            let cause = format!("{} has sha256 {got}, but {} is expected", self.file.display(), self.sha256);
            let hint = "the file was altered or cut short: fetch it again with `make setup`, or write its hash into the \
                        manifest if the change is yours";
            return Err(ManifestError::one(&self.path, "sha256", cause, hint));
        }
        Ok(bytes)
    }

    /// Checks that the model file is there and unaltered.
    ///
    /// # Errors
    /// As [`Manifest::read_model`].
    pub fn verify(&self) -> Result<(), ManifestError> {
        self.read_model().map(drop)
    }
}

/// A model folder's name, and its manifest or what is wrong with it.
pub type Listed = (String, Result<Manifest, ManifestError>);

/// The manifests of all folders in `models_dir` that have one, by name, each loaded or with its error.
///
/// # Errors
/// The folder cannot be read.
pub fn list(models_dir: &Path) -> Result<Vec<Listed>, ManifestError> {
    let names = folders(models_dir).map_err(|error| {
        ManifestError::one(
            models_dir,
            "",
            format!("cannot be read: {error}"),
            "name the folder of models by `models_dir`",
        )
    })?;
    Ok(names
        .into_iter()
        .map(|name| {
            let loaded = Manifest::load_file(&models_dir.join(&name).join(FILE_NAME));
            (name, loaded)
        })
        .collect())
}

/// Names of the folders in `models_dir` that hold a manifest, sorted.
fn folders(models_dir: &Path) -> std::io::Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(models_dir)? {
        let entry = entry?;
        if entry.path().join(FILE_NAME).is_file()
            && let Ok(name) = entry.file_name().into_string()
        {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Whether `text` is one plain path component, so that joining it cannot leave the folder.
fn is_plain_name(text: &str) -> bool {
    let mut components = Path::new(text).components();
    matches!(components.next(), Some(Component::Normal(only)) if only == text) && components.next().is_none()
}

/// The manifest file meant by `given`.
fn locate(models_dir: &Path, given: &str) -> Result<PathBuf, ManifestError> {
    if is_plain_name(given) {
        let path = models_dir.join(given).join(FILE_NAME);
        if path.is_file() {
            return Ok(path);
        }
    }
    let path = Path::new(given);
    if path.is_file() {
        return Ok(path.to_path_buf());
    }
    if path.join(FILE_NAME).is_file() {
        return Ok(path.join(FILE_NAME));
    }
    let known = folders(models_dir).unwrap_or_default();
    let hint = if known.is_empty() {
        format!(
            "no model is in {}; run `make setup`, or name the folder of models by `models_dir`",
            models_dir.display()
        )
    } else {
        format!("models in {}: {}; or give the path of a model folder", models_dir.display(), known.join(", "))
    };
    Err(ManifestError::one(&models_dir.join(given), "", format!("no model named {given:?}"), hint))
}
