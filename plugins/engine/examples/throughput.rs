//! Frames per second of a detector, with its classifier or without, at batches of 1, 2, 4 and 8.
//!
//! ```text
//! cargo run --release -p maskwatch-engine --example throughput -- [DETECTOR] [CLASSIFIER|none] [PROVIDER] [THREADS]
//! ```
//! As many cameras as the batch is large each submit a picture of noise and wait for its result, again and again.
#![allow(clippy::print_stdout, reason = "prints a table")]

use std::{
    collections::HashMap,
    error::Error,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use maskwatch_engine::{Engine, EngineOptions, Observe, OwnedFrame, Phase};
use maskwatch_vision::batch::BatchReason;
use tracing_mutex::parking_lot::Mutex;

const PICTURES: usize = 120;
const SIZE: (u32, u32) = (1280, 720);

/// Count and time by model and phase.
type Table = HashMap<(String, &'static str), (usize, Duration)>;

/// Adds up runs and batch sizes by model.
#[derive(Default)]
struct Sums(Mutex<Table>);

impl Sums {
    fn add(&self, model: &str, what: &'static str, count: usize, took: Duration) {
        let mut sums = self.0.lock();
        let sum = sums.entry((model.into(), what)).or_default();
        sum.0 += count;
        sum.1 += took;
    }

    fn mean(&self, model: &str, what: &'static str) -> (f64, usize) {
        let sums = self.0.lock();
        let (count, took) = sums.get(&(model.into(), what)).copied().unwrap_or_default();
        (took.as_secs_f64() * 1e3 / count.max(1) as f64, count)
    }
}

impl Observe for Sums {
    fn batch(&self, model: &str, size: usize, _reason: BatchReason, longest_wait: Duration) {
        self.add(model, "inputs", size, longest_wait);
    }

    fn phase(&self, model: &str, phase: Phase, took: Duration) {
        self.add(model, phase.as_str(), 1, took);
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let defaults = EngineOptions::default();
    let detector = args.next().unwrap_or(defaults.detector);
    let classifier = args.next().or(defaults.classifier).filter(|name| name != "none");
    let provider = args.next().map_or(Ok(defaults.provider), |name| name.parse())?;
    let threads = args.next().map_or(Ok(0), |count| count.parse())?;
    let models_dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    println!("batch  frames/s  mean batch  ms run/batch  ms pre/frame");
    for batch in [1, 2, 4, 8] {
        let options = EngineOptions {
            models_dir: models_dir.clone(),
            detector: detector.clone(),
            classifier: classifier.clone(),
            provider,
            threads,
            max_batch: batch,
            ..EngineOptions::default()
        };
        let sums = Arc::new(Sums::default());
        let engine = Engine::start(options, sums.clone())?;
        let name = engine.models()[0].name.clone();
        let started = Instant::now();
        // Twice as many cameras as a batch holds: while one batch runs, the next one's frames get ready.
        std::thread::scope(|scope| {
            for number in 0..batch * 2 {
                let engine = &engine;
                scope.spawn(move || submit_all(engine, number, PICTURES / (batch * 2)));
            }
        });
        let frames = PICTURES / (batch * 2) * batch * 2;
        let rate = frames as f64 / started.elapsed().as_secs_f64();
        let (run, runs) = sums.mean(&name, "run");
        let (pre, _) = sums.mean(&name, "pre");
        let (_, inputs) = sums.mean(&name, "inputs");
        println!("{batch:5}  {rate:8.1}  {:10.2}  {run:12.2}  {pre:12.2}", inputs as f64 / runs.max(1) as f64);
    }
    Ok(())
}

fn submit_all(engine: &Arc<Engine>, number: usize, pictures: usize) {
    let camera = engine.attach(&format!("camera {number}"), 1);
    let (width, height) = SIZE;
    // A linear congruential generator (Numerical Recipes, 3rd edition, section 7.1): noise needs no better one.
    let mut state = number as u32;
    let pixels: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    })
    .take((width * height * 3) as usize)
    .collect();
    for _ in 0..pictures {
        if let Err(error) = camera.analyze(OwnedFrame::rgb(width, height, pixels.clone()), None) {
            println!("{error}");
            return;
        }
    }
}
