"""The Caffe converter's readers."""

import struct

import numpy as np

from maskwatch_training.caffe import priors, prototxt, wire


def _field(number: int, payload: bytes) -> bytes:
    key = number << 3 | 2
    head = bytes([key]) if key < 128 else bytes([key & 0x7F | 0x80, key >> 7])
    return head + bytes([len(payload)]) + payload


def test_weights_are_read(tmp_path) -> None:
    """One layer with one blob of shape 2 x 3, written by hand in the wire format."""
    values = np.arange(6, dtype="<f4")
    blob = _field(7, _field(1, bytes([2, 3]))) + _field(5, values.tobytes())
    layer = _field(1, b"conv") + _field(7, blob)
    path = tmp_path / "x.caffemodel"
    path.write_bytes(_field(100, layer) + struct.pack("<B", 8) + b"\x01")
    read = wire.read_weights(path)
    np.testing.assert_array_equal(read["conv"][0], values.reshape(2, 3))


def test_text_is_read() -> None:
    """Nested messages, repeated fields, comments, strings and numbers."""
    text = 'name: "n" # c\nlayer { type: "A" dim: 1 dim: 2 }\nlayer { x: 0.5 y: true }'
    message = prototxt.parse(text)
    assert message["name"] == ["n"]
    assert message["layer"][0] == {"type": ["A"], "dim": [1, 2]}
    assert message["layer"][1] == {"x": [0.5], "y": [True]}


def test_prior_order() -> None:
    """Small square, middle square, then wide and tall."""
    param = {"min_size": [30.0], "max_size": [60.0], "aspect_ratio": [2], "flip": [True], "step": [8]}
    cell = priors.sizes(param)
    assert cell[0] == (30, 30) and abs(cell[1][0] - 1800**0.5) < 1e-9
    assert cell[2][0] > cell[2][1] and cell[3][0] < cell[3][1]
    assert priors.boxes(param, 2, 3, 24, 16).shape == (24, 4)
