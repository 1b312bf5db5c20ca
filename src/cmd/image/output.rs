//! JSON lines, annotated copies and the line for people.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use image::RgbImage;
use maskwatch_vision::face::{ClassifiedFace, MaskState};
use serde_json::{Value, json};

/// Where JSON lines go.
pub(super) struct Lines(Box<dyn Write>);

impl Lines {
    /// `-` is the standard output.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self(Box::new(std::io::stdout().lock())));
        }
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self(Box::new(BufWriter::new(file))))
    }

    /// An image's faces. `truncated`: the file ends in the middle of it.
    pub(super) fn image(
        &mut self,
        path: &Path,
        (width, height): (u32, u32),
        faces: &[ClassifiedFace],
        truncated: bool,
    ) -> anyhow::Result<()> {
        let faces: Vec<_> = faces.iter().map(|face| face_json(face, width, height)).collect();
        let mut value = named(path);
        value.extend([("width".to_owned(), json!(width)), ("height".to_owned(), json!(height))]);
        value.insert("faces".to_owned(), json!(faces));
        if truncated {
            value.insert("truncated".to_owned(), json!(true));
        }
        self.line(&Value::Object(value))
    }

    /// An image that could not be analysed.
    pub(super) fn failed(&mut self, path: &Path, error: &anyhow::Error) -> anyhow::Result<()> {
        let mut value = named(path);
        value.insert("error".to_owned(), json!(format!("{error:#}")));
        self.line(&Value::Object(value))
    }

    /// All that was written is out.
    pub(super) fn finish(mut self) -> anyhow::Result<()> {
        self.0.flush().context("JSON cannot be written")
    }

    /// Each line goes out at once: a reader at the other end of a pipe sees images as they are done.
    fn line(&mut self, value: &Value) -> anyhow::Result<()> {
        writeln!(self.0, "{value}").and_then(|()| self.0.flush()).context("JSON cannot be written")
    }
}

/// A line that begins with the file's name as it was given. JSON holds text only: a name that is none stands beside it
/// byte for byte, as `file_bytes` in Base64 (RFC 4648).
fn named(path: &Path) -> serde_json::Map<String, Value> {
    let mut value = serde_json::Map::new();
    value.insert("file".to_owned(), json!(path.to_string_lossy()));
    if path.to_str().is_none() {
        let bytes = BASE64_STANDARD.encode(path.as_os_str().as_encoded_bytes());
        value.insert("file_bytes".to_owned(), json!(bytes));
    }
    value
}

/// A face by the contract: box in pixels of the image, clipped to it.
fn face_json(face: &ClassifiedFace, width: u32, height: u32) -> Value {
    let bbox = face.detection.rect.clip().to_pixels(width, height).map(|value| rounded(value, 10.0));
    json!({
        "bbox": bbox,
        "score": rounded(face.detection.score, 10_000.0),
        "state": face.state.as_str(),
        "state_scores": face.states.map(|states| json!({
            "mask": rounded(states.mask, 10_000.0),
            "incorrect": rounded(states.incorrect, 10_000.0),
            "no_mask": rounded(states.no_mask, 10_000.0),
        })),
    })
}

/// Digits that mean nothing are left out.
fn rounded(value: f32, per_unit: f64) -> f64 {
    // Adding 0 turns -0 into 0.
    (f64::from(value) * per_unit).round() / per_unit + 0.0
}

/// One line for people: `a.jpg: 640x480, 3 faces (2 mask, 1 no_mask)`.
pub(super) fn summary(path: &Path, (width, height): (u32, u32), faces: &[ClassifiedFace]) -> String {
    let count = |state: MaskState| faces.iter().filter(|face| face.state == state).count();
    let states: Vec<_> = MaskState::ALL
        .into_iter()
        .map(|state| (state, count(state)))
        .filter(|(_, count)| *count > 0)
        .map(|(state, count)| format!("{count} {}", state.as_str()))
        .collect();
    let noun = if faces.len() == 1 { "face" } else { "faces" };
    let states = if states.is_empty() { String::new() } else { format!(" ({})", states.join(", ")) };
    format!("{}: {width}x{height}, {} {noun}{states}\n", path.display(), faces.len())
}

/// The folder of annotated copies. Images of one name from several folders get numbers.
pub(super) struct Copies {
    folder: PathBuf,
    written: HashSet<PathBuf>,
}

impl Copies {
    /// Makes the folder.
    pub(super) fn create(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
        Ok(Self { folder: folder.to_path_buf(), written: HashSet::new() })
    }

