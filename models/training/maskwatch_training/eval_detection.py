"""Detection figures on a split: AP@0.5 of faces and of states, by COCO's own evaluation."""

from __future__ import annotations

import contextlib
import io
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from . import coco as data_mod
from .manifest import STATES
from .postprocess import fuse
from .runner import Classifier, Detector, open_picture

CATEGORY_OF_STATE = [next(c for c, name in data_mod.CATEGORY.items() if name == state) for state in STATES]
HEIGHT_BANDS = {"0-16": (0, 16), "16-32": (16, 32), "32-64": (32, 64), "64-": (64, 1e5)}


def _evaluate(truth: dict, results: list[dict]) -> float:
    """AP@0.5 over one category."""
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = truth
        gt.createIndex()
        if not results:
            return 0.0
        run = COCOeval(gt, gt.loadRes(results), "bbox")
        run.params.iouThrs = np.array([0.5])
        run.params.maxDets = [1, 10, 300]
        run.params.areaRng = [[0, 1e10]]
        run.params.areaRngLbl = ["all"]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][0, :, :, 0, -1]
    values = precision[precision > -1]
    return float(values.mean()) if values.size else float("nan")


def _truth(photos: list[data_mod.Photo], states: bool, band: tuple[float, float] | None = None) -> dict:
    annotations = []
    for photo in photos:
        for box, state in zip(photo.boxes, photo.states):
            x1, y1, x2, y2 = (float(v) for v in box)
            height = y2 - y1
            annotations.append({
                "id": len(annotations) + 1,
                "image_id": photo.id,
                "category_id": CATEGORY_OF_STATE[state] if states else 1,
                "bbox": [x1, y1, x2 - x1, height],
                "area": (x2 - x1) * height,
                "iscrowd": 0,
                "ignore": int(band is not None and not band[0] <= height < band[1]),
            })
    categories = [{"id": i, "name": str(i)} for i in ((1, 2, 3) if states else (1,))]
    images = [{"id": p.id, "width": p.width, "height": p.height} for p in photos]
    return {"images": images, "annotations": annotations, "categories": categories, "info": {}}


def clipped(boxes: np.ndarray, photo: data_mod.Photo) -> np.ndarray:
    """The parts of corner boxes inside a photo."""
    return boxes.clip(0, [photo.width, photo.height, photo.width, photo.height])


def average_precisions(photos: list[data_mod.Photo], found: list) -> dict[str, float]:
    """AP of faces and, where states are given, of each state.

    ``found`` holds one ``Faces`` per photo. For a state's AP every face is listed under its best state with
    face score x state score.
    """
    face_results, state_results = [], []
    for photo, faces in zip(photos, found):
        for i, (box, score) in enumerate(zip(clipped(faces.boxes, photo), faces.scores)):
            x1, y1, x2, y2 = (float(v) for v in box)
            item = {"image_id": photo.id, "bbox": [x1, y1, x2 - x1, y2 - y1]}
            face_results.append({**item, "category_id": 1, "score": float(score)})
            if faces.states is not None and faces.states[i].any():
                best = int(faces.states[i].argmax())
                value = float(score * faces.states[i][best])
                state_results.append({**item, "category_id": CATEGORY_OF_STATE[best], "score": value})
    out = {"face": _evaluate(_truth(photos, False), face_results)}
    if state_results:
        for state in STATES:
            category = CATEGORY_OF_STATE[STATES.index(state)]
            truth = _truth(photos, True)
            truth["annotations"] = [a for a in truth["annotations"] if a["category_id"] == category]
            out[state] = _evaluate(truth, [r for r in state_results if r["category_id"] == category])
        out["mean_mask_no_mask"] = (out["mask"] + out["no_mask"]) / 2
        out["mean_three"] = (out["mask"] + out["no_mask"] + out["incorrect"]) / 3
    return out


def recall_by_height(photos: list[data_mod.Photo], found: list, threshold: float) -> dict[str, dict[str, float]]:
    """Share of true faces with a found box (IoU >= 0.5, score >= threshold) by the face's height in the photo.

    The program matches boxes one to one and ignores found boxes of other heights; its figures differ in the third digit.
    """
    from .postprocess import iou_matrix

    hits: dict[str, list[bool]] = {name: [] for name in HEIGHT_BANDS}
    for photo, faces in zip(photos, found):
        boxes = clipped(faces.boxes, photo)[faces.scores >= threshold]
        overlap = iou_matrix(photo.boxes.astype(float), boxes) if len(boxes) else np.zeros((len(photo.boxes), 1))
        for i, box in enumerate(photo.boxes):
            height = box[3] - box[1]
            name = next(n for n, (low, high) in HEIGHT_BANDS.items() if low <= height < high)
            hits[name].append(bool(overlap[i].max() >= 0.5))
    return {n: {"faces": len(v), "recall": round(float(np.mean(v)), 3) if v else 0.0} for n, v in hits.items()}


def detect_all(photos: list[data_mod.Photo], detector: Detector, threshold: float = 0.005) -> list:
    """Faces of every photo, with a low threshold so that the precision-recall curve is whole."""
    return [detector.detect(open_picture(photo.path), threshold) for photo in photos]


def end_to_end(photos: list[data_mod.Photo], found: list, classifier: Classifier, weight: float | None = None) -> list:
    """The same faces with the classifier's states, fused with the detector's own as the manifest says.

    A face lower than the manifest's ``min_face_px`` keeps the detector's own states, where there are any.
    """
    from .postprocess import Faces

    spec = classifier.manifest.classification
    weight = spec["detector_weight"] if weight is None else weight
    out = []
    for photo, faces in zip(photos, found):
        states = fuse(classifier.states(open_picture(photo.path), faces.boxes), faces.states, weight)
        low = faces.boxes[:, 3] - faces.boxes[:, 1] < spec["min_face_px"]
        states[low] = faces.states[low] if faces.states is not None else 0
        out.append(Faces(faces.boxes, faces.scores, states))
    return out


def run(data: Path, split: str, detector: Path, classifier: Path | None = None, weight: float | None = None) -> dict:
    """All detection figures of a model folder on a split."""
    photos = data_mod.photos(data, split)
    det = Detector(detector)
    found = detect_all(photos, det)
    result: dict = {"split": split, "photos": len(photos), "faces": int(sum(len(p.boxes) for p in photos))}
    result["ap50"] = {k: round(v, 4) for k, v in average_precisions(photos, found).items()}
    result["recall_by_height"] = recall_by_height(photos, found, det.manifest.detection["score_threshold"])
    if classifier is not None:
        fused = end_to_end(photos, found, Classifier(classifier), weight)
        result["end_to_end_ap50"] = {k: round(v, 4) for k, v in average_precisions(photos, fused).items()}
    return result
