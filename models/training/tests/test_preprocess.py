"""Letterbox and crop."""

import numpy as np
import pytest
from PIL import Image

from maskwatch_training import preprocess
from maskwatch_training.manifest import InputSpec


def spec(resize: str, width: int = 64, height: int = 48) -> InputSpec:
    return InputSpec("input", width, height, "nchw", "bgr", (10, 20, 30), (2, 2, 2), resize, 7)


@pytest.mark.parametrize("resize", ["letterbox", "stretch"])
@pytest.mark.parametrize("size", [(100, 30), (33, 200), (64, 48), (1, 1)])
def test_boxes_come_back(resize: str, size: tuple[int, int]) -> None:
    """A box mapped into the input and back is the same box."""
    _, place = preprocess.prepare(Image.new("RGB", size), spec(resize))
    source = np.array([[0.0, 0.0, *size]])
    inside = source.copy()
    inside[:, 0::2] = (source[:, 0::2] * place.scale_x + place.left) / 64
    inside[:, 1::2] = (source[:, 1::2] * place.scale_y + place.top) / 48
    assert inside.min() >= 0 and inside.max() <= 1
    np.testing.assert_allclose(place.to_source(inside, spec(resize)), source, atol=1e-9)


def test_letterbox_pads_and_orders_channels() -> None:
    """A wide picture leaves bars above and below in the pad value; BGR puts blue first."""
    tensor, place = preprocess.prepare(Image.new("RGB", (64, 24), (100, 50, 20)), spec("letterbox"))
    assert (place.left, place.top) == (0, 12)
    np.testing.assert_allclose(tensor[:, 24, 10], [(20 - 10) / 2, (50 - 20) / 2, (100 - 30) / 2])
    np.testing.assert_allclose(tensor[:, 0, 10], [(7 - 10) / 2, (7 - 20) / 2, (7 - 30) / 2])


def test_crop_is_square_and_padded() -> None:
    """Margin and square give a square crop; what lies outside the picture is the pad value."""
    assert preprocess.crop_box((10, 10, 20, 30), 0.1, True) == (3, 8, 27, 32)
    cut = preprocess.crop(Image.new("RGB", (40, 40), (200,) * 3), (-10, 0, 10, 20), {"margin": 0, "square": True}, 5)
    data = np.asarray(cut)
    assert data.shape == (20, 20, 3)
    assert (data[:, :10] == 5).all() and (data[:, 10:] == 200).all()
