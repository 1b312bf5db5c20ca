"""Caffe SSD to ONNX: the layers of res10 and of networks like it, boxes decoded in the graph."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper, shape_inference

from . import priors, prototxt, wire
from .prototxt import Message, first

BN_EPSILON = 1e-5


class Builder:
    """Collects ONNX nodes and weights while walking over the Caffe layers."""

    def __init__(self, weights: dict[str, list[np.ndarray]]):
        self.weights = weights
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.current: dict[str, str] = {}
        self.prior_layers: list[tuple[str, Message]] = []

    def constant(self, name: str, value: np.ndarray) -> str:
        """Adds a weight tensor and returns its name."""
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: object) -> str:
        """Adds a node with one output and returns that output's name."""
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output


def _pair(param: Message, key: str, default: int) -> list[int]:
    value = param.get(key, [default])
    return [int(value[0]), int(value[-1])]


def _convolution(b: Builder, name: str, x: str, layer: Message) -> str:
    param, blobs = layer["convolution_param"][0], b.weights[name]
    pad = _pair(param, "pad", 0)
    inputs = [x, b.constant(f"{name}.weight", blobs[0])]
    if len(blobs) > 1:
        inputs.append(b.constant(f"{name}.bias", blobs[1].reshape(-1)))
    return b.node(
        "Conv", inputs, name, kernel_shape=list(blobs[0].shape[2:]), strides=_pair(param, "stride", 1),
        pads=[*pad, *pad], dilations=_pair(param, "dilation", 1), group=int(first(param, "group", 1)),
    )


def _batch_norm(b: Builder, name: str, x: str, _: Message) -> str:
    mean, variance, factor = b.weights[name]
    scale = 0.0 if factor.reshape(-1)[0] == 0 else 1.0 / factor.reshape(-1)[0]
    channels = mean.size
    return b.node("BatchNormalization", [
        x, b.constant(f"{name}.one", np.ones(channels, np.float32)),
        b.constant(f"{name}.zero", np.zeros(channels, np.float32)),
        b.constant(f"{name}.mean", mean.reshape(-1) * scale),
        b.constant(f"{name}.variance", variance.reshape(-1) * scale),
    ], name, epsilon=BN_EPSILON)


def _scale(b: Builder, name: str, x: str, _: Message) -> str:
    blobs = [blob.reshape(1, -1, 1, 1) for blob in b.weights[name]]
    out = b.node("Mul", [x, b.constant(f"{name}.gamma", blobs[0])], f"{name}.scaled")
    return b.node("Add", [out, b.constant(f"{name}.beta", blobs[1])], name) if len(blobs) > 1 else out


def _normalize(b: Builder, name: str, x: str, _: Message) -> str:
    unit = b.node("LpNormalization", [x], f"{name}.unit", axis=1, p=2)
    return b.node("Mul", [unit, b.constant(f"{name}.scale", b.weights[name][0].reshape(1, -1, 1, 1))], name)


def _pooling(b: Builder, name: str, x: str, layer: Message) -> str:
    param = layer["pooling_param"][0]
    pad = _pair(param, "pad", 0)
    return b.node(
        "MaxPool", [x], name, kernel_shape=_pair(param, "kernel_size", 1), strides=_pair(param, "stride", 1),
        pads=[*pad, *pad], ceil_mode=1,
    )


SIMPLE = {
    "Convolution": _convolution, "BatchNorm": _batch_norm, "Scale": _scale, "Normalize": _normalize, "Pooling": _pooling,
    "ReLU": lambda b, name, x, _: b.node("Relu", [x], name),
    "Permute": lambda b, name, x, layer: b.node("Transpose", [x], name, perm=layer["permute_param"][0]["order"]),
}


