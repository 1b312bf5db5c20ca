//! Cards with photos that move over a picture, and what is true of each moment.

use image::RgbImage;
use maskwatch_vision::face::MaskState;
use maskwatch_vision::geometry::Rect;

use super::photos::Photo;

/// Size of the clips.
pub const SIZE: [u32; 2] = [960, 540];
/// A face counts as seen where this share of it is in the picture and not hidden, and it has this height in pixels.
const SEEN_SHARE: f32 = 0.7;
const SEEN_HEIGHT: f32 = 20.0;
/// Whoever is seen for this long, in seconds, is to be counted.
const TO_BE_COUNTED: f32 = 1.5;
/// Below this share nothing is asked of a face: finding it is no fault, and missing it is none.
const ASKED_SHARE: f32 = 0.5;

/// Left top corner in pixels, and magnification. `None`: not in play.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pose {
    pub x: f32,
    pub y: f32,
    pub zoom: f32,
}

/// Something that moves; later ones hide earlier ones.
pub struct Card {
    /// Without a photo: a pillar of this size.
    pub photo: Option<Photo>,
    /// Size in pixels at a magnification of 1.
    pub size: [f32; 2],
    pub path: Box<dyn Fn(f32) -> Option<Pose>>,
}

impl Card {
    pub fn photo(photo: &Photo, height: f32, path: impl Fn(f32) -> Option<Pose> + 'static) -> Self {
        let size = [(photo.aspect() * height).round(), height];
        Self { photo: Some(photo.clone()), size, path: Box::new(path) }
    }

    pub fn pillar(x: f32, width: f32) -> Self {
        let path = move |_| Some(Pose { x, y: 0.0, zoom: 1.0 });
        Self { photo: None, size: [width, SIZE[1] as f32], path: Box::new(path) }
    }

    /// Left, top, right, bottom at a moment. At a magnification of 1 whole pixels: so it is drawn.
    fn place(&self, time: f32) -> Option<([f32; 4], Pose)> {
        let mut pose = (self.path)(time)?;
        if pose.zoom == 1.0 {
            (pose.x, pose.y) = (pose.x.round(), pose.y.round());
        }
        let [w, h] = self.size.map(|side| side * pose.zoom);
        Some(([pose.x, pose.y, pose.x + w, pose.y + h], pose))
    }
}

/// A clip.
pub struct Clip {
    pub name: &'static str,
    pub seconds: f32,
    pub cards: Vec<Card>,
    /// How bright the picture is, and how noisy: standard deviations of grey levels.
    pub light: f32,
    pub noise: f32,
}

/// A face at a moment.
#[derive(Clone, Copy, Debug)]
pub struct TrueFace {
    pub person: u64,
    pub state: MaskState,
    /// Normalised to the picture.
    pub rect: Rect,
    /// Share in the picture and not hidden.
    pub share: f32,
}

impl TrueFace {
    /// Whether a detector has to find it.
    pub fn is_asked(&self) -> bool {
        self.share >= ASKED_SHARE && self.rect.h * SIZE[1] as f32 >= SEEN_HEIGHT
    }

    fn is_seen(&self) -> bool {
        self.share >= SEEN_SHARE && self.rect.h * SIZE[1] as f32 >= SEEN_HEIGHT
    }
}

/// Somebody to be counted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TruePerson {
    pub person: u64,
    pub state: MaskState,
}

impl Clip {
    /// Moments of a rate.
    pub fn times(&self, fps: u32) -> impl Iterator<Item = f32> {
        (0..(self.seconds * fps as f32) as u32).map(move |frame| frame as f32 / fps as f32)
    }

    /// All faces at a moment, hidden ones too. Persons are numbered from 1 in the order of cards and faces.
    pub fn faces(&self, time: f32) -> Vec<TrueFace> {
        let places: Vec<_> = self.cards.iter().map(|card| card.place(time)).collect();
        let mut found = Vec::new();
        let mut person = 0;
        for (index, card) in self.cards.iter().enumerate() {
            let Some(photo) = &card.photo else { continue };
            for face in &photo.faces {
                person += 1;
                let Some((_, pose)) = places[index] else { continue };
                let scale = card.size[1] / photo.size[1] as f32 * pose.zoom;
                let [x, y, w, h] = face.bbox.map(|v| v * scale);
                let [left, top] = [pose.x + x, pose.y + y];
                let hiding = places[index + 1..].iter().flatten().map(|(edges, _)| *edges);
                let share = share_seen([left, top, w, h], &hiding.collect::<Vec<_>>());
                let [width, height] = SIZE.map(|side| side as f32);
                let rect = Rect::new(left / width, top / height, w / width, h / height);
                found.push(TrueFace { person, state: face.state, rect, share });
            }
        }
        found.retain(|face| face.share > 0.0);
        found
    }

    /// The same clip in which those who are seen, but never long enough to be counted, are not there: whether they are
    /// to be counted would be a matter of taste. Their faces are painted over.
    pub fn without_passing_glances(mut self) -> Self {
        let counted: std::collections::BTreeSet<u64> = self.people().iter().map(|person| person.person).collect();
        let mut person = 0;
        for photo in self.cards.iter_mut().filter_map(|card| card.photo.as_mut()) {
            let (stay, go) = std::mem::take(&mut photo.faces).into_iter().partition(|_| {
                person += 1;
                counted.contains(&person)
            });
            (photo.faces, photo.painted_over) = (stay, go);
        }
        self
    }

