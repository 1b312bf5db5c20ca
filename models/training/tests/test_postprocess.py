"""Anchors, decoding, suppression, averages."""

import numpy as np

from maskwatch_training import calibration, postprocess
from maskwatch_training.nets import ssd


def test_iou_bounds() -> None:
    """IoU is symmetric, 1 with itself, 0 apart."""
    rng = np.random.default_rng(0)
    boxes = rng.uniform(0, 1, (20, 4))
    boxes[:, 2:] += boxes[:, :2]
    overlap = postprocess.iou_matrix(boxes, boxes)
    np.testing.assert_allclose(overlap, overlap.T)
    np.testing.assert_allclose(np.diag(overlap), 1)
    assert postprocess.iou_matrix(np.array([[0, 0, 1, 1]]), np.array([[2, 2, 3, 3]]))[0, 0] == 0


def test_nms_is_idempotent() -> None:
    """What survives once survives again, in the same order."""
    rng = np.random.default_rng(1)
    boxes = rng.uniform(0, 1, (60, 4))
    boxes[:, 2:] = boxes[:, :2] + 0.3
    scores = rng.uniform(0, 1, 60)
    keep = postprocess.nms(boxes, scores, 0.4, 100)
    again = postprocess.nms(boxes[keep], scores[keep], 0.4, 100)
    assert again.tolist() == list(range(len(keep)))


def test_anchor_count_and_order() -> None:
    """640 x 480 has UltraFace's 17,640 anchors; the first cell comes first with all its boxes."""
    anchors = postprocess.make_anchors(640, 480, ssd.LEVELS)
    assert anchors.shape == (17640, 4)
    np.testing.assert_allclose(anchors[0], [4 / 640, 4 / 480, 10 / 640, 10 / 480])
    np.testing.assert_allclose(anchors[3], [12 / 640, 4 / 480, 10 / 640, 10 / 480])


def test_zero_offsets_give_anchors() -> None:
    """SSD decoding of zeros is the anchor itself."""
    anchors = postprocess.make_anchors(64, 64, ssd.LEVELS)
    boxes = postprocess.decode_ssd(np.zeros_like(anchors), anchors, [0.1, 0.2])
    np.testing.assert_allclose(boxes[:, 2:] - boxes[:, :2], anchors[:, 2:])


def test_temperature_repairs_overconfidence() -> None:
    """Logits blown up by 3 get a temperature near 3 and a smaller ECE."""
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 1.5, (4000, 3))
    probs = calibration.softmax(logits)
    labels = np.array([rng.choice(3, p=p) for p in probs])
    fitted = calibration.best_temperature(logits * 3, labels)
    assert 2.6 < fitted < 3.4
    after = calibration.ece(calibration.softmax(logits * 3, fitted), labels)
    assert after < 0.04 < calibration.ece(calibration.softmax(logits * 3), labels)
