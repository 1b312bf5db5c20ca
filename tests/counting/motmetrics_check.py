"""Compares the tool's own tracking figures with those of motmetrics.

``python tests/counting/motmetrics_check.py FOLDER`` reads what ``cargo run --example counting -- --out FOLDER`` wrote and
prints MOTA, IDF1 and switches of every pair of files, as the table of the tool does. It needs ``pip install motmetrics "numpy<2" "pandas<3"``.
"""

from __future__ import annotations

import sys
from pathlib import Path

import motmetrics as mm
import numpy as np


def load(path: Path) -> np.ndarray:
    """Rows of frame, number, left, top, width, height."""
    if path.stat().st_size == 0:
        return np.empty((0, 6))
    return np.loadtxt(path, delimiter=",", ndmin=2)[:, :6]


def accumulate(truth: np.ndarray, tracks: np.ndarray) -> mm.MOTAccumulator:
    """Matches all frames; boxes that overlap less than half are no match."""
    accumulator = mm.MOTAccumulator(auto_id=True)
    frames = {int(frame) for table in (truth, tracks) for frame in table[:, 0]}
    for frame in sorted(frames):
        persons, answers = (table[table[:, 0] == frame] for table in (truth, tracks))
        distances = mm.distances.iou_matrix(persons[:, 2:6], answers[:, 2:6], max_iou=0.5)
        accumulator.update(persons[:, 1].astype(int), answers[:, 1].astype(int), distances)
    return accumulator


def main(folder: Path) -> None:
    """Prints one line per pair of files, and one for all."""
    names = sorted(path.name.removesuffix(".truth.txt") for path in folder.glob("*.truth.txt"))
    accumulators = [
        accumulate(load(folder / f"{name}.truth.txt"), load(folder / f"{name}.tracks.txt")) for name in names
    ]
    summary = mm.metrics.create().compute_many(
        accumulators, metrics=["mota", "idf1", "num_switches", "num_misses", "num_false_positives"], names=names
    )
    print(summary.to_string(formatters={"mota": "{:.1%}".format, "idf1": "{:.1%}".format}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
