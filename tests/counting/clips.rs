//! The clips. Each photo is in one clip only.

use super::photos::Photo;
use super::stage::{Card, Clip, Pose, SIZE};

const W: f32 = SIZE[0] as f32;
const H: f32 = SIZE[1] as f32;

/// Hands out photos, each once.
struct Deck<'a> {
    rest: Vec<&'a Photo>,
}

impl<'a> Deck<'a> {
    /// The next photos that `fit`.
    fn deal(&mut self, count: usize, fit: impl Fn(&Photo) -> bool) -> Vec<&'a Photo> {
        let mut hand = Vec::new();
        self.rest.retain(|photo| {
            let taken = hand.len() < count && fit(photo);
            if taken {
                hand.push(*photo);
            }
            !taken
        });
        hand
    }
}

/// All clips that the photos suffice for.
pub fn all(photos: &[Photo]) -> Vec<Clip> {
    let mut deck = Deck { rest: photos.iter().collect() };
    // Nobody goes faster than some three sizes of the own face per second: people who walk 1.4 m/s across the picture
    // make seven, most come towards the camera and make one or two.
    let usual = |photo: &Photo| photo.least_face() >= 0.1;
    let large = |photo: &Photo| photo.least_face() >= 0.15;
    let portrait = |photo: &Photo| photo.faces.len() == 1 && photo.least_face() >= 0.3;
    // The particular ones first, while there are enough that fit.
    let (passers, upper, lower, columns) =
        (deck.deal(9, portrait), deck.deal(11, large), deck.deal(11, large), deck.deal(15, large));
    let clips = vec![
        strip("strip", &deck.deal(13, usual)),
        pillars(&deck.deal(13, usual)),
        opposite(&upper, &lower),
        pages(&deck.deal(14, usual)),
        shaky(&deck.deal(13, usual)),
        passing(&deck.deal(8, usual), &passers),
        approach(&columns),
        Clip { light: 0.45, noise: 7.0, ..strip("dim", &deck.deal(13, usual)) },
        pans(&deck.deal(9, usual)),
    ];
    clips.into_iter().map(Clip::without_passing_glances).collect()
}

fn clip(name: &'static str, seconds: f32, cards: Vec<Card>) -> Clip {
    Clip { name, seconds, cards, light: 1.0, noise: 0.0 }
}

/// Photos side by side that go to the left; `way` gives how far they have gone. Returns the cards and their length.
fn row(photos: &[&Photo], (y, height): (f32, f32), way: impl Fn(f32) -> f32 + Clone + 'static) -> (Vec<Card>, f32) {
    let mut offset = 0.0;
    let mut cards = Vec::new();
    for photo in photos {
        let (begin, way) = (W + offset, way.clone());
        let card = Card::photo(photo, height, move |time| Some(Pose { x: begin - way(time), y, zoom: 1.0 }));
        offset += card.size[0] + 12.0;
        cards.push(card);
    }
    (cards, offset)
}

fn strip(name: &'static str, photos: &[&Photo]) -> Clip {
    const SPEED: f32 = 110.0;
    let (cards, length) = row(photos, (30.0, 480.0), |time| SPEED * time);
    clip(name, (length + W) / SPEED + 1.0, cards)
}

/// As a strip, behind two pillars.
fn pillars(photos: &[&Photo]) -> Clip {
    let mut clip = strip("pillars", photos);
    clip.cards.extend([Card::pillar(280.0, 80.0), Card::pillar(640.0, 110.0)]);
    clip
}

/// Two rows in opposite directions.
fn opposite(upper: &[&Photo], lower: &[&Photo]) -> Clip {
    const SPEED: f32 = 90.0;
    let (mut cards, first) = row(upper, (2.0, 264.0), |time| SPEED * time);
    let (_, second) = row(lower, (274.0, 264.0), |time| SPEED * time);
    let (other, _) = row(lower, (274.0, 264.0), move |time| W + second - SPEED * time);
    cards.extend(other);
    clip("opposite", (first.max(second) + W) / SPEED + 1.0, cards)
}

