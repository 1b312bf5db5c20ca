"""Writes the small networks of the engine's tests beside this file. Needs the Python package onnx (1.23 was used).

Each looks at the mean of its input only (pictures are normalised to 0..1), so a test knows each output, and sees when
results of a batch are mixed up.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

HERE = Path(__file__).parent
WIDTH, HEIGHT, CROP = 32, 24, 8
# x1, y1, x2, y2 of the four boxes of every detector, in 0..1 of the input.
BOXES = [[0.25, 0.25, 0.5, 0.75], [0.6, 0.25, 0.85, 0.75], [0.0, 0.0, 0.1, 0.1], [0.9, 0.9, 1.0, 1.0]]


def write(name, nodes, constants, outputs, rank, shape, batch="N", kind=TensorProto.FLOAT):
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input", kind, [batch, *shape])],
        [helper.make_tensor_value_info(output, TensorProto.FLOAT, [None] * rank) for output in outputs],
        [numpy_helper.from_array(np.array(value), key) for key, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    (HERE / f"{name}.onnx").write_bytes(model.SerializeToString())


def mean(source="input"):
    """m [N, 1, 1]: the mean of each picture."""
    return [
        helper.make_node("ReduceMean", [source], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "three"], ["m"]),
    ]


def detector(name, weights, biases, before=(), extra=None, **options):
    """scores = weights * m + biases, boxes as BOXES."""
    constants = {
        "three": np.array([3], np.int64),
        "w": np.array([weights], np.float32),
        "b": np.array([biases], np.float32),
        "zero": np.float32(0),
        "c": np.array([BOXES], np.float32),
        **(extra or {}),
    }
    nodes = [
        *before,
        *mean(options.pop("source", "input")),
        helper.make_node("Mul", ["m", "w"], ["wm"]),
        helper.make_node("Add", ["wm", "b"], [options.pop("scores", "scores")]),
        helper.make_node("Mul", ["m", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "c"], ["boxes"]),
        *options.pop("after", ()),
    ]
    write(name, nodes, constants, ["scores", "boxes"], 3, [3, HEIGHT, WIDTH], **options)


def fails_when_bright(source="input"):
    """Adds 0 to the input, by way of a look-up that is out of bounds where a mean is over 0.9."""
    nodes = [
        helper.make_node("ReduceMean", [source], ["level"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Sub", ["level", "limit"], ["over"]),
        helper.make_node("Ceil", ["over"], ["up"]),
        helper.make_node("Cast", ["up"], ["index"], to=TensorProto.INT64),
        helper.make_node("Gather", ["table", "index"], ["looked"], axis=0),
        helper.make_node("Add", [source, "looked"], ["checked"]),
    ]
    return nodes, {"limit": np.float32(0.9), "table": np.array([0.0], np.float32)}


# Box 0 is a face of score m; the others are background.
face_w = [[-1, 1], [0, 0], [0, 0], [0, 0]]
face_b = [[1, 0], [1, 0], [1, 0], [1, 0]]
detector("faces", face_w, face_b)
detector("fixed", face_w, face_b, batch=1)
detector("three-classes", [row + [0] for row in face_w], [row + [0] for row in face_b])
nodes, constants = fails_when_bright()
detector("fails", face_w, face_b, before=nodes, extra=constants, source="checked")
detector(
    "half",
    face_w,
    face_b,
    before=[helper.make_node("Cast", ["input"], ["wide"], to=TensorProto.FLOAT)],
    source="wide",
    kind=TensorProto.FLOAT16,
)
# Says that its batch is dynamic, and adds the batch up.
detector(
    "sums",
    face_w,
    face_b,
    scores="each",
    after=[helper.make_node("ReduceSum", ["each", "first"], ["scores"], keepdims=1)],
    extra={"first": np.array([0], np.int64)},
)
# background, mask, incorrect, no_mask: box 0 no_mask of score m, box 1 mask of score m.
detector(
    "states",
    [[-1, 0, 0, 1], [-1, 1, 0, 0], [0] * 4, [0] * 4],
    [[1, 0, 0, 0]] * 4,
)


def classifier(name, before=(), extra=None, source="input"):
    """scores [N, 2] = [m, 1 - m]."""
    nodes = [
        *before,
        helper.make_node("ReduceMean", [source], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Squeeze", ["mean", "both"], ["m"]),
        helper.make_node("Mul", ["m", "w"], ["wm"]),
        helper.make_node("Add", ["wm", "b"], ["scores"]),
    ]
    constants = {
        "both": np.array([2, 3], np.int64),
        "w": np.array([[1, -1]], np.float32),
        "b": np.array([[0, 1]], np.float32),
        **(extra or {}),
    }
    write(name, nodes, constants, ["scores"], 2, [3, CROP, CROP])


classifier("masks")
nodes, constants = fails_when_bright()
classifier("masks-fails", before=nodes, extra=constants, source="checked")
