//! Cameras of every kind, each from somebody else's program where there is one: VLC and ffmpeg as servers.

#![allow(clippy::unwrap_used)]

use std::time::Duration;

use maskwatch::config::plan::{CameraPlan, Credentials, Transport};
use maskwatch::config::secret::Secret;
use maskwatch::metrics::DisconnectReason;
use maskwatch::sim;

mod rig;
mod support;

use rig::{Rig, plan, simulate};
use support::clip::{Clip, Codec};
use support::{peer, soon, temp_dir, wait_until};

fn file_url(path: &std::path::Path) -> String {
    format!("file://{}", path.display())
}

#[test]
fn rtsp_of_every_codec_over_tcp_and_udp() {
    let folder = temp_dir();
    let clips = [
        Clip::default().write(folder.path(), "h264"),
        Clip { codec: Codec::Hevc, width: 320, height: 240, ..Clip::default() }.write(folder.path(), "hevc"),
        Clip { codec: Codec::Mjpeg, width: 320, height: 240, ..Clip::default() }.write(folder.path(), "mjpeg"),
    ];
    let server = simulate(&clips.each_ref().map(std::path::PathBuf::as_path));
    for transport in [Transport::Tcp, Transport::Udp, Transport::Auto] {
        for (index, size) in [(640, 360), (320, 240), (320, 240)].into_iter().enumerate() {
            let rig = Rig::start(CameraPlan { transport, ..plan("gate", &server.url(index)) });
            rig.wait_up();
            assert_eq!(rig.size(), Some(size), "camera {index} over {transport:?}");
            rig.stop();
        }
    }
    wait_until("no client stays behind", soon(), || server.cameras().iter().all(|camera| camera.viewers() == 0));
}

#[test]
fn vlc_serves_h264_and_hevc() {
    let folder = temp_dir();
    for codec in [Codec::H264, Codec::Hevc] {
        let file = Clip { codec, ..Clip::default() }.write(folder.path(), &format!("{codec:?}"));
        let camera = peer::Camera::vlc(&file);
        let rig = Rig::start(CameraPlan { transport: Transport::Udp, ..plan("gate", &camera.url) });
        rig.wait_up();
        assert_eq!(rig.size(), Some((640, 360)), "{codec:?}");
        rig.stop();
    }
}

#[test]
fn http_motion_jpeg_from_ffmpeg() {
    let folder = temp_dir();
    let file = Clip::default().write(folder.path(), "clip");
    let camera = peer::Camera::ffmpeg_mjpeg(&file);
    let rig = Rig::on(&camera.url);
    rig.wait_up();
    assert_eq!(rig.size(), Some((640, 360)));
    rig.stop();
}

#[test]
fn files_play_for_ever_at_their_own_rate() {
    let folder = temp_dir();
    for codec in [Codec::H264, Codec::Hevc, Codec::Mjpeg] {
        let file = Clip { codec, seconds: 1, width: 160, height: 120, ..Clip::default() }
            .write(folder.path(), &format!("{codec:?}"));
        let rig = Rig::on(&file_url(&file));
        rig.wait_up();
        let begin = (std::time::Instant::now(), rig.hub.published());
        wait_until("three rounds", soon(), || rig.hub.published() - begin.1 >= 75);
        // The clock may only make it slower than 25 per second, never faster: 75 frames last 3 s less one frame.
        assert!(begin.0.elapsed() >= Duration::from_millis(2700), "{codec:?} runs ahead: {:?}", begin.0.elapsed());
        let view = rig.camera.status().view();
        assert_eq!((view.connects, view.disconnects), (1, 0), "{codec:?} has no seam");
        rig.stop();
    }
}

#[test]
fn odd_sizes_are_pictures_too() {
    let folder = temp_dir();
    let source = Clip { codec: Codec::Mjpeg, width: 322, height: 182, ..Clip::default() };
    let even = source.write(folder.path(), "even");
    let odd = folder.path().join("odd.mkv");
    let mut command = std::process::Command::new("ffmpeg");
    command.args(["-nostdin", "-v", "error", "-i"]).arg(&even);
    command.args(["-vf", "format=yuvj444p,crop=321:181", "-c:v", "mjpeg", "-pix_fmt", "yuvj444p"]).arg(&odd);
    support::process::run_well(&mut command, soon());
    let rig = Rig::on(&file_url(&odd));
    rig.wait_up();
    assert_eq!(rig.size(), Some((321, 181)));
    rig.stop();
}

