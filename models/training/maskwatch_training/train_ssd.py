"""Training of our detector: all layers, from published weights, with checkpoints that resume."""

from __future__ import annotations

import json
import math
import time
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch.utils.data import DataLoader
from torchvision.ops import nms
from tqdm import tqdm

from . import coco as data_mod
from . import detection_data, detection_loss
from .ema import Ema
from .eval_detection import average_precisions
from .manifest import InputSpec
from .nets import ssd
from .postprocess import Faces
from .preprocess import prepare
from .runner import open_picture


@dataclass
class Settings:
    """Everything that decides a run's result."""

    network: str = "small"
    epochs: int = 30
    batch: int = 16
    size: int = 448
    width: int = 640
    height: int = 480
    lr: float = 1e-3
    weight_decay: float = 0.01
    warmup: int = 200
    plain_epochs: int = 4
    stem_epochs: int = 3
    """So long the layers at strides 2 and 4 are trained, too; they take half of a step's time."""
    backbone_lr: float = 1.0
    """Share of the learning rate that the backbone has."""
    miss_weight: float = 0.0
    """What boxes pay for falling under the overlap that counts, see ``detection_loss``."""
    heads_only: bool = False
    """Leaves the whole backbone as it is: a third of the time, for going on with an earlier run."""
    val_every: int = 3
    seed: int = 7
    threads: int = 1
    workers: int = 1
    budget_minutes: float = 0.0
    """Wall time for what is left to train: the schedule is compressed to end then. 0: no limit."""


def settings_of(network: str) -> Settings:
    """The settings with which our models were trained: ``small`` or ``large``, of ``ssd.DETECTORS``."""
    if network == "large":  # a backbone without normalisation layers, and everything after it new
        return Settings(network, epochs=20, backbone_lr=0.3, stem_epochs=0, miss_weight=1.0)
    return Settings(network)


def input_spec(width: int, height: int) -> InputSpec:
    """The detector's input description."""
    return InputSpec("input", width, height, "nchw", "rgb", (127.0,) * 3, (128.0,) * 3, "letterbox", 0)


@torch.no_grad()
def predict(net: ssd.Detector, photos: list, width: int, height: int, iou: float = 0.45, low: float = 0.02) -> list:
    """Faces of every photo by the PyTorch network as it is published, but without the vote of suppressed boxes."""
    whole, levels = ssd.published(net)
    spec, priors, out = input_spec(width, height), ssd.anchors(width, height, levels), []
    whole.eval()
    for photo in photos:
        tensor, place = prepare(open_picture(photo.path), spec)
        batch = torch.from_numpy(tensor)[None].contiguous(memory_format=torch.channels_last)
        logits, offsets = whole(batch)
        probs = logits[0].softmax(-1)
        face = 1 - probs[:, 0]
        keep = (face > low).nonzero(as_tuple=True)[0]
        boxes = ssd.decode(offsets[0, keep], priors[keep])
        order = nms(boxes, face[keep], iou)[:200]
        states = probs[keep][order, 1:]
        states = states / states.sum(1, keepdim=True)
        found = place.to_source(boxes[order].numpy(), spec)
        found[:, 0::2] = found[:, 0::2].clip(0, photo.width)
        found[:, 1::2] = found[:, 1::2].clip(0, photo.height)
        out.append(Faces(found, face[keep][order].numpy(), states.numpy()))
    return out


def _optimizer(net: torch.nn.Module, settings: Settings) -> torch.optim.Optimizer:
    groups = []
    for own, share in ((False, 1.0), (True, settings.backbone_lr)):
        named = [p for name, p in net.named_parameters() if name.startswith("backbone.") == own]
        groups.append({"params": [p for p in named if p.ndim > 1], "weight_decay": settings.weight_decay, "share": share})
        groups.append({"params": [p for p in named if p.ndim <= 1], "weight_decay": 0.0, "share": share})
    return torch.optim.AdamW(groups, lr=settings.lr)


