//! Annotated streams read back by other people's programs: ffprobe, ffmpeg and VLC.

#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::time::Duration;

use maskwatch::access::Access;
use maskwatch::config::plan::{AccessPlan, Credentials, ListenPlan, OutputPlan};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::Metrics;
use maskwatch::rtsp::{RtspError, RtspServer, Stream};
use maskwatch::sim;

mod rig;
mod support;

use rig::{Rig, plan, simulate};
use support::clip::Clip;
use support::{Scrape, grab, peer, soon, temp_dir, wait_until};

/// Names of the cameras of [`Bench`].
const NAMES: [&str; 3] = ["gate", "yard", "hall"];

/// Simulated cameras and the server of their annotated streams.
struct Bench {
    server: RtspServer,
    rigs: Vec<Rig>,
    metrics: Arc<Metrics>,
    cameras: sim::Server,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn start(sizes: &[(u32, u32, u32)], auth: Option<Credentials>) -> Self {
        gst::init().unwrap();
        gstmaskwatch::plugin_register_static().unwrap();
        let folder = temp_dir();
        let clips: Vec<_> = sizes
            .iter()
            .enumerate()
            .map(|(index, &(width, height, fps))| {
                Clip { width, height, fps, ..Clip::default() }.write(folder.path(), &format!("clip{index}"))
            })
            .collect();
        let cameras = simulate(&clips.iter().map(std::path::PathBuf::as_path).collect::<Vec<_>>());
        let metrics = Metrics::new().unwrap();
        let listen = ListenPlan::plain(([127, 0, 0, 1], 0).into(), auth);
        let server = open(&listen, &metrics).unwrap();
        let rigs: Vec<_> = (0..sizes.len())
            .map(|index| {
                let rig = Rig::with_metrics(plan(NAMES[index], &cameras.url(index)), &metrics);
                server.add(Stream {
                    hub: Arc::clone(&rig.hub),
                    status: Arc::clone(rig.camera.status()),
                    metrics: Arc::clone(&rig.metrics),
                    areas: Arc::default(),
                    labels: Default::default(),
                    output: rig.camera.plan().output,
                });
                rig
            })
            .collect();
        Self { server, rigs, metrics, cameras, _folder: folder }
    }

    fn scrape(&self) -> Scrape {
        Scrape::parse(&self.metrics.render().unwrap())
    }

    fn encoded(&self, camera: &str) -> f64 {
        self.scrape().frames(camera, "encoded")
    }

    fn viewers(&self, name: &str) -> f64 {
        self.scrape().get("rtsp_clients", &[("camera", name)])
    }

    fn wait_up(&self) {
        self.rigs.iter().for_each(Rig::wait_up);
    }
}

/// A server without users.
fn open(listen: &ListenPlan, metrics: &Arc<Metrics>) -> Result<RtspServer, RtspError> {
    let access = Access::start(&AccessPlan::default(), None, None, metrics).unwrap();
    RtspServer::start(listen, access, None, metrics)
}

#[track_caller]
fn times_rise(packets: &[grab::Packet]) {
    for pair in packets.windows(2) {
        assert!(pair[1].pts > pair[0].pts, "time goes back: {pair:?}");
    }
}

#[test]
fn a_stream_is_encoded_only_while_it_is_watched() {
    let bench = Bench::start(&[(640, 360, 25), (320, 240, 10)], None);
    bench.wait_up();
    assert_eq!((bench.encoded("gate"), bench.encoded("yard")), (0.0, 0.0), "nobody watches");
    // UDP may lose the first packets while the client makes itself ready; then the next keyframe serves.
    for (transport, first) in [("tcp", 1), ("udp", 30)] {
        let packets = grab::packets(&bench.server.url("gate"), transport, 50, soon());
        let keyframe = packets.iter().take(first).any(|packet| packet.key);
        assert!(packets.len() >= 45 && keyframe, "{transport}: {} packets", packets.len());
        times_rise(&packets);
    }
    let seen = grab::probe(&bench.server.url("gate"), "tcp", soon());
    assert_eq!((seen.codec.as_str(), seen.width, seen.height), ("h264", 640, 360));
    wait_until("the viewers are gone", soon(), || bench.viewers("gate") == 0.0 && bench.rigs[0].hub.subscribers() == 0);
    let after = bench.encoded("gate");
    assert!(after >= 50.0);
    let frames = bench.rigs[0].hub.published();
    wait_until("the camera goes on", soon(), || bench.rigs[0].hub.published() > frames + 25);
    assert_eq!(bench.encoded("gate"), after, "nobody watches any more");
    assert_eq!(bench.encoded("yard"), 0.0, "nobody ever watched");
}

