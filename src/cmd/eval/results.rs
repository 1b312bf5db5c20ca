//! What was said of each face, for other tools.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use maskwatch_vision::eval::answers::Answer;
use maskwatch_vision::eval::detection::PixelBox;
use maskwatch_vision::eval::faces::FoundFace;
use maskwatch_vision::face::{ClassifiedFace, MaskState, StateScores};
use serde_json::{Value, json};

/// Found faces in COCO's form of results, which pycocotools' `loadRes` reads. A face is listed under its likeliest state with
/// face score x state score; `face_score` stands beside it. Category 0: a face that was not classified.
pub(super) struct CocoResults {
    file: Out,
    categories: HashMap<MaskState, i64>,
    faces: Vec<Value>,
}

impl CocoResults {
    /// `categories`: the labels' id of each state.
    pub(super) fn create(path: &Path, categories: HashMap<MaskState, i64>) -> anyhow::Result<Self> {
        Ok(Self { file: Out::create(path)?, categories, faces: Vec::new() })
    }

    /// The faces of a picture.
    pub(super) fn add(&mut self, picture: i64, found: &[FoundFace]) {
        for face in found {
            let best = face.states.map(|states| states.best());
            let category = best.and_then(|(state, _)| self.categories.get(&state)).copied().unwrap_or(0);
            self.faces.push(json!({
                "image_id": picture,
                "category_id": category,
                "bbox": face.bbox,
                "score": face.score * best.map_or(1.0, |(_, share)| f64::from(share)),
                "face_score": face.score,
                "state": face.state.as_str(),
                "state_scores": face.states.map(scores),
            }));
        }
    }

    /// All that was added is in the file.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        let faces = Value::from(std::mem::take(&mut self.faces));
        self.file.line(&faces)?;
        self.file.finish()
    }
}

/// A face whose place was given, and what the classifier said.
pub(super) struct Judged {
    /// By label.
    pub(super) truth: MaskState,
    /// Where; `None`: the picture is the face.
    pub(super) bbox: Option<PixelBox>,
    /// What was said.
    pub(super) face: ClassifiedFace,
}

impl Judged {
    /// `None` where the model does not look at the face: it is lower than its manifest's `min_face_px`.
    pub(super) fn answer(&self) -> Option<Answer> {
        self.face.states.map(|scores| Answer { truth: self.truth, scores, state: self.face.state })
    }
}

/// One JSON line for each face.
pub(super) struct AnswerLines(Out);

impl AnswerLines {
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        Out::create(path).map(Self)
    }

    /// The faces of a picture.
    pub(super) fn add(&mut self, path: &Path, faces: &[Judged]) -> anyhow::Result<()> {
        faces.iter().try_for_each(|judged| {
            self.0.line(&json!({
                "file": path.display().to_string(),
                "bbox": judged.bbox,
                "label": judged.truth.as_str(),
                "state": judged.face.state.as_str(),
                "state_scores": judged.face.states.map(scores),
            }))
        })
    }

    /// All that was added is in the file.
    pub(super) fn finish(self) -> anyhow::Result<()> {
        self.0.finish()
    }
}

/// In full precision: other tools rank by them.
fn scores(states: StateScores) -> Value {
    json!({ "mask": states.mask, "incorrect": states.incorrect, "no_mask": states.no_mask })
}

/// A file that says its name when it cannot be written.
struct Out {
    path: PathBuf,
    file: BufWriter<File>,
}

impl Out {
    fn create(path: &Path) -> anyhow::Result<Self> {
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { path: path.to_path_buf(), file: BufWriter::new(file) })
    }

    fn line(&mut self, value: &Value) -> anyhow::Result<()> {
        writeln!(self.file, "{value}").with_context(|| format!("{} cannot be written", self.path.display()))
    }

    fn finish(mut self) -> anyhow::Result<()> {
        self.file.flush().with_context(|| format!("{} cannot be written", self.path.display()))
    }
}
