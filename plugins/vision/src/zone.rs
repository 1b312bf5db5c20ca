//! Zones, lines and ignore masks in the picture, and who was where.
//!
//! Points are normalised (`0..1`, origin top left). A face is where its centre is.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::face::Detection;
use crate::geometry::Rect;

/// A point of the picture, `[x, y]`.
pub type Point = [f32; 2];

/// A closed polygon; the last corner is joined to the first. Self-crossing ones follow the even-odd rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Point>", into = "Vec<Point>")]
pub struct Polygon(Vec<Point>);

impl TryFrom<Vec<Point>> for Polygon {
    type Error = ShapeError;

    fn try_from(corners: Vec<Point>) -> Result<Self, ShapeError> {
        Self::new(corners)
    }
}

impl From<Polygon> for Vec<Point> {
    fn from(polygon: Polygon) -> Self {
        polygon.0
    }
}

/// What is wrong with a shape.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ShapeError {
    /// Fewer than three corners.
    #[error("a polygon needs at least 3 corners, this has {0}")]
    Corners(usize),
    /// A coordinate outside of the picture, or not a number.
    #[error("point [{}, {}] is outside of the picture: both numbers must be from 0 to 1", .0[0], .0[1])]
    Outside(Point),
    /// All corners on one line.
    #[error("the polygon has no area")]
    Flat,
    /// A line from a point to itself.
    #[error("the line begins and ends at one point")]
    NoLength,
}

fn inside(point: Point) -> Result<Point, ShapeError> {
    if point.iter().all(|v| (0.0..=1.0).contains(v)) { Ok(point) } else { Err(ShapeError::Outside(point)) }
}

impl Polygon {
    /// A polygon by its corners.
    ///
    /// # Errors
    /// Fewer than three corners, a corner outside of the picture, no area.
    pub fn new(corners: Vec<Point>) -> Result<Self, ShapeError> {
        if corners.len() < 3 {
            return Err(ShapeError::Corners(corners.len()));
        }
        for corner in &corners {
            inside(*corner)?;
        }
        let side = |a: Point, b: Point, c: Point| (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0]);
        let first = corners[0];
        let flat = corners.windows(2).all(|pair| side(first, pair[0], pair[1]).abs() < 1e-9);
        if flat { Err(ShapeError::Flat) } else { Ok(Self(corners)) }
    }

    /// The corners.
    pub fn corners(&self) -> &[Point] {
        &self.0
    }

    /// Distance of a point to the nearest edge, in sizes of a face of `[w, h]`.
    fn depth(&self, point: Point, [w, h]: [f32; 2]) -> f32 {
        let scaled =
            |p: Point| [(p[0] - point[0]) / w.max(f32::MIN_POSITIVE), (p[1] - point[1]) / h.max(f32::MIN_POSITIVE)];
        let ends = self.0.iter().zip(self.0.iter().cycle().skip(1));
        ends.map(|(a, b)| to_origin(scaled(*a), scaled(*b))).fold(f32::INFINITY, f32::min)
    }

    /// Whether the point is inside (even-odd rule; Franklin's ray to the right). Of two polygons with a common edge, a
    /// point on it is in exactly one.
    pub fn contains(&self, [x, y]: Point) -> bool {
        let mut inside = false;
        let mut before = self.0[self.0.len() - 1];
        for &corner in &self.0 {
            // Always from the upper to the lower end, so that both owners of an edge compute the same crossing.
            let (upper, lower) = if before[1] < corner[1] { (before, corner) } else { (corner, before) };
            if (upper[1] > y) != (lower[1] > y) {
                let at = upper[0] + (y - upper[1]) / (lower[1] - upper[1]) * (lower[0] - upper[0]);
                inside ^= x < at;
            }
            before = corner;
        }
        inside
    }
}

/// The two ways over a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From its left to its right, as seen when going from `from` to `to` in the picture.
    Forward,
    /// From its right to its left.
    Backward,
}

impl Direction {
    /// Both, in the order in which they are exported.
    pub const ALL: [Self; 2] = [Self::Forward, Self::Backward];

    /// The name used in metrics, JSON and events: `forward`, `backward`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Forward => "forward",
            Self::Backward => "backward",
        }
    }

    /// A line's name and this direction as the one word that metrics and stored counts have: `door:forward`. No name
    /// holds a colon.
    pub fn over(self, line: &str) -> String {
        format!("{line}:{}", self.as_str())
    }
}

