"""Moving average of weights."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Ema:
    """Keeps an averaged copy of a network; the average is short at the start."""

    def __init__(self, net: nn.Module, decay: float = 0.9985):
        self.net = copy.deepcopy(net).eval()
        self.decay = decay
        self.steps = 0
        for parameter in self.net.parameters():
            parameter.requires_grad_(False)

    @torch.no_grad()
    def update(self, net: nn.Module) -> None:
        """Moves the average towards ``net``."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (20 + self.steps))
        for mine, theirs in zip(self.net.state_dict().values(), net.state_dict().values()):
            if mine.dtype.is_floating_point:
                mine.lerp_(theirs, 1 - decay)
            else:
                mine.copy_(theirs)
