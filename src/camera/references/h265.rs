//! H.265 lists for each picture the references that have to be there: the list tells what is missing.
//!
//! The sequence's parameter set is read by `scuffle-h265`; it knows no slices, whose first few fields are needed.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;

use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, ByteReader};
use scuffle_h265::{SpsNALUnit, SpsRbsp};

use super::{Coded, Content, Lack, Verdict};

/// A slice's header ends before, as far as it is read.
const HEAD: usize = 160;
/// Both bytes of a unit's header.
const HEADER: NonZeroUsize = NonZeroUsize::new(2).unwrap();
/// Most references of a picture.
const MOST: usize = 16;
const RADL: std::ops::RangeInclusive<u8> = 6..=7;
const RASL: std::ops::RangeInclusive<u8> = 8..=9;
/// First of the types of which pictures are references.
const IRAP: u8 = 16;
const CRA: u8 = 21;
const LAST_IRAP: u8 = 23;
const LAST_SLICE: u8 = 31;
const SPS: u8 = 33;
const PPS: u8 = 34;

/// What is known of the pictures that came.
#[derive(Default)]
pub(super) struct H265 {
    sequences: BTreeMap<u64, Sequence>,
    pictures: BTreeMap<u32, PictureSet>,
    now: Head,
    /// Places in the order of showing of the pictures that came, and that are kept for later ones.
    present: Vec<i64>,
    /// Place of the last picture that others count from.
    anchor: i64,
    /// Decoding began with a keyframe that pictures before it would have to come before.
    anew: bool,
}

/// Of a sequence parameter set, what slices need to be read.
struct Sequence {
    order_bits: u32,
    colour_planes: bool,
    address_bits: u32,
    sets: Vec<Vec<Reference>>,
    /// Orders of long-term references, and whether they are used by the picture.
    long_terms: Option<Vec<(u64, bool)>>,
}

/// Of a picture parameter set the same.
struct PictureSet {
    sequence: u64,
    dependent_slices: bool,
    output_flag: bool,
    extra_bits: u32,
}

/// A reference of a picture, as far before or after it as that.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Reference {
    distance: i64,
    /// Else it is kept for later ones only.
    used: bool,
}

/// A long-term reference.
#[derive(Clone, Copy, Debug, PartialEq)]
struct LongTerm {
    order: u64,
    /// How many rounds before that of this picture, where told.
    rounds: Option<u64>,
    used: bool,
}

/// What the header of a picture's first slice tells.
#[derive(Clone, Debug, Default, PartialEq)]
struct Head {
    kind: u8,
    layer: u8,
    order: u64,
    max_order: i64,
    place: i64,
    references: Vec<Reference>,
    long_terms: Vec<LongTerm>,
}

type Bits<'a> = BitReader<ByteReader<&'a [u8]>>;
type Read<T> = Result<Option<T>, BitReaderError>;

fn bits(nal: &[u8]) -> Bits<'_> {
    BitReader::new(ByteReader::skipping_bytes(nal, HEADER))
}

/// Bits that tell one of so many.
fn bits_of(count: u64) -> u32 {
    count.saturating_sub(1).checked_ilog2().map_or(0, |log| log + 1)
}

impl H265 {
    /// Takes note of a parameter set.
    pub(super) fn learn(&mut self, nal: &[u8]) {
        match nal.first().map(|byte| byte >> 1 & 63) {
            Some(SPS) => {
                // It checks no overflow in nonsense: a build that does is not to end by it.
                if let Ok(Ok(SpsNALUnit { rbsp, .. })) = std::panic::catch_unwind(|| SpsNALUnit::parse(nal)) {
                    self.sequences.insert(rbsp.sps_seq_parameter_set_id, Sequence::of(&rbsp));
                }
            }
            Some(PPS) => {
                if let Ok((id, set)) = PictureSet::read(nal) {
                    self.pictures.insert(id, set);
                }
            }
            _ => {}
        }
    }

