"""The data folder: COCO boxes in three states and face crops in class folders."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .manifest import STATES

CATEGORY = {1: "mask", 2: "no_mask", 3: "incorrect"}
STATE_INDEX = {category: STATES.index(name) for category, name in CATEGORY.items()}


@dataclass
class Photo:
    """One labelled photo: corner boxes in its pixels and the index of each face's state in ``STATES``."""

    id: int
    path: Path
    width: int
    height: int
    boxes: np.ndarray
    states: np.ndarray


def annotation_file(data: Path, split: str) -> Path:
    """The COCO file of ``train`` or ``val``."""
    return data / "detection" / f"{split}.json"


def photos(data: Path, split: str) -> list[Photo]:
    """All photos of a split in the file's order."""
    raw = json.loads(annotation_file(data, split).read_text(encoding="utf-8"))
    grouped: dict[int, list[dict]] = {}
    for item in raw["annotations"]:
        grouped.setdefault(item["image_id"], []).append(item)
    out = []
    for image in raw["images"]:
        items = grouped.get(image["id"], [])
        boxes = np.asarray([item["bbox"] for item in items], dtype=np.float32).reshape(-1, 4)
        boxes[:, 2:] += boxes[:, :2]
        states = np.asarray([STATE_INDEX[item["category_id"]] for item in items], dtype=np.int64)
        path = data / "detection" / "images" / image["file_name"]
        out.append(Photo(image["id"], path, image["width"], image["height"], boxes, states))
    return out


def crop_files(data: Path) -> list[tuple[Path, int]]:
    """The report's face crops in sorted order with the index of their state in ``STATES``."""
    out = []
    for name in ("mask", "no_mask"):
        files = sorted(p for p in (data / "crops" / name).iterdir() if p.suffix.lower() in {".jpg", ".jpeg", ".png"})
        out.extend((path, STATES.index(name)) for path in files)
    return out
