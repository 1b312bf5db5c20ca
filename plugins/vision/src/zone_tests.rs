use super::*;
use proptest::prelude::*;

fn square(x: f32, y: f32, size: f32) -> Polygon {
    Polygon::new(vec![[x, y], [x + size, y], [x + size, y + size], [x, y + size]]).expect("a square")
}

fn face(x: f32, y: f32) -> Rect {
    Rect::new(x - 0.02, y - 0.03, 0.04, 0.06)
}

#[test]
fn wrong_shapes_are_refused() {
    assert_eq!(Polygon::new(vec![[0.0, 0.0], [1.0, 1.0]]), Err(ShapeError::Corners(2)));
    assert_eq!(Polygon::new(vec![[0.0, 0.0], [1.5, 0.0], [0.0, 1.0]]), Err(ShapeError::Outside([1.5, 0.0])));
    assert!(Polygon::new(vec![[0.0, f32::NAN], [0.5, 0.0], [0.0, 1.0]]).is_err());
    assert_eq!(Polygon::new(vec![[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]]), Err(ShapeError::Flat));
    assert_eq!(Line::new([0.5, 0.5], [0.5, 0.5]), Err(ShapeError::NoLength));
    assert_eq!(Line::new([0.5, 0.5], [0.5, -0.1]), Err(ShapeError::Outside([0.5, -0.1])));
}

#[test]
fn wrong_shapes_are_refused_from_a_file_too() {
    let good = serde_json::from_str::<Polygon>("[[0,0],[1,0],[0,1]]").expect("a triangle");
    assert_eq!(serde_json::to_string(&good).expect("text"), "[[0.0,0.0],[1.0,0.0],[0.0,1.0]]");
    let error = serde_json::from_str::<Polygon>("[[0,0],[1,0]]").expect_err("two corners");
    assert!(error.to_string().contains("at least 3 corners"), "{error}");
    let error = serde_json::from_str::<Line>("[[0,0],[2,0]]").expect_err("outside");
    assert!(error.to_string().contains("outside of the picture"), "{error}");
}

#[test]
fn a_hollow_polygon_is_followed() {
    // A U: the notch from above is outside.
    let u = Polygon::new(vec![
        [0.1, 0.1],
        [0.3, 0.1],
        [0.3, 0.6],
        [0.6, 0.6],
        [0.6, 0.1],
        [0.8, 0.1],
        [0.8, 0.9],
        [0.1, 0.9],
    ])
    .expect("a U");
    assert!(u.contains([0.2, 0.3]) && u.contains([0.7, 0.3]) && u.contains([0.5, 0.8]));
    assert!(!u.contains([0.45, 0.3]) && !u.contains([0.05, 0.5]) && !u.contains([0.5, 0.95]));
}

#[test]
fn directions_are_as_documented() {
    // A line going down: its left (as one walks) is the picture's right.
    let line = Line::new([0.5, 0.2], [0.5, 0.8]).expect("a line");
    assert_eq!(line.crossing([0.7, 0.5], [0.3, 0.5]), Some(Direction::Forward));
    assert_eq!(line.crossing([0.3, 0.5], [0.7, 0.5]), Some(Direction::Backward));
    assert_eq!(line.crossing([0.3, 0.9], [0.7, 0.9]), None);
    assert_eq!(line.crossing([0.3, 0.5], [0.4, 0.5]), None);
}

#[test]
fn a_stop_on_the_line_crosses_once() {
    let line = Line::new([0.5, 0.0], [0.5, 1.0]).expect("a line");
    let steps = [[0.7, 0.5], [0.5, 0.5], [0.5, 0.5], [0.3, 0.5]];
    let crossed: Vec<_> = steps.windows(2).filter_map(|pair| line.crossing(pair[0], pair[1])).collect();
    assert_eq!(crossed, [Direction::Forward]);
}

fn zone(name: &str, polygon: Polygon) -> Zone {
    Zone { name: name.into(), polygon }
}

fn named(name: &str, from: Point, to: Point) -> NamedLine {
    NamedLine { name: name.into(), line: Line::new(from, to).expect("a line") }
}

#[test]
fn a_person_is_in_a_zone_after_two_frames_and_once() {
    let areas = Areas {
        zones: vec![zone("door", square(0.4, 0.4, 0.3)), zone("hall", square(0.0, 0.0, 1.0))],
        lines: vec![named("in", [0.5, 0.0], [0.5, 1.0])],
        ..Areas::default()
    };
    let mut ways = Ways::default();
    assert_eq!(ways.observe(&areas, 7, &face(0.2, 0.5)), [Place::Zone(1)], "far from the edge one frame is enough");
    assert_eq!(ways.observe(&areas, 7, &face(0.41, 0.5)), [], "one frame at the edge is no visit");
    assert_eq!(ways.zones(7), [0, 1], "though it is there now");
    let both = ways.observe(&areas, 7, &face(0.6, 0.5));
    assert_eq!(both, [Place::Zone(0), Place::Line(0, Direction::Backward)]);
    assert_eq!(ways.observe(&areas, 7, &face(0.4, 0.5)), [Place::Line(0, Direction::Forward)]);
    assert!(ways.observe(&areas, 7, &face(0.6, 0.5)).is_empty(), "to and fro is one crossing each way");
    let line = |direction| Place::Line(0, direction);
    let all = [Place::Zone(0), Place::Zone(1), line(Direction::Forward), line(Direction::Backward)];
    assert_eq!(ways.visits(7), all);
    assert_eq!(areas.places(), all);
    assert_eq!(all.map(|place| areas.name(place)), ["door", "hall", "in", "in"]);
    ways.retain(|track| track != 7);
    assert_eq!((ways.visits(7), ways.zones(7)), (vec![], vec![]));
}

