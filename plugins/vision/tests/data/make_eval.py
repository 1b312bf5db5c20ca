"""Cases for tests/eval.rs, with the values that pycocotools and scikit-learn give for them.

    pip install pycocotools scikit-learn numpy
    python plugins/vision/tests/data/make_eval.py

writes eval_detection.json and eval_classification.json beside this file. The boxes are made by a seeded generator and are
rude on purpose: equal scores, equal overlaps, crowds, empty pictures, found boxes by the dozen.
"""

from __future__ import annotations

import contextlib
import io
import json
from pathlib import Path

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval
from sklearn.metrics import accuracy_score, classification_report, confusion_matrix

HERE = Path(__file__).parent
SIZE = (640, 480)
BANDS = {"all": None, "small": (0, 24), "middle": (24, 60), "large": (60, 100000)}


def pictures(rng: np.random.Generator, count: int, noise: float, crowds: bool) -> list[dict]:
    """Truth and findings: hits with jitter, doubles, misses and inventions."""
    out = []
    for _ in range(count):
        truths, found = [], []
        for _ in range(int(rng.integers(0, 7))):
            w = float(np.round(rng.uniform(8, 120)))
            h = float(np.round(w * rng.uniform(0.9, 1.5)))
            box = [float(np.round(rng.uniform(0, SIZE[0] - w))), float(np.round(rng.uniform(0, SIZE[1] - h))), w, h]
            truths.append({"bbox": box, "crowd": bool(crowds and rng.random() < 0.15)})
            for _ in range(int(rng.choice([0, 1, 1, 1, 2]))):
                moved = np.array(box) + rng.normal(0, noise, 4) * np.array([w, h, w, h])
                moved[2:] = np.maximum(moved[2:], 1)
                found.append({"bbox": moved.round(1).tolist(), "score": float(np.round(rng.uniform(0.2, 1), 2))})
        if truths and rng.random() < 0.2:  # the same box twice, found once: equal overlaps
            truths.append(dict(truths[-1]))
            found.append({"bbox": list(truths[-1]["bbox"]), "score": 0.5})
        for _ in range(int(rng.integers(0, 5))):
            box = rng.uniform(0, 1, 4) * np.array([500, 380, 130, 100]) + np.array([0, 0, 4, 4])
            found.append({"bbox": box.round(1).tolist(), "score": float(np.round(rng.uniform(0, 0.7), 2))})
        rng.shuffle(found)
        out.append({"truths": truths, "found": found})
    return out


def average_precision(made: list[dict], iou: float, limit: int, band: tuple[float, float] | None) -> float | None:
    """AP by COCOeval. A band of heights is asked for as an area range, with the height in the place of the area."""
    truth = {"images": [], "annotations": [], "categories": [{"id": 1, "name": "face"}], "info": {}}
    results = []
    for number, picture in enumerate(made, 1):
        truth["images"].append({"id": number, "width": SIZE[0], "height": SIZE[1]})
        for item in picture["truths"]:
            truth["annotations"].append({
                "id": len(truth["annotations"]) + 1, "image_id": number, "category_id": 1, "bbox": item["bbox"],
                "area": item["bbox"][3], "iscrowd": int(item["crowd"]),
            })
        for item in picture["found"]:
            results.append({"image_id": number, "category_id": 1, "bbox": item["bbox"], "score": item["score"]})
    with contextlib.redirect_stdout(io.StringIO()):
        gt = COCO()
        gt.dataset = truth
        gt.createIndex()
        dt = gt.loadRes(results)
        for item in dt.dataset["annotations"]:
            item["area"] = item["bbox"][3]
        run = COCOeval(gt, dt, "bbox")
        run.params.iouThrs = np.array([iou])
        run.params.maxDets = [limit]
        # COCO's ranges are closed, ours are open above.
        run.params.areaRng = [[0, 1e10] if band is None else [band[0], float(np.nextafter(band[1], 0))]]
        run.params.areaRngLbl = ["asked"]
        run.evaluate()
        run.accumulate()
    precision = run.eval["precision"][0, :, 0, 0, 0]
    return None if (precision < 0).any() else float(precision.mean())


def detection() -> list[dict]:
    """All detection cases."""
    out = []
    plans = [("clean", 1, 40, 0.05, False), ("rough", 2, 60, 0.16, False), ("crowds", 3, 60, 0.1, True)]
    for name, seed, count, noise, crowds in plans:
        made = pictures(np.random.default_rng(seed), count, noise, crowds)
        expected = []
        for iou, limit, band in [
            (0.5, 300, "all"), (0.75, 300, "all"), (0.5, 3, "all"),
            (0.5, 300, "small"), (0.5, 300, "middle"), (0.5, 300, "large"),
        ]:
            value = average_precision(made, iou, limit, BANDS[band])
            expected.append({"iou": iou, "max_found": limit, "heights": BANDS[band], "ap": value})
        out.append({"name": name, "pictures": made, "expected": expected})
    return out


def classification() -> list[dict]:
    """All classification cases: three classes of very different size; a class that is never said; one that is absent."""
    out = []
    for name, seed, shares, said in [
        ("usual", 1, [0.7, 0.25, 0.05], [0, 1, 2]),
        ("never said", 2, [0.5, 0.4, 0.1], [0, 1]),
        ("absent", 3, [0.5, 0.5, 0.0], [0, 1, 2]),
    ]:
        rng = np.random.default_rng(seed)
        truth = rng.choice(3, 500, p=shares)
        answer = np.where(rng.random(500) < 0.85, truth, rng.integers(0, 3, 500))
        answer = np.where(np.isin(answer, said), answer, 0)
        present = sorted(set(truth.tolist()))
        report = classification_report(truth, answer, labels=present, output_dict=True, zero_division=0)
        keep = ("precision", "recall", "f1-score", "support")
        out.append({
            "name": name, "truth": truth.tolist(), "answer": answer.tolist(), "present": present,
            "accuracy": accuracy_score(truth, answer),
            "confusion": confusion_matrix(truth, answer, labels=[0, 1, 2]).tolist(),
            "classes": [[report[str(label)][key] for key in keep] for label in present],
            "macro": [report["macro avg"][key] for key in keep],
            "weighted": [report["weighted avg"][key] for key in keep],
        })
    return out


def main() -> None:
    """Writes both files."""
    for name, cases in [("eval_detection.json", detection()), ("eval_classification.json", classification())]:
        (HERE / name).write_text(json.dumps(cases, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
