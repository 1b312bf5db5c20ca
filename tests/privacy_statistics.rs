//! `privacy: statistics`: every path of every server is asked, and nothing shows a picture or a person.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;

mod support;

use support::faces;
use support::{AppConfig, grab, http, soon, temp_dir};

/// Every path that an answer of the server names, beside those that are known.
fn paths(body: &str) -> BTreeSet<String> {
    let parts = body.split(['"', '\'', ' ', '<', '>', '`', '(', ')']);
    let named = parts.filter(|part| part.starts_with('/') && part.len() > 1 && !part.contains(['$', '{', '\n']));
    named.map(str::to_owned).collect()
}

/// Whether bytes of a picture or a film are among these.
fn holds_picture(body: &[u8]) -> bool {
    let magics: [&[u8]; 7] = [b"\xff\xd8\xff", b"\x89PNG", b"GIF8", b"RIFF", b"ftyp", b"\0\0\0\x01\x67", b"data:image"];
    magics.iter().any(|magic| body.windows(magic.len()).any(|window| window == *magic))
}

#[test]
fn no_path_of_any_server_shows_a_picture_or_a_person() {
    let folder = temp_dir();
    let clip = faces::portrait_clip(folder.path(), "sway", (640, 360), true);
    let mut app =
        AppConfig::new().camera_with("gate", &format!("file://{}", clip.display()), &["privacy: statistics"]).start();
    app.wait_ready();
    app.wait_for_metrics("analyses", soon(), |scrape| scrape.frames("gate", "analyzed") > 20.0);

    let mut to_ask: BTreeSet<String> =
        ["/", "/metrics", "/api/v1/cameras", "/api/v1/cameras/gate", "/readyz", "/livez"]
            .into_iter()
            .chain(["/api/v1/cameras/gate/snapshot.jpg", "/api/v1/openapi.json", "/gate", "/mosaic"])
            .map(str::to_owned)
            .collect();
    let mut asked = BTreeSet::new();
    while let Some(path) = to_ask.pop_first() {
        if !asked.insert(path.clone()) || path.contains("/events") {
            continue;
        }
        let answer = http::get(app.http, &path).unwrap();
        let kind = answer.header("content-type").unwrap_or_default().to_owned();
        assert!(!kind.starts_with("image/") && !kind.starts_with("video/"), "{path}: {kind}");
        assert!(!holds_picture(&answer.body), "{path} holds a picture");
        to_ask.extend(paths(&answer.text()));
    }
    assert!(asked.len() >= 10 && asked.contains("/page.js"), "{asked:?}");
    let refused = http::get(app.http, "/api/v1/cameras/gate/snapshot.jpg").unwrap();
    assert_eq!(refused.status, 403);
    assert!(refused.text().contains("statistics"), "{}", refused.text());

    let view = http::get(app.http, "/api/v1/cameras/gate").unwrap().json();
    assert_eq!(view["privacy"]["mode"], "statistics");
    assert_eq!((&view["privacy"]["window_s"], &view["privacy"]["minimum"]), (&900.into(), &10.into()));
    let text = http::get(app.http, "/metrics").unwrap().text();
    for absent in ["people_visible{", "face_height_pixels_count{", "frame_latency_seconds_count{", "compliance_ratio{"]
    {
        assert!(!text.contains(absent), "{absent} in\n{text}");
    }
    let classifier = maskwatch::config::plan::InferencePlan::default().classifier.unwrap();
    for family in ["batches_total", "batch_size_count", "inference_duration_seconds_count"] {
        assert!(!text.contains(&format!("{family}{{model=\"{classifier}\"")), "{family} moves with faces\n{text}");
    }
    assert!(text.contains("maskwatch_privacy_mode_info{camera=\"gate\",mode=\"statistics\"} 1"));
    assert!(
        text.contains("maskwatch_people_total{camera=\"gate\",state=\"no_mask\",zone=\"\"} 0"),
        "the window is open"
    );

    for mount in ["gate", "mosaic"] {
        let pictures = grab::pictures(&app.stream(mount), "tcp", 10, soon());
        for picture in &pictures {
            assert!(faces::find(picture, 0.2).is_empty(), "{mount}");
            let dark = picture.pixels().filter(|pixel| pixel.0.iter().all(|&channel| channel < 90)).count();
            assert!(dark * 2 > picture.pixels().len(), "{mount}: a slate is dark");
        }
    }
    assert!(app.process.log().iter().any(|line| line.contains("maskwatch::audit") && line.contains("statistics")));
    assert_eq!(app.stop().code(), Some(0));
}
