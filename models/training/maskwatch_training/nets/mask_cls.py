"""Our classifier: MobileNetV2 from ImageNet, average pool, dropout, three states."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision import models

from ..manifest import STATES
from .backbones import load_mobilenetv2


class MaskClassifier(nn.Module):
    """Logits [N, 3] in the order of ``STATES``."""

    def __init__(self, dropout: float = 0.3):
        super().__init__()
        self.fixed = 0
        self.features = models.mobilenet_v2(weights=None).features
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(1280, len(STATES))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch of normalised crops; the first ``fixed`` layers pass no gradient."""
        if self.fixed:
            with torch.no_grad():
                x = self.features[: self.fixed](x)
        return self.head(self.dropout(self.features[self.fixed :](x).mean((2, 3))))

    def load_imagenet(self, weights: Path) -> None:
        """Starts from torchvision's ImageNet weights."""
        load_mobilenetv2(self.features, weights)
