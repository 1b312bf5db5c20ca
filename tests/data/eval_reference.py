"""Figures of pycocotools and scikit-learn for what ``maskwatch eval --results`` wrote; called by tests/eval.rs.

    python eval_reference.py detection LABELS.json RESULTS.json
    python eval_reference.py classification ANSWERS.jsonl

prints one JSON object.
"""

from __future__ import annotations

import contextlib
import copy
import io
import json
import sys
from pathlib import Path

import numpy as np


def average_precision(labels: dict, results: list[dict], category: int) -> float:
    """AP at IoU 0.5 of one category by COCOeval."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    with contextlib.redirect_stdout(io.StringIO()):
        truth = COCO()
        truth.dataset = labels
        truth.createIndex()
        run = COCOeval(truth, truth.loadRes(results), "bbox")
        run.params.catIds = [category]
        run.params.iouThrs = np.array([0.5])
        run.params.maxDets = [300]
        run.params.areaRng = [[0, 1e10]]
        run.params.areaRngLbl = ["all"]
        run.evaluate()
        run.accumulate()
    return float(run.eval["precision"][0, :, 0, 0, 0].mean())


def detection(labels_file: Path, results_file: Path) -> dict[str, float]:
    """AP of faces (all categories as one) and of each category by its name."""
    labels, results = json.loads(labels_file.read_text()), json.loads(results_file.read_text())
    out = {item["name"]: average_precision(labels, results, item["id"]) for item in labels["categories"]}
    merged = copy.deepcopy(labels)
    for item in merged["annotations"]:
        item["category_id"] = 1
    faces = [{**item, "category_id": 1, "score": item["face_score"]} for item in results]
    return out | {"face": average_precision(merged, faces, 1)}


def classification(answers_file: Path) -> dict:
    """scikit-learn's report of the likeliest states."""
    from sklearn.metrics import classification_report

    lines = [json.loads(line) for line in answers_file.read_text().splitlines()]
    lines = [line for line in lines if line["state_scores"] is not None]
    truth = [line["label"] for line in lines]
    said = [max(line["state_scores"], key=line["state_scores"].get) for line in lines]
    return classification_report(truth, said, labels=sorted(set(truth)), output_dict=True, zero_division=0) | {
        "accuracy": sum(a == b for a, b in zip(truth, said)) / len(truth)
    }


def main(task: str, *files: str) -> None:
    """Prints the figures of a task."""
    print(json.dumps({"detection": detection, "classification": classification}[task](*map(Path, files))))


if __name__ == "__main__":
    main(*sys.argv[1:])
