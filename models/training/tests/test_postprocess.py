"""Anchors, decoding, suppression, averages."""

from pathlib import Path

import numpy as np
from PIL import Image

from maskwatch_training import calibrate_detector, calibration, coco, manifest, postprocess
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


def test_calibrated_scores_follow_the_log_odds() -> None:
    """Odds of 3 become 9 e by a scale of 2 and a shift of 1; nothing changes without a calibration."""
    odds = 9 * np.e
    out = postprocess.calibrated(np.array([0.75]), {"scale": 2.0, "shift": 1.0})
    np.testing.assert_allclose(out, odds / (1 + odds), rtol=1e-6)
    assert postprocess.calibrated(np.array([0.3]), None) == 0.3


def test_the_shift_lets_as_many_through_as_there_are_labels(tmp_path: Path) -> None:
    """Six anchors apart from each other, two labels: the threshold of 0.5 comes to lie under the second best."""
    logits = np.array([1.0, 0.2, -0.4, -1.0, -2.0, -3.0])
    scores = np.stack([np.zeros(6), logits], axis=1).astype(np.float32)
    corners = np.array([[i / 8, 0.0, i / 8 + 0.1, 0.2] for i in range(6)], dtype=np.float32)
    spec = {
        "classes": ["background", "face"], "activation": "softmax", "box_format": "corners", "score_threshold": 0.5,
        "nms_iou": 0.4, "max_faces": 200, "calibration": {"scale": 2.0, "shift": 0.0},
    }

    class Held:
        manifest = manifest.Manifest(tmp_path, {"detection": spec})

        def outputs(self, _picture: Image.Image) -> None:
            return None

        def read(self, _outputs: None, threshold: float) -> postprocess.Faces:
            return postprocess.faces(scores, corners, self.manifest, threshold)

    file = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(file)
    photo = coco.Photo(0, file, 8, 8, np.zeros((2, 4), np.float32), np.array([0, 0]))
    shift = calibrate_detector.fit([photo], Held())
    assert 2 * 0.2 + shift >= 0 > 2 * -0.4 + shift
