"""`explorer train NAME --data DIR`: fine-tune a detector, or train a network that ships."""

from __future__ import annotations

import argparse
import logging
import textwrap
from pathlib import Path
from typing import Any

from explorer.core.errors import ExplorerError

log = logging.getLogger(__name__)

TUNABLE = ("lite-fasterrcnn",)
"""Of the networks with a lesson those that are fine-tuned where none is asked for."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    from explorer.training.tuning import command

    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train",
        help="fine-tune a detector to your photos, or train a network that ships",
        description=f"Fine-tune {' or '.join(TUNABLE)}, or a network made from it, to your own\n"
        "photos with boxes; or train one of the networks that ship with the program. An\n"
        "interrupted training resumes from its last checkpoint when the same command is\n"
        "given again.",
    )
    parser.add_argument("name", metavar="NETWORK", help="network to train; see below")
    add_arguments(parser)
    parser.add_argument(
        "--lesson",
        action="store_true",
        help="train it as the network that ships was trained, instead of fine-tuning that one",
    )
    command.add_arguments(parser)
    return parser


def add_lesson(parser: argparse.ArgumentParser) -> None:
    """What is given to train a network that ships."""
    from explorer.training.lessons.registry import LESSONS

    parser.add_argument(
        "name", choices=list(LESSONS), metavar="NETWORK", help="network to train; see below"
    )
    add_arguments(parser)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Those that all trainings share."""
    from explorer.training.lessons.registry import LESSONS

    names = textwrap.wrap(", ".join(LESSONS), 76, break_on_hyphens=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "networks:\n" + "\n".join(f"  {line}" for line in names)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with train.npz, val.npz and the class tables; for lite-* networks, with "
        "instances.json (COCO format) and images/",
    )
    parser.add_argument(
        "--out", type=Path, metavar="DIR", help="folder for checkpoints and weights"
    )
    parser.add_argument("--epochs", type=float, help="number of epochs")
    parser.add_argument("--minutes", type=float, help="stop after this many minutes")
    parser.add_argument("--seed", type=int, default=0, help="random seed (default: 0)")
    parser.add_argument("--device", default="auto", help="auto (default), cpu, cuda, cuda:1, mps…")
    parser.add_argument(
        "--threads",
        type=int,
        help="CPU threads (default: as many as are fastest at the moment)",
    )
    parser.add_argument(
        "--backbone",
        type=Path,
        metavar="FILE",
        help="checkpoint or .safetensors file that the training starts from",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="do not train: write the weights of the last checkpoint and their card into DIR",
    )
    parser.add_argument(
        "--coco",
        type=Path,
        metavar="DIR",
        help="also evaluate detectors on the photos of this folder (instances.json and images/)",
    )
    parser.add_argument(
        "--voc",
        type=Path,
        metavar="DIR",
        help="also evaluate detectors on the photos of this folder (Pascal VOC annotations)",
    )
    parser.add_argument(
        "--joints",
        type=Path,
        metavar="DIR",
        help="people with keypoints (joints.json and images/), for training and evaluation",
    )
    parser.add_argument(
        "--shipped",
        action="store_true",
        help="start from the weights that ship, where there is no checkpoint to resume from",
    )
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume",
        action="store_true",
        default=True,
        help="resume from the last checkpoint (default)",
    )
    start.add_argument(
        "--fresh", action="store_true", help="start over, even if --out has a checkpoint"
    )
    parser.add_argument(
        "--overwrite", action="store_true",
        help="overwrite files that this program did not write (never the inputs)",
    )  # fmt: skip


def default_folder(name: str) -> Path:
    """Where checkpoints go when `--out` is not given: the user's cache, never the repository."""
    from platformdirs import user_cache_path

    return user_cache_path("convnet-explorer") / "training" / name


def run(args: argparse.Namespace) -> int:
    """Fine-tune, or train as `--lesson` asks; 0 = finished, 130 = interrupted."""
    from explorer.training.lessons.registry import LESSONS
    from explorer.training.tuning import command

    if args.name in LESSONS and (args.lesson or args.name not in TUNABLE):
        logging.basicConfig(
            level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S"
        )
        return run_lesson(args)
    if args.lesson:
        raise ExplorerError(
            f"There is no lesson for {args.name}.", f"Choose among: {', '.join(LESSONS)}."
        )
    return command.run(args)


def run_lesson(args: argparse.Namespace) -> int:
    """Train or export; 0 = finished, 130 = interrupted (give the same command again to resume)."""
    import torch

    from explorer.core.storage.written import remember
    from explorer.training.checks import check_arguments, check_written
    from explorer.training.lessons.registry import Material, lesson, shipped_weights
    from explorer.training.loop import Interrupted, choose_device, train
    from explorer.training.threads import ThreadPilot

    check_arguments(args)
    most = torch.get_num_threads()
    if args.threads:
        torch.set_num_threads(args.threads)
    out: Path = args.out or default_folder(args.name)
    material = Material(
        args.data, out.parent, args.epochs, args.seed,
        backbone=args.backbone, coco=args.coco, voc=args.voc, minutes=args.minutes,
        joints=args.joints,
    )  # fmt: skip
    teaches = lesson(args.name)
    weights = check_written(args.name, teaches, material, out, args)
    if not args.export and hasattr(teaches, "task"):
        task = teaches.task(args.name, material)
        try:
            device = choose_device(args.device)
            pilot = None if args.threads or device.type != "cpu" else ThreadPilot(most)
            first = shipped_weights(args.name) if args.shipped else None
            train(
                task, task.recipe, out,
                device=device, resume=not args.fresh, pilot=pilot, first=first,
            )  # fmt: skip
        except Interrupted as stopped:
            log.warning("%s Give the same command again to go on.", stopped)
            return 130
    target: Path = args.export or out / "weights"
    if hasattr(teaches, "fit"):
        teaches.fit(args.name, material, target)
        remember(weights[0])
        return 0
    from explorer.training import cards

    names = teaches.networks(args.name) if hasattr(teaches, "networks") else (args.name,)
    for name in names:
        card = cards.export(name, teaches, material, out, target)
        figures = {k: v for k, v in card["metrics"].items() if not isinstance(v, dict)}
        log.info("%s: %s, %.2f MB", target / card["weights"], figures, card["bytes"] / 1e6)
    for path in weights:
        remember(path)
    return 0
