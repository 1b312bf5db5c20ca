//! Real streams, with losses: what is admitted decodes to the pictures that were coded, and all is admitted that could.

use std::collections::HashSet;
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use h264_reader::rbsp::{BitRead, BitReader, ByteReader};
use proptest::prelude::*;

use super::*;
use crate::camera::keyframe::{KeyframeGate, Picture};

/// Pictures from one keyframe to the next, and of each stream.
const GROUP: usize = 12;
const PICTURES: usize = 72;
/// Nothing is lost before: how the slices lie is learnt.
const LEARNT: usize = 14;

/// A stream as ffmpeg makes it.
#[derive(Debug)]
struct Recipe {
    h265: bool,
    bframes: &'static str,
    /// Of x264, or of x265.
    options: &'static str,
    flags: &'static str,
    /// Of a picture with several slices it can be told whether one is missing.
    steady: bool,
}

const fn h264(bframes: &'static str, options: &'static str) -> Recipe {
    Recipe { h265: false, bframes, options, flags: "", steady: true }
}

const fn h265(bframes: &'static str, options: &'static str) -> Recipe {
    Recipe { h265: true, ..h264(bframes, options) }
}

const STREAMS: [Recipe; 11] = [
    h264("0", "slices=1"),
    h264("0", "ref=1"),
    h264("3", "b-pyramid=none"),
    h264("3", "ref=4:b-pyramid=normal"),
    h264("3", "slices=4"),
    Recipe { steady: false, ..h264("2", "slice-max-size=300") },
    h264("3", "open-gop=1"),
    Recipe { flags: "+ildct+ilme", ..h264("2", "slices=1") },
    h265("0", "open-gop=0"),
    h265("3", "open-gop=0"),
    h265("3", "open-gop=1"),
];

/// A picture as it was coded.
struct Sent {
    nals: Vec<Vec<u8>>,
    keyframe: bool,
    entry: bool,
    reference: bool,
    /// Built upon pictures on both sides of it.
    both_sides: bool,
}

struct Stream {
    recipe: &'static Recipe,
    sets: Vec<Vec<u8>>,
    pictures: Vec<Sent>,
    /// Sums of the pictures that come out.
    sums: HashSet<String>,
}

impl Stream {
    fn make(recipe: &'static Recipe) -> Self {
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "error", "-f", "lavfi", "-i", "testsrc2=size=320x240:rate=10"]);
        command.args(["-frames:v", &PICTURES.to_string(), "-pix_fmt", "yuv420p", "-g", &GROUP.to_string()]);
        if recipe.h265 {
            let common = format!("log-level=error:scenecut=0:b-adapt=0:pools=none:frame-threads=1:keyint={GROUP}");
            let options = format!("{common}:bframes={}:{}", recipe.bframes, recipe.options);
            command.args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params", &options, "-f", "hevc", "-"]);
        } else {
            let options = format!("scenecut=0:b-adapt=0:threads=1:{}", recipe.options);
            command.args(["-c:v", "libx264", "-preset", "veryfast", "-bf", recipe.bframes, "-x264-params", &options]);
            if !recipe.flags.is_empty() {
                command.args(["-flags", recipe.flags]);
            }
            command.args(["-f", "h264", "-"]);
        }
        let bytes = output(&mut command);
        let mut stream = Self { recipe, sets: Vec::new(), pictures: Vec::new(), sums: HashSet::new() };
        stream.cut(&bytes);
        assert_eq!(stream.pictures.len(), PICTURES, "{recipe:?}");
        stream.sums = stream.decode(0..PICTURES).into_iter().collect();
        assert_eq!(stream.sums.len(), PICTURES, "{recipe:?}: all pictures differ");
        stream
    }

    fn cut(&mut self, bytes: &[u8]) {
        let h265 = self.recipe.h265;
        let mut before = Vec::new();
        for nal in Framing::StartCodes.split(bytes) {
            let kind = if h265 { nal[0] >> 1 & 63 } else { nal[0] & 31 };
            let slice = if h265 { kind < 32 } else { matches!(kind, 1 | 5) };
            if if h265 { matches!(kind, 32..=34) } else { matches!(kind, 7 | 8) } {
                if !self.sets.iter().any(|set| set == nal) {
                    self.sets.push(nal.to_vec());
                }
            } else if !slice {
                before.push(nal.to_vec());
            } else if nal[if h265 { 2 } else { 1 }] & 0x80 != 0 {
                before.push(nal.to_vec());
                let recovery = |nal: &Vec<u8>| !h265 && nal[0] & 31 == 6 && nal[1] == 6;
                self.pictures.push(Sent {
                    keyframe: if h265 { (16..24).contains(&kind) } else { kind == 5 || before.iter().any(recovery) },
                    entry: if h265 { (16..21).contains(&kind) } else { kind == 5 },
                    reference: if h265 { kind >= 16 || kind % 2 == 1 } else { nal[0] & 0x60 != 0 },
                    both_sides: if h265 { (6..10).contains(&kind) } else { is_b(nal) },
                    nals: std::mem::take(&mut before),
                });
            } else {
                self.pictures.last_mut().unwrap().nals.push(nal.to_vec());
            }
        }
    }

    /// Sums of what ffmpeg makes of these pictures.
    fn decode(&self, pictures: impl IntoIterator<Item = usize>) -> Vec<String> {
        let nals = pictures.into_iter().flat_map(|picture| &self.pictures[picture].nals);
        let bytes = start_codes(self.sets.iter().chain(nals));
        let mut file = tempfile::NamedTempFile::new().unwrap();
        std::io::Write::write_all(&mut file, &bytes).unwrap();
        let mut command = Command::new("ffmpeg");
        command.args(["-nostdin", "-v", "quiet", "-threads", "1", "-flags", "output_corrupt", "-f"]);
        command.args([if self.recipe.h265 { "hevc" } else { "h264" }, "-i"]).arg(file.path());
        command.args(["-fps_mode", "passthrough", "-f", "framemd5", "-"]);
        let text = String::from_utf8(output(&mut command)).unwrap();
        let sums = text.lines().filter(|line| !line.starts_with('#')).filter_map(|line| line.rsplit(',').next());
        sums.map(|sum| sum.trim().to_owned()).collect()
    }
}

