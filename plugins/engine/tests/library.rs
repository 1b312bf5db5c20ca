//! One test alone in its process: what it does concerns the library, which a process loads once.

mod support;

use std::sync::Arc;

use maskwatch_engine::{Engine, EngineError, EngineOptions, NoObserver};
use support::Models;

#[test]
fn a_library_that_does_not_load_is_refused_and_a_good_one_still_loads() {
    let models = Models::usual();
    let bad = models.path().join("libonnxruntime.so");
    std::fs::write(&bad, "no library").unwrap();
    let options = EngineOptions { library: Some(bad), ..models.options("faces", Some("masks")) };
    let error = Engine::start(options, Arc::new(NoObserver)).err().unwrap();
    assert!(matches!(error, EngineError::Library(_)) && error.is_config());
    assert!(error.to_string().contains("libonnxruntime.so does not load: "), "{error}");
    Engine::start(models.options("faces", Some("masks")), Arc::new(NoObserver)).unwrap();
}
