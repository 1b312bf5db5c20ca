//! Who events are sent to: real brokers, and receivers that keep what comes in.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

pub mod broker;
pub mod inbox;
