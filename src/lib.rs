//! Maskwatch: many cameras in, analysed in batches; annotated RTSP, metrics and JSON out.
//!
//! Read in this order: [`config`] (file to plan), [`service`] (plan to running parts), [`fleet`] (the cameras, and how they
//! are changed), [`camera`] (one pipeline per camera under a supervisor), [`frames`] (its pictures handed on), [`rtsp`], [`http`] and [`events`] (out). Elements,
//! engine and decisions are in the crates under `plugins/`.

pub mod access;
mod animation;
mod backoff;
pub mod camera;
pub mod cli;
pub mod clock;
pub mod cmd;
mod coded;
pub mod config;
pub mod demo;
mod discover;
mod encoder;
pub mod events;
pub mod fleet;
pub mod frames;
pub mod http;
mod limits;
pub mod logging;
pub mod metrics;
pub mod people;
pub mod privacy;
pub mod reach;
pub mod roster;
pub mod rtsp;
pub mod service;
pub mod shutdown;
pub mod sim;
pub mod state_file;
pub mod tls;
mod upright;
