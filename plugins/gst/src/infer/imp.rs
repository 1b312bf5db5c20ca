//! GObject glue of `maskinfer`: properties, state changes, events, and the way of a buffer.

use std::{
    sync::{Arc, LazyLock},
    time::{Duration, Instant},
};

use gst::{glib, prelude::*, subclass::prelude::*};
use gst_base::subclass::{
    base_transform::{InputBuffer, PrepareOutputBufferSuccess},
    prelude::*,
};
use gst_video::{VideoFormat, VideoFrame};
use maskwatch_engine::{Ask, Camera, Engine};
use maskwatch_vision::sight::Luma;
use tracing_mutex::parking_lot::Mutex;

use super::{
    run::{FrameFacts, Mode, Run, Verdict},
    sampler::Sampler,
    scores,
    settings::{self, Settings},
    subject::Picture,
};
use crate::{engines, frame::view, meta::FaceMeta};

static CAT: LazyLock<gst::DebugCategory> = LazyLock::new(|| {
    gst::DebugCategory::new("maskinfer", gst::DebugColorFlags::empty(), Some("Maskwatch: finds faces and their masks"))
});

/// How long the end of the stream waits for results.
const DRAIN: Duration = Duration::from_secs(5);

/// What exists between start and stop.
struct Running {
    run: Arc<Run>,
    camera: Arc<Camera>,
    /// A camera does not keep its engine alive.
    engine: Arc<Engine>,
    ask: Ask,
    sampler: Sampler,
    info: Option<gst_video::VideoInfo>,
    segment: Option<gst::FormattedSegment<gst::ClockTime>>,
}

/// The element's own part. Neither lock is held while the other is taken, nor over a call that may block.
#[derive(Default)]
pub struct MaskInfer {
    settings: Mutex<Settings>,
    running: Mutex<Option<Running>>,
}

#[glib::object_subclass]
impl ObjectSubclass for MaskInfer {
    const NAME: &'static str = "MaskwatchInfer";
    type Type = super::MaskInfer;
    type ParentType = gst_base::BaseTransform;
}

impl ObjectImpl for MaskInfer {
    fn properties() -> &'static [glib::ParamSpec] {
        static PROPERTIES: LazyLock<Vec<glib::ParamSpec>> = LazyLock::new(settings::properties);
        PROPERTIES.as_ref()
    }

    fn set_property(&self, _id: usize, value: &glib::Value, pspec: &glib::ParamSpec) {
        let settings = {
            let mut settings = self.settings.lock();
            if !settings.set(pspec.name(), value) {
                drop(settings);
                return gst::error!(CAT, imp = self, "no property {}", pspec.name());
            }
            settings.clone()
        };
        if settings::LIVE.contains(&pspec.name())
            && let Err(error) = self.change(pspec.name(), &settings)
        {
            gst::warning!(CAT, imp = self, "{} is not changed: {error}", pspec.name());
            self.post_error_message(gst::error_msg!(gst::LibraryError::Settings, ("{error}")));
        }
    }

    fn property(&self, _id: usize, pspec: &glib::ParamSpec) -> glib::Value {
        self.settings.lock().get(pspec.name()).unwrap_or_else(|| pspec.default_value().clone())
    }
}

impl GstObjectImpl for MaskInfer {}

impl ElementImpl for MaskInfer {
    fn metadata() -> Option<&'static gst::subclass::ElementMetadata> {
        static METADATA: LazyLock<gst::subclass::ElementMetadata> = LazyLock::new(|| {
            gst::subclass::ElementMetadata::new(
                "Face mask inference",
                "Filter/Analyzer/Video",
                "Finds faces and whether they wear a mask, in batches across cameras",
                "Maskwatch",
            )
        });
        Some(&*METADATA)
    }

    fn pad_templates() -> &'static [gst::PadTemplate] {
        static TEMPLATES: LazyLock<Vec<gst::PadTemplate>> = LazyLock::new(|| {
            let formats = [VideoFormat::I420, VideoFormat::Nv12, VideoFormat::Rgb];
            let caps = gst_video::VideoCapsBuilder::new().format_list(formats).build();
            let template = |name, direction| gst::PadTemplate::new(name, direction, gst::PadPresence::Always, &caps);
            [template("sink", gst::PadDirection::Sink), template("src", gst::PadDirection::Src)]
                .into_iter()
                .filter_map(Result::ok)
                .collect()
        });
        TEMPLATES.as_ref()
    }

    fn change_state(&self, transition: gst::StateChange) -> Result<gst::StateChangeSuccess, gst::StateChangeError> {
        // The pads are shut down by the parent class, which waits for the streaming thread: let that go first.
        if transition == gst::StateChange::PausedToReady
            && let Some(run) = self.run()
        {
            run.interrupt();
        }
        self.parent_change_state(transition)
    }
}

