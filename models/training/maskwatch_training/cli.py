"""The command line: one subcommand per step, all by ``python -m maskwatch_training COMMAND``."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

MODELS = Path(__file__).resolve().parents[2]
RUNS = MODELS / "training" / "runs"
WEIGHTS = RUNS / "weights"


def _show(result: object) -> None:
    print(json.dumps(result, indent=1))


def _folder(name: str) -> Path:
    path = Path(name)
    return path if path.is_dir() else MODELS / name


def fetch(_: argparse.Namespace) -> None:
    """Fetches all starting weights."""
    from . import sources

    for name in sources.SOURCES:
        sources.fetch(name, WEIGHTS)
        print(name, "ok")


def import_ultraface(_: argparse.Namespace) -> None:
    """Writes the ONNX of models/ultraface-rfb-640 from the published file."""
    import onnx

    from . import manifest, onnx_tools, sources

    folder = MODELS / "ultraface-rfb-640"
    model = onnx_tools.make_batch_dynamic(onnx.load(str(sources.fetch("ultraface", WEIGHTS))))
    onnx_tools.save(model, folder / "ultraface-rfb-640.onnx")
    manifest.update(folder)


def import_res10(_: argparse.Namespace) -> None:
    """Converts the report's res10 SSD from Caffe into models/res10-ssd-300."""
    from . import manifest, onnx_tools, sources
    from .caffe import to_onnx

    folder = MODELS / "res10-ssd-300"
    model = to_onnx.convert(sources.fetch("res10-network", WEIGHTS), sources.fetch("res10-weights", WEIGHTS))
    onnx_tools.save(onnx_tools.store_fp16(model), folder / "res10-ssd-300.onnx")
    manifest.update(folder)


def train_detector(args: argparse.Namespace) -> None:
    """Trains our detector, small or large."""
    from . import sources, train_ssd
    from .nets import ssd

    settings = train_ssd.settings_of(args.network)
    settings.heads_only = args.heads_only
    for name in ("epochs", "lr", "size", "width", "height", "seed", "threads"):
        if getattr(args, name) is not None:
            setattr(settings, name, getattr(args, name))
    start = args.start or sources.fetch(ssd.DETECTORS[args.network].start, WEIGHTS)
    _show(train_ssd.train(args.data, start, args.out or RUNS / f"detector-{args.network}", settings, args.device))


def train_classifier(args: argparse.Namespace) -> None:
    """Trains our three-state classifier."""
    from . import sources, train_cls

    settings = train_cls.Settings(
        epochs=args.epochs, size=args.size, threads=args.threads, margin=args.margin, seed=args.seed
    )
    _show(train_cls.train(args.data, sources.fetch("mobilenetv2", WEIGHTS), args.out or RUNS / "classifier", settings))


def train_report(args: argparse.Namespace) -> None:
    """Trains the report's recipe with one architecture, or with all of them."""
    from . import report, sources
    from .nets.backbones import ARCHITECTURES

    for name in ARCHITECTURES if args.arch == "all" else [args.arch]:
        recipe = report.Recipe(epochs=args.epochs, threads=args.threads, scratch_size=args.scratch_size)
        report.train(args.data, name, sources.fetch("mobilenetv2", WEIGHTS), args.runs / name, recipe)


def compare(args: argparse.Namespace) -> None:
    """Exports the report's architectures and prints the table of figures."""
    from . import comparison

    print(comparison.table(args.runs, args.out or RUNS / "comparison", args.max_mb))


def publish_detector(args: argparse.Namespace) -> None:
    """Calibrates a trained detector's scores on ``val`` and exports it into a model folder."""
    from . import publish, run_log

    folder = MODELS / args.name
    weights = args.weights or RUNS / f"detector-{args.network}" / "best.pt"
    size = (args.width, args.height)
    _show(publish.detector_model(args.network, weights, folder, args.data, size, args.nms_iou, args.threshold))
    if (weights.parent / "log.jsonl").exists():
        run_log.draw(weights.parent, folder / "curves.png", folder.name)


def publish_classifier(args: argparse.Namespace) -> None:
    """Calibrates a trained classifier on ``val`` and exports it into a model folder."""
    from . import calibrate, run_log

    folder, weights = MODELS / args.name, args.weights or RUNS / "classifier" / "best.pt"
    _show(calibrate.publish_model(args.data, weights, folder, args.size, args.margin, args.detector_weight))
    if (weights.parent / "log.jsonl").exists():
        run_log.draw(weights.parent, folder / "curves.png", folder.name)


def publish_report(args: argparse.Namespace) -> None:
    """Exports the report's network into a model folder."""
    from . import publish

    parity = publish.report_model(RUNS / "report" / args.arch, MODELS / args.name)
    print(f"{args.name}: ONNX against PyTorch differs by at most {parity:.2e}")


def eval_detection(args: argparse.Namespace) -> None:
    """Detection figures of a model folder, end to end where a classifier is named."""
    from . import eval_detection as module

    classifier = _folder(args.classifier) if args.classifier else None
    _show(module.run(args.data, args.split, _folder(args.model), classifier, args.detector_weight))


def eval_classification(args: argparse.Namespace) -> None:
    """Classification figures of a model folder."""
    from . import eval_classification as module

    _show(module.run(args.data, args.split, _folder(args.model), args.smallest))


def report_split(args: argparse.Namespace) -> None:
    """Links the report's 20 % of crops into class folders, for ``maskwatch eval classification``."""
    from . import crops_data

    for path, label in crops_data.split(args.data)[1]:
        link = args.out / crops_data.LABELS[label] / path.name
        link.parent.mkdir(parents=True, exist_ok=True)
        link.unlink(missing_ok=True)
        link.symlink_to(path.resolve())


