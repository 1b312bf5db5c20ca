"""Running model folders with ONNX Runtime: the reference for the program's own path."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime as ort
from PIL import Image

from . import manifest as mf
from . import postprocess, preprocess


def session(path: Path, threads: int = 1) -> ort.InferenceSession:
    """A CPU session with the given number of threads."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def open_picture(path: Path) -> Image.Image:
    """An RGB picture from a file."""
    with Image.open(path) as picture:
        return picture.convert("RGB")


@dataclass
class Outputs:
    """A detector's raw outputs [A, C] and [A, 4] for one picture, and where the picture lies in the input."""

    scores: np.ndarray
    boxes: np.ndarray
    place: preprocess.Placement
    visible: tuple[float, float, float, float]


class Detector:
    """A detection model folder ready to run."""

    def __init__(self, folder: Path, threads: int = 1):
        self.manifest = mf.load(folder)
        self.session = session(self.manifest.model_path, threads)

    def raw(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Scores and boxes of a batch of input tensors."""
        spec = self.manifest.detection
        return tuple(self.session.run([spec["scores"], spec["boxes"]], {self.manifest.input.name: batch}))

    def detect(self, picture: Image.Image, threshold: float | None = None) -> postprocess.Faces:
        """Faces of a picture, boxes in its pixels; a face cut by the picture's edge may reach outside."""
        return self.read(self.outputs(picture), threshold)

    def outputs(self, picture: Image.Image) -> Outputs:
        """What the network says of a picture, before it is read."""
        tensor, place = preprocess.prepare(picture, self.manifest.input)
        scores, boxes = self.raw(tensor[None])
        return Outputs(scores[0], boxes[0], place, place.visible(picture.width, picture.height, self.manifest.input))

    def read(self, outputs: Outputs, threshold: float | None = None) -> postprocess.Faces:
        """The faces that the manifest makes of a network's outputs."""
        found = postprocess.faces(outputs.scores, outputs.boxes, self.manifest, threshold, outputs.visible)
        found.boxes = outputs.place.to_source(found.boxes, self.manifest.input)
        return found


class Classifier:
    """A classification model folder ready to run."""

    def __init__(self, folder: Path, threads: int = 1):
        self.manifest = mf.load(folder)
        self.session = session(self.manifest.model_path, threads)

    def raw(self, batch: np.ndarray) -> np.ndarray:
        """Raw output of a batch of input tensors."""
        return self.session.run([self.manifest.classification["output"]], {self.manifest.input.name: batch})[0]

    def states(self, picture: Image.Image, boxes: np.ndarray, batch: int = 64) -> np.ndarray:
        """State scores [N, 3] (mask, incorrect, no_mask) of the faces in a picture."""
        spec = self.manifest
        crops = [
            preprocess.prepare(preprocess.crop(picture, box, spec.classification["crop"], spec.input.pad), spec.input)[0]
            for box in boxes
        ]
        outputs = [self.raw(np.stack(crops[i : i + batch])) for i in range(0, len(crops), batch)]
        if not outputs:
            return np.zeros((0, len(mf.STATES)))
        return postprocess.classifier_states(np.concatenate(outputs), spec)


def latency(folder: Path, batch: int = 1, rounds: int = 60, threads: int = 1) -> dict[str, float]:
    """Milliseconds of the network alone for a batch: median, fastest, 95th percentile, and median of processor time.

    With one thread the last is what an idle machine would show, also where others use this one.
    """
    spec = mf.load(folder)
    runner = session(spec.model_path, threads)
    shape = (3, spec.input.height, spec.input.width)
    if spec.input.layout == "nhwc":
        shape = (*shape[1:], 3)
    data = np.random.default_rng(0).standard_normal((batch, *shape)).astype(np.float32)
    times, busy = [], []
    for i in range(rounds + 5):
        start, used = time.perf_counter(), time.process_time()
        runner.run(None, {spec.input.name: data})
        if i >= 5:
            times.append((time.perf_counter() - start) * 1e3)
            busy.append((time.process_time() - used) * 1e3)
    p50, p95 = np.percentile(times, [50, 95])
    cpu = float(np.median(busy))
    return {k: round(float(v), 2) for k, v in (("p50_ms", p50), ("min_ms", min(times)), ("p95_ms", p95), ("cpu_ms", cpu))}