def _walk(b: Builder, network: Message) -> tuple[list[str], list[str]]:
    """Adds all layers; returns the flat location and confidence maps in the order of their concatenation."""
    flat: dict[str, list[str]] = {}
    for layer in network["layer"]:
        name, kind, top = first(layer, "name"), first(layer, "type"), first(layer, "top")
        if kind == "PriorBox":
            b.prior_layers.append((b.current[layer["bottom"][0]], layer["prior_box_param"][0]))
        elif kind == "Concat":
            flat[top] = [b.current[i] for i in layer["bottom"] if i in b.current]
        elif kind == "Eltwise":
            b.current[top] = b.node("Add", [b.current[i] for i in layer["bottom"]], name)
        elif kind == "Flatten":
            if layer["bottom"][0] in b.current:  # the flat confidences after softmax are ours to make
                b.current[top] = b.current[layer["bottom"][0]]
        elif kind in SIMPLE:
            b.current[top] = SIMPLE[kind](b, name, b.current[layer["bottom"][0]], layer)
        elif kind not in ("Reshape", "Softmax", "DetectionOutput", "Input"):
            raise ValueError(f"layer {name}: type {kind} is not supported")
    return flat["mbox_loc"], flat["mbox_conf"]


def _join(b: Builder, maps: list[str], width: int, name: str) -> str:
    shape = b.constant(f"{name}.shape", np.array([0, -1, width], np.int64))
    parts = [b.node("Reshape", [part, shape], f"{part}.rows") for part in maps]
    return b.node("Concat", parts, name, axis=1)


def _decode(b: Builder, offsets: str, anchors: np.ndarray, variance: list[float]) -> None:
    """Adds nodes that turn SSD offsets into corner boxes ``boxes``."""
    size = anchors[None, :, 2:]
    half = b.constant("split.half", np.array([2, 2], np.int64))
    b.nodes.append(helper.make_node("Split", [offsets, half], ["shift", "stretch"], axis=2, name="split"))
    moved = b.node("Mul", ["shift", b.constant("move", size * np.float32(variance[:2]))], "moved")
    centre = b.node("Add", [moved, b.constant("centre", anchors[None, :, :2])], "centres")
    grown = b.node("Exp", [b.node("Mul", ["stretch", b.constant("grow", np.float32(variance[2:]))], "grown")], "growth")
    half_size = b.node("Mul", [grown, b.constant("half_size", size / 2)], "halves")
    low, high = b.node("Sub", [centre, half_size], "low"), b.node("Add", [centre, half_size], "high")
    b.node("Concat", [low, high], "boxes", axis=2)


def convert(network_file: Path, weights_file: Path) -> onnx.ModelProto:
    """The ONNX model with input ``input`` [N, 3, H, W], outputs ``scores`` [N, A, 2] and ``boxes`` [N, A, 4]."""
    network = prototxt.read(network_file)
    height, width = network["input_shape"][0]["dim"][2:]
    b = Builder(wire.read_weights(weights_file))
    b.current["data"] = "input"
    locations, confidences = _walk(b, network)
    offsets = _join(b, locations, 4, "offsets")
    b.node("Softmax", [_join(b, confidences, 2, "logits")], "scores", axis=2)
    source = helper.make_tensor_value_info("input", TensorProto.FLOAT, ["N", 3, height, width])
    opset = [helper.make_opsetid("", 13)]
    known = helper.make_graph(b.nodes, "ssd", [source], [], b.constants)
    inferred = shape_inference.infer_shapes(helper.make_model(known, opset_imports=opset))
    shapes = {v.name: [d.dim_value for d in v.type.tensor_type.shape.dim] for v in inferred.graph.value_info}
    anchors = np.concatenate([
        priors.boxes(param, *shapes[tensor][2:], width, height) for tensor, param in b.prior_layers
    ])
    _decode(b, offsets, anchors, [float(v) for v in b.prior_layers[0][1]["variance"]])
    outputs = [
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["N", len(anchors), 2]),
        helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["N", len(anchors), 4]),
    ]
    graph = helper.make_graph(b.nodes, "ssd", [source], outputs, b.constants)
    model = helper.make_model(graph, opset_imports=opset, ir_version=8, producer_name="maskwatch_training")
    onnx.checker.check_model(model)
    return model
