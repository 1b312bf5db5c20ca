"""Training of our three-state classifier, all layers, from ImageNet weights."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.metrics import confusion_matrix, f1_score
from tqdm import tqdm

from . import coco, crops_data, face_data, preprocess
from .ema import Ema
from .manifest import STATES, InputSpec
from .nets.backbones import IMAGENET_MEAN, IMAGENET_STD
from .nets.mask_cls import MaskClassifier
from .runner import open_picture

REPEATS = (1, 4, 1)
STEM = 5
"""Layers at strides 2 and 4; they take a third of a step's time, so they are trained in the first epochs only."""


@dataclass
class Settings:
    """Everything that decides a run's result."""

    epochs: int = 16
    batch: int = 64
    size: int = 96
    margin: float = 0.2
    lr: float = 8e-4
    weight_decay: float = 0.02
    warmup: int = 100
    smoothing: float = 0.05
    stem_epochs: int = 2
    val_every: int = 2
    seed: int = 11
    threads: int = 1


def input_spec(size: int) -> InputSpec:
    """The classifier's input description."""
    mean = tuple(round(v, 3) for v in IMAGENET_MEAN)
    std = tuple(round(v, 3) for v in IMAGENET_STD)
    return InputSpec("input", size, size, "nchw", "rgb", mean, std, "stretch", 0)


def to_input(images: list[np.ndarray], spec: InputSpec) -> torch.Tensor:
    """Crops as the network's input, channels last in memory."""
    data = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float()
    mean, std = torch.tensor(spec.mean)[None, :, None, None], torch.tensor(spec.std)[None, :, None, None]
    return ((data - mean) / std).contiguous(memory_format=torch.channels_last)


@dataclass
class Truth:
    """Prepared inputs of a held-out set with labels and face heights."""

    inputs: torch.Tensor
    labels: np.ndarray
    heights: np.ndarray


def val_boxes(data: Path, spec: InputSpec, margin: float, smallest: float = 12) -> Truth:
    """True boxes of ``val``, cropped exactly as the program crops."""
    inputs, labels, heights = [], [], []
    for photo in coco.photos(data, "val"):
        picture = open_picture(photo.path)
        for box, state in zip(photo.boxes, photo.states):
            if box[3] - box[1] < smallest:
                continue
            cut = preprocess.crop(picture, box, {"margin": margin, "square": True}, spec.pad)
            inputs.append(torch.from_numpy(preprocess.prepare(cut, spec)[0]))
            labels.append(int(state))
            heights.append(float(box[3] - box[1]))
    return Truth(torch.stack(inputs), np.array(labels), np.array(heights))


def report_test(data: Path, spec: InputSpec) -> Truth:
    """The report's 20 % of crops."""
    _, test = crops_data.split(data)
    inputs = [torch.from_numpy(preprocess.prepare(open_picture(path), spec)[0]) for path, _ in test]
    labels = np.array([STATES.index(crops_data.LABELS[label]) for _, label in test])
    return Truth(torch.stack(inputs), labels, np.full(len(labels), 1e3))


@torch.no_grad()
def logits_of(net: MaskClassifier, truth: Truth, batch: int = 64) -> np.ndarray:
    """Logits of a held-out set."""
    net.eval()
    parts = [
        net(truth.inputs[i : i + batch].contiguous(memory_format=torch.channels_last))
        for i in range(0, len(truth.inputs), batch)
    ]
    return torch.cat(parts).numpy()


def figures_of(logits: np.ndarray, truth: Truth, smallest: float = 20) -> dict:
    """Accuracy, macro F1 and F1 per state on faces at least ``smallest`` px high."""
    keep = truth.heights >= smallest
    predicted, labels = logits.argmax(1)[keep], truth.labels[keep]
    each = f1_score(labels, predicted, labels=[0, 1, 2], average=None, zero_division=0)
    return {
        "accuracy": round(float((predicted == labels).mean()), 4),
        "macro_f1": round(float(each.mean()), 4),
        "f1": {state: round(float(v), 4) for state, v in zip(STATES, each)},
        "confusion": confusion_matrix(labels, predicted, labels=[0, 1, 2]).tolist(),
    }