    /// Reads the next picture.
    pub(super) fn read<'a>(&mut self, nals: impl Iterator<Item = &'a [u8]>) -> Content {
        let mut coded = Coded::default();
        for nal in nals {
            let Some((&[first, second], _)) = nal.split_first_chunk::<2>() else { continue };
            let kind = first >> 1 & 63;
            if (first & 1) << 5 | second >> 3 != 0 {
                // Another layer: decoders leave it out.
                continue;
            }
            match kind {
                SPS | PPS => self.learn(nal),
                0..=LAST_SLICE => {
                    let slice = self.slice(&nal[..nal.len().min(HEAD)], coded.starts.is_empty());
                    let Ok(Some((start, head))) = slice else { return Content::Unreadable };
                    if let Some(head) = head {
                        coded.entry = (IRAP..CRA).contains(&kind);
                        coded.reference = kind >= IRAP || kind % 2 == 1;
                        // Further away it is not known whether the places are before or after.
                        coded.modulus = head.max_order.unsigned_abs() / 2;
                        self.now = head;
                    }
                    coded.starts.push(start);
                }
                _ => {}
            }
        }
        if coded.starts.is_empty() { Content::NoPicture } else { Content::Picture(coded) }
    }

    /// Where a slice begins, and what it tells of the picture, if wanted. `None`: not known.
    fn slice(&self, nal: &[u8], wanted: bool) -> Read<(u32, Option<Head>)> {
        let mut bits = bits(nal);
        let kind = nal[0] >> 1 & 63;
        let first = bits.read_bit("first_slice_segment_in_pic_flag")?;
        if (IRAP..=LAST_IRAP).contains(&kind) {
            bits.skip(1, "no_output_of_prior_pics_flag")?;
        }
        let picture = self.pictures.get(&bits.read_ue("slice_pic_parameter_set_id")?);
        let Some((picture, sequence)) = picture.and_then(|set| Some((set, self.sequences.get(&set.sequence)?))) else {
            return Ok(None);
        };
        let mut start = 0;
        let mut dependent = false;
        if !first {
            dependent = picture.dependent_slices && bits.read_bit("dependent_slice_segment_flag")?;
            start = bits.read_var(sequence.address_bits, "slice_segment_address")?;
        }
        // A picture whose first slice is a dependent one has lost those before: the numbers are those of the last.
        if !wanted || dependent {
            return Ok(Some((start, wanted.then(|| Head { kind, ..self.now.clone() }))));
        }
        bits.skip(picture.extra_bits, "slice_reserved_flag")?;
        bits.read_ue("slice_type")?;
        bits.skip(u32::from(picture.output_flag), "pic_output_flag")?;
        bits.skip(if sequence.colour_planes { 2 } else { 0 }, "colour_plane_id")?;
        let mut head = Head { kind, layer: nal[1] & 7, max_order: 1 << sequence.order_bits, ..Head::default() };
        if !(19..=20).contains(&kind) {
            head.order = bits.read_var(sequence.order_bits, "slice_pic_order_cnt_lsb")?;
            let Some(references) = sequence.references(&mut bits)? else { return Ok(None) };
            let Some(long_terms) = sequence.long_terms(&mut bits)? else { return Ok(None) };
            (head.references, head.long_terms) = (references, long_terms);
        }
        head.place = self.place(&head);
        Ok(Some((start, Some(head))))
    }

    /// The order counts in rounds: it is the nearest place to that of the anchor.
    fn place(&self, head: &Head) -> i64 {
        let order = i64::try_from(head.order).unwrap_or_default();
        if (IRAP..CRA).contains(&head.kind) {
            return order;
        }
        let round = self.anchor - self.anchor.rem_euclid(head.max_order);
        let ahead = order - self.anchor.rem_euclid(head.max_order);
        let half = head.max_order / 2;
        round
            + order
            + if ahead <= -half {
                head.max_order
            } else if ahead > half {
                -head.max_order
            } else {
                0
            }
    }

    fn wants(&self, place: i64, long_term: LongTerm) -> bool {
        let Head { place: here, max_order, .. } = self.now;
        let order = place.rem_euclid(max_order.max(1));
        let round = |place: i64| place.div_euclid(max_order.max(1));
        i64::try_from(long_term.order) == Ok(order)
            && long_term.rounds.is_none_or(|rounds| i64::try_from(rounds) == Ok(round(here) - round(place)))
    }

    /// What is listed and did not come. A picture that is shown before the keyframe and reaches over it is needed by
    /// none but its like.
    pub(super) fn lack(&self) -> Lack {
        let has = |reference: &Reference| self.present.contains(&(self.now.place + reference.distance));
        let short = self.now.references.iter().filter(|reference| reference.used).all(has);
        let mut long = self.now.long_terms.iter().filter(|long_term| long_term.used);
        if short && long.all(|&wanted| self.present.iter().any(|&place| self.wants(place, wanted))) {
            Lack::Nothing
        } else if self.now.is_reference() && !RASL.contains(&self.now.kind) {
            Lack::Shared
        } else {
            Lack::Own
        }
    }

    pub(super) fn enter(&mut self, anew: bool) {
        self.anew = anew;
        if anew {
            self.present.clear();
        }
    }

    pub(super) fn leads(&self) -> bool {
        self.anew && RASL.contains(&self.now.kind)
    }

    pub(super) fn keep(&mut self, verdict: Verdict) {
        let mut present = std::mem::take(&mut self.present);
        if (IRAP..CRA).contains(&self.now.kind) {
            present.clear();
        }
        present.retain(|&place| {
            let short = |reference: &Reference| self.now.place + reference.distance == place;
            self.now.references.iter().any(short) || self.now.long_terms.iter().any(|&wanted| self.wants(place, wanted))
        });
        // Once what follows is broken, the next keyframe is waited for, not each picture that is built upon this.
        if verdict != Verdict::Damaged {
            present.push(self.now.place);
        }
        self.present = present;
        let Head { kind, layer, place, .. } = self.now;
        if layer == 1 && self.now.is_reference() && !RADL.contains(&kind) && !RASL.contains(&kind) {
            self.anchor = place;
        }
    }
}