#[test]
fn passwords_are_asked_for_and_never_shown() {
    let folder = temp_dir();
    let file = Clip::default().write(folder.path(), "clip");
    gst::init().unwrap();
    let options = sim::Options { auth: Some(("ops".into(), "s3cret".into())), ..sim::Options::local() };
    let server = sim::Server::start_files(&options, &[file]).unwrap();

    let rig = Rig::on(&server.url(0));
    let (reason, message) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Auth, "{message}");
    assert!(message.contains("asks for a password"), "{message}");
    rig.stop();

    for (password, right) in [("s3cret", true), ("wr0ng", false)] {
        let credentials = Some(Credentials { username: "ops".into(), password: Secret::new(password) });
        let rig = Rig::start(CameraPlan { credentials, ..plan("gate", &server.url(0)) });
        if right {
            rig.wait_up();
        } else {
            let (reason, message) = rig.wait_down();
            assert_eq!(reason, DisconnectReason::Auth);
            assert!(!message.contains(password) && message.contains("refuses"), "{message}");
        }
        rig.stop();
    }
}

/// An RTSP server over TLS with a certificate that it signed itself, on a thread that ends with the test process.
fn tls_server(folder: &std::path::Path) -> u16 {
    use gst_rtsp_server::prelude::*;
    let (key, cert) = (folder.join("key.pem"), folder.join("cert.pem"));
    let mut command = std::process::Command::new("openssl");
    command.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=camera", "-keyout"]);
    support::process::run_well(command.arg(&key).arg("-out").arg(&cert), soon());
    let certificate = gst_rtsp_server::gio::TlsCertificate::from_files(&cert, &key).unwrap();

    let server = gst_rtsp_server::RTSPServer::new();
    server.set_address("127.0.0.1");
    server.set_service("0");
    let auth = gst_rtsp_server::RTSPAuth::new();
    auth.set_tls_certificate(Some(&certificate));
    let mut token = gst_rtsp_server::RTSPToken::builder().field("media.factory.role", "all").build();
    auth.set_default_token(Some(&mut token));
    server.set_auth(Some(&auth));
    let factory = gst_rtsp_server::RTSPMediaFactory::new();
    factory.set_launch(
        "( videotestsrc is-live=true ! video/x-raw,width=320,height=240,framerate=25/1 ! \
         x264enc tune=zerolatency key-int-max=25 ! rtph264pay name=pay0 )",
    );
    let role =
        gst::Structure::builder("all").field("media.factory.access", true).field("media.factory.construct", true);
    factory.add_role_from_structure(&role.build());
    server.mount_points().unwrap().add_factory("/cam", factory);
    let context = gst::glib::MainContext::new();
    server.attach(Some(&context)).unwrap();
    let port = server.bound_port();
    std::thread::spawn(move || {
        let main_loop = gst::glib::MainLoop::new(Some(&context), false);
        context.with_thread_default(|| main_loop.run()).unwrap();
    });
    u16::try_from(port).unwrap()
}

#[test]
fn rtsps_checks_the_certificate_unless_told_not_to() {
    gst::init().unwrap();
    let folder = temp_dir();
    let url = format!("rtsps://127.0.0.1:{}/cam", tls_server(folder.path()));
    let rig = Rig::on(&url);
    let (reason, message) = rig.wait_down();
    assert_eq!(reason, DisconnectReason::Error, "{message}");
    assert!(message.contains("insecure_tls: true"), "{message}");
    assert_eq!(rig.hub.published(), 0, "nothing from a server that nobody vouches for");
    rig.stop();
    let rig = Rig::start(CameraPlan { insecure_tls: true, ..plan("gate", &url) });
    rig.wait_up();
    assert_eq!(rig.size(), Some((320, 240)));
    rig.stop();
}
