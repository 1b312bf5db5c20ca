//! A fake HTTP camera with switches: Motion JPEG as cameras and little computers write it.

pub mod jpeg;
pub mod options;
mod parts;
mod server;

pub use server::Camera;
