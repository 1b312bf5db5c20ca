//! Bytes of a file as text: UTF-8 with or without a byte order mark, or UTF-16 (what some Windows programs save).

use std::borrow::Cow;

/// Where the bytes are no text: the line, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct NoText {
    pub line: usize,
}

/// The text, without a byte order mark.
pub(super) fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, NoText> {
    // Without a mark, UTF-16 shows by every second byte of its first characters, which are ASCII in what we read.
    match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [1..=255, 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, 1..=255, ..] => utf16(bytes, u16::from_be_bytes),
        [0xef, 0xbb, 0xbf, rest @ ..] => utf8(rest),
        _ => utf8(bytes),
    }
}

fn utf8(bytes: &[u8]) -> Result<Cow<'_, str>, NoText> {
    let line_of = |index: usize| 1 + bytes.iter().take(index).filter(|byte| **byte == b'\n').count();
    std::str::from_utf8(bytes).map(Cow::Borrowed).map_err(|error| NoText { line: line_of(error.valid_up_to()) })
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Result<Cow<'static, str>, NoText> {
    let (pairs, odd) = bytes.as_chunks::<2>();
    let mut text = String::with_capacity(pairs.len());
    for character in char::decode_utf16(pairs.iter().map(|pair| unit(*pair))) {
        match character {
            Ok(character) => text.push(character),
            Err(_) => return Err(NoText { line: lines(&text) }),
        }
    }
    if odd.is_empty() { Ok(Cow::Owned(text)) } else { Err(NoText { line: lines(&text) }) }
}

/// The line that comes next, from 1.
fn lines(text: &str) -> usize {
    1 + text.matches('\n').count()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn units(text: &str, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        text.encode_utf16().flat_map(bytes).collect()
    }

    proptest! {
        #[test]
        fn every_encoding_gives_the_same_text(rest in "\\PC{0,40}") {
            // What a configuration begins with.
            let text = format!("a{rest}\n");
            let marked = format!("\u{feff}{text}");
            for bytes in [
                text.clone().into_bytes(),
                marked.clone().into_bytes(),
                units(&text, u16::to_le_bytes),
                units(&text, u16::to_be_bytes),
                units(&marked, u16::to_le_bytes),
                units(&marked, u16::to_be_bytes),
            ] {
                prop_assert_eq!(decode(&bytes).map(Cow::into_owned), Ok(text.clone()));
            }
        }

        #[test]
        fn no_bytes_are_too_odd(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let _ = decode(&bytes);
        }
    }

    #[test]
    fn what_is_no_text_has_its_line() {
        assert_eq!(decode(b"a\nb\xfc\n"), Err(NoText { line: 2 }));
        assert_eq!(decode(b"\xff\xfea\0\n\0b"), Err(NoText { line: 2 }));
        assert_eq!(decode(b"\xff\xfea\0\x00\xd8a\0"), Err(NoText { line: 1 }));
        assert_eq!(decode(b""), Ok(Cow::Borrowed("")));
    }
}
