//! Preprocessing against Pillow, and its properties on all formats and sizes.

mod support;

use maskwatch_vision::frame::{ColorMatrix, ColorRange, FrameError, PixelFormat};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::preprocess::{ChannelOrder, InputSpec, Layout, Preprocessor, Resize, crop_rect};
use proptest::prelude::*;
use support::{Picture, formula};

/// Pixel values as they are, pixel by pixel.
fn plain(width: u32, height: u32, resize: Resize, pad: u8) -> InputSpec {
    InputSpec {
        width,
        height,
        layout: Layout::Nhwc,
        color: ChannelOrder::Rgb,
        mean: [0.0; 3],
        std: [1.0; 3],
        resize,
        pad,
    }
}

fn whole(spec: InputSpec, picture: &Picture) -> Vec<f32> {
    let mut out = vec![f32::NAN; spec.len()];
    Preprocessor::new(spec).whole(&picture.view(), &mut out).expect("a sound picture");
    out
}

fn crop(spec: InputSpec, picture: &Picture, roi: Rect) -> Vec<f32> {
    let mut out = vec![f32::NAN; spec.len()];
    Preprocessor::new(spec).crop(&picture.view(), roi, &mut out).expect("a sound picture");
    out
}

/// Largest difference; NaN counts as infinite.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    a.iter()
        .zip(b)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, |most, d| if d.is_nan() { f32::INFINITY } else { most.max(d) })
}

#[derive(serde::Deserialize)]
struct Case {
    source: (u32, u32),
    input: (u32, u32),
    resize: Resize,
    pad: u8,
    crop: Option<Crop>,
    pixels: String,
}

#[derive(serde::Deserialize)]
struct Crop {
    r#box: [f32; 4],
    margin: f32,
    square: bool,
}

