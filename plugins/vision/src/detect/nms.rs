//! Greedy non-maximum suppression.

use crate::face::Detection;

/// Keeps the best faces, drops those that overlap a better one by more than `iou`, keeps at most `limit`.
///
/// The result is sorted by falling score; equal scores keep their order.
pub fn suppress(_found: Vec<Detection>, _iou: f32, _limit: usize) -> Vec<Detection> {
    unimplemented!()
}
