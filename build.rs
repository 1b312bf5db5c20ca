//! Tells the program when it was built: no clock is right that says less.

#![allow(clippy::print_stdout)] // how cargo is told

use std::time::{SystemTime, UNIX_EPOCH};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=Cargo.lock");
    println!("cargo::rerun-if-env-changed=SOURCE_DATE_EPOCH");
    // Who builds reproducibly says when: https://reproducible-builds.org/specs/source-date-epoch/
    let said = std::env::var("SOURCE_DATE_EPOCH").ok().and_then(|text| text.parse().ok());
    let now = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_secs());
    let built: u64 = said.unwrap_or_else(now);
    println!("cargo::rustc-env=MASKWATCH_BUILT={built}");
}
