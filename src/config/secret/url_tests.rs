//! Tests of `url`.

use proptest::prelude::*;

use super::*;

fn problem(text: &str) -> UrlProblem {
    CameraUrl::parse(text).expect_err(text)
}

#[test]
fn urls_are_checked() {
    for good in [
        "rtsp://10.0.0.21:554/stream1",
        "rtsp://[fe80::1]:8554/a",
        "rtsps://cam.example/x",
        "http://cam/video.mjpg?fps=5",
        "https://cam/",
        "file:///srv/a%20b.mp4",
        "v4l2:///dev/video0",
    ] {
        assert_eq!(CameraUrl::parse(good).unwrap().expose(), good);
    }
    for (bad, expected) in [
        ("rtsp://user:pw@cam/1", UrlProblem::Credentials),
        ("rtsp://user@cam/1", UrlProblem::Credentials),
        ("ftp://cam/1", UrlProblem::Scheme("ftp".into())),
        ("rtspt://cam/1", UrlProblem::Transport("rtspt".into(), "tcp")),
        ("rtspu://cam/1", UrlProblem::Transport("rtspu".into(), "udp")),
        ("rtsp:///1", UrlProblem::NoHost),
        ("http:///1", UrlProblem::NoHost),
        ("http:///.?", UrlProblem::NoHost),
        ("rtsp://", UrlProblem::NoHost),
        ("file:///", UrlProblem::NoPath),
        ("file://relative.mp4", UrlProblem::NoPath),
        ("v4l2://dev/video0", UrlProblem::NoPath),
        ("/srv/a.mp4", UrlProblem::Path),
        ("/dev/video0", UrlProblem::Path),
        ("rtsp://cam:0/1", UrlProblem::PortZero),
        ("rtsp://10.0.0.1:70000/x", UrlProblem::Port),
        ("rtsp://ops:Hun", UrlProblem::Port),
        ("rtsp://10.0.0.300/x", UrlProblem::Address),
        ("http://10.0.0.300/x", UrlProblem::Address),
        ("http://10.0.1/x", UrlProblem::Address),
        ("rtsp://::1/x", UrlProblem::Brackets),
        ("rtsp://fe80::1%eth0/x", UrlProblem::Brackets),
        ("rtsp://[fe80::1%]/x", UrlProblem::Zone),
        ("rtsp://[fe80::1%eth 0]/x", UrlProblem::Zone),
    ] {
        assert_eq!(problem(bad), expected, "{bad}");
    }
    for bad in ["north gate", "", "10.0.0.21:554/stream1", "cam.lan/x", "rtsp:/cam/x", "rtsp://[::1/x", "http://a b/x"]
    {
        assert!(matches!(problem(bad), UrlProblem::Malformed(_)), "{bad}: {:?}", problem(bad));
    }
}

#[test]
fn what_users_write_is_understood() {
    for (text, exposed, host) in [
        ("RTSP://CAM.LAN/X", "rtsp://CAM.LAN/X", Some("CAM.LAN")),
        ("rtsp://cam_01.lan/x", "rtsp://cam_01.lan/x", Some("cam_01.lan")),
        ("http://cam_01.lan/x", "http://cam_01.lan/x", Some("cam_01.lan")),
        (" rtsp://cam/x\n", "rtsp://cam/x", Some("cam")),
        ("rtsp://10.0.0.1/stream@2", "rtsp://10.0.0.1/stream@2", Some("10.0.0.1")),
        ("rtsp://10.0.0.1:554/stream@2", "rtsp://10.0.0.1:554/stream@2", Some("10.0.0.1")),
        ("rtsp://cam.lan:554/live@main", "rtsp://cam.lan:554/live@main", Some("cam.lan")),
        ("rtsp://cam/live@main", "rtsp://cam/live@main", Some("cam")),
        ("http://10.0.0.1:80/x?to=a@b.c", "http://10.0.0.1:80/x?to=a@b.c", Some("10.0.0.1")),
        ("rtsp://[::1]:554/stream@2", "rtsp://[::1]:554/stream@2", Some("[::1]")),
        ("rtsp://10.0.0.1/cam?channel=1&subtype=0#t", "rtsp://10.0.0.1/cam?channel=1&subtype=0#t", Some("10.0.0.1")),
        ("file:///srv/a b.mp4", "file:///srv/a%20b.mp4", None),
        ("file:/srv/a@b.mp4", "file:///srv/a@b.mp4", None),
        ("v4l2:/dev/video0", "v4l2:///dev/video0", None),
    ] {
        let url = CameraUrl::parse(text).unwrap_or_else(|problem| panic!("{text}: {problem}"));
        // Port 80 is the usual one: it is left out.
        assert_eq!((url.expose(), url.host()), (exposed.replace(":80/", "/").as_str(), host), "{text}");
    }
}

