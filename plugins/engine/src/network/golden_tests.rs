//! The repository's models against their golden.json (models/README.md): what Python's preprocessing and ONNX Runtime gave
//! for a picture made by a formula, this crate's must give too.

use std::path::{Path, PathBuf};

use maskwatch_vision::{
    frame::{ColorMatrix, ColorRange, FrameView, PixelFormat},
    geometry::Rect,
    preprocess::{Preprocessor, crop_rect},
};
use serde_json::Value;

use super::{LoadOptions, Network};
use crate::{
    Provider, library,
    manifest::{self, Manifest, Task},
};

/// Of a pixel value of 255: sums in another order.
const PIXEL: f64 = 0.01;
/// Of a score or a box; relative above 1.
const OUTPUT: f64 = 0.002;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models")
}

fn golden(manifest: &Manifest) -> Value {
    let file = manifest.path.with_file_name("golden.json");
    let hint = "hint: `python -m maskwatch_training golden NAME` writes it";
    let text = std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}; {hint}", file.display()));
    serde_json::from_str(&text).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|number| number.as_f64().unwrap()).collect()
}

/// The network's input for the golden picture.
fn input(manifest: &Manifest, golden: &Value) -> Vec<f32> {
    let [width, height] = ["width", "height"].map(|key| golden[key].as_u64().unwrap() as u32);
    assert_eq!(golden["formula"], "pixel(x, y, c) = (x * 7 + y * 13 + c * 50) mod 256");
    let pixels: Vec<u8> = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| (0..3).map(move |c| ((x * 7 + y * 13 + c * 50) % 256) as u8)))
        .collect();
    let frame = FrameView {
        format: PixelFormat::Rgb,
        width,
        height,
        planes: [&pixels, &[], &[]],
        strides: [width as usize * 3, 0, 0],
        matrix: ColorMatrix::Bt709,
        range: ColorRange::Full,
    };
    let mut preprocessor = Preprocessor::new(manifest.input);
    let mut out = vec![0.0; manifest.input.len()];
    match &manifest.task {
        Task::Detection(_) => {
            preprocessor.whole(&frame, &mut out).unwrap();
        }
        Task::Classification(spec) => {
            let corners = numbers(&golden["box"]);
            let (w, h) = (f64::from(width), f64::from(height));
            let [x1, y1, x2, y2] =
                [corners[0] / w, corners[1] / h, corners[2] / w, corners[3] / h].map(|value| value as f32);
            let part = crop_rect(Rect::from_corners(x1, y1, x2, y2), width, height, spec.margin, spec.square);
            let [x, y, w, h] = part.to_pixels(width, height).map(f32::round);
            let got = [x, y, x + w, y + h].map(f64::from);
            assert_eq!(got.to_vec(), numbers(&golden["crop"]), "{}: the crop", manifest.name);
            preprocessor.crop(&frame, part, &mut out).unwrap();
        }
    }
    out
}

fn check_input(manifest: &Manifest, golden: &Value, input: &[f32]) {
    let every = golden["input"]["every"].as_u64().unwrap() as usize;
    let step = manifest.input.std.iter().fold(f32::INFINITY, |least, std| least.min(*std));
    let tolerance = PIXEL / f64::from(step);
    let expected = numbers(&golden["input"]["values"]);
    assert!(expected.len() >= 8, "{}: too few values to mean anything", manifest.name);
    for (index, want) in expected.iter().enumerate() {
        let got = f64::from(input[index * every]);
        assert!((got - want).abs() <= tolerance, "{}: input[{}]: {got}, {want}", manifest.name, index * every);
    }
    let sum: f64 = input.iter().map(|value| f64::from(*value)).sum();
    let off = (sum - golden["input"]["sum"].as_f64().unwrap()).abs() / input.len() as f64;
    assert!(off <= tolerance, "{}: the input's mean is off by {off}", manifest.name);
}

fn check_outputs(manifest: &Manifest, golden: &Value, network: &mut Network, input: &[f32]) {
    // The golden picture as the second of two: its place in a batch must not matter.
    let batch = [&vec![0.0; input.len()], input].concat();
    let names = super::wanted_outputs(manifest);
    let outputs = network.run(&batch, 2).unwrap();
    for (number, name) in names.iter().enumerate() {
        let got = outputs.item(number, 1).unwrap();
        let stored = &golden["outputs"][name];
        let rows = numbers(&stored["rows"]);
        assert!(!rows.is_empty(), "{}: no output {name:?} in golden.json", manifest.name);
        for (row, values) in rows.iter().zip(stored["values"].as_array().unwrap()) {
            let expected = numbers(values);
            for (column, want) in expected.iter().enumerate() {
                let got = f64::from(got[*row as usize * expected.len() + column]);
                let near = (got - want).abs() <= OUTPUT * want.abs().max(1.0);
                assert!(near, "{}: {name}[{row}][{column}]: {got}, {want}", manifest.name);
            }
        }
    }
}

#[test]
fn every_model_gives_its_golden_outputs() {
    let environment = library::load(&library::find(None).unwrap()).unwrap();
    let all = manifest::list(&models()).unwrap();
    assert!(!all.is_empty());
    for (name, loaded) in all {
        let manifest = loaded.unwrap_or_else(|error| panic!("{error}"));
        let golden = golden(&manifest);
        let input = input(&manifest, &golden);
        check_input(&manifest, &golden, &input);
        let options = LoadOptions { provider: Provider::Cpu, threads: 1, max_batch: 2, cache_dir: None };
        let mut network =
            Network::load(&manifest, &environment, options).unwrap_or_else(|error| panic!("{name}: {error}"));
        check_outputs(&manifest, &golden, &mut network, &input);
    }
}
