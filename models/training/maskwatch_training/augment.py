"""Photo augmentation for the detector: zoom, mosaic, flips, colour, blur and JPEG damage. Boxes move with the pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

cv2.setNumThreads(0)


@dataclass
class Sample:
    """A training picture (RGB u8), its corner boxes in pixels, their states, and boxes to take no loss from."""

    image: np.ndarray
    boxes: np.ndarray
    states: np.ndarray
    ignore: np.ndarray


def scaled(image: np.ndarray, boxes: np.ndarray, scale: float) -> tuple[np.ndarray, np.ndarray]:
    """The picture and its boxes at another scale."""
    height, width = image.shape[:2]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    factors = np.array([size[0] / width, size[1] / height] * 2, dtype=np.float32)
    return cv2.resize(image, size, interpolation=method), boxes * factors


def window(
    rng: np.random.Generator, image: np.ndarray, boxes: np.ndarray, width: int, height: int
) -> tuple[np.ndarray, np.ndarray]:
    """A ``width`` x ``height`` cut of the picture (padded with black where it is smaller) and the moved boxes."""
    rows, cols = image.shape[:2]

    def offset(have: int, want: int, low: float | None, high: float | None) -> int:
        if have <= want:
            return -int(rng.integers(0, want - have + 1))
        if low is None:
            return int(rng.integers(0, have - want + 1))
        first, last = max(0, int(high) - want), min(have - want, int(low))
        if first > last:
            first, last = last, first
        return int(np.clip(rng.integers(first, last + 1), 0, have - want))

    focus = boxes[rng.integers(len(boxes))] if len(boxes) and rng.random() < 0.8 else None
    left = offset(cols, width, *((focus[0], focus[2]) if focus is not None else (None, None)))
    top = offset(rows, height, *((focus[1], focus[3]) if focus is not None else (None, None)))
    out = np.zeros((height, width, 3), dtype=np.uint8)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + width, cols), min(top + height, rows)
    out[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    return out, boxes - np.array([left, top, left, top], dtype=np.float32)


def settle(image: np.ndarray, boxes: np.ndarray, states: np.ndarray, area: tuple[int, int, int, int]) -> Sample:
    """Clips boxes to ``area``; faces mostly cut off or under 5 px become regions to ignore."""
    clipped = boxes.copy()
    clipped[:, 0::2] = clipped[:, 0::2].clip(area[0], area[2])
    clipped[:, 1::2] = clipped[:, 1::2].clip(area[1], area[3])
    size = clipped[:, 2:] - clipped[:, :2]
    whole = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    visible = size.prod(1) / np.maximum(whole, 1e-6)
    present = size.min(1) > 0.5 if len(size) else np.zeros(0, bool)
    good = present & (visible >= 0.5) & (size.max(1) >= 5) if len(size) else present
    return Sample(image, clipped[good], states[good], clipped[present & ~good])


def flip(sample: Sample) -> Sample:
    """Mirrors left and right."""
    width = sample.image.shape[1]

    def mirrored(boxes: np.ndarray) -> np.ndarray:
        out = boxes.copy()
        out[:, [0, 2]] = width - boxes[:, [2, 0]]
        return out

    image = np.ascontiguousarray(sample.image[:, ::-1])
    return Sample(image, mirrored(sample.boxes), sample.states, mirrored(sample.ignore))


def colour(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Brightness, contrast, saturation, tint, grey."""
    data = image.astype(np.float32)
    if rng.random() < 0.8:
        data = data * rng.uniform(0.6, 1.4) + rng.uniform(-24, 24)
    if rng.random() < 0.5:
        grey = data @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
        data = grey[..., None] + (data - grey[..., None]) * rng.uniform(0.3, 1.5)
    if rng.random() < 0.4:
        data = data * rng.uniform(0.85, 1.15, 3).astype(np.float32)
    if rng.random() < 0.05:
        data = np.repeat(data.mean(2, keepdims=True), 3, 2)
    return data.clip(0, 255).astype(np.uint8)


def damage(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Blur, noise, JPEG."""
    if rng.random() < 0.15:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.5, 1.6))
    if rng.random() < 0.1:
        noise = rng.normal(0, rng.uniform(3, 12), image.shape).astype(np.float32)
        image = (image + noise).clip(0, 255).astype(np.uint8)
    if rng.random() < 0.3:
        quality = int(rng.integers(25, 85))
        image = cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return image
