//! H.264 counts its reference pictures: `frame_num` tells whether one is missing.

use std::num::NonZeroUsize;

use h264_reader::Context;
use h264_reader::nal::pps::{PicParamSetId, PicParameterSet};
use h264_reader::nal::sps::{FrameMbsFlags, PicOrderCntType, SeqParameterSet};
use h264_reader::rbsp::{BitRead, BitReader, BitReaderError, ByteReader};

use super::{Coded, Content, Lack};

/// A slice's header ends long before.
const HEAD: usize = 64;
const SLICE: u8 = 1;
/// Slices in three parts, of which each may be lost: nobody makes them.
const PARTITIONS: std::ops::RangeInclusive<u8> = 2..=4;
const IDR: u8 = 5;
const SPS: u8 = 7;
const PPS: u8 = 8;

/// What is known of the pictures that came.
#[derive(Default)]
pub(super) struct H264 {
    sets: Context,
    last: Head,
    now: Head,
    /// Number of the last reference picture.
    reference: Option<u32>,
    /// Where the keyframe at which decoding began stands in the order of showing, while pictures may come that are
    /// shown before it.
    entered: Option<u32>,
}

/// What the header of a picture's first slice tells.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Head {
    reference: bool,
    frame_num: u32,
    max_frame_num: u32,
    field: bool,
    /// Place in the order of showing, where it is told.
    order: Option<u32>,
    /// After so many places they are the same again.
    max_order: u32,
}

type Bits<'a> = BitReader<ByteReader<&'a [u8]>>;

fn bits(nal: &[u8]) -> Bits<'_> {
    BitReader::new(ByteReader::skipping_bytes(nal, NonZeroUsize::MIN))
}

impl H264 {
    /// Takes note of a parameter set.
    pub(super) fn learn(&mut self, nal: &[u8]) {
        // Cameras add zeros.
        let end = nal.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
        let nal = &nal[..end];
        match nal.first().map(|byte| byte & 0x1f) {
            Some(SPS) => {
                if let Ok(set) = SeqParameterSet::from_bits(bits(nal)) {
                    self.sets.put_seq_param_set(set);
                }
            }
            Some(PPS) => {
                if let Ok(set) = PicParameterSet::from_bits(&self.sets, bits(nal)) {
                    self.sets.put_pic_param_set(set);
                }
            }
            _ => {}
        }
    }

    /// Reads the next picture.
    pub(super) fn read<'a>(&mut self, nals: impl Iterator<Item = &'a [u8]>) -> Content {
        let mut coded = Coded::default();
        for nal in nals {
            let kind = nal[0] & 0x1f;
            match kind {
                SPS | PPS => self.learn(nal),
                SLICE | IDR => {
                    let slice = &nal[..nal.len().min(HEAD)];
                    let Ok(start) = bits(slice).read_ue("first_mb_in_slice") else { return Content::Unreadable };
                    if coded.starts.is_empty() {
                        let Some(head) = self.head(slice) else { return Content::Unreadable };
                        self.now = head;
                        coded.entry = kind == IDR;
                        coded.reference = head.reference;
                        coded.modulus = u64::from(head.max_frame_num);
                    }
                    coded.starts.push(start);
                }
                kind if PARTITIONS.contains(&kind) => return Content::Unreadable,
                _ => {}
            }
        }
        if coded.starts.is_empty() {
            return Content::NoPicture;
        }
        if coded.entry {
            self.reference = None;
        }
        Content::Picture(coded)
    }

    fn head(&self, nal: &[u8]) -> Option<Head> {
        self.parse(nal).ok().flatten()
    }

    /// `None`: of parameter sets that are not known.
    fn parse(&self, nal: &[u8]) -> Result<Option<Head>, BitReaderError> {
        let mut bits = bits(nal);
        bits.read_ue("first_mb_in_slice")?;
        bits.read_ue("slice_type")?;
        let Ok(pps) = PicParamSetId::from_u32(bits.read_ue("pic_parameter_set_id")?) else { return Ok(None) };
        let pps = self.sets.pps_by_id(pps);
        let Some(sps) = pps.and_then(|pps| self.sets.sps_by_id(pps.seq_parameter_set_id)) else { return Ok(None) };
        if sps.chroma_info.separate_colour_plane_flag {
            bits.skip(2, "colour_plane_id")?;
        }
        let width = u32::from(sps.log2_max_frame_num());
        let frame_num = bits.read_var(width, "frame_num")?;
        let mut field = false;
        if matches!(sps.frame_mbs_flags, FrameMbsFlags::Fields { .. }) {
            field = bits.read_bit("field_pic_flag")?;
            if field {
                bits.skip(1, "bottom_field_flag")?;
            }
        }
        if nal[0] & 0x1f == IDR {
            bits.read_ue("idr_pic_id")?;
        }
        let (mut order, mut max_order) = (None, 0);
        if let PicOrderCntType::TypeZero { log2_max_pic_order_cnt_lsb_minus4 } = sps.pic_order_cnt {
            let width = u32::from(log2_max_pic_order_cnt_lsb_minus4) + 4;
            order = Some(bits.read_var(width, "pic_order_cnt_lsb")?);
            max_order = 1 << width;
        }
        let reference = nal[0] & 0x60 != 0;
        Ok(Some(Head { reference, frame_num, max_frame_num: 1 << width, field, order, max_order }))
    }

    /// A reference is missing when the number is not the next one. Both fields of a frame have one number, and either
    /// may be lost: nothing is told then.
    pub(super) fn lack(&self) -> Lack {
        let Some(before) = self.reference else { return Lack::Nothing };
        let next = (before + 1) % self.now.max_frame_num.max(1);
        if self.now.frame_num == next && !self.now.field && !self.last.field { Lack::Nothing } else { Lack::Shared }
    }

    pub(super) fn enter(&mut self, anew: bool) {
        self.entered = self.now.order.filter(|_| anew);
    }

    pub(super) fn leads(&self) -> bool {
        self.entered.zip(self.now.order).is_some_and(|(entered, order)| {
            // They are less than half of a round apart.
            order.wrapping_sub(entered) & self.now.max_order.wrapping_sub(1) > self.now.max_order / 2
        })
    }

    pub(super) fn keep(&mut self) {
        let Head { reference, frame_num, max_frame_num, .. } = self.now;
        // Between two references, pictures have the number of the one that comes.
        let before = if reference { frame_num } else { frame_num.wrapping_sub(1) & max_frame_num.wrapping_sub(1) };
        self.reference = Some(before);
        if reference && !self.leads() && self.entered != self.now.order {
            self.entered = None;
        }
        self.last = self.now;
    }
}
