"""Face crops for our classifier: true boxes as a detector would give them, and the report's crops."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from . import augment, coco, crops_data, rendered_masks
from .manifest import STATES

CONTEXT = 0.7
LARGEST = 176
RENDERED = 0.2
"""Share of bare faces that are shown with a drawn mask."""


@dataclass
class Face:
    """A region with context around one face: picture, the face's box in it, and the state's index."""

    image: np.ndarray
    box: np.ndarray
    state: int
    height: float
    whole: bool


def _region(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The square around the face with ``CONTEXT`` of margin, black outside the picture, shrunk where large."""
    side = max(box[2] - box[0], box[3] - box[1]) * (1 + 2 * CONTEXT)
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    left, top, size = int(cx - side / 2), int(cy - side / 2), max(int(np.ceil(side)), 4)
    out = np.zeros((size, size, 3), dtype=np.uint8)
    x1, y1, x2, y2 = max(left, 0), max(top, 0), min(left + size, image.shape[1]), min(top + size, image.shape[0])
    out[y1 - top : y2 - top, x1 - left : x2 - left] = image[y1:y2, x1:x2]
    moved = box - np.array([left, top, left, top], dtype=np.float32)
    factor = LARGEST * (1 + 2 * CONTEXT) / size
    if factor < 1:
        out, moved = augment.scaled(out, moved, factor)
    return out, moved


def box_faces(data: Path, split: str, smallest: float) -> list[Face]:
    """Faces of all labelled boxes at least ``smallest`` px high."""
    faces = []
    for photo in coco.photos(data, split):
        if not len(photo.boxes):
            continue
        image = cv2.cvtColor(cv2.imread(str(photo.path), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
        for box, state in zip(photo.boxes, photo.states):
            if box[3] - box[1] >= smallest and box[2] - box[0] >= 4:
                region, moved = _region(image, box)
                faces.append(Face(region, moved, int(state), float(box[3] - box[1]), False))
    return faces


def crop_faces(files: list[tuple[Path, int]], size: int = 160) -> list[Face]:
    """The report's crops as faces that fill their picture."""
    faces = []
    for path, label in files:
        image = crops_data.read(path, size)
        box = np.array([0, 0, size, size], dtype=np.float32)
        faces.append(Face(image, box, STATES.index(crops_data.LABELS[label]), float(size), True))
    return faces


def _warp(rng: np.random.Generator, face: Face, size: int, margin: float) -> np.ndarray:
    """A jittered crop: shift, scale, aspect, rotation and mirror in one warp."""
    width, height = face.box[2:] - face.box[:2]
    cx, cy = (face.box[:2] + face.box[2:]) / 2
    if face.whole:
        half_w, half_h = width / 2 * rng.uniform(0.7, 1.1), height / 2 * rng.uniform(0.7, 1.1)
    else:
        half_w = half_h = max(width, height) * (0.5 + margin + rng.uniform(-0.15, 0.15))
        if rng.random() < 0.15:
            half_w, half_h = width * (0.5 + rng.uniform(0, 0.1)), height * (0.5 + rng.uniform(0, 0.1))
    cx, cy = cx + width * rng.normal(0, 0.05), cy + height * rng.normal(0, 0.05)
    angle = np.deg2rad(rng.normal(0, 8))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    cos, sin = np.cos(angle), np.sin(angle)
    # output pixel -> source pixel
    a = np.array([[cos * mirror * half_w, -sin * half_h], [sin * mirror * half_w, cos * half_h]]) * 2 / size
    origin = np.array([cx, cy]) - a @ np.array([size / 2, size / 2])
    matrix = np.concatenate([a, origin[:, None]], axis=1).astype(np.float32)
    shrink = max(half_w, half_h) * 2 / size
    image = face.image
    if shrink > 1.5:
        image = cv2.GaussianBlur(image, (0, 0), 0.4 * shrink)
    border = cv2.BORDER_REPLICATE if face.whole else cv2.BORDER_CONSTANT
    return cv2.warpAffine(image, matrix, (size, size), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP, borderMode=border)


def _shrunk(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """The crop as it looks from a face only a few pixels high."""
    size = image.shape[0]
    small = int(np.exp(rng.uniform(np.log(14), np.log(size))))
    low = cv2.resize(image, (small, small), interpolation=cv2.INTER_AREA)
    if rng.random() < 0.5:
        quality = int(rng.integers(30, 90))
        low = cv2.imdecode(cv2.imencode(".jpg", low, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], cv2.IMREAD_COLOR)
    return cv2.resize(low, (size, size), interpolation=cv2.INTER_LINEAR)


def _masked(rng: np.random.Generator, face: Face) -> Face:
    """Some bare faces with a drawn mask, mostly a badly worn one, and the state that they have then."""
    if face.state != STATES.index("no_mask") or rng.random() >= RENDERED:
        return face
    # A crop that ends at the chin shows nothing of a mask below it.
    style = str(rng.choice(("mask", "nose", "chin"), p=(0.2, 0.8, 0.0) if face.whole else (0.15, 0.6, 0.25)))
    state = STATES.index("mask" if style == "mask" else "incorrect")
    return replace(face, image=rendered_masks.wear(rng, face.image, face.box, style), state=state)


def training_crop(rng: np.random.Generator, face: Face, size: int, margin: float) -> tuple[np.ndarray, int]:
    """One augmented crop of the classifier's input size, and its state."""
    face = _masked(rng, face)
    image = _warp(rng, face, size, margin)
    if rng.random() < 0.5:
        image = _shrunk(rng, image)
    image = augment.damage(rng, augment.colour(rng, image))
    if rng.random() < 0.15:
        w, h = rng.integers(size // 8, size // 3, 2)
        x, y = int(rng.integers(0, size - w)), int(rng.integers(0, size - h))
        image[y : y + h, x : x + w] = rng.integers(0, 255, 3)
    return image, face.state
