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

#[test]
fn a_person_is_in_a_zone_after_two_frames_and_once() {
    let areas = Areas {
        zones: vec![("door".into(), square(0.4, 0.4, 0.3)), ("hall".into(), square(0.0, 0.0, 1.0))],
        lines: vec![("in".into(), Line::new([0.5, 0.0], [0.5, 1.0]).expect("a line"))],
        ..Areas::default()
    };
    let mut watch = Watch::default();
    watch.observe(&areas, 7, &face(0.2, 0.5));
    watch.observe(&areas, 7, &face(0.45, 0.5));
    assert_eq!(watch.visits(7).zones, [1], "one frame at the edge is no visit");
    let crossings = watch.observe(&areas, 7, &face(0.6, 0.5));
    assert_eq!(crossings, [Crossing { track: 7, line: 0, direction: Direction::Backward }]);
    watch.observe(&areas, 7, &face(0.4, 0.5));
    assert!(watch.observe(&areas, 7, &face(0.6, 0.5)).is_empty(), "to and fro is one crossing each way");
    let visits = watch.finish(7);
    assert_eq!(visits.zones, [0, 1]);
    assert_eq!(visits.crossings, [(0, Direction::Forward), (0, Direction::Backward)]);
    assert_eq!(watch.finish(7), Visits::default());
}

#[test]
fn small_and_masked_faces_are_not_looked_at() {
    let areas = Areas { ignore: vec![square(0.8, 0.0, 0.2)], min_face_height_px: 30.0, ..Areas::default() };
    let detection = |x, y| Detection { rect: face(x, y), score: 0.9, states: None };
    assert!(areas.admits(&detection(0.5, 0.5), 720));
    assert!(!areas.admits(&detection(0.9, 0.1), 720));
    assert!(!areas.admits(&detection(0.5, 0.5), 360), "0.06 of 360 are 21 pixels");
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
