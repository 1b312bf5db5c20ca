"""The detector's network, assignment, loss, augmentation and export."""

from pathlib import Path

import numpy as np
import pytest
import torch

from maskwatch_training import augment, detection_loss, export
from maskwatch_training.nets import mask_cls, ssd


@pytest.mark.parametrize("network", ssd.DETECTORS)
def test_export_matches_pytorch(network: str, tmp_path: Path) -> None:
    """ONNX and PyTorch agree at batch 1 and 3; the detector has as many rows as anchors."""
    torch.manual_seed(0)
    net = ssd.DETECTORS[network]().eval()
    assert export.to_onnx(net, (3, 96, 128), ["scores", "boxes"], tmp_path / "a.onnx") < 1e-3
    with torch.no_grad():
        scores, boxes = net(torch.zeros(2, 3, 96, 128))
    assert scores.shape == boxes.shape == (2, len(ssd.anchors(128, 96)), 4)


@pytest.mark.parametrize("network", ssd.DETECTORS)
def test_two_views_match_their_anchors(network: str, tmp_path: Path) -> None:
    """Two views have a row for each anchor, also where the coarser one has half a cell more, and export as PyTorch runs."""
    torch.manual_seed(0)
    views = ssd.TwoViews(ssd.DETECTORS[network]().eval()).eval()
    assert export.to_onnx(views, (3, 96, 160), ["scores", "boxes"], tmp_path / "a.onnx") < 1e-3
    with torch.no_grad():
        scores, boxes = views(torch.zeros(1, 3, 96, 160))
    assert scores.shape == boxes.shape == (1, len(ssd.anchors(160, 96, ssd.TWO_VIEW_LEVELS)), 4)


@pytest.mark.parametrize("network", ssd.DETECTORS)
def test_the_coarser_view_is_the_picture_at_half_its_size(network: str) -> None:
    """Its rows are those of the network on the smaller picture, and its anchors lie where that one's do."""
    torch.manual_seed(0)
    net = ssd.DETECTORS[network]().eval()
    picture = torch.randn(1, 3, 128, 192)
    with torch.no_grad():
        both, _ = ssd.TwoViews(net).eval()(picture)
        half, _ = net(torch.nn.functional.avg_pool2d(picture, 2))
    rows = half.shape[1]
    torch.testing.assert_close(both[:, -rows:], half)
    torch.testing.assert_close(ssd.anchors(192, 128, ssd.TWO_VIEW_LEVELS)[-rows:], ssd.anchors(96, 64))


def test_classifier_fp16_storage_stays_close(tmp_path: Path) -> None:
    """Weights stored as FP16 change logits only slightly."""
    torch.manual_seed(0)
    assert export.to_onnx(mask_cls.MaskClassifier().eval(), (3, 64, 64), ["scores"], tmp_path / "c.onnx", half=True) < 0.02


def test_every_face_gets_anchors() -> None:
    """Even a face smaller than a cell is assigned, with a target of at most 1."""
    priors = ssd.anchors(128, 128)
    boxes = ssd.decode(torch.zeros(len(priors), 4), priors)
    truth = torch.tensor([[0.5, 0.5, 0.54, 0.55], [0.1, 0.1, 0.6, 0.7]])
    reach = torch.full((len(priors), 1), 6 / 128)
    anchors, faces, value = detection_loss.assign(torch.full((len(priors),), 0.1), boxes, priors, reach, truth)
    assert set(faces.tolist()) == {0, 1}
    assert len(set(anchors.tolist())) == len(anchors)
    assert 0 < float(value.max()) <= 1


@pytest.mark.parametrize("network", ssd.DETECTORS)
def test_loss_falls_on_one_picture(network: str) -> None:
    """A few steps on one picture lower the loss, also with the stem fixed."""
    torch.manual_seed(0)
    net = ssd.DETECTORS[network]()
    net.backbone.fix_stem()
    priors = ssd.anchors(96, 96)
    reach = torch.full((len(priors), 1), 6 / 96)
    picture = torch.randn(2, 3, 96, 96)
    truth = [torch.tensor([[0.2, 0.2, 0.5, 0.6]]), torch.tensor([[0.4, 0.1, 0.7, 0.5]])]
    states, ignore = [torch.tensor([0]), torch.tensor([2])], [torch.zeros(0, 4)] * 2
    optimizer = torch.optim.AdamW(net.parameters(), lr=2e-3)
    values = []
    for _ in range(12):
        terms = detection_loss.loss(*net(picture), priors, reach, truth, states, ignore, miss_weight=1.0)
        total = sum(terms.values())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(float(total.detach()))
    assert values[-1] < values[0]


def test_flip_twice_is_nothing() -> None:
    """Mirroring is its own inverse, boxes included."""
    image = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3)
    sample = augment.Sample(image, np.array([[1, 0, 3, 2]], np.float32), np.array([0]), np.zeros((0, 4), np.float32))
    twice = augment.flip(augment.flip(sample))
    np.testing.assert_array_equal(twice.image, image)
    np.testing.assert_array_equal(twice.boxes, sample.boxes)


def test_cut_faces_are_ignored() -> None:
    """A face mostly outside the window gives no label but a region without loss."""
    boxes = np.array([[10, 10, 30, 30], [95, 10, 125, 40], [5, 5, 8, 8]], np.float32)
    sample = augment.settle(np.zeros((100, 100, 3), np.uint8), boxes, np.array([0, 1, 2]), (0, 0, 100, 100))
    assert sample.states.tolist() == [0] and len(sample.ignore) == 2
