//! Zones, lines and ignore masks on the picture: thin outlines with their names, an arrow in a line's forward direction,
//! and a cross over what is not looked at.

use std::sync::Arc;

use maskwatch_vision::zone::{Areas, Line, Point, Polygon};

use super::{
    key::Key,
    style::{CHIP, EDGE, Style, TEXT},
};
use crate::draw::{
    Bitmap, Cache, Canvas, Color,
    text::{self, Weight},
};

/// Zones and lines: a colour that no state has.
const ZONE: Color = [80, 220, 170, 230];
/// What is not looked at.
const IGNORED: Color = [150, 156, 165, 230];

/// Draws the areas. Names keep away from each other; the places that they take are added to `taken`, as
/// `[x, y, w, h]` in pixels.
pub(super) fn draw(
    canvas: &mut Canvas<'_>,
    cache: &mut Cache<Key>,
    areas: &Areas,
    style: Style,
    taken: &mut Vec<[i64; 4]>,
) {
    let size = [canvas.width() as f32, canvas.height() as f32];
    let pixel = |[x, y]: Point| [x * size[0], y * size[1]];
    for mask in &areas.ignore {
        outline(canvas, mask, pixel, style, IGNORED);
        let corners = mask.corners();
        stroke(canvas, pixel(corners[0]), pixel(corners[corners.len() / 2]), style, IGNORED);
    }
    for zone in &areas.zones {
        outline(canvas, &zone.polygon, pixel, style, ZONE);
    }
    for gate in &areas.lines {
        arrow(canvas, &gate.line, pixel, style);
    }
    let zones = areas.zones.iter().map(|zone| (&zone.name, pixel(top_left(&zone.polygon))));
    let lines = areas.lines.iter().map(|gate| (&gate.name, pixel(gate.line.ends().0)));
    for (name, at) in zones.chain(lines) {
        let chip = cache.get(Key::Zone(name.clone(), style.em), |_| draw_name(name, style.em as f32));
        let place = settle(&chip, at, style, [canvas.width(), canvas.height()], taken);
        canvas.blend(&chip, place[0], place[1]);
        taken.push(place);
    }
}

/// The corner that is nearest to the picture's left top one.
fn top_left(polygon: &Polygon) -> Point {
    let corners = polygon.corners().iter().copied();
    corners.min_by(|a, b| (a[0] + a[1]).total_cmp(&(b[0] + b[1]))).unwrap_or_default()
}

fn outline(canvas: &mut Canvas<'_>, polygon: &Polygon, pixel: impl Fn(Point) -> Point, style: Style, color: Color) {
    let corners = polygon.corners();
    for (from, to) in corners.iter().zip(corners.iter().cycle().skip(1)) {
        stroke(canvas, pixel(*from), pixel(*to), style, color);
    }
}

/// A thin line with a dark one beside it, which parts it from a bright background.
fn stroke(canvas: &mut Canvas<'_>, from: Point, to: Point, style: Style, color: Color) {
    let thickness = i64::from((style.stroke / 2).max(1));
    let beside = thickness as f32;
    canvas.line([from[0] + beside, from[1] + beside], [to[0] + beside, to[1] + beside], thickness, EDGE);
    canvas.line(from, to, thickness, color);
}

/// The line, and an arrow from its middle in the forward direction: to the right of one who goes along it.
fn arrow(canvas: &mut Canvas<'_>, line: &Line, pixel: impl Fn(Point) -> Point, style: Style) {
    let (from, to) = line.ends();
    let ([x1, y1], [x2, y2]) = (pixel(from), pixel(to));
    stroke(canvas, [x1, y1], [x2, y2], style, ZONE);
    let length = (x2 - x1).hypot(y2 - y1);
    if length < 1.0 {
        return;
    }
    let along = [(x2 - x1) / length, (y2 - y1) / length];
    // y grows downwards: clockwise of (x, y) is (-y, x).
    let ahead = [-along[1], along[0]];
    let (long, head) = (style.em as f32 * 1.8, style.em as f32 * 0.6);
    let middle = [(x1 + x2) / 2.0, (y1 + y2) / 2.0];
    let tip = [middle[0] + ahead[0] * long, middle[1] + ahead[1] * long];
    stroke(canvas, middle, tip, style, ZONE);
    for side in [-1.0, 1.0] {
        let back = [tip[0] - (ahead[0] - side * along[0]) * head, tip[1] - (ahead[1] - side * along[1]) * head];
        stroke(canvas, tip, back, style, ZONE);
    }
}

/// A name on a dark chip.
fn draw_name(name: &str, em: f32) -> Bitmap {
    let (pad, height) = ((em * 0.4).round(), (em * 1.35).round());
    let width = (2.0 * pad + text::width(name, Weight::Regular, em)).ceil();
    let mut bitmap = Bitmap::new(width as u32, height as u32);
    bitmap.rounded_rect([0.0, 0.0, width, height], em * 0.22, CHIP);
    let baseline = ((height + text::cap_height(em)) / 2.0).round();
    text::draw(&mut bitmap, [pad, baseline], name, Weight::Regular, em, TEXT);
    bitmap
}

/// A place for a name inside the picture, from `at` downwards until it covers no other.
fn settle(chip: &Arc<Bitmap>, at: Point, style: Style, [width, height]: [u32; 2], taken: &[[i64; 4]]) -> [i64; 4] {
    let (w, h) = (i64::from(chip.width()), i64::from(chip.height()));
    let (room_x, room_y) = ((i64::from(width) - w).max(0), (i64::from(height) - h).max(0));
    let gap = i64::from(style.em / 4).max(1);
    let x = (at[0] as i64 + gap).clamp(0, room_x);
    let mut y = (at[1] as i64 + gap).clamp(0, room_y);
    let covered = |y: i64| taken.iter().any(|[l, t, ow, oh]| x < l + ow && *l < x + w && y < t + oh && *t < y + h);
    while covered(y) && y < room_y {
        y = (y + h / 2).min(room_y);
    }
    [x, y, w, h]
}