    /// Writes the copy of `source`. JPEG stays JPEG; everything else becomes PNG.
    pub(super) fn write(&mut self, source: &Path, picture: &RgbImage) -> anyhow::Result<()> {
        let target = self.name_for(source);
        let same = fs::canonicalize(&target).ok().zip(fs::canonicalize(source).ok()).is_some_and(|(a, b)| a == b);
        anyhow::ensure!(!same, "the copy would replace the image itself (choose another folder for --out)");
        let failed = || format!("{} cannot be written", target.display());
        if target.extension().is_some_and(|extension| extension == "png") {
            picture.save(&target).with_context(failed)?;
        } else {
            let mut file = BufWriter::new(File::create(&target).with_context(failed)?);
            image::codecs::jpeg::JpegEncoder::new_with_quality(&mut file, 92)
                .encode_image(picture)
                .with_context(failed)?;
            file.flush().with_context(failed)?;
        }
        Ok(())
    }

    /// The name of a copy, byte for byte but for the extension.
    fn name_for(&mut self, source: &Path) -> PathBuf {
        let stem = match source.file_stem() {
            Some(stem) if source != Path::new("-") => stem,
            _ => OsStr::new("stdin"),
        };
        let jpeg = source.extension().filter(|it| it.eq_ignore_ascii_case("jpg") || it.eq_ignore_ascii_case("jpeg"));
        let extension = jpeg.map_or_else(|| "png".into(), OsStr::to_ascii_lowercase);
        let named = |number: Option<u32>| {
            let mut name = stem.to_owned();
            if let Some(number) = number {
                name.push(format!("-{number}"));
            }
            name.push(".");
            name.push(&extension);
            self.folder.join(name)
        };
        let mut numbers = std::iter::once(None).chain((2..).map(Some)).map(named);
        let free = numbers.find(|name| !self.written.contains(name)).unwrap_or_default();
        self.written.insert(free.clone());
        free
    }
}

#[cfg(test)]
mod tests {
    use maskwatch_vision::face::{Detection, StateScores};
    use maskwatch_vision::geometry::Rect;

    use super::*;

    fn face(state: MaskState) -> ClassifiedFace {
        let states = Some(StateScores { mask: 0.97, incorrect: 0.02, no_mask: 0.01 });
        let detection = Detection { rect: Rect::new(-0.1, 0.25, 0.35, 0.5), score: 0.987_654_3, states: None };
        ClassifiedFace { detection, states, state }
    }

    #[test]
    fn boxes_are_in_pixels_and_inside() {
        let value = face_json(&face(MaskState::Mask), 640, 480);
        assert_eq!(
            value,
            json!({"bbox": [0.0, 120.0, 160.0, 240.0], "score": 0.9877, "state": "mask",
                   "state_scores": {"mask": 0.97, "incorrect": 0.02, "no_mask": 0.01}})
        );
    }

    #[test]
    fn people_read_a_summary() {
        let faces = [face(MaskState::Mask), face(MaskState::NoMask), face(MaskState::Mask)];
        assert_eq!(summary(Path::new("a.jpg"), (4, 3), &faces), "a.jpg: 4x3, 3 faces (2 mask, 1 no_mask)\n");
        assert_eq!(summary(Path::new("a.jpg"), (4, 3), &[]), "a.jpg: 4x3, 0 faces\n");
    }

    #[test]
    fn copies_of_one_name_do_not_meet_and_the_image_itself_is_safe() {
        let folder = tempfile::tempdir().unwrap();
        let picture = RgbImage::new(8, 8);
        let source = folder.path().join("a.png");
        picture.save(&source).unwrap();
        let mut copies = Copies::create(&folder.path().join("out")).unwrap();
        copies.write(&source, &picture).unwrap();
        copies.write(Path::new("elsewhere/a.png"), &picture).unwrap();
        copies.write(Path::new("a.webp"), &picture).unwrap();
        for name in ["a.png", "a-2.png", "a-3.png"] {
            assert!(folder.path().join("out").join(name).is_file(), "{name}");
        }
        let error = Copies::create(folder.path()).unwrap().write(&source, &picture).unwrap_err();
        assert!(error.to_string().contains("--out"), "{error}");
    }

    #[test]
    fn names_that_are_no_text_are_kept_byte_for_byte() {
        use std::os::unix::ffi::OsStrExt;
        let name = |bytes: &'static [u8]| Path::new(OsStr::from_bytes(bytes));
        assert_eq!(named(Path::new("a.jpg")), *json!({"file": "a.jpg"}).as_object().unwrap());
        let value = named(name(b"caf\xe9.jpg"));
        let bytes = BASE64_STANDARD.decode(value["file_bytes"].as_str().unwrap()).unwrap();
        assert_eq!(bytes, b"caf\xe9.jpg");
        let folder = tempfile::tempdir().unwrap();
        let mut copies = Copies::create(folder.path()).unwrap();
        for (given, copied) in [
            (&b"in/caf\xe9.JPG"[..], &b"caf\xe9.jpg"[..]),
            (b"else/caf\xe9.jpg", b"caf\xe9-2.jpg"),
            (b"caf\xe9.webp", b"caf\xe9.png"),
            (b"-", b"stdin.png"),
            (b"/dev/stdin", b"stdin-2.png"),
        ] {
            assert_eq!(copies.name_for(name(given)), folder.path().join(name(copied)));
        }
    }
}
