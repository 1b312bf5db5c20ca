//! Counting measured against clips with known people.
//!
//! Clips are made of labelled photos: laid side by side, panned, zoomed, hidden behind pillars and behind each other;
//! the labels move with the pixels ([`stage`], [`clips`]). They go through the program's own path ([`play`]): frames into
//! `maskinfer`, people out of its reports; and, to tell the tracker's share of the faults from the detector's, the true
//! boxes go through the tracker alone ([`replay`]). [`score`] compares with the truth.
//!
//! `cargo test --test counting` runs a part of it; the whole, with its tables and files for motmetrics:
//! `cargo run --example counting -- --out FOLDER`.

// Each of its users takes what it needs; what fails here has to stop them.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used)]

pub mod clips;
pub mod photos;
pub mod play;
pub mod replay;
pub mod score;
pub mod stage;
pub mod table;