def train(data: Path, imagenet: Path, out: Path, settings: Settings) -> dict:
    """Trains and leaves ``last.pt`` (resumable), ``best.pt`` (averaged weights) and ``log.jsonl`` in ``out``."""
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    out.mkdir(parents=True, exist_ok=True)
    net = MaskClassifier()
    net.load_imagenet(imagenet)
    net = net.to(memory_format=torch.channels_last)
    ema = Ema(net, 0.997)
    optimizer = torch.optim.AdamW(net.parameters(), lr=settings.lr, weight_decay=settings.weight_decay)
    spec = input_spec(settings.size)
    faces = face_data.box_faces(data, "train", 12) + face_data.crop_faces(crops_data.split(data)[0])
    order = np.array([i for i, face in enumerate(faces) for _ in range(REPEATS[face.state])])
    boxes, crops = val_boxes(data, spec, settings.margin), report_test(data, spec)
    steps = len(order) // settings.batch
    total = steps * settings.epochs
    first, best = 0, 0.0
    if (out / "last.pt").exists():
        state = torch.load(out / "last.pt", weights_only=False)
        net.load_state_dict(state["net"])
        ema.net.load_state_dict(state["ema"])
        ema.steps = state["ema_steps"]
        optimizer.load_state_dict(state["optimizer"])
        first, best = state["epoch"], state["best"]
    log = (out / "log.jsonl").open("a", encoding="utf-8")
    log.write(json.dumps({"settings": asdict(settings), "samples": len(order)}) + "\n")
    for epoch in range(first, settings.epochs):
        rng = np.random.default_rng([settings.seed, epoch])
        shuffled = rng.permutation(order)
        net.train()
        if epoch >= settings.stem_epochs:
            net.fixed = STEM
            net.features[:STEM].eval()
        summed, began = 0.0, time.time()
        for step in tqdm(range(steps), desc=f"epoch {epoch + 1}", mininterval=20):
            done = epoch * steps + step
            factor = min(1.0, (done + 1) / settings.warmup) * (0.01 + 0.99 * (1 + math.cos(math.pi * done / total)) / 2)
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * factor
            members = [faces[i] for i in shuffled[step * settings.batch : (step + 1) * settings.batch]]
            crops_made = [face_data.training_crop(rng, face, settings.size, settings.margin) for face in members]
            images, labels = [image for image, _ in crops_made], torch.tensor([state for _, state in crops_made])
            with torch.autocast("cpu", torch.bfloat16):
                logits = net(to_input(images, spec))
            loss = F.cross_entropy(logits.float(), labels, label_smoothing=settings.smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            ema.update(net)
            summed += float(loss.detach())
        record: dict = {"epoch": epoch + 1, "seconds": round(time.time() - began), "loss": round(summed / steps, 4)}
        if (epoch + 1) % settings.val_every == 0 or epoch + 1 == settings.epochs:
            record["val_boxes"] = figures_of(logits_of(ema.net, boxes), boxes)
            record["report_crops"] = figures_of(logits_of(ema.net, crops), crops)["accuracy"]
            value = record["val_boxes"]["macro_f1"] + record["report_crops"]
            if value > best:
                best = value
                torch.save(ema.net.state_dict(), out / "best.pt")
        log.write(json.dumps(record) + "\n")
        log.flush()
        torch.save({
            "net": net.state_dict(), "ema": ema.net.state_dict(), "ema_steps": ema.steps,
            "optimizer": optimizer.state_dict(), "epoch": epoch + 1, "best": best,
        }, out / "last.tmp")
        (out / "last.tmp").replace(out / "last.pt")
        print(json.dumps(record), flush=True)
    return {"best": best}
