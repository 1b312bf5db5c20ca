"""Golden outputs: a picture made by a formula, and what the model gives for it.

The picture is ``pixel(x, y, c) = (x * 7 + y * 13 + c * 50) mod 256`` in RGB, 200 x 150 pixels. It goes through the manifest's
preprocessing (a detector's resize, a classifier's crop of ``box``), so that another implementation can check both that and
the network without any photo.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

from . import manifest, preprocess
from .runner import session

WIDTH, HEIGHT = 200, 150
BOX = (60.0, 40.0, 121.0, 116.0)
FORMULA = "pixel(x, y, c) = (x * 7 + y * 13 + c * 50) mod 256"


def picture() -> Image.Image:
    """The made picture."""
    y, x, c = np.meshgrid(np.arange(HEIGHT), np.arange(WIDTH), np.arange(3), indexing="ij")
    return Image.fromarray(((x * 7 + y * 13 + c * 50) % 256).astype(np.uint8), "RGB")


def _rounded(values: np.ndarray, digits: int = 5) -> list[float]:
    return [round(float(v), digits) for v in values.reshape(-1)]


def make(folder: Path) -> dict:
    """The golden record of a model folder."""
    spec = manifest.load(folder)
    source = picture()
    record: dict = {"formula": FORMULA, "width": WIDTH, "height": HEIGHT}
    if spec.raw["task"] == "classification":
        record["box"] = list(BOX)
        settings = spec.classification["crop"]
        record["crop"] = list(preprocess.crop_box(BOX, settings["margin"], settings["square"]))
        source = preprocess.crop(source, BOX, settings, spec.input.pad)
    tensor, _ = preprocess.prepare(source, spec.input)
    flat = tensor.reshape(-1)
    step = max(1, flat.size // 16)
    record["input"] = {"every": step, "values": _rounded(flat[::step][:16]), "sum": round(float(flat.sum(dtype=np.float64)), 2)}
    runner = session(spec.model_path)
    outputs = {}
    for output in runner.get_outputs():
        values = runner.run([output.name], {spec.input.name: tensor[None]})[0][0]
        rows = values.reshape(-1, values.shape[-1]) if values.ndim > 1 else values[None]
        pick = np.linspace(0, len(rows) - 1, min(8, len(rows))).astype(int)
        outputs[output.name] = {"rows": pick.tolist(), "values": [_rounded(rows[i]) for i in pick]}
    record["outputs"] = outputs
    return record


def write(folder: Path) -> None:
    """Writes ``golden.json`` into a model folder."""
    (folder / "golden.json").write_text(json.dumps(make(folder), indent=1) + "\n", encoding="utf-8")
