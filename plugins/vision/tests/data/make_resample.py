"""Makes resample.json: what Pillow makes of small pictures that are given by a formula.

From the repository root: PYTHONPATH=models/training python plugins/vision/tests/data/make_resample.py
Uses the training code's own preparation, so that training and program are held to the same pixels.
"""

import json
from pathlib import Path

import numpy as np
from maskwatch_training.manifest import InputSpec
from maskwatch_training.preprocess import crop, prepare
from PIL import Image

# (source width, height, input width, height, resize, pad, crop box in pixels or None, margin, square)
CASES = [
    (37, 23, 16, 12, "stretch", 0, None, 0, False),
    (37, 23, 16, 16, "letterbox", 0, None, 0, False),
    (64, 48, 32, 32, "letterbox", 114, None, 0, False),
    (9, 7, 21, 16, "stretch", 0, None, 0, False),
    (150, 96, 9, 7, "letterbox", 7, None, 0, False),
    (33, 47, 33, 20, "letterbox", 255, None, 0, False),
    (64, 48, 12, 12, "stretch", 0, (20.3, 11.2, 37.9, 30.6), 0.15, True),
    (37, 23, 12, 10, "stretch", 114, (-2.0, 3.4, 9.7, 20.1), 0.2, True),
    (37, 23, 14, 14, "letterbox", 50, (28.0, 12.0, 44.0, 31.0), 0.1, False),
    (37, 23, 24, 24, "stretch", 9, (5.0, 6.0, 13.0, 14.0), 0.0, True),
]


def picture(width: int, height: int) -> Image.Image:
    y, x, c = np.meshgrid(np.arange(height), np.arange(width), np.arange(3), indexing="ij")
    return Image.fromarray(((x * 7 + y * 13 + c * 50) % 256).astype(np.uint8), "RGB")


def case(width, height, to_width, to_height, resize, pad, box, margin, square) -> dict:
    source = picture(width, height)
    if box is not None:
        source = crop(source, box, {"margin": margin, "square": square}, pad)
    plain = {"layout": "nhwc", "color": "rgb", "mean": (0, 0, 0), "std": (1, 1, 1)}
    spec = InputSpec(name="x", width=to_width, height=to_height, resize=resize, pad=pad, **plain)
    pixels, _ = prepare(source, spec)
    return {
        "source": [width, height],
        "input": [to_width, to_height],
        "resize": resize,
        "pad": pad,
        "crop": None if box is None else {"box": box, "margin": margin, "square": square},
        "pixels": pixels.astype(np.uint8).tobytes().hex(),
    }


text = ",\n".join(json.dumps(case(*arguments)) for arguments in CASES)
Path(__file__).with_name("resample.json").write_text(f"[\n{text}\n]\n")
