//! Labels in COCO's form: pictures with boxes in states.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use maskwatch_vision::eval::detection::PixelBox;
use maskwatch_vision::eval::faces::LabelledFace;
use maskwatch_vision::face::MaskState;
use serde::Deserialize;

use super::names;
use crate::cmd::Usage;

/// All pictures of a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Labels {
    /// In the order of their ids, as `COCOeval` takes them.
    pub(super) pictures: Vec<LabelledPicture>,
    /// The id of each state's category.
    pub(super) categories: HashMap<MaskState, i64>,
}

/// A picture with its labels.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LabelledPicture {
    /// Its number in the labels.
    pub(super) id: i64,
    /// Where it lies.
    pub(super) path: PathBuf,
    /// Width and height by the labels.
    pub(super) size: (u32, u32),
    /// Its faces.
    pub(super) faces: Vec<LabelledFace>,
}

impl LabelledPicture {
    /// Boxes in pixels mean nothing in a picture of another size.
    pub(super) fn check_size(&self, width: u32, height: u32) -> anyhow::Result<()> {
        let (labelled_width, labelled_height) = self.size;
        anyhow::ensure!(
            (width, height) == self.size,
            "is {width}x{height}, but the labels are for {labelled_width}x{labelled_height}"
        );
        Ok(())
    }
}

#[derive(Deserialize)]
struct File {
    images: Vec<Image>,
    annotations: Vec<Annotation>,
    categories: Vec<Category>,
}

#[derive(Deserialize)]
struct Image {
    id: i64,
    file_name: String,
    width: u32,
    height: u32,
}

#[derive(Deserialize)]
struct Annotation {
    image_id: i64,
    category_id: i64,
    bbox: PixelBox,
    /// 0 or 1; some tools write a boolean.
    #[serde(default)]
    iscrowd: serde_json::Value,
}

#[derive(Deserialize)]
struct Category {
    id: i64,
    name: String,
}

/// Reads a file. `images`: the folder of the pictures; `None`: the folder `images` beside the file.
pub(super) fn load(path: &Path, images: Option<&Path>, mapping: &[(String, MaskState)]) -> Result<Labels, Usage> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| Usage(format!("{}: cannot be read: {error} (--data names the labels)", path.display())))?;
    let folder = images.map_or_else(|| path.parent().unwrap_or(Path::new("")).join("images"), Path::to_path_buf);
    if !folder.is_dir() {
        return Err(Usage(format!("{}: no such folder (--images names the folder of the pictures)", folder.display())));
    }
    parse(&text, &folder, mapping).map_err(|cause| Usage(format!("{}: {cause}", path.display())))
}

fn parse(text: &str, folder: &Path, mapping: &[(String, MaskState)]) -> Result<Labels, String> {
    let mut file: File = serde_json::from_str(text)
        .map_err(|error| format!("{error} (COCO's form is expected: images, annotations, categories)"))?;
    let states = states(&file.categories, mapping)?;
    file.images.sort_by_key(|image| image.id);
    let mut places = HashMap::new();
    for (place, image) in file.images.iter().enumerate() {
        if places.insert(image.id, place).is_some() {
            return Err(format!("two images have the id {}", image.id));
        }
    }
    let picture = |image: Image| LabelledPicture {
        id: image.id,
        path: folder.join(&image.file_name),
        size: (image.width, image.height),
        faces: Vec::new(),
    };
    let mut pictures: Vec<_> = file.images.into_iter().map(picture).collect();
    for (number, annotation) in file.annotations.iter().enumerate() {
        let unknown = |what: &str, id: i64| format!("annotations[{number}]: no {what} has the id {id}");
        let place = *places.get(&annotation.image_id).ok_or_else(|| unknown("image", annotation.image_id))?;
        let state = *states.get(&annotation.category_id).ok_or_else(|| unknown("category", annotation.category_id))?;
        let [_, _, width, height] = annotation.bbox;
        if !(annotation.bbox.iter().all(|value| value.is_finite()) && width > 0.0 && height > 0.0) {
            return Err(format!("annotations[{number}].bbox: {:?} is no box [x, y, width, height]", annotation.bbox));
        }
        let crowd = annotation.iscrowd == 1 || annotation.iscrowd == true;
        pictures[place].faces.push(LabelledFace { bbox: annotation.bbox, state, crowd });
    }
    if pictures.is_empty() {
        return Err("names no images".to_owned());
    }
    let categories = file.categories.iter().filter_map(|category| Some((*states.get(&category.id)?, category.id)));
    Ok(Labels { pictures, categories: categories.collect() })
}

