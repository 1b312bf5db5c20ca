//! The labelled photos fit for clips.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use image::RgbImage;
use maskwatch_vision::face::MaskState;
use serde::Deserialize;

/// Faces in a photo, at most: in a crowd the labels miss some.
const MOST_FACES: usize = 10;
/// Height of each face, in shares of the photo's: smaller ones are not always labelled.
const FACE_HEIGHT: std::ops::RangeInclusive<f32> = 0.07..=0.6;
/// Width to height of the photo.
const ASPECT: std::ops::RangeInclusive<f32> = 0.5..=2.2;

/// A photo with its labels.
#[derive(Clone, Debug)]
pub struct Photo {
    pub file: PathBuf,
    pub size: [u32; 2],
    pub faces: Vec<LabelledFace>,
    /// Faces that are not to be seen.
    pub painted_over: Vec<LabelledFace>,
}

/// Box as left, top, width, height in pixels of the photo.
#[derive(Clone, Copy, Debug)]
pub struct LabelledFace {
    pub bbox: [f32; 4],
    pub state: MaskState,
}

impl Photo {
    /// The picture, scaled to that height.
    pub fn load(&self, height: u32) -> RgbImage {
        let picture = image::open(&self.file).unwrap_or_else(|error| panic!("{}: {error}", self.file.display()));
        let mut picture = picture.into_rgb8();
        self.painted_over.iter().for_each(|face| paint_over(&mut picture, face.bbox));
        let width = (self.aspect() * height as f32).round() as u32;
        image::imageops::resize(&picture, width, height, image::imageops::FilterType::Triangle)
    }

    pub fn aspect(&self) -> f32 {
        self.size[0] as f32 / self.size[1] as f32
    }

    /// Height of the lowest face, in shares of the photo's.
    pub fn least_face(&self) -> f32 {
        self.faces.iter().map(|face| face.bbox[3]).fold(f32::INFINITY, f32::min) / self.size[1] as f32
    }
}

#[derive(Deserialize)]
struct Coco {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: u64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: u64,
    category_id: u64,
    bbox: [f32; 4],
}

#[derive(Deserialize)]
struct Category {
    id: u64,
    name: String,
}

/// The photos of `split` (`train` or `val`) under the folder `detection` of the shared data, in an order that has nothing
/// to do with their sources. Those named in `left_out.txt` are left out; it was made for `val`.
pub fn load(detection: &Path, split: &str) -> Vec<Photo> {
    let text = std::fs::read_to_string(detection.join(format!("{split}.json"))).unwrap();
    let coco: Coco = serde_json::from_str(&text).unwrap();
    let states: BTreeMap<u64, MaskState> = coco
        .categories
        .iter()
        .filter_map(|category| {
            let state = MaskState::ALL.into_iter().find(|state| state.as_str() == category.name);
            state.map(|state| (category.id, state))
        })
        .collect();
    let mut faces: BTreeMap<u64, Vec<LabelledFace>> = BTreeMap::new();
    for annotation in &coco.annotations {
        let state = states[&annotation.category_id];
        faces.entry(annotation.image_id).or_default().push(LabelledFace { bbox: annotation.bbox, state });
    }
    let left_out: BTreeSet<&str> = include_str!("left_out.txt").lines().filter(|line| !line.starts_with('#')).collect();
    let photo = |image: &Image| Photo {
        file: detection.join("images").join(&image.file_name),
        size: [image.width, image.height],
        faces: faces.get(&image.id).cloned().unwrap_or_default(),
        painted_over: Vec::new(),
    };
    let mut images: Vec<&Image> =
        coco.images.iter().filter(|image| !left_out.contains(image.file_name.as_str())).collect();
    images.sort_by_key(|image| scattered(&image.file_name));
    images.into_iter().map(photo).filter(is_fit).collect()
}

/// A grey patch that is half as large again as the face.
fn paint_over(picture: &mut RgbImage, [x, y, w, h]: [f32; 4]) {
    let (x0, y0) = ((x - w / 4.0).max(0.0) as u32, (y - h / 4.0).max(0.0) as u32);
    let (x1, y1) = ((x + w * 1.25) as u32, (y + h * 1.25) as u32);
    for row in y0..y1.min(picture.height()) {
        for column in x0..x1.min(picture.width()) {
            picture.put_pixel(column, row, image::Rgb([112, 116, 120]));
        }
    }
}

fn is_fit(photo: &Photo) -> bool {
    let height = photo.size[1] as f32;
    (1..=MOST_FACES).contains(&photo.faces.len())
        && photo.faces.iter().all(|face| FACE_HEIGHT.contains(&(face.bbox[3] / height)))
        && ASPECT.contains(&photo.aspect())
}

/// FNV-1a.
fn scattered(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
