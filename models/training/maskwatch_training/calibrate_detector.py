"""Scores of our detector that mean something: 0.5 is where as many faces as possible are found with as few mistakes.

Training by a quality loss leaves scores that rank well and crowd together, the best of them barely above one half. The logits are
spread by a fixed factor and shifted by what ``val`` says, within the exported network, so that its outputs stay what a manifest
describes. The order of the findings does not change by it. A factor that made scores true probabilities (3.1) would push faces
that are worth listing below any practical threshold.
"""

from __future__ import annotations

import numpy as np
import torch

from .coco import Photo
from .nets import ssd
from .postprocess import Faces, iou_matrix

SPREAD = 2.0


def hits(photo: Photo, faces: Faces) -> np.ndarray:
    """Whether each found face is a labelled one (IoU from 0.5), each label taken by the best score that overlaps it."""
    out = np.zeros(len(faces.scores), dtype=bool)
    if not len(photo.boxes) or not len(faces.scores):
        return out
    overlap = iou_matrix(photo.boxes.astype(float), faces.boxes)
    free = np.ones(len(photo.boxes), dtype=bool)
    for index in np.argsort(-faces.scores, kind="stable"):
        column = np.where(free, overlap[:, index], 0)
        if column.max() >= 0.5:
            free[column.argmax()] = False
            out[index] = True
    return out


def fit(photos: list[Photo], found: list[Faces]) -> float:
    """The shift that brings the threshold of the best F1 over all findings to 0.5."""
    scores = np.clip(np.concatenate([faces.scores for faces in found]), 1e-9, 1 - 1e-9)
    label = np.concatenate([hits(photo, faces) for photo, faces in zip(photos, found)])
    logits = SPREAD * np.log(scores / (1 - scores))
    order = np.argsort(-logits)
    right = np.cumsum(label[order])
    f1 = 2 * right / (np.arange(1, len(order) + 1) + sum(len(photo.boxes) for photo in photos))
    return -float(logits[order[f1.argmax()]])


class Calibrated(torch.nn.Module):
    """The network with its background logit moved so that the face's logit is spread and shifted; states stay as they are."""

    def __init__(self, net: ssd.Detector, shift: float):
        super().__init__()
        self.net = net
        self.shift = shift

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Logits [N, A, 4] and offsets [N, A, 4]."""
        logits, offsets = self.net(x)
        background, states = logits[..., :1], logits[..., 1:]
        face = torch.logsumexp(states, -1, keepdim=True)
        return torch.cat([face - (SPREAD * (face - background) + self.shift), states], -1), offsets
