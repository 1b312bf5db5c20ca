//! `maskwatch eval classification`: the classifier alone, on face crops or on labelled boxes.

use std::path::Path;
use std::time::Instant;

use maskwatch_engine::{FaceClassifier, OwnedFrame};
use maskwatch_vision::eval::answers::{AnswersReport, Grain};
use maskwatch_vision::eval::classification::Figures;
use maskwatch_vision::eval::detection::PixelBox;
use maskwatch_vision::eval::faces::LabelledFace;
use maskwatch_vision::face::MaskState;
use maskwatch_vision::geometry::Rect;
use serde_json::{Map, Value, json};

use super::coco::{self, LabelledPicture};
use super::results::{AnswerLines, Judged};
use super::{folders, progress, rounded, table};
use crate::cli::EvalClassificationArgs;
use crate::cmd::Usage;
use crate::cmd::image::decode;
use crate::shutdown::ExitStatus;

/// What is looked at in a picture.
enum Subject {
    /// The picture is a face.
    Crop(MaskState),
    /// Faces of a picture.
    Boxes(LabelledPicture),
}

/// A picture's file, and what is in it.
type Item = (std::path::PathBuf, Subject);

pub(super) fn run(args: &EvalClassificationArgs) -> anyhow::Result<ExitStatus> {
    let items = items(args)?;
    let grain = Grain::of(items.iter().flat_map(|(_, subject)| labels(subject)));
    let plan = crate::cmd::inference(&args.models);
    let mut classifier = FaceClassifier::load(&crate::cmd::engine_options(&plan))?;
    let mut lines = args.figures.results.as_deref().map(AnswerLines::create).transpose()?;
    let (started, bar) = (Instant::now(), progress::bar(items.len()));
    let (mut answers, mut unreadable) = (Vec::new(), 0);
    for (path, subject) in &items {
        match judge(path, subject, &mut classifier) {
            Ok(judged) => {
                if let Some(lines) = &mut lines {
                    lines.add(path, &judged)?;
                }
                answers.extend(judged.iter().filter_map(Judged::answer));
            }
            Err(error) => {
                unreadable += 1;
                bar.suspend(|| crate::cmd::tell(&format!("{}: {error:#}", path.display())));
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    lines.map(AnswerLines::finish).transpose()?;
    let status = super::status(items.len() - unreadable, unreadable)?;
    let report = AnswersReport::of(&answers, grain);
    let head = format!(
        "{} pictures, {} faces; {}; {:.0} s\n\n",
        items.len() - unreadable,
        answers.len(),
        classifier.model().name,
        started.elapsed().as_secs_f64()
    );
    let json = figures(&report, &classifier.model().name, items.len() - unreadable, unreadable);
    super::write(&args.figures, &json, &(head + &table::answers(&report)))?;
    Ok(status)
}

/// Crops in class folders, or faces of COCO labels that are high enough.
fn items(args: &EvalClassificationArgs) -> Result<Vec<Item>, Usage> {
    let names = &args.figures.names;
    if args.data.is_dir() {
        if args.images.is_some() {
            return Err(Usage("--images goes with COCO labels, but --data is a folder of crops".to_owned()));
        }
        let crops = folders::load(&args.data, names)?;
        return Ok(crops.into_iter().map(|(path, state)| (path, Subject::Crop(state))).collect());
    }
    let least = f64::from(args.min_height);
    let wanted = |face: &LabelledFace| !face.crowd && face.bbox[3] >= least;
    let items: Vec<Item> = coco::load(&args.data, args.images.as_deref(), names)?
        .pictures
        .into_iter()
        .map(|mut picture| {
            picture.faces.retain(wanted);
            picture
        })
        .filter(|picture| !picture.faces.is_empty())
        .map(|picture| (picture.path.clone(), Subject::Boxes(picture)))
        .collect();
    if items.is_empty() {
        let text = format!("{}: no face is {least} pixels high (--min-height)", args.data.display());
        return Err(Usage(text));
    }
    Ok(items)
}

fn labels(subject: &Subject) -> Vec<MaskState> {
    match subject {
        Subject::Crop(state) => vec![*state],
        Subject::Boxes(picture) => picture.faces.iter().map(|face| face.state).collect(),
    }
}

/// The labelled boxes; a crop has none.
fn boxes(subject: &Subject) -> Vec<Option<PixelBox>> {
    match subject {
        Subject::Crop(_) => vec![None],
        Subject::Boxes(picture) => picture.faces.iter().map(|face| Some(face.bbox)).collect(),
    }
}

fn judge(path: &Path, subject: &Subject, classifier: &mut FaceClassifier) -> anyhow::Result<Vec<Judged>> {
    let pixels = decode::upright(path)?.told(path).pixels;
    let (width, height) = pixels.dimensions();
    let frame = OwnedFrame::rgb(width, height, pixels.into_raw());
    let judged = match subject {
        Subject::Crop(_) => vec![classifier.crop(&frame.view())?],
        Subject::Boxes(picture) => {
            picture.check_size(width, height)?;
            let rects: Vec<Rect> = picture.faces.iter().map(|face| normalised(face, width, height)).collect();
            classifier.boxes(&frame.view(), &rects)?
        }
    };
    let truths = labels(subject).into_iter().zip(boxes(subject));
    Ok(truths.zip(judged).map(|((truth, bbox), face)| Judged { truth, bbox, face }).collect())
}

fn normalised(face: &LabelledFace, width: u32, height: u32) -> Rect {
    let [x, y, w, h] = face.bbox;
    let (width, height) = (f64::from(width), f64::from(height));
    Rect::new((x / width) as f32, (y / height) as f32, (w / width) as f32, (h / height) as f32)
}

fn figures(report: &AnswersReport, model: &str, pictures: usize, unreadable: usize) -> Value {
    let of = |figures: Figures| {
        let Figures { precision, recall, f1, support } = figures;
        json!({ "precision": rounded(precision), "recall": rounded(recall), "f1": rounded(f1), "support": support })
    };
    let classes: Map<String, Value> =
        report.classes().into_iter().map(|(state, figures)| (state.as_str().to_owned(), of(figures))).collect();
    let names: Vec<_> = report.grain.classes().iter().map(|state| state.as_str()).collect();
    let rows: Vec<_> = (0..names.len()).map(|row| report.confusion.row(row)).collect();
    json!({
        "task": "classification",
        "model": model,
        "pictures": pictures,
        "unreadable": unreadable,
        "faces": report.confusion.total(),
        "states": if report.grain == Grain::Two { 2 } else { 3 },
        "accuracy": rounded(report.confusion.accuracy()),
        "three_state_accuracy": rounded(report.three_state_accuracy),
        "classes": classes,
        "macro_average": of(report.confusion.macro_average()),
        "weighted_average": of(report.confusion.weighted_average()),
        "confusion": { "classes": names, "rows": rows },
        "calibration_error": report.calibration_error.map(rounded),
        "unknown_share": rounded(report.unknown_share),
        "accuracy_of_known": report.accuracy_of_known.map(rounded),
    })
}
