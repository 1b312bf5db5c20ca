"""Reading and writing of model manifests, as ``models/README.md`` defines them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STATES = ("mask", "incorrect", "no_mask")


@dataclass(frozen=True)
class InputSpec:
    """How a picture becomes the network's input tensor."""

    name: str
    width: int
    height: int
    layout: str
    color: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    resize: str
    pad: int

    @classmethod
    def from_dict(cls, raw: dict[str, Any]) -> "InputSpec":
        """Builds the spec from the manifest's ``input`` mapping."""
        return cls(
            name=raw["name"],
            width=int(raw["width"]),
            height=int(raw["height"]),
            layout=raw["layout"],
            color=raw["color"],
            mean=tuple(float(v) for v in raw["mean"]),
            std=tuple(float(v) for v in raw["std"]),
            resize=raw["resize"],
            pad=int(raw["pad"]),
        )


@dataclass(frozen=True)
class Manifest:
    """A model folder's manifest with the folder it was read from."""

    folder: Path
    raw: dict[str, Any]

    @property
    def name(self) -> str:
        """Name of the model, equal to its folder's."""
        return self.raw["name"]

    @property
    def model_path(self) -> Path:
        """Path of the ONNX file."""
        return self.folder / self.raw["file"]

    @property
    def input(self) -> InputSpec:
        """Input description."""
        return InputSpec.from_dict(self.raw["input"])

    @property
    def detection(self) -> dict[str, Any]:
        """The ``detection`` mapping."""
        return self.raw["detection"]

    @property
    def classification(self) -> dict[str, Any]:
        """The ``classification`` mapping."""
        return self.raw["classification"]


def sha256(path: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def load(folder: Path, check_hash: bool = True) -> Manifest:
    """Reads ``folder/manifest.yaml`` and checks the name and, unless told otherwise, the file's hash."""
    path = folder / "manifest.yaml"
    manifest = Manifest(folder, yaml.safe_load(path.read_text(encoding="utf-8")))
    if manifest.name != folder.resolve().name:
        raise ValueError(f"{path}: name {manifest.name!r} differs from the folder's name")
    if check_hash and sha256(manifest.model_path) != manifest.raw["sha256"]:
        raise ValueError(f"{path}: sha256 does not match {manifest.model_path.name}")
    return manifest


class _Flow(list):
    """A list that is written in one line."""


class _Dumper(yaml.SafeDumper):
    """YAML writer that keeps short number lists in one line."""


_Dumper.add_representer(
    _Flow, lambda dumper, data: dumper.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=True)
)


def _flow(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _flow(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        items = [_flow(item) for item in value]
        return items if any(isinstance(item, dict) for item in items) else _Flow(items)
    return value


def save(folder: Path, raw: dict[str, Any]) -> None:
    """Writes ``folder/manifest.yaml`` with the true hash of its ONNX file."""
    raw = dict(raw)
    raw["name"] = folder.resolve().name
    raw["sha256"] = sha256(folder / raw["file"])
    text = yaml.dump(_flow(raw), Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
    (folder / "manifest.yaml").write_text(text, encoding="utf-8")


def update(folder: Path, **changes: Any) -> None:
    """Merges top-level mappings of ``changes`` into an existing manifest and writes it again."""
    raw = load(folder, check_hash=False).raw
    for key, value in changes.items():
        if isinstance(value, dict) and isinstance(raw.get(key), dict):
            raw[key] = {**raw[key], **value}
        else:
            raw[key] = value
    save(folder, raw)
