//! A still image, as the photographer saw it.

use std::cell::Cell;
use std::error::Error;
use std::fs::File;
use std::io::{self, Cursor, Read};
use std::path::Path;

use anyhow::Context;
use image::{ColorType, DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, ImageResult, RgbImage};

/// Widest and highest picture: beyond it a file is more likely made to exhaust memory than taken by a camera.
const MOST_PIXELS_A_SIDE: u32 = 20_000;
/// Largest file, for the same reason: a pipe may never end.
const MOST_BYTES: u64 = 1 << 30;
/// What stands where a cut picture has nothing: a grey in which there is no face.
const MISSING: u8 = 128;

/// A picture, and whether its file ends before it does.
pub(in crate::cmd) struct Picture {
    pub(in crate::cmd) pixels: RgbImage,
    /// What is missing is grey.
    pub(in crate::cmd) truncated: bool,
}

impl Picture {
    /// Says so where something is missing.
    pub(in crate::cmd) fn told(self, path: &Path) -> Self {
        if self.truncated {
            let text = "the file ends in the middle of the picture: what is missing is grey";
            crate::cmd::tell(&format!("{}: {text}", path.display()));
        }
        self
    }
}

/// Reads an image, turned by its EXIF orientation, as R, G, B. The kind is told by the contents, not by the name; `-` is
/// the standard input. It is read once from beginning to end, so that a pipe does as well.
pub(in crate::cmd) fn upright(path: &Path) -> anyhow::Result<Picture> {
    let bytes = bytes(path).context("cannot be read")?;
    anyhow::ensure!(bytes.len() as u64 <= MOST_BYTES, "is larger than {} MiB", MOST_BYTES >> 20);
    let mut reader = ImageReader::new(Cursor::new(&bytes)).with_guessed_format().context("cannot be read")?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_A_SIDE);
    limits.max_image_height = Some(MOST_PIXELS_A_SIDE);
    reader.limits(limits);
    let unreadable = "not a readable image (JPEG, PNG, WebP or BMP)";
    // The decoder of JPEG takes what is there without a word.
    let cut = Cell::new(reader.format() == Some(ImageFormat::Jpeg) && !jpeg_has_its_end(&bytes));
    let mut decoder = reader.into_decoder().context(unreadable)?;
    let orientation = decoder.orientation().context(unreadable)?;
    let mut picture = DynamicImage::from_decoder(Patient { inner: decoder, cut: &cut }).context(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(Picture { pixels: picture.into_rgb8(), truncated: cut.get() })
}

fn bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        io::stdin().lock().take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    } else {
        File::open(path)?.take(MOST_BYTES + 1).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

/// A decoder that is content with the part of a picture that is there, and notes it.
struct Patient<'a, D> {
    inner: D,
    cut: &'a Cell<bool>,
}

impl<D: ImageDecoder> ImageDecoder for Patient<'_, D> {
    fn dimensions(&self) -> (u32, u32) {
        self.inner.dimensions()
    }

    fn color_type(&self) -> ColorType {
        self.inner.color_type()
    }

    fn read_image(self, buffer: &mut [u8]) -> ImageResult<()> {
        buffer.fill(MISSING);
        match self.inner.read_image(buffer) {
            // Decoders fill the rows as they read them. Where not one is there, there is no picture.
            Err(error) if is_end_of_file(&error) && buffer.iter().any(|byte| *byte != MISSING) => {
                self.cut.set(true);
                Ok(())
            }
            other => other,
        }
    }

    fn read_image_boxed(self: Box<Self>, buffer: &mut [u8]) -> ImageResult<()> {
        (*self).read_image(buffer)
    }
}

