"""From a training run to a model folder: ONNX, manifest, parity."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from . import calibrate_detector, calibration, coco, export, manifest, report, train_cls, train_ssd
from .nets import backbones, mask_cls, ssd
from .runner import Detector

VOTING = {"floor": 0.05, "inside": 0.9, "iou": 0.25}
# Of a new detector; scores are calibrated, so that it means the same for the next one.
HIDE_SCORE = 0.15


def _input(spec: manifest.InputSpec) -> dict:
    raw = {key: getattr(spec, key) for key in ("name", "width", "height", "layout", "color")}
    return raw | {"mean": list(spec.mean), "std": list(spec.std), "resize": spec.resize, "pad": spec.pad}


def _previous(folder: Path) -> dict:
    """What people wrote into an existing manifest and a new export keeps."""
    if not (folder / "manifest.yaml").exists():
        return {}
    raw = manifest.load(folder, check_hash=False).raw
    return {k: raw[k] for k in ("licence", "sources", "description", "card", "accuracy") if k in raw}


def _hide_score(folder: Path, threshold: float) -> float:
    """The existing manifest's least score of what is hidden, else the usual one; never over ``threshold``."""
    known = {}
    if (folder / "manifest.yaml").exists():
        known = manifest.load(folder, check_hash=False).raw.get("detection", {})
    return min(known.get("hide_score", HIDE_SCORE), threshold)


def report_model(run: Path, folder: Path) -> float:
    """The report's network as a classifier folder; temperature fitted on the report's test logits."""
    net = report.load(run)
    saved = torch.load(run / "net.pt", weights_only=True)
    size = saved.get("size", backbones.ARCHITECTURES[saved["name"]].size)
    file = f"{folder.name}.onnx"
    parity = export.to_onnx(net, (3, size, size), ["scores"], folder / file, half=True)
    with np.load(run / "test_logits.npz") as held:
        temperature = calibration.best_temperature(held["logits"], held["labels"])
    spec = manifest.InputSpec(
        "input", size, size, "nchw", "rgb", tuple(round(v, 3) for v in backbones.IMAGENET_MEAN),
        tuple(round(v, 3) for v in backbones.IMAGENET_STD), "stretch", 0,
    )
    manifest.save(folder, {
        "name": folder.name, "task": "classification", "file": file, "sha256": "", "precision": "fp32",
        "input": _input(spec),
        "classification": {
            "output": "scores", "labels": ["mask", "no_mask"], "activation": "softmax",
            "temperature": round(temperature, 3), "crop": {"margin": 0.1, "square": True},
            "unknown_below": 0.6, "min_face_px": 12, "detector_weight": 0.0,
        },
        **_previous(folder),
    })
    return parity


def detector_model(
    network: str, weights: Path, folder: Path, data: Path, size: tuple[int, int], nms_iou: float, threshold: float
) -> dict:
    """Our detector as a model folder at the given input size, its face scores calibrated on ``val`` at this size."""
    width, height = size
    net = ssd.DETECTORS[network]()
    net.load_state_dict(torch.load(weights, weights_only=True))
    whole, levels = ssd.published(net)
    file = f"{folder.name}.onnx"
    half = network == "large"  # of which the file would be 9 MB
    parity = export.to_onnx(whole, (3, height, width), ["scores", "boxes"], folder / file, half)
    spread = {"scale": calibrate_detector.SPREAD, "shift": 0.0}
    manifest.save(folder, {
        "name": folder.name, "task": "detection", "file": file, "sha256": "", "precision": "fp32",
        "input": _input(train_ssd.input_spec(width, height)),
        "detection": {
            "scores": "scores", "boxes": "boxes", "classes": list(ssd.CLASSES), "activation": "softmax",
            "calibration": spread,
            "box_format": "ssd", "variances": [ssd.CENTRE_VARIANCE, ssd.SIZE_VARIANCE],
            "anchors": {"levels": levels},
            "score_threshold": threshold, "hide_score": _hide_score(folder, threshold), "nms_iou": nms_iou,
            "voting": VOTING, "max_faces": 200,
        },
        **_previous(folder),
    })
    spread["shift"] = calibrate_detector.fit(coco.photos(data, "val"), Detector(folder))
    manifest.update(folder, detection={"calibration": spread})
    return {"score_shift": spread["shift"], "parity_with_pytorch": parity}


def classifier_model(
    weights: Path, folder: Path, size: int, margin: float, temperature: float, unknown_below: float, weight: float
) -> float:
    """Our classifier as a model folder."""
    net = mask_cls.MaskClassifier()
    net.load_state_dict(torch.load(weights, weights_only=True))
    file = f"{folder.name}.onnx"
    parity = export.to_onnx(net, (3, size, size), ["scores"], folder / file, half=True)
    manifest.save(folder, {
        "name": folder.name, "task": "classification", "file": file, "sha256": "", "precision": "fp32",
        "input": _input(train_cls.input_spec(size)),
        "classification": {
            "output": "scores", "labels": list(manifest.STATES), "activation": "softmax",
            "temperature": round(temperature, 3), "crop": {"margin": margin, "square": True},
            "unknown_below": unknown_below, "min_face_px": 12, "detector_weight": weight,
        },
        **_previous(folder),
    })
    return parity