/// Pillow rounds to bytes after each pass: half a step of its own each, so up to one step from the exact value.
#[test]
fn same_pixels_as_pillow() {
    let cases: Vec<Case> = serde_json::from_str(include_str!("data/resample.json")).unwrap();
    assert_eq!(cases.len(), 10);
    for (index, case) in cases.iter().enumerate() {
        let want: Vec<f32> = (0..case.pixels.len())
            .step_by(2)
            .map(|at| f32::from(u8::from_str_radix(&case.pixels[at..at + 2], 16).unwrap()))
            .collect();
        let spec = plain(case.input.0, case.input.1, case.resize, case.pad);
        let (w, h) = case.source;
        let picture = formula((w, h), (0, 0), (w, h), 0);
        let got = match &case.crop {
            None => whole(spec, &picture),
            Some(Crop { r#box: [x1, y1, x2, y2], margin, square }) => {
                let (fw, fh) = (w as f32, h as f32);
                let face = Rect::from_corners(x1 / fw, y1 / fh, x2 / fw, y2 / fh);
                crop(spec, &picture, crop_rect(face, w, h, *margin, *square))
            }
        };
        let apart = apart(&got, &want);
        assert!(apart <= 1.001, "case {index}: {apart} apart");
    }
}

fn formats() -> impl Strategy<Value = PixelFormat> {
    prop_oneof![Just(PixelFormat::I420), Just(PixelFormat::Nv12), Just(PixelFormat::Rgb)]
}

fn specs() -> impl Strategy<Value = InputSpec> {
    let layout = prop_oneof![Just(Layout::Nchw), Just(Layout::Nhwc)];
    let color = prop_oneof![Just(ChannelOrder::Rgb), Just(ChannelOrder::Bgr)];
    let resize = prop_oneof![Just(Resize::Letterbox), Just(Resize::Stretch)];
    (1u32..50, 1u32..50, layout, color, resize, any::<u8>()).prop_map(|(width, height, layout, color, resize, pad)| {
        InputSpec { width, height, layout, color, mean: [10.0, 20.0, 30.0], std: [2.0, 4.0, 8.0], resize, pad }
    })
}

/// The value that `spec` gives a pixel value in a channel of its own order.
fn normal(spec: &InputSpec, channel: usize, value: f32) -> f32 {
    (value - spec.mean[channel]) / spec.std[channel]
}

/// Reads channel `channel` (of the spec's order) at `(x, y)`.
fn at(spec: &InputSpec, out: &[f32], channel: usize, x: u32, y: u32) -> f32 {
    let (w, h, x, y) = (spec.width as usize, spec.height as usize, x as usize, y as usize);
    match spec.layout {
        Layout::Nchw => out[channel * w * h + y * w + x],
        Layout::Nhwc => out[(y * w + x) * 3 + channel],
    }
}

/// ITU-R BT.601, limited range, written out by its textbook numbers.
fn bt601([y, u, v]: [u8; 3]) -> [f32; 3] {
    let (y, u, v) = (1.164_384 * (f32::from(y) - 16.0), f32::from(u) - 128.0, f32::from(v) - 128.0);
    [y + 1.596_027 * v, y - 0.391_762 * u - 0.812_968 * v, y + 2.017_232 * u].map(|c| c.clamp(0.0, 255.0))
}

fn constant(format: PixelFormat, size: (u32, u32), slack: usize, colour: [u8; 3]) -> Picture {
    Picture::new(format, size, slack, |plane, _, _, channel| match format {
        PixelFormat::Rgb => colour[channel],
        _ => colour[plane + channel],
    })
}

/// A smooth picture, as RGB and as Y'CbCr.
fn smooth(format: PixelFormat, size: (u32, u32)) -> Picture {
    let (w, h) = (size.0 as f32, size.1 as f32);
    let rgb = move |x: f32, y: f32| [40.0 + 170.0 * x / w, 200.0 - 150.0 * y / h, 60.0 + 60.0 * (x / w + y / h)];
    let to_byte = |v: f32| (v + 0.5) as u8;
    let ycc = move |x: f32, y: f32, plane: usize| {
        let [r, g, b] = rgb(x, y);
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        match plane {
            0 => 16.0 + luma * 219.0 / 255.0,
            1 => 128.0 + (b - luma) / 1.772 * 224.0 / 255.0,
            _ => 128.0 + (r - luma) / 1.402 * 224.0 / 255.0,
        }
    };
    Picture::new(format, size, 3, |plane, column, row, channel| {
        let (x, y) = (column as f32, row as f32);
        match (format, plane) {
            (PixelFormat::Rgb, _) => to_byte(rgb(x + 0.5, y + 0.5)[channel]),
            (_, 0) => to_byte(ycc(x + 0.5, y + 0.5, 0)),
            // Sited left: over the even column, between two rows.
            _ => to_byte(ycc(2.0 * x + 0.5, 2.0 * y + 1.0, plane + channel)),
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn a_constant_colour_stays(
        spec in specs(), format in formats(), width in 1u32..80, height in 1u32..80, slack in 0usize..9,
        colour in any::<[u8; 3]>(),
    ) {
        let picture = constant(format, (width, height), slack, colour);
        let out = whole(spec, &picture);
        let place = spec.fit(width, height);
        let rgb = if format == PixelFormat::Rgb { colour.map(f32::from) } else { bt601(colour) };
        let want = if spec.color == ChannelOrder::Rgb { rgb } else { [rgb[2], rgb[1], rgb[0]] };
        for y in 0..spec.height {
            for x in 0..spec.width {
                let inside = (place.left..place.left + place.columns).contains(&x)
                    && (place.top..place.top + place.rows).contains(&y);
                for (channel, want) in want.iter().enumerate() {
                    let want = normal(&spec, channel, if inside { *want } else { f32::from(spec.pad) });
                    let got = at(&spec, &out, channel, x, y);
                    prop_assert!((got - want).abs() < 0.01, "({x}, {y}) channel {channel}: {got}, not {want}");
                }
            }
        }
    }

    #[test]
    fn a_crop_outside_is_pad(
        spec in specs(), format in formats(), width in 1u32..40, height in 1u32..40,
        side in 0usize..4, w in 0.0f32..3.0, h in 0.0f32..3.0,
    ) {
        let picture = constant(format, (width, height), 0, [200, 50, 90]);
        let (x, y) = [(-w - 2.0, 0.0), (0.0, -h - 2.0), (2.0, 0.0), (0.0, 2.0)][side];
        let out = crop(spec, &picture, Rect::new(x, y, w, h));
        for channel in 0..3 {
            let want = normal(&spec, channel, f32::from(spec.pad));
            for (x, y) in [(0, 0), (spec.width / 2, spec.height / 2), (spec.width - 1, spec.height - 1)] {
                prop_assert!((at(&spec, &out, channel, x, y) - want).abs() < 0.01);
            }
        }
    }

    /// A crop is what one gets by cutting it out, on a canvas of pad pixels, and taking that whole.
    #[test]
    fn a_crop_equals_the_cut_out(
        spec in specs(), width in 1u32..60, height in 1u32..60,
        left in -40i64..80, top in -40i64..80, w in 1u32..70, h in 1u32..70,
    ) {
        let picture = formula((width, height), (0, 0), (width, height), 0);
        let canvas = formula((width, height), (left, top), (w, h), spec.pad);
        let (fw, fh) = (width as f32, height as f32);
        let roi = Rect::new(left as f32 / fw, top as f32 / fh, w as f32 / fw, h as f32 / fh);
        prop_assert!(apart(&crop(spec, &picture, roi), &whole(spec, &canvas)) < 0.01);
    }

    #[test]
    fn the_full_crop_is_the_whole(spec in specs(), format in formats(), width in 1u32..60, height in 1u32..60) {
        let picture = smooth(format, (width, height));
        prop_assert_eq!(crop(spec, &picture, Rect::FULL), whole(spec, &picture));
    }

    #[test]
    fn nv12_equals_i420(spec in specs(), width in 1u32..60, height in 1u32..60, seed in any::<u8>()) {
        let value = |plane: usize, x: usize, y: usize| (x * 31 + y * 17 + plane * 101 + seed as usize) as u8;
        let i420 = Picture::new(PixelFormat::I420, (width, height), 2, |plane, x, y, _| value(plane, x, y));
        let nv12 = Picture::new(PixelFormat::Nv12, (width, height), 5, |plane, x, y, c| value(plane + c, x, y));
        prop_assert_eq!(whole(spec, &i420), whole(spec, &nv12));
        let roi = Rect::new(-0.2, 0.3, 0.7, 0.9);
        prop_assert_eq!(crop(spec, &i420, roi), crop(spec, &nv12, roi));
    }

    #[test]
    fn odd_regions_never_panic(
        spec in specs(), format in formats(), width in 1u32..40, height in 1u32..40, roi in any::<[f32; 4]>(),
    ) {
        let picture = constant(format, (width, height), 0, [90, 90, 90]);
        let [x, y, w, h] = roi;
        let out = crop(spec, &picture, Rect { x, y, w, h });
        prop_assert!(out.iter().all(|v| v.is_finite()));
    }

    #[test]
    fn letterbox_keeps_the_shape_and_comes_back(
        spec in specs(), width in 1u32..5000, height in 1u32..5000,
        x in -0.5f32..1.5, y in -0.5f32..1.5, w in 0.0f32..1.0, h in 0.0f32..1.0,
    ) {
        let place = spec.fit(width, height);
        prop_assert!(place.columns >= 1 && place.left + place.columns <= spec.width);
        prop_assert!(place.rows >= 1 && place.top + place.rows <= spec.height);
        prop_assert!(place.columns == spec.width || place.rows == spec.height);
        let rect = Rect::new(x, y, w, h);
        // f32 near 1 over a picture of one column out of fifty.
        let near = |a: Rect, b: Rect| {
            [a.x - b.x, a.y - b.y, a.w - b.w, a.h - b.h].iter().all(|d| d.abs() < 2e-5)
        };
        prop_assert!(near(place.to_picture(place.to_input(rect)), rect));
        prop_assert!(near(place.to_input(place.to_picture(rect)), rect) );
    }

    #[test]
    fn a_crop_holds_its_face(
        width in 16u32..2000, height in 16u32..2000, margin in 0.0f32..0.5, square in any::<bool>(),
        x in -0.2f32..1.0, y in -0.2f32..1.0, w in 0.0f32..0.5, h in 0.0f32..0.5,
    ) {
        let face = Rect::new(x, y, w, h);
        let [cx, cy, cw, ch] = crop_rect(face, width, height, margin, square).to_pixels(width, height);
        let [fx, fy, fw, fh] = face.to_pixels(width, height);
        let slack = 0.52;
        prop_assert!(cx <= fx + slack && cy <= fy + slack);
        prop_assert!(cx + cw >= fx + fw - slack && cy + ch >= fy + fh - slack);
        prop_assert!(cw > 0.99 && ch > 0.99);
        prop_assert!(!square || (cw - ch).abs() < 1.02, "{cw} x {ch}");
        for edge in [cx, cy, cw, ch] {
            prop_assert!((edge - edge.round()).abs() < 0.01, "whole pixels, not {edge}");
        }
    }
}

#[test]
fn rgb_and_planar_pictures_agree() {
    for size in [(64, 48), (63, 47), (200, 120), (31, 90)] {
        let [rgb, i420, nv12] =
            [PixelFormat::Rgb, PixelFormat::I420, PixelFormat::Nv12].map(|format| smooth(format, size));
        for (w, h) in [(32, 24), (50, 50), (97, 61)] {
            let spec = plain(w, h, Resize::Letterbox, 0);
            let want = whole(spec, &rgb);
            for picture in [&i420, &nv12] {
                let apart = apart(&whole(spec, picture), &want);
                assert!(apart < 4.0, "{size:?} to {w}x{h}, {:?}: {apart}", picture.format);
            }
        }
    }
}

#[test]
fn matrix_and_range_matter() {
    let mut picture = constant(PixelFormat::I420, (8, 8), 0, [63, 102, 240]);
    let spec = plain(4, 4, Resize::Stretch, 0);
    let red = |picture: &Picture| [0, 1, 2].map(|c| whole(spec, picture)[c]);
    picture.matrix = ColorMatrix::Bt709;
    let [r, g, b] = red(&picture);
    assert!((r - 255.0).abs() < 1.5 && g < 1.5 && b < 1.5, "{r} {g} {b}");
    picture.range = ColorRange::Full;
    let [r, ..] = red(&picture);
    assert!((r - (63.0 + 1.5748 * 112.0)).abs() < 0.1, "{r}");
}

/// 4:2:0 as H.264 has it: a chroma sample lies over the even column, midway between two rows.
#[test]
fn chroma_is_sited_left() {
    let mut picture = Picture::new(PixelFormat::I420, (16, 16), 0, |plane, x, y, _| match plane {
        0 => 128,
        1 => (100 + 8 * x) as u8,
        _ => (100 + 8 * y) as u8,
    });
    picture.range = ColorRange::Full;
    let out = whole(plain(16, 16, Resize::Stretch, 0), &picture);
    for at in 2..14 {
        let blue = out[(5 * 16 + at) * 3 + 2];
        let want = 128.0 + 1.772 * (100.0 + 4.0 * at as f32 - 128.0);
        assert!((blue - want).abs() < 0.01, "column {at}: {blue}, not {want}");
        let red = out[(at * 16 + 5) * 3];
        let want = 128.0 + 1.402 * (100.0 + 4.0 * (at as f32 - 0.5) - 128.0);
        assert!((red - want).abs() < 0.01, "row {at}: {red}, not {want}");
    }
}

/// Tables are kept between calls; another size, format or region must not meet stale ones.
#[test]
fn reuse_changes_nothing() {
    let spec = plain(20, 15, Resize::Letterbox, 3);
    let mut kept = Preprocessor::new(spec);
    let pictures = [
        smooth(PixelFormat::I420, (64, 48)),
        smooth(PixelFormat::I420, (64, 48)),
        smooth(PixelFormat::Rgb, (64, 48)),
        smooth(PixelFormat::Nv12, (33, 71)),
        smooth(PixelFormat::I420, (64, 48)),
    ];
    for picture in &pictures {
        let mut out = vec![f32::NAN; spec.len() + 5];
        let place = kept.whole(&picture.view(), &mut out).unwrap();
        assert_eq!(out[..spec.len()], whole(spec, picture));
        assert!(out[spec.len()..].iter().all(|v| v.is_nan()), "nothing beyond the input is written");
        assert_eq!(place, spec.fit(picture.width, picture.height));
        for roi in [Rect::new(0.1, 0.2, 0.3, 0.4), Rect::new(0.5, 0.5, 0.9, 0.2)] {
            kept.crop(&picture.view(), roi, &mut out).unwrap();
            assert_eq!(out[..spec.len()], crop(spec, picture, roi));
        }
    }
}

#[test]
fn unfit_frames_are_errors() {
    let spec = plain(4, 4, Resize::Stretch, 0);
    let mut out = vec![7.0; spec.len()];
    let picture = smooth(PixelFormat::I420, (9, 7));
    let run = |picture: &Picture, out: &mut [f32]| Preprocessor::new(spec).whole(&picture.view(), out);

    let mut short = picture.clone();
    short.planes[2].pop();
    let want = short.planes[2].len() + 1;
    assert_eq!(run(&short, &mut out), Err(FrameError::Short { plane: 2, got: want - 1, want }));

    let mut narrow = picture.clone();
    narrow.strides[0] = 8;
    assert_eq!(run(&narrow, &mut out), Err(FrameError::Stride { plane: 0, stride: 8, row: 9 }));

    let mut empty = picture.clone();
    empty.width = 0;
    assert_eq!(run(&empty, &mut out), Err(FrameError::Empty(0, 7)));

    assert_eq!(run(&picture, &mut out[..47]), Err(FrameError::Room { got: 47, want: 48 }));
    assert!(out.iter().all(|v| *v == 7.0), "an error leaves the input alone");
}

/// The two letterboxes in use, by hand.
#[test]
fn letterbox_places() {
    let spec = plain(640, 480, Resize::Letterbox, 0);
    let place = spec.fit(1280, 720);
    assert_eq!((place.left, place.top, place.columns, place.rows), (0, 60, 640, 360));
    let place = spec.fit(720, 1280);
    assert_eq!((place.left, place.top, place.columns, place.rows), (185, 0, 270, 480));
    let place = spec.fit(10_000, 1);
    assert_eq!((place.top, place.columns, place.rows), (239, 640, 1));
}

#[test]
fn specs_are_checked() {
    let good = plain(4, 4, Resize::Stretch, 0);
    assert!(good.check().is_ok());
    assert!(InputSpec { width: 0, ..good }.check().is_err());
    assert!(InputSpec { height: 100_000, ..good }.check().is_err());
    assert!(InputSpec { std: [1.0, 0.0, 1.0], ..good }.check().is_err());
    assert!(InputSpec { mean: [f32::NAN, 0.0, 0.0], ..good }.check().is_err());
}
