//! JPEG pictures out of a stream of bytes, by their own markers. Pure.
//!
//! This is what makes Motion JPEG over HTTP work whatever surrounds the pictures. The framing of cameras lies: no first
//! boundary, boundaries with too many dashes, too few or another name, no `Content-Length` or a wrong one, bare line
//! feeds, part headers of any length, or no multipart at all. Parsers of multipart (`multer` and its like are made for
//! forms) insist on all of that. A JPEG says itself where it ends, so the framing is not read: everything between the
//! end of one picture and the begin of the next is skipped.
//!
//! A picture without an end (the next one begins before) is given as far as it goes, closed, as ffmpeg does: some
//! cameras never send the end marker. One that breaks before its first scan holds no picture and is counted as broken.

use bytes::{Bytes, BytesMut};

/// A picture longer than this is none.
const LONGEST: usize = 32 << 20;
/// Bytes between two segments that do no harm.
const STRAY: usize = 16;
/// How far back from the next picture the text around a cut picture is looked for.
const FRAMING: usize = 16 << 10;

const SOI: u8 = 0xd8;
const EOI: u8 = 0xd9;
const SOS: u8 = 0xda;

/// One picture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Picture {
    /// A JPEG that ends with an end marker.
    pub(crate) data: Bytes,
    /// Whether that marker was there.
    pub(crate) whole: bool,
}

impl Picture {
    /// How many colours each of its pixels is made of: 1 for grey, 3, or 4 for print (CMYK); `None`: it does not tell.
    pub(crate) fn colours(&self) -> Option<u8> {
        let mut rest = self.data.get(2..)?;
        loop {
            match *rest {
                [0xff, 0xff, ..] => rest = &rest[1..],
                // A frame's header: length, precision, height, width, and then the number.
                [0xff, marker, _, _, _, _, _, _, _, colours, ..] if is_frame(marker) => return Some(colours),
                [0xff, SOS | EOI, ..] | [] => return None,
                [0xff, _, high, low, ..] => {
                    rest = rest.get(2 + usize::from(u16::from_be_bytes([high, low])).max(2)..)?;
                }
                [_, ..] => rest = &rest[1..],
            }
        }
    }
}

/// Start of frame, of any coding.
fn is_frame(marker: u8) -> bool {
    matches!(marker, 0xc0..=0xcf) && !matches!(marker, 0xc4 | 0xc8 | 0xcc)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Between pictures.
    Outside,
    /// Where a marker has to be. So many stray bytes were passed.
    Segments { stray: usize },
    /// In a scan's coded data.
    Scan,
}

/// Takes bytes in pieces of any size and gives pictures.
#[derive(Debug)]
pub(crate) struct Scanner {
    /// From the begin of the picture in work, or what may become one.
    held: BytesMut,
    /// How far `held` is understood.
    at: usize,
    place: Place,
    /// Whether the picture in work has had a scan.
    scanned: bool,
    broken: u64,
}

impl Scanner {
    pub(crate) fn new() -> Self {
        Self { held: BytesMut::new(), at: 0, place: Place::Outside, scanned: false, broken: 0 }
    }

