//! One demo clip: who passes when and where; its frames and its truth.

use image::RgbImage;

use super::VERSION;
use super::backdrop::Backdrop;
use super::person::{self, FACE, Look, PORTRAIT, ZOOM};
use super::sprite::Sprite;
use super::truth::{Face, Person, Truth};

/// A clip to be made.
pub struct Scene {
    /// Camera and file name.
    pub name: &'static str,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Frames per second.
    pub fps: u32,
    /// H.265 where it can be encoded, else H.264.
    pub hevc: bool,
    pub(super) seconds: u32,
    pub(super) backdrop: Backdrop,
    pub(super) visits: &'static [Visit],
}

/// Somebody passes once.
pub(super) struct Visit {
    pub(super) look: Look,
    /// At least two, in the order of time; nobody is seen before the first and after the last.
    pub(super) stops: &'static [Stop],
}

/// Where a face is at a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stop {
    /// Seconds from the start of the clip.
    pub(super) at: f32,
    /// Middle of the face, in shares of the picture's width and height.
    pub(super) x: f32,
    pub(super) y: f32,
    /// Height of the face's box, in shares of the picture's height.
    pub(super) face: f32,
}

/// A stop, short to write.
pub(super) const fn stop(at: f32, x: f32, y: f32, face: f32) -> Stop {
    Stop { at, x, y, face }
}

impl Visit {
    /// Where the face is at a time; `None` while nobody is there.
    fn position(&self, time: f32) -> Option<Stop> {
        let pair = self.stops.windows(2).find(|pair| (pair[0].at..pair[1].at).contains(&time))?;
        let share = (time - pair[0].at) / (pair[1].at - pair[0].at);
        let between = |from: f32, to: f32| from + (to - from) * share;
        let moving = (pair[1].x - pair[0].x).abs() > 0.02;
        let bob = if moving { (time * 1.9 * std::f32::consts::TAU).sin() * 0.02 } else { 0.0 };
        let face = between(pair[0].face, pair[1].face);
        Some(Stop { at: time, x: between(pair[0].x, pair[1].x), y: between(pair[0].y, pair[1].y) + bob * face, face })
    }
}

impl Scene {
    /// Number of frames.
    pub fn frames(&self) -> u32 {
        self.seconds * self.fps
    }

    fn time(&self, frame: u32) -> f32 {
        frame as f32 / self.fps as f32
    }

    /// What is in the clip.
    pub fn truth(&self) -> Truth {
        let people = self.visits.iter().zip(0..).map(|(visit, id)| Person { id, state: visit.look.state });
        Truth {
            version: VERSION,
            width: self.width,
            height: self.height,
            fps: self.fps,
            people: people.collect(),
            frames: (0..self.frames()).map(|frame| self.faces(self.time(frame))).collect(),
        }
    }

    /// The faces in the picture at a time.
    fn faces(&self, time: f32) -> Vec<Face> {
        let (width, height) = (self.width as f32, self.height as f32);
        let face = |(visit, person): (&Visit, u32)| {
            let at = visit.position(time)?;
            let high = at.face * height;
            let wide = high * FACE[2] / FACE[3];
            let [left, top] = [at.x * width - wide / 2.0, at.y * height - high / 2.0];
            let seen = left < width && left + wide > 0.0;
            let whole = left >= 0.0 && left + wide <= width && top >= 0.0 && top + high <= height;
            seen.then_some(Face { person, bbox: [left, top, wide, high], state: visit.look.state, whole })
        };
        self.visits.iter().zip(0..).filter_map(face).collect()
    }

    /// A painter for this scene, with everybody in it made out of `portrait`: the demo's, whatever its size.
    pub fn painter(&self, portrait: &RgbImage) -> Painter<'_> {
        Painter {
            scene: self,
            empty: self.backdrop.draw(self.width, self.height),
            people: self.visits.iter().map(|visit| Sprite::new(person::draw(portrait, &visit.look))).collect(),
        }
    }
}

/// A scene with its pictures at hand.
pub struct Painter<'a> {
    scene: &'a Scene,
    empty: RgbImage,
    people: Vec<Sprite>,
}

impl Painter<'_> {
    /// One frame, by its number from 0. Who is nearer stands in front.
    pub fn frame(&self, frame: u32) -> RgbImage {
        let scene = self.scene;
        let time = scene.time(frame);
        let mut present: Vec<(Stop, &Visit, &Sprite)> = scene
            .visits
            .iter()
            .zip(&self.people)
            .filter_map(|(visit, sprite)| Some((visit.position(time)?, visit, sprite)))
            .collect();
        present.sort_by(|a, b| a.0.face.total_cmp(&b.0.face));
        let mut picture = self.empty.clone();
        let end = scene.backdrop.counter_row(scene.height);
        for (at, visit, sprite) in present {
            let per_pixel = at.face * scene.height as f32 / FACE[3]; // frame pixels per portrait pixel
            let middle = FACE[0] + FACE[2] / 2.0;
            let middle = if visit.look.mirrored { PORTRAIT as f32 - middle } else { middle };
            let left = at.x * scene.width as f32 - middle * per_pixel;
            let top = at.y * scene.height as f32 - (FACE[1] + FACE[3] / 2.0) * per_pixel;
            sprite.draw(&mut picture, left, top, per_pixel / ZOOM as f32, end);
        }
        picture
    }
}
