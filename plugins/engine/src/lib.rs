//! Inference of Maskwatch: model manifests, ONNX Runtime sessions, and the engine that batches frames of all cameras.
//!
//! The engine is shared by every camera of the process. A camera writes its picture into a tensor on its own thread
//! ([`Camera::submit`]) and goes on; two engine threads (detect, classify) run what waits in batches across cameras and
//! call [`Subject::finish`] with what they found, exactly once for each submitted picture.
//!
//! Rules:
//! * No lock is held over an inference, a channel send, or a call into a [`Subject`] or an [`Observe`].
//! * A camera has one waiting place. A newer picture takes it, and the older one is finished as
//!   [`DropReason::Superseded`]: memory is bounded by the number of cameras, whatever the load.
//! * A failed run (or a panic in it) fails the pictures of that batch only.
//!
//! `ort` is named in this crate only.

pub mod engine;
pub mod error;
mod faces;
mod judge;
pub mod library;
pub mod manifest;
mod network;
pub mod observe;
pub mod options;
pub mod provider;
pub mod subject;

pub use engine::{Camera, Engine};
pub use error::EngineError;
pub use faces::FaceClassifier;
pub use observe::{NoObserver, Observe, Phase};
pub use options::{EngineOptions, ModelInfo};
pub use provider::Provider;
pub use subject::{Analysis, Ask, DropReason, Outcome, OwnedFrame, Subject};