impl BaseTransformImpl for MaskInfer {
    const MODE: gst_base::subclass::BaseTransformMode = gst_base::subclass::BaseTransformMode::AlwaysInPlace;
    const PASSTHROUGH_ON_SAME_CAPS: bool = false;
    const TRANSFORM_IP_ON_PASSTHROUGH: bool = false;

    fn start(&self) -> Result<(), gst::ErrorMessage> {
        let settings = self.settings.lock().clone();
        let name = self.camera_name(&settings);
        let failed = |error: String| gst::error_msg!(gst::LibraryError::Init, ("camera {name}: {error}"));
        let options = settings.options().map_err(failed)?;
        let areas = settings.areas().map_err(failed)?;
        let engine = engines::obtain(&settings.engine, options).map_err(|error| failed(error.to_string()))?;
        let sampler = Sampler::new(settings.analyze_fps, &name);
        let mode = Mode { camera: name.clone(), track: settings.track, sync: settings.sync };
        gst::info!(CAT, imp = self, "camera {name} uses engine {}: {:?}", settings.engine, engine.models());
        let running = Running {
            run: Run::new(&self.obj(), mode, sampler.interval(), areas),
            camera: Arc::new(engine.attach(&name, settings.weight)),
            ask: asked(&settings, &engine),
            engine,
            sampler,
            info: None,
            segment: None,
        };
        *self.running.lock() = Some(running);
        Ok(())
    }

    fn stop(&self) -> Result<(), gst::ErrorMessage> {
        let running = self.running.lock().take();
        if let Some(Running { run, camera, engine, .. }) = running {
            run.interrupt();
            // Detaches; a waiting picture is finished as stopped.
            drop(camera);
            run.end_all();
            // The last user of an engine waits here for its threads, which may be reporting to this element.
            drop(engine);
        }
        Ok(())
    }

    fn set_caps(&self, incaps: &gst::Caps, _outcaps: &gst::Caps) -> Result<(), gst::LoggableError> {
        let info = gst_video::VideoInfo::from_caps(incaps)
            .map_err(|error| gst::loggable_error!(CAT, "caps {incaps} are no video: {error}"))?;
        if let Some(running) = self.running.lock().as_mut() {
            running.info = Some(info);
        }
        Ok(())
    }

    fn sink_event(&self, event: gst::Event) -> bool {
        let run = self.run();
        match event.view() {
            gst::EventView::Segment(segment) => {
                let segment = segment.segment().downcast_ref::<gst::ClockTime>().cloned();
                if let Some(running) = self.running.lock().as_mut() {
                    running.segment = segment;
                }
            }
            gst::EventView::FlushStart(_) => {
                let camera = self.running.lock().as_ref().map(|running| running.camera.clone());
                if let Some(run) = run {
                    run.interrupt();
                }
                if let Some(camera) = camera {
                    camera.flush();
                }
            }
            gst::EventView::FlushStop(_) => {
                if let Some(run) = run {
                    run.end_all();
                    run.resume();
                }
                if let Some(running) = self.running.lock().as_mut() {
                    running.sampler.reset();
                }
            }
            gst::EventView::Eos(_) => {
                if let Some(run) = run {
                    if !run.drain(DRAIN) {
                        gst::warning!(
                            CAT,
                            imp = self,
                            "end of stream: results of the last frames did not come in time"
                        );
                    }
                    run.end_all();
                }
            }
            _ => (),
        }
        self.parent_sink_event(event)
    }

    /// Only the buffer's metadata changes, so a shared buffer is copied without its pixels.
    fn prepare_output_buffer(&self, inbuf: InputBuffer<'_>) -> Result<PrepareOutputBufferSuccess, gst::FlowError> {
        Ok(match inbuf {
            InputBuffer::Writable(_) => PrepareOutputBufferSuccess::InputBuffer,
            InputBuffer::Readable(buffer) => PrepareOutputBufferSuccess::Buffer(buffer.copy()),
        })
    }

    fn transform_ip(&self, buffer: &mut gst::BufferRef) -> Result<gst::FlowSuccess, gst::FlowError> {
        let turn = self.turn(buffer)?;
        let (faces, analyzed) = turn.run.faces_at(turn.facts.time);
        FaceMeta::add(buffer, faces, analyzed);
        if turn.due {
            self.submit(buffer, &turn)?;
        }
        Ok(gst::FlowSuccess::Ok)
    }
}

/// What a buffer needs, taken out of the lock.
struct Turn {
    run: Arc<Run>,
    ask: Ask,
    info: gst_video::VideoInfo,
    facts: FrameFacts,
    due: bool,
}

