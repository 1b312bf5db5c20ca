//! Other people's RTSP servers with what our own simulator does not send.

use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gst::glib;
use gst_rtsp_server::prelude::*;
use gst_rtsp_server::{RTSPMediaFactory, RTSPServer};
use maskwatch::config::plan::{CameraPlan, Transport};

use super::coded::{Codec, Recipe};
use super::net::pause;
use crate::rig::{Rig, plan};

/// How long pictures are counted.
const COUNTED: Duration = Duration::from_secs(8);
/// Share of the announced rate that has to come out: all but what the ends of the measure cut off.
const LEAST: f64 = 0.98;

/// Plays a file once per client, on a thread that ends with the test process; gives its URL.
pub fn gstreamer(file: &Path, codec: Codec) -> String {
    gst::init().unwrap();
    let (parser, payloader) = match codec {
        Codec::H264 => ("h264parse", "rtph264pay"),
        Codec::Hevc => ("h265parse", "rtph265pay"),
    };
    // Matroska has no times of decoding: the server sends a picture when it is shown then, and B-frames after it.
    let demuxer = if file.extension().is_some_and(|suffix| suffix == "mkv") { "matroskademux" } else { "qtdemux" };
    let factory = RTSPMediaFactory::new();
    factory.set_launch(&format!(
        "( filesrc location={} ! {demuxer} ! queue ! {parser} config-interval=-1 ! {payloader} name=pay0 pt=96 )",
        file.display()
    ));
    let server = RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service("0");
    server.mount_points().unwrap().add_factory("/cam", factory);
    let context = glib::MainContext::new();
    server.attach(Some(&context)).unwrap();
    let port = server.bound_port();
    std::thread::spawn(move || {
        let main_loop = glib::MainLoop::new(Some(&context), false);
        context.with_thread_default(|| main_loop.run()).unwrap();
    });
    format!("rtsp://127.0.0.1:{port}/cam")
}

/// A camera to be counted.
pub struct Case {
    pub name: String,
    pub url: String,
    pub transport: Transport,
    pub recipe: Recipe,
}

/// Runs all at once; each has to give the rate of its file, by the clock, out of one connection.
#[track_caller]
pub fn hold_their_rate(cases: &[Case]) {
    let faults = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for case in cases {
            let faults = &faults;
            scope.spawn(move || {
                let seen = count(case);
                println!("| {} | {} a second | {seen:?} |", case.name, case.recipe.fps);
                if !(seen.rate >= f64::from(case.recipe.fps) * LEAST && (seen.connects, seen.falls) == (1, 0)) {
                    faults.lock().unwrap().push(format!("{}: {seen:?}", case.name));
                }
            });
        }
    });
    let faults = faults.into_inner().unwrap();
    assert!(faults.is_empty(), "not every picture comes out:\n{}", faults.join("\n"));
}

#[derive(Debug)]
struct Seen {
    rate: f64,
    connects: u64,
    falls: u64,
}

fn count(case: &Case) -> Seen {
    let rig = Rig::start(CameraPlan { transport: case.transport, ..plan("zoo", &case.url) });
    rig.wait_up();
    // From one picture to another: what lies between is time of whole pictures.
    let mark = || {
        let before = rig.hub.published();
        let end = Instant::now() + Duration::from_secs(2);
        while rig.hub.published() == before && Instant::now() < end {
            pause(Duration::from_millis(2));
        }
        (rig.hub.published(), Instant::now())
    };
    let first = mark();
    pause(COUNTED);
    let last = mark();
    let rate = (last.0 - first.0) as f64 / last.1.duration_since(first.1).as_secs_f64();
    let view = rig.camera.status().view();
    rig.stop();
    Seen { rate, connects: view.connects, falls: view.disconnects }
}