#[test]
fn a_box_that_jitters_over_an_edge_is_no_visit() {
    let areas = Areas { zones: vec![zone("door", square(0.4, 0.4, 0.3))], ..Areas::default() };
    let mut ways = Ways::default();
    for turn in 0..40 {
        let x = if turn % 2 == 0 { 0.39 } else { 0.41 };
        assert_eq!(ways.observe(&areas, 1, &face(x, 0.5)), [], "turn {turn}");
    }
}

#[test]
fn areas_have_a_text_form() {
    let text = r#"{"zones":[{"name":"hall","polygon":[[0,0],[1,0],[1,1]]}],"lines":[{"name":"door","line":[[0,0.5],[1,0.5]]}],
        "ignore":[[[0,0],[0.1,0],[0,0.1]]],"min_face_height_px":14}"#;
    let areas: Areas = serde_json::from_str(text).expect("areas");
    assert_eq!((areas.zones.len(), areas.lines.len(), areas.ignore.len()), (1, 1, 1));
    let again = serde_json::to_string(&areas).expect("text");
    assert_eq!(serde_json::from_str::<Areas>(&again).expect("areas again"), areas);
    assert_eq!(serde_json::from_str::<Areas>("{}").expect("none"), Areas::default());
    assert!(serde_json::from_str::<Areas>(r#"{"zone":[]}"#).is_err());
}

#[test]
fn small_and_masked_faces_are_not_looked_at() {
    let areas = Areas { ignore: vec![square(0.8, 0.0, 0.2)], min_face_height_px: 30.0, ..Areas::default() };
    let detection = |x, y| Detection { rect: face(x, y), score: 0.9, states: None };
    assert!(areas.admits(&detection(0.5, 0.5), 720));
    assert!(!areas.admits(&detection(0.9, 0.1), 720));
    assert!(!areas.admits(&detection(0.5, 0.5), 360), "0.06 of 360 are 21 pixels");
}

#[test]
fn areas_follow_the_picture_into_a_letterbox() {
    let areas = Areas { lines: vec![named("in", [0.5, 0.0], [1.0, 1.0])], ..Areas::default() };
    let boxed = areas.within(&Rect::new(0.125, 0.0, 0.75, 1.0));
    assert_eq!(boxed.lines[0].line.ends(), ([0.5, 0.0], [0.875, 1.0]));
    assert_eq!(areas.within(&Rect::FULL), areas);
}

fn point() -> impl Strategy<Value = Point> {
    [0.0f32..=1.0, 0.0f32..=1.0]
}

proptest! {
    #[test]
    fn two_halves_share_no_point_and_miss_none(p in point(), cut in 0.1f32..0.9, tilt in -0.09f32..0.09) {
        let (top, bottom) = (cut + tilt, cut - tilt);
        let left = Polygon::new(vec![[0.0, 0.0], [top, 0.0], [bottom, 1.0], [0.0, 1.0]]).expect("left half");
        let right = Polygon::new(vec![[top, 0.0], [1.0, 0.0], [1.0, 1.0], [bottom, 1.0]]).expect("right half");
        prop_assume!(p[0] < 1.0 && p[1] < 1.0);
        prop_assert!(left.contains(p) != right.contains(p));
    }

    #[test]
    fn the_way_back_is_the_other_direction(a in point(), b in point(), from in point(), to in point()) {
        prop_assume!(from != to);
        let line = Line::new(from, to).expect("a line");
        let other = |d| match d { Direction::Forward => Direction::Backward, Direction::Backward => Direction::Forward };
        prop_assert_eq!(line.crossing(a, b).map(other), line.crossing(b, a));
    }

    #[test]
    fn crossings_of_a_line_over_the_whole_picture_alternate(steps in prop::collection::vec(point(), 2..50)) {
        let line = Line::new([0.5, 0.0], [0.5, 1.0]).expect("a line");
        let crossed: Vec<_> = steps.windows(2).filter_map(|pair| line.crossing(pair[0], pair[1])).collect();
        prop_assert!(crossed.windows(2).all(|pair| pair[0] != pair[1]), "{:?}", crossed);
    }
}
