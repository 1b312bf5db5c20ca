"""Cases for tests/eval_states.rs: found faces with states against labels, with pycocotools' and scikit-learn's figures.

    pip install pycocotools scikit-learn numpy
    python plugins/vision/tests/data/make_eval_states.py

writes eval_states.json and eval_answers.json beside this file. State scores are told in single precision, as the program has
them; so the products that faces are ranked by are the same to the last bit.
"""

from __future__ import annotations

import json

import numpy as np
from make_eval import HERE, average_precision, pictures
from sklearn.metrics import classification_report, confusion_matrix

STATES = ("mask", "incorrect", "no_mask")


def scores(rng: np.random.Generator, likeliest: int) -> list[float]:
    """State scores that sum to one, told with four digits."""
    share = rng.dirichlet([0.6, 0.6, 0.6]) + np.eye(3)[likeliest] * rng.uniform(0, 1.5)
    return (share / share.sum()).astype(np.float32).round(4).astype(float).tolist()


def with_states(rng: np.random.Generator, made: list[dict]) -> list[dict]:
    """Every label gets a state; every found face the scores of a near label's state, or of any; some have none."""
    for picture in made:
        for truth in picture["truths"]:
            truth["state"] = STATES[rng.choice(3, p=[0.6, 0.1, 0.3])]
        for found in picture["found"]:
            near = [t for t in picture["truths"] if abs(t["bbox"][0] - found["bbox"][0]) < 0.5 * t["bbox"][2]]
            likeliest = STATES.index(near[0]["state"]) if near and rng.random() < 0.85 else int(rng.integers(3))
            found["states"] = scores(rng, likeliest) if rng.random() < 0.95 else None
    return made


def listed(made: list[dict], state: int) -> list[dict]:
    """The labels of one state, and the found faces that are listed under it with face score x state score."""
    out = []
    for picture in made:
        found = []
        for item in picture["found"]:
            if item["states"] is not None:
                single = np.float32(item["states"])
                if int(single.argmax()) == state:
                    found.append({"bbox": item["bbox"], "score": item["score"] * float(single[state])})
        truths = [item for item in picture["truths"] if item["state"] == STATES[state]]
        out.append({"truths": truths, "found": found})
    return out


def detection() -> list[dict]:
    """Average precisions of faces and of each state."""
    out = []
    for name, seed, count, noise, crowds in [("clean", 11, 40, 0.05, False), ("rough", 12, 60, 0.14, True)]:
        rng = np.random.default_rng(seed)
        made = with_states(rng, pictures(rng, count, noise, crowds))
        ap = {state: average_precision(listed(made, i), 0.5, 300, None) for i, state in enumerate(STATES)}
        out.append({"name": name, "pictures": made, "face": average_precision(made, 0.5, 300, None), "states": ap})
    return out


def report(truth: list[int], said: list[int], classes: list[str]) -> dict:
    """scikit-learn's figures of the classes that occur in the labels."""
    present = sorted(set(truth))
    found = classification_report(truth, said, labels=present, output_dict=True, zero_division=0)
    keep = ("precision", "recall", "f1-score", "support")
    right = sum(a == b for a, b in zip(truth, said))
    return {
        "accuracy": right / len(truth),
        "confusion": confusion_matrix(truth, said, labels=range(len(classes))).tolist(),
        "classes": {classes[i]: [found[str(i)][key] for key in keep] for i in present},
        "macro": [found["macro avg"][key] for key in keep],
        "weighted": [found["weighted avg"][key] for key in keep],
    }


def answers() -> list[dict]:
    """Labels in three and in two states with state scores, and the figures of the likeliest class."""
    out = []
    for name, seed, shares in [("three states", 21, [0.65, 0.1, 0.25]), ("two states", 22, [0.5, 0.0, 0.5])]:
        rng = np.random.default_rng(seed)
        truth = rng.choice(3, 300, p=shares).tolist()
        given = [scores(rng, t if rng.random() < 0.85 else int(rng.integers(3))) for t in truth]
        single = np.float32(given)
        if 1 in truth:
            expected = report(truth, single.argmax(1).tolist(), list(STATES))
        else:  # `mask` and `incorrect` are one class
            masked = single[:, 0] + single[:, 1]
            said = np.where(masked > single[:, 2], 0, 1).tolist()
            expected = report([min(t, 1) for t in truth], said, ["mask", "no_mask"])
        expected["three_state_accuracy"] = float((single.argmax(1) == truth).mean())
        out.append({"name": name, "truth": [STATES[t] for t in truth], "scores": given, "expected": expected})
    return out


def main() -> None:
    """Writes both files."""
    for name, cases in [("eval_states.json", detection()), ("eval_answers.json", answers())]:
        (HERE / name).write_text(json.dumps(cases, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