/// Photos come in from the right two at a time and go out to the left; between the moves the camera pans and zooms.
fn pages(photos: &[&Photo]) -> Clip {
    const MOVE: f32 = 9.0;
    const STAY: f32 = 3.0;
    let mut cards = Vec::new();
    for (page, pair) in photos.chunks(2).enumerate() {
        for (side, photo) in pair.iter().enumerate() {
            let height = 430.0f32.min(460.0 / photo.aspect());
            let begin = page as f32 * (MOVE + STAY);
            let left = 10.0 + side as f32 * 475.0;
            cards.push(Card::photo(photo, height, move |time| {
                let after = time - begin;
                let moved = ease(after / MOVE) + ease((after - MOVE - STAY) / MOVE) - 1.0;
                let staying = ((after - MOVE) / STAY).clamp(0.0, 1.0);
                let swell = (std::f32::consts::PI * staying).sin();
                let (x, y) = (left - W * moved - 20.0 * swell, 55.0 - 25.0 * swell);
                let there = (0.0..=2.0 * MOVE + STAY).contains(&after);
                there.then_some(Pose { x, y, zoom: 1.0 + 0.12 * swell })
            }));
        }
    }
    clip("pages", photos.len().div_ceil(2) as f32 * (MOVE + STAY) + MOVE + 1.0, cards)
}

/// From 0 to 1, a little smoothed at both ends.
fn ease(share: f32) -> f32 {
    let share = share.clamp(0.0, 1.0);
    0.5 * share + 0.5 * share * share * (3.0 - 2.0 * share)
}

/// A strip in fits and starts, by an unsteady hand.
fn shaky(photos: &[&Photo]) -> Clip {
    const SPEED: f32 = 85.0;
    let way = |time: f32| SPEED * (time - (time * 1.3).sin() / 1.3 * 0.7);
    let (cards, length) = row(photos, (30.0, 480.0), way);
    let unsteady = |card: Card| {
        let path = card.path;
        let shake = |time: f32| {
            let wave = |rate: f32| (std::f32::consts::TAU * rate * time).sin();
            (3.0 * wave(1.7) + 2.0 * wave(3.1), 2.0 * wave(2.3) + 1.5 * wave(4.1))
        };
        let path = Box::new(move |time: f32| {
            let (dx, dy) = shake(time);
            path(time).map(|pose| Pose { x: pose.x + dx, y: pose.y + dy, ..pose })
        });
        Card { path, ..card }
    };
    clip("shaky", (length + W) / SPEED + 2.0, cards.into_iter().map(unsteady).collect())
}

/// People pass in front of others who go the other way.
fn passing(photos: &[&Photo], passers: &[&Photo]) -> Clip {
    const SPEED: f32 = 80.0;
    const PASS: f32 = 140.0;
    let (mut cards, length) = row(photos, (0.0, 480.0), |time| SPEED * time);
    let seconds = (length + W) / SPEED + 1.0;
    for (index, photo) in passers.iter().enumerate() {
        let begin = 2.0 + index as f32 * (seconds - 10.0) / passers.len() as f32;
        cards.push(Card::photo(photo, 240.0, move |time| {
            (time >= begin).then_some(Pose { x: -400.0 + PASS * (time - begin), y: 290.0, zoom: 1.0 })
        }));
    }
    clip("passing", seconds, cards)
}

/// People come nearer, in three columns.
fn approach(photos: &[&Photo]) -> Clip {
    const LASTS: f32 = 9.0;
    let mut cards = Vec::new();
    for (index, photo) in photos.iter().enumerate() {
        let begin = index as f32 / 3.0 * (LASTS + 0.5);
        let center = 160.0 + (index % 3) as f32 * 320.0;
        let height = 290.0f32.min(280.0 / photo.aspect());
        let width = height * photo.aspect();
        cards.push(Card::photo(photo, height, move |time| {
            let share = (time - begin) / LASTS;
            let zoom = 0.55 + 0.55 * share;
            let y = -height * 0.55 + (H + height * 0.55) * share;
            (0.0..=1.0).contains(&share).then_some(Pose { x: center - width * zoom / 2.0, y, zoom })
        }));
    }
    clip("approach", photos.len() as f32 / 3.0 * (LASTS + 0.5) + LASTS + 1.0, cards)
}

/// The camera pans and zooms over one photo after another; between them nobody is there for a while.
fn pans(photos: &[&Photo]) -> Clip {
    const LASTS: f32 = 7.0;
    const PAUSE: f32 = 3.0;
    let mut cards = Vec::new();
    for (index, photo) in photos.iter().enumerate() {
        let begin = index as f32 * (LASTS + PAUSE);
        let height = 620.0f32.max(1060.0 / photo.aspect());
        let width = height * photo.aspect();
        cards.push(Card::photo(photo, height, move |time| {
            let share = (time - begin) / LASTS;
            let zoom = 1.0 + 0.2 * share;
            let (x, y) = ((W - width * zoom) * share, (H - height * zoom) * (0.3 + 0.2 * share));
            (0.0..1.0).contains(&share).then_some(Pose { x, y, zoom })
        }));
    }
    clip("pans", photos.len() as f32 * (LASTS + PAUSE), cards)
}