    /// More of the stream. [`Self::next`] is to be called until it has nothing more.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.held.extend_from_slice(bytes);
    }

    /// The next picture; `None`: more bytes are needed.
    pub(crate) fn next(&mut self) -> Option<Picture> {
        loop {
            if self.at > LONGEST && self.place != Place::Outside {
                let _ = self.held.split_to(self.at);
                self.broken += 1;
                self.place = Place::Outside;
            }
            let found = match self.place {
                Place::Outside => self.find_begin(),
                Place::Segments { stray } => self.segment(stray),
                Place::Scan => self.scan(),
            };
            match found {
                Step::Picture(picture) => return Some(picture),
                Step::On => {}
                Step::More => return None,
            }
        }
    }

    /// The stream has ended: what is left of a picture that was cut off. To be called until it has nothing more.
    pub(crate) fn finish(&mut self) -> Option<Picture> {
        loop {
            if let Some(picture) = self.next() {
                return Some(picture);
            }
            if self.place == Place::Outside {
                return None;
            }
            if self.place == Place::Scan {
                self.at = self.held.len();
            }
            if let Step::Picture(picture) = self.cut() {
                return Some(picture);
            }
        }
    }

    /// Pictures so far of which nothing can be shown.
    pub(crate) fn broken(&self) -> u64 {
        self.broken
    }

    /// Looks for a start marker and the first byte of another; drops what is before.
    fn find_begin(&mut self) -> Step {
        let Some(begin) = begin_in(&self.held) else {
            // The last two bytes may be the first of a begin.
            let _ = self.held.split_to(self.held.len().saturating_sub(2));
            return Step::More;
        };
        let _ = self.held.split_to(begin);
        self.at = 2;
        self.scanned = false;
        self.place = Place::Segments { stray: 0 };
        Step::On
    }

    fn segment(&mut self, stray: usize) -> Step {
        let rest = &self.held[self.at..];
        match *rest {
            [] | [0xff] => Step::More,
            [0xff, 0xff, ..] => self.pass(1, stray),
            [0xff, EOI, ..] => self.end(),
            [0xff, 0x00 | SOI, ..] => self.cut(),
            // Markers without content.
            [0xff, 0x01 | 0xd0..=0xd7, ..] => self.pass(2, 0),
            [0xff, _] | [0xff, _, _] => Step::More,
            [0xff, marker, high, low, ..] => {
                let length = 2 + usize::from(u16::from_be_bytes([high, low]));
                if length < 4 {
                    return self.cut();
                }
                let Some(segment) = rest.get(..length) else { return Step::More };
                // Applications' segments may hold a small picture of their own; in others a begin means that this one
                // was cut and the length counts into the next.
                let foreign = self.scanned || !matches!(marker, 0xe0..=0xef | 0xfe);
                if foreign && begin_in(segment).is_some() {
                    return self.cut();
                }
                self.at += length;
                self.scanned |= marker == SOS;
                self.place = if marker == SOS { Place::Scan } else { Place::Segments { stray: 0 } };
                Step::On
            }
            [_, ..] if stray < STRAY => self.pass(1, stray + 1),
            [_, ..] => self.cut(),
        }
    }

    fn pass(&mut self, bytes: usize, stray: usize) -> Step {
        self.at += bytes;
        self.place = Place::Segments { stray };
        Step::On
    }

    /// Goes to the next marker that ends a scan's data.
    fn scan(&mut self) -> Step {
        while let Some(step) = self.held[self.at..].iter().position(|&byte| byte == 0xff) {
            self.at += step;
            match self.held.get(self.at + 1) {
                None => return Step::More,
                Some(0xff) => self.at += 1,
                Some(0x00 | 0x01 | 0xd0..=0xd7) => self.at += 2,
                Some(&SOI) => return self.cut(),
                Some(&EOI) => return self.end(),
                Some(_) => {
                    self.place = Place::Segments { stray: 0 };
                    return Step::On;
                }
            }
        }
        self.at = self.held.len();
        Step::More
    }

    /// The end marker is at `at`.
    fn end(&mut self) -> Step {
        if !self.scanned {
            return self.cut();
        }
        let data = self.held.split_to(self.at + 2).freeze();
        self.place = Place::Outside;
        Step::Picture(Picture { data, whole: true })
    }

    /// The picture in work goes on to `at` at most and has no end. After its first scan it is closed there; before,
    /// there is nothing to show. What was understood is not looked at again: a small picture in it is not this one.
    fn cut(&mut self) -> Step {
        self.place = Place::Outside;
        let mut data = self.held.split_to(self.at);
        if !self.scanned {
            self.broken += 1;
            return Step::On;
        }
        data.truncate(without_framing(&data));
        data.extend_from_slice(&[0xff, EOI]);
        Step::Picture(Picture { data: data.freeze(), whole: false })
    }
}

enum Step {
    Picture(Picture),
    /// Something was understood: go on.
    On,
    /// More bytes are needed.
    More,
}

/// Where a picture begins: a start marker and the first byte of the next one.
fn begin_in(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|window| window == [0xff, SOI, 0xff])
}

/// Length of a cut picture without the text that a multipart stream has put behind it: the line break, boundary and
/// part headers, which all are printable.
fn without_framing(data: &[u8]) -> usize {
    let earliest = data.len().saturating_sub(FRAMING);
    let text = data.iter().rposition(|&byte| !matches!(byte, b'\t' | b'\r' | b'\n' | 0x20..=0x7e));
    let text = text.map_or(0, |last| last + 1).max(earliest);
    let Some(line) = data[text..].iter().position(|&byte| matches!(byte, b'\r' | b'\n')) else { return data.len() };
    text + line
}

#[cfg(test)]
#[path = "jpeg_tests.rs"]
mod tests;
