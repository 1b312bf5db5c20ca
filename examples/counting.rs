//! Counts the people of clips made of labelled photos, and prints how far the counts are off.
//!
//! ```sh
//! cargo run --release --example counting -- [--data FOLDER] [--split val] [--fps 1,5,25] [--clips strip,dim] [--out FOLDER] [--tracker-only]
//! ```
//! `FOLDER` of `--data` holds `detection/images`, `detection/val.json` (default: the environment's `MASKWATCH_DATA`).
//! Each clip goes once through detector and classifier, at the greatest of the rates, of which the others have to be divisors;
//! with `--recordings` what they found is kept in that folder, and not looked for again: tracker and vote alone take seconds.
//! With `--out`, truth and tracks are written there in the format of the MOT challenge. How the photos are chosen, and the
//! figures: `deploy/docs/counting.md`.

// A tool for developers: what fails stops it.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

#[path = "../tests/counting/mod.rs"]
mod counting;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Parser;
use counting::replay::{Answer, Head, Recording};
use counting::{clips, photos, play, score, stage::Clip, table};
use maskwatch::config::plan::InferencePlan;
use maskwatch::metrics::Metrics;
use maskwatch::{demo, service};
use maskwatch_engine::manifest;

#[derive(Parser)]
struct Args {
    /// Folder of the data
    #[arg(long, env = "MASKWATCH_DATA")]
    data: PathBuf,
    /// train or val
    #[arg(long, default_value = "val")]
    split: String,
    /// Rates of analysis
    #[arg(long, value_delimiter = ',', default_value = "1,5,25")]
    fps: Vec<u32>,
    /// Only these clips
    #[arg(long, value_delimiter = ',')]
    clips: Vec<String>,
    /// Where files for motmetrics go
    #[arg(long)]
    out: Option<PathBuf>,
    /// True boxes through the tracker; no detector
    #[arg(long)]
    tracker_only: bool,
    /// Where the classified faces of each clip are kept
    #[arg(long)]
    recordings: Option<PathBuf>,
    /// One picture of each clip into --out, and nothing else
    #[arg(long, requires = "out")]
    pictures: bool,
    /// Of this moment, in seconds
    #[arg(long, requires = "pictures")]
    at: Option<f32>,
    /// Detector's folder
    #[arg(long)]
    detector: Option<String>,
    /// Classifier's folder
    #[arg(long)]
    classifier: Option<String>,
}

fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    service::start_media()?;
    let photos = photos::load(&args.data.join("detection"), &args.split);
    let mut clips = clips::all(&photos);
    clips.retain(|clip| args.clips.is_empty() || args.clips.iter().any(|name| name == clip.name));
    if let Some(out) = &args.out {
        std::fs::create_dir_all(out)?;
    }
    if let Some(out) = args.out.as_ref().filter(|_| args.pictures) {
        for clip in &clips {
            counting::stage::Painter::new(clip)
                .frame(args.at.unwrap_or(clip.seconds * 0.4))
                .save(out.join(format!("{}.jpg", clip.name)))?;
        }
        return Ok(());
    }
    println!("## Tracker and vote alone, true boxes\n");
    rates(&args, &clips, "tracker", |clip, fps| Recording::of_truth(clip, fps).replay());
    if args.tracker_only {
        return Ok(());
    }
    let usual = InferencePlan::default();
    let plan = InferencePlan {
        detector: args.detector.clone().unwrap_or(usual.detector.clone()),
        classifier: args.classifier.clone().or(usual.classifier.clone()),
        ..usual
    };
    println!("\n## End to end: {} and {}\n", plan.detector, plan.classifier.as_deref().unwrap_or("no classifier"));
    let engine = service::start_engine(&plan, &Metrics::new()?)?;
    gstmaskwatch::engines::register("counting", engine);
    let recordings = recordings(&args, &plan, &clips);
    rates(&args, &clips, "whole", |clip, fps| recordings[clip.name].thinned(fps).replay());
    if args.clips.is_empty() {
        scenes(&args);
    }
    gstmaskwatch::engines::unregister("counting");
    Ok(())
}

/// What detector and classifier find in the clips, by the clips' names.
fn recordings(args: &Args, plan: &InferencePlan, clips: &[Clip]) -> BTreeMap<&'static str, Recording> {
    let fps = args.fps.iter().copied().max().unwrap_or(5);
    let installed = manifest::list(&plan.models_dir).unwrap();
    let hash = |model: &String| {
        let found = installed.iter().find(|(name, _)| name == model);
        found.map_or(model.clone(), |(_, manifest)| manifest.as_ref().unwrap().sha256.clone())
    };
    let models = [Some(&plan.detector), plan.classifier.as_ref()].into_iter().flatten().map(hash).collect();
    let head = Head { fps, models };
    let record = |clip: &Clip| {
        let file =
            args.recordings.as_ref().map(|folder| folder.join(format!("{}-{}-{fps}.jsonl", args.split, clip.name)));
        if let Some(kept) = file.as_deref().and_then(|file| Recording::read(file, &head)) {
            return (clip.name, kept);
        }
        let (answer, recording) = play::end_to_end(clip, fps, "counting");
        assert!(recording.replay() == answer, "{}: a replay is something else", clip.name);
        if let Some(file) = file {
            recording.write(&file, &head);
        }
        (clip.name, recording)
    };
    if let Some(folder) = &args.recordings {
        std::fs::create_dir_all(folder).unwrap();
    }
    clips.iter().map(record).collect()
}

/// A table of all clips at all rates.
fn rates(args: &Args, clips: &[Clip], kind: &str, answer: impl Fn(&Clip, u32) -> Answer) {
    print!("{}", table::HEAD);
    for fps in &args.fps {
        let mut sum = score::Score::default();
        for clip in clips {
            let answered = answer(clip, *fps);
            let scored = score::score(clip, *fps, &answered);
            print!("{}", table::line(clip.name, &fps.to_string(), &scored));
            sum += scored;
            if let Some(out) = &args.out {
                let [truth, tracks] = score::mot(clip, *fps, &answered);
                let name = |side: &str| out.join(format!("{kind}-{}-{fps}.{side}.txt", clip.name));
                std::fs::write(name("truth"), truth).unwrap();
                std::fs::write(name("tracks"), tracks).unwrap();
            }
        }
        print!("{}", table::line("**all**", &fps.to_string(), &sum));
    }
}

/// The demo's scenes, which are always there.
fn scenes(args: &Args) {
    let cameras = demo::cameras(std::path::Path::new(".fetched/demo"), |_| {}).unwrap();
    println!(
        "\n## The demo's scenes\n\n| scene | fps | people | counted | mask | incorrect | no mask | unknown |\n|---|---|---|---|---|---|---|---|"
    );
    for fps in &args.fps {
        for camera in &cameras {
            let answer = play::file(&camera.clip, *fps, "counting");
            let of = |state: &str| answer.people.iter().filter(|person| person.state.as_str() == state).count();
            let true_of = |state| camera.truth.count(state);
            println!(
                "| {} | {fps} | {} | {} | {} of {} | {} of {} | {} of {} | {} |",
                camera.name,
                camera.truth.people.len(),
                answer.people.len(),
                of("mask"),
                true_of(demo::State::Mask),
                of("incorrect"),
                true_of(demo::State::Incorrect),
                of("no_mask"),
                true_of(demo::State::NoMask),
                of("unknown"),
            );
        }
    }
}
