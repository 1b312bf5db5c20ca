//! What the codecs have in common: how units are cut, how slices lie, how far the last beginning is.

use memchr::memmem;

/// Where the size of the lengths stands in the configuration record of H.264, and in that of H.265.
pub(super) const AVCC_LENGTH: usize = 4;
pub(super) const HVCC_LENGTH: usize = 21;
/// Pictures in a row whose slices lie alike, until a picture is known to be whole by it.
const STEADY: u32 = 8;

/// How NAL units are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    StartCodes,
    /// Each stands behind its length, of so many bytes.
    Lengths(usize),
}

impl Framing {
    /// The configuration record has the size of lengths in the lowest two bits of the byte at `place`; mostly it is 4.
    pub(super) fn of_record(record: Option<&[u8]>, place: usize) -> Self {
        Self::Lengths(record.and_then(|record| record.get(place)).map_or(4, |byte| usize::from(byte & 3) + 1))
    }

    /// The NAL units of `data`, none of them empty.
    pub(super) fn split(self, data: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = if self == Self::StartCodes { after_start_code(data).unwrap_or(&[]) } else { data };
        std::iter::from_fn(move || {
            loop {
                let nal;
                (nal, rest) = match self {
                    Self::StartCodes => until_start_code(rest),
                    Self::Lengths(size) => by_length(rest, size),
                };
                if !nal.is_empty() || rest.is_empty() {
                    return (!nal.is_empty()).then_some(nal);
                }
            }
        })
    }
}

fn after_start_code(data: &[u8]) -> Option<&[u8]> {
    memmem::find(data, &[0, 0, 1]).map(|at| &data[at + 3..])
}

fn until_start_code(data: &[u8]) -> (&[u8], &[u8]) {
    let end = memmem::find(data, &[0, 0, 1]);
    let nal = &data[..end.unwrap_or(data.len())];
    // The zero of a longer start code, and trailing ones, belong to nobody.
    let length = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    (&nal[..length], end.map_or(&[], |end| &data[end + 3..]))
}

fn by_length(data: &[u8], size: usize) -> (&[u8], &[u8]) {
    let Some((length, rest)) = data.split_at_checked(size) else { return (&[], &[]) };
    let length = length.iter().fold(0, |length, &byte| length << 8 | usize::from(byte));
    rest.split_at_checked(length).unwrap_or((rest, &[]))
}

/// Gives the parameter sets of H.264's configuration record.
pub(super) fn avcc_sets(record: &[u8], mut learn: impl FnMut(&[u8])) {
    let mut rest = record.get(5..).unwrap_or(&[]);
    for mask in [0x1f, 0xff] {
        let Some((&count, after)) = rest.split_first() else { return };
        rest = after;
        for _ in 0..count & mask {
            let nal;
            (nal, rest) = by_length(rest, 2);
            learn(nal);
        }
    }
}

/// Gives the parameter sets of H.265's configuration record.
pub(super) fn hvcc_sets(record: &[u8], mut learn: impl FnMut(&[u8])) {
    let Some((&arrays, mut rest)) = record.get(22..).and_then(<[u8]>::split_first) else { return };
    for _ in 0..arrays {
        let Some((head, after)) = rest.split_at_checked(3) else { return };
        rest = after;
        for _ in 0..u16::from_be_bytes([head[1], head[2]]) {
            let nal;
            (nal, rest) = by_length(rest, 2);
            learn(nal);
        }
    }
}

/// Begins and ends as a JPEG does: a depayloader begins again at a gap.
pub(super) fn is_whole_jpeg(data: &[u8]) -> bool {
    data.starts_with(&[0xff, 0xd8]) && data.ends_with(&[0xff, 0xd9])
}

/// How the slices lie in the pictures of a stream.
#[derive(Debug, Default)]
pub(super) struct SliceStarts {
    /// Beginnings of the slices of the last picture that is whole.
    last: Vec<u32>,
    /// Pictures in a row whose slices lie like that.
    steady: u32,
    /// Most slices of one picture.
    most: usize,
}

impl SliceStarts {
    /// Whether a picture has all of its slices, as far as can be said; else it has not. `lost`: something of
    /// it, or before it, is missing.
    pub(super) fn is_whole(&mut self, starts: &[u32], lost: bool) -> bool {
        let alike = self.last == starts;
        if lost {
            // A slice has lost nothing, or it would not be here.
            return if self.most <= 1 { starts == [0] } else { alike && self.steady >= STEADY };
        }
        self.most = self.most.max(starts.len());
        self.steady = if alike { self.steady.saturating_add(1) } else { 0 };
        if !alike {
            self.last.clear();
            self.last.extend_from_slice(starts);
        }
        true
    }
}

