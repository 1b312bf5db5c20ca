//! Greedy non-maximum suppression.

use crate::face::Detection;

/// Keeps the best faces, drops those that overlap a better one by more than `iou`, keeps at most `limit`.
///
/// All faces compete, whatever their states. The result is sorted by falling score; equal scores keep their order.
/// Doing it twice changes nothing.
pub fn suppress(mut found: Vec<Detection>, iou: f32, limit: usize) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::new();
    for face in found {
        if kept.len() >= limit {
            break;
        }
        if kept.iter().all(|better| better.rect.iou(&face.rect) <= iou) {
            kept.push(face);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;

    fn face(x: f32, score: f32) -> Detection {
        Detection { rect: Rect::new(x, 0.0, 0.4, 0.4), score, states: None }
    }

    #[test]
    fn drops_the_worse_of_two_that_overlap() {
        let kept = suppress(vec![face(0.0, 0.5), face(0.05, 0.9), face(0.5, 0.6)], 0.4, 10);
        assert_eq!(kept, [face(0.05, 0.9), face(0.5, 0.6)]);
    }

    /// A box that only overlaps a dropped box stays.
    #[test]
    fn a_dropped_face_drops_nothing() {
        let kept = suppress(vec![face(0.0, 0.9), face(0.15, 0.8), face(0.3, 0.7)], 0.4, 10);
        assert_eq!(kept, [face(0.0, 0.9), face(0.3, 0.7)]);
    }

    #[test]
    fn equal_scores_keep_their_order() {
        let kept = suppress(vec![face(0.5, 0.5), face(0.0, 0.5)], 0.4, 10);
        assert_eq!(kept, [face(0.5, 0.5), face(0.0, 0.5)]);
    }

    #[test]
    fn stops_at_the_limit() {
        assert_eq!(suppress(vec![face(0.0, 0.5), face(0.5, 0.6)], 0.4, 1), [face(0.5, 0.6)]);
        assert_eq!(suppress(vec![face(0.0, 0.5)], 0.4, 0), []);
    }
}
