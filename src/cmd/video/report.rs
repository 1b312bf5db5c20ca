//! JSON lines, the summary, and the line for people.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Context;
use gstmaskwatch::report::FrameReport;
use maskwatch_vision::face::{FaceView, MaskState};
use serde_json::{Value, json};

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Frames analysed.
    pub(super) frames: u64,
    /// The file ends in the middle.
    pub(super) truncated: bool,
    /// People, in the order of [`MaskState::ALL`].
    people: [u64; MaskState::ALL.len()],
}

impl Tally {
    /// Nothing yet of a file that ends in the middle, or does not.
    pub(super) fn of_file(truncated: bool) -> Self {
        Self { truncated, ..Self::default() }
    }

    /// One person more.
    pub(super) fn person(&mut self, state: MaskState) {
        self.people[state as usize] += 1;
    }

    fn of(&self, state: MaskState) -> u64 {
        self.people[state as usize]
    }

    /// Share of people with a mask among those whose state is known; `None` where there are none.
    fn ratio(&self) -> Option<f64> {
        let known = self.of(MaskState::Mask) + self.of(MaskState::Incorrect) + self.of(MaskState::NoMask);
        (known > 0).then(|| (self.of(MaskState::Mask) as f64 / known as f64 * 10_000.0).round() / 10_000.0)
    }

    /// The last JSON line.
    fn json(&self) -> Value {
        let people: serde_json::Map<String, Value> =
            MaskState::ALL.into_iter().map(|state| (state.as_str().to_owned(), json!(self.of(state)))).collect();
        let mut summary = json!({ "frames": self.frames, "people": people, "compliance_ratio": self.ratio() });
        if self.truncated {
            summary["truncated"] = json!(true);
        }
        json!({ "summary": summary })
    }

    /// For people: `clip.mp4: 341 frames; people: 2 mask, 0 incorrect, 3 no_mask, 0 unknown; compliance 40 %`.
    pub(super) fn text(&self, path: &Path) -> String {
        let people: Vec<_> =
            MaskState::ALL.into_iter().map(|state| format!("{} {}", self.of(state), state.as_str())).collect();
        let ratio = self.ratio().map_or(String::new(), |ratio| format!("; compliance {:.0} %", ratio * 100.0));
        format!("{}: {} frames; people: {}{ratio}\n", path.display(), self.frames, people.join(", "))
    }
}

/// Where JSON lines go.
pub(super) struct Lines {
    out: Box<dyn Write>,
    /// Frames that have their line: a second run over the file does not write them again.
    frames: u64,
}

impl Lines {
    /// `-` is the standard output.
    pub(super) fn create(path: &Path) -> anyhow::Result<Self> {
        if path == Path::new("-") {
            return Ok(Self { out: Box::new(BufWriter::new(std::io::stdout())), frames: 0 });
        }
        let file = File::create(path).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Self { out: Box::new(BufWriter::new(file)), frames: 0 })
    }

    /// One frame.
    pub(super) fn frame(&mut self, number: u64, report: &FrameReport) -> anyhow::Result<()> {
        if number < self.frames {
            return Ok(());
        }
        self.frames = number + 1;
        let pts = report.pts.map_or(0.0, |pts| (pts.useconds() as f64) / 1e6);
        let faces: Vec<_> = report.faces.iter().map(|face| face_json(face, report.width, report.height)).collect();
        self.line(&json!({ "frame": number, "pts_s": pts, "faces": faces }))
    }

    /// The end.
    pub(super) fn summary(&mut self, tally: &Tally) -> anyhow::Result<()> {
        self.line(&tally.json())?;
        self.out.flush().context("JSON cannot be written")
    }

    fn line(&mut self, value: &Value) -> anyhow::Result<()> {
        writeln!(self.out, "{value}").context("JSON cannot be written")
    }
}

/// A face by the contract: box in pixels, clipped to the picture.
fn face_json(face: &FaceView, width: u32, height: u32) -> Value {
    let rounded = |value: f32, per_unit: f64| (f64::from(value) * per_unit).round() / per_unit;
    let bbox = face.rect.clip().to_pixels(width, height).map(|value| rounded(value, 10.0));
    json!({
        "track": face.track,
        "bbox": bbox,
        "score": rounded(face.score, 10_000.0),
        "state": face.state.as_str(),
        "confidence": rounded(face.confidence, 10_000.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_the_contract() {
        let mut tally = Tally { frames: 7, ..Tally::default() };
        assert_eq!(
            tally.json(),
            json!({"summary": {"frames": 7, "people": {"mask": 0, "incorrect": 0, "no_mask": 0, "unknown": 0},
                "compliance_ratio": null}})
        );
        tally.truncated = true;
        assert_eq!(tally.json()["summary"]["truncated"], true);
        for state in [MaskState::Mask, MaskState::NoMask, MaskState::NoMask, MaskState::Unknown] {
            tally.person(state);
        }
        assert_eq!(tally.json()["summary"]["compliance_ratio"], json!(0.3333));
        assert!(tally.text(Path::new("a.mp4")).contains("compliance 33 %"));
    }
}
