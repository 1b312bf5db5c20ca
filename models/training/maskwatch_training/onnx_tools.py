"""Small repairs of ONNX files: dynamic batch, initializers out of the inputs, FP16 storage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper


def make_batch_dynamic(model: onnx.ModelProto) -> onnx.ModelProto:
    """Names the first dimension of every real input and output ``N`` and removes initializers from the inputs.

    Initializers listed as inputs keep ONNX Runtime from folding batch normalisation into convolutions.
    """
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    for value in (*model.graph.input, *model.graph.output):
        dim = value.type.tensor_type.shape.dim[0]
        dim.ClearField("dim_value")
        dim.dim_param = "N"
    del model.graph.value_info[:]
    used = {name for node in model.graph.node for name in node.input}
    kept = [tensor for tensor in model.graph.initializer if tensor.name in used]
    del model.graph.initializer[:]
    model.graph.initializer.extend(kept)
    onnx.checker.check_model(model)
    return model


def store_fp16(model: onnx.ModelProto, smallest: int = 256) -> onnx.ModelProto:
    """Stores large float weights as FP16 followed by a Cast: half the size, computation stays FP32."""
    casts = []
    for tensor in list(model.graph.initializer):
        if tensor.data_type != TensorProto.FLOAT:
            continue
        values = numpy_helper.to_array(tensor)
        if values.size < smallest:
            continue
        half = numpy_helper.from_array(values.astype(np.float16), tensor.name + ".fp16")
        model.graph.initializer.remove(tensor)
        model.graph.initializer.append(half)
        casts.append(helper.make_node("Cast", [half.name], [tensor.name], to=TensorProto.FLOAT))
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*casts, *nodes])
    onnx.checker.check_model(model)
    return model


def load_fp32(path: Path) -> onnx.ModelProto:
    """A model with all weights as FP32: undoes ``store_fp16``."""
    model = onnx.load(str(path))
    stored = {tensor.name: tensor for tensor in model.graph.initializer if tensor.data_type == TensorProto.FLOAT16}
    kept = []
    for node in model.graph.node:
        if node.op_type == "Cast" and node.input[0] in stored:
            tensor = stored[node.input[0]]
            model.graph.initializer.remove(tensor)
            values = numpy_helper.to_array(tensor).astype(np.float32)
            model.graph.initializer.append(numpy_helper.from_array(values, node.output[0]))
        else:
            kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    onnx.checker.check_model(model)
    return model


def compute_fp16(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same network computed in FP16, with FP32 input and outputs as the manifest's readers expect them."""
    from onnxruntime.transformers.float16 import convert_float_to_float16
    from onnxruntime.transformers.onnx_model import OnnxModel

    half = convert_float_to_float16(model, keep_io_types=True)
    OnnxModel(half).topological_sort()
    onnx.checker.check_model(half)
    return half


def save(model: onnx.ModelProto, path: Path) -> None:
    """Writes a model without its build-time documentation strings."""
    for node in model.graph.node:
        node.doc_string = ""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
