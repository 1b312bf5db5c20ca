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

/// Twice the signed area of the triangle `a b c`; positive when `c` is clockwise of `a b` in the picture. In double
/// precision, in which products and differences of single precision coordinates of this size are nearly exact.
fn side(a: Point, b: Point, c: Point) -> f64 {
    let [a, b, c] = [a, b, c].map(|p| p.map(f64::from));
    (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
}

/// The areas of one camera.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Areas {
    /// Named zones; they may overlap.
    pub zones: Vec<(String, Polygon)>,
    /// Named lines.
    pub lines: Vec<(String, Line)>,
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
}

/// A way over a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Crossing {
    /// The track that crossed.
    pub track: u64,
    /// Index of the line in [`Areas::lines`].
    pub line: usize,
    /// Which way.
    pub direction: Direction,
}

/// What is known of one track's way.
#[derive(Clone, Debug, Default, PartialEq)]
struct Way {
    latest: Option<Point>,
    /// Frames in a row inside, by zone; a zone is visited once this reaches [`STAY`].
    inside: BTreeMap<usize, u32>,
    visited: BTreeSet<usize>,
    crossed: BTreeSet<(usize, Direction)>,
}

/// Frames in a row in a zone that make a visit: one may be a box that jitters over the edge.
const STAY: u32 = 2;

/// Zones and lines of a finished track.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Visits {
    /// Indices of the zones it was in, rising, each once.
    pub zones: Vec<usize>,
    /// Lines it crossed and how, each once however often it went to and fro.
    pub crossings: Vec<(usize, Direction)>,
}

/// Follows the tracks of one camera through its areas.
#[derive(Clone, Debug, Default)]
pub struct Watch {
    ways: BTreeMap<u64, Way>,
}

impl Watch {
    /// A track's box in an analysed frame. Returns the lines crossed for the first time in that direction.
    pub fn observe(&mut self, areas: &Areas, track: u64, rect: &Rect) -> Vec<Crossing> {
        let (x, y) = rect.center();
        let point = [x, y];
        let way = self.ways.entry(track).or_default();
        for (index, (_, zone)) in areas.zones.iter().enumerate() {
            if zone.contains(point) {
                let stay = way.inside.entry(index).or_default();
                *stay += 1;
                if *stay >= STAY {
                    way.visited.insert(index);
                }
            } else {
                way.inside.remove(&index);
            }
        }
        let Some(before) = way.latest.replace(point) else { return Vec::new() };
        let mut crossings = Vec::new();
        for (index, (_, line)) in areas.lines.iter().enumerate() {
            if let Some(direction) = line.crossing(before, point)
                && way.crossed.insert((index, direction))
            {
                crossings.push(Crossing { track, line: index, direction });
            }
        }
        crossings
    }

    /// Where a track has been so far.
    pub fn visits(&self, track: u64) -> Visits {
        self.ways.get(&track).map_or_else(Visits::default, |way| Visits {
            zones: way.visited.iter().copied().collect(),
            crossings: way.crossed.iter().copied().collect(),
        })
    }

    /// Forgets a track that has ended, and returns where it has been.
    pub fn finish(&mut self, track: u64) -> Visits {
        let visits = self.visits(track);
        self.ways.remove(&track);
        visits
    }

    /// Forgets all tracks.
    pub fn clear(&mut self) {
        self.ways.clear();
    }
}

#[cfg(test)]
#[path = "zone_tests.rs"]
mod tests;