/// What is asked of an engine.
fn asked(settings: &Settings, engine: &Engine) -> Ask {
    let face = settings.min_score().unwrap_or(engine.score_threshold());
    scores::ask(face, settings.hide_score(engine.hide_score()))
}

impl MaskInfer {
    /// Takes a property over into an analysis that runs: no picture is lost, and tracks go on. Pictures that are with an
    /// engine already are finished there.
    fn change(&self, property: &str, settings: &Settings) -> Result<(), String> {
        let Some(run) = self.run() else { return Ok(()) };
        let name = self.camera_name(settings);
        // What may take its time or fail comes first, without the lock.
        let areas = settings.areas()?;
        let engine = match property {
            "engine" => {
                Some(engines::obtain(&settings.engine, settings.options()?).map_err(|error| error.to_string())?)
            }
            _ => self.running.lock().as_ref().map(|running| running.engine.clone()),
        };
        let Some(engine) = engine else { return Ok(()) };
        let attached = matches!(property, "engine" | "weight").then(|| Arc::new(engine.attach(&name, settings.weight)));
        let ask = asked(settings, &engine);
        let sampler = Sampler::new(settings.analyze_fps, &name);
        run.change(sampler.interval(), areas);
        let moves = attached.is_some();
        let replaced = self.running.lock().as_mut().map(|running| {
            running.ask = ask;
            if property == "analyze-fps" {
                running.sampler = sampler;
            }
            let camera = attached.map(|attached| std::mem::replace(&mut running.camera, attached));
            (camera, std::mem::replace(&mut running.engine, engine))
        });
        if moves {
            run.move_on();
            if !run.left(DRAIN) {
                gst::warning!(CAT, imp = self, "camera {name}: results of the engine before did not come in time");
            }
        }
        // Dropped here, without the lock: the last user of an engine waits for its threads.
        drop(replaced);
        Ok(())
    }

    fn camera_name(&self, settings: &Settings) -> String {
        if settings.camera.is_empty() { self.obj().name().into() } else { settings.camera.clone() }
    }

    fn run(&self) -> Option<Arc<Run>> {
        self.running.lock().as_ref().map(|running| running.run.clone())
    }

    /// Looks whether it is the frame's turn.
    fn turn(&self, buffer: &gst::BufferRef) -> Result<Turn, gst::FlowError> {
        let mut running = self.running.lock();
        let running = running.as_mut().ok_or(gst::FlowError::Flushing)?;
        let info = running.info.clone().ok_or(gst::FlowError::NotNegotiated)?;
        let running_time =
            running.segment.as_ref().zip(buffer.pts()).and_then(|(segment, pts)| segment.to_running_time(pts));
        let time = running_time.map(Duration::from);
        let due = running.sampler.due(time);
        let facts = FrameFacts {
            generation: 0,
            time: time.unwrap_or_else(|| running.run.latest_time()),
            running_time,
            pts: buffer.pts(),
            width: info.width(),
            height: info.height(),
            arrived: Instant::now(),
            luma: None,
        };
        Ok(Turn { run: running.run.clone(), ask: running.ask, info, facts, due })
    }

    /// Hands the picture to the engine; in sync mode waits for its faces and puts them on the buffer.
    fn submit(&self, buffer: &mut gst::BufferRef, turn: &Turn) -> Result<(), gst::FlowError> {
        let Some((ticket, generation)) = turn.run.ticket() else {
            turn.run.dropped("overload", None);
            return Ok(());
        };
        // Looked up behind the ticket: one of the present epoch goes to no place of before, which nobody waits for.
        let camera = self.running.lock().as_ref().map(|running| running.camera.clone());
        let camera = camera.ok_or(gst::FlowError::Flushing)?;
        // Shares the pixels; holds them until the result is there.
        let Ok(frame) = VideoFrame::from_buffer_readable(buffer.copy(), &turn.info) else {
            gst::element_imp_error!(self, gst::StreamError::Format, ("cannot map a frame of {:?}", turn.info));
            return Err(gst::FlowError::Error);
        };
        let facts = FrameFacts { generation, luma: Luma::of(&view(&frame)), ..turn.facts };
        camera.submit(Box::new(Picture::new(frame, facts, ticket)), turn.ask);
        if !turn.run.mode().sync {
            return Ok(());
        }
        match turn.run.wait() {
            Verdict::Known { faces, hide } => {
                FaceMeta::add(buffer, faces, true);
                if let Some(suspects) = hide {
                    FaceMeta::set_hide(buffer, suspects);
                }
                Ok(())
            }
            Verdict::Interrupted => Err(gst::FlowError::Flushing),
            Verdict::Failed(error) => {
                let camera = &turn.run.mode().camera;
                gst::element_imp_error!(self, gst::StreamError::Failed, ("camera {camera}: {error}"));
                Err(gst::FlowError::Error)
            }
        }
    }
}
