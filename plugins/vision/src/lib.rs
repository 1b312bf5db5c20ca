//! The decisions of Maskwatch, apart from all input and output.
//!
//! Nothing here knows a clock, a thread, GStreamer or ONNX Runtime: functions take values and times and return values.
//! So all of it is tested by the thousand in seconds.
//!
//! Conventions, unless an item says otherwise:
//! * Coordinates are normalised to the picture: `0..1`, origin top left, `x` to the right, `y` down ([`geometry::Rect`]).
//! * Times are [`std::time::Duration`] since an epoch of the caller's choice (a camera's running time).
//! * Scores are probabilities in `0..=1`.

pub mod batch;
pub mod census;
pub mod compliance;
pub mod detect;
pub mod eval;
pub mod face;
pub mod frame;
pub mod geometry;
pub mod label;
pub mod placement;
pub mod preprocess;
pub mod privacy;
pub mod quality;
pub mod sight;
pub mod statistics;
pub mod track;
pub mod vote;
pub mod zone;
