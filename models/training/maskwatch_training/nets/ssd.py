"""Our detectors: an SSD for one core on UltraFace's backbone, and a larger one for GPUs on CenterFace's.

Outputs per anchor: four logits (background, then the states in the order of ``STATES``) and four SSD offsets. The face score
is the softmax's sum over the states. Both have the same anchors, so one loss and one decoding serve both.
"""

from __future__ import annotations

import math
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..manifest import STATES
from ..postprocess import make_anchors
from . import centerface, ultraface

CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2
LEVELS = [
    {"stride": stride, "boxes": [[size, size] for size in sizes]}
    for stride, sizes in zip(ultraface.STRIDES, ultraface.ANCHORS)
]
FINE_LEVELS = 3
"""Of the finer of two views: all but the one of the largest anchors."""
TWO_VIEW_LEVELS = LEVELS[:FINE_LEVELS] + [
    {"stride": 2 * level["stride"], "boxes": [[2 * side for side in box] for box in level["boxes"]]} for level in LEVELS
]
"""The anchors of ``TwoViews``, in pixels of the finer view, which is the input."""
CLASSES = ("background", *STATES)
OUTPUTS = len(CLASSES)


class Refine(nn.Module):
    """Residual depthwise-separable block whose last normalisation starts at zero."""

    def __init__(self, channels: int, kernel: int = 3):
        super().__init__()
        self.dw = nn.Conv2d(channels, channels, kernel, 1, kernel // 2, groups=channels, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.pw = nn.Conv2d(channels, channels, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        nn.init.zeros_(self.bn2.weight)

    def forward(self, x: Tensor) -> Tensor:
        """Applies the block."""
        return torch.relu(x + self.bn2(self.pw(torch.relu(self.bn1(self.dw(x))))))


class TopDown(nn.Module):
    """Adds a coarser map, brought to this level's channels and size, to a finer one."""

    def __init__(self, coarse: int, fine: int):
        super().__init__()
        self.conv = nn.Conv2d(coarse, fine, 1, bias=False)
        self.bn = nn.BatchNorm2d(fine)
        nn.init.zeros_(self.bn.weight)

    def forward(self, coarse: Tensor, fine: Tensor) -> Tensor:
        """Applies the fusion."""
        return torch.relu(fine + doubled(self.bn(self.conv(coarse)), fine))


def doubled(coarse: Tensor, fine: Tensor) -> Tensor:
    """A map at twice its size, cut to the finer one's where that has an odd number of rows or columns.

    By a factor and not by size: ONNX Runtime keeps that in its fast layout.
    """
    up = F.interpolate(coarse, scale_factor=2, mode="nearest")
    rows, cols = fine.shape[-2:]
    return up if up.shape[-2:] == (rows, cols) else up[..., :rows, :cols]


def _joined(heads: nn.ModuleList, maps: list[Tensor], width: int) -> Tensor:
    """Outputs of the given maps, finest first, as [N, A, width]."""
    flat = [head(m).permute(0, 2, 3, 1) for head, m in zip(heads, maps)]
    return torch.cat([f.reshape(f.shape[0], -1, width) for f in flat], 1)


class SmallSsd(nn.Module):
    """The detector for one core; ``forward`` gives [N, A, 4] logits (``CLASSES``) and [N, A, 4] offsets.

    New layers start as additions of zero, so that training starts at the function of the published weights.
    """

    start = "ultraface"
    """Name of its starting weights in ``sources``."""

    def __init__(self) -> None:
        super().__init__()
        c3, c4, c5, c6 = ultraface.CHANNELS
        self.backbone = ultraface.Backbone()
        self.down5 = TopDown(c5, c4)
        self.down4 = TopDown(c4, c3)
        self.refine = nn.ModuleList([Refine(c3, 5), Refine(c4, 5)])
        counts = [len(level["boxes"]) for level in LEVELS]
        self.scores = nn.ModuleList()
        self.offsets = nn.ModuleList()
        for channels, count in zip((c3, c4, c5), counts):
            self.scores.append(ultraface.separable(channels, count * OUTPUTS))
            self.offsets.append(ultraface.separable(channels, count * 4))
        self.scores.append(nn.Conv2d(c6, counts[3] * OUTPUTS, 3, 1, 1))
        self.offsets.append(nn.Conv2d(c6, counts[3] * 4, 3, 1, 1))

    def forward(self, x: Tensor, levels: int = len(LEVELS)) -> tuple[Tensor, Tensor]:
        """Raw outputs of a batch of normalised pictures, of so many of the finest levels."""
        f3, f4, f5, f6 = self.backbone(x)
        f4 = self.down5(f5, f4)
        f3 = self.down4(f4, f3)
        maps = [self.refine[0](f3), self.refine[1](f4), f5, f6][:levels]
        return _joined(self.scores, maps, OUTPUTS), _joined(self.offsets, maps, 4)

    def load_start(self, path: Path) -> None:
        """Starts from UltraFace: backbone and heads; its face logit becomes ours, states start even."""
        weights = ultraface.weights_from_onnx(path)
        ultraface.load_backbone(self.backbone, weights)
        for level in range(4):
            prefix = f"{level}." if level < 3 else "3"
            for ours, theirs in ((self.scores, "classification_headers"), (self.offsets, "regression_headers")):
                head = ours[level]
                if level < 3:
                    head[0].weight.data.copy_(weights[f"{theirs}.{prefix}0.weight"])
                    head[0].bias.data.copy_(weights[f"{theirs}.{prefix}0.bias"])
                last = head[2] if level < 3 else head
                name = f"{theirs}.{prefix}2" if level < 3 else f"{theirs}.3"
                weight, bias = weights[f"{name}.weight"], weights[f"{name}.bias"]
                if ours is self.offsets:
                    last.weight.data.copy_(weight)
                    last.bias.data.copy_(bias)
                    continue
                last.weight.data[0::OUTPUTS] = weight[0::2]
                last.bias.data[0::OUTPUTS] = bias[0::2]
                for state in range(1, OUTPUTS):
                    last.weight.data[state::OUTPUTS] = weight[1::2]
                    last.bias.data[state::OUTPUTS] = bias[1::2] - math.log(len(STATES))


class LargeSsd(nn.Module):
    """The detector for GPUs; outputs as ``SmallSsd``.

    A feature pyramid over strides 8 to 64; its finest level also sees stride 4, for small faces.
    """

    start = "centerface"
    """Name of its starting weights in ``sources``."""

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        c2, c3, c4, c5 = centerface.CHANNELS
        self.backbone = centerface.Backbone()
        self.finest = ultraface.conv_bn(c2, channels, 2)
        self.lateral = nn.ModuleList([nn.Conv2d(c, channels, 1) for c in (c3, c4, c5)])
        self.coarsest = ultraface.conv_bn(channels, channels, 2)
        counts = [len(level["boxes"]) for level in LEVELS]
        self.smooth = nn.ModuleList([ultraface.conv_bn(channels, channels, 1) for _ in counts])
        self.scores = nn.ModuleList([self._head(channels, count * OUTPUTS) for count in counts])
        self.offsets = nn.ModuleList([self._head(channels, count * 4) for count in counts])
        for head in self.scores:
            head[-1].bias.data[0::OUTPUTS] = 5.0
        for head in self.offsets:
            nn.init.normal_(head[-1].weight, std=0.01)

    @staticmethod
    def _head(channels: int, out: int) -> nn.Sequential:
        return nn.Sequential(ultraface.conv_bn(channels, channels, 1), nn.Conv2d(channels, out, 1))

    def forward(self, x: Tensor, levels: int = len(LEVELS)) -> tuple[Tensor, Tensor]:
        """Raw outputs of a batch of normalised pictures, of so many of the finest levels."""
        f2, f3, f4, f5 = self.backbone(x)
        f5 = self.lateral[2](f5)
        f4 = self.lateral[1](f4)
        f4 = f4 + doubled(f5, f4)
        f3 = self.lateral[0](f3)
        f3 = f3 + doubled(f4, f3) + self.finest(f2)
        maps = [smooth(m) for smooth, m in zip(self.smooth, (f3, f4, f5, self.coarsest(f5)))][:levels]
        return _joined(self.scores, maps, OUTPUTS), _joined(self.offsets, maps, 4)

    def load_start(self, path: Path) -> None:
        """Starts from CenterFace's backbone; pyramid and heads are new."""
        centerface.load(self.backbone, path, 127.0, 128.0)


class TwoViews(nn.Module):
    """A detector over its input and, with the same weights, over the input at half its size; the outputs of both, joined.

    The coarser view sees large faces at the sizes that the network knows well, so the finer one needs no anchors for them. And
    most faces are seen twice: the boxes of both views vote about where they are.
    """

    def __init__(self, net: "Detector"):
        super().__init__()
        self.net = net

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Logits [N, A, 4] and offsets [N, A, 4], anchors as in ``TWO_VIEW_LEVELS``."""
        fine = self.net(x, FINE_LEVELS)
        coarse = self.net(F.avg_pool2d(x, 2))
        return torch.cat([fine[0], coarse[0]], 1), torch.cat([fine[1], coarse[1]], 1)


Detector = SmallSsd | LargeSsd
DETECTORS: dict[str, type[Detector]] = {"small": SmallSsd, "large": LargeSsd}


def published(net: Detector) -> tuple[nn.Module, list[dict]]:
    """What a model file computes, and the levels of its anchors: the large network sees two views, the small one has no time to."""
    return (TwoViews(net), TWO_VIEW_LEVELS) if isinstance(net, LargeSsd) else (net, LEVELS)


def anchors(width: int, height: int, levels: list[dict] = LEVELS) -> Tensor:
    """Anchors [A, 4] as cx, cy, w, h in 0..1: of one view, or of ``TWO_VIEW_LEVELS``."""
    return torch.from_numpy(make_anchors(width, height, levels)).float()


def decode(offsets: Tensor, priors: Tensor) -> Tensor:
    """Corner boxes in 0..1 from offsets [..., A, 4]."""
    centre = priors[:, :2] + offsets[..., :2] * CENTRE_VARIANCE * priors[:, 2:]
    half = priors[:, 2:] * torch.exp((offsets[..., 2:] * SIZE_VARIANCE).clamp(max=4.0)) / 2
    return torch.cat([centre - half, centre + half], -1)


def face_logit(logits: Tensor) -> Tensor:
    """The logit of "is a face": states against background."""
    return torch.logsumexp(logits[..., 1:], -1) - logits[..., 0]
