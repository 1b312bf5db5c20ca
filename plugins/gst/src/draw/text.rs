//! One line of text, set in Noto Sans (SIL Open Font License, embedded by the crate `notosans`).

use std::sync::LazyLock;

use ab_glyph::{Font, FontRef, GlyphId, PxScale, ScaleFont, point};

use super::bitmap::{Bitmap, Color};

/// Weight of the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Weight {
    Regular,
    Bold,
}

/// A font that does not parse draws nothing; a test holds that both do.
fn font(weight: Weight) -> Option<&'static FontRef<'static>> {
    static REGULAR: LazyLock<Option<FontRef<'static>>> =
        LazyLock::new(|| FontRef::try_from_slice(notosans::REGULAR_TTF).ok());
    static BOLD: LazyLock<Option<FontRef<'static>>> =
        LazyLock::new(|| FontRef::try_from_slice(notosans::BOLD_TTF).ok());
    match weight {
        Weight::Regular => REGULAR.as_ref(),
        Weight::Bold => BOLD.as_ref(),
    }
}

/// The scale at which the em square has `em` pixels: `ab_glyph` counts from ascent to descent.
fn scale(font: &FontRef<'_>, em: f32) -> PxScale {
    let units = font.units_per_em().unwrap_or(1000.0);
    PxScale::from(font.height_unscaled() * em / units)
}

/// Places the glyphs of `text` from `x` = 0 on and gives the end of the last.
fn lay_out(
    text: &str,
    weight: Weight,
    em: f32,
    mut place: impl FnMut(&FontRef<'static>, GlyphId, PxScale, f32),
) -> f32 {
    let Some(font) = font(weight) else { return 0.0 };
    let scale = scale(font, em);
    let scaled = font.as_scaled(scale);
    let mut x = 0.0;
    let mut last = None;
    for letter in text.chars() {
        let glyph = font.glyph_id(letter);
        if let Some(last) = last {
            x += scaled.kern(last, glyph);
        }
        place(font, glyph, scale, x);
        x += scaled.h_advance(glyph);
        last = Some(glyph);
    }
    x
}

/// Width of `text` in pixels.
pub(crate) fn width(text: &str, weight: Weight, em: f32) -> f32 {
    lay_out(text, weight, em, |_, _, _, _| {})
}

/// Height of capital letters, for setting text in the middle of a line. 0.714 em by the font's OS/2 table.
pub(crate) fn cap_height(em: f32) -> f32 {
    0.714 * em
}

/// Draws `text` with its left end at `x` and its foot at `baseline`.
pub(crate) fn draw(bitmap: &mut Bitmap, at: [f32; 2], text: &str, weight: Weight, em: f32, color: Color) {
    let [left, baseline] = at;
    lay_out(text, weight, em, |font, glyph, scale, x| {
        let glyph = glyph.with_scale_and_position(scale, point(left + x, baseline));
        let Some(outline) = font.outline_glyph(glyph) else { return };
        let bounds = outline.px_bounds();
        let (x0, y0) = (bounds.min.x as i64, bounds.min.y as i64);
        outline.draw(|x, y, coverage| bitmap.over(x0 + i64::from(x), y0 + i64::from(y), color, coverage));
    });
}

/// `text`, shortened with an ellipsis until it is at most `room` pixels wide.
pub(crate) fn shorten(text: &str, weight: Weight, em: f32, room: f32) -> String {
    if width(text, weight, em) <= room {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    while kept.pop().is_some() {
        let shorter = kept.iter().collect::<String>().trim_end().to_owned() + "…";
        if width(&shorter, weight, em) <= room {
            return shorter;
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_fonts_have_our_letters() {
        for weight in [Weight::Regular, Weight::Bold] {
            let font = font(weight).unwrap();
            for letter in "Mask no incorrect 0123456789%?:-·…ÄéßЖ".chars().filter(|c| *c != ' ') {
                assert_ne!(font.glyph_id(letter).0, 0, "{letter}");
            }
        }
    }

    #[test]
    fn width_grows_with_text_and_size() {
        assert!(width("No mask 97%", Weight::Bold, 12.0) > width("Mask 97%", Weight::Bold, 12.0));
        let (small, large) = (width("Mask", Weight::Bold, 12.0), width("Mask", Weight::Bold, 24.0));
        assert!((large / small - 2.0).abs() < 0.01);
        // Digits are of one width: the clock does not jump.
        assert_eq!(width("11:11", Weight::Regular, 20.0), width("08:56", Weight::Regular, 20.0));
    }

    #[test]
    fn text_leaves_ink_inside_its_box() {
        let mut bitmap = Bitmap::new(60, 20);
        draw(&mut bitmap, [2.0, 15.0], "Mask", Weight::Bold, 14.0, [255, 255, 255, 255]);
        let ink = (0..20).flat_map(|y| (0..60).map(move |x| (x, y))).filter(|(x, y)| bitmap.pixel(*x, *y)[3] > 128);
        assert!(ink.count() > 60);
    }

    #[test]
    fn shortening_ends_within_the_room() {
        let text = "camera-of-the-north-gate";
        let short = shorten(text, Weight::Bold, 14.0, 80.0);
        assert!(short.ends_with('…') && width(&short, Weight::Bold, 14.0) <= 80.0);
        assert_eq!(shorten(text, Weight::Bold, 14.0, 1000.0), text);
        assert_eq!(shorten(text, Weight::Bold, 14.0, 1.0), "");
    }
}
