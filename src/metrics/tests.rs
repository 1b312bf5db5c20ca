//! Tests of the metrics.

use std::time::Duration;

use maskwatch_engine::{Observe, Phase};
use maskwatch_vision::{batch::BatchReason, face::MaskState};

use super::*;

#[test]
fn known_series_exist_at_zero() {
    let metrics = Metrics::new().unwrap();
    metrics.camera("gate");
    let text = metrics.render().unwrap();
    for series in [
        r#"maskwatch_camera_up{camera="gate"} 0"#,
        "maskwatch_log_lines_dropped_total 0",
        r#"maskwatch_camera_connects_total{camera="gate"} 0"#,
        r#"maskwatch_camera_disconnects_total{camera="gate",reason="refused"} 0"#,
        r#"maskwatch_frames_total{camera="gate",stage="encoded"} 0"#,
        r#"maskwatch_camera_degraded{camera="gate",reason="decoder"} 0"#,
        r#"maskwatch_camera_degraded{camera="gate",reason="late"} 0"#,
        r#"maskwatch_camera_degraded{camera="gate",reason="loss"} 0"#,
        r#"maskwatch_camera_degraded{camera="gate",reason="rate"} 0"#,
        r#"maskwatch_frames_dropped_total{camera="gate",reason="superseded"} 0"#,
        r#"maskwatch_people_total{camera="gate",state="no_mask",zone=""} 0"#,
        r#"maskwatch_people_visible{camera="gate",state="unknown"} 0"#,
        r#"maskwatch_rtsp_clients{camera="gate"} 0"#,
        r#"maskwatch_frame_latency_seconds_count{camera="gate"} 0"#,
        r#"maskwatch_face_height_pixels_count{camera="gate"} 0"#,
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "maskwatch_build_info",
    ] {
        assert!(text.contains(series), "{series} not in\n{text}");
    }
    assert!(!text.contains("maskwatch_compliance_ratio{"), "no ratio without people");
}

#[test]
fn happenings_are_counted() {
    let metrics = Metrics::new().unwrap();
    let gate = metrics.camera("gate");
    gate.connected();
    gate.frame_decoded();
    gate.frame_analyzed(Duration::from_millis(40));
    gate.person(MaskState::NoMask);
    gate.people_visible([1, 0, 2, 0]);
    gate.compliance(Some(0.25));
    gate.disconnected(DisconnectReason::Timeout);
    metrics.batch("m", 3, BatchReason::Full, Duration::from_millis(1));
    metrics.phase("m", Phase::Run, Duration::from_millis(9));
    let text = metrics.render().unwrap();
    for series in [
        r#"maskwatch_camera_connects_total{camera="gate"} 1"#,
        r#"maskwatch_camera_disconnects_total{camera="gate",reason="timeout"} 1"#,
        r#"maskwatch_camera_disconnects_total{camera="gate",reason="refused"} 0"#,
        r#"maskwatch_frames_total{camera="gate",stage="analyzed"} 1"#,
        r#"maskwatch_people_total{camera="gate",state="no_mask",zone=""} 1"#,
        r#"maskwatch_people_visible{camera="gate",state="no_mask"} 0"#,
        r#"maskwatch_compliance_ratio{camera="gate"} 0.25"#,
        r#"maskwatch_batches_total{model="m",reason="full"} 1"#,
        r#"maskwatch_batch_size_bucket{model="m",le="4"} 1"#,
        r#"maskwatch_inference_duration_seconds_count{model="m",phase="run"} 1"#,
    ] {
        assert!(text.contains(series), "{series} not in\n{text}");
    }
    gate.compliance(None);
    assert!(!metrics.render().unwrap().contains("maskwatch_compliance_ratio{"));
}

#[test]
fn a_camera_is_degraded_for_one_reason_at_a_time() {
    let metrics = Metrics::new().unwrap();
    let gate = metrics.camera("gate");
    let ones = || {
        let text = metrics.render().unwrap();
        let mut lines = text.lines().filter(|line| line.starts_with("maskwatch_camera_degraded{"));
        lines.clone().count() == 4 && lines.by_ref().all(|line| line.ends_with('0') || line.ends_with('1'))
    };
    let reasons = || {
        let text = metrics.render().unwrap();
        let on = |reason: &DegradedReason| {
            let series = format!(r#"maskwatch_camera_degraded{{camera="gate",reason="{}"}} 1"#, reason.as_str());
            text.contains(&series)
        };
        DegradedReason::ALL.into_iter().filter(on).collect::<Vec<_>>()
    };
    assert!(ones() && reasons().is_empty());
    gate.degraded(Some(DegradedReason::Late));
    gate.degraded(Some(DegradedReason::Loss));
    assert_eq!(reasons(), [DegradedReason::Loss]);
    gate.degraded(None);
    assert!(ones() && reasons().is_empty());
}

#[test]
fn people_are_counted_by_zone_and_only_by_known_ones() {
    let metrics = Metrics::new().unwrap();
    let zones = ["hall", "door:forward"].map(str::to_owned);
    let gate = metrics.camera_with_zones("gate", &zones);
    let series = r#"maskwatch_people_total{camera="gate",state="mask",zone="hall"}"#;
    assert!(metrics.render().unwrap().contains(&format!("{series} 0")));
    gate.person_at("hall", MaskState::Mask);
    gate.person_at("elsewhere", MaskState::Mask);
    let text = metrics.render().unwrap();
    assert!(text.contains(&format!("{series} 1")) && !text.contains("elsewhere"), "{text}");
    assert_eq!(gate.people_by_zone(), [("hall".to_owned(), [1, 0, 0, 0]), ("door:forward".to_owned(), [0; 4])]);
    assert_eq!(gate.people_so_far(), [0; 4]);
}

#[test]
fn a_removed_camera_leaves_no_series() {
    let metrics = Metrics::new().unwrap();
    let zones = ["door:forward".to_owned()];
    metrics.camera_with_zones("gate", &zones).compliance(Some(1.0));
    metrics.camera("yard");
    metrics.remove_camera("gate");
    let text = metrics.render().unwrap();
    assert!(!text.contains("camera=\"gate\""), "{text}");
    assert!(text.contains("yard"));
}

#[test]
fn names_and_orders_agree() {
    for (index, reason) in DisconnectReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
    for (index, reason) in FrameDrop::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
        assert_eq!(FrameDrop::from_name(reason.as_str()), reason);
    }
    for (index, reason) in PictureLoss::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
    for (index, reason) in DegradedReason::ALL.into_iter().enumerate() {
        assert_eq!(reason as usize, index);
    }
    for (index, state) in MaskState::ALL.into_iter().enumerate() {
        assert_eq!(state as usize, index);
    }
    assert_eq!(FrameDrop::from_name("?"), FrameDrop::Failed);
}

#[test]
fn the_build_tells_its_commit() {
    let text = Metrics::new().unwrap().render().unwrap();
    let series = format!(r#"maskwatch_build_info{{commit="{COMMIT}",version="{}"}} 1"#, env!("CARGO_PKG_VERSION"));
    assert!(text.contains(&series), "{series} not in\n{text}");
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let git = |args: &[&str]| std::process::Command::new("git").arg("-C").arg(folder).args(args).output();
    if folder.join(".git").exists() && git(&["rev-parse", "HEAD"]).is_ok_and(|output| output.status.success()) {
        let object = format!("{COMMIT}^{{commit}}");
        assert!(
            git(&["cat-file", "-e", &object]).unwrap().status.success(),
            "{COMMIT} is no commit of this repository"
        );
    }
}
