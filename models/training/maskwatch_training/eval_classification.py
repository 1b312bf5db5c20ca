"""Classification figures of a model folder: the report's crops and the true boxes of ``val``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.metrics import classification_report, confusion_matrix

from . import calibration, coco, crops_data, manifest, postprocess, preprocess
from .manifest import STATES
from .runner import Classifier, open_picture


def crop_outputs(data: Path, classifier: Classifier) -> tuple[np.ndarray, np.ndarray]:
    """Raw outputs and true states on the report's 20 % of crops; a crop file is the face, stretched to the input."""
    _, test = crops_data.split(data)
    tensors = [preprocess.prepare(open_picture(path), classifier.manifest.input)[0] for path, _ in test]
    outputs = [classifier.raw(np.stack(tensors[i : i + 32])) for i in range(0, len(tensors), 32)]
    labels = np.array([STATES.index(crops_data.LABELS[label]) for _, label in test])
    return np.concatenate(outputs), labels


def box_outputs(data: Path, split: str, classifier: Classifier, smallest: float) -> tuple[np.ndarray, np.ndarray]:
    """Raw outputs and true states on the labelled boxes of a split at least ``smallest`` px high."""
    spec = classifier.manifest
    tensors, labels = [], []
    for photo in coco.photos(data, split):
        picture = open_picture(photo.path)
        for box, state in zip(photo.boxes, photo.states):
            if box[3] - box[1] >= smallest:
                cut = preprocess.crop(picture, box, spec.classification["crop"], spec.input.pad)
                tensors.append(preprocess.prepare(cut, spec.input)[0])
                labels.append(int(state))
    outputs = [classifier.raw(np.stack(tensors[i : i + 32])) for i in range(0, len(tensors), 32)]
    return np.concatenate(outputs), np.array(labels)


def summary(outputs: np.ndarray, labels: np.ndarray, spec: manifest.Manifest) -> dict:
    """Accuracy, F1 per state, confusion, ECE and what ``unknown`` costs; as ``maskwatch eval classification``.

    Where the labels tell two states only, an answer ``incorrect`` counts as ``mask``.
    """
    states = postprocess.classifier_states(outputs, spec)
    three_state_accuracy = float((states.argmax(1) == labels).mean())
    confident = states.max(1) >= spec.classification["unknown_below"]
    if STATES.index("incorrect") not in labels:  # `mask` means that a mask is there, worn well or badly
        states = np.stack([states[:, 0] + states[:, 1], np.zeros(len(states)), states[:, 2]], axis=1)
    predicted = states.argmax(1)
    present = sorted(set(labels.tolist()))
    report = classification_report(
        labels, predicted, labels=present, target_names=[STATES[i] for i in present], output_dict=True, zero_division=0
    )
    return {
        "faces": int(len(labels)),
        "three_state_accuracy": round(three_state_accuracy, 4),
        "accuracy": round(float((predicted == labels).mean()), 4),
        "macro_f1": round(float(report["macro avg"]["f1-score"]), 4),
        "f1": {STATES[i]: round(float(report[STATES[i]]["f1-score"]), 4) for i in present},
        "ece": round(calibration.ece(states, labels), 4),
        "unknown_share": round(float(1 - confident.mean()), 4),
        "accuracy_of_known": round(float((predicted == labels)[confident].mean()), 4) if confident.any() else None,
        "confusion": confusion_matrix(labels, predicted, labels=range(len(STATES))).tolist(),
    }


def run(data: Path, split: str, folder: Path, smallest: float = 20) -> dict:
    """All classification figures of a model folder."""
    classifier = Classifier(folder)
    return {
        "report_crops": summary(*crop_outputs(data, classifier), classifier.manifest),
        f"{split}_boxes_from_{smallest:g}px": summary(
            *box_outputs(data, split, classifier, smallest), classifier.manifest
        ),
    }
