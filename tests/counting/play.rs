//! Clips through the program's own path, and true boxes through the tracker alone.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gst::prelude::*;
use gstmaskwatch::report::{self, Report};
use maskwatch_vision::census::Census;
use maskwatch_vision::face::{ClassifiedFace, Detection, MaskState, StateScores};
use maskwatch_vision::geometry::Rect;
use maskwatch_vision::track::{Person, TrackerConfig};
use maskwatch_vision::zone::Areas;

use super::stage::{Clip, Painter, SIZE, TrueFace};

/// What was answered to a clip.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// One per analysed frame.
    pub frames: Vec<Vec<Seen>>,
    pub people: Vec<Person>,
}

/// A box of a frame.
#[derive(Clone, Copy, Debug)]
pub struct Seen {
    /// 0: of no track.
    pub track: u64,
    pub rect: Rect,
    /// What the frame alone says.
    pub single: MaskState,
}

/// The clip's frames, `fps` per second, into `maskinfer`.
pub fn end_to_end(clip: &Clip, fps: u32, engine: &str) -> Answer {
    let run = Run::start(
        &format!(
            "appsrc name=in format=time block=true max-buffers=4 max-bytes=0 ! maskinfer name=infer engine={engine} \
             sync=true analyze-fps=0 ! fakesink sync=false"
        ),
        |_| {},
    );
    let source = run.pipeline.by_name("in").unwrap().downcast::<gst_app::AppSrc>().unwrap();
    let info = gst_video::VideoInfo::builder(gst_video::VideoFormat::Rgb, SIZE[0], SIZE[1]).build().unwrap();
    source.set_caps(Some(&info.to_caps().unwrap()));
    let mut painter = Painter::new(clip);
    for (number, time) in clip.times(fps).enumerate() {
        let mut buffer = gst::Buffer::from_mut_slice(painter.frame(time).into_raw());
        let pts = gst::ClockTime::SECOND * number as u64 / u64::from(fps);
        buffer.get_mut().unwrap().set_pts(pts);
        source.push_buffer(buffer).unwrap();
    }
    source.end_of_stream().unwrap();
    run.finish()
}

/// A video file, decoded, `fps` frames of each second analysed.
pub fn file(path: &Path, fps: u32, engine: &str) -> Answer {
    let line = format!(
        "filesrc name=in ! decodebin ! videoconvert ! video/x-raw,format=I420 ! maskinfer name=infer engine={engine} \
         sync=true analyze-fps={fps} ! fakesink sync=false"
    );
    Run::start(&line, |pipeline| {
        pipeline.by_name("in").unwrap().set_property("location", path.to_str().unwrap());
    })
    .finish()
}

/// A pipeline whose reports are gathered.
struct Run {
    pipeline: gst::Pipeline,
    answer: Arc<Mutex<Answer>>,
}

impl Run {
    fn start(line: &str, configure: impl FnOnce(&gst::Pipeline)) -> Self {
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        configure(&pipeline);
        let answer: Arc<Mutex<Answer>> = Arc::default();
        let gathered = Arc::clone(&answer);
        // Reports are taken where they are posted: a long clip fills no bus.
        pipeline.bus().unwrap().set_sync_handler(move |_, message| match report::from_message(message) {
            Some(report) => {
                take(&mut gathered.lock().unwrap(), report);
                gst::BusSyncReply::Drop
            }
            None => gst::BusSyncReply::Pass,
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, answer }
    }

    fn finish(self) -> Answer {
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = self.pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::NONE, &ends).unwrap();
        assert!(message.type_() == gst::MessageType::Eos, "{message:?}");
        self.pipeline.set_state(gst::State::Null).unwrap();
        std::mem::take(&mut *self.answer.lock().unwrap())
    }
}

fn take(answer: &mut Answer, report: Report) {
    match report {
        Report::Frame(frame) => {
            let seen = |(face, raw): (&maskwatch_vision::face::FaceView, &ClassifiedFace)| Seen {
                track: face.track,
                rect: face.rect,
                single: raw.state,
            };
            answer.frames.push(frame.faces.iter().zip(&frame.raw).map(seen).collect());
        }
        Report::Person(person) => answer.people.push(person.person),
        Report::Drop(drop) => panic!("a frame was not analysed: {drop:?}"),
        Report::Visit(_) | Report::Verdict(_) => {}
    }
}

/// The true boxes of the clip, `fps` per second, through the tracker and the vote.
pub fn tracker_only(clip: &Clip, fps: u32) -> Answer {
    let mut census = Census::new(TrackerConfig::default(), Areas::default());
    let mut answer = Answer::default();
    for (number, time) in clip.times(fps).enumerate() {
        let time_at = Duration::from_secs(1) * number as u32 / fps;
        let faces: Vec<TrueFace> = clip.faces(time).into_iter().filter(TrueFace::is_asked).collect();
        let found: Vec<Detection> =
            faces.iter().map(|face| Detection { rect: face.rect, score: 0.9, states: None }).collect();
        let links = census.associate(time_at, &found, SIZE[1]).links;
        let mut frame = Vec::new();
        for ((face, detection), link) in faces.iter().zip(&found).zip(links) {
            let certain = |state| if state == face.state { 0.9 } else { 0.05 };
            let [mask, incorrect, no_mask] = [MaskState::Mask, MaskState::Incorrect, MaskState::NoMask].map(certain);
            let states = Some(StateScores { mask, incorrect, no_mask });
            let track = link.track.unwrap_or_default();
            let classified = ClassifiedFace { detection: *detection, states, state: face.state };
            census.evidence(time_at, track, &classified, face.rect.h * SIZE[1] as f32);
            frame.push(Seen { track, rect: face.rect, single: face.state });
        }
        answer.frames.push(frame);
        answer.people.extend(census.take_news().people.into_iter().map(|counted| counted.person));
    }
    census.end_all();
    answer.people.extend(census.take_news().people.into_iter().map(|counted| counted.person));
    answer
}