def quantise(args: argparse.Namespace) -> None:
    """Writes an INT8 sibling of a model folder, calibrated on ``train``."""
    from . import quantise as module

    source = _folder(args.model)
    folder = module.quantise(args.data, source, (args.out or MODELS) / f"{source.name}-int8", args.pictures)
    print(folder.name)


def halve(args: argparse.Namespace) -> None:
    """Writes an FP16 sibling of a model folder, for GPUs."""
    from . import quantise as module

    source = _folder(args.model)
    print(module.halve(source, (args.out or MODELS) / f"{source.name}-fp16").name)


def golden(args: argparse.Namespace) -> None:
    """Writes golden.json of the named model folders (of all without a name)."""
    from . import golden as module

    names = args.models or [p.parent.name for p in sorted(MODELS.glob("*/manifest.yaml"))]
    for name in names:
        module.write(_folder(name))
        print(name)


def latency(args: argparse.Namespace) -> None:
    """Milliseconds of a model on this machine's CPU; pin it with ``taskset -c 0`` for one core."""
    from . import runner

    _show({f"batch {b}": runner.latency(_folder(args.model), b, threads=args.threads) for b in args.batch})


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="maskwatch_training", description="Training of Maskwatch's models")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(function, *, data: bool = False, model: bool = False) -> argparse.ArgumentParser:
        sub = commands.add_parser(function.__name__.replace("_", "-"), help=function.__doc__)
        sub.set_defaults(run=function)
        if data:
            sub.add_argument("--data", type=Path, required=True, help="folder with detection/ and crops/")
        if model:
            sub.add_argument("model", help="model folder or its name")
        return sub

    def training(sub: argparse.ArgumentParser, epochs: int | None, size: int, seed: int) -> argparse.ArgumentParser:
        sub.add_argument("--out", type=Path, help="run folder; training resumes from what it finds there")
        sub.add_argument("--epochs", type=int, default=epochs)
        sub.add_argument("--size", type=int, default=size)
        sub.add_argument("--seed", type=int, default=seed)
        sub.add_argument("--threads", type=int, default=1)
        return sub

    add(fetch)
    add(import_ultraface)
    add(import_res10)
    sub = training(add(train_detector, data=True), None, 448, 7)
    sub.add_argument("--network", choices=["small", "large"], default="small")
    sub.add_argument("--start", type=Path, help="a .pt of an earlier run to go on from; default: published weights")
    sub.add_argument("--lr", type=float)
    sub.add_argument("--width", type=int, help="of the input at whose scale is trained and measured; default 640")
    sub.add_argument("--height", type=int, help="default 480")
    sub.add_argument("--heads-only", action="store_true", help="leaves the backbone as --start has it")
    sub.add_argument("--device", default="cpu")
    training(add(train_classifier, data=True), 12, 96, 11).add_argument("--margin", type=float, default=0.2)
    sub = add(train_report, data=True)
    sub.add_argument("--arch", default="mobilenetv2", help="mobilenetv2, resnet50, densenet121, inceptionv3 or all")
    sub.add_argument("--epochs", type=int, default=12)
    sub.add_argument("--threads", type=int, default=1)
    sub.add_argument("--scratch-size", type=int, default=96, help="input of those without pretrained weights, from 75 px")
    sub.add_argument("--runs", type=Path, default=RUNS / "report", help="folder of the runs, one for each architecture")
    sub = add(compare)
    sub.add_argument("--runs", type=Path, default=RUNS / "report")
    sub.add_argument("--out", type=Path)
    sub.add_argument("--max-mb", type=float, default=12.0)
    sub = add(publish_detector, data=True)
    sub.add_argument("name")
    sub.add_argument("--network", choices=["small", "large"], default="small")
    sub.add_argument("--weights", type=Path)
    sub.add_argument("--width", type=int, default=640)
    sub.add_argument("--height", type=int, default=480)
    sub.add_argument("--nms-iou", type=float, default=0.45)
    sub.add_argument("--threshold", type=float, default=0.5)
    sub = add(publish_classifier, data=True)
    sub.add_argument("name")
    sub.add_argument("--weights", type=Path)
    sub.add_argument("--size", type=int, default=96)
    sub.add_argument("--margin", type=float, default=0.2)
    sub.add_argument("--detector-weight", type=float, default=0.3)
    sub = add(publish_report)
    sub.add_argument("name")
    sub.add_argument("--arch", default="mobilenetv2")
    sub = add(eval_detection, data=True, model=True)
    sub.add_argument("--split", default="val")
    sub.add_argument("--classifier")
    sub.add_argument("--detector-weight", type=float)
    sub = add(eval_classification, data=True, model=True)
    sub.add_argument("--split", default="val")
    sub.add_argument("--smallest", type=float, default=20)
    add(report_split, data=True).add_argument("--out", type=Path, required=True)
    sub = add(quantise, data=True, model=True)
    sub.add_argument("--pictures", type=int, default=128)
    sub.add_argument("--out", type=Path, help="folder that the new model folder goes into; default: models/")
    add(halve, model=True).add_argument("--out", type=Path)
    add(golden).add_argument("models", nargs="*")
    sub = add(latency, model=True)
    sub.add_argument("--batch", type=int, nargs="+", default=[1, 16])
    sub.add_argument("--threads", type=int, default=1)
    return parser


def main(arguments: list[str] | None = None) -> int:
    """Entry point; returns the exit status."""
    args = _parser().parse_args(arguments)
    args.run(args)
    return 0
