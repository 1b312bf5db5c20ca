"""The report's comparison of architectures: accuracy, F1, size, operations and latency, each exported as a model folder."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from torch import nn

from . import publish, report, runner
from .nets.backbones import ARCHITECTURES


def operations(net: nn.Module, size: int) -> int:
    """Multiply-adds of one picture through all convolutions and linear layers."""
    total = 0

    def count(layer: nn.Module, _: tuple, output: torch.Tensor) -> None:
        nonlocal total
        if isinstance(layer, nn.Conv2d):
            per_output = layer.weight[0].numel()
            total += per_output * output[0].numel()
        elif isinstance(layer, nn.Linear):
            total += layer.weight.numel()

    handles = [m.register_forward_hook(count) for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]
    with torch.no_grad():
        net(torch.zeros(1, 3, size, size))
    for handle in handles:
        handle.remove()
    return total


def table(runs: Path, out: Path, max_mb: float) -> str:
    """Markdown table of all trained architectures; folders are written under ``out``."""
    lines = [
        "| architecture | start | input | accuracy | F1 mask | F1 no_mask | MB (FP16 stored) | G multiply-adds | ms, batch 1 | ms, batch 16 |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in ARCHITECTURES:
        run = runs / name
        if not (run / "report.json").exists():
            continue
        result = json.loads((run / "report.json").read_text(encoding="utf-8"))
        folder = out / f"{name}-report"
        publish.report_model(run, folder)
        size = (folder / f"{folder.name}.onnx").stat().st_size / 1e6
        gigas = operations(report.load(run), result["size"]) / 1e9
        one, many = (runner.latency(folder, batch, rounds=20)["cpu_ms"] for batch in (1, 16))
        scores = result["report"]
        note = "" if size <= max_mb else " (over the limit for the repository)"
        lines.append(
            f"| {name} | {'ImageNet, frozen' if result['pretrained'] else 'scratch, all layers'} | {result['size']} px "
            f"| {scores['accuracy']:.4f} | {scores['mask']['f1-score']:.4f} | {scores['no_mask']['f1-score']:.4f} "
            f"| {size:.1f}{note} | {gigas:.2f} | {one:.1f} | {many:.1f} |"
        )
    return "\n".join(lines)