/// Whether an error is the end of the file, wherever the decoder met it.
fn is_end_of_file(error: &ImageError) -> bool {
    let ended = |error: &io::Error| error.kind() == io::ErrorKind::UnexpectedEof;
    if let ImageError::IoError(error) = error {
        return ended(error);
    }
    let causes = std::iter::successors(error.source(), |error: &&(dyn Error + 'static)| (**error).source());
    causes.filter_map(|error| error.downcast_ref::<io::Error>()).any(ended)
}

/// Whether a JPEG goes on to its end marker (ITU-T T.81, annex B). A thumbnail in its head has one of its own, so the
/// segments are walked through.
fn jpeg_has_its_end(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some([first, second]) = bytes.get(at..at + 2).and_then(|pair| <[u8; 2]>::try_from(pair).ok()) {
        match (first, second) {
            (0xff, 0xd9) => return true,
            // Fill bytes.
            (0xff, 0xff) => at += 1,
            // A byte of the scan that looks like a marker, a restart, and markers without a length.
            (0xff, 0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            (0xff, _) => {
                let Some([high, low]) = bytes.get(at + 2..at + 4).and_then(|pair| <[u8; 2]>::try_from(pair).ok())
                else {
                    return false;
                };
                at += 2 + usize::from(u16::from_be_bytes([high, low]));
            }
            // The scan itself, or bytes between segments, which decoders pass over.
            _ => at += 1,
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_image_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jpg");
        std::fs::write(&file, b"no image").unwrap();
        assert!(format!("{:#}", upright(&file).err().unwrap()).contains("not a readable image"));
        assert!(format!("{:#}", upright(&folder.path().join("b.jpg")).err().unwrap()).contains("cannot be read"));
    }

    #[test]
    fn the_orientation_of_a_photo_is_applied() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jpg");
        let mut picture = RgbImage::new(40, 20);
        picture.put_pixel(0, 0, image::Rgb([255, 255, 255]));
        let mut jpeg = Vec::new();
        image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100).encode_image(&picture).unwrap();
        // SOI, then an APP1 segment with an EXIF block of one entry: orientation (0x0112) 6, a quarter turn to the right.
        let exif: &[u8] = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0";
        let length = u16::try_from(exif.len() + 2).unwrap().to_be_bytes();
        let with_exif = [&jpeg[..2], &[0xff, 0xe1], &length, exif, &jpeg[2..]].concat();
        std::fs::write(&file, with_exif).unwrap();
        let turned = upright(&file).unwrap().pixels;
        assert_eq!(turned.dimensions(), (20, 40));
        assert!(turned.get_pixel(19, 0).0[0] > 100, "the left top corner is at the right top now");
    }

    /// A picture with something in every row, and much more of it than of headers.
    fn picture() -> RgbImage {
        RgbImage::from_fn(960, 640, |x, y| image::Rgb([(x / 4) as u8, (y / 3) as u8, ((x ^ y) / 8) as u8]))
    }

    fn written(format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(Vec::new());
        picture().write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    fn read(bytes: &[u8]) -> anyhow::Result<Picture> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        upright(file.path())
    }

    #[test]
    fn half_a_file_gives_the_half_that_is_there_and_says_so() {
        for format in [ImageFormat::Jpeg, ImageFormat::Png, ImageFormat::Bmp] {
            let whole = written(format);
            assert!(!read(&whole).unwrap().truncated, "{format:?}");
            let half = read(&whole[..whole.len() / 2]).unwrap();
            assert!(half.truncated, "{format:?}");
            assert_eq!(half.pixels.dimensions(), (960, 640));
            // A bitmap begins with its last row.
            let row = if format == ImageFormat::Bmp { 639 } else { 0 };
            let off = |x| {
                let pair = half.pixels.get_pixel(x, row).0.into_iter().zip(picture().get_pixel(x, row).0);
                pair.map(|(a, b)| u32::from(a.abs_diff(b))).sum::<u32>()
            };
            let off = (0..960).map(off).sum::<u32>() / 960;
            assert!(off < 30, "{format:?}: the first rows are there, off by {off}");
        }
    }

    #[test]
    fn the_end_of_a_thumbnail_is_not_the_end_of_a_jpeg() {
        let whole = written(ImageFormat::Jpeg);
        let thumbnail = b"\xff\xe1\x00\x08\xff\xd8\xff\xd9ab";
        let with = [&whole[..2], thumbnail, &whole[2..]].concat();
        assert!(jpeg_has_its_end(&with));
        assert!(!jpeg_has_its_end(&with[..with.len() - 2]));
        for length in (0..whole.len()).step_by(7) {
            assert!(!jpeg_has_its_end(&whole[..length]), "{length}");
        }
    }
}
