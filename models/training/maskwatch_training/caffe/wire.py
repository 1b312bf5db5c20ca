"""Reading of a ``.caffemodel``: the protocol-buffer wire format, only the fields that weights need."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

NET_LAYER, LAYER_NAME, LAYER_BLOBS = 100, 1, 7
BLOB_DATA, BLOB_SHAPE, BLOB_LEGACY_DIMS = 5, 7, (1, 2, 3, 4)
SHAPE_DIM = 1


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def fields(data: memoryview) -> Iterator[tuple[int, int, memoryview | int]]:
    """All fields of a message as (number, wire type, value)."""
    at = 0
    while at < len(data):
        key, at = _varint(data, at)
        number, kind = key >> 3, key & 7
        if kind == 0:
            value, at = _varint(data, at)
            yield number, kind, value
            continue
        if kind == 2:
            size, at = _varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
        else:
            raise ValueError(f"wire type {kind} is not known")
        yield number, kind, data[at : at + size]
        at += size


def _blob(data: memoryview) -> np.ndarray:
    values: list[np.ndarray] = []
    legacy, shape = {}, None
    for number, kind, value in fields(data):
        if number == BLOB_DATA:
            values.append(np.frombuffer(value, dtype="<f4"))
        elif number == BLOB_SHAPE:
            shape = []
            for dim, dim_kind, item in fields(value):
                if dim == SHAPE_DIM and dim_kind == 0:
                    shape.append(item)
                elif dim == SHAPE_DIM:
                    at = 0
                    while at < len(item):
                        size, at = _varint(item, at)
                        shape.append(size)
        elif number in BLOB_LEGACY_DIMS and kind == 0:
            legacy[number] = value
    flat = np.concatenate(values) if values else np.zeros(0, np.float32)
    if shape is None:
        shape = [legacy[i] for i in BLOB_LEGACY_DIMS if i in legacy]
    return flat.reshape(shape).astype(np.float32)


def read_weights(path: Path) -> dict[str, list[np.ndarray]]:
    """Blobs of every layer that has any, by the layer's name."""
    out: dict[str, list[np.ndarray]] = {}
    for number, _, layer in fields(memoryview(path.read_bytes())):
        if number != NET_LAYER:
            continue
        name, blobs = "", []
        for field, _, value in fields(layer):
            if field == LAYER_NAME:
                name = bytes(value).decode()
            elif field == LAYER_BLOBS:
                blobs.append(_blob(value))
        if blobs:
            out[name] = blobs
    return out
