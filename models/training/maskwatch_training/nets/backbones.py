"""The report's four architectures as feature extractors with the report's head.

Only MobileNetV2 has ImageNet weights in a package of the registry (see ``models/training/README.md``); the others are
trained from scratch, all layers, at a smaller size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Callable

import torch
from torch import Tensor, nn
from torchvision import models

IMAGENET_MEAN = (0.485 * 255, 0.456 * 255, 0.406 * 255)
IMAGENET_STD = (0.229 * 255, 0.224 * 255, 0.225 * 255)


@dataclass(frozen=True)
class Architecture:
    """How one backbone is built, its feature count and the input size it is trained at."""

    build: Callable[[], nn.Module]
    channels: int
    size: int
    pretrained: bool


class InceptionFeatures(nn.Module):
    """InceptionV3 up to its last feature map, without the auxiliary classifier."""

    def __init__(self) -> None:
        super().__init__()
        net = models.inception_v3(weights=None, aux_logits=False, init_weights=False)
        skipped = {"avgpool", "dropout", "fc", "AuxLogits"}
        self.layers = nn.Sequential(*[m for name, m in net.named_children() if name not in skipped])

    def forward(self, x: Tensor) -> Tensor:
        """Features of a batch."""
        return self.layers(x)


def _resnet50() -> nn.Module:
    return nn.Sequential(*list(models.resnet50(weights=None).children())[:-2])


def _densenet121() -> nn.Module:
    return nn.Sequential(models.densenet121(weights=None).features, nn.ReLU(inplace=True))


ARCHITECTURES = {
    "mobilenetv2": Architecture(lambda: models.mobilenet_v2(weights=None).features, 1280, 224, True),
    "resnet50": Architecture(_resnet50, 2048, 96, False),
    "densenet121": Architecture(_densenet121, 1024, 96, False),
    "inceptionv3": Architecture(InceptionFeatures, 2048, 96, False),
}


class ReportNet(nn.Module):
    """Backbone, average pool, 128 ReLU, dropout 0.5, one logit per label."""

    def __init__(self, features: nn.Module, channels: int, labels: int = 2):
        super().__init__()
        self.features = features
        self.head = nn.Sequential(nn.Linear(channels, 128), nn.ReLU(), nn.Dropout(0.5), nn.Linear(128, labels))

    def pooled(self, x: Tensor) -> Tensor:
        """Pooled features [N, channels]; at 224 px this is the report's 7x7 average pool."""
        return self.features(x).mean((2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """Logits of a batch."""
        return self.head(self.pooled(x))


def load_mobilenetv2(features: nn.Module, weights: Path) -> None:
    """Loads torchvision's ImageNet weights (``mobilenet_v2-b0353104.pth``) into MobileNetV2's feature layers."""
    state = torch.load(weights, map_location="cpu", weights_only=True)
    features.load_state_dict({k[len("features.") :]: v for k, v in state.items() if k.startswith("features.")})


def report_net(name: str, imagenet: Path | None) -> ReportNet:
    """The report's network on the named backbone, pretrained where weights are given."""
    arch = ARCHITECTURES[name]
    features = arch.build()
    if arch.pretrained and imagenet is not None:
        load_mobilenetv2(features, imagenet)
    return ReportNet(features, arch.channels)
