//! The server of the annotated streams.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use gst::glib;
use gst::prelude::*;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMedia, RTSPMediaFactory};
use maskwatch_vision::zone::Areas;
use tracing_mutex::parking_lot::Mutex;

use super::doors::Doors;
use super::feed::{BACKLOG, Feed, Filmed, Running};
use super::host::{Entrance, Host, HostError, Visitors};
use super::mosaic::Grid;
use super::slate::Ticker;
use super::{MOSAIC, OVERLAY_ELEMENT};
use crate::access::Access;
use crate::camera::CameraStatus;
use crate::config::plan::{Credentials, ListenPlan, OutputPlan};
use crate::encoder::{self, Demand, Encoder, Kind, Task};
use crate::frames::Hub;
use crate::metrics::{CameraMetrics, Metrics};
use crate::tls::server::Certificate;

/// Frames per second of the mosaic.
const MOSAIC_FPS: u32 = 12;
/// What the mosaic asks of its encoder, but for its size.
const MOSAIC_DEMAND: Demand = Demand { bitrate_kbps: 3000, width: 1280, height: 720, fps: MOSAIC_FPS };

/// Why there are no streams.
#[derive(Debug, thiserror::Error)]
pub enum RtspError {
    /// The server does not start.
    #[error(transparent)]
    Host(#[from] HostError),
    /// GStreamer encodes no H.264 here.
    #[error("rtsp: no H.264 encoder (install gstreamer1.0-plugins-ugly for x264enc, or run `make setup`)")]
    NoEncoder,
    /// The system gives no thread.
    #[error("rtsp: {0}")]
    Thread(#[from] std::io::Error),
}

/// A camera whose annotated stream is offered.
#[derive(Clone)]
pub struct Stream {
    /// Its frames; the hub's camera name is the mount.
    pub hub: Arc<Hub>,
    /// For the slate.
    pub status: Arc<CameraStatus>,
    /// Counts encoded frames and viewers.
    pub metrics: Arc<CameraMetrics>,
    /// Bit rate and rate.
    pub output: OutputPlan,
    /// Zones and lines to draw.
    pub areas: Arc<Areas>,
    /// Of the camera: viewers may be kept to some.
    pub labels: BTreeMap<String, String>,
}

impl Stream {
    fn camera(&self) -> Filmed {
        let (hub, status) = (Arc::clone(&self.hub), Arc::clone(&self.status));
        Filmed { hub, status, metrics: Arc::clone(&self.metrics), areas: Arc::clone(&self.areas) }
    }
}

/// `rtsp`, or `rtsps` where everything is encrypted.
pub fn scheme(encrypted: bool) -> &'static str {
    if encrypted { "rtsps" } else { "rtsp" }
}

/// Users of other machines come in by Digest only: most of them not at all.
fn warn_of_plain(access: &Access) {
    let book = access.book();
    let with = book.users.iter().filter(|user| user.rtsp_digest.is_some()).count();
    if access.has_users() && with < book.users.len() {
        tracing::warn!(
            users = book.users.len(),
            with_digest = with,
            "rtsp: without rtsp.tls users of other machines come in by Digest alone, and not all have it (better give the \
             server a certificate; or: maskwatch user passwd NAME --rtsp-digest)"
        );
    }
}

/// What the server's callbacks share.
struct Shared {
    /// The H.264 encoders to use, best first.
    kinds: Vec<Kind>,
    ticker: Ticker,
    streams: Mutex<Vec<Stream>>,
    /// The encoder of each running stream, by mount.
    encoders: Mutex<BTreeMap<String, glib::WeakRef<Encoder>>>,
    metrics: Arc<Metrics>,
}

/// Serves `/<camera>` and `/mosaic`. Dropping it closes all connections.
pub struct RtspServer {
    host: Host,
    doors: Arc<Doors>,
    shared: Arc<Shared>,
    certificate: Option<Arc<Certificate>>,
}

impl RtspServer {
    /// Listens; no camera is offered yet. `access`: users and tokens that come in besides the plan's own login.
    /// `certificate`: what is shown; without one nothing is encrypted.
    ///
    /// # Errors
    /// The port is in use, the address is not ours, or no encoder is there.
    pub fn start(
        plan: &ListenPlan,
        access: Arc<Access>,
        certificate: Option<Arc<Certificate>>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, RtspError> {
        let kinds = encoder::usable(Task::Stream(MOSAIC_DEMAND));
        let best = kinds.first().ok_or(RtspError::NoEncoder)?.element();
        let shared = Arc::new(Shared {
            kinds,
            ticker: Ticker::start()?,
            streams: Mutex::default(),
            encoders: Mutex::default(),
            metrics: Arc::clone(metrics),
        });
        if certificate.is_none() && !plan.listen.ip().is_loopback() {
            warn_of_plain(&access);
        }
        let doors = Arc::new(Doors::new(access, plan.auth.as_ref(), certificate.is_some()));
        let (entrance, visitors) = (Entrance::Doors(Arc::clone(&doors)), Arc::clone(&shared) as Arc<dyn Visitors>);
        let host = Host::open(plan.listen, entrance, certificate.as_ref(), visitors)?;
        metrics.output(MOSAIC).set(0);
        tracing::info!(address = %host.address(), tls = certificate.is_some(), encoder = best, "RTSP server listens");
        Ok(Self { host, doors, shared, certificate })
    }

    /// Where it listens; the port is the real one.
    pub fn address(&self) -> SocketAddr {
        self.host.address()
    }

    /// `rtsp` or `rtsps`.
    pub fn scheme(&self) -> &'static str {
        scheme(self.certificate.is_some())
    }