fn is_b(slice: &[u8]) -> bool {
    let mut bits = BitReader::new(ByteReader::skipping_bytes(slice, std::num::NonZeroUsize::MIN));
    bits.read_ue("first").unwrap();
    bits.read_ue("type").unwrap() % 5 == 1
}

fn start_codes<'a>(nals: impl Iterator<Item = &'a Vec<u8>>) -> Vec<u8> {
    nals.flat_map(|nal| [&[0, 0, 0, 1][..], nal].concat()).collect()
}

fn output(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn streams() -> &'static [Stream] {
    static STREAMS_MADE: OnceLock<Vec<Stream>> = OnceLock::new();
    STREAMS_MADE.get_or_init(|| STREAMS.iter().map(Stream::make).collect())
}

/// How a stream fared.
#[derive(Default)]
struct Fared {
    admitted: Vec<usize>,
    /// Those that were refused though they are whole, and built upon whole ones.
    wasted: Vec<usize>,
}

/// Sends a stream of which the packets that `lose` names are lost: each NAL unit is one. `early`: a picture that is
/// lost as a whole is marked at the one before.
fn play(stream: &Stream, early: bool, mut lose: impl FnMut(usize) -> bool) -> Fared {
    let (mut references, mut gate) = (References::default(), KeyframeGate::default());
    references.describe(if stream.recipe.h265 { "video/x-h265" } else { "video/x-h264" }, false, None);
    let mut packet = 0;
    let kept: Vec<Vec<&Vec<u8>>> = stream
        .pictures
        .iter()
        .map(|picture| {
            let kept = picture.nals.iter().filter(|_| {
                packet += 1;
                !lose(packet - 1)
            });
            kept.collect()
        })
        .collect();
    let missing = |picture: usize| (stream.pictures[picture].nals.len() - kept[picture].len()) as u64;
    let mut fared = Fared::default();
    let (mut lost, mut in_group, mut place) = (0, 0, 0);
    let (mut chain, mut chain_before) = (false, false);
    for (index, picture) in stream.pictures.iter().enumerate() {
        lost += missing(index);
        in_group += 2 * missing(index) as usize;
        place += 1;
        let sent = missing(index) == 0;
        // What a keyframe opens is whole from there on; what is shown before it needs what was before.
        if picture.keyframe {
            chain_before = if picture.entry { sent } else { chain && sent };
            chain = sent;
        }
        let whole = sent && if picture.both_sides { chain && chain_before } else { chain };
        if picture.reference {
            chain = whole;
            chain_before |= !picture.both_sides && !picture.keyframe && whole;
        }
        if kept[index].is_empty() {
            continue;
        }
        if early && kept.get(index + 1).is_some_and(Vec::is_empty) {
            lost += missing(index + 1);
            // It is not told again.
        } else if early && index > 0 && kept[index - 1].is_empty() && lost >= missing(index - 1) {
            lost -= missing(index - 1);
        }
        let data = start_codes(stream.sets.iter().filter(|_| picture.keyframe).chain(kept[index].iter().copied()));
        let unit = Unit { data: &data, lost: std::mem::take(&mut lost), keyframe: picture.keyframe };
        let verdict = references.see(unit);
        let shown = Picture {
            lost: verdict == Verdict::Broken,
            damaged: verdict == Verdict::Damaged,
            keyframe: picture.keyframe && verdict == Verdict::Intact,
            ..Picture::default()
        };
        let admitted = gate.admits(shown, Duration::from_millis(index as u64)).is_ok();
        // Where a keyframe may be among the lost, nothing is believed.
        let due = place + in_group >= GROUP;
        if admitted && !kept[index].is_empty() {
            fared.admitted.push(index);
        } else if whole && !due {
            fared.wasted.push(index);
        }
        if picture.entry || picture.keyframe {
            (place, in_group) = (1, 0);
        }
    }
    fared
}