#[test]
fn viewers_share_one_encoder_and_a_late_one_gets_a_keyframe() {
    let bench = Bench::start(&[(320, 240, 25)], None);
    bench.wait_up();
    let url = bench.server.url("gate");
    let viewer = peer::Viewer::start(&url, true);
    viewer.wait_for_picture(soon());
    assert!(grab::key_within(&url, "tcp", 8, soon()), "a late viewer gets a keyframe at once");
    let second = peer::Viewer::start(&url, false);
    second.wait_for_picture(soon());
    assert_eq!(bench.viewers("gate"), 2.0);
    assert_eq!(bench.rigs[0].hub.subscribers(), 1, "one encoder for both");
    drop((viewer, second));
    wait_until("the encoder stops", soon(), || bench.rigs[0].hub.subscribers() == 0);
}

#[test]
fn a_dead_camera_keeps_its_viewers_by_slates() {
    let bench = Bench::start(&[(320, 240, 25)], None);
    bench.wait_up();
    let url = bench.server.url("gate");
    let viewer = peer::Viewer::start(&url, true);
    viewer.wait_for_picture(soon());
    bench.cameras.cameras()[0].kill();
    bench.rigs[0].wait_down();
    // Slates come: frames are encoded though the camera gives none.
    let (encoded, published) = (bench.encoded("gate"), bench.rigs[0].hub.published());
    wait_until("slates", soon(), || bench.encoded("gate") >= encoded + 10.0);
    assert_eq!(bench.rigs[0].hub.published(), published);
    let packets = grab::packets(&url, "tcp", 10, soon());
    times_rise(&packets);
    let picture = &grab::pictures(&url, "tcp", 1, soon())[0];
    let dark = picture.pixels().filter(|pixel| pixel.0.iter().all(|&channel| channel < 90)).count();
    assert!(dark * 2 > picture.pixels().len(), "a slate is dark");
    bench.cameras.cameras()[0].revive();
    bench.rigs[0].wait_up();
    times_rise(&grab::packets(&url, "tcp", 30, soon()));
    assert_eq!(bench.viewers("gate"), 1.0, "VLC stayed");
    assert!(viewer.process.log().iter().all(|line| !line.contains("early picture skipped")), "no leap in time");
}

#[test]
fn a_stream_of_a_camera_that_never_was_shows_a_slate() {
    let bench = Bench::start(&[(320, 240, 25)], None);
    bench.cameras.cameras()[0].kill();
    bench.rigs[0].wait_down();
    let seen = grab::probe(&bench.server.url("gate"), "tcp", soon());
    assert_eq!(seen.codec, "h264");
    assert!(!grab::packets(&bench.server.url("gate"), "udp", 5, soon()).is_empty());
}

#[test]
fn a_stream_keeps_its_size_when_the_camera_changes() {
    let bench = Bench::start(&[(320, 240, 25)], None);
    bench.wait_up();
    let url = bench.server.url("gate");
    let viewer = peer::Viewer::start(&url, true);
    viewer.wait_for_picture(soon());
    let folder = temp_dir();
    let other = Clip { width: 640, height: 360, ..Clip::default() }.write(folder.path(), "other");
    bench.cameras.cameras()[0].switch(sim::Clip::load(&other).unwrap());
    wait_until("the new size comes in", soon(), || bench.rigs[0].size() == Some((640, 360)));
    let seen = grab::probe(&url, "tcp", soon());
    assert_eq!((seen.width, seen.height), (320, 240), "the running session keeps its size");
    times_rise(&grab::packets(&url, "tcp", 25, soon()));
}

