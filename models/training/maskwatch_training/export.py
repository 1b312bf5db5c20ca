"""PyTorch networks to ONNX with a dynamic batch, checked against PyTorch."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import nn

from . import onnx_tools
from .runner import session


def to_onnx(net: nn.Module, shape: tuple[int, int, int], outputs: list[str], path: Path, half: bool = False) -> float:
    """Exports ``net`` and returns the largest difference between ONNX and PyTorch over batches of 1 and 3.

    ``half`` stores weights as FP16 (the computation stays FP32).
    """
    net = net.eval().to(memory_format=torch.contiguous_format)
    axes = {name: {0: "N"} for name in ("input", *outputs)}
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            net, torch.zeros(1, *shape), str(path), opset_version=17, input_names=["input"], output_names=outputs,
            dynamic_axes=axes, dynamo=False,
        )
    if half:
        onnx_tools.save(onnx_tools.store_fp16(onnx.load(str(path))), path)
    return parity(net, path, shape, outputs)


def parity(net: nn.Module, path: Path, shape: tuple[int, int, int], outputs: list[str]) -> float:
    """Largest absolute difference between the ONNX file and the network on random input."""
    runner = session(path)
    worst = 0.0
    for batch in (1, 3):
        data = torch.randn(batch, *shape, generator=torch.Generator().manual_seed(batch))
        with torch.no_grad():
            expected = net(data)
        expected = expected if isinstance(expected, tuple) else (expected,)
        for ours, theirs in zip(runner.run(outputs, {"input": data.numpy()}), expected):
            worst = max(worst, float(np.abs(ours - theirs.numpy()).max()))
    return worst
