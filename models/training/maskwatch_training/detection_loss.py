"""Task-aligned assignment and the detector's loss."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from .nets.ssd import decode, face_logit

STATE_WEIGHTS = (1.0, 3.0, 1.3)
MISS_IOU = 0.53
"""Where labels disagree about how much of a head is the face, a box between them that agrees with each of them by half is worth
more than one that agrees with some of them wholly: boxes may pay extra for falling under this overlap."""
MISS_SLOPE = 12.0


def pair_iou(a: Tensor, b: Tensor) -> Tensor:
    """IoU of every box of ``a`` [G, 4] with every one of ``b`` [A, 4]."""
    lt = torch.maximum(a[:, None, :2], b[None, :, :2])
    rb = torch.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = (rb - lt).clamp(min=0).prod(2)
    area_a = (a[:, 2:] - a[:, :2]).prod(1)
    area_b = (b[:, 2:] - b[:, :2]).prod(1)
    return inter / (area_a[:, None] + area_b[None] - inter).clamp(min=1e-9)


def giou(a: Tensor, b: Tensor) -> Tensor:
    """Generalised IoU of box pairs."""
    inter = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0).prod(1)
    union = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1) - inter
    hull = (torch.maximum(a[:, 2:], b[:, 2:]) - torch.minimum(a[:, :2], b[:, :2])).prod(1)
    return inter / union.clamp(min=1e-9) - (hull - union) / hull.clamp(min=1e-9)


@torch.no_grad()
def assign(probs: Tensor, boxes: Tensor, priors: Tensor, reach: Tensor, truth: Tensor, topk: int = 10) -> tuple:
    """Chooses anchors for the faces of one picture.

    ``reach`` is half an anchor cell in the unit of boxes: a face smaller than a cell still gets the nearest centres.
    Returns (anchor indices, face indices, target scores).
    """
    overlap = pair_iou(truth, boxes)
    centre, half = (truth[:, :2] + truth[:, 2:]) / 2, (truth[:, 2:] - truth[:, :2]) / 2
    distance = (priors[None, :, :2] - centre[:, None]).abs()
    near = (distance <= torch.maximum(half[:, None], reach[None])).all(2)
    metric = probs.clamp(min=1e-4).sqrt()[None] * overlap.clamp(min=1e-6).pow(4) * near
    count = min(topk, metric.shape[1])
    values, index = metric.topk(count, dim=1)
    chosen = torch.zeros_like(metric, dtype=torch.bool).scatter_(1, index, values > 0)
    best = torch.where(chosen, overlap, overlap.new_full((), -1.0)).argmax(0)
    anchors = chosen.any(0).nonzero(as_tuple=True)[0]
    faces = best[anchors]
    picked = metric[faces, anchors]
    strongest = torch.zeros(len(truth)).scatter_reduce(0, faces, picked, "amax")
    widest = torch.zeros(len(truth)).scatter_reduce(0, faces, overlap[faces, anchors], "amax")
    return anchors, faces, picked / strongest[faces].clamp(min=1e-12) * widest[faces]


def loss(
    logits: Tensor, offsets: Tensor, priors: Tensor, reach: Tensor, truth: list, states: list, ignore: list,
    miss_weight: float = 0.0,
) -> dict:
    """Loss terms of a batch; boxes in 0..1 of the input.

    Face score by quality focal loss against the assignment's score, boxes by GIoU and, with ``miss_weight``, the soft count
    of those that miss the IoU which counts, states by weighted cross-entropy.
    """
    scores = face_logit(logits)
    boxes = decode(offsets, priors)
    probs = scores.detach().sigmoid()
    target = torch.zeros_like(scores)
    weight = torch.ones_like(scores)
    box_terms, state_terms, total = [], [], 0.0
    state_weight = torch.tensor(STATE_WEIGHTS)
    for i in range(len(truth)):
        for region in ignore[i]:
            inside = ((priors[:, :2] >= region[:2]) & (priors[:, :2] <= region[2:])).all(1)
            weight[i, inside] = 0
        if not len(truth[i]):
            continue
        anchors, faces, value = assign(probs[i], boxes[i].detach(), priors, reach, truth[i])
        target[i, anchors] = value
        weight[i, anchors] = 1
        total += float(value.sum())
        overlap = giou(boxes[i, anchors], truth[i][faces])
        missed = miss_weight * torch.sigmoid(MISS_SLOPE * (MISS_IOU - overlap))
        box_terms.append(((1 - overlap + missed) * value).sum())
        label = states[i][faces]
        entropy = F.cross_entropy(logits[i, anchors, 1:], label, reduction="none", label_smoothing=0.05)
        state_terms.append((entropy * value * state_weight[label]).sum())
    total = max(total, 1.0)
    entropy = F.binary_cross_entropy_with_logits(scores, target, reduction="none")
    focal = (target - scores.sigmoid()).abs().pow(2)
    return {
        "score": (entropy * focal * weight).sum() / total,
        "box": 2.0 * torch.stack(box_terms).sum() / total if box_terms else scores.sum() * 0,
        "state": 0.4 * torch.stack(state_terms).sum() / total if state_terms else scores.sum() * 0,
    }