/// What people counted on a camera as a whole are counted under, where zones and lines have their labels.
pub const WHOLE_PICTURE: &str = "";

/// A directed line.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "[Point; 2]", into = "[Point; 2]")]
pub struct Line {
    from: Point,
    to: Point,
}

impl TryFrom<[Point; 2]> for Line {
    type Error = ShapeError;

    fn try_from([from, to]: [Point; 2]) -> Result<Self, ShapeError> {
        Self::new(from, to)
    }
}

impl From<Line> for [Point; 2] {
    fn from(line: Line) -> Self {
        [line.from, line.to]
    }
}

impl Line {
    /// A line by its ends.
    ///
    /// # Errors
    /// An end outside of the picture, both ends alike.
    pub fn new(from: Point, to: Point) -> Result<Self, ShapeError> {
        inside(from)?;
        inside(to)?;
        if from == to { Err(ShapeError::NoLength) } else { Ok(Self { from, to }) }
    }

    /// Beginning and end.
    pub fn ends(&self) -> (Point, Point) {
        (self.from, self.to)
    }

    /// Whether the way from `a` to `b` crosses the line, and in which direction. A point on the line counts as on its
    /// left, so that a way that stops on it and goes on crosses once.
    pub fn crossing(&self, a: Point, b: Point) -> Option<Direction> {
        let direction = match (self.is_right(a), self.is_right(b)) {
            (false, true) => Direction::Forward,
            (true, false) => Direction::Backward,
            _ => return None,
        };
        // The line's ends must be on different sides of the way, or on it.
        let (p, q) = (side(a, b, self.from), side(a, b, self.to));
        (p * q <= 0.0).then_some(direction)
    }

    fn is_right(&self, point: Point) -> bool {
        // y grows downwards, so what is clockwise of the line has a positive cross product.
        side(self.from, self.to, point) > 0.0
    }
}

/// Distance of the origin to the stretch from `a` to `b`.
fn to_origin(a: Point, b: Point) -> f32 {
    let along = [b[0] - a[0], b[1] - a[1]];
    let length2 = along[0] * along[0] + along[1] * along[1];
    let share = if length2 > 0.0 { (-(a[0] * along[0] + a[1] * along[1]) / length2).clamp(0.0, 1.0) } else { 0.0 };
    (a[0] + share * along[0]).hypot(a[1] + share * along[1])
}

/// Twice the signed area of the triangle `a b c`; positive when `c` is clockwise of `a b` in the picture. In double
/// precision, in which products and differences of single precision coordinates of this size are nearly exact.
fn side(a: Point, b: Point, c: Point) -> f64 {
    let [a, b, c] = [a, b, c].map(|p| p.map(f64::from));
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// A part of the picture with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Unique among zones and lines.
    pub name: String,
    /// Where.
    pub polygon: Polygon,
}

/// A line with a name.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NamedLine {
    /// Unique among zones and lines.
    pub name: String,
    /// Where.
    pub line: Line,
}

/// The areas of one camera. As text (JSON):
/// `{"zones":[{"name":"hall","polygon":[[0,0],[1,0],[1,1]]}],"lines":[{"name":"door","line":[[0,0.5],[1,0.5]]}],
/// "ignore":[[[0,0],[0.1,0],[0,0.1]]],"min_face_height_px":14}`; each key may be left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Areas {
    /// Named zones; they may overlap.
    pub zones: Vec<Zone>,
    /// Named lines.
    pub lines: Vec<NamedLine>,
    /// Faces whose centre is in one of these are not looked at (a poster, a screen).
    pub ignore: Vec<Polygon>,
    /// Faces lower than this many pixels are not looked at; 0 for all.
    pub min_face_height_px: f32,
}

impl Areas {
    /// Whether a detection is to be looked at at all: not in an ignore mask, and high enough. `picture_height` in
    /// pixels.
    pub fn admits(&self, detection: &Detection, picture_height: u32) -> bool {
        let (x, y) = detection.rect.center();
        let high = detection.rect.h * picture_height as f32 >= self.min_face_height_px;
        high && !self.ignore.iter().any(|mask| mask.contains([x, y]))
    }

