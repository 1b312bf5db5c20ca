//! The zoo: cameras as they are out there, each quirk a switch, and tables of cases that say how the program has to
//! fare with them.
//!
//! [`rtsp::Camera`] and [`http::Camera`] are fakes of threads and sockets only; [`table`] runs the program's camera
//! against them, many at once, and tells what was seen of each row. Run one row, or those whose names hold a text, by
//! `ZOO=text cargo nextest run --test zoo --no-capture`.

// What fails here has to stop the test.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, clippy::print_stdout)]

pub mod auth;
mod books;
pub mod coded;
pub mod head;
pub mod http;
pub mod journal;
pub mod net;
pub mod rows;
pub mod rtsp;
pub mod servers;
pub mod table;
