//! Zones, lines and ignore masks.

use std::collections::HashMap;

use maskwatch_vision::zone::{Areas, Line, NamedLine, Point, Polygon, Zone};

use super::Check;
use crate::config::raw::RawZone;
use crate::config::tree::Step;

/// Most zones and lines of one camera: each is a label of the metrics.
const MOST: usize = 32;
const LONGEST_NAME: usize = 63;

/// The areas that are written at one place, as far as they are good.
pub(super) fn areas(check: &mut Check, at: &[Step], zones: &[RawZone]) -> Areas {
    let mut areas = Areas::default();
    if zones.len() > MOST {
        check.problem(at, format!("{} zones and lines", zones.len()), format!("at most {MOST} per camera"));
    }
    let mut first_lines = HashMap::new();
    for (index, zone) in zones.iter().enumerate() {
        let at: Vec<Step> = at.iter().cloned().chain([Step::from(index)]).collect();
        let name = name(check, &at, zone, &mut first_lines);
        let Some(shape) = shape(check, &at, zone) else { continue };
        match (shape, zone.ignore.unwrap_or_default()) {
            (Shape::Polygon(polygon), true) => areas.ignore.push(polygon),
            (Shape::Polygon(polygon), false) => areas.zones.extend(name.map(|name| Zone { name, polygon })),
            (Shape::Line(line), false) => areas.lines.extend(name.map(|name| NamedLine { name, line })),
            (Shape::Line(_), true) => {
                check.problem(&under(&at, "ignore"), "a line cannot be ignored", "give a `polygon`");
            }
        }
    }
    areas
}

enum Shape {
    Polygon(Polygon),
    Line(Line),
}

fn under(at: &[Step], key: &str) -> Vec<Step> {
    at.iter().cloned().chain([Step::from(key)]).collect()
}

fn name(check: &mut Check, at: &[Step], zone: &RawZone, first_lines: &mut HashMap<String, usize>) -> Option<String> {
    let key = under(at, "name");
    let place = check.place(&key);
    let Some(name) = &zone.name else {
        if !place.written {
            check.problem(at, "the zone has no `name`", "lower-case letters, digits and `-`, such as entrance");
        }
        return None;
    };
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let sound = (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(fits);
    if !sound || name.starts_with('-') || name.ends_with('-') {
        let hint = "1 to 63 lower-case letters, digits and `-`, neither first nor last; such as entrance";
        let what = format!("{} cannot be a name", check.tree.said(&key));
        check.problem(&key, what, hint);
    }
    if let Some(line) = first_lines.get(name) {
        let what = format!("{} is the name of another zone of this camera", check.tree.said(&key));
        check.problem(&key, what, format!("see line {line}"));
        return None;
    }
    first_lines.insert(name.clone(), place.line);
    Some(name.clone())
}

/// What is said about points that are none.
const POLYGON: &str = "corners as [x, y] in 0..1 of the picture, such as [[0, 0], [0.5, 0], [0.5, 1], [0, 1]]";
const LINE: &str = "both ends as [x, y] in 0..1 of the picture, such as [[0.2, 0.7], [0.8, 0.7]]";

fn shape(check: &mut Check, at: &[Step], zone: &RawZone) -> Option<Shape> {
    let (key, hint, shape) = match (&zone.polygon, &zone.line) {
        (Some(corners), None) => ("polygon", POLYGON, polygon(corners).map(Shape::Polygon)),
        (None, Some(ends)) => ("line", LINE, line(ends).map(Shape::Line)),
        (Some(_), Some(_)) => {
            check.problem(&under(at, "line"), "`polygon` is given too", "keep one of them, or make two zones");
            return None;
        }
        (None, None) => {
            if !check.place(&under(at, "polygon")).written && !check.place(&under(at, "line")).written {
                check.problem(at, "a zone without a shape", "add `polygon: [[x, y], …]` or `line: [[x, y], [x, y]]`");
            }
            return None;
        }
    };
    shape.map_err(|error| check.problem(&under(at, key), error, hint)).ok()
}

fn polygon(corners: &[Vec<f64>]) -> Result<Polygon, String> {
    Polygon::new(points(corners)?).map_err(|error| error.to_string())
}

fn line(ends: &[Vec<f64>]) -> Result<Line, String> {
    match points(ends)?[..] {
        [from, to] => Line::new(from, to).map_err(|error| error.to_string()),
        _ => Err(format!("a line has 2 ends, this has {}", ends.len())),
    }
}

fn points(written: &[Vec<f64>]) -> Result<Vec<Point>, String> {
    let point = |numbers: &Vec<f64>| match numbers[..] {
        [x, y] => Ok([x as f32, y as f32]),
        _ => Err(format!("a point has 2 numbers, this has {}", numbers.len())),
    };
    written.iter().map(point).collect()
}
