//! Test streams: made by ffmpeg once per recipe, cut into access units with their times.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock};

use crate::support::{process::run_well, soon, temp_dir};

/// How a stream is coded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    H264,
    Hevc,
}

impl Codec {
    fn kind(self, nal: &[u8]) -> u8 {
        match self {
            Self::H264 => nal[0] & 31,
            Self::Hevc => (nal[0] >> 1) & 63,
        }
    }

    fn is_set(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => matches!(self.kind(nal), 7 | 8),
            Self::Hevc => matches!(self.kind(nal), 32..=34),
        }
    }

    fn is_slice(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => matches!(self.kind(nal), 1..=5),
            Self::Hevc => self.kind(nal) < 32,
        }
    }

    /// The first slice of a picture: its address, the first number after the header, is 0.
    fn begins_picture(self, nal: &[u8]) -> bool {
        let header = if self == Self::H264 { 1 } else { 2 };
        self.is_slice(nal) && nal.get(header).is_some_and(|byte| byte & 0x80 != 0)
    }

    /// Whether other pictures may be built upon the slice.
    fn is_reference(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => nal[0] & 0x60 != 0,
            Self::Hevc => self.kind(nal) >= 16 || self.kind(nal) % 2 == 1,
        }
    }

    /// Whether a picture is incomplete without it.
    pub fn is_needed(self, nal: &[u8]) -> bool {
        self.is_slice(nal)
    }

    fn is_keyframe(self, nal: &[u8]) -> bool {
        match self {
            Self::H264 => self.kind(nal) == 5,
            Self::Hevc => matches!(self.kind(nal), 16..=21),
        }
    }

    fn is_supplement(self, nal: &[u8]) -> bool {
        self.kind(nal) == if self == Self::H264 { 6 } else { 39 }
    }
}

/// What ffmpeg is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Recipe {
    pub codec: Codec,
    pub width: u32,
    pub height: u32,
    pub fps: u32,
    pub pictures: u32,
    /// Pictures from one keyframe to the next.
    pub gop: u32,
    pub bframes: u32,
    /// ffmpeg's name of the pixel format.
    pub pixels: &'static str,
    pub interlaced: bool,
    /// Slices of each picture; of H.264.
    pub slices: u32,
    /// H.264 without keyframes but the first: refreshed in stripes.
    pub stripes: bool,
    /// Later keyframes are entry points that pictures shown before them reach over.
    pub open_gop: bool,
}

impl Default for Recipe {
    /// Small, 10 pictures a second, a keyframe each second.
    fn default() -> Self {
        Self {
            codec: Codec::H264,
            width: 160,
            height: 120,
            fps: 10,
            pictures: 30,
            gop: 10,
            bframes: 0,
            pixels: "yuv420p",
            interlaced: false,
            slices: 1,
            stripes: false,
            open_gop: false,
        }
    }
}

/// One coded picture.
#[derive(Clone, Debug)]
pub struct Unit {
    /// Slices and what supplements them, without start codes and parameter sets.
    pub nals: Vec<Vec<u8>>,
    /// When it is shown, in ticks of 1/90000 s after the first.
    pub shown_at: u64,
    pub keyframe: bool,
    /// Whether other pictures may be built upon it.
    pub reference: bool,
}

/// A coded stream in the order of its sending.
#[derive(Debug)]
pub struct Coded {
    pub recipe: Recipe,
    pub units: Vec<Unit>,
    /// Parameter sets: SPS and PPS, or VPS, SPS and PPS.
    pub sets: Vec<Vec<u8>>,
}

impl Coded {
    /// Made once in this process.
    pub fn of(recipe: Recipe) -> Arc<Self> {
        type Slot = Arc<OnceLock<Arc<Coded>>>;
        static MADE: OnceLock<Mutex<HashMap<Recipe, Slot>>> = OnceLock::new();
        let slot = Arc::clone(MADE.get_or_init(Mutex::default).lock().unwrap().entry(recipe).or_default());
        Arc::clone(slot.get_or_init(|| Arc::new(make(recipe))))
    }

    /// Ticks of 1/90000 s from one picture to the next.
    pub fn step(&self) -> u64 {
        90_000 / u64::from(self.recipe.fps)
    }

    /// Length of one round in ticks.
    pub fn length(&self) -> u64 {
        self.step() * self.units.len() as u64
    }
}

/// Writes a recipe's stream to `folder`; gives its path. `name`: with the container's suffix.
pub fn file(recipe: &Recipe, folder: &Path, name: &str) -> PathBuf {
    let path = folder.join(name);
    run_well(encode(recipe).arg(&path), soon());
    path
}

