"""Caffe's PriorBox layer: default boxes of one feature map."""

from __future__ import annotations

import math

import numpy as np

from .prototxt import Message, first


def sizes(param: Message) -> list[tuple[float, float]]:
    """Width and height in pixels of the boxes of one cell, in Caffe's order."""
    ratios = [1.0]
    for ratio in param.get("aspect_ratio", []):
        ratios.append(float(ratio))
        if first(param, "flip", True):
            ratios.append(1.0 / ratio)
    out = []
    for i, small in enumerate(param["min_size"]):
        out.append((float(small), float(small)))
        if "max_size" in param:
            side = math.sqrt(small * param["max_size"][i])
            out.append((side, side))
        out.extend((small * math.sqrt(r), small / math.sqrt(r)) for r in ratios if abs(r - 1) > 1e-6)
    return out


def boxes(param: Message, rows: int, cols: int, width: int, height: int) -> np.ndarray:
    """Default boxes [A, 4] as cx, cy, w, h in 0..1 of the input."""
    step, offset = float(first(param, "step", 0)), float(first(param, "offset", 0.5))
    step_x, step_y = (step, step) if step else (width / cols, height / rows)
    cell = sizes(param)
    cy, cx = np.meshgrid((np.arange(rows) + offset) * step_y, (np.arange(cols) + offset) * step_x, indexing="ij")
    centres = np.stack([cx, cy], 2).reshape(-1, 1, 2).repeat(len(cell), 1)
    shapes = np.broadcast_to(np.asarray(cell), (len(centres), len(cell), 2))
    return (np.concatenate([centres, shapes], 2).reshape(-1, 4) / [width, height, width, height]).astype(np.float32)
