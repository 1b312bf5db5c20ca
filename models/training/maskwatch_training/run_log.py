"""Curves of a training run from its ``log.jsonl``."""

from __future__ import annotations

import json
from pathlib import Path

from . import figures

LOSSES = ("loss", "score", "box", "state")


def records(run: Path) -> list[dict]:
    """One record per epoch, the last one where a resumed run repeated an epoch."""
    lines = (run / "log.jsonl").read_text(encoding="utf-8").splitlines()
    by_epoch = {r["epoch"]: r for r in map(json.loads, lines) if "epoch" in r}
    return [by_epoch[epoch] for epoch in sorted(by_epoch)]


def _series(run: list[dict], pick) -> tuple[list[float], list[float]]:
    found = [(r["epoch"], pick(r)) for r in run if pick(r) is not None]
    return [x for x, _ in found], [y for _, y in found]


def draw(run: Path, path: Path, title: str) -> None:
    """Writes losses and held-out figures over epochs as one picture."""
    epochs = records(run)
    lines: dict[str, list[float]] = {}
    xs: dict[str, list[float]] = {}

    def add(name: str, pick) -> None:
        x, y = _series(epochs, pick)
        if y:
            xs[name], lines[name] = x, y

    for key in LOSSES:
        add(f"train {key}", lambda r, k=key: r.get(k))
    for key in ("face", "mask", "no_mask", "incorrect"):
        add(f"val AP {key}", lambda r, k=key: r.get("val", {}).get(k))
    add("val macro F1", lambda r: r.get("val_boxes", {}).get("macro_f1"))
    add("report crops accuracy", lambda r: r.get("report_crops"))
    figures.curves(lines, path, title, xs)
