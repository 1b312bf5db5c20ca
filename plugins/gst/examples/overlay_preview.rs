//! Draws overlays and slates on test pictures and writes them as PNG files, to be looked at.
//!
//! ```sh
//! cargo run -p gst-plugin-maskwatch --example overlay_preview -- FOLDER
//! ```

use std::path::Path;

use gst_video::{VideoFormat, VideoFrameRef, VideoInfo};
use gstmaskwatch::overlay::{Caption, PaintError, Painter, Slate, clock_now};
use maskwatch_vision::{
    face::{FaceView, MaskState},
    geometry::Rect,
    zone::Areas,
};

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = std::env::args().nth(1).unwrap_or_else(|| ".".into());
    let folder = Path::new(&folder);
    gst::init()?;
    let clock = clock_now();
    let caption = Caption { camera: "north-gate", clock: &clock, status: "Compliance 87% of 112 people" };
    let sizes = [("360p", 640, 360), ("480p", 640, 480), ("720p", 1280, 720), ("1080p", 1920, 1080)];
    for (name, width, height) in sizes {
        let faces = few();
        scene(&folder.join(format!("few-{name}.png")), width, height, &faces, &caption)?;
    }
    scene(&folder.join("crowd-1080p.png"), 1920, 1080, &crowd(), &caption)?;
    scene(&folder.join("crowd-360p.png"), 640, 360, &crowd(), &caption)?;
    scene(&folder.join("tiny-720p.png"), 1280, 720, &tiny(), &caption)?;
    for (name, width, height) in sizes {
        picture(&folder.join(format!("zones-{name}.png")), width, height, |painter, frame| {
            painter.set_areas(areas());
            painter.paint(frame, &few(), &caption)
        })?;
    }
    for (name, width, height) in sizes {
        let slate = Slate { camera: "north-gate", message: "no signal since 12:03:10", clock: &clock };
        picture(&folder.join(format!("slate-{name}.png")), width, height, |painter, frame| {
            painter.slate(frame, &slate)
        })?;
    }
    Ok(())
}

const STATES: [MaskState; 4] = MaskState::ALL;

fn view(track: usize, x: f32, y: f32, w: f32, h: f32) -> FaceView {
    let state = STATES[track % 4];
    let rect = Rect::new(x, y, w, h);
    FaceView { track: track as u64, rect, score: 0.9, state, confidence: 0.98 - track as f32 * 0.01 }
}

/// One of each state, two of them close together, one at the edge.
fn few() -> Vec<FaceView> {
    vec![
        view(0, 0.12, 0.40, 0.10, 0.22),
        view(1, 0.36, 0.30, 0.12, 0.28),
        view(2, 0.50, 0.34, 0.11, 0.24),
        view(3, 0.72, 0.55, 0.05, 0.11),
        view(4, 0.93, 0.10, 0.10, 0.20),
    ]
}

/// Zones that overlap, lines in two directions, a poster.
fn areas() -> Areas {
    let text = r#"{
        "zones": [{"name": "entrance", "polygon": [[0.05, 0.25], [0.5, 0.2], [0.55, 0.95], [0.02, 0.9]]},
                  {"name": "counter", "polygon": [[0.4, 0.5], [0.9, 0.5], [0.9, 0.98], [0.4, 0.98]]}],
        "lines": [{"name": "door", "line": [[0.1, 0.7], [0.45, 0.75]]}, {"name": "lift", "line": [[0.8, 0.9], [0.7, 0.2]]}],
        "ignore": [[[0.82, 0.05], [0.99, 0.05], [0.99, 0.45], [0.82, 0.45]]]
    }"#;
    gstmaskwatch::areas::parse(text).unwrap_or_default()
}

fn crowd() -> Vec<FaceView> {
    (0..20)
        .map(|i| {
            let (column, row) = ((i % 7) as f32, (i / 7) as f32);
            let wobble = ((i * 37) % 11) as f32 / 110.0;
            view(i, 0.05 + column * 0.13 + wobble * 0.4, 0.22 + row * 0.24 + wobble, 0.06 + wobble * 0.1, 0.14)
        })
        .collect()
}

fn tiny() -> Vec<FaceView> {
    (0..12).map(|i| view(i, 0.2 + (i % 6) as f32 * 0.09, 0.4 + (i / 6) as f32 * 0.15, 0.011, 0.028)).collect()
}

fn scene(path: &Path, width: u32, height: u32, faces: &[FaceView], caption: &Caption<'_>) -> Result<(), Failure> {
    picture(path, width, height, |painter, frame| painter.paint(frame, faces, caption))
}

/// A test picture in I420, drawn on, as PNG.
fn picture(
    path: &Path,
    width: u32,
    height: u32,
    draw: impl FnOnce(&mut Painter, &mut VideoFrameRef<&mut gst::BufferRef>) -> Result<(), PaintError>,
) -> Result<(), Failure> {
    let info = VideoInfo::builder(VideoFormat::I420, width, height).fps(gst::Fraction::new(1, 1)).build()?;
    let mut buffer = background(&info)?;
    let mut frame = VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), &info)?;
    draw(&mut Painter::new(), &mut frame)?;
    drop(frame);
    let sample = gst::Sample::builder().buffer(&buffer).caps(&info.to_caps()?).build();
    let png = gst::Caps::new_empty_simple("image/png");
    let encoded = gst_video::convert_sample(&sample, &png, Some(gst::ClockTime::from_seconds(30)))?;
    let map = encoded.buffer().ok_or("no picture")?.map_readable()?;
    std::fs::write(path, &map)?;
    Ok(())
}

/// A bright and a dark half with soft shapes, as a camera might see.
fn background(info: &VideoInfo) -> Result<gst::Buffer, Failure> {
    let mut buffer = gst::Buffer::with_size(info.size())?;
    let (width, height) = (info.width() as usize, info.height() as usize);
    let (stride, offset) = (info.stride()[0] as usize, info.offset());
    let mut map = buffer.make_mut().map_writable()?;
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let wave = ((u * 9.0).sin() * (v * 7.0).cos()) * 30.0;
            map[y * stride + x] = (60.0 + u * 150.0 + wave).clamp(16.0, 235.0) as u8;
        }
    }
    map[offset[1]..offset[2]].fill(124);
    map[offset[2]..].fill(132);
    drop(map);
    Ok(buffer)
}
