"""Smaller siblings of a model: static INT8 by ONNX Runtime, calibrated on photos of ``train``, and FP16."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnx.version_converter
from onnxruntime.quantization import CalibrationDataReader, CalibrationMethod, QuantFormat, QuantType, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from . import coco, manifest, onnx_tools, preprocess
from .runner import open_picture


class Pictures(CalibrationDataReader):
    """Prepared input tensors: photos for a detector, labelled faces for a classifier."""

    def __init__(self, data: Path, spec: manifest.Manifest, count: int):
        photos = coco.photos(data, "train")
        self._items = iter(self._tensors(photos[:: max(1, len(photos) // count)][:count], spec))
        self._name = spec.input.name

    @staticmethod
    def _tensors(photos: list[coco.Photo], spec: manifest.Manifest):
        for photo in photos:
            picture = open_picture(photo.path)
            if spec.raw["task"] == "detection":
                yield preprocess.prepare(picture, spec.input)[0]
                continue
            for box in photo.boxes[:2]:
                cut = preprocess.crop(picture, box, spec.classification["crop"], spec.input.pad)
                yield preprocess.prepare(cut, spec.input)[0]

    def get_next(self) -> dict[str, np.ndarray] | None:
        """The next calibration input."""
        tensor = next(self._items, None)
        return None if tensor is None else {self._name: tensor[None]}


def name_nodes(model: onnx.ModelProto) -> None:
    """Names nodes without a name: layers are left out by name, and one without would stand for all of these."""
    for number, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{number}"


def last_layers(model: onnx.ModelProto) -> list[str]:
    """Convolutions and products that give the outputs: they stay in float, where a rounding costs the most."""
    producers = {name: node for node in model.graph.node for name in node.output}
    found, todo = [], [value.name for value in model.graph.output]
    while todo:
        node = producers.get(todo.pop())
        if node is None:
            continue
        if node.op_type in ("Conv", "Gemm", "MatMul"):
            found.append(node.name)
        else:
            todo.extend(node.input)
    return found


def quantise(data: Path, folder: Path, target: Path, count: int = 128) -> Path:
    """Writes the INT8 sibling ``target`` of a model folder with its manifest."""
    spec = manifest.load(folder)
    target.mkdir(parents=True, exist_ok=True)
    file = f"{target.name}.onnx"
    with tempfile.TemporaryDirectory() as scratch:
        plain, prepared = Path(scratch) / "plain.onnx", Path(scratch) / "prepared.onnx"
        full = onnx_tools.load_fp32(spec.model_path)
        if full.opset_import[0].version < 13:  # scales per channel came with 13
            full = onnx.version_converter.convert_version(full, 17)
        onnx_tools.save(full, plain)
        quant_pre_process(str(plain), str(prepared), skip_symbolic_shape=True)
        model = onnx.load(str(prepared))
        name_nodes(model)
        onnx.save(model, str(prepared))
        quantize_static(
            str(prepared), str(target / file), Pictures(data, spec, count), quant_format=QuantFormat.QDQ,
            per_channel=True, activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax, nodes_to_exclude=last_layers(model),
        )
    return _describe(spec, target, "int8")


def halve(folder: Path, target: Path) -> Path:
    """Writes the FP16 sibling ``target`` of a model folder with its manifest: computed in FP16, for GPUs."""
    spec = manifest.load(folder)
    model = onnx_tools.compute_fp16(onnx_tools.load_fp32(spec.model_path))
    onnx_tools.save(model, target / f"{target.name}.onnx")
    return _describe(spec, target, "fp16")


def _describe(spec: manifest.Manifest, target: Path, precision: str) -> Path:
    """Writes the sibling's manifest: as the original's, but for what is not true of it."""
    raw = copy.deepcopy(spec.raw)
    raw |= {"file": f"{target.name}.onnx", "precision": precision}
    for key in ("accuracy", "card", "description"):
        raw.pop(key, None)
    manifest.save(target, raw)
    return target
