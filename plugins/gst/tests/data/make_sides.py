"""Makes models/sides: a detector whose faces follow from the picture, so that tests know what to expect.

It sees one face in each half of the picture, as sure as that half is bright: in the left half a face with a mask, in the
right half one without. Run it in this folder, with `onnx` and `numpy` installed; it writes the model and its manifest.
"""

import hashlib
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WIDTH, HEIGHT = 16, 8

MANIFEST = """\
name: sides
task: detection
file: sides.onnx
sha256: {sha256}
precision: fp32
input:
  name: input
  width: {width}
  height: {height}
  layout: nchw
  color: rgb
  mean: [0, 0, 0]
  std: [255, 255, 255]
  resize: stretch
  pad: 0
detection:
  scores: scores
  boxes: boxes
  classes: [background, mask, no_mask]
  activation: none
  box_format: corners
  score_threshold: 0.5
  nms_iou: 0.4
  max_faces: 10
description: test model, see make_sides.py
"""


def constant(name, value, kind=np.int64):
    return numpy_helper.from_array(np.asarray(value, dtype=kind), name)


def build():
    half = WIDTH // 2
    constants = [
        constant("axis", [3]),
        constant("zero_index", [0]),
        constant("middle", [half]),
        constant("end", [WIDTH]),
        constant("shape", [-1, 1, 1]),
        constant("one", [[[1.0]]], np.float32),
        constant("zero", [[[0.0]]], np.float32),
        constant("places", [[[0.1, 0.2, 0.4, 0.8], [0.6, 0.2, 0.9, 0.8]]], np.float32),
    ]
    nodes = []

    def node(op, inputs, output, **attributes):
        nodes.append(helper.make_node(op, inputs, [output], **attributes))

    for side, start, end in (("left", "zero_index", "middle"), ("right", "middle", "end")):
        node("Slice", ["input", start, end, "axis"], f"{side}_pixels")
        node("ReduceMean", [f"{side}_pixels"], f"{side}_mean", axes=[1, 2, 3], keepdims=1)
        node("Reshape", [f"{side}_mean", "shape"], side)
        node("Sub", ["one", side], f"{side}_dark")
        node("Mul", [side, "zero"], f"{side}_none")
    node("Concat", ["left_dark", "left", "left_none"], "left_row", axis=2)
    node("Concat", ["right_dark", "right_none", "right"], "right_row", axis=2)
    node("Concat", ["left_row", "right_row"], "scores", axis=1)
    node("Add", ["places", "left_none"], "boxes")
    graph = helper.make_graph(
        nodes,
        "sides",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 3, HEIGHT, WIDTH])],
        [
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 2, 3]),
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, ["batch", 2, 4]),
        ],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def main():
    folder = Path("models/sides")
    folder.mkdir(parents=True, exist_ok=True)
    data = build()
    (folder / "sides.onnx").write_bytes(data)
    sha256 = hashlib.sha256(data).hexdigest()
    (folder / "manifest.yaml").write_text(MANIFEST.format(sha256=sha256, width=WIDTH, height=HEIGHT))


if __name__ == "__main__":
    main()
