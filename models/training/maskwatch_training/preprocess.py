"""Pictures to tensors, exactly as the program does it (``models/README.md``, Resampling)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from .manifest import InputSpec


@dataclass(frozen=True)
class Placement:
    """Where the resized picture lies inside the network's input."""

    scale_x: float
    scale_y: float
    left: int
    top: int

    def visible(self, width: int, height: int, spec: InputSpec) -> tuple[float, float, float, float]:
        """Corners in 0..1 of the input of a ``width`` x ``height`` picture in it."""
        left, top = self.left / spec.width, self.top / spec.height
        return left, top, left + width * self.scale_x / spec.width, top + height * self.scale_y / spec.height

    def to_source(self, boxes: np.ndarray, spec: InputSpec) -> np.ndarray:
        """Maps corner boxes in 0..1 of the input to pixels of the source picture."""
        out = np.empty_like(boxes, dtype=np.float64)
        out[:, 0::2] = (boxes[:, 0::2] * spec.width - self.left) / self.scale_x
        out[:, 1::2] = (boxes[:, 1::2] * spec.height - self.top) / self.scale_y
        return out


def placement(width: int, height: int, spec: InputSpec) -> tuple[Placement, int, int]:
    """The placement of a ``width`` x ``height`` picture and its size after resizing."""
    if spec.resize == "stretch":
        return Placement(spec.width / width, spec.height / height, 0, 0), spec.width, spec.height
    scale = min(spec.width / width, spec.height / height)
    new_w = min(spec.width, max(1, int(width * scale + 0.5)))
    new_h = min(spec.height, max(1, int(height * scale + 0.5)))
    left, top = (spec.width - new_w) // 2, (spec.height - new_h) // 2
    return Placement(new_w / width, new_h / height, left, top), new_w, new_h


def resize(picture: Image.Image, width: int, height: int) -> np.ndarray:
    """The picture [height, width, 3] at another size by the triangle filter, 0..255 and not rounded.

    Pillow rounds pictures of bytes after each pass, and pictures of floats not at all; the program does not round either.
    """
    planes = [Image.fromarray(plane) for plane in np.asarray(picture, dtype=np.float32).transpose(2, 0, 1)]
    return np.stack([np.asarray(plane.resize((width, height), Image.BILINEAR)) for plane in planes], axis=2)


def normalise(rgb: np.ndarray, spec: InputSpec) -> np.ndarray:
    """An RGB picture [H, W, 3] of the input's size, 0..255, as one float tensor without batch dimension."""
    data = rgb[:, :, ::-1] if spec.color == "bgr" else rgb
    data = (data.astype(np.float32) - np.float32(spec.mean)) / np.float32(spec.std)
    return np.ascontiguousarray(data.transpose(2, 0, 1) if spec.layout == "nchw" else data)


def prepare(picture: Image.Image, spec: InputSpec) -> tuple[np.ndarray, Placement]:
    """The input tensor (without batch dimension) of an RGB picture and where the picture lies in it."""
    place, new_w, new_h = placement(picture.width, picture.height, spec)
    canvas = np.full((spec.height, spec.width, 3), spec.pad, dtype=np.float32)
    canvas[place.top : place.top + new_h, place.left : place.left + new_w] = resize(picture, new_w, new_h)
    return normalise(canvas, spec), place


def crop_box(box: tuple[float, float, float, float], margin: float, square: bool) -> tuple[int, int, int, int]:
    """The integer crop (x1, y1, x2, y2) around a face box: margin, then square, then rounded outwards by half pixels."""
    x1, y1, x2, y2 = (float(v) for v in box)
    width, height = x2 - x1, y2 - y1
    half_w, half_h = width * (0.5 + margin), height * (0.5 + margin)
    if square:
        half_w = half_h = max(half_w, half_h)
    cx, cy = (x1 + x2) / 2, (y1 + y2) / 2
    left, top = int(np.floor(cx - half_w + 0.5)), int(np.floor(cy - half_h + 0.5))
    right, bottom = int(np.floor(cx + half_w + 0.5)), int(np.floor(cy + half_h + 0.5))
    return left, top, max(right, left + 1), max(bottom, top + 1)


def crop(picture: Image.Image, box: tuple[float, float, float, float], settings: dict, pad: int) -> Image.Image:
    """The face crop that a classifier with the manifest's ``crop`` settings sees, before resizing."""
    left, top, right, bottom = crop_box(box, float(settings["margin"]), bool(settings["square"]))
    out = Image.new("RGB", (right - left, bottom - top), (pad, pad, pad))
    inside = (max(left, 0), max(top, 0), min(right, picture.width), min(bottom, picture.height))
    if inside[2] > inside[0] and inside[3] > inside[1]:
        out.paste(picture.crop(inside), (inside[0] - left, inside[1] - top))
    return out
