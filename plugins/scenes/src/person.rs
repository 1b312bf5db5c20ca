//! The people of the demo: one public-domain portrait, cut out of its background, dressed and masked in several ways.

use image::{RgbImage, RgbaImage, imageops};

use super::paint::{Coverage, Point, mix};
use super::truth::State;

/// Side of the portrait that the numbers below belong to.
pub(super) const PORTRAIT: u32 = 512;
/// Shapes are drawn at this multiple of the portrait's size, so that near faces stay sharp.
pub(super) const ZOOM: u32 = 2;

/// The face in the portrait: left, top, width, height, as a detector would draw its box.
pub(super) const FACE: [f32; 4] = [180.0, 59.0, 92.0, 115.0];

/// How somebody looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Look {
    /// Mask or none.
    pub(super) state: State,
    /// Colour of the mask; without meaning where there is none.
    pub(super) mask: [u8; 3],
    /// Turn of the suit's hue in degrees.
    pub(super) suit: f32,
    /// Brightness of the whole person, 1: as photographed.
    pub(super) light: f32,
    /// Mirrored left to right.
    pub(super) mirrored: bool,
}

/// A picture of somebody with transparent surroundings, twice as large as the portrait.
pub(super) fn draw(portrait: &RgbImage, look: &Look) -> RgbaImage {
    let side = PORTRAIT * ZOOM;
    let large = imageops::resize(portrait, side, side, imageops::FilterType::CatmullRom);
    let mut person = RgbaImage::from_fn(side, side, |x, y| {
        let [r, g, b] = large.get_pixel(x, y).0;
        image::Rgba([r, g, b, 255])
    });
    dress(&mut person, look);
    match look.state {
        State::Mask => wear(&mut person, &COVERING, look.mask),
        State::Incorrect => wear(&mut person, &UNDER_NOSE, look.mask),
        State::NoMask => {}
    }
    Coverage::closed_curve(side, side, &zoomed(&OUTLINE)).blurred(1).cut_out(&mut person);
    if look.mirrored { imageops::flip_horizontal(&person) } else { person }
}

/// Turns the hue of the orange suit and sets the light.
fn dress(person: &mut RgbaImage, look: &Look) {
    let (sin, cos) = look.suit.to_radians().sin_cos();
    for (_, y, pixel) in person.enumerate_pixels_mut() {
        let [r, g, b] = [0, 1, 2].map(|channel| f32::from(pixel.0[channel]));
        let below_chin = y > 195 * ZOOM;
        let orange = ((r - b - 60.0) / 60.0).clamp(0.0, 1.0) * if below_chin { 1.0 } else { 0.0 };
        // A turn of the colour plane around grey (ITU-R BT.601 luma stays as it is).
        let luma = 0.299 * r + 0.587 * g + 0.114 * b;
        let (u, v) = (b - luma, r - luma);
        let (u, v) = (0.75 * (cos * u - sin * v), 0.75 * (sin * u + cos * v));
        let turned = [luma + v, luma - (0.299 * v + 0.114 * u) / 0.587, luma + u];
        for (channel, value) in [r, g, b].into_iter().enumerate() {
            let dressed = value + (turned[channel] - value) * orange;
            pixel.0[channel] = mix(0.0, dressed * look.light, 1.0);
        }
    }
}