    /// Who is to be counted.
    pub fn people(&self) -> Vec<TruePerson> {
        const FPS: u32 = 25;
        let mut seen = std::collections::BTreeMap::new();
        for time in self.times(FPS) {
            for face in self.faces(time).into_iter().filter(TrueFace::is_seen) {
                seen.entry(face.person).or_insert((face.state, 0)).1 += 1;
            }
        }
        let long = |frames: u32| frames as f32 >= TO_BE_COUNTED * FPS as f32;
        seen.into_iter()
            .filter(|(_, (_, frames))| long(*frames))
            .map(|(person, (state, _))| TruePerson { person, state })
            .collect()
    }
}

/// Share of a box that is in the picture and under none of `hiding`, by 12 x 12 points.
fn share_seen([x, y, w, h]: [f32; 4], hiding: &[[f32; 4]]) -> f32 {
    const GRID: usize = 12;
    let at = |step: usize| (step as f32 + 0.5) / GRID as f32;
    let within = |px: f32, py: f32, [l, t, r, b]: [f32; 4]| px >= l && px < r && py >= t && py < b;
    let picture = [0.0, 0.0, SIZE[0] as f32, SIZE[1] as f32];
    let seen = |point: &usize| {
        let (px, py) = (x + at(point % GRID) * w, y + at(point / GRID) * h);
        within(px, py, picture) && !hiding.iter().any(|edges| within(px, py, *edges))
    };
    (0..GRID * GRID).filter(seen).count() as f32 / (GRID * GRID) as f32
}

/// Draws a clip's frames.
pub struct Painter<'a> {
    clip: &'a Clip,
    pictures: Vec<RgbImage>,
    background: RgbImage,
    random: u32,
}

impl<'a> Painter<'a> {
    pub fn new(clip: &'a Clip) -> Self {
        let picture = |card: &Card| match &card.photo {
            Some(photo) => photo.load(card.size[1] as u32),
            None => RgbImage::from_fn(card.size[0] as u32, card.size[1] as u32, |x, y| {
                let grain = (x * 7 + y * 3) % 23;
                image::Rgb([96, 88, 80].map(|v: u8| v + grain as u8))
            }),
        };
        let background = RgbImage::from_fn(SIZE[0], SIZE[1], |x, y| {
            let wave = ((x as f32 / 90.0).sin() * (y as f32 / 70.0).cos() * 24.0) as i32;
            image::Rgb([120, 124, 130].map(|v| (v + wave).clamp(0, 255) as u8))
        });
        Self { clip, pictures: clip.cards.iter().map(picture).collect(), background, random: 1 }
    }

    /// The frame at a moment.
    pub fn frame(&mut self, time: f32) -> RgbImage {
        let mut frame = self.background.clone();
        for (card, picture) in self.clip.cards.iter().zip(&self.pictures) {
            if let Some((edges, pose)) = card.place(time) {
                lay(&mut frame, picture, edges, pose);
            }
        }
        if self.clip.light != 1.0 || self.clip.noise > 0.0 {
            self.spoil(&mut frame);
        }
        frame
    }

    fn spoil(&mut self, frame: &mut RgbImage) {
        for value in frame.as_mut() {
            // Four uniform values make nearly a normal one.
            self.random = self.random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let sum: u32 = self.random.to_be_bytes().into_iter().map(u32::from).sum();
            let normal = (sum as f32 - 510.0) / 147.8;
            *value = (f32::from(*value) * self.clip.light + normal * self.clip.noise).clamp(0.0, 255.0) as u8;
        }
    }
}

/// Lays a picture on the frame: copied at a magnification of 1, else between its pixels (bilinear).
fn lay(frame: &mut RgbImage, picture: &RgbImage, [left, top, right, bottom]: [f32; 4], pose: Pose) {
    let [width, height] = SIZE.map(|side| side as f32);
    let (x0, x1) = (left.max(0.0).ceil() as u32, right.min(width).floor() as u32);
    let (y0, y1) = (top.max(0.0).ceil() as u32, bottom.min(height).floor() as u32);
    let (pw, ph) = picture.dimensions();
    for y in y0..y1 {
        for x in x0..x1 {
            let (u, v) = ((x as f32 - left) / pose.zoom, (y as f32 - top) / pose.zoom);
            let (column, row) = ((u as u32).min(pw - 1), (v as u32).min(ph - 1));
            if pose.zoom == 1.0 {
                frame.put_pixel(x, y, *picture.get_pixel(column, row));
                continue;
            }
            let (right, below) = ((column + 1).min(pw - 1), (row + 1).min(ph - 1));
            let (fu, fv) = (u - column as f32, v - row as f32);
            let corner = |c: u32, r: u32| picture.get_pixel(c, r).0.map(f32::from);
            let [a, b] = [corner(column, row), corner(right, row)];
            let [c, d] = [corner(column, below), corner(right, below)];
            let mixed = [0, 1, 2].map(|channel| {
                let upper = a[channel] + (b[channel] - a[channel]) * fu;
                let lower = c[channel] + (d[channel] - c[channel]) * fu;
                (upper + (lower - upper) * fv).round() as u8
            });
            frame.put_pixel(x, y, image::Rgb(mixed));
        }
    }
}
