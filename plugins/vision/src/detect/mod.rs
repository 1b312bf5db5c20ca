//! From a detector's raw output to faces: anchors, scores, boxes, non-maximum suppression.

mod anchors;
mod calibration;
mod decode;
mod nms;

pub use anchors::{AnchorLevel, anchors};
pub use calibration::Calibration;
pub use decode::{Activation, BoxFormat, ClassName, DecodeError, DecodeSpec, Found};
pub use nms::{Voting, suppress, suppress_and_vote};
