"""UltraFace's RFB backbone in PyTorch, with the parameter names of its published ONNX file.

Architecture by Linzaer (Ultra-Light-Fast-Generic-Face-Detector-1MB, MIT); written anew here so that the published weights
can be loaded and trained further.
"""

from __future__ import annotations

from pathlib import Path

import onnx
import torch
from onnx import numpy_helper
from torch import Tensor, nn

STRIDES = (8, 16, 32, 64)
CHANNELS = (64, 128, 256, 256)
STEM = 4
"""Layers at strides 2 and 4."""
ANCHORS = ((10, 16, 24), (32, 48), (64, 96), (128, 192, 256))


def conv_bn(inp: int, out: int, stride: int) -> nn.Sequential:
    """3x3 convolution, normalisation, ReLU."""
    return nn.Sequential(nn.Conv2d(inp, out, 3, stride, 1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


def conv_dw(inp: int, out: int, stride: int) -> nn.Sequential:
    """Depthwise 3x3 and pointwise 1x1, each with normalisation and ReLU."""
    return nn.Sequential(
        nn.Conv2d(inp, inp, 3, stride, 1, groups=inp, bias=False),
        nn.BatchNorm2d(inp),
        nn.ReLU(inplace=True),
        nn.Conv2d(inp, out, 1, 1, 0, bias=False),
        nn.BatchNorm2d(out),
        nn.ReLU(inplace=True),
    )


def separable(inp: int, out: int, stride: int = 1) -> nn.Sequential:
    """Depthwise 3x3, ReLU, pointwise 1x1; with biases, without normalisation."""
    return nn.Sequential(
        nn.Conv2d(inp, inp, 3, stride, 1, groups=inp), nn.ReLU(inplace=True), nn.Conv2d(inp, out, 1)
    )


class _Conv(nn.Module):
    """Convolution and normalisation, with or without ReLU."""

    def __init__(self, inp: int, out: int, kernel: int, dilation: int = 1, relu: bool = True):
        super().__init__()
        padding = dilation if kernel == 3 else 0
        self.conv = nn.Conv2d(inp, out, kernel, 1, padding, dilation, bias=False)
        self.bn = nn.BatchNorm2d(out)
        self.relu = nn.ReLU(inplace=True) if relu else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        """Applies the layer."""
        return self.relu(self.bn(self.conv(x)))


class Rfb(nn.Module):
    """Receptive-field block: three branches of growing dilation beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        mid = channels // 8
        self.branch0 = nn.Sequential(
            _Conv(channels, mid, 1, relu=False), _Conv(mid, 2 * mid, 3), _Conv(2 * mid, 2 * mid, 3, 2, relu=False)
        )
        self.branch1 = nn.Sequential(
            _Conv(channels, mid, 1, relu=False), _Conv(mid, 2 * mid, 3), _Conv(2 * mid, 2 * mid, 3, 3, relu=False)
        )
        self.branch2 = nn.Sequential(
            _Conv(channels, mid, 1, relu=False),
            _Conv(mid, mid // 2 * 3, 3),
            _Conv(mid // 2 * 3, 2 * mid, 3),
            _Conv(2 * mid, 2 * mid, 3, 5, relu=False),
        )
        self.ConvLinear = _Conv(6 * mid, channels, 1, relu=False)
        self.shortcut = _Conv(channels, channels, 1, relu=False)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block."""
        joined = torch.cat([self.branch0(x), self.branch1(x), self.branch2(x)], 1)
        return torch.relu(self.ConvLinear(joined) + self.shortcut(x))


class Backbone(nn.Module):
    """Features at strides 8, 16, 32 and 64."""

    def __init__(self) -> None:
        super().__init__()
        self.fixed = 0
        self.base_net = nn.Sequential(
            conv_bn(3, 16, 2),
            conv_dw(16, 32, 1),
            conv_dw(32, 32, 2),
            conv_dw(32, 32, 1),
            conv_dw(32, 64, 2),
            conv_dw(64, 64, 1),
            conv_dw(64, 64, 1),
            Rfb(64),
            conv_dw(64, 128, 2),
            conv_dw(128, 128, 1),
            conv_dw(128, 128, 1),
            conv_dw(128, 256, 2),
            conv_dw(256, 256, 1),
        )
        self.extras = nn.ModuleList(
            [nn.Sequential(nn.Conv2d(256, 64, 1), nn.ReLU(inplace=True), separable(64, 256, 2), nn.ReLU(inplace=True))]
        )

    def fix_stem(self) -> None:
        """Stops training the layers at strides 2 and 4, which take half of a step's time."""
        self.fixed = STEM
        self.base_net[:STEM].eval()

    def forward(self, x: Tensor) -> list[Tensor]:
        """The four feature maps of a batch; the first ``fixed`` layers pass no gradient."""
        if self.fixed:
            with torch.no_grad():
                x = self.base_net[: self.fixed](x)
        c3 = self.base_net[self.fixed : 8](x)
        c4 = self.base_net[8:11](c3)
        c5 = self.base_net[11:](c4)
        return [c3, c4, c5, self.extras[0](c5)]


def weights_from_onnx(path: Path) -> dict[str, Tensor]:
    """All named tensors of the published ONNX file."""
    model = onnx.load(str(path))
    return {t.name: torch.from_numpy(numpy_helper.to_array(t).copy()) for t in model.graph.initializer}


def load_backbone(backbone: Backbone, weights: dict[str, Tensor]) -> None:
    """Fills the backbone; every parameter must be in ``weights``."""
    own = backbone.state_dict()
    missing = [name for name in own if name not in weights and not name.endswith("num_batches_tracked")]
    if missing:
        raise KeyError(f"weights lack {missing[:3]}")
    backbone.load_state_dict({name: weights.get(name, value) for name, value in own.items()})