fn make(recipe: Recipe) -> Coded {
    let folder = temp_dir();
    let file = file(&recipe, folder.path(), "stream.mp4");
    let mut probe = Command::new("ffprobe");
    probe.args(["-v", "error", "-select_streams", "v:0", "-show_entries", "packet=pts_time", "-of", "csv=p=0"]);
    let times = String::from_utf8(run_well(probe.arg(&file), soon())).unwrap();
    let times: Vec<f64> = times.lines().filter_map(|line| line.trim_end_matches(',').parse().ok()).collect();
    let mut bytes = Command::new("ffmpeg");
    bytes.args(["-nostdin", "-v", "error", "-i"]).arg(&file).args(["-c", "copy", "-f"]);
    let bytes = run_well(bytes.args([if recipe.codec == Codec::H264 { "h264" } else { "hevc" }, "-"]), soon());
    let (sets, pictures) = cut(recipe.codec, &bytes);
    assert_eq!(times.len(), pictures.len(), "ffprobe and we count the pictures of {recipe:?}");
    let first = times.iter().copied().fold(f64::INFINITY, f64::min);
    let units = pictures.into_iter().zip(times).map(|(nals, time)| Unit {
        reference: nals.iter().any(|nal| recipe.codec.is_slice(nal) && recipe.codec.is_reference(nal)),
        keyframe: nals.iter().any(|nal| recipe.codec.is_keyframe(nal)),
        shown_at: ((time - first) * 90_000.0).round() as u64,
        nals,
    });
    Coded { recipe, units: units.collect(), sets }
}

fn encode(recipe: &Recipe) -> Command {
    let source = format!("testsrc2=size={}x{}:rate={}", recipe.width, recipe.height, recipe.fps);
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", &source]);
    command.args(["-frames:v", &recipe.pictures.to_string(), "-pix_fmt", recipe.pixels]);
    let (gop, bframes) = (recipe.gop.to_string(), recipe.bframes.to_string());
    let open = u32::from(recipe.open_gop);
    match recipe.codec {
        Codec::H264 => {
            command.args(["-c:v", "libx264", "-preset", "superfast", "-g", &gop, "-bf", &bframes, "-x264-params"]);
            let stripes = u32::from(recipe.stripes);
            command.arg(format!(
                "scenecut=0:b-adapt=0:open-gop={open}:slices={}:intra-refresh={stripes}:threads=1",
                recipe.slices
            ));
            if recipe.interlaced {
                command.args(["-flags", "+ildct+ilme"]);
            }
        }
        Codec::Hevc => {
            command.args(["-c:v", "libx265", "-preset", "ultrafast", "-x265-params"]);
            command.arg(format!(
                "log-level=error:keyint={gop}:bframes={bframes}:scenecut=0:b-adapt=0:open-gop={open}:\
                 pools=none:frame-threads=1"
            ));
        }
    }
    command
}

/// Parameter sets, each once, and the pictures.
fn cut(codec: Codec, bytes: &[u8]) -> (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>) {
    let (mut sets, mut pictures): (Vec<Vec<u8>>, Vec<Vec<Vec<u8>>>) = Default::default();
    // What supplements a picture stands before its first slice.
    let mut before: Vec<Vec<u8>> = Vec::new();
    for nal in nals(bytes) {
        if codec.is_set(&nal) {
            if !sets.contains(&nal) {
                sets.push(nal);
            }
        } else if codec.is_supplement(&nal) {
            before.push(nal);
        } else if codec.begins_picture(&nal) {
            before.push(nal);
            pictures.push(std::mem::take(&mut before));
        } else if codec.is_slice(&nal) {
            pictures.last_mut().unwrap().push(nal);
        }
    }
    (sets, pictures)
}

/// The units between start codes.
fn nals(bytes: &[u8]) -> Vec<Vec<u8>> {
    let starts: Vec<usize> = bytes.windows(3).enumerate().filter(|(_, w)| *w == [0, 0, 1]).map(|(at, _)| at).collect();
    let ends = starts.iter().skip(1).copied().chain([bytes.len()]);
    let unit = |(start, end): (&usize, usize)| {
        let nal = &bytes[start + 3..end];
        // The zero of a longer start code, and trailing ones, belong to nobody.
        nal[..nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1)].to_vec()
    };
    starts.iter().zip(ends).map(unit).filter(|nal| nal.len() > 2).collect()
}
