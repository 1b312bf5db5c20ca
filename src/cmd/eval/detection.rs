//! `maskwatch eval detection`: pictures go through the engine as with `maskwatch image`, several at once, so that batches
//! fill; each worker reads a picture, hands it in and waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use anyhow::Context;
use maskwatch_engine::manifest::{Manifest, Task};
use maskwatch_engine::{Camera, Engine, OwnedFrame};
use maskwatch_vision::eval::classification::Figures;
use maskwatch_vision::eval::faces::{FacesOfPicture, FacesReport, Finding, FoundFace, STATES};
use maskwatch_vision::face::{ClassifiedFace, MaskState};
use serde_json::{Map, Value, json};

use super::coco::{self, LabelledPicture, Labels};
use super::results::CocoResults;
use super::{progress, rounded, table};
use crate::cli::EvalDetectionArgs;
use crate::cmd::image::decode;
use crate::config::plan::InferencePlan;
use crate::metrics::Metrics;
use crate::service;
use crate::shutdown::ExitStatus;

/// Pictures under way at once: they fill the detector's batches, and are all the memory that is used.
const UNDER_WAY: usize = 8;

type Found = anyhow::Result<Vec<FoundFace>>;

pub(super) fn run(args: &EvalDetectionArgs) -> anyhow::Result<ExitStatus> {
    let Labels { pictures, categories } = coco::load(&args.data, args.images.as_deref(), &args.figures.names)?;
    let mut results = args.figures.results.as_deref().map(|path| CocoResults::create(path, categories)).transpose()?;
    let plan = crate::cmd::inference(&args.models);
    let threshold = match args.threshold {
        Some(threshold) => threshold,
        None => own_threshold(&plan)?,
    };
    let metrics = Metrics::new().context("metrics")?;
    let engine = service::start_engine(&plan, &metrics)?;
    let started = Instant::now();
    let (mut measured, mut unreadable) = (Vec::with_capacity(pictures.len()), 0);
    for (picture, found) in pictures.iter().zip(find_all(&pictures, &engine, args.min_score)) {
        match found {
            Ok(found) => {
                if let Some(results) = &mut results {
                    results.add(picture.id, &found);
                }
                measured.push(FacesOfPicture { labelled: picture.faces.clone(), found });
            }
            Err(error) => {
                unreadable += 1;
                crate::cmd::tell(&format!("{}: {error:#}", picture.path.display()));
            }
        }
    }
    let status = super::status(measured.len(), unreadable)?;
    results.map(CocoResults::finish).transpose()?;
    let report = FacesReport::of(&measured, f64::from(threshold));
    let models: Vec<_> = engine.models().iter().map(|model| model.name.as_str()).collect();
    let head = format!(
        "{} pictures, {} faces; {}; {:.0} s\n\n",
        measured.len(),
        report.faces.at_score.support,
        models.join(" + "),
        started.elapsed().as_secs_f64()
    );
    let json = json!({
        "task": "detection",
        "models": models,
        "pictures": measured.len(),
        "unreadable": unreadable,
        "faces": report.faces.at_score.support,
        "min_score": args.min_score,
        "threshold": threshold,
        "ap50": average_precisions(&report),
        "at_threshold": at_threshold(&report),
        "recall_by_height": by_height(&report),
        "answers": answers(&report),
    });
    super::write(&args.figures, &json, &(head + &table::faces(&report, threshold)))?;
    Ok(status)
}

/// The score from which on the detector's manifest takes a face for one.
fn own_threshold(plan: &InferencePlan) -> anyhow::Result<f32> {
    let manifest = Manifest::load(&plan.models_dir, &plan.detector).map_err(maskwatch_engine::EngineError::from)?;
    match manifest.task {
        Task::Detection(spec) => Ok(spec.decode.score_threshold),
        // The engine says why it cannot be the detector.
        Task::Classification(_) => Ok(1.0),
    }
}

/// The faces of all pictures, in their order.
fn find_all(pictures: &[LabelledPicture], engine: &Arc<Engine>, min_score: f32) -> Vec<Found> {
    let bar = progress::bar(pictures.len());
    let next = AtomicUsize::new(0);
    let (done, results) = crossbeam_channel::bounded(UNDER_WAY);
    let mut all: Vec<Option<Found>> = pictures.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        for worker in 0..UNDER_WAY.min(pictures.len()) {
            let (done, next) = (done.clone(), &next);
            scope.spawn(move || {
                let camera = engine.attach(&format!("picture {worker}"), 1);
                loop {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(picture) = pictures.get(place) else { break };
                    // The receiver outlives the workers.
                    let _ = done.send((place, find(picture, &camera, min_score)));
                }
            });
        }
        drop(done);
        for (place, found) in results {
            all[place] = Some(found);
            bar.inc(1);
        }
    });
    bar.finish_and_clear();
    all.into_iter().map(|found| found.unwrap_or_else(|| Err(anyhow::anyhow!("was not analysed")))).collect()
}

fn find(picture: &LabelledPicture, camera: &Camera, min_score: f32) -> Found {
    let pixels = decode::upright(&picture.path)?.told(&picture.path).pixels;
    let (width, height) = pixels.dimensions();
    picture.check_size(width, height)?;
    let faces = camera.analyze(OwnedFrame::rgb(width, height, pixels.into_raw()), Some(min_score))?;
    Ok(faces.iter().map(|face| found(face, width, height)).collect())
}

/// A face too small to be classified is ranked by the detector's own states, where it has any; its answer is `unknown`.
fn found(face: &ClassifiedFace, width: u32, height: u32) -> FoundFace {
    FoundFace {
        bbox: face.detection.rect.clip().to_pixels(width, height).map(f64::from),
        score: f64::from(face.detection.score),
        states: face.states.or(face.detection.states),
        state: face.state,
    }
}

fn average_precisions(report: &FacesReport) -> Value {
    let mut out = Map::new();
    let mut add = |name: &str, value: Option<f64>| out.insert(name.to_owned(), json!(value.map(rounded)));
    add("face", report.faces.average_precision);
    for (state, finding) in STATES.iter().zip(report.states.iter().flatten()) {
        add(state.as_str(), finding.average_precision);
    }
    if report.states.is_some() {
        add("mean_mask_no_mask", report.mean(&[MaskState::Mask, MaskState::NoMask]));
        add("mean_three", report.mean(&STATES));
    }
    out.into()
}

fn at_threshold(report: &FacesReport) -> Value {
    let figures = |finding: &Finding| {
        let Figures { precision, recall, f1, support } = finding.at_score;
        json!({ "precision": rounded(precision), "recall": rounded(recall), "f1": rounded(f1), "support": support })
    };
    let mut out = Map::new();
    out.insert("face".to_owned(), figures(&report.faces));
    let states = STATES.iter().zip(report.states.iter().flatten());
    out.extend(states.map(|(state, finding)| (state.as_str().to_owned(), figures(finding))));
    out.into()
}

fn by_height(report: &FacesReport) -> Value {
    let band = |(range, figures): &(std::ops::Range<f64>, Figures)| {
        let to = range.end.is_finite().then_some(range.end);
        json!({ "from": range.start, "to": to, "faces": figures.support, "recall": rounded(figures.recall) })
    };
    report.heights.iter().map(band).collect()
}

fn answers(report: &FacesReport) -> Value {
    let names = MaskState::ALL.map(MaskState::as_str);
    let rows: Vec<_> = (0..STATES.len()).map(|row| report.answers.row(row)).collect();
    json!({ "labels": &names[..STATES.len()], "answers": names, "rows": rows })
}
