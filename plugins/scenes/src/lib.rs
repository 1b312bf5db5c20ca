//! What the demo's simulated cameras see: four scenes with people who wear a mask, wear it under the nose or wear none,
//! painted out of one public-domain portrait, frame by frame, each with its exact truth.
//!
//! Everybody in them is the same face; what differs is mask, clothes, light, size and side. They show that the whole
//! path works; they say nothing about accuracy in the street. The same frames come out each time: nothing here knows a
//! clock, a file or chance.

mod backdrop;
mod paint;
mod person;
mod scene;
mod script;
mod sprite;
mod truth;

pub use scene::{Painter, Scene};
pub use script::SCENES;
pub use truth::{Face, Person, State, Truth};

/// Raised whenever the scenes change, so that clips of older ones are made anew.
pub const VERSION: u32 = 2;
