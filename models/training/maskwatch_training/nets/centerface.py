"""CenterFace's backbone in PyTorch: MobileNetV2 as trained for faces, its normalisations folded into the convolutions.

Weights by the authors of CenterFace (MIT), out of their published ONNX file. Without normalisation layers it trains as it runs.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

CHANNELS = (24, 32, 96, 320)
"""Of the maps at strides 4, 8, 16 and 32."""
STAGES = ((24, 2, 2), (32, 3, 2), (64, 4, 2), (96, 3, 1), (160, 3, 2), (320, 1, 1))
"""Channels, blocks and first stride of each stage; six times as many channels within a block."""
TAPS = (4, 7, 14, 18)
"""Layers after which the maps are taken."""


class Block(nn.Module):
    """Inverted residual: 1x1 up, depthwise 3x3, 1x1 down."""

    def __init__(self, inp: int, out: int, stride: int):
        super().__init__()
        mid = 6 * inp
        self.same = stride == 1 and inp == out
        self.layers = nn.Sequential(
            nn.Conv2d(inp, mid, 1), nn.ReLU(inplace=True),
            nn.Conv2d(mid, mid, 3, stride, 1, groups=mid), nn.ReLU(inplace=True),
            nn.Conv2d(mid, out, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block."""
        return x + self.layers(x) if self.same else self.layers(x)


class Backbone(nn.Module):
    """Features at strides 4, 8, 16 and 32."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed = 0
        layers: list[nn.Module] = [
            nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(inplace=True)),
            nn.Sequential(nn.Conv2d(32, 32, 3, 1, 1, groups=32), nn.ReLU(inplace=True), nn.Conv2d(32, 16, 1)),
        ]
        inp = 16
        for out, count, stride in STAGES:
            for i in range(count):
                layers.append(Block(inp, out, stride if i == 0 else 1))
                inp = out
        self.layers = nn.Sequential(*layers)

    def fix_stem(self) -> None:
        """Stops training the layers up to stride 4, which take half of a step's time."""
        self.fixed = TAPS[0]

    def forward(self, x: Tensor) -> list[Tensor]:
        """The four feature maps of a batch; the first ``fixed`` layers pass no gradient."""
        if self.fixed:
            with torch.no_grad():
                x = self.layers[: self.fixed](x)
        maps = [x] if self.fixed in TAPS else []
        for index in range(self.fixed, len(self.layers)):
            x = self.layers[index](x)
            if index + 1 in TAPS:
                maps.append(x)
        return maps


def load(backbone: Backbone, path: Path, mean: float, std: float) -> None:
    """Fills the backbone from the published ONNX file, which takes pixels of 0..255, for pixels normalised by ``mean`` and ``std``."""
    graph = onnx.load(str(path)).graph
    tensors = {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in graph.initializer}
    published = [node for node in graph.node if node.op_type == "Conv"]
    own = [m for m in backbone.modules() if isinstance(m, nn.Conv2d)]
    for ours, theirs in zip(own, published):
        weight, bias = tensors[theirs.input[1]], tensors[theirs.input[2]]
        if weight.shape != ours.weight.shape:
            raise ValueError(f"{path.name}: convolution {theirs.name} has another shape than expected")
        ours.weight.data.copy_(weight)
        ours.bias.data.copy_(bias)
    first = own[0]
    first.bias.data += mean * first.weight.data.sum((1, 2, 3))
    first.weight.data *= std