impl Head {
    fn is_reference(&self) -> bool {
        self.kind >= IRAP || self.kind % 2 == 1
    }
}

impl Sequence {
    fn of(rbsp: &SpsRbsp) -> Self {
        let sets = &rbsp.short_term_ref_pic_sets;
        let side = |count: u64, distances: &[i64], used: &[bool]| {
            let both = distances.iter().zip(used).take(usize::try_from(count).unwrap_or_default());
            both.map(|(&distance, &used)| Reference { distance, used }).collect::<Vec<_>>()
        };
        let set = |index: usize| {
            let before =
                side(sets.num_negative_pics[index], &sets.delta_poc_s0[index], &sets.used_by_curr_pic_s0[index]);
            let after =
                side(sets.num_positive_pics[index], &sets.delta_poc_s1[index], &sets.used_by_curr_pic_s1[index]);
            [before, after].concat()
        };
        let long_terms = rbsp.long_term_ref_pics.as_ref().map(|long| {
            let both = long.lt_ref_pic_poc_lsb_sps.iter().zip(&long.used_by_curr_pic_lt_sps_flag);
            both.map(|(&order, &used)| (order, used)).collect()
        });
        let areas = rbsp.pic_width_in_ctbs_y().saturating_mul(rbsp.pic_height_in_ctbs_y());
        Self {
            order_bits: u32::from(rbsp.log2_max_pic_order_cnt_lsb_minus4) + 4,
            colour_planes: rbsp.separate_colour_plane_flag,
            address_bits: bits_of(areas).min(32),
            sets: (0..sets.num_delta_pocs.len()).map(set).collect(),
            long_terms,
        }
    }