/// The shape of a mask on the face, in pixels of the portrait.
struct MaskShape {
    outline: &'static [Point],
    /// Height of the folds at the middle of the face.
    folds: &'static [f32],
    /// Ear loops.
    loops: [&'static [Point]; 4],
}

/// Nose and mouth covered.
const COVERING: MaskShape = MaskShape {
    outline: &[
        (223.0, 109.0),
        (236.0, 113.0),
        (250.0, 119.0),
        (267.0, 124.0),
        (267.0, 140.0),
        (262.0, 155.0),
        (254.0, 168.0),
        (241.0, 180.0),
        (224.0, 185.0),
        (208.0, 179.0),
        (195.0, 167.0),
        (186.0, 153.0),
        (182.0, 138.0),
        (182.0, 123.0),
        (196.0, 118.0),
        (210.0, 113.0),
    ],
    folds: &[131.0, 145.0, 159.0],
    loops: [
        &[(184.0, 125.0), (179.0, 118.0), (174.0, 112.0)],
        &[(187.0, 152.0), (180.0, 138.0), (174.0, 124.0)],
        &[(266.0, 126.0), (270.0, 120.0), (274.0, 114.0)],
        &[(263.0, 152.0), (269.0, 141.0), (274.0, 128.0)],
    ],
};

/// Mouth and chin covered, nose free.
const UNDER_NOSE: MaskShape = MaskShape {
    outline: &[
        (223.0, 134.0),
        (240.0, 135.0),
        (254.0, 137.0),
        (266.0, 138.0),
        (264.0, 150.0),
        (260.0, 162.0),
        (253.0, 173.0),
        (241.0, 184.0),
        (224.0, 189.0),
        (208.0, 184.0),
        (196.0, 173.0),
        (188.0, 161.0),
        (184.0, 149.0),
        (182.0, 137.0),
        (193.0, 136.0),
        (207.0, 135.0),
    ],
    folds: &[147.0, 158.0, 169.0],
    loops: [
        &[(184.0, 139.0), (178.0, 128.0), (174.0, 116.0)],
        &[(189.0, 163.0), (180.0, 146.0), (174.0, 128.0)],
        &[(265.0, 140.0), (270.0, 128.0), (274.0, 118.0)],
        &[(260.0, 163.0), (269.0, 147.0), (274.0, 130.0)],
    ],
};

/// Draws a mask onto the face: loops, a soft shadow, the cloth with its light, folds and rim.
fn wear(person: &mut RgbaImage, shape: &MaskShape, colour: [u8; 3]) {
    let (width, height) = person.dimensions();
    let cloth = colour.map(f32::from);
    let tone = |share: f32| cloth.map(|value| value * share);
    for ear in shape.loops {
        Coverage::stroke(width, height, &zoomed(ear), 2.6).fill(person, 0.9, |_, _| tone(0.95));
    }
    let outline = zoomed(shape.outline);
    let shadow: Vec<Point> = outline.iter().map(|(x, y)| (*x, y + 3.0)).collect();
    Coverage::closed_curve(width, height, &shadow).blurred(5).fill(person, 0.45, |_, _| [60.0, 38.0, 30.0]);
    let middle = (FACE[0] + FACE[2] / 2.0 - 1.0) * ZOOM as f32;
    let half = FACE[2] / 2.0 * ZOOM as f32;
    let shade = move |x: f32, y: f32| {
        let across = ((x - middle) / half).clamp(-1.0, 1.0);
        let bulge = 1.06 - 0.34 * across * across; // falls off to the cheeks, as the light from the front does
        let down = 1.0 - 0.10 * ((y / ZOOM as f32 - 120.0) / 65.0).clamp(0.0, 1.0);
        let weave = 1.0 + 0.02 * (((x as i32 * 7 + y as i32 * 13) % 11) as f32 / 5.0 - 1.0);
        cloth.map(|value| value * bulge * down * weave)
    };
    let whole = Coverage::closed_curve(width, height, &outline);
    whole.fill(person, 1.0, shade);
    let (left, right) = extent(&outline);
    for fold in shape.folds {
        let y = fold * ZOOM as f32;
        let line = [(left + 5.0, -9.0), (left + 40.0, -2.0), (middle, 0.0), (right - 40.0, -2.0), (right - 5.0, -9.0)];
        let line = line.map(|(x, bend)| (x, y + bend));
        Coverage::stroke(width, height, &line, 3.0).blurred(1).fill(person, 0.55, |_, _| tone(0.62));
        let lit: Vec<Point> = line.iter().map(|(x, y)| (*x, y + 3.4)).collect();
        Coverage::stroke(width, height, &lit, 2.4).blurred(1).fill(person, 0.5, |_, _| [250.0; 3]);
    }
    let mut rim = outline.clone();
    rim.push(outline[0]);
    Coverage::stroke(width, height, &rim, 2.6).fill(person, 0.8, |x, y| shade(x, y).map(|value| value * 0.86 + 20.0));
}

fn extent(points: &[Point]) -> (f32, f32) {
    points.iter().fold((f32::MAX, f32::MIN), |(low, high), (x, _)| (low.min(*x), high.max(*x)))
}

fn zoomed(points: &[Point]) -> Vec<Point> {
    points.iter().map(|(x, y)| (x * ZOOM as f32, y * ZOOM as f32)).collect()
}

/// The person in the portrait, clockwise from the top of the head.
const OUTLINE: [Point; 58] = [
    (233.0, 17.0),
    (250.0, 20.0),
    (268.0, 28.0),
    (286.0, 44.0),
    (295.0, 62.0),
    (300.0, 87.0),
    (296.0, 106.0),
    (285.0, 120.0),
    (277.0, 129.0),
    (271.0, 135.0),
    (267.0, 137.0),
    (265.0, 150.0),
    (259.0, 161.0),
    (257.5, 173.0),
    (272.0, 187.0),
    (294.0, 210.0),
    (303.0, 232.0),
    (325.0, 248.0),
    (341.0, 270.0),
    (351.0, 295.0),
    (359.0, 325.0),
    (362.0, 345.0),
    (372.0, 348.0),
    (400.0, 344.5),
    (438.0, 358.0),
    (468.0, 385.0),
    (485.0, 415.0),
    (494.0, 450.0),
    (504.0, 464.0),
    (507.0, 495.0),
    (506.0, 530.0),
    (260.0, 540.0),
    (40.0, 530.0),
    (34.0, 490.0),
    (26.0, 450.0),
    (22.0, 400.0),
    (26.0, 350.0),
    (32.0, 321.0),
    (43.0, 296.0),
    (53.0, 271.0),
    (76.0, 246.0),
    (101.0, 221.0),
    (115.0, 210.0),
    (115.5, 189.0),
    (123.0, 173.0),
    (138.0, 156.5),
    (160.0, 149.5),
    (183.0, 149.0),
    (183.0, 132.0),
    (177.0, 129.0),
    (172.0, 121.0),
    (158.0, 102.0),
    (155.0, 87.0),
    (154.5, 70.0),
    (160.0, 60.0),
    (177.0, 45.0),
    (193.0, 33.0),
    (213.0, 20.5),
];
