//! Cameras as they are out there: see `zoo/mod.rs`.

#![allow(clippy::unwrap_used)]

mod rig;
mod support;
#[path = "zoo/mod.rs"]
mod zoo;

use std::process::Command;

use maskwatch::config::plan::Transport;

use support::{peer, process::run_well, soon, temp_dir};
use zoo::auth::Login;
use zoo::coded::{self, Codec, Recipe};
use zoo::http::{self, jpeg};
use zoo::rtsp::{self, options::Options};
use zoo::servers::{self, Case};
use zoo::{rows, table};

#[test]
fn rtsp_cameras() {
    table::run(rows::rtsp());
}

#[test]
fn http_cameras() {
    table::run(rows::http::rows());
}

/// 25 pictures a second with B-frames, half a minute of them.
fn b_frames(codec: Codec) -> Recipe {
    Recipe { codec, width: 320, height: 240, fps: 25, pictures: 900, gop: 50, bframes: 3, ..Recipe::default() }
}

#[test]
fn every_picture_of_real_servers_with_b_frames_comes_out() {
    let folder = temp_dir();
    let mut cases = Vec::new();
    let mut vlc = Vec::new();
    for codec in [Codec::H264, Codec::Hevc] {
        let recipe = b_frames(codec);
        for suffix in ["mkv", "mp4"] {
            let file = coded::file(&recipe, folder.path(), &format!("{codec:?}.{suffix}"));
            let url = servers::gstreamer(&file, codec);
            for transport in [Transport::Tcp, Transport::Udp] {
                let name = format!("gst-rtsp-server, {codec:?} from {suffix}, {transport:?}");
                cases.push(Case { name, url: url.clone(), transport, recipe });
            }
        }
        let file = folder.path().join(format!("{codec:?}.mp4"));
        let camera = peer::Camera::vlc(&file);
        let (name, url) = (format!("VLC, {codec:?}"), camera.url.clone());
        cases.push(Case { name, url, transport: Transport::Udp, recipe });
        vlc.push(camera);
    }
    servers::hold_their_rate(&cases);
}

/// A client of somebody else gets this many pictures.
fn ffmpeg_plays(url: &str, transport: Option<&str>, pictures: u32) {
    let mut command = Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-xerror"]);
    if let Some(transport) = transport {
        command.args(["-rtsp_transport", transport]);
    }
    command.args(["-i", url, "-an", "-frames:v", &pictures.to_string(), "-f", "null", "-"]);
    run_well(&mut command, soon());
}

#[test]
fn the_fakes_are_cameras_to_others_as_well() {
    for recipe in [Recipe::default(), Recipe { codec: Codec::Hevc, bframes: 3, ..Recipe::default() }] {
        for transport in ["tcp", "udp"] {
            let camera = rtsp::Camera::start(Options { recipe, login: Some(Login::default()), ..Options::default() });
            let url = camera.url("/stream").replace("rtsp://", "rtsp://ops:secret@");
            ffmpeg_plays(&url, Some(transport), 30);
            assert_eq!(camera.journal().refused(), 0);
        }
    }
    let camera = http::Camera::start(http::options::Options::default());
    ffmpeg_plays(&camera.url("/stream"), None, 30);
}

#[test]
fn our_jpegs_are_jpegs() {
    use jpeg::Kind;
    let kinds = [
        Kind::Baseline,
        Kind::Progressive,
        Kind::Grey,
        Kind::Restarts,
        Kind::Chroma422,
        Kind::Chroma420,
        Kind::Markers,
        Kind::Thumbnail,
    ];
    for kind in kinds {
        for (width, height) in [(160, 120), (161, 121)] {
            let bytes = jpeg::picture(0, width, height, kind);
            let picture = image::load_from_memory(&bytes).unwrap().to_luma8();
            assert_eq!(picture.dimensions(), (width, height), "{kind:?}");
            // The square is bright, the slope around it is not.
            let (inside, outside) = (picture.get_pixel(12, 12).0[0], picture.get_pixel(100, 100).0[0]);
            assert!(inside > outside, "{kind:?}: {inside} {outside}");
        }
    }
}
