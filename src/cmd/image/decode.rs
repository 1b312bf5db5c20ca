//! A still image, as the photographer saw it.

use std::fs::File;
use std::io::BufReader;
use std::path::Path;

use anyhow::Context;
use image::{DynamicImage, ImageDecoder, ImageReader, RgbImage};

/// Widest and highest picture: beyond it a file is more likely made to exhaust memory than taken by a camera.
const MOST_PIXELS_A_SIDE: u32 = 20_000;

/// Reads an image, turned by its EXIF orientation, as R, G, B. The kind is told by the contents, not by the name.
pub(in crate::cmd) fn upright(path: &Path) -> anyhow::Result<RgbImage> {
    let file = File::open(path).context("cannot be read")?;
    let mut reader = ImageReader::new(BufReader::new(file)).with_guessed_format().context("cannot be read")?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(MOST_PIXELS_A_SIDE);
    limits.max_image_height = Some(MOST_PIXELS_A_SIDE);
    reader.limits(limits);
    let unreadable = "not a readable image (JPEG, PNG, WebP or BMP)";
    let mut decoder = reader.into_decoder().context(unreadable)?;
    let orientation = decoder.orientation().context(unreadable)?;
    let mut picture = DynamicImage::from_decoder(decoder).context(unreadable)?;
    picture.apply_orientation(orientation);
    Ok(picture.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_image_is_told_so() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.jpg");
        std::fs::write(&file, b"no image").unwrap();
        assert!(format!("{:#}", upright(&file).unwrap_err()).contains("not a readable image"));
        assert!(format!("{:#}", upright(&folder.path().join("b.jpg")).unwrap_err()).contains("cannot be read"));
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
        let turned = upright(&file).unwrap();
        assert_eq!(turned.dimensions(), (20, 40));
        assert!(turned.get_pixel(19, 0).0[0] > 100, "the left top corner is at the right top now");
    }
}