def train(data: Path, start: Path, out: Path, settings: Settings, device: str = "cpu") -> dict:
    """Trains from published weights, or from a ``.pt`` of an earlier run, and leaves ``last.pt`` (resumable), ``best.pt``
    (averaged weights) and ``log.jsonl`` in ``out``.
    """
    torch.manual_seed(settings.seed)
    torch.set_num_threads(settings.threads)
    out.mkdir(parents=True, exist_ok=True)
    net = ssd.DETECTORS[settings.network]()
    if start.suffix == ".pt":
        net.load_state_dict(torch.load(start, weights_only=True))
    else:
        net.load_start(start)
    net.backbone.requires_grad_(not settings.heads_only)
    net = net.to(device=device, memory_format=torch.channels_last)
    ema, optimizer = Ema(net), _optimizer(net, settings)
    samples = detection_data.DetectionSamples(
        data, settings.size, (settings.width, settings.height), settings.seed, settings.epochs - settings.plain_epochs
    )
    per_epoch = len(samples) // settings.batch
    total = per_epoch * settings.epochs
    priors = ssd.anchors(settings.size, settings.size)
    strides = torch.cat([
        torch.full((len(level["boxes"]) * (-(-settings.size // level["stride"])) ** 2, 1), float(level["stride"]))
        for level in ssd.LEVELS
    ])
    reach = strides / settings.size * 0.75
    val = data_mod.photos(data, "val")
    first, best = 0, 0.0
    if (out / "last.pt").exists():
        state = torch.load(out / "last.pt", weights_only=False)
        net.load_state_dict(state["net"])
        ema.net.load_state_dict(state["ema"])
        ema.steps = state["ema_steps"]
        optimizer.load_state_dict(state["optimizer"])
        first, best = state["epoch"], state["best"]
    log = (out / "log.jsonl").open("a", encoding="utf-8")
    log.write(json.dumps({"settings": asdict(settings), "from_epoch": first}) + "\n")
    started, begun_at = time.time(), first / settings.epochs

    def progress(done: int) -> float:
        """Position in the schedule, 0..1, by steps or by the budget of time, whichever is further."""
        spent = (time.time() - started) / 60 / settings.budget_minutes if settings.budget_minutes else 0.0
        return min(1.0, max(done / total, begun_at + (1 - begun_at) * spent))

    for epoch in range(first, settings.epochs):
        samples.epoch = epoch
        if progress(epoch * per_epoch) > 1 - settings.plain_epochs / settings.epochs:
            samples.plain_from = epoch
        generator = torch.Generator().manual_seed(settings.seed * 1000 + epoch)
        loader = DataLoader(
            samples, settings.batch, shuffle=True, drop_last=True, num_workers=settings.workers,
            collate_fn=detection_data.collate, generator=generator, prefetch_factor=3 if settings.workers else None,
        )
        net.train()
        if settings.heads_only:
            net.backbone.eval()
        elif epoch >= settings.stem_epochs:
            net.backbone.fix_stem()
        sums: dict[str, float] = {}
        began = time.time()
        for step, (images, boxes, states, ignore) in enumerate(tqdm(loader, desc=f"epoch {epoch + 1}", mininterval=20)):
            done = epoch * per_epoch + step
            position = progress(done)
            factor = min(1.0, (done + 1) / settings.warmup) * (0.01 + 0.99 * (1 + math.cos(math.pi * position)) / 2)
            for group in optimizer.param_groups:
                group["lr"] = settings.lr * factor * group["share"]
            with torch.autocast(device, torch.bfloat16):
                logits, offsets = net(detection_data.to_input(images.to(device)))
            unit = float(settings.size)
            terms = detection_loss.loss(
                logits.float().cpu(), offsets.float().cpu(), priors, reach,
                [b / unit for b in boxes], states, [i / unit for i in ignore], settings.miss_weight,
            )
            loss = sum(terms.values())
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 10.0)
            optimizer.step()
            ema.update(net)
            for name, value in terms.items():
                sums[name] = sums.get(name, 0.0) + float(value.detach())
            if position >= 1.0:
                break
        record = {"epoch": epoch + 1, "seconds": round(time.time() - began)}
        record |= {name: round(value / (step + 1), 4) for name, value in sums.items()}
        finished = epoch + 1 == settings.epochs or position >= 1.0
        if (epoch + 1) % settings.val_every == 0 or finished:
            found = predict(ema.net.to("cpu"), val, settings.width, settings.height)
            record["val"] = {k: round(v, 4) for k, v in average_precisions(val, found).items()}
            ema.net.to(device)
            if record["val"]["face"] + 0.3 * record["val"]["mean_three"] > best:
                best = record["val"]["face"] + 0.3 * record["val"]["mean_three"]
                torch.save(ema.net.state_dict(), out / "best.pt")
        log.write(json.dumps(record) + "\n")
        log.flush()
        torch.save({
            "net": net.state_dict(), "ema": ema.net.state_dict(), "ema_steps": ema.steps,
            "optimizer": optimizer.state_dict(), "epoch": epoch + 1, "best": best,
        }, out / "last.tmp")
        (out / "last.tmp").replace(out / "last.pt")
        print(json.dumps(record), flush=True)
        if finished:
            break
    return {"best": best, "epochs": settings.epochs, "numpy": np.__version__}
