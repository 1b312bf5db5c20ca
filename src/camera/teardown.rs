//! Ends a pipeline. A decoder or a driver may hang in that: it happens on a thread of its own, and the wait is bounded.

use std::time::Duration;

use gst::prelude::*;

/// How long the caller waits. The pipeline's thread goes on after that, and says so when it is through.
const PATIENCE: Duration = Duration::from_secs(3);

/// Sets the pipeline to NULL and drops it. Returns whether that was done in time.
pub(super) fn teardown(pipeline: gst::Pipeline, camera: &str) -> bool {
    let (done, wait) = crossbeam_channel::bounded::<()>(1);
    let name = camera.to_owned();
    let spare = pipeline.clone();
    let reaper = std::thread::Builder::new().name(format!("end-{camera}")).spawn(move || {
        if let Err(error) = pipeline.set_state(gst::State::Null) {
            tracing::warn!(camera = %name, %error, "the pipeline does not end cleanly");
        }
        drop(pipeline);
        if done.send(()).is_err() {
            tracing::warn!(camera = %name, "the stuck pipeline has ended after all");
        }
    });
    if let Err(error) = reaper {
        tracing::warn!(camera, %error, "no thread to end the pipeline; ending it here");
        return spare.set_state(gst::State::Null).is_ok();
    }
    drop(spare);
    let ended = wait.recv_timeout(PATIENCE).is_ok();
    if !ended {
        tracing::error!(camera, "the pipeline is stuck while ending; it is left to itself and a new one is built");
    }
    ended
}
