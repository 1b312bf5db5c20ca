//! A decoder's planes to a network's input: one pass, against the plain way (full-size RGB copy, then resize).

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use maskwatch_vision::frame::{ColorMatrix, ColorRange, FrameView, PixelFormat};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::preprocess::{ChannelOrder, InputSpec, Layout, Preprocessor, Resize};

fn spec(width: u32, height: u32, layout: Layout, resize: Resize) -> InputSpec {
    InputSpec { width, height, layout, color: ChannelOrder::Rgb, mean: [127.0; 3], std: [128.0; 3], resize, pad: 0 }
}

/// Planes of a picture of noise-like content.
struct Planes(Vec<u8>, Vec<u8>, Vec<u8>);

fn planes(format: PixelFormat, width: usize, height: usize) -> Planes {
    let make = |bytes: usize| (0..bytes).map(|i| ((i * 2_654_435_761) >> 13) as u8).collect::<Vec<u8>>();
    let (full, quarter) = (width * height, width.div_ceil(2) * height.div_ceil(2));
    match format {
        PixelFormat::I420 => Planes(make(full), make(quarter), make(quarter)),
        PixelFormat::Nv12 => Planes(make(full), make(2 * quarter), vec![]),
        PixelFormat::Rgb => Planes(make(3 * full), vec![], vec![]),
    }
}

fn view(format: PixelFormat, width: usize, height: usize, planes: &Planes) -> FrameView<'_> {
    let half = width.div_ceil(2);
    FrameView {
        format,
        width: width as u32,
        height: height as u32,
        planes: [&planes.0, &planes.1, &planes.2],
        strides: match format {
            PixelFormat::I420 => [width, half, half],
            PixelFormat::Nv12 => [width, 2 * half, 0],
            PixelFormat::Rgb => [3 * width, 0, 0],
        },
        matrix: ColorMatrix::Bt709,
        range: ColorRange::Limited,
    }
}

/// The baseline's first step: the whole frame as RGB, by the loop that everybody writes first.
fn to_rgb(frame: &FrameView<'_>, out: &mut [u8]) {
    for y in 0..frame.height as usize {
        for x in 0..frame.width as usize {
            let luma = 1.164 * (f32::from(frame.planes[0][y * frame.strides[0] + x]) - 16.0);
            let u = f32::from(frame.planes[1][y / 2 * frame.strides[1] + x / 2]) - 128.0;
            let v = f32::from(frame.planes[2][y / 2 * frame.strides[2] + x / 2]) - 128.0;
            let at = (y * frame.width as usize + x) * 3;
            out[at] = (luma + 1.793 * v).clamp(0.0, 255.0) as u8;
            out[at + 1] = (luma - 0.213 * u - 0.533 * v).clamp(0.0, 255.0) as u8;
            out[at + 2] = (luma + 2.112 * u).clamp(0.0, 255.0) as u8;
        }
    }
}

fn whole(c: &mut Criterion) {
    let mut group = c.benchmark_group("whole");
    let detector = spec(640, 480, Layout::Nchw, Resize::Letterbox);
    let mut out = vec![0.0; detector.len()];
    for (width, height) in [(640, 360), (1280, 720), (1920, 1080)] {
        for format in [PixelFormat::I420, PixelFormat::Nv12, PixelFormat::Rgb] {
            let planes = planes(format, width, height);
            let frame = view(format, width, height, &planes);
            let mut one = Preprocessor::new(detector);
            group.bench_function(format!("{width}x{height} {format:?} to 640x480 nchw"), |b| {
                b.iter(|| one.whole(black_box(&frame), black_box(&mut out)));
            });
        }
    }
    let planes = planes(PixelFormat::I420, 1280, 720);
    let frame = view(PixelFormat::I420, 1280, 720, &planes);
    let mut nhwc = Preprocessor::new(spec(640, 480, Layout::Nhwc, Resize::Letterbox));
    group.bench_function("1280x720 I420 to 640x480 nhwc", |b| {
        b.iter(|| nhwc.whole(black_box(&frame), black_box(&mut out)));
    });
    let mut rgb = vec![0; 3 * 1280 * 720];
    let mut second = Preprocessor::new(detector);
    group.bench_function("1280x720 I420 to 640x480 nchw, baseline: RGB copy, then resize", |b| {
        b.iter(|| {
            to_rgb(black_box(&frame), &mut rgb);
            let copy =
                FrameView { format: PixelFormat::Rgb, planes: [&rgb, &[], &[]], strides: [3 * 1280, 0, 0], ..frame };
            second.whole(black_box(&copy), black_box(&mut out))
        });
    });
    group.finish();
}

fn crop(c: &mut Criterion) {
    let mut group = c.benchmark_group("crop");
    let planes = planes(PixelFormat::I420, 1280, 720);
    let frame = view(PixelFormat::I420, 1280, 720, &planes);
    let classifier = spec(224, 224, Layout::Nchw, Resize::Stretch);
    let mut out = vec![0.0; classifier.len()];
    let mut one = Preprocessor::new(classifier);
    for side in [24.0f32, 100.0, 400.0] {
        let mut shift = 0.0;
        group.bench_function(format!("{side} pixels of 1280x720 I420 to 224x224 nchw"), |b| {
            b.iter(|| {
                // Each face lies elsewhere: no table is reused.
                shift = (shift + 1.0) % 7.0;
                let roi = Rect::new((300.0 + shift) / 1280.0, 200.0 / 720.0, side / 1280.0, side / 720.0);
                one.crop(black_box(&frame), roi, black_box(&mut out))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, whole, crop);
criterion_main!(benches);