    /// The areas of a picture that shows this one in its part `part`, as a letterbox does. The least height stays: it is
    /// counted in pixels of the camera's picture.
    pub fn within(&self, part: &Rect) -> Self {
        let moved = |[x, y]: Point| [part.x + x * part.w, part.y + y * part.h].map(|v| v.clamp(0.0, 1.0));
        let polygon = |polygon: &Polygon| Polygon(polygon.0.iter().copied().map(moved).collect());
        let zone = |zone: &Zone| Zone { name: zone.name.clone(), polygon: polygon(&zone.polygon) };
        let line = |named: &NamedLine| NamedLine {
            name: named.name.clone(),
            line: Line { from: moved(named.line.from), to: moved(named.line.to) },
        };
        Self {
            zones: self.zones.iter().map(zone).collect(),
            lines: self.lines.iter().map(line).collect(),
            ignore: self.ignore.iter().map(polygon).collect(),
            min_face_height_px: self.min_face_height_px,
        }
    }

    /// What people at a place are counted under: a zone's name, or [`Direction::over`] a line.
    pub fn label(&self, place: Place) -> String {
        match place {
            Place::Zone(_) => self.name(place).to_owned(),
            Place::Line(_, direction) => direction.over(self.name(place)),
        }
    }

    /// Name of a zone or line; empty for an index of other areas.
    pub fn name(&self, place: Place) -> &str {
        match place {
            Place::Zone(index) => self.zones.get(index).map_or("", |zone| &zone.name),
            Place::Line(index, _) => self.lines.get(index).map_or("", |line| &line.name),
        }
    }

    /// All places that people can be counted at: the zones, then each line in both directions.
    pub fn places(&self) -> Vec<Place> {
        let lines = (0..self.lines.len()).flat_map(|line| Direction::ALL.map(|direction| Place::Line(line, direction)));
        (0..self.zones.len()).map(Place::Zone).chain(lines).collect()
    }
}

/// Where a person is counted besides the camera as a whole. Indices are those of [`Areas`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Place {
    /// In a zone.
    Zone(usize),
    /// Over a line.
    Line(usize, Direction),
}

/// What is known of one track's way.
#[derive(Clone, Debug, Default, PartialEq)]
struct Way {
    latest: Option<Point>,
    /// Frames in a row inside, by zone; a zone is visited once this reaches [`STAY`].
    inside: BTreeMap<usize, u32>,
    visited: BTreeSet<Place>,
}

/// Frames in a row in a zone that make a visit: one may be a box that jitters over the edge.
const STAY: u32 = 2;
/// One frame is enough for a face whose centre is this far from the zone's edge, in sizes of the face: so much it does
/// not jitter, and at one analysis per second a zone is crossed between two frames.
const DEEP: f32 = 0.5;

/// Follows the tracks of one camera through its areas.
#[derive(Clone, Debug, Default)]
pub struct Ways {
    ways: BTreeMap<u64, Way>,
}

impl Ways {
    /// A track's box in an analysed frame. Returns the zones visited and the lines crossed for the first time, each line
    /// once per direction however often the person goes to and fro.
    pub fn observe(&mut self, areas: &Areas, track: u64, rect: &Rect) -> Vec<Place> {
        let (x, y) = rect.center();
        let point = [x, y];
        let way = self.ways.entry(track).or_default();
        let mut news = Vec::new();
        for (index, Zone { polygon, .. }) in areas.zones.iter().enumerate() {
            if !polygon.contains(point) {
                way.inside.remove(&index);
                continue;
            }
            let stay = way.inside.entry(index).or_default();
            *stay = stay.saturating_add(1);
            let sure = *stay >= STAY || polygon.depth(point, [rect.w, rect.h]) >= DEEP;
            if sure && way.visited.insert(Place::Zone(index)) {
                news.push(Place::Zone(index));
            }
        }
        let Some(before) = way.latest.replace(point) else { return news };
        for (index, NamedLine { line, .. }) in areas.lines.iter().enumerate() {
            if let Some(direction) = line.crossing(before, point)
                && way.visited.insert(Place::Line(index, direction))
            {
                news.push(Place::Line(index, direction));
            }
        }
        news
    }

    /// Where a track has been so far: zones, then lines, each once.
    pub fn visits(&self, track: u64) -> Vec<Place> {
        self.ways.get(&track).map(|way| way.visited.iter().copied().collect()).unwrap_or_default()
    }

    /// The zones that a track was in when it was last seen.
    pub fn zones(&self, track: u64) -> Vec<usize> {
        self.ways.get(&track).map(|way| way.inside.keys().copied().collect()).unwrap_or_default()
    }

    /// Forgets the tracks for which `keep` says so.
    pub fn retain(&mut self, mut keep: impl FnMut(u64) -> bool) {
        self.ways.retain(|track, _| keep(*track));
    }
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
