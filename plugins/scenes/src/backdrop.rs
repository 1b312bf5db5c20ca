//! The places where the demo's people pass: a wall with panels, a portal and light, and a counter in front that hides
//! where the portrait ends.

use image::{Rgb, RgbImage, imageops};

use super::paint::mix;

/// Colours and parts of a place.
#[derive(Clone, Copy, Debug)]
pub(super) struct Backdrop {
    /// Wall at the top and at the bottom.
    pub(super) wall: [[u8; 3]; 2],
    /// Panels side by side.
    pub(super) panels: u32,
    /// Left and right side of a dark portal, in shares of the width.
    pub(super) portal: [f32; 2],
    /// Left and right side of a bright window, in shares of the width.
    pub(super) window: [f32; 2],
    /// Front of the counter.
    pub(super) counter: [u8; 3],
    /// Where the counter begins, in shares of the height.
    pub(super) counter_top: f32,
}

impl Backdrop {
    /// The empty place, counter included.
    pub(super) fn draw(&self, width: u32, height: u32) -> RgbImage {
        let (w, h) = (width as f32, height as f32);
        let mut picture = RgbImage::from_fn(width, height, |x, y| {
            let (across, down) = (x as f32 / w, y as f32 / h);
            let colour = self.furniture(across, down, self.wall_at(across, down));
            Rgb(colour.map(|value| value.round().clamp(0.0, 255.0) as u8))
        });
        picture = imageops::blur(&picture, h / 240.0); // a little out of focus, as behind people
        self.put_counter(&mut picture);
        for (x, y, pixel) in picture.enumerate_pixels_mut() {
            let grain = noise(x, y) * 5.0 - 2.5;
            pixel.0 = pixel.0.map(|value| mix(f32::from(value), f32::from(value) + grain, 1.0));
        }
        picture
    }

    /// Row where the counter begins.
    pub(super) fn counter_row(&self, height: u32) -> u32 {
        (self.counter_top * height as f32).round() as u32
    }

    fn wall_at(&self, across: f32, down: f32) -> [f32; 3] {
        let [top, bottom] = self.wall.map(|colour| colour.map(f32::from));
        let light = 1.08 - 0.30 * (across - 0.42).powi(2) - 0.10 * down;
        let panel = (across * self.panels as f32).fract();
        let seam = if !(0.012..0.988).contains(&panel) { 0.80 } else { 1.0 - 0.05 * panel };
        [0, 1, 2].map(|channel| (top[channel] + (bottom[channel] - top[channel]) * down) * light * seam)
    }

    fn furniture(&self, across: f32, down: f32, wall: [f32; 3]) -> [f32; 3] {
        let within = |[from, to]: [f32; 2]| (from..to).contains(&across);
        let strip = (0.055..0.075).contains(&down);
        if within(self.portal) && down > 0.16 {
            let [from, to] = self.portal;
            let inside = (across - from) / (to - from);
            return wall.map(|value| value * (0.30 + 0.22 * inside));
        }
        if within(self.window) && (0.14..0.46).contains(&down) {
            let [from, to] = self.window;
            let pane = ((across - from) / (to - from) * 3.0).fract();
            let bar = pane < 0.03 || (0.29..0.30).contains(&down);
            let sky = [196.0 - 60.0 * down, 214.0 - 40.0 * down, 226.0 - 20.0 * down];
            return if bar { wall.map(|value| value * 0.6) } else { sky };
        }
        if strip && across > 0.08 && across < 0.92 { [248.0, 246.0, 236.0] } else { wall }
    }

    fn put_counter(&self, picture: &mut RgbImage) {
        let (width, height) = picture.dimensions();
        let first = self.counter_row(height);
        let depth = (height - first).max(1) as f32;
        let edge = (height as f32 * 0.022).max(2.0);
        let front = self.counter.map(f32::from);
        for y in first..height {
            let below = (y - first) as f32;
            for x in 0..width {
                let across = x as f32 / width as f32;
                let shine = 1.0 + 0.10 * (1.0 - (across - 0.45).abs() * 2.0);
                let slat = if (across * 14.0).fract() < 0.015 { 0.82 } else { 1.0 };
                let tone = if below < edge { 1.45 } else { (1.0 - 0.35 * below / depth) * slat };
                let colour = front.map(|value| (value * tone * shine).round().clamp(0.0, 255.0) as u8);
                picture.put_pixel(x, y, Rgb(colour));
            }
        }
    }
}

/// A fixed value between 0 and 1 for each place; the same in every run.
fn noise(x: u32, y: u32) -> f32 {
    let mut hash = x.wrapping_mul(0x9e37_79b1) ^ y.wrapping_mul(0x85eb_ca77);
    hash = (hash ^ (hash >> 15)).wrapping_mul(0x2c1b_3c6d);
    hash = (hash ^ (hash >> 12)).wrapping_mul(0x297a_2d39);
    (hash ^ (hash >> 15)) as f32 / u32::MAX as f32
}
