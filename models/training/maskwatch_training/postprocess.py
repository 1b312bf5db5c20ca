"""Network outputs to faces: decoding, non-maximum suppression, state scores, fusion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .manifest import STATES, Manifest


@dataclass
class Faces:
    """Faces of one picture: corner boxes, face scores and, where the detector names states, state scores."""

    boxes: np.ndarray
    scores: np.ndarray
    states: np.ndarray | None


def iou_matrix(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Intersection over union of every box in ``a`` with every box in ``b`` (corners)."""
    lt = np.maximum(a[:, None, :2], b[None, :, :2])
    rb = np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(rb - lt, 0, None).prod(axis=2)
    area_a = (a[:, 2:] - a[:, :2]).prod(axis=1)
    area_b = (b[:, 2:] - b[:, :2]).prod(axis=1)
    return inter / np.maximum(area_a[:, None] + area_b[None, :] - inter, 1e-12)


def nms(boxes: np.ndarray, scores: np.ndarray, iou: float, limit: int) -> np.ndarray:
    """Indices of the boxes kept by greedy suppression, best score first."""
    order = np.argsort(-scores, kind="stable")
    keep: list[int] = []
    while order.size and len(keep) < limit:
        best, order = order[0], order[1:]
        keep.append(int(best))
        if order.size:
            order = order[iou_matrix(boxes[best : best + 1], boxes[order])[0] <= iou]
    return np.asarray(keep, dtype=np.int64)


def nms_with_vote(
    boxes: np.ndarray, scores: np.ndarray, iou: float, limit: int, voting: dict
) -> tuple[np.ndarray, np.ndarray]:
    """Indices kept by greedy suppression, and each one's box as the score-weighted mean of all that it suppressed."""
    order = np.argsort(-scores, kind="stable")
    keep: list[int] = []
    voted: list[np.ndarray] = []
    area = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    while order.size and len(keep) < limit:
        best = order[0]
        overlap = iou_matrix(boxes[best : best + 1], boxes[order])[0]
        shared = overlap * (area[best] + area[order]) / (1 + overlap)
        within = shared > voting["inside"] * np.minimum(area[best], area[order])
        same = (overlap > iou) | (within & (overlap > voting["iou"]))
        same[0] = True
        weights = scores[order[same]]
        keep.append(int(best))
        voted.append((boxes[order[same]] * weights[:, None]).sum(axis=0) / weights.sum())
        order = order[~same]
    return np.asarray(keep, dtype=np.int64), np.asarray(voted).reshape(-1, 4)


