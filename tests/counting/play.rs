//! Clips and files through the program's own path.

use std::path::Path;
use std::sync::{Arc, Mutex};

use gst::prelude::*;
use gstmaskwatch::report::{self, Report};
use maskwatch_vision::face::{ClassifiedFace, FaceView};

use super::replay::{Answer, Recording, Seen};
use super::stage::{Clip, Painter, SIZE};

/// An answer, and the frames that it was given to.
#[derive(Default)]
pub struct Played {
    pub answer: Answer,
    pub frames: Vec<Vec<ClassifiedFace>>,
}

/// The clip's frames, `fps` per second, into `maskinfer`.
pub fn end_to_end(clip: &Clip, fps: u32, engine: &str) -> (Answer, Recording) {
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
    let Played { answer, frames } = run.finish();
    (answer, Recording { fps, frames })
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
    .answer
}

/// A pipeline whose reports are gathered.
struct Run {
    pipeline: gst::Pipeline,
    played: Arc<Mutex<Played>>,
}

impl Run {
    fn start(line: &str, configure: impl FnOnce(&gst::Pipeline)) -> Self {
        let pipeline = gst::parse::launch(line).unwrap().downcast::<gst::Pipeline>().unwrap();
        configure(&pipeline);
        let played: Arc<Mutex<Played>> = Arc::default();
        let gathered = Arc::clone(&played);
        // Reports are taken where they are posted: a long clip fills no bus.
        pipeline.bus().unwrap().set_sync_handler(move |_, message| match report::from_message(message) {
            Some(report) => {
                take(&mut gathered.lock().unwrap(), report);
                gst::BusSyncReply::Drop
            }
            None => gst::BusSyncReply::Pass,
        });
        pipeline.set_state(gst::State::Playing).unwrap();
        Self { pipeline, played }
    }

    fn finish(self) -> Played {
        let ends = [gst::MessageType::Eos, gst::MessageType::Error];
        let message = self.pipeline.bus().unwrap().timed_pop_filtered(gst::ClockTime::NONE, &ends).unwrap();
        assert!(message.type_() == gst::MessageType::Eos, "{message:?}");
        self.pipeline.set_state(gst::State::Null).unwrap();
        std::mem::take(&mut *self.played.lock().unwrap())
    }
}

fn take(played: &mut Played, report: Report) {
    match report {
        Report::Frame(frame) => {
            let seen = |(face, raw): (&FaceView, &ClassifiedFace)| Seen {
                track: face.track,
                rect: face.rect,
                single: raw.state,
            };
            played.answer.frames.push(frame.faces.iter().zip(&frame.raw).map(seen).collect());
            played.frames.push(frame.raw);
        }
        Report::Person(person) => played.answer.people.push(person.person),
        Report::Drop(drop) => panic!("a frame was not analysed: {drop:?}"),
        Report::Visit(_) | Report::Verdict(_) | Report::Hidden(_) => {}
    }
}
