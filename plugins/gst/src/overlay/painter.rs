//! Draws faces and captions, and remembers the bitmaps of its labels.

use std::sync::Arc;

use gst::glib;
use gst_video::prelude::*;
use maskwatch_vision::{
    face::{FaceView, MaskState},
    geometry::Rect,
    label,
    zone::Areas,
};

use super::{
    areas,
    key::Key,
    slate::{self, Slate},
    style::{CHIP, DIM, EDGE, Style, TEXT},
};
use crate::draw::{
    Bitmap, Cache, Canvas,
    bitmap::with_alpha,
    text::{self, Weight},
};

/// Bitmaps kept by one painter. A label has some 300 texts; 128 of them are 1 MB at 1080 rows.
const CACHED: usize = 128;
/// Boxes drawn at most. More is a wall of boxes that tells nobody anything, and must not stall the video.
const MOST_FACES: usize = 64;

/// What stands in the left top corner. Empty parts are left out; all empty: no caption.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caption<'a> {
    /// Name of the camera.
    pub camera: &'a str,
    /// Time of day, as text; see [`clock_now`].
    pub clock: &'a str,
    /// The second line.
    pub status: &'a str,
}

/// Why nothing was drawn.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PaintError {
    /// The format is not one of I420, NV12, RGB, BGRx.
    #[error("cannot draw on {0} frames; hint: convert to I420 first")]
    Format(String),
    /// A picture of `width` x `height` needs more bytes.
    #[error("a picture of {width}x{height} needs {want} bytes, got {got}")]
    Size {
        /// Width in pixels.
        width: u32,
        /// Height in pixels.
        height: u32,
        /// Bytes needed.
        want: usize,
        /// Bytes given.
        got: usize,
    },
}

/// The local time of day as it stands in captions: `2026-11-24 12:03:10`.
pub fn clock_now() -> String {
    let now = glib::DateTime::now_local().and_then(|now| now.format("%F %T"));
    now.map(Into::into).unwrap_or_default()
}

/// Draws. Keep one per stream.
#[derive(Debug)]
pub struct Painter {
    cache: Cache<Key>,
    areas: Areas,
}

impl Default for Painter {
    fn default() -> Self {
        Self::new()
    }
}

impl Painter {
    /// A painter that remembers nothing yet.
    pub fn new() -> Self {
        Self { cache: Cache::new(CACHED), areas: Areas::default() }
    }

    /// Draws these zones, lines and ignore masks from now on.
    pub fn set_areas(&mut self, areas: Areas) {
        self.areas = areas;
    }

    /// Draws faces and a caption into a frame.
    ///
    /// # Errors
    /// [`PaintError::Format`] for a format that cannot be drawn on.
    pub fn paint(
        &mut self,
        frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
        faces: &[FaceView],
        caption: &Caption<'_>,
    ) -> Result<(), PaintError> {
        let mut canvas = canvas(frame)?;
        self.draw(&mut canvas, faces, caption);
        Ok(())
    }

    /// Draws faces and a caption into a packed R, G, B picture without padding.
    ///
    /// # Errors
    /// [`PaintError::Size`] when there are fewer than `3 * width * height` bytes.
    pub fn paint_rgb(
        &mut self,
        [width, height]: [u32; 2],
        pixels: &mut [u8],
        faces: &[FaceView],
        caption: &Caption<'_>,
    ) -> Result<(), PaintError> {
        let (want, got) = (width as usize * height as usize * 3, pixels.len());
        if got < want {
            return Err(PaintError::Size { width, height, want, got });
        }
        self.draw(&mut Canvas::rgb(width, height, pixels), faces, caption);
        Ok(())
    }

    /// Fills a frame with a slate.
    ///
    /// # Errors
    /// [`PaintError::Format`] for a format that cannot be drawn on.
    pub fn slate(
        &mut self,
        frame: &mut gst_video::VideoFrameRef<&mut gst::BufferRef>,
        slate: &Slate<'_>,
    ) -> Result<(), PaintError> {
        let mut canvas = canvas(frame)?;
        slate::draw(&mut canvas, &mut self.cache, slate);
        Ok(())
    }

    /// Zones and caption first, boxes over them, labels last: nothing hides a label.
    fn draw(&mut self, canvas: &mut Canvas<'_>, faces: &[FaceView], caption: &Caption<'_>) {
        let size = [canvas.width(), canvas.height()];
        let style = Style::of(size[1]);
        let mut taken = Vec::new();
        let captioned = self.caption(caption, style, size[0]).map(|bitmap| (bitmap, i64::from(style.em / 2)));
        if let Some((bitmap, margin)) = &captioned {
            taken.push([*margin, *margin, i64::from(bitmap.width()), i64::from(bitmap.height())]);
        }
        areas::draw(canvas, &mut self.cache, &self.areas, style, &mut taken);
        if let Some((bitmap, margin)) = captioned {
            canvas.blend(&bitmap, margin, margin);
        }
        let reserved: Vec<Rect> = taken.into_iter().map(|place| normalised(place, size)).collect();
        let finite = |r: &Rect| [r.x, r.y, r.w, r.h].iter().all(|v| v.is_finite());
        let faces: Vec<&FaceView> = faces.iter().filter(|face| finite(&face.rect)).take(MOST_FACES).collect();
        for face in &faces {
            draw_box(canvas, face, style);
        }
        let labels: Vec<Arc<Bitmap>> = faces.iter().map(|face| self.label(face, style)).collect();
        let rects: Vec<Rect> = faces.iter().map(|face| face.rect).collect();
        let sizes: Vec<[u32; 2]> = labels.iter().map(|label| [label.width(), label.height()]).collect();
        for (label, [x, y]) in labels.iter().zip(label::place(&rects, &sizes, size, &reserved)) {
            canvas.blend(label, i64::from(x), i64::from(y));
        }
    }

