//! From the manifest as written to a checked one.

use std::path::Path;

use maskwatch_vision::{
    detect::{Activation, AnchorLevel, BoxFormat, Calibration, ClassName, DecodeSpec, Voting, anchors},
    face::MaskState,
    preprocess::InputSpec,
};

use super::{
    About, ClassificationSpec, DetectionSpec, Manifest, ManifestError, Problem, Task, is_plain_name,
    places::Places,
    raw::{RawBoxFormat, RawCalibration, RawClassification, RawDetection, RawInput, RawManifest, RawTask, RawVoting},
};

const FORMAT_HINT: &str = "see models/README.md for the format";
/// `hide_score` of a model that does not name it, or its threshold where that is lower.
const HIDE_SCORE: f32 = 0.1;

/// Parses and checks the text of the manifest at `path`.
pub(super) fn parse(path: &Path, text: &str) -> Result<Manifest, ManifestError> {
    let raw: RawManifest = serde_yaml::from_str(text).map_err(|error| yaml_error(path, &error))?;
    let mut problems = Problems { places: Places::of(text), found: Vec::new() };
    check_identity(&raw, path, &mut problems);
    check_input(&raw.input, &mut problems);
    let input = InputSpec {
        width: raw.input.width,
        height: raw.input.height,
        layout: raw.input.layout,
        color: raw.input.color,
        mean: raw.input.mean,
        std: raw.input.std,
        resize: raw.input.resize,
        pad: raw.input.pad,
    };
    let sane = problems.found.is_empty();
    let task = match (raw.task, raw.detection, raw.classification) {
        (RawTask::Detection, Some(detection), None) => detection_task(detection, &input, sane, &mut problems),
        (RawTask::Classification, None, Some(classification)) => classification_task(classification, &mut problems),
        (task, detection, _) => {
            let (want, other) = match task {
                RawTask::Detection => ("detection", "classification"),
                RawTask::Classification => ("classification", "detection"),
            };
            let present = detection.is_some() == (task == RawTask::Detection);
            let cause = if present {
                format!("task {want} goes with no `{other}` section")
            } else {
                format!("task {want} needs a `{want}` section")
            };
            problems.add("task", cause, FORMAT_HINT);
            None
        }
    };
    match task {
        Some(task) if problems.found.is_empty() => Ok(Manifest {
            file: path.parent().unwrap_or(Path::new("")).join(&raw.file),
            path: path.to_path_buf(),
            name: raw.name,
            sha256: raw.sha256,
            precision: raw.precision,
            input_name: raw.input.name,
            input,
            task,
            about: About {
                licence: raw.licence,
                description: raw.description,
                card: raw.card,
                sources: raw.sources,
                accuracy: raw.accuracy,
            },
        }),
        _ => Err(ManifestError { file: path.into(), problems: problems.found }),
    }
}

/// Collects what is wrong.
struct Problems {
    places: Places,
    found: Vec<Problem>,
}

impl Problems {
    fn add(&mut self, field: &str, cause: impl Into<String>, hint: &str) {
        let line = self.places.line(field);
        self.found.push(Problem { line, field: field.into(), cause: cause.into(), hint: hint.into() });
    }

    /// Adds a problem unless `value` lies in `range`. Not a number never does.
    fn within(&mut self, field: &str, value: f32, range: std::ops::RangeInclusive<f32>) {
        if !range.contains(&value) {
            self.add(field, format!("{value} is not in {}..={}", range.start(), range.end()), FORMAT_HINT);
        }
    }
}

/// Turns a parser's error into ours: the parser's text carries the field's path before the cause and the line after it.
fn yaml_error(path: &Path, error: &serde_yaml::Error) -> ManifestError {
    let line = error.location().map(|location| location.line());
    let mut cause = error.to_string();
    if let Some(location) = error.location() {
        let tail = format!(" at line {} column {}", location.line(), location.column());
        if let Some(cut) = cause.rfind(&tail) {
            cause.truncate(cut);
        }
    }
    let is_path =
        |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._[]".contains(&b));
    let field = match cause.split_once(": ") {
        Some((head, rest)) if is_path(head) && head != "invalid" => {
            let (head, rest) = (head.to_owned(), rest.to_owned());
            cause = rest;
            head
        }
        _ => String::new(),
    };
    ManifestError { file: path.into(), problems: vec![Problem { line, field, cause, hint: FORMAT_HINT.into() }] }
}