/// How far the last beginning of the numbering is.
#[derive(Debug, Default)]
pub(super) struct Span {
    /// Pictures that came since then, the first included; none before the first beginning.
    came: Option<u64>,
    /// Packets lost since then.
    lost: u64,
    /// Pictures from one beginning to the next.
    usual: Option<u64>,
}

impl Span {
    /// Whether numbering may have begun again, or come round, within what was lost: then it tells nothing. Each packet
    /// may have been a picture.
    pub(super) fn may_be_left(&self, lost: u64, modulus: u64) -> bool {
        let due = self.came.zip(self.usual).is_some_and(|(came, usual)| came + self.lost + lost > usual);
        lost > 0 && (due || lost >= modulus)
    }

    pub(super) fn count(&mut self, lost: u64, entry: bool) {
        self.lost += lost;
        if entry {
            self.usual = if self.lost == 0 { self.came } else { self.usual.or(self.came) };
            (self.came, self.lost) = (Some(1), 0);
        } else if let Some(came) = &mut self.came {
            *came += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn units_are_cut_alike_in_both_framings() {
        let nals: [&[u8]; 3] = [&[0x67, 1, 2], &[0x68, 3], &[0x65, 0, 0, 3, 9]];
        let codes = [&[0, 0, 0, 1][..], nals[0], &[0, 0, 0, 1], nals[1], &[0, 0, 1], nals[2], &[0]].concat();
        assert_eq!(Framing::StartCodes.split(&codes).collect::<Vec<_>>(), nals);
        for size in [1, 2, 4] {
            let prefix = |nal: &[u8]| (nal.len() as u32).to_be_bytes()[4 - size..].to_vec();
            let data: Vec<u8> = nals.iter().flat_map(|nal| [prefix(nal), nal.to_vec()].concat()).collect();
            assert_eq!(Framing::Lengths(size).split(&data).collect::<Vec<_>>(), nals);
        }
    }

    #[test]
    fn records_tell_sets_and_the_size_of_lengths() {
        let avcc = [1, 100, 0, 31, 0xff, 0xe1, 0, 2, 0x67, 1, 1, 0, 3, 0x68, 2, 3];
        let mut seen = Vec::new();
        avcc_sets(&avcc, |nal| seen.push(nal.to_vec()));
        assert_eq!(seen, [vec![0x67, 1], vec![0x68, 2, 3]]);
        assert_eq!(Framing::of_record(Some(&avcc), AVCC_LENGTH), Framing::Lengths(4));
        let mut hvcc = vec![0; 21];
        hvcc.extend([0x0d, 2, 0xa1, 0, 1, 0, 2, 0x42, 1, 0xa2, 0, 1, 0, 2, 0x44, 1]);
        seen.clear();
        hvcc_sets(&hvcc, |nal| seen.push(nal.to_vec()));
        assert_eq!(seen, [[0x42, 1], [0x44, 1]]);
        assert_eq!(Framing::of_record(Some(&hvcc), HVCC_LENGTH), Framing::Lengths(2));
    }

    #[test]
    fn a_picture_of_several_slices_is_whole_when_they_lie_as_ever() {
        let mut layout = SliceStarts::default();
        assert!(layout.is_whole(&[0], true), "of one slice: it is here");
        assert!(!layout.is_whole(&[20], true), "its first slice is missing");
        for _ in 0..10 {
            assert!(layout.is_whole(&[0, 20, 40], false));
        }
        assert!(layout.is_whole(&[0, 20, 40], true), "another picture was lost");
        for starts in [&[0, 20][..], &[0, 40], &[20, 40], &[0]] {
            assert!(!layout.is_whole(starts, true), "{starts:?}");
        }
        assert!(layout.is_whole(&[0, 20, 40], true));
        // Slices of a size in bytes: nothing is known.
        layout.is_whole(&[0, 17, 44], false);
        assert!(!layout.is_whole(&[0, 17, 44], true));
    }

    #[test]
    fn a_beginning_that_may_be_among_the_lost_is_thought_of() {
        let mut span = Span::default();
        for _ in 0..2 {
            (0..10).for_each(|n| span.count(0, n == 0));
        }
        assert!(!span.may_be_left(0, 16), "nothing is lost");
        assert!(span.may_be_left(1, 16), "the eleventh is a keyframe");
        span.count(0, true);
        assert!(!span.may_be_left(9, 16));
        assert!(span.may_be_left(9, 8), "the numbers came round");
        assert!(span.may_be_left(10, 16));
    }

    proptest! {
        /// Whatever comes, it is cut without a panic and nothing is empty.
        #[test]
        fn any_bytes_are_cut(data in prop::collection::vec(0u8..4, 0..200)) {
            for framing in [Framing::StartCodes, Framing::Lengths(1), Framing::Lengths(4)] {
                prop_assert!(framing.split(&data).all(|nal| !nal.is_empty()));
            }
            avcc_sets(&data, |_| {});
            hvcc_sets(&data, |_| {});
        }
    }
}
