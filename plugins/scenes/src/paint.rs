//! Drawing for the demo's pictures: soft shapes, strokes and pictures laid over one another. Made for few pictures at
//! set-up, not for the path of live frames.

use image::{Rgba, RgbaImage};

/// A point in pixels, `x` to the right, `y` down.
pub(super) type Point = (f32, f32);

/// How much of each pixel a shape covers, 0 to 1.
pub(super) struct Coverage {
    width: u32,
    height: u32,
    share: Vec<f32>,
}

impl Coverage {
    /// The inside of a closed curve through `points` (Catmull-Rom), smooth at its border.
    pub(super) fn closed_curve(width: u32, height: u32, points: &[Point]) -> Self {
        Self::polygon(width, height, &smooth(points, true))
    }

    /// A line through `points` of that thickness, as a smooth curve.
    pub(super) fn stroke(width: u32, height: u32, points: &[Point], thickness: f32) -> Self {
        let line = smooth(points, false);
        let mut share = vec![0.0; (width * height) as usize];
        for pair in line.windows(2) {
            let reach = thickness / 2.0 + 1.0;
            for (x, y) in pixels_of_box(pair, reach, width, height) {
                let distance = distance_to_segment((x as f32 + 0.5, y as f32 + 0.5), pair[0], pair[1]);
                let here = (thickness / 2.0 + 0.5 - distance).clamp(0.0, 1.0);
                let slot: &mut f32 = &mut share[(y * width + x) as usize];
                *slot = slot.max(here);
            }
        }
        Self { width, height, share }
    }

    /// The inside of a polygon by the even-odd rule, with four sample rows and exact horizontal cover in each pixel.
    fn polygon(width: u32, height: u32, points: &[Point]) -> Self {
        const ROWS: u32 = 4;
        let mut share = vec![0.0; (width * height) as usize];
        for row in 0..height * ROWS {
            let y = (row as f32 + 0.5) / ROWS as f32;
            let line = &mut share[((row / ROWS) * width) as usize..][..width as usize];
            for pair in crossings(points, y).chunks_exact(2) {
                add_span(line, pair[0], pair[1], 1.0 / ROWS as f32);
            }
        }
        Self { width, height, share }
    }

    /// Softens the border by a box blur of that radius, twice in each direction.
    pub(super) fn blurred(mut self, radius: usize) -> Self {
        for _ in 0..2 {
            for y in 0..self.height as usize {
                let start = y * self.width as usize;
                blur_line(&mut self.share[start..start + self.width as usize], radius);
            }
            for x in 0..self.width as usize {
                let mut column: Vec<f32> = self.share.iter().skip(x).step_by(self.width as usize).copied().collect();
                blur_line(&mut column, radius);
                for (y, value) in column.into_iter().enumerate() {
                    self.share[y * self.width as usize + x] = value;
                }
            }
        }
        self
    }

    /// Cover of one pixel.
    pub(super) fn at(&self, x: u32, y: u32) -> f32 {
        self.share[(y * self.width + x) as usize]
    }

    /// Lays `colour` (by pixel) over the picture wherever the shape is; the picture's own opacity stays.
    pub(super) fn fill(&self, picture: &mut RgbaImage, opacity: f32, colour: impl Fn(f32, f32) -> [f32; 3]) {
        for (index, share) in self.share.iter().enumerate() {
            if *share > 0.0 {
                let (x, y) = (index as u32 % self.width, index as u32 / self.width);
                let (share, pixel) = (share * opacity, picture.get_pixel_mut(x, y));
                let over = colour(x as f32, y as f32);
                for (value, over) in pixel.0.iter_mut().zip(over) {
                    *value = mix(f32::from(*value), over, share);
                }
            }
        }
    }

    /// Makes everything outside of the shape transparent.
    pub(super) fn cut_out(&self, picture: &mut RgbaImage) {
        for (x, y, Rgba([.., alpha])) in picture.enumerate_pixels_mut() {
            *alpha = (f32::from(*alpha) * self.at(x, y)).round() as u8;
        }
    }
}

/// A mix of two values as a pixel's channel.
pub(super) fn mix(under: f32, over: f32, share: f32) -> u8 {
    (under + (over - under) * share).round().clamp(0.0, 255.0) as u8
}

