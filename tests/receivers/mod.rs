//! Who events are sent to: real brokers, and receivers that keep what comes in; and events to send.

#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used)]

pub mod broker;
pub mod inbox;
pub mod source;
