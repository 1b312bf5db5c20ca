//! The tables' rows by what is odd about the camera.

mod answers;
mod description;
pub mod http;
mod login;
mod network;
mod packets;
mod pictures;
mod session;

use super::table::Row;

/// All rows with RTSP cameras. Those that take longest come first.
pub fn rtsp() -> Vec<Row> {
    [
        answers::rows(),
        login::rows(),
        session::rows(),
        network::rows(),
        pictures::rows(),
        packets::rows(),
        description::rows(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
