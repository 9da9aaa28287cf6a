"""Checks before a training begins: its folders, and what would be overwritten."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.reading import unreadable
from explorer.core.storage.guard import check_outputs
from explorer.training.checkpoints import CHECKPOINT, read_checkpoint
from explorer.training.loop import CONFIG

if TYPE_CHECKING:
    import argparse

    from explorer.training.lessons.registry import Material


def check_arguments(args: argparse.Namespace) -> None:
    """Raises for numbers out of range and for folders that cannot be what they are given for."""
    for option, least in (("epochs", 0.0), ("minutes", 0.0), ("threads", 1)):
        value = getattr(args, option)
        if value is not None and not value >= least:
            raise ExplorerError(f"--{option} {value:g} is out of range.", f"At least {least:g}.")
    for option in ("data", "coco", "voc", "joints"):
        path = getattr(args, option)
        if path is not None:
            _check_folder(path, f"--{option}")
    if args.backbone is not None and not os.path.isfile(args.backbone):
        raise ExplorerError(
            f"{args.backbone} is not a file.", "Give --backbone a checkpoint or .safetensors file."
        )
    from explorer.evaluation.datasets import open_source

    for path in (args.coco, args.voc):  # needed at the end, after hours
        if path is not None:
            open_source(path, "detection")
    if args.joints is not None:
        from explorer.training.data.pool import read_lspet

        read_lspet(args.joints, "validation")


def _check_folder(path: Path, option: str) -> None:
    try:
        entries = os.listdir(path)
    except NotADirectoryError:
        raise ExplorerError(f"{path} is not a folder.", f"Give {option} a folder.") from None
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    if not entries:
        raise ExplorerError(f"The folder {path} is empty.", f"Give {option} one with data.")


def check_written(
    name: str, teaches: Any, material: Material, out: Path, args: argparse.Namespace
) -> list[Path]:
    """Raises where a file of another program would be lost.

    A folder with a checkpoint that a training has written is a training's: all in it may change.

    Args:
        name: Of the network.
        teaches: Its lesson.
        material: What is read.
        out: Folder of the training.
        args: Of the command line.

    Returns:
        The files of weights that will be written.
    """
    target: Path = args.export or out / "weights"
    fits = hasattr(teaches, "fit")
    mine = not fits and _is_training(out)
    if args.export and not fits and not mine:
        raise ExplorerError(
            f"There is no checkpoint of a training in {out}.",
            f"Train {name} first, or give its folder with --out.",
        )
    weights = _weights(name, teaches, target)
    written = [] if mine and not args.export else weights
    if not (mine or fits):
        written = [*written, *(out / file for file in (CHECKPOINT, CONFIG))]
    inputs = (
        material.folder, material.backbone, material.coco, material.voc, material.joints,
    )  # fmt: skip
    check_outputs(
        [Path(os.path.abspath(path)) for path in written], inputs,
        overwrite=args.overwrite, below=Path(Path.cwd().anchor),
    )  # fmt: skip
    return weights


def _weights(name: str, teaches: Any, target: Path) -> list[Path]:
    if hasattr(teaches, "fit"):
        return [target / getattr(teaches, "FILE", f"{name}.safetensors")]
    names = teaches.networks(name) if hasattr(teaches, "networks") else (name,)
    files = [target / f"{each}{suffix}" for each in names for suffix in (".safetensors", ".json")]
    if hasattr(teaches, "beside_file"):
        files.append(teaches.beside_file(target))
    return files


def _is_training(out: Path) -> bool:
    if not os.path.isfile(out / CHECKPOINT):
        return False
    try:
        read_checkpoint(out / CHECKPOINT)
    except ExplorerError:
        return False
    return True