    /// Address of a stream.
    pub fn url(&self, name: &str) -> String {
        format!("{}://{}/{name}", self.scheme(), self.address())
    }

    /// Another login of the streams themselves. Who came in by the one of before is sent away within a second.
    pub fn set_login(&self, login: Option<&Credentials>) {
        self.doors.set_login(login);
    }

    /// Offers a camera. The mosaic has it with its next first viewer.
    pub fn add(&self, stream: Stream) {
        let name = stream.hub.camera().to_owned();
        self.doors.label(&name, Some(stream.labels.clone()));
        self.host.mount(&name, self.camera_factory(&stream));
        self.shared.streams.lock().push(stream);
        self.renew_mosaic();
    }

    /// A camera is offered another way from now on. Who watches stays, and sees other zones and lines at once; bit rate and
    /// rate are those of before until the last of them has gone.
    pub fn change(&self, stream: Stream) {
        let name = stream.hub.camera().to_owned();
        self.doors.label(&name, Some(stream.labels.clone()));
        self.host.mount(&name, self.camera_factory(&stream));
        self.shared.ticker.for_each(|feed| feed.draw(&name, &stream.areas));
        let mut streams = self.shared.streams.lock();
        if let Some(known) = streams.iter_mut().find(|known| known.hub.camera() == name) {
            *known = stream;
        }
        drop(streams);
        self.renew_mosaic();
    }

    /// Closes the connections of all who watch a camera, alone or in the mosaic: what is on its way to them goes with them.
    pub fn cut(&self, camera: &str) {
        let stream = self.shared.streams.lock().iter().find(|stream| stream.hub.camera() == camera).cloned();
        let Some(stream) = stream else { return };
        self.host.unmount(camera);
        self.host.unmount(MOSAIC);
        self.host.mount(camera, self.camera_factory(&stream));
        self.renew_mosaic();
    }

    /// Offers a camera no longer; its viewers are sent away.
    pub fn remove(&self, camera: &str) {
        self.host.unmount(camera);
        self.doors.label(camera, None);
        self.shared.streams.lock().retain(|stream| stream.hub.camera() != camera);
        self.renew_mosaic();
    }

    /// How many watch a stream.
    pub fn viewers(&self, name: &str) -> usize {
        self.host.viewers(name)
    }

