"""Pictures of training: loss and accuracy curves, confusion matrices."""

from __future__ import annotations

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402
import numpy as np  # noqa: E402


def curves(history: dict[str, list[float]], path: Path, title: str, xs: dict[str, list[float]] | None = None) -> None:
    """One line per entry of ``history`` over epochs (or over ``xs[name]``)."""
    fig, axis = plt.subplots(figsize=(6, 4), dpi=90)
    for name, values in history.items():
        axis.plot(xs[name] if xs and name in xs else range(1, len(values) + 1), values, label=name)
    axis.set_xlabel("epoch")
    axis.set_title(title)
    axis.grid(alpha=0.3)
    axis.legend()
    fig.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
    plt.close(fig)


def confusion(matrix: np.ndarray, labels: list[str], path: Path, title: str) -> None:
    """A confusion matrix (rows: truth) with its counts."""
    fig, axis = plt.subplots(figsize=(4.2, 3.8), dpi=90)
    share = matrix / np.maximum(matrix.sum(1, keepdims=True), 1)
    axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (row, col), count in np.ndenumerate(matrix):
        axis.text(col, row, str(int(count)), ha="center", va="center", color="white" if share[row, col] > 0.5 else "black")
    axis.set_xticks(range(len(labels)), labels)
    axis.set_yticks(range(len(labels)), labels)
    axis.set_xlabel("predicted")
    axis.set_ylabel("true")
    axis.set_title(title)
    fig.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    fig.savefig(path)
    plt.close(fig)
