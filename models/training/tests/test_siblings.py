"""FP16 and INT8 siblings of a model."""

from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from maskwatch_training import export, manifest, onnx_tools, quantise
from maskwatch_training.runner import session


def classifier(folder: Path) -> Path:
    """A model folder with a small network, weights stored as FP16."""
    torch.manual_seed(0)
    layers = nn.Sequential(nn.Conv2d(3, 16, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 3))
    export.to_onnx(layers, (3, 12, 12), ["scores"], folder / "small.onnx", half=True)
    manifest.save(folder, {"name": "small", "file": "small.onnx", "sha256": "", "precision": "fp32", "card": "card.md"})
    return folder


def outputs(path: Path) -> np.ndarray:
    """Of two fixed inputs."""
    data = np.random.default_rng(1).standard_normal((2, 3, 12, 12)).astype(np.float32)
    return session(path).run(["scores"], {"input": data})[0]


def test_weights_come_back_as_fp32(tmp_path: Path) -> None:
    """The same network without any cast."""
    stored = classifier(tmp_path / "small") / "small.onnx"
    plain = onnx_tools.load_fp32(stored)
    assert all(node.op_type != "Cast" for node in plain.graph.node)
    onnx_tools.save(plain, tmp_path / "plain.onnx")
    np.testing.assert_allclose(outputs(tmp_path / "plain.onnx"), outputs(stored), atol=1e-6)


def test_fp16_sibling_keeps_float_tensors_and_drops_what_is_not_true_of_it(tmp_path: Path) -> None:
    """Same names and types outside, nearly the same values; the original's card does not speak of it."""
    folder = classifier(tmp_path / "small")
    sibling = quantise.halve(folder, tmp_path / "small-fp16")
    spec = manifest.load(sibling)
    assert spec.raw["precision"] == "fp16" and "card" not in spec.raw
    half, full = outputs(spec.model_path), outputs(folder / "small.onnx")
    assert half.dtype == np.float32
    assert 0 < np.abs(half - full).max() < 0.01


def test_layers_without_a_name_are_told_apart() -> None:
    """Only the last layer is left out of quantisation, also where no node had a name."""
    node = onnx.helper.make_node
    nodes = [node("Conv", ["x", "w"], ["a"]), node("Relu", ["a"], ["b"]), node("Conv", ["b", "w"], ["y"])]
    value = onnx.helper.make_tensor_value_info
    ends = [value(name, onnx.TensorProto.FLOAT, ["N", 1, 4, 4]) for name in ("x", "y")]
    model = onnx.helper.make_model(onnx.helper.make_graph(nodes, "g", ends[:1], ends[1:]))
    quantise.name_nodes(model)
    assert quantise.last_layers(model) == [model.graph.node[2].name] != [model.graph.node[0].name]
