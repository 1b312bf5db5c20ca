//! What the element tests share.
#![allow(dead_code, unreachable_pub, missing_docs, reason = "each test file uses its part")]

use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, Once,
        mpsc::{Receiver, Sender, channel},
    },
    time::Duration,
};

use gst::prelude::*;
use gst_check::Harness;
use gst_video::{VideoFormat, VideoFrame, VideoInfo, prelude::*};
use gstmaskwatch::report::{self, Report};
use maskwatch_engine::{Engine, EngineOptions, NoObserver, Observe, Phase, Provider};
use maskwatch_vision::batch::BatchReason;

/// Luma of a side that the test detector takes for a face.
pub const BRIGHT: u8 = 235;
/// Luma of a side without one.
pub const DARK: u8 = 16;

/// Every frame with its own faces.
pub fn exact(element: &gst::Element) {
    element.set_property("sync", true);
    element.set_property("analyze-fps", 0.0);
}

/// Longest that a test waits for something that must happen.
pub const SOON: Duration = Duration::from_secs(20);

/// Initialises GStreamer and registers the elements, once.
pub fn init() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        gst::init().unwrap();
        gstmaskwatch::plugin_register_static().unwrap();
    });
}

/// Folder of the test models.
pub fn models() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/models")
}

/// An engine with the test model `sides`, registered under `name`.
pub fn engine_with(name: &str, observer: Arc<dyn Observe>) -> Arc<Engine> {
    let options = EngineOptions {
        models_dir: models(),
        detector: "sides".into(),
        classifier: None,
        provider: Provider::Cpu,
        threads: 1,
        ..EngineOptions::default()
    };
    let engine = Engine::start(options, observer).unwrap();
    gstmaskwatch::engines::register(name, engine.clone());
    engine
}

pub fn engine(name: &str) -> Arc<Engine> {
    engine_with(name, Arc::new(NoObserver))
}

/// Holds the engine before each run until it is told to go on: a slow engine, without a clock.
pub struct Brake {
    hold: Mutex<Receiver<()>>,
    began: Mutex<Sender<usize>>,
}

/// Lets a braked engine go. Dropped: it runs freely.
pub struct Pedal {
    pub go: Sender<()>,
    pub began: Receiver<usize>,
}

pub fn brake() -> (Arc<Brake>, Pedal) {
    let (go, hold) = channel();
    let (began_sender, began) = channel();
    (Arc::new(Brake { hold: Mutex::new(hold), began: Mutex::new(began_sender) }), Pedal { go, began })
}

impl Observe for Brake {
    fn batch(&self, _model: &str, size: usize, _reason: BatchReason, _longest_wait: Duration) {
        let _ = self.began.lock().unwrap().send(size);
        let _ = self.hold.lock().unwrap().recv();
    }
    fn phase(&self, _model: &str, _phase: Phase, _took: Duration) {}
}

/// `maskinfer` in a harness, with a bus to read.
pub struct Rig {
    pub harness: Harness,
    pub element: gst::Element,
    pub bus: gst::Bus,
}

pub fn rig(engine: &str, configure: impl FnOnce(&gst::Element)) -> Rig {
    init();
    let element = gst::ElementFactory::make("maskinfer").property("engine", engine).property("camera", "gate").build();
    let element = element.unwrap();
    configure(&element);
    let bus = gst::Bus::new();
    element.set_bus(Some(&bus));
    let harness = Harness::with_element(&element, Some("sink"), Some("src"));
    Rig { harness, element, bus }
}

impl Rig {
    /// The next report, waited for.
    pub fn report(&self) -> Report {
        loop {
            let message = self.bus.timed_pop(gst::ClockTime::try_from(SOON).unwrap()).expect("a report in time");
            if let Some(report) = report::from_message(&message) {
                return report;
            }
        }
    }

    /// The reports that are there.
    pub fn reports(&self) -> Vec<Report> {
        self.bus.iter().filter_map(|message| report::from_message(&message)).collect()
    }
}

pub fn info(format: VideoFormat, width: u32, height: u32) -> VideoInfo {
    VideoInfo::builder(format, width, height).fps(gst::Fraction::new(25, 1)).build().unwrap()
}

/// A picture whose halves have these grey levels.
pub fn halves(info: &VideoInfo, left: u8, right: u8, pts: u64) -> gst::Buffer {
    let buffer = gst::Buffer::with_size(info.size()).unwrap();
    let mut frame = VideoFrame::from_buffer_writable(buffer, info).unwrap();
    let (width, height) = (info.width() as usize, info.height() as usize);
    let strides: Vec<usize> = frame.plane_stride().iter().map(|stride| *stride as usize).collect();
    let pixel = if info.format() == VideoFormat::Rgb { 3 } else { 1 };
    for (plane, bytes) in frame.planes_data_mut().into_iter().enumerate().take(strides.len()) {
        if plane > 0 {
            bytes.fill(128);
            continue;
        }
        for row in 0..height {
            let row = &mut bytes[row * strides[0]..][..width * pixel];
            row[..width / 2 * pixel].fill(left);
            row[width / 2 * pixel..].fill(right);
        }
    }
    let mut buffer = frame.into_buffer();
    let writable = buffer.get_mut().unwrap();
    writable.set_pts(gst::ClockTime::from_mseconds(pts));
    writable.set_duration(gst::ClockTime::from_mseconds(40));
    buffer
}

/// The faces that a buffer carries, as (left edge in tenths, state's name).
pub fn faces(buffer: &gst::BufferRef) -> Vec<(i32, &'static str)> {
    let meta = gstmaskwatch::meta::FaceMeta::get(buffer).expect("faces on every buffer");
    meta.faces().iter().map(|face| ((face.rect.x * 10.0).round() as i32, face.state.as_str())).collect()
}