    fn label(&mut self, face: &FaceView, style: Style) -> Arc<Bitmap> {
        let key = Key::Label(label::text(face.state, face.confidence), face.state, style.em);
        self.cache.get(key, |key| match key {
            Key::Label(text, state, em) => draw_label(text, *state, *em as f32),
            _ => Bitmap::new(1, 1),
        })
    }

    fn caption(&mut self, caption: &Caption<'_>, style: Style, width: u32) -> Option<Arc<Bitmap>> {
        let Caption { camera, clock, status } = *caption;
        if camera.is_empty() && clock.is_empty() && status.is_empty() {
            return None;
        }
        let room = width.saturating_sub(style.em);
        let key = Key::Caption(camera.into(), clock.into(), status.into(), style.em, room);
        Some(self.cache.get(key, |_| draw_caption(caption, style.em as f32, room as f32)))
    }
}

fn canvas<'a>(frame: &'a mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<Canvas<'a>, PaintError> {
    let format = frame.format().to_str().to_string();
    Canvas::new(frame).ok_or(PaintError::Format(format))
}

fn normalised([x, y, w, h]: [i64; 4], [width, height]: [u32; 2]) -> Rect {
    let (width, height) = (width.max(1) as f32, height.max(1) as f32);
    Rect::new(x as f32 / width, y as f32 / height, w as f32 / width, h as f32 / height)
}

/// A box with a dark hair line around it and stronger corners.
fn draw_box(canvas: &mut Canvas<'_>, face: &FaceView, style: Style) {
    let edges = face.rect.clip().to_pixels(canvas.width(), canvas.height());
    let [x, y, w, h] = edges.map(|v| v.round() as i64);
    if w < 2 || h < 2 {
        return;
    }
    let side = w.min(h);
    // A small face must stay visible inside its box.
    let stroke = i64::from(style.stroke).min((side / 10).max(1));
    let color = with_alpha(label::color(face.state), 255);
    canvas.stroke([x - 1, y - 1, w + 2, h + 2], 1, EDGE);
    canvas.stroke([x, y, w, h], stroke, color);
    let (long, thick) = (side / 5, stroke * 2);
    if thick * 4 > long {
        return;
    }
    for (cx, ex) in [(x, x), (x + w - long, x + w - thick)] {
        for (cy, ey) in [(y, y), (y + h - long, y + h - thick)] {
            canvas.fill([cx, ey, long, thick], color);
            canvas.fill([ex, cy, thick, long], color);
        }
    }
}

/// White on a dark chip with a bar in the state's colour.
fn draw_label(text: &str, state: MaskState, em: f32) -> Bitmap {
    let (bar, pad) = ((em * 0.28).round(), (em * 0.38).round());
    let height = (em * 1.5).round();
    let width = (bar + 2.0 * pad + text::width(text, Weight::Bold, em)).ceil();
    let mut bitmap = Bitmap::new(width as u32, height as u32);
    let radius = em * 0.22;
    let color = with_alpha(label::color(state), 255);
    bitmap.rounded_rect([0.0, 0.0, width, height], radius, CHIP);
    bitmap.rounded_rect([0.0, 0.0, bar, height], radius.min(bar / 2.0), color);
    let baseline = ((height + text::cap_height(em)) / 2.0).round();
    text::draw(&mut bitmap, [bar + pad, baseline], text, Weight::Bold, em, TEXT);
    bitmap
}

/// Name and time in the first line, status in the second.
fn draw_caption(caption: &Caption<'_>, em: f32, room: f32) -> Bitmap {
    let (pad, gap, line) = ((em * 0.6).round(), em * 0.8, (em * 1.45).round());
    let inside = room - 2.0 * pad;
    let camera = text::shorten(caption.camera, Weight::Bold, em, inside);
    let camera_width = text::width(&camera, Weight::Bold, em);
    let clock_left = if camera.is_empty() { 0.0 } else { camera_width + gap };
    // A narrow picture shows the time without the date, or no time.
    let fits = |clock: &&str| clock_left + text::width(clock, Weight::Regular, em) <= inside;
    let time_only = caption.clock.rsplit(' ').next().unwrap_or_default();
    let clock = [caption.clock, time_only].into_iter().find(fits).unwrap_or_default();
    let status = text::shorten(caption.status, Weight::Regular, em, inside);
    let first = if clock.is_empty() { camera_width } else { clock_left + text::width(clock, Weight::Regular, em) };
    let second = text::width(&status, Weight::Regular, em);
    let has_first = !(camera.is_empty() && clock.is_empty());
    let lines = f32::from(u8::from(has_first) + u8::from(!status.is_empty()));
    let (width, height) = ((first.max(second) + 2.0 * pad).ceil(), (lines * line + pad).ceil());
    let mut bitmap = Bitmap::new(width as u32, height as u32);
    bitmap.rounded_rect([0.0, 0.0, width, height], em * 0.35, CHIP);
    let mut baseline = (pad / 2.0 + (line + text::cap_height(em)) / 2.0).round();
    if has_first {
        text::draw(&mut bitmap, [pad, baseline], &camera, Weight::Bold, em, TEXT);
        text::draw(&mut bitmap, [pad + clock_left, baseline], clock, Weight::Regular, em, DIM);
        baseline += line;
    }
    text::draw(&mut bitmap, [pad, baseline], &status, Weight::Regular, em, TEXT);
    bitmap
}
