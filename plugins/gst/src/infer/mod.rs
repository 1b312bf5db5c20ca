//! `maskinfer`: has frames analysed and puts the faces on every buffer.
//!
//! The element changes metadata only and never waits in live use: on a frame's turn (`analyze-fps`) it hands the
//! picture to the engine and goes on. Results come back on the engine's threads, correct the camera's tracker and go to
//! the bus ([`crate::report`]); each buffer that passes carries the tracks predicted to its own time
//! ([`crate::meta::FaceMeta`]). With `sync=true` a sampled frame waits for its own result instead.
//!
//! All elements with the same `engine` share it, so that frames of all cameras meet in its batches. An engine that the
//! program has not registered ([`crate::engines`]) is started by the first element from its own properties.
//!
//! ## Example
//! ```sh
#![doc = include_str!("launch.txt")]
//! ```
//!
//! ## Properties
//! | name | type, default | meaning |
//! | --- | --- | --- |
//! | `engine` | string, `default` | which engine |
//! | `camera` | string, empty | name in reports; empty: the element's name |
//! | `analyze-fps` | double, 5 | frames analysed per second of running time; 0: every frame |
//! | `sync` | bool, false | sampled frames wait for their results |
//! | `track` | bool, true | faces become tracks with voted states, and people; if not, faces of single frames |
//! | `weight` | uint, 1 | share of the engine relative to other cameras when it is overloaded |
//! | `min-score` | float, -1 | least detection score; below 0: the model's own |
//! | `hide` | bool, false | reports, and in sync mode buffers, say where faces may be, at a score far lower than that of a face |
//! | `hide-score` | float, -1 | that score; below 0: the model's own |
//! | `areas` | string, empty | zones, lines, ignore masks and least face height as JSON: the form of [`maskwatch_vision::zone::Areas`] |
//! | `models-dir`, `detector`, `classifier`, `provider`, `library`, `max-batch` | | for an engine that this element starts |
//!
//! ## Rules
//! * A camera has at most [`MOST_IN_FLIGHT`] pictures in the engine; a frame due beyond that is dropped as `overload`
//!   before any work is spent on it. The engine itself replaces a waiting picture by a newer one (`superseded`).
//! * Results of frames from before a flush, or of a stopped element, change nothing.
//! * A face in an ignore mask, or lower than the least height, is neither classified, tracked, shown nor reported.
//! * On end of stream, flush and stop all tracks end and their people are reported; end of stream first waits for
//!   outstanding results, 5 seconds at most.
//! * No lock is held while a message is posted, a picture is submitted, or anything is pushed.
//! * In sync mode a failed analysis is an error of the element; in live use it is reported as a drop (`failed`).

use gst::{glib, prelude::*};

mod found;
mod imp;
mod run;
mod sampler;
mod scores;
mod settings;
mod subject;

pub use run::MOST_IN_FLIGHT;

glib::wrapper! {
    /// The element.
    pub struct MaskInfer(ObjectSubclass<imp::MaskInfer>)
        @extends gst_base::BaseTransform, gst::Element, gst::Object;
}

pub(crate) fn register(plugin: &gst::Plugin) -> Result<(), glib::BoolError> {
    gst::Element::register(Some(plugin), "maskinfer", gst::Rank::NONE, MaskInfer::static_type())
}