#[test]
fn the_mosaic_shows_all_cameras() {
    let bench = Bench::start(&[(640, 360, 25), (320, 240, 10), (322, 182, 15)], None);
    bench.wait_up();
    bench.cameras.cameras()[2].kill();
    bench.rigs[2].wait_down();
    let url = bench.server.url("mosaic");
    let packets = grab::packets(&url, "tcp", 24, soon());
    assert!(packets[0].key);
    times_rise(&packets);
    // The first pictures of a new mosaic may come before the cameras' own.
    let pictures = grab::pictures(&url, "udp", 15, soon());
    let picture = pictures.last().unwrap();
    assert_eq!(picture.dimensions(), (1280, 720));
    // The test pictures are colourful; the slate of the dead camera is dark, and the fourth tile is empty.
    let bright = |x: u32, y: u32| {
        let tile = image::imageops::crop_imm(picture, x, y, 640, 360).to_image();
        tile.pixels().filter(|pixel| pixel.0.iter().any(|&channel| channel > 120)).count() as f64 / (640.0 * 360.0)
    };
    assert!(bright(0, 0) > 0.3 && bright(640, 0) > 0.2, "{} {}", bright(0, 0), bright(640, 0));
    assert!(bright(0, 360) < 0.1 && bright(640, 360) < 0.05, "{} {}", bright(0, 360), bright(640, 360));
    wait_until("all is given back", soon(), || bench.rigs.iter().all(|rig| rig.hub.subscribers() == 0));
    assert_eq!(bench.encoded("gate"), 0.0);
}

#[test]
fn a_stream_can_be_slower_than_its_camera_and_go_away() {
    let bench = Bench::start(&[(320, 240, 25)], None);
    bench.wait_up();
    let rig = &bench.rigs[0];
    bench.server.remove("gate");
    assert!(!grab::readable(&bench.server.url("gate"), "tcp", soon()), "it is offered no longer");
    assert!(!grab::readable(&bench.server.url("mosaic"), "tcp", soon()), "there is nothing to tile");
    bench.server.add(Stream {
        hub: Arc::clone(&rig.hub),
        status: Arc::clone(rig.camera.status()),
        metrics: Arc::clone(&rig.metrics),
        output: OutputPlan { bitrate_kbps: 500, max_fps: Some(5), zones: false },
        areas: Arc::default(),
        labels: Default::default(),
    });
    let packets = grab::packets(&bench.server.url("gate"), "tcp", 20, soon());
    times_rise(&packets);
    let took = packets.last().unwrap().pts - packets[5].pts;
    let each = took / (packets.len() - 6) as f64;
    assert!(each > 0.15, "{each} s from picture to picture");
}

#[test]
fn passwords_keep_strangers_out() {
    let auth = Credentials { username: "guard".into(), password: Secret::new("pa55") };
    let bench = Bench::start(&[(320, 240, 25)], Some(auth));
    bench.wait_up();
    let address = bench.server.address();
    assert!(!grab::readable(&bench.server.url("gate"), "tcp", soon()), "without a password");
    assert!(!grab::readable(&format!("rtsp://guard:wrong@{address}/gate"), "tcp", soon()));
    assert!(grab::readable(&format!("rtsp://guard:pa55@{address}/gate"), "tcp", soon()));
    assert!(grab::readable(&format!("rtsp://guard:pa55@{address}/mosaic"), "tcp", soon()));
}

#[test]
fn a_taken_port_is_named() {
    gst::init().unwrap();
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let listen = ListenPlan::plain(taken.local_addr().unwrap(), None);
    let error = open(&listen, &Metrics::new().unwrap()).err().unwrap().to_string();
    assert!(error.contains("in use") && error.contains(&listen.listen.port().to_string()), "{error}");
}

#[test]
fn viewers_that_vanish_are_noticed() {
    let bench = Bench::start(&[(320, 240, 25)], None);
    bench.wait_up();
    let mut viewer = peer::Viewer::start(&bench.server.url("gate"), true);
    viewer.wait_for_picture(soon());
    viewer.process.kill();
    wait_until("the encoder stops", Duration::from_secs(90), || bench.rigs[0].hub.subscribers() == 0);
    assert_eq!(bench.viewers("gate"), 0.0);
}
