"""Training samples for the detector."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset

from . import augment
from .coco import Photo, photos
from .manifest import STATES

INCORRECT = STATES.index("incorrect")


class DetectionSamples(Dataset):
    """Augmented pictures of one size; ``len`` is one pass over the photos with rare ones repeated.

    Each index and epoch give the same sample for the same seed.
    """

    def __init__(self, data: Path, size: int, reference: tuple[int, int], seed: int = 0, plain_from: int = 10**9):
        self.photos: list[Photo] = photos(data, "train")
        self.size = size
        self.reference = reference
        self.seed = seed
        self.epoch = 0
        self.plain_from = plain_from
        self.order = [
            i for i, p in enumerate(self.photos) for _ in range(2 if (p.states == INCORRECT).any() else 1)
        ]
        self._cache: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.order)

    def _image(self, index: int) -> np.ndarray:
        if index not in self._cache:
            raw = cv2.imread(str(self.photos[index].path), cv2.IMREAD_COLOR)
            self._cache[index] = cv2.cvtColor(raw, cv2.COLOR_BGR2RGB)
        return self._cache[index]

    def _scaled(self, rng: np.random.Generator, index: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
        photo, image = self.photos[index], self._image(index)
        fit = min(self.reference[0] / photo.width, self.reference[1] / photo.height)
        return augment.scaled(image, photo.boxes, fit * float(np.exp(rng.uniform(np.log(low), np.log(high)))))

    def _single(self, rng: np.random.Generator, index: int) -> augment.Sample:
        image, boxes = self._scaled(rng, index, 0.6, 1.9)
        image, boxes = augment.window(rng, image, boxes, self.size, self.size)
        return augment.settle(image, boxes, self.photos[index].states, (0, 0, self.size, self.size))

    def _mosaic(self, rng: np.random.Generator, index: int) -> augment.Sample:
        size = self.size
        cx, cy = (int(v) for v in rng.uniform(0.35 * size, 0.65 * size, 2))
        areas = [(0, 0, cx, cy), (cx, 0, size, cy), (0, cy, cx, size), (cx, cy, size, size)]
        others = [self.order[i] for i in rng.integers(0, len(self.order), 3)]
        canvas = np.zeros((size, size, 3), dtype=np.uint8)
        parts = []
        for area, member in zip(areas, [index, *others]):
            image, boxes = self._scaled(rng, member, 0.35, 1.2)
            width, height = area[2] - area[0], area[3] - area[1]
            tile, boxes = augment.window(rng, image, boxes, width, height)
            canvas[area[1] : area[3], area[0] : area[2]] = tile
            boxes = boxes + np.array([area[0], area[1]] * 2, dtype=np.float32)
            parts.append(augment.settle(tile, boxes, self.photos[member].states, area))
        return augment.Sample(
            canvas,
            np.concatenate([p.boxes for p in parts]),
            np.concatenate([p.states for p in parts]),
            np.concatenate([p.ignore for p in parts]),
        )

    def __getitem__(self, item: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        rng = np.random.default_rng([self.seed, self.epoch, item])
        index = self.order[item]
        mosaic = self.epoch < self.plain_from and rng.random() < 0.6
        sample = self._mosaic(rng, index) if mosaic else self._single(rng, index)
        if rng.random() < 0.5:
            sample = augment.flip(sample)
        image = augment.damage(rng, augment.colour(rng, sample.image))
        return (
            torch.from_numpy(image),
            torch.from_numpy(sample.boxes).float(),
            torch.from_numpy(sample.states),
            torch.from_numpy(sample.ignore).float(),
        )


def collate(items: list) -> tuple[Tensor, list, list, list]:
    """Stacks pictures, keeps boxes as lists."""
    images, boxes, states, ignore = zip(*items)
    return torch.stack(images), list(boxes), list(states), list(ignore)


def to_input(images: Tensor) -> Tensor:
    """Pictures [N, H, W, 3] u8 as the network's input (mean 127, deviation 128, channels last in memory)."""
    return ((images.permute(0, 3, 1, 2).float() - 127) / 128).contiguous(memory_format=torch.channels_last)
