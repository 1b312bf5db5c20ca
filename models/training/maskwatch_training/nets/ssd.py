"""Our detector: an SSD on UltraFace's backbone with a light feature pyramid and state classes in the head.

Outputs per anchor: four logits (background, then the states in the order of ``STATES``) and four SSD offsets. The face score
is the softmax's sum over the states. New layers start as additions of zero, so that training starts at the function of the
published weights.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ..manifest import STATES
from ..postprocess import make_anchors
from . import ultraface

CENTRE_VARIANCE = 0.1
SIZE_VARIANCE = 0.2
LEVELS = [
    {"stride": stride, "boxes": [[size, size] for size in sizes]}
    for stride, sizes in zip(ultraface.STRIDES, ultraface.ANCHORS)
]
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
        up = F.interpolate(self.bn(self.conv(coarse)), size=fine.shape[-2:], mode="nearest")
        return torch.relu(fine + up)


class MaskwatchSsd(nn.Module):
    """The detector; ``forward`` gives [N, A, 4] logits (``CLASSES``) and [N, A, 4] offsets."""

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

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Raw outputs of a batch of normalised pictures."""
        f3, f4, f5, f6 = self.backbone(x)
        f4 = self.down5(f5, f4)
        f3 = self.down4(f4, f3)
        maps = [self.refine[0](f3), self.refine[1](f4), f5, f6]
        scores = [self._flat(head(m), OUTPUTS) for head, m in zip(self.scores, maps)]
        offsets = [self._flat(head(m), 4) for head, m in zip(self.offsets, maps)]
        return torch.cat(scores, 1), torch.cat(offsets, 1)

    @staticmethod
    def _flat(x: Tensor, width: int) -> Tensor:
        return x.permute(0, 2, 3, 1).reshape(x.shape[0], -1, width)

    def load_ultraface(self, weights: dict[str, Tensor]) -> None:
        """Starts from UltraFace: backbone and heads; its face logit becomes ours, states start even."""
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


def anchors(width: int, height: int) -> Tensor:
    """Anchors [A, 4] as cx, cy, w, h in 0..1."""
    return torch.from_numpy(make_anchors(width, height, LEVELS)).float()


def decode(offsets: Tensor, priors: Tensor) -> Tensor:
    """Corner boxes in 0..1 from offsets [..., A, 4]."""
    centre = priors[:, :2] + offsets[..., :2] * CENTRE_VARIANCE * priors[:, 2:]
    half = priors[:, 2:] * torch.exp((offsets[..., 2:] * SIZE_VARIANCE).clamp(max=4.0)) / 2
    return torch.cat([centre - half, centre + half], -1)


def face_logit(logits: Tensor) -> Tensor:
    """The logit of "is a face": states against background."""
    return torch.logsumexp(logits[..., 1:], -1) - logits[..., 0]
