"""`explorer train NAME --data DIR`: make one of the embedded networks anew."""

from __future__ import annotations

import argparse
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

NAMES = ("mini-resnet", "mini-fasterrcnn")


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "train",
        help="train one of the embedded networks",
        description="Train one of the embedded networks. An interrupted training goes on from its "
        "last checkpoint when the same command is given again.",
    )
    add_arguments(parser)
    return parser


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=NAMES, help="which network")
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with train.npz, val.npz and the class tables"
    )
    parser.add_argument("--out", type=Path, help="folder for checkpoints and weights")
    parser.add_argument("--epochs", type=float, help="passes over the photos")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 …")
    parser.add_argument("--threads", type=int, help="processor threads")
    parser.add_argument("--backbone", type=Path, help="classifier checkpoint the detector starts from")
    start = parser.add_mutually_exclusive_group()
    start.add_argument(
        "--resume", action="store_true", default=True, help="go on from the checkpoint (default)"
    )
    start.add_argument("--fresh", action="store_true", help="begin anew, whatever is in --out")


def default_folder(name: str) -> Path:
    """Where checkpoints go when `--out` is not given: the user's cache, never the repository."""
    from platformdirs import user_cache_path

    return user_cache_path("convnet-explorer") / "training" / name


def run(args: argparse.Namespace) -> int:
    """Train; 0 = finished, 130 = interrupted (give the same command again to go on)."""
    import torch

    from explorer.training import classifier
    from explorer.training.data import read_photos
    from explorer.training.loop import Interrupted, choose_device, train

    log = logging.getLogger(__name__)
    if args.threads:
        torch.set_num_threads(args.threads)
    out = args.out or default_folder(args.name)
    data = read_photos(args.data, "train", out.parent / "cache")
    recipe = replace(classifier.RECIPE, seed=args.seed, epochs=args.epochs or classifier.RECIPE.epochs)
    task = classifier.ClassifierTask(data, recipe)
    try:
        train(task, recipe, out, device=choose_device(args.device), resume=not args.fresh)
    except Interrupted as stopped:
        log.warning("%s Give the same command again to go on.", stopped)
        return 130
    return 0
