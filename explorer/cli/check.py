"""`explorer check FILE…`: what is in files of weights and of networks, and what they may be of."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.cli.console import columns, complain, say, table
from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    import argparse


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "check",
        help="say what is in a file of weights or of a network",
        description="Say what is in a file of weights: its tensors, the names of its classes, and "
        "the networks that it fits, with what is missing or unknown; and what is in an ONNX file: "
        "its inputs, outputs, operators and task. No code in a file is executed.",
    )
    parser.add_argument(
        "files", nargs="+", metavar="FILE", help="a .pth, .pt, .safetensors or .onnx file"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """Say it of each file; 2 when one of them cannot be read, 1 when one fits no network."""
    from explorer.networks import catalog

    status, found = 0, []
    for file in args.files:
        try:
            inspected = catalog.inspect(Path(file).expanduser())
        except ExplorerError as error:
            complain(error)
            status = 2
            continue
        if not inspected.usable:
            status = max(status, 1)
        found.append(asdict(inspected))
        if not args.json:
            say(f"{table(list(inspected.lines()), indent=0, width=columns())}\n")
    if args.json:
        say(json.dumps(found, ensure_ascii=False, indent=1))
    return status
