//! Coded pictures as files and streams hold them: read out of containers, found by their markers, and put in time.

mod jpeg;
mod reader;
mod times;

pub(crate) use jpeg::{Picture, Scanner};
pub(crate) use reader::{Read, Reader};
pub(crate) use times::{Due, REORDER, Stamp, Times, USUAL, interval};

/// A coded picture with what it belongs to.
#[derive(Clone, Debug)]
pub(crate) struct Coded {
    pub(crate) caps: gst::Caps,
    /// What is said of the pictures from here on, as their orientation.
    pub(crate) tags: Option<gst::TagList>,
    pub(crate) stamp: Stamp,
    pub(crate) buffer: gst::Buffer,
}