def make_anchors(width: int, height: int, levels: list[dict]) -> np.ndarray:
    """Anchors [A, 4] as cx, cy, w, h in 0..1, in the manifest's order: level, row, column, boxes of one cell."""
    out = []
    for level in levels:
        stride = level["stride"]
        rows, cols = -(-height // stride), -(-width // stride)
        cy, cx = np.meshgrid((np.arange(rows) + 0.5) * stride, (np.arange(cols) + 0.5) * stride, indexing="ij")
        sizes = np.asarray(level["boxes"], dtype=np.float64)
        grid = np.stack([cx, cy], axis=2).reshape(-1, 1, 2).repeat(len(sizes), axis=1)
        size = np.broadcast_to(sizes, (grid.shape[0], len(sizes), 2))
        out.append(np.concatenate([grid, size], axis=2).reshape(-1, 4))
    return np.concatenate(out) / np.array([width, height, width, height])


def decode_ssd(raw: np.ndarray, anchors: np.ndarray, variances: list[float]) -> np.ndarray:
    """Corner boxes from SSD offsets."""
    centre = anchors[:, :2] + raw[:, :2] * variances[0] * anchors[:, 2:]
    half = anchors[:, 2:] * np.exp(raw[:, 2:] * variances[1]) / 2
    return np.concatenate([centre - half, centre + half], axis=1)


def activate(raw: np.ndarray, activation: str) -> np.ndarray:
    """Probabilities of the last axis."""
    if activation == "softmax":
        shifted = np.exp(raw - raw.max(axis=-1, keepdims=True))
        return shifted / shifted.sum(axis=-1, keepdims=True)
    if activation == "sigmoid":
        return 1 / (1 + np.exp(-raw))
    return raw


def calibrated(score: np.ndarray, calibration: dict | None) -> np.ndarray:
    """Face scores with their log-odds spread and shifted as the manifest says."""
    if calibration is None:
        return score
    kept = np.clip(np.asarray(score, dtype=np.float64), 1e-7, 1 - 1e-7)
    logit = calibration["scale"] * np.log(kept / (1 - kept)) + calibration["shift"]
    return (1 / (1 + np.exp(-logit))).astype(np.float32)


def faces(
    scores: np.ndarray,
    boxes: np.ndarray,
    manifest: Manifest,
    threshold: float | None = None,
    visible: tuple[float, float, float, float] = (0, 0, 1, 1),
) -> Faces:
    """Faces of one picture from the raw outputs [A, C] and [A, 4], boxes in 0..1 of the input.

    Boxes without area and boxes wholly outside of ``visible`` (corners of the picture in the input; letterbox leaves
    borders) are left out before suppression, as in the program.
    """
    spec = manifest.detection
    classes = spec["classes"]
    probs = activate(np.asarray(scores, dtype=np.float32), spec["activation"])
    face_columns = [i for i, name in enumerate(classes) if name != "background"]
    columns = probs[:, face_columns]
    face = columns.sum(axis=1) if spec["activation"] == "softmax" else columns.max(axis=1)
    face = calibrated(face, spec.get("calibration"))
    threshold = spec["score_threshold"] if threshold is None else threshold
    voting = spec.get("voting")
    candidates = np.nonzero(face >= (min(threshold, voting["floor"]) if voting else threshold))[0]
    picked = np.asarray(boxes, dtype=np.float64)[candidates]
    if spec["box_format"] == "ssd":
        anchors = make_anchors(manifest.input.width, manifest.input.height, spec["anchors"]["levels"])
        picked = decode_ssd(picked, anchors[candidates], spec["variances"])
    shared = np.minimum(picked[:, 2:], visible[2:]) - np.maximum(picked[:, :2], visible[:2])
    inside = (shared > 0).all(axis=1)
    picked, candidates = picked[inside], candidates[inside]
    if voting:
        keep, merged = nms_with_vote(picked, face[candidates], spec["nms_iou"], spec["max_faces"], voting)
        enough = face[candidates[keep]] >= threshold
        keep, merged = keep[enough], merged[enough]
    else:
        keep = nms(picked, face[candidates], spec["nms_iou"], spec["max_faces"])
        merged = picked[keep]
    chosen = candidates[keep]
    states = None
    if any(name in STATES for name in classes):
        states = np.stack(
            [probs[chosen, classes.index(s)] if s in classes else np.zeros(len(chosen)) for s in STATES], axis=1
        )
        states = states / np.maximum(states.sum(axis=1, keepdims=True), 1e-9)
    return Faces(merged, face[chosen], states)


def classifier_states(output: np.ndarray, manifest: Manifest) -> np.ndarray:
    """State scores [N, 3] in the order of ``STATES`` from the classifier's raw output [N, L]."""
    spec = manifest.classification
    raw = np.asarray(output, dtype=np.float64)
    probs = activate(raw / spec["temperature"], "softmax") if spec["activation"] == "softmax" else raw
    labels = spec["labels"]
    return np.stack([probs[:, labels.index(s)] if s in labels else np.zeros(len(probs)) for s in STATES], axis=1)


def fuse(classifier: np.ndarray, detector: np.ndarray | None, weight: float) -> np.ndarray:
    """Fused state scores: the detector's own have the given weight."""
    if detector is None or weight <= 0:
        return classifier
    return (1 - weight) * classifier + weight * detector
