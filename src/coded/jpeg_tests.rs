//! Pictures are found whatever surrounds them, and whatever they lack.

use proptest::prelude::*;

use super::*;

/// A JPEG in outline: an application's segment with a small picture inside, tables, a scan with stuffed bytes and
/// a restart, a second scan.
fn jpeg(seed: u8) -> Vec<u8> {
    let mut data = vec![0xff, SOI, 0xff, 0xe1, 0x00, 0x0a, 0xff, SOI, 0xff, 0xdb, 0xff, EOI, seed, seed];
    data.extend([0xff, 0xdb, 0x00, 0x04, 1, 2, 0xff, 0xff, SOS, 0x00, 0x03, 0]);
    data.extend([seed & 0x7f, 0xff, 0x00, 7, 0xff, 0xd0, 9, b'\n', 3, 0xff, SOS, 0x00, 0x03, 0, 1, 2, 0xff, EOI]);
    data
}

/// All pictures of a stream that comes in pieces of these lengths.
fn pictures(stream: &[u8], pieces: &[usize]) -> (Vec<Picture>, u64) {
    let mut scanner = Scanner::new();
    let mut found = Vec::new();
    let mut rest = stream;
    let mut lengths = pieces.iter().copied().cycle();
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(lengths.next().unwrap_or(rest.len()).clamp(1, rest.len()));
        scanner.push(piece);
        found.extend(std::iter::from_fn(|| scanner.next()));
        rest = later;
    }
    found.extend(std::iter::from_fn(|| scanner.finish()));
    (found, scanner.broken())
}

fn whole(seed: u8) -> Picture {
    Picture { data: jpeg(seed).into(), whole: true }
}

#[test]
fn whatever_surrounds_them_pictures_are_found() {
    let long = format!("--foo\r\nX-Junk: {}\r\n\r\n", "z".repeat(60_000));
    for (before, after) in [
        ("--foo\r\nContent-Type: image/jpeg\r\nContent-Length: 44\r\n\r\n", "\r\n"),
        ("foo\nContent-Type: image/jpeg\nContent-Length: 999999\n\n", "\n"),
        ("Content-Type: image/jpeg\r\n\r\n", "\r\n--foo\r\n"),
        ("--foo\r\n\r\n", ""),
        ("", ""),
        ("some preamble text\r\n----foo\r\n\r\n", "\0\0\0\0"),
        (&long, "\r\n"),
    ] {
        let mut stream = Vec::new();
        for seed in 1..4 {
            stream.extend_from_slice(before.as_bytes());
            stream.extend(jpeg(seed));
            stream.extend_from_slice(after.as_bytes());
        }
        assert_eq!(pictures(&stream, &[4096]), (vec![whole(1), whole(2), whole(3)], 0), "{before:?}");
    }
}

#[test]
fn a_picture_without_an_end_is_closed_where_the_text_begins() {
    let half = &jpeg(5)[..32];
    let mut stream = half.to_vec();
    stream.extend_from_slice(b"\r\n--foo\r\nContent-Type: image/jpeg\r\n\r\n");
    stream.extend(jpeg(6));
    stream.extend_from_slice(half);
    let closed = Picture { data: [half, &[0xff, EOI]].concat().into(), whole: false };
    assert_eq!(pictures(&stream, &[7]), (vec![closed.clone(), whole(6), closed], 0));
}

#[test]
fn one_that_is_cut_in_its_tables_is_counted_and_swallows_nothing() {
    for cut in 3..24 {
        let mut stream = jpeg(1)[..cut].to_vec();
        stream.extend_from_slice(b"\r\n--foo\r\nContent-Type: image/jpeg\r\n\r\n");
        (2..6).for_each(|seed| stream.extend(jpeg(seed)));
        let (found, broken) = pictures(&stream, &[5]);
        let later = [whole(2), whole(3), whole(4), whole(5)];
        assert_eq!((found.as_slice(), broken), (&later[..], 1), "cut at {cut}");
    }
}

#[test]
fn colours_are_counted_where_the_frame_tells_them() {
    let mut data = jpeg(1)[..20].to_vec();
    assert_eq!(Picture { data: data.clone().into(), whole: false }.colours(), None);
    data.extend([0xff, 0xc2, 0x00, 0x14, 8, 0, 16, 0, 16, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(Picture { data: data.into(), whole: true }.colours(), Some(4));
    assert_eq!(whole(7).colours(), None);
}

#[test]
fn endless_pictures_do_not_grow_for_ever() {
    let mut scanner = Scanner::new();
    scanner.push(&jpeg(1)[..30]);
    for _ in 0..(LONGEST / (1 << 20) + 2) {
        scanner.push(&vec![1; 1 << 20]);
        assert_eq!(scanner.next(), None);
        assert!(scanner.held.len() <= LONGEST + (1 << 20));
    }
    assert_eq!((scanner.broken(), scanner.held.len()), (1, 2), "all but what may begin a picture is gone");
    scanner.push(&jpeg(2));
    assert_eq!(scanner.next(), Some(whole(2)));
}

proptest! {
    #[test]
    fn any_split_gives_the_same_pictures(
        parts in prop::collection::vec((prop::collection::vec(0u8..0x80, 0..40), 0u8..=255, 0usize..44), 0..6),
        pieces in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut stream = Vec::new();
        for (text, seed, cut) in parts {
            stream.extend(text);
            let data = jpeg(seed);
            // One in three is cut.
            stream.extend_from_slice(if seed % 3 == 0 { &data[..cut] } else { &data });
        }
        prop_assert_eq!(pictures(&stream, &pieces), pictures(&stream, &[stream.len().max(1)]));
    }

    #[test]
    fn text_between_pictures_costs_none(
        texts in prop::collection::vec(prop::collection::vec(0u8..0xff, 0..200), 1..6),
        pieces in prop::collection::vec(1usize..50, 1..20),
    ) {
        let mut stream = Vec::new();
        let mut sent = Vec::new();
        for (seed, text) in (0u8..).zip(texts) {
            stream.extend(text);
            stream.extend(jpeg(seed));
            sent.push(whole(seed));
        }
        prop_assert_eq!(pictures(&stream, &pieces), (sent, 0));
    }

    #[test]
    fn garbage_is_survived_and_what_comes_out_is_framed(
        stream in prop::collection::vec(prop_oneof![3 => Just(0xffu8), 1 => Just(SOI), 1 => Just(SOS),
            1 => Just(EOI), 4 => 0u8..=255], 0..600),
        pieces in prop::collection::vec(1usize..50, 1..20),
    ) {
        let (found, _) = pictures(&stream, &pieces);
        for picture in found {
            prop_assert!(picture.data.starts_with(&[0xff, SOI, 0xff]) && picture.data.ends_with(&[0xff, EOI]));
            prop_assert!(picture.data.len() <= stream.len() + 2);
            let _ = picture.colours();
        }
    }
}
