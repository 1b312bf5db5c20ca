//! Hiding of faces: [`sample`], [`frame`] and [`rgb`] for pictures whose [`Cover`](maskwatch_vision::privacy::Cover) is
//! known, and the element `maskhide` for the pictures of a file.
//!
//! `maskhide` hides what `maskinfer` with `sync=true` and `hide=true` names on the buffers
//! ([`crate::meta::FaceMeta::hide`]). Every picture waits until a fifth of a second after it is known, so that a face is
//! hidden before it is found first, and stays hidden for a second when it is missed. Between two analyses the way
//! between them is hidden; where one is missing, and behind a `maskinfer` that does not name what to hide, the whole
//! picture. The same in a crowd beyond [`MOST_SUSPECTS`](maskwatch_vision::privacy::MOST_SUSPECTS). Each picture that is
//! hidden as a whole is told on the bus ([`crate::report`]). What cannot be hidden is an error, and is not shown. Tags end here: a file's own may hold a picture of it, or
//! the place where it was taken.
//!
//! ## Example
//! ```sh
#![doc = include_str!("launch.txt")]
//! ```
//!
//! ## Rules
//! * At most [`PrivacyConfig::max_frames`](maskwatch_vision::privacy::PrivacyConfig::max_frames) pictures wait; at the
//!   stream's end, and before a new segment or new caps, all that wait are passed on.
//! * For files and other streams that are not live: the wait is not told as latency. Cameras of the program wait elsewhere.
//! * No lock is held while a picture is hidden or pushed.

use gst::{glib, prelude::*};

mod imp;
mod pixels;

pub use pixels::{HideError, frame, rgb, sample};

glib::wrapper! {
    /// The element.
    pub struct MaskHide(ObjectSubclass<imp::MaskHide>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "maskhide", gst::Rank::NONE, MaskHide::static_type())
}
