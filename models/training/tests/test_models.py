"""Every model folder: manifest, hash, tensors, dynamic batch, golden outputs."""

import json
from pathlib import Path

import numpy as np
import pytest

from maskwatch_training import golden, manifest, postprocess
from maskwatch_training.runner import session

MODELS = Path(__file__).resolve().parents[2]
FOLDERS = sorted(path.parent for path in MODELS.glob("*/manifest.yaml"))


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda p: p.name)
def test_folder(folder: Path) -> None:
    """The manifest is true to the file: hash, names, shapes at batch 1 and 2."""
    spec = manifest.load(folder)
    assert spec.model_path.stat().st_size <= 12_000_000
    runner = session(spec.model_path)
    shape = (3, spec.input.height, spec.input.width)
    assert runner.get_inputs()[0].name == spec.input.name
    for batch in (1, 2):
        outputs = dict(zip(
            (o.name for o in runner.get_outputs()),
            runner.run(None, {spec.input.name: np.zeros((batch, *shape), np.float32)}),
        ))
        if spec.raw["task"] == "detection":
            scores, boxes = outputs[spec.detection["scores"]], outputs[spec.detection["boxes"]]
            assert scores.shape[0] == boxes.shape[0] == batch
            assert scores.shape[2] == len(spec.detection["classes"]) and boxes.shape[2] == 4
            if spec.detection["box_format"] == "ssd":
                levels = spec.detection["anchors"]["levels"]
                assert scores.shape[1] == len(postprocess.make_anchors(shape[2], shape[1], levels))
        else:
            assert outputs[spec.classification["output"]].shape == (batch, len(spec.classification["labels"]))


@pytest.mark.parametrize("folder", [f for f in FOLDERS if (f / "golden.json").exists()], ids=lambda p: p.name)
def test_golden(folder: Path) -> None:
    """The model still gives its golden outputs."""
    stored, now = json.loads((folder / "golden.json").read_text(encoding="utf-8")), golden.make(folder)
    np.testing.assert_allclose(now["input"]["values"], stored["input"]["values"], atol=1e-4)
    for name, output in stored["outputs"].items():
        np.testing.assert_allclose(now["outputs"][name]["values"], output["values"], atol=5e-3, rtol=1e-3)


def test_altered_file_is_refused(tmp_path: Path) -> None:
    """A file that differs from the manifest's hash is refused."""
    folder = tmp_path / "m"
    folder.mkdir()
    (folder / "m.onnx").write_bytes(b"one")
    manifest.save(folder, {"name": "m", "file": "m.onnx", "sha256": ""})
    manifest.load(folder)
    (folder / "m.onnx").write_bytes(b"two")
    with pytest.raises(ValueError, match="sha256"):
        manifest.load(folder)
