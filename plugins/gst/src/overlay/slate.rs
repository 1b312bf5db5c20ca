//! The picture that stands in for a camera without signal.

use super::{
    key::Key,
    style::{ALERT, DIM, SLATE, TEXT},
};
use crate::draw::{
    Bitmap, Cache, Canvas, Color,
    text::{self, Weight},
};

/// What a slate says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Slate<'a> {
    /// Name of the camera, set large.
    pub camera: &'a str,
    /// What is wrong, such as `no signal since 12:03:10`.
    pub message: &'a str,
    /// Time of day, as text: it moves on, so a viewer sees that the stream itself is alive. See
    /// [`clock_now`](super::clock_now).
    pub clock: &'a str,
}

/// Fills the picture. The fixed part is one cached bitmap; the background is laid in bands, for a soft gradient.
pub(super) fn draw(canvas: &mut Canvas<'_>, cache: &mut Cache<Key>, slate: &Slate<'_>) {
    let (width, height) = (canvas.width(), canvas.height());
    background(canvas);
    let em = em(width, height);
    let key = Key::Slate(slate.camera.into(), slate.message.into(), width, height);
    let fixed = cache.get(key, |_| panel(slate, em, width as f32));
    let top = (i64::from(height) - i64::from(fixed.height())) / 2 - i64::from(height) / 24;
    canvas.blend(&fixed, (i64::from(width) - i64::from(fixed.width())) / 2, top);
    if !slate.clock.is_empty() {
        let clock = cache.get(Key::SlateClock(slate.clock.into(), em as u32), |_| line(slate.clock, em * 0.8, DIM));
        let bottom = i64::from(height) - i64::from(clock.height()) - i64::from(height) / 20;
        canvas.blend(&clock, (i64::from(width) - i64::from(clock.width())) / 2, bottom);
    }
}

/// The em of the message: 3.4 % of the height, for tall pictures of the width, at least 12 pixels.
fn em(width: u32, height: u32) -> f32 {
    (height as f32).min(width as f32 * 0.5625).mul_add(0.034, 0.0).round().max(12.0)
}

fn background(canvas: &mut Canvas<'_>) {
    const BANDS: i64 = 24;
    let (width, height) = (i64::from(canvas.width()), i64::from(canvas.height()));
    for band in 0..BANDS {
        let (top, bottom) = (height * band / BANDS, height * (band + 1) / BANDS);
        let share = band as f32 / (BANDS - 1) as f32;
        let mut color = SLATE[0];
        for (channel, end) in color.iter_mut().zip(SLATE[1]) {
            *channel = (f32::from(*channel) * (1.0 - share) + f32::from(end) * share).round() as u8;
        }
        canvas.fill([0, top, width, bottom - top], color);
    }
}

/// A camera crossed out, the name, the message.
fn panel(slate: &Slate<'_>, em: f32, room: f32) -> Bitmap {
    let name_em = (em * 1.7).round();
    let inside = room * 0.92;
    let name = text::shorten(slate.camera, Weight::Bold, name_em, inside);
    let message = text::shorten(slate.message, Weight::Regular, em, inside);
    let icon = (em * 3.4).round();
    let widths = [text::width(&name, Weight::Bold, name_em), text::width(&message, Weight::Regular, em), icon];
    let width = widths.into_iter().fold(0.0, f32::max).ceil() + 2.0;
    let (name_line, message_line) = ((name_em * 1.5).round(), (em * 1.7).round());
    let gap = (em * 0.8).round();
    let mut bitmap = Bitmap::new(width as u32, (icon + gap + name_line + message_line) as u32);
    draw_icon(&mut bitmap, (width - icon) / 2.0, icon);
    let mut baseline = icon + gap + (name_line + text::cap_height(name_em)) / 2.0;
    let left = |index: usize| ((width - widths[index]) / 2.0).round();
    text::draw(&mut bitmap, [left(0), baseline.round()], &name, Weight::Bold, name_em, TEXT);
    baseline = icon + gap + name_line + (message_line + text::cap_height(em)) / 2.0;
    text::draw(&mut bitmap, [left(1), baseline.round()], &message, Weight::Regular, em, DIM);
    bitmap
}

/// A camera's body and lens, in lines, with a stroke through it. `size`: side of the square it stands in.
fn draw_icon(bitmap: &mut Bitmap, left: f32, size: f32) {
    let stroke = (size * 0.055).max(1.5);
    let at = |x: f32, y: f32| [left + x * size, y * size];
    let corners = [at(0.08, 0.28), at(0.62, 0.28), at(0.62, 0.74), at(0.08, 0.74)];
    for (index, corner) in corners.iter().enumerate() {
        bitmap.line(*corner, corners[(index + 1) % 4], stroke, DIM);
    }
    let lens = [at(0.62, 0.46), at(0.90, 0.32), at(0.90, 0.70), at(0.62, 0.56)];
    for pair in lens.windows(2) {
        bitmap.line(pair[0], pair[1], stroke, DIM);
    }
    bitmap.line(at(0.14, 0.92), at(0.84, 0.10), stroke * 2.4, SLATE[0]);
    bitmap.line(at(0.14, 0.92), at(0.84, 0.10), stroke, ALERT);
}

fn line(words: &str, em: f32, color: Color) -> Bitmap {
    let mut bitmap = Bitmap::new(text::width(words, Weight::Regular, em).ceil() as u32 + 2, (em * 1.5) as u32);
    let baseline = (bitmap.height() as f32 + text::cap_height(em)) / 2.0;
    text::draw(&mut bitmap, [1.0, baseline.round()], words, Weight::Regular, em, color);
    bitmap
}
