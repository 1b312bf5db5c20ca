"""The report's face crops: split and augmentation as in its recipe."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from sklearn.model_selection import train_test_split

from .coco import crop_files
from .manifest import STATES

LABELS = ("mask", "no_mask")


def split(data: Path, seed: int = 42) -> tuple[list[tuple[Path, int]], list[tuple[Path, int]]]:
    """80/20 stratified split of the crops; labels are indices in ``LABELS``."""
    files = [(path, LABELS.index(STATES[state])) for path, state in crop_files(data)]
    labels = [label for _, label in files]
    train, test = train_test_split(files, test_size=0.2, stratify=labels, random_state=seed)
    return train, test


def read(path: Path, size: int) -> np.ndarray:
    """An RGB crop stretched to ``size`` x ``size``."""
    from PIL import Image

    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB").resize((size, size), Image.BILINEAR))


def augment(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Rotation 30°, zoom 0.2, shifts 0.2, shear 0.18 (radians), flip; edges filled with the nearest pixel."""
    size = image.shape[0]
    angle = np.deg2rad(rng.uniform(-30, 30))
    shear = rng.uniform(-0.18, 0.18)
    zoom_x, zoom_y = rng.uniform(0.8, 1.2, 2)
    shift = rng.uniform(-0.2, 0.2, 2) * size
    rotate = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    skew = np.array([[1, -np.sin(shear), 0], [0, np.cos(shear), 0], [0, 0, 1]])
    scale = np.diag([zoom_x, zoom_y, 1])
    move = np.array([[1, 0, shift[0]], [0, 1, shift[1]], [0, 0, 1]])
    centre = np.array([[1, 0, size / 2], [0, 1, size / 2], [0, 0, 1]])
    matrix = centre @ move @ rotate @ skew @ scale @ np.linalg.inv(centre)
    flags = cv2.INTER_LINEAR
    out = cv2.warpAffine(image, matrix[:2].astype(np.float32), (size, size), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return out[:, ::-1] if rng.random() < 0.5 else out