#[test]
fn zones_of_ipv6_addresses_are_kept() {
    for (text, port) in [("rtsp://[fe80::1%25eth0]:8554/x", 8554), ("rtsp://[fe80::1%eth0]/x", 554)] {
        let url = CameraUrl::parse(text).unwrap();
        assert_eq!((url.host(), url.port()), (Some("[fe80::1%eth0]"), Some(port)));
        let exposed = if port == 554 { "rtsp://[fe80::1%25eth0]/x" } else { "rtsp://[fe80::1%25eth0]:8554/x" };
        assert_eq!(url.expose(), exposed);
        assert_eq!(CameraUrl::parse(exposed).unwrap(), url);
    }
    for (zone, host) in
        [("%2", "[fe80::1%2]"), ("%25", "[fe80::1%25]"), ("%252", "[fe80::1%2]"), ("%br-lan.7", "[fe80::1%br-lan.7]")]
    {
        let url = CameraUrl::parse(&format!("http://[FE80::1{zone}]/")).unwrap();
        assert_eq!(url.host(), Some(host));
        assert_eq!(url.to_string(), format!("http://{host}/"));
    }
}

#[test]
fn a_login_is_found_wherever_its_password_ends() {
    for password in
        ["Hunter22", "Hun#ter22", "Hun/ter22", "Hun?ter22", "Hun[ter22", "Hun%ter22", "Hun:ter22", "Hun@ter22"]
    {
        for text in [format!("rtsp://ops:{password}@127.0.0.1:1/x"), format!("http://ops:{password}@cam/x")] {
            assert_eq!(problem(&text), UrlProblem::Credentials, "{text}");
        }
    }
    for (text, expected) in [
        ("rtsp://ops:Hun@/ter22@127.0.0.1:1/x", UrlProblem::Credentials),
        ("rtsp://ops:Hun%40ter22@127.0.0.1:1/x", UrlProblem::EncodedCredentials),
        ("rtsp://ops:/ter22@127.0.0.1:1/x", UrlProblem::Credentials),
        ("rtsp://me@mail.example:22/ter@10.0.0.1/x", UrlProblem::Credentials),
        ("ops:Hunter22@10.0.0.1/x", UrlProblem::Credentials),
        // A port, or the first digits of a password.
        ("rtsp://ops:22/ter@10.0.0.1/x", UrlProblem::Ambiguous),
        ("rtsp://ops:22/ter@cam", UrlProblem::Ambiguous),
        ("rtsp://john.doe:22?ter@10.0.0.1/x", UrlProblem::Ambiguous),
        ("rtsp://john.doe:22#ter@cam/x", UrlProblem::Ambiguous),
    ] {
        assert_eq!(problem(text), expected, "{text}");
    }
}

#[test]
fn urls_print_without_what_may_be_secret() {
    let url = CameraUrl::parse("http://cam:81/cgi?user=a&password=b").unwrap();
    assert_eq!(url.to_string(), "http://cam:81/cgi?***");
    let url = CameraUrl::parse("rtsp://cam/user=admin_password=tlJwpbo6_channel=1").unwrap();
    assert_eq!(url.to_string(), "rtsp://cam/***");
    assert!(url.expose().contains("tlJwpbo6"));
    assert_eq!(url.port(), Some(554));
}

/// Passwords that can be told from everything else that a message says.
fn password() -> impl Strategy<Value = String> {
    "[!-~]{0,6}zq[!-~]{4,12}qz[!-~]{0,6}"
}

proptest! {
    #[test]
    fn no_login_gets_through_and_none_is_printed(user in "[a-z]{1,8}", password in password(), scheme in "rtsps?|https?") {
        let text = format!("{scheme}://{user}:{password}@10.0.0.21:554/stream1");
        let problem = problem(&text);
        let known = matches!(
            problem,
            UrlProblem::Credentials | UrlProblem::EncodedCredentials | UrlProblem::Ambiguous
        );
        prop_assert!(known, "{problem:?}");
        prop_assert!(!problem.to_string().contains("zq"));
    }

    #[test]
    fn what_is_accepted_reads_again_as_itself(text in "(rtsp|http)://[a-z0-9_.:@%\\[\\]/?#-]{0,30}") {
        if let Ok(url) = CameraUrl::parse(&text) {
            let again = CameraUrl::parse(url.expose());
            prop_assert_eq!(again.as_ref().map(CameraUrl::expose), Ok(url.expose()));
            prop_assert!(url.host().is_some_and(|host| !host.is_empty()) && url.port().is_some());
        }
    }
}
