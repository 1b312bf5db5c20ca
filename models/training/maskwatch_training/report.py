"""The report's recipe: frozen ImageNet features, its head, its augmentation, 12 epochs; and its table of architectures."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import classification_report, confusion_matrix
from torch import nn
from tqdm import tqdm

from . import crops_data, figures
from .nets import backbones


@dataclass
class Recipe:
    """The report's settings."""

    epochs: int = 12
    batch: int = 30
    lr: float = 1e-4
    scratch_lr: float = 3e-4
    seed: int = 42
    threads: int = 1
    scratch_size: int = 96
    """Input of the architectures that have no pretrained weights."""


def to_tensor(images: list[np.ndarray]) -> torch.Tensor:
    """RGB u8 crops as a normalised batch."""
    data = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    mean = torch.tensor(backbones.IMAGENET_MEAN)[None, :, None, None]
    std = torch.tensor(backbones.IMAGENET_STD)[None, :, None, None]
    return ((data - mean) / std).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _features(net: backbones.ReportNet, images: list[np.ndarray], batch: int = 32) -> torch.Tensor:
    out = []
    for i in range(0, len(images), batch):
        with torch.autocast("cpu", torch.bfloat16):
            out.append(net.pooled(to_tensor(images[i : i + batch])).float())
    return torch.cat(out)


def _epoch_images(images: list[np.ndarray], seed: int, epoch: int) -> list[np.ndarray]:
    rng = np.random.default_rng([seed, epoch])
    return [crops_data.augment(rng, image) for image in images]


@torch.no_grad()
def _logits(net: backbones.ReportNet, images: list[np.ndarray], frozen: bool, cache: torch.Tensor | None) -> torch.Tensor:
    net.eval()
    if frozen:
        return net.head(cache)
    return torch.cat([net(to_tensor(images[i : i + 32])).float() for i in range(0, len(images), 32)])


def train(data: Path, name: str, imagenet: Path | None, out: Path, recipe: Recipe) -> dict:
    """Trains one architecture and leaves ``net.pt``, ``report.json``, curves and confusion matrix in ``out``."""
    torch.manual_seed(recipe.seed)
    torch.set_num_threads(recipe.threads)
    out.mkdir(parents=True, exist_ok=True)
    arch = backbones.ARCHITECTURES[name]
    frozen = arch.pretrained and imagenet is not None
    size = arch.size if frozen else recipe.scratch_size
    net = backbones.report_net(name, imagenet).to(memory_format=torch.channels_last)
    train_files, test_files = crops_data.split(data, recipe.seed)
    train_images = [crops_data.read(path, size) for path, _ in train_files]
    test_images = [crops_data.read(path, size) for path, _ in test_files]
    truth = torch.tensor([label for _, label in train_files])
    test_truth = torch.tensor([label for _, label in test_files])
    rate = recipe.lr if frozen else recipe.scratch_lr
    parameters = net.head.parameters() if frozen else net.parameters()
    optimizer = torch.optim.Adam(parameters, lr=rate)
    if frozen:
        net.features.eval()
    cache = _features(net, test_images) if frozen else None
    history: dict[str, list[float]] = {"train loss": [], "test loss": [], "train accuracy": [], "test accuracy": []}
    steps = math.ceil(len(train_files) / recipe.batch)
    for epoch in tqdm(range(recipe.epochs), desc=name):
        images = _epoch_images(train_images, recipe.seed, epoch)
        features = _features(net, images) if frozen else None
        net.train(not frozen)
        net.head.train()
        order = torch.randperm(len(images))
        total, hits = 0.0, 0
        for step in range(steps):
            index = order[step * recipe.batch : (step + 1) * recipe.batch]
            for group in optimizer.param_groups:  # Keras' "decay": lr / (1 + decay * iterations), decay = lr / epochs
                group["lr"] = rate / (1 + rate / recipe.epochs * (epoch * steps + step))
            with torch.autocast("cpu", torch.bfloat16, enabled=not frozen):
                logits = net.head(features[index]) if frozen else net(to_tensor([images[i] for i in index]))
            target = F.one_hot(truth[index], 2).float()
            loss = F.binary_cross_entropy(logits.float().softmax(1), target)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += float(loss.detach()) * len(index)
            hits += int((logits.argmax(1) == truth[index]).sum())
        logits = _logits(net, test_images, frozen, cache)
        history["train loss"].append(total / len(images))
        history["train accuracy"].append(hits / len(images))
        history["test loss"].append(float(F.cross_entropy(logits, test_truth)))
        history["test accuracy"].append(float((logits.argmax(1) == test_truth).float().mean()))
        print(json.dumps({key: round(values[-1], 4) for key, values in history.items()}), flush=True)
    predicted = logits.argmax(1).numpy()
    report = classification_report(
        test_truth.numpy(), predicted, target_names=crops_data.LABELS, output_dict=True, digits=4, zero_division=0
    )
    figures.curves(history, out / "curves.png", f"{name}: loss and accuracy")
    matrix = confusion_matrix(test_truth.numpy(), predicted)
    figures.confusion(matrix, list(crops_data.LABELS), out / "confusion.png", name)
    torch.save({"name": name, "size": size, "state": net.state_dict()}, out / "net.pt")
    result = {"name": name, "pretrained": frozen, "size": size, "epochs": recipe.epochs, "report": report, "history": history}
    (out / "report.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
    np.savez(out / "test_logits.npz", logits=logits.numpy(), labels=test_truth.numpy())
    return result


def load(folder: Path) -> nn.Module:
    """The trained network of a run folder."""
    saved = torch.load(folder / "net.pt", weights_only=True)
    net = backbones.report_net(saved["name"], None)
    net.load_state_dict(saved["state"])
    return net.eval()