fn check_identity(raw: &RawManifest, path: &Path, problems: &mut Problems) {
    // The path may be relative and short (`manifest.yaml`): the folder's name is then that of the absolute path.
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.into());
    let folder = absolute.parent().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
    if folder.as_deref() != Some(&raw.name) {
        let cause = format!("{:?} differs from the folder's name {:?}", raw.name, folder.unwrap_or_default());
        problems.add("name", cause, "give the folder and the model one name");
    }
    if !is_plain_name(&raw.file) {
        problems.add(
            "file",
            format!("{:?} is not the name of a file beside the manifest", raw.file),
            "put the model file into the manifest's folder and give its name only",
        );
    }
    if raw.sha256.len() != 64 || !raw.sha256.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
        problems.add(
            "sha256",
            format!("{:?} is not 64 lower-case hexadecimal digits", raw.sha256),
            "take it from `sha256sum FILE`",
        );
    }
}

fn check_input(input: &RawInput, problems: &mut Problems) {
    for (field, value) in [("input.width", input.width), ("input.height", input.height)] {
        if !(1..=InputSpec::MAX_SIDE).contains(&value) {
            problems.add(
                field,
                format!("{value} is not in 1..={}", InputSpec::MAX_SIDE),
                "give the size of the network's input in pixels",
            );
        }
    }
    if !input.mean.iter().all(|value| value.is_finite()) {
        problems.add("input.mean", "has a value that is not a number", FORMAT_HINT);
    }
    if !input.std.iter().all(|value| value.is_finite() && *value > 0.0) {
        problems.add("input.std", "has a value that is not over 0", "values are divided by it: use 1 for none");
    }
    if input.name.is_empty() {
        problems.add("input.name", "is empty", "give the name of the input tensor");
    }
}

fn detection_task(raw: RawDetection, input: &InputSpec, input_is_sane: bool, problems: &mut Problems) -> Option<Task> {
    let is_face = |class: &ClassName| !matches!(class, ClassName::Background);
    if !raw.classes.iter().any(is_face) {
        problems.add("detection.classes", "names no face", "name at least one of face, mask, incorrect, no_mask");
    }
    if repeats(&raw.classes) {
        problems.add("detection.classes", "names a class twice", "name each class once, in the order of the tensor");
    }
    if raw.scores == raw.boxes {
        problems.add(
            "detection.boxes",
            "names the same tensor as `scores`",
            "give the names of the two output tensors",
        );
    }
    problems.within("detection.score_threshold", raw.score_threshold, 0.0..=1.0);
    let hide_score = raw.hide_score.unwrap_or_else(|| HIDE_SCORE.min(raw.score_threshold));
    problems.within("detection.hide_score", hide_score, 0.0..=raw.score_threshold.clamp(0.0, 1.0));
    problems.within("detection.nms_iou", raw.nms_iou, 0.0..=1.0);
    if let Some(calibration) = raw.calibration {
        problems.within("detection.calibration.scale", calibration.scale, 0.01..=100.0);
        problems.within("detection.calibration.shift", calibration.shift, -100.0..=100.0);
    }
    if let Some(voting) = raw.voting {
        problems.within("detection.voting.floor", voting.floor, 0.0..=1.0);
        problems.within("detection.voting.inside", voting.inside, 0.0..=1.0);
        problems.within("detection.voting.iou", voting.iou, 0.0..=1.0);
    }
    if raw.max_faces == 0 {
        problems.add("detection.max_faces", "is 0", "give the most faces in one picture, such as 200");
    }
    let states =
        raw.classes.iter().any(|class| matches!(class, ClassName::Mask | ClassName::Incorrect | ClassName::NoMask));
    let boxes = box_format(&raw, input, input_is_sane, problems)?;
    let anchors = match &boxes {
        BoxFormat::Corners => None,
        BoxFormat::Ssd { anchors, .. } => Some(anchors.len()),
    };
    let decode = DecodeSpec {
        classes: raw.classes,
        activation: raw.activation,
        calibration: raw.calibration.map(|RawCalibration { scale, shift }| Calibration { scale, shift }),
        boxes,
        score_threshold: raw.score_threshold,
        nms_iou: raw.nms_iou,
        voting: raw.voting.map(|RawVoting { floor, inside, iou }| Voting { floor, inside, iou }),
        max_faces: raw.max_faces,
    };
    Some(Task::Detection(DetectionSpec { scores: raw.scores, boxes: raw.boxes, decode, hide_score, states, anchors }))
}