#[test]
fn nothing_is_kept_back_where_nothing_is_lost() {
    for stream in streams() {
        let fared = play(stream, false, |_| false);
        assert_eq!(fared.admitted.len(), PICTURES, "{:?}", stream.recipe);
    }
}

/// Numbers that repeat.
fn dice(seed: u64) -> impl FnMut() -> u64 {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state >> 8
    }
}

#[test]
fn what_is_admitted_after_losses_decodes_to_what_was_coded() {
    for stream in streams() {
        let mut admitted = 0;
        for seed in 0..6 {
            let mut dice = dice(seed + 1);
            let each = 10 + seed * 6;
            let fared = play(stream, seed % 2 == 1, |_| dice().is_multiple_of(each));
            if fared.admitted.is_empty() {
                continue;
            }
            let sums = stream.decode(fared.admitted.iter().copied());
            let broken = sums.iter().filter(|sum| !stream.sums.contains(*sum)).count();
            assert_eq!(broken, 0, "{:?}, seed {seed}, admitted {:?}", stream.recipe, fared.admitted);
            admitted += sums.len();
        }
        assert!(admitted > PICTURES / 4, "{:?}: {admitted} admitted of {}", stream.recipe, 6 * PICTURES);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whatever is lost, all that is whole is admitted; it suffices that it can be told.
    #[test]
    fn no_whole_picture_is_wasted(lost in prop::collection::hash_set(LEARNT * 6..600, 0..12), early in any::<bool>()) {
        for stream in streams().iter().filter(|stream| stream.recipe.steady) {
            let packets: usize = stream.pictures.iter().map(|picture| picture.nals.len()).sum();
            let scale = 600 / packets.max(1) + 1;
            let lost: HashSet<usize> = lost.iter().map(|packet| packet / scale).collect();
            let first: usize = stream.pictures.iter().take(LEARNT).map(|picture| picture.nals.len()).sum();
            let fared = play(stream, early, |packet| packet >= first && lost.contains(&packet));
            prop_assert!(fared.wasted.is_empty(), "{:?}: {:?} of {:?}", stream.recipe, fared.wasted, fared.admitted);
        }
    }

    /// Nonsense is no reason to panic.
    #[test]
    fn any_bytes_are_judged(
        data in prop::collection::vec(any::<u8>(), 0..300),
        place in 0usize..200,
        bytes in prop::collection::vec(any::<u8>(), 1..40),
        lost in 0u64..3,
    ) {
        for stream in streams() {
            let mut references = References::default();
            let media = if stream.recipe.h265 { "video/x-h265" } else { "video/x-h264" };
            references.describe(media, true, Some(&data));
            references.describe(media, false, None);
            let nals = stream.sets.iter().chain(stream.pictures.iter().take(6).flat_map(|picture| &picture.nals));
            let mut stream = start_codes(nals);
            let end = (place + bytes.len()).min(stream.len());
            let place = place.min(end);
            stream.splice(place..end, bytes.iter().copied());
            for unit in [&stream, &data] {
                references.see(Unit { data: unit, lost, keyframe: lost == 0 });
            }
        }
    }
}

#[test]
fn jpegs_stand_alone() {
    let mut references = References::default();
    references.describe("image/jpeg", false, None);
    let mut see = |data, lost| references.see(Unit { data, lost, keyframe: true });
    let whole: &[u8] = &[0xff, 0xd8, 1, 2, 0xff, 0xd9];
    assert_eq!(see(whole, 0), Verdict::Intact);
    assert_eq!(see(&whole[..5], 1), Verdict::Damaged);
    assert_eq!(see(&whole[2..], 1), Verdict::Damaged);
    assert_eq!(see(whole, 1), Verdict::Intact, "it was another one");
    assert_eq!(see(whole, 0), Verdict::Intact);
}

#[test]
fn of_other_codecs_each_loss_is_one_of_references() {
    let mut references = References::default();
    references.describe("video/x-vp8", false, None);
    let mut see = |lost, keyframe| references.see(Unit { data: &[1, 2, 3], lost, keyframe });
    assert_eq!(see(0, true), Verdict::Intact);
    assert_eq!(see(1, false), Verdict::Broken);
    assert_eq!(see(1, true), Verdict::Intact);
}