    /// Size and rate are known only when the first viewer comes: the text of the pipeline is made then.
    fn camera_factory(&self, stream: &Stream) -> RTSPMediaFactory {
        let (shared, stream) = (Arc::clone(&self.shared), stream.clone());
        factory(move |bin| {
            let camera = stream.camera();
            let (size, rate) = camera.shape();
            let fps = u32::try_from(rate.numer() / rate.denom().max(1)).unwrap_or(0).max(1);
            let fps = stream.output.max_fps.map_or(fps, |most| most.clamp(1, fps));
            let demand = Demand { bitrate_kbps: stream.output.bitrate_kbps, width: size.0, height: size.1, fps };
            let limit = stream
                .output
                .max_fps
                .map_or(String::new(), |most| format!("videorate drop-only=true max-rate={most} ! "));
            let name = camera.hub.camera();
            let encoder = Encoder::new(&shared.kinds, Task::Stream(demand))?;
            fill(bin, &format!("{} ! {limit}{}", source(0), scaled(name, 0, size)), &encoder)?;
            shared.note_encoder(name, &encoder, Some(&stream.metrics));
            Ok(vec![attach(bin, 0, &camera, size, rate, &shared.ticker)?])
        })
    }

    fn renew_mosaic(&self) {
        let streams = self.shared.streams.lock().clone();
        if streams.is_empty() {
            self.host.unmount(MOSAIC);
            return;
        }
        let shared = Arc::clone(&self.shared);
        let factory = factory(move |bin| {
            let grid = Grid::of(streams.len());
            let rate = gst::Fraction::new(MOSAIC_FPS as i32, 1);
            let (width, height) = grid.size;
            let encoder = Encoder::new(&shared.kinds, Task::Stream(Demand { width, height, ..MOSAIC_DEMAND }))?;
            fill(bin, &mosaic_text(&streams, &grid), &encoder)?;
            shared.note_encoder(MOSAIC, &encoder, None);
            let feed = |(index, stream): (usize, &Stream)| {
                attach(bin, index, &stream.camera(), grid.tile, rate, &shared.ticker)
            };
            streams.iter().enumerate().map(feed).collect()
        });
        self.host.mount(MOSAIC, factory);
    }
}

/// The pipeline of the mosaic. Each camera is scaled to its tile before it is drawn on: labels stay readable.
fn mosaic_text(streams: &[Stream], grid: &Grid) -> String {
    let (width, height) = grid.size;
    let mut places = String::new();
    let mut tiles = String::new();
    for (index, stream) in streams.iter().enumerate() {
        let (x, y) = grid.place(index);
        places.push_str(&format!(" sink_{index}::xpos={x} sink_{index}::ypos={y}"));
        tiles.push_str(&format!(
            " {} ! videorate drop-only=true max-rate={MOSAIC_FPS} ! {} ! mix.sink_{index}",
            source(index),
            scaled(stream.hub.camera(), index, grid.tile)
        ));
    }
    format!(
        "compositor name=mix background=black latency=100000000{places} ! \
         video/x-raw,format=I420,width={width},height={height},framerate={MOSAIC_FPS}/1,colorimetry=bt709 ! \
         identity name=end{tiles}"
    )
}

/// Entry `index` of a pipeline.
fn source(index: usize) -> String {
    format!(
        "appsrc name=source{index} is-live=true format=time do-timestamp=true leaky-type=downstream max-bytes=0 \
         max-time=0 max-buffers={BACKLOG}"
    )
}

/// Scaling to `size` with bars where the shapes differ, then drawing.
fn scaled(camera: &str, index: usize, (width, height): (u32, u32)) -> String {
    format!(
        "videoconvertscale ! video/x-raw,format=I420,width={width},height={height},pixel-aspect-ratio=1/1,\
         colorimetry=bt709 ! {OVERLAY_ELEMENT} name=overlay{index} camera={camera}"
    )
}

/// A factory whose pipelines are shared by all viewers and filled when the first of them comes.
fn factory<F>(build: F) -> RTSPMediaFactory
where
    F: Fn(&gst::Bin) -> Result<Vec<Running>, glib::Error> + Send + Sync + 'static,
{
    let factory = RTSPMediaFactory::new();
    factory.set_shared(true);
    // The payloader has to be there when the media looks for its streams; the rest is put before it.
    factory.set_launch("( rtph264pay name=pay0 pt=96 aggregate-mode=zero-latency )");
    factory.connect_media_configure(move |_, media| match build_into(media, &build) {
        Ok(running) => {
            let running = Mutex::new(running);
            media.connect_unprepared(move |_| drop(std::mem::take(&mut *running.lock())));
        }
        Err(error) => tracing::error!(%error, "no pipeline for the stream"),
    });
    factory
}

fn build_into<F>(media: &RTSPMedia, build: &F) -> Result<Vec<Running>, glib::Error>
where
    F: Fn(&gst::Bin) -> Result<Vec<Running>, glib::Error>,
{
    let bin = media.element().downcast::<gst::Bin>().map_err(|_| failed("the media is no bin"))?;
    build(&bin)
}

/// Puts the elements of `text` and the encoder before the payloader.
fn fill(bin: &gst::Bin, text: &str, encoder: &Encoder) -> Result<(), glib::Error> {
    let told = |error: glib::BoolError| failed(&error.to_string());
    let inner = gst::parse::bin_from_description(text, true)?;
    let payloader = bin.by_name("pay0").ok_or_else(|| failed("no payloader"))?;
    bin.add_many([inner.upcast_ref::<gst::Element>(), encoder.upcast_ref()]).map_err(told)?;
    gst::Element::link_many([inner.upcast_ref(), encoder.upcast_ref(), &payloader]).map_err(told)
}

/// Feeds entry `index` with a camera.
fn attach(
    bin: &gst::Bin,
    index: usize,
    camera: &Filmed,
    size: (u32, u32),
    rate: gst::Fraction,
    ticker: &Ticker,
) -> Result<Running, glib::Error> {
    let source = bin.by_name(&format!("source{index}")).and_then(|source| source.downcast::<gst_app::AppSrc>().ok());
    let source = source.ok_or_else(|| failed("no source"))?;
    let overlay = bin.by_name(&format!("overlay{index}"));
    if let Some(overlay) = &overlay {
        overlay.set_property("areas", gstmaskwatch::areas::text(&camera.areas_within(size)));
    }
    Feed::start(camera, source, overlay, size, rate, ticker).map_err(|error| failed(&error.to_string()))
}

fn failed(what: &str) -> glib::Error {
    glib::Error::new(gst::CoreError::Failed, what)
}

impl Shared {
    /// Remembers the encoder for keyframes, and counts what it gives.
    fn note_encoder(&self, mount: &str, encoder: &Encoder, metrics: Option<&Arc<CameraMetrics>>) {
        self.encoders.lock().insert(mount.to_owned(), encoder.downgrade());
        if let (Some(metrics), Some(pad)) = (metrics.cloned(), encoder.static_pad("src")) {
            pad.add_probe(gst::PadProbeType::BUFFER, move |_, _| {
                metrics.frame_encoded();
                gst::PadProbeReturn::Ok
            });
        }
    }
}

impl Visitors for Shared {
    fn viewers(&self, mount: &str, count: usize) {
        if mount == MOSAIC {
            self.metrics.output(MOSAIC).set(i64::try_from(count).unwrap_or(i64::MAX));
            return;
        }
        let streams = self.streams.lock();
        let metrics =
            streams.iter().find(|stream| stream.hub.camera() == mount).map(|stream| Arc::clone(&stream.metrics));
        drop(streams);
        if let Some(metrics) = metrics {
            metrics.rtsp_clients(count);
        }
    }

    fn joined(&self, mount: &str) {
        let encoder = self.encoders.lock().get(mount).and_then(glib::WeakRef::upgrade);
        if let Some(encoder) = encoder {
            encoder.force_keyframe();
        }
    }
}