/// A curve through `points`, as short straight pieces (Catmull-Rom spline).
fn smooth(points: &[Point], closed: bool) -> Vec<Point> {
    const STEPS: usize = 8;
    let count = points.len() as isize;
    let at = |index: isize| {
        let index = if closed { index.rem_euclid(count) } else { index.clamp(0, count - 1) };
        points[index as usize]
    };
    let pieces = if closed { count } else { count - 1 };
    let mut curve = Vec::with_capacity(pieces as usize * STEPS + 1);
    for piece in 0..pieces {
        let around = [at(piece - 1), at(piece), at(piece + 1), at(piece + 2)];
        curve.extend((0..STEPS).map(|step| spline(around, step as f32 / STEPS as f32)));
    }
    curve.push(if closed { curve[0] } else { at(count - 1) });
    curve
}

fn spline([a, b, c, d]: [Point; 4], t: f32) -> Point {
    let one = |a: f32, b: f32, c: f32, d: f32| {
        let (square, cube) = (t * t, t * t * t);
        0.5 * (2.0 * b + (c - a) * t + (2.0 * a - 5.0 * b + 4.0 * c - d) * square + (3.0 * b - a - 3.0 * c + d) * cube)
    };
    (one(a.0, b.0, c.0, d.0), one(a.1, b.1, c.1, d.1))
}

/// Where a closed line of points crosses the height `y`, from left to right.
fn crossings(points: &[Point], y: f32) -> Vec<f32> {
    let mut found: Vec<f32> = points
        .windows(2)
        .filter(|pair| (pair[0].1 <= y) != (pair[1].1 <= y))
        .map(|pair| pair[0].0 + (y - pair[0].1) / (pair[1].1 - pair[0].1) * (pair[1].0 - pair[0].0))
        .collect();
    found.sort_by(f32::total_cmp);
    found
}

/// Adds the cover of a horizontal span to a row of pixels.
fn add_span(line: &mut [f32], from: f32, to: f32, weight: f32) {
    let (from, to) = (from.max(0.0), to.min(line.len() as f32));
    let last = (to.ceil() as usize).min(line.len());
    for (x, slot) in line.iter_mut().enumerate().take(last).skip(from.floor() as usize) {
        let inside = to.min(x as f32 + 1.0) - from.max(x as f32);
        *slot += weight * inside.clamp(0.0, 1.0);
    }
}

fn pixels_of_box(points: &[Point], reach: f32, width: u32, height: u32) -> impl Iterator<Item = (u32, u32)> {
    let span = |values: [f32; 2], end: u32| {
        let (low, high) = (values[0].min(values[1]) - reach, values[0].max(values[1]) + reach);
        (low.floor().max(0.0) as u32).min(end)..(high.ceil().max(0.0) as u32).min(end)
    };
    let columns = span([points[0].0, points[1].0], width);
    span([points[0].1, points[1].1], height).flat_map(move |y| columns.clone().map(move |x| (x, y)))
}

fn distance_to_segment(point: Point, from: Point, to: Point) -> f32 {
    let (dx, dy) = (to.0 - from.0, to.1 - from.1);
    let length = dx * dx + dy * dy;
    let along = if length > 0.0 { ((point.0 - from.0) * dx + (point.1 - from.1) * dy) / length } else { 0.0 };
    let along = along.clamp(0.0, 1.0);
    (point.0 - from.0 - along * dx).hypot(point.1 - from.1 - along * dy)
}

fn blur_line(line: &mut [f32], radius: usize) {
    if line.iter().all(|share| *share == 0.0) {
        return;
    }
    let source = line.to_vec();
    for (x, slot) in line.iter_mut().enumerate() {
        let window = &source[x.saturating_sub(radius)..(x + radius + 1).min(source.len())];
        *slot = window.iter().sum::<f32>() / (2 * radius + 1) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_square_covers_its_area() {
        let square = [(2.0, 2.0), (6.5, 2.0), (6.5, 6.0), (2.0, 6.0), (2.0, 2.0)];
        let coverage = Coverage::polygon(10, 10, &square);
        let area: f32 = coverage.share.iter().sum();
        assert!((area - 18.0).abs() < 0.01, "{area}");
        assert_eq!((coverage.at(3, 3), coverage.at(6, 3), coverage.at(8, 3)), (1.0, 0.5, 0.0));
    }

    #[test]
    fn a_curve_passes_through_its_points() {
        let points = [(1.0, 1.0), (5.0, 2.0), (7.0, 8.0)];
        let curve = smooth(&points, false);
        assert!(points.iter().all(|point| curve.contains(point)));
    }

    #[test]
    fn a_stroke_is_as_thick_as_asked() {
        let stroke = Coverage::stroke(20, 20, &[(2.0, 10.0), (18.0, 10.0)], 4.0);
        let thickness: f32 = (0..20).map(|y| stroke.at(10, y)).sum();
        assert!((thickness - 4.0).abs() < 0.1, "{thickness}");
    }
}
