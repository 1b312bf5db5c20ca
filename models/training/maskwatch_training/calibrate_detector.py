"""Scores of our detector that mean something: from 0.5 on as many faces are found as there are.

Training by a quality loss leaves scores that rank well and crowd together, the best of them barely above one half. Their log-odds
are spread by a fixed factor and shifted by what ``val`` says; the manifest holds both, as ``calibration``. The order of the findings
does not change by it. Where findings and labels are equally many, precision equals recall, and people are counted neither too
often nor too seldom. (The best F1 lies beside it, and is so flat there that it tells no threshold. A factor that made scores true
probabilities, 3.1, would push faces that are worth listing below any practical threshold.)
"""

from __future__ import annotations

from .coco import Photo
from .runner import Detector, open_picture

SPREAD = 2.0
"""``scale`` of the calibration."""
SHIFTS = (-2.0, 6.0)
"""Least and greatest shift that is looked at."""
STEP = 0.01


def fit(photos: list[Photo], detector: Detector) -> float:
    """The least shift of log-odds at which there are as many findings from 0.5 on as labels, to ``STEP``.

    More faces pass with every shift upwards, so it is found by halving. Each shift is tried by the whole path, since boxes vote by
    their scores.
    """
    outputs = [detector.outputs(open_picture(photo.path)) for photo in photos]
    labels = sum(len(photo.boxes) for photo in photos)
    calibration = detector.manifest.detection["calibration"]
    low, high = SHIFTS
    while high - low > STEP:
        calibration["shift"] = (low + high) / 2
        enough = sum(len(detector.read(one, 0.5).scores) for one in outputs) >= labels
        low, high = (low, calibration["shift"]) if enough else (calibration["shift"], high)
    return round(high, 2)