    /// The short-term references of a picture.
    fn references(&self, bits: &mut Bits<'_>) -> Read<Vec<Reference>> {
        if bits.read_bit("short_term_ref_pic_set_sps_flag")? {
            let index: u32 = bits.read_var(bits_of(self.sets.len() as u64), "short_term_ref_pic_set_idx")?;
            return Ok(self.sets.get(index as usize).cloned());
        }
        if !self.sets.is_empty() && bits.read_bit("inter_ref_pic_set_prediction_flag")? {
            return self.predicted(bits);
        }
        let (before, after) = (bits.read_ue("num_negative_pics")?, bits.read_ue("num_positive_pics")?);
        if before as usize > MOST || after as usize > MOST {
            return Ok(None);
        }
        let mut references = Vec::new();
        for (count, sign) in [(before, -1), (after, 1)] {
            let mut distance = 0;
            for _ in 0..count {
                distance += sign * (i64::from(bits.read_ue("delta_poc_minus1")?) + 1);
                references.push(Reference { distance, used: bits.read_bit("used_by_curr_pic_flag")? });
            }
        }
        Ok(Some(references))
    }

    /// Those that are told by their difference from a set of the sequence.
    fn predicted(&self, bits: &mut Bits<'_>) -> Read<Vec<Reference>> {
        let back = bits.read_ue("delta_idx_minus1")? as usize;
        let Some(model) = self.sets.len().checked_sub(back.saturating_add(1)).map(|index| &self.sets[index]) else {
            return Ok(None);
        };
        let sign = if bits.read_bit("delta_rps_sign")? { -1 } else { 1 };
        let moved = sign * (i64::from(bits.read_ue("abs_delta_rps_minus1")?) + 1);
        let mut references = Vec::new();
        for distance in model.iter().map(|reference| reference.distance).chain([0]) {
            let used = bits.read_bit("used_by_curr_pic_flag")?;
            let kept = used || bits.read_bit("use_delta_flag")?;
            let distance = distance + moved;
            if kept && distance != 0 {
                references.push(Reference { distance, used });
            }
        }
        Ok(Some(references))
    }

    fn long_terms(&self, bits: &mut Bits<'_>) -> Read<Vec<LongTerm>> {
        let Some(known) = &self.long_terms else { return Ok(Some(Vec::new())) };
        let listed = if known.is_empty() { 0 } else { bits.read_ue("num_long_term_sps")? as usize };
        let told = bits.read_ue("num_long_term_pics")? as usize;
        if listed > 32 || told > 32 {
            return Ok(None);
        }
        let mut long_terms: Vec<LongTerm> = Vec::new();
        let mut rounds_so_far = 0;
        for place in 0..listed + told {
            let (order, used) = if place < listed {
                let index: u32 = bits.read_var(bits_of(known.len() as u64), "lt_idx_sps")?;
                let Some(&entry) = known.get(index as usize) else { return Ok(None) };
                entry
            } else {
                (bits.read_var(self.order_bits, "poc_lsb_lt")?, bits.read_bit("used_by_curr_pic_lt_flag")?)
            };
            if place == 0 || place == listed {
                rounds_so_far = 0;
            }
            let told = bits.read_bit("delta_poc_msb_present_flag")?;
            if told {
                rounds_so_far += u64::from(bits.read_ue("delta_poc_msb_cycle_lt")?);
            }
            long_terms.push(LongTerm { order, rounds: told.then_some(rounds_so_far), used });
        }
        Ok(Some(long_terms))
    }
}

impl PictureSet {
    fn read(nal: &[u8]) -> Result<(u32, Self), BitReaderError> {
        let mut bits = bits(nal);
        let id = bits.read_ue("pps_pic_parameter_set_id")?;
        let sequence = u64::from(bits.read_ue("pps_seq_parameter_set_id")?);
        let dependent_slices = bits.read_bit("dependent_slice_segments_enabled_flag")?;
        let output_flag = bits.read_bit("output_flag_present_flag")?;
        let extra_bits = bits.read_var(3, "num_extra_slice_header_bits")?;
        Ok((id, Self { sequence, dependent_slices, output_flag, extra_bits }))
    }
}
