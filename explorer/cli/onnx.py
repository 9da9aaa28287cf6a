"""`explorer onnx FILE`: how an ONNX file is used, and what is said here is remembered for it."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli.console import say
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    import argparse

    from explorer.networks.onnx.cards import Card


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "onnx",
        help="show or set how an ONNX file is used",
        description="Show how an ONNX file is used: its task, classes, preprocessing and the form "
        "of its outputs, found in the file or usual ones. What an option sets is remembered for "
        "that file, in the window too.",
    )
    parser.add_argument("file", help="the ONNX file", metavar="FILE")
    parser.add_argument("--task", help="classification, detection, segmentation or features")
    parser.add_argument(
        "--decoder",
        help="form of a detector's outputs: yolov5 (v5, v7), yolov8 (v8 to v11), yolox, "
        "end-to-end (v10), ssd, boxes or detr",
    )
    parser.add_argument("--classes", metavar="LIST", help="a file with a class name on each line")
    parser.add_argument("--size", metavar="HxW", help="height and width of the input, as 640x640")
    parser.add_argument(
        "--fit", choices=("stretch", "crop", "tight", "center", "corner", "short", "whole"),
        help="how a photo becomes that size: stretched; its center cropped after its short side "
        "was resized to 256/224 of it (crop) or to it (tight); letterboxed with gray on "
        "both sides (center) or at the right and below (corner); or in its own shape, with that "
        "short side (short) or as it is (whole)",
    )  # fmt: skip
    parser.add_argument("--mean", metavar="R,G,B", help="for values from 0 to 1; none = 0 to 1")
    parser.add_argument("--std", metavar="R,G,B", help="for values from 0 to 1")
    parser.add_argument(
        "--range", choices=("1", "255"), help="values from 0 to 1 or to 255, not normalized"
    )
    parser.add_argument("--channels", choices=("RGB", "BGR"), help="order of the channels")
    parser.add_argument("--layout", choices=("NCHW", "NHWC"), help="order of the axes")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Show, or set and show; 0."""
    from explorer.networks import catalog
    from explorer.networks.checkpoints.class_lists import names_in
    from explorer.networks.onnx import cards

    path = Path(args.file).expanduser()
    given = {"task": args.task, "decoder": args.decoder, "channel_order": args.channels}
    settings: dict[str, Any] = {key: value for key, value in given.items() if value}
    if args.layout:
        settings["layout"] = args.layout
    if args.classes:
        settings["classes"] = names_in(Path(os.path.expanduser(args.classes)))
    card = _card(catalog.opened(path, **settings), cards.every())
    steps = _preprocess(args, card)
    if steps is not None:
        card = _card(catalog.opened(path, preprocess=steps), cards.every())
    if args.json:
        say(json.dumps(asdict(card), ensure_ascii=False, indent=1))
        return 0
    classes = ", ".join(card.classes[:6]) + (" …" if len(card.classes) > 6 else "")
    runs = "PyTorch" if card.in_torch else f"ONNX Runtime, without gradients ({card.why})"
    lines = {
        "name": card.name,
        "task": card.task,
        "outputs": card.decoding.form if card.decoding is not None else "",
        "classes": f"{len(card.classes)}: {classes}" if card.classes else "without names",
        "input": f"{card.preprocess.title()}, {card.channel_order}, {card.layout}",
        "mean, std": f"{card.preprocess.mean}, {card.preprocess.std}",
        "runs in": runs,
        "assumed": ", ".join(card.assumed),
    }
    say("\n".join(f"{word:10} {text}" for word, text in lines.items() if text))
    return 0


def _card(name: str, cards: tuple[Card, ...]) -> Card:
    return next(card for card in cards if card.name == name)


def _preprocess(args: argparse.Namespace, card: Card) -> Any:
    """The preprocessing with what was given; None where nothing was."""
    from explorer.networks.onnx import answers

    changed: dict[str, Any] = {}
    size = _size(args.size)
    steps = card.preprocess
    if size is not None or args.fit:
        fit = args.fit or answers.fit_of(card)
        steps = answers.sized(
            steps, size or answers.size_of(card), "stretch" if fit == answers.KEPT else fit
        )
    channels = card.preprocess.channels
    if args.range:
        scale = (None, None) if args.range == "1" else ((0.0,) * channels, (1 / 255,) * channels)
        changed["mean"], changed["std"] = scale
    if args.mean or args.std:
        if not (args.mean and args.std):
            raise ExplorerError("--mean and --std belong together.", "Give both.")
        changed["mean"] = _numbers("--mean", args.mean, channels)
        changed["std"] = _numbers("--std", args.std, channels)
    said = size is not None or args.fit or changed
    return replace(steps, **changed) if said else None


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    sides = text.lower().split("x")
    if len(sides) != 2 or not all(side.isdecimal() and 1 <= int(side) <= 8192 for side in sides):
        raise ExplorerError(f"--size {text} is not valid.", "It takes height x width: 640x640.")
    return int(sides[0]), int(sides[1])


def _numbers(option: str, text: str, count: int) -> tuple[float, ...]:
    try:
        values = tuple(float(word) for word in text.split(","))
    except ValueError:
        values = ()
    if len(values) != count or (option == "--std" and 0 in values):
        raise ExplorerError(f"{option} {text} is not valid.", f"It takes {count} numbers: 0.5,….")
    return values
