"""Masks drawn onto bare faces: worn well, under the nose, or on the chin.

Badly worn masks are rare in the photos. A face's landmarks are not known, so a mask is placed by shares of the labelled box, in
which the nose's tip is near 0.60 and the mouth near 0.78 of the height; every share is drawn anew within the spread that faces show.
"""

from __future__ import annotations

import cv2
import numpy as np

COLOURS = (
    (232, 234, 232), (246, 246, 244), (166, 200, 222), (120, 174, 208), (150, 206, 196), (60, 62, 68), (30, 30, 34),
    (206, 160, 170), (110, 116, 124), (190, 178, 150), (70, 90, 130), (150, 50, 56),
)
SUPERSAMPLE = 3


def _outline(rng: np.random.Generator, box: np.ndarray, top: float, bottom: float, tilt: float) -> np.ndarray:
    """The mask's closed outline in pixels, between two shares of the box's height."""
    width, height = box[2] - box[0], box[3] - box[1]
    left, right = rng.uniform(-0.02, 0.14), 1 - rng.uniform(-0.02, 0.14)
    bulge, drop = rng.uniform(-0.06, 0.05), rng.uniform(0.02, 0.10)
    across = np.linspace(left, right, 9)
    middle = np.sin(np.pi * (across - left) / (right - left))
    upper = top + drop * (1 - middle) - bulge * middle
    narrowing = rng.uniform(0.10, 0.24)
    lower_across = np.linspace(right - narrowing, left + narrowing, 9)
    lower_middle = np.sin(np.pi * (np.linspace(1, 0, 9)))
    lower = bottom - rng.uniform(0.08, 0.18) * (1 - lower_middle)
    shares = np.concatenate([np.stack([across, upper], 1), np.stack([lower_across, lower], 1)])
    points = box[:2] + shares * np.array([width, height])
    centre = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2])
    turn = np.array([[np.cos(tilt), -np.sin(tilt)], [np.sin(tilt), np.cos(tilt)]])
    return (points - centre) @ turn.T + centre


def _cloth(rng: np.random.Generator, shape: tuple[int, int], box: np.ndarray, light: float) -> np.ndarray:
    """Colour, folds and shading of the mask over the whole region."""
    rows, cols = shape
    colour = np.array(COLOURS[rng.integers(len(COLOURS))], dtype=np.float32) + rng.normal(0, 8, 3)
    cloth = np.ones((rows, cols, 3), dtype=np.float32) * colour * np.float32(light)
    y = (np.arange(rows, dtype=np.float32)[:, None] - box[1]) / max(box[3] - box[1], 1)
    x = (np.arange(cols, dtype=np.float32)[None, :] - box[0]) / max(box[2] - box[0], 1)
    side = rng.uniform(-0.5, 0.5)
    shade = 1 - rng.uniform(0.05, 0.3) * (2 * np.abs(x - 0.5 - 0.3 * side)) ** 2 + 0 * y
    if rng.random() < 0.6:
        folds = rng.integers(2, 5)
        shade = shade - rng.uniform(0.03, 0.14) * (np.sin(2 * np.pi * y * folds * rng.uniform(1.5, 3)) > 0.75)
    return cloth * shade[..., None]


def wear(rng: np.random.Generator, image: np.ndarray, box: np.ndarray, style: str) -> np.ndarray:
    """The picture (RGB u8) with a mask on the face in ``box`` (corner pixels); ``style``: ``mask``, ``nose`` or ``chin``."""
    top = {"mask": rng.uniform(0.42, 0.54), "nose": rng.uniform(0.67, 0.76), "chin": rng.uniform(0.86, 0.94)}[style]
    bottom = top + rng.uniform(0.22, 0.34) if style == "chin" else rng.uniform(0.98, 1.18)
    outline = _outline(rng, box, top, bottom, float(rng.normal(0, 0.06)))
    rows, cols = image.shape[:2]
    factor = SUPERSAMPLE
    alpha = np.zeros((rows * factor, cols * factor), dtype=np.uint8)
    cv2.fillPoly(alpha, [np.round(outline * factor).astype(np.int32)], 255)
    straps = max(1, round((box[2] - box[0]) * factor * rng.uniform(0.008, 0.025)))
    if rng.random() < 0.7:
        for corner, edge in ((outline[0], box[0]), (outline[8], box[2])):
            ear = np.array([edge + (edge - corner[0]) * 0.6, box[1] + (box[3] - box[1]) * rng.uniform(0.38, 0.52)])
            ends = np.round(np.stack([corner, ear]) * factor).astype(np.int32)
            cv2.line(alpha, tuple(map(int, ends[0])), tuple(map(int, ends[1])), 255, straps)
    soft = cv2.resize(alpha, (cols, rows), interpolation=cv2.INTER_AREA).astype(np.float32)[..., None] / 255
    inner = image[max(int(box[1]), 0) : max(int(box[3]), 1), max(int(box[0]), 0) : max(int(box[2]), 1)]
    light = float(np.clip(inner.mean() / 140 if inner.size else 1.0, 0.45, 1.15)) * rng.uniform(0.85, 1.1)
    cloth = _cloth(rng, (rows, cols), box, light)
    mixed = image.astype(np.float32) * (1 - soft) + cloth * soft
    return mixed.clip(0, 255).astype(np.uint8)