fn states(categories: &[Category], mapping: &[(String, MaskState)]) -> Result<HashMap<i64, MaskState>, String> {
    let meant = |category: &Category| match names::state(&category.name, mapping) {
        Some(state) => Ok((category.id, state)),
        None => Err(format!("category {:?} is no state ({})", category.name, names::hint(&category.name))),
    };
    categories.iter().map(meant).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn file() -> Value {
        json!({
            "images": [
                { "id": 7, "file_name": "b.jpg", "width": 40, "height": 30 },
                { "id": 2, "file_name": "a.jpg", "width": 20, "height": 10 },
            ],
            "annotations": [
                { "id": 1, "image_id": 7, "category_id": 3, "bbox": [1, 2, 3, 4], "iscrowd": 0 },
                { "id": 2, "image_id": 7, "category_id": 1, "bbox": [5.5, 2, 3, 4], "iscrowd": 1 },
            ],
            "categories": [{ "id": 1, "name": "mask" }, { "id": 3, "name": "mask_weared_incorrect" }],
        })
    }

    fn mapping() -> Vec<(String, MaskState)> {
        vec![("mask_weared_incorrect".to_owned(), MaskState::Incorrect)]
    }

    #[test]
    fn pictures_come_by_id_with_their_faces() {
        let Labels { pictures, categories } = parse(&file().to_string(), Path::new("photos"), &mapping()).unwrap();
        let told: Vec<_> = pictures.iter().map(|picture| (picture.id, picture.size)).collect();
        assert_eq!(told, [(2, (20, 10)), (7, (40, 30))]);
        assert_eq!(pictures[1].path, Path::new("photos/b.jpg"));
        assert_eq!(categories, HashMap::from([(MaskState::Mask, 1), (MaskState::Incorrect, 3)]));
        assert!(pictures[0].faces.is_empty());
        let first = LabelledFace { bbox: [1.0, 2.0, 3.0, 4.0], state: MaskState::Incorrect, crowd: false };
        let second = LabelledFace { bbox: [5.5, 2.0, 3.0, 4.0], state: MaskState::Mask, crowd: true };
        assert_eq!(pictures[1].faces, [first, second]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused_with_its_place() {
        let refused = |pointer: &str, value: Value, says: &str| {
            let mut file = file();
            *file.pointer_mut(pointer).unwrap() = value;
            let error = parse(&file.to_string(), Path::new(""), &mapping()).unwrap_err();
            assert!(error.contains(says), "{pointer}: {error}");
        };
        refused("/categories/0/name", json!("helmet"), "\"helmet\" is no state");
        refused("/categories/0/name", json!("helmet"), "--map helmet=STATE");
        refused("/annotations/0/image_id", json!(9), "annotations[0]: no image has the id 9");
        refused("/annotations/1/category_id", json!(9), "annotations[1]: no category has the id 9");
        refused("/annotations/1/bbox", json!([1, 2, 0, 4]), "annotations[1].bbox");
        refused("/images/1/id", json!(7), "two images have the id 7");
        refused("/images", json!([]), "annotations[0]");
        let error = parse("{\"images\": 3}", Path::new(""), &[]).unwrap_err();
        assert!(error.contains("line 1") && error.contains("COCO"), "{error}");
    }
}