/// The way boxes are written, with its anchors. `None` when something about it is wrong.
fn box_format(
    raw: &RawDetection,
    input: &InputSpec,
    input_is_sane: bool,
    problems: &mut Problems,
) -> Option<BoxFormat> {
    if raw.box_format == RawBoxFormat::Corners {
        for (field, given) in [("variances", raw.variances.is_some()), ("anchors", raw.anchors.is_some())] {
            if given {
                let field = format!("detection.{field}");
                problems.add(&field, "goes with box_format ssd only", "remove it, or set box_format: ssd");
            }
        }
        return Some(BoxFormat::Corners);
    }
    let before = problems.found.len();
    if raw.variances.is_none_or(|both| both.iter().any(|value| !value.is_finite() || *value <= 0.0)) {
        problems.add("detection.variances", "two numbers over 0 are needed by box_format ssd", "usual: [0.1, 0.2]");
    }
    let levels = raw.anchors.as_ref().map(|anchors| anchors.levels.as_slice()).unwrap_or_default();
    if levels.is_empty() {
        problems.add("detection.anchors", "levels are needed by box_format ssd", FORMAT_HINT);
    }
    for (index, level) in levels.iter().enumerate() {
        let at = |key: &str| format!("detection.anchors.levels[{index}].{key}");
        if level.stride == 0 {
            problems.add(&at("stride"), "is 0", "give the step between cells in input pixels");
        }
        if level.boxes.is_empty() || level.boxes.iter().flatten().any(|side| !side.is_finite() || *side <= 0.0) {
            problems.add(
                &at("boxes"),
                "is empty or has a side that is not over 0",
                "give width and height in input pixels",
            );
        }
    }
    if problems.found.len() > before || !input_is_sane {
        return None;
    }
    let levels: Vec<AnchorLevel> =
        levels.iter().map(|level| AnchorLevel { stride: level.stride, boxes: level.boxes.clone() }).collect();
    Some(BoxFormat::Ssd { variances: raw.variances?, anchors: anchors(input.width, input.height, &levels) })
}

fn classification_task(raw: RawClassification, problems: &mut Problems) -> Option<Task> {
    if raw.labels.iter().filter(|label| **label != MaskState::Unknown).count() < 2 {
        problems.add(
            "classification.labels",
            "names fewer than two states",
            "name at least two of mask, incorrect, no_mask",
        );
    }
    if repeats(&raw.labels) {
        problems.add(
            "classification.labels",
            "names a label twice",
            "name each label once, in the order of the tensor",
        );
    }
    if !matches!(raw.activation, Activation::None | Activation::Softmax) {
        problems.add("classification.activation", "is not for a classifier", "none (already probabilities) or softmax");
    }
    problems.within("classification.temperature", raw.temperature, 0.01..=100.0);
    problems.within("classification.crop.margin", raw.crop.margin, 0.0..=4.0);
    problems.within("classification.unknown_below", raw.unknown_below, 0.0..=1.0);
    problems.within("classification.min_face_px", raw.min_face_px, 0.0..=4096.0);
    problems.within("classification.detector_weight", raw.detector_weight, 0.0..=1.0);
    Some(Task::Classification(ClassificationSpec {
        output: raw.output,
        labels: raw.labels,
        activation: raw.activation,
        temperature: raw.temperature,
        margin: raw.crop.margin,
        square: raw.crop.square,
        unknown_below: raw.unknown_below,
        min_face_px: raw.min_face_px,
        detector_weight: raw.detector_weight,
    }))
}

fn repeats<T: PartialEq>(items: &[T]) -> bool {
    items.iter().enumerate().any(|(index, item)| items[..index].contains(item))
}
