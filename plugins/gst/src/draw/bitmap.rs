//! Small pictures with transparency, made once and blended often.

/// A colour: R, G, B and opacity, not premultiplied.
pub(crate) type Color = [u8; 4];

/// `color` with another opacity.
pub(crate) fn with_alpha([r, g, b]: [u8; 3], alpha: u8) -> Color {
    [r, g, b, alpha]
}

/// Rows of R, G, B, A, not premultiplied.
#[derive(Clone, Debug)]
pub(crate) struct Bitmap {
    width: u32,
    height: u32,
    pixels: Vec<Color>,
}

impl Bitmap {
    /// A clear one. Sides are at least 1.
    pub(crate) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width.max(1), height.max(1));
        Self { width, height, pixels: vec![[0; 4]; width as usize * height as usize] }
    }

    pub(crate) fn width(&self) -> u32 {
        self.width
    }

    pub(crate) fn height(&self) -> u32 {
        self.height
    }

    /// The pixel at `(x, y)`, which must be inside.
    pub(crate) fn pixel(&self, x: u32, y: u32) -> Color {
        self.pixels[y as usize * self.width as usize + x as usize]
    }

    /// Lays `color`, weighed by `coverage` in `0..=1`, over a pixel; outside it does nothing.
    pub(crate) fn over(&mut self, x: i64, y: i64, color: Color, coverage: f32) {
        if x < 0 || y < 0 || x >= i64::from(self.width) || y >= i64::from(self.height) {
            return;
        }
        let below = &mut self.pixels[y as usize * self.width as usize + x as usize];
        let alpha = f32::from(color[3]) / 255.0 * coverage.clamp(0.0, 1.0);
        let kept = f32::from(below[3]) / 255.0 * (1.0 - alpha);
        let total = alpha + kept;
        if total <= 0.0 {
            return;
        }
        for channel in 0..3 {
            let mixed = (f32::from(color[channel]) * alpha + f32::from(below[channel]) * kept) / total;
            below[channel] = mixed.round() as u8;
        }
        below[3] = (total * 255.0).round() as u8;
    }

    /// A filled rectangle with round corners and smooth edges. `rect`: `[x, y, w, h]` in pixels.
    pub(crate) fn rounded_rect(&mut self, rect: [f32; 4], radius: f32, color: Color) {
        let [x, y, w, h] = rect;
        let radius = radius.min(w / 2.0).min(h / 2.0).max(0.0);
        for py in y.floor() as i64..(y + h).ceil() as i64 {
            for px in x.floor() as i64..(x + w).ceil() as i64 {
                // Distance of the pixel's centre to the shape's edge, negative inside.
                let dx = (px as f32 + 0.5 - (x + w / 2.0)).abs() - w / 2.0 + radius;
                let dy = (py as f32 + 0.5 - (y + h / 2.0)).abs() - h / 2.0 + radius;
                let outside = dx.max(0.0).hypot(dy.max(0.0)) + dx.max(dy).min(0.0) - radius;
                self.over(px, py, color, 0.5 - outside);
            }
        }
    }

    /// A straight stroke of `width` pixels with round ends.
    pub(crate) fn line(&mut self, from: [f32; 2], to: [f32; 2], width: f32, color: Color) {
        let reach = width / 2.0 + 1.0;
        let (dx, dy) = (to[0] - from[0], to[1] - from[1]);
        let length2 = (dx * dx + dy * dy).max(f32::EPSILON);
        for py in (from[1].min(to[1]) - reach).floor() as i64..=(from[1].max(to[1]) + reach).ceil() as i64 {
            for px in (from[0].min(to[0]) - reach).floor() as i64..=(from[0].max(to[0]) + reach).ceil() as i64 {
                let (x, y) = (px as f32 + 0.5 - from[0], py as f32 + 0.5 - from[1]);
                let along = ((x * dx + y * dy) / length2).clamp(0.0, 1.0);
                let away = (x - along * dx).hypot(y - along * dy);
                self.over(px, py, color, width / 2.0 + 0.5 - away);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rectangle_fills_inside_and_spares_outside() {
        let mut bitmap = Bitmap::new(20, 10);
        bitmap.rounded_rect([2.0, 2.0, 16.0, 6.0], 3.0, [10, 20, 30, 200]);
        assert_eq!(bitmap.pixel(10, 5), [10, 20, 30, 200]);
        assert_eq!(bitmap.pixel(0, 0)[3], 0);
        assert_eq!(bitmap.pixel(10, 1)[3], 0);
        // The corner is cut.
        assert!(bitmap.pixel(2, 2)[3] < 100);
    }

    #[test]
    fn opaque_over_hides_and_clear_over_changes_nothing() {
        let mut bitmap = Bitmap::new(1, 1);
        bitmap.over(0, 0, [1, 2, 3, 255], 1.0);
        bitmap.over(0, 0, [9, 9, 9, 0], 1.0);
        bitmap.over(0, 0, [9, 9, 9, 255], 0.0);
        bitmap.over(-1, 5, [9, 9, 9, 255], 1.0);
        assert_eq!(bitmap.pixel(0, 0), [1, 2, 3, 255]);
    }
}
