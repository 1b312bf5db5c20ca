"""Calibration of our classifier on ``val``: temperature, ECE and the threshold for ``unknown``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from . import publish, train_cls
from .calibration import best_temperature, ece, softmax
from .nets.mask_cls import MaskClassifier

TARGET_ACCURACY = 0.97
SMALLEST_KNOWN_SHARE = 0.9


def _logits(net: MaskClassifier, truth: train_cls.Truth) -> np.ndarray:
    return train_cls.logits_of(net, truth)


def unknown_threshold(probs: np.ndarray, labels: np.ndarray) -> float:
    """The lowest threshold at which known faces reach the target accuracy while enough faces stay known."""
    best, hit = probs.max(1), probs.argmax(1) == labels
    chosen = 0.4
    for threshold in np.arange(0.4, 0.91, 0.02):
        known = best >= threshold
        if known.mean() < SMALLEST_KNOWN_SHARE:
            break
        chosen = float(threshold)
        if hit[known].mean() >= TARGET_ACCURACY:
            break
    return round(chosen, 2)


def cross_fitted_ece(logits: np.ndarray, labels: np.ndarray, seed: int = 0) -> float:
    """ECE where each half is scaled by the temperature fitted on the other half."""
    order = np.random.default_rng(seed).permutation(len(labels))
    halves = (order[: len(order) // 2], order[len(order) // 2 :])
    probs = np.zeros_like(logits)
    for mine, other in (halves, halves[::-1]):
        probs[mine] = softmax(logits[mine], best_temperature(logits[other], labels[other]))
    return ece(probs, labels)


def publish_model(
    data: Path, weights: Path, folder: Path, size: int, margin: float, detector_weight: float
) -> dict:
    """Fits temperature and threshold on true boxes of ``val`` from 12 px and exports the model folder."""
    net = MaskClassifier()
    net.load_state_dict(torch.load(weights, weights_only=True))
    net = net.to(memory_format=torch.channels_last).eval()
    boxes = train_cls.val_boxes(data, train_cls.input_spec(size), margin)
    logits = _logits(net, boxes)
    temperature = best_temperature(logits, boxes.labels)
    probs = softmax(logits, temperature)
    threshold = unknown_threshold(probs, boxes.labels)
    parity = publish.classifier_model(weights, folder, size, margin, temperature, threshold, detector_weight)
    return {
        "temperature": round(temperature, 3),
        "ece_before": round(ece(softmax(logits), boxes.labels), 4),
        "ece_cross_fitted": round(cross_fitted_ece(logits, boxes.labels), 4),
        "unknown_below": threshold,
        "unknown_share": round(float((probs.max(1) < threshold).mean()), 4),
        "parity_with_pytorch": parity,
    }
