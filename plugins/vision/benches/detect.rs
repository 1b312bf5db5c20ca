//! Reading a detector's output: 17 640 anchors of a 640x480 SSD, a few faces.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use maskwatch_vision::detect::{Activation, AnchorLevel, BoxFormat, ClassName, DecodeSpec, anchors, suppress};
use maskwatch_vision::face::Detection;
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::preprocess::Fit;

fn ssd() -> DecodeSpec {
    let level = |stride, sizes: &[f32]| AnchorLevel { stride, boxes: sizes.iter().map(|s| [*s, *s]).collect() };
    let levels = [
        level(8, &[10.0, 16.0, 24.0]),
        level(16, &[32.0, 48.0]),
        level(32, &[64.0, 96.0]),
        level(64, &[128.0, 192.0, 256.0]),
    ];
    DecodeSpec {
        classes: vec![ClassName::Background, ClassName::Mask, ClassName::Incorrect, ClassName::NoMask],
        activation: Activation::Softmax,
        boxes: BoxFormat::Ssd { variances: [0.1, 0.2], anchors: anchors(640, 480, &levels) },
        score_threshold: 0.4,
        nms_iou: 0.4,
        voting: None,
        calibration: None,
        max_faces: 200,
    }
}

/// Logits with `faces` rows in favour of a face, the rest background.
fn logits(rows: usize, faces: usize) -> Vec<f32> {
    let step = rows / faces.max(1);
    (0..rows)
        .flat_map(|i| if faces > 0 && i % step == 0 { [0.0, 3.0, 0.5, 1.0] } else { [4.0, -1.0, -2.0, -1.5] })
        .collect()
}

fn decode(c: &mut Criterion) {
    let spec = ssd();
    let BoxFormat::Ssd { anchors, .. } = &spec.boxes else { return };
    let rows = anchors.len();
    let boxes = vec![0.3; rows * 4];
    let place = Fit { left: 0, top: 60, columns: 640, rows: 360, input_width: 640, input_height: 480 };
    let mut group = c.benchmark_group("decode 17640 anchors");
    for faces in [0, 20, 200] {
        let scores = logits(rows, faces);
        group.bench_function(format!("{faces} above the threshold"), |b| {
            b.iter(|| spec.decode(black_box(&scores), black_box(&boxes), &place));
        });
    }
    group.finish();
}

fn nms(c: &mut Criterion) {
    let face = |i: usize| Detection {
        rect: Rect::new((i * 37 % 100) as f32 / 100.0, (i * 53 % 100) as f32 / 100.0, 0.1, 0.1),
        score: (i * 71 % 1000) as f32 / 1000.0,
        states: None,
    };
    let found: Vec<Detection> = (0..1000).map(face).collect();
    c.bench_function("suppress 1000", |b| b.iter(|| suppress(black_box(found.clone()), 0.4, 200)));
}

criterion_group!(benches, decode, nms);
criterion_main!(benches);
