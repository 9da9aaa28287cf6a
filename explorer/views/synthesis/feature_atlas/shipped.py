"""Atlases that come with the program: JPEG sheets that say which weights they were made from.

python -m explorer.views.synthesis.feature_atlas.shipped FOLDER LAYER [LAYER …]
"""

from __future__ import annotations

import argparse
import hashlib
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from explorer.core.network_info import NetworkSpec
from explorer.core.resources import resource_path
from explorer.core.storage.atomic import write_bytes
from explorer.networks.catalog import load
from explorer.views.synthesis.feature_atlas.tiles import BATCH, channels_in, made
from explorer.vision.synthesis.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import UInt8
    from explorer.core.step import Step
    from explorer.networks.network import Network

FOLDER = "atlas"
"""In the resources."""

NETWORK = "efficientnet-lite0"
SIZE, STEPS = 64, 96
"""Of the tiles, and of the optimizer."""


def name_of(layer: str) -> str:
    """The file of a layer."""
    return f"{NETWORK}-{layer}.jpg"


def tiles_in(path: Path, network: Network) -> UInt8 | None:
    """(K, SIZE, SIZE, 3) of the sheet at `path`, if it is there and of these weights."""
    if not os.path.isfile(path):
        return None
    with Image.open(path) as sheet:
        mark, _, count = sheet.info.get("comment", b"").partition(b" ")
        if mark != mark_of(network) or not count.isdigit():
            return None
        pixels = np.asarray(sheet.convert("RGB"))
    rows = pixels.reshape(-1, SIZE, BATCH, SIZE, 3)
    tiles = rows.transpose(0, 2, 1, 3, 4).reshape(-1, SIZE, SIZE, 3)
    found: UInt8 = np.ascontiguousarray(tiles[: int(count)])
    return found


def shipped_tiles(network: Network, layer: str) -> UInt8 | None:
    """Those of this layer, if they come with the program."""
    return tiles_in(resource_path(FOLDER, name_of(layer)), network)


def sheet_file(tiles: UInt8, network: Network) -> bytes:
    """A JPEG of (K, s, s, 3) tiles, `BATCH` in a row, with the weights' mark and K as comment."""
    count, side = tiles.shape[:2]
    rows = -(-count // BATCH)
    grid = np.full((rows * BATCH, side, side, 3), 32, np.uint8)
    grid[:count] = tiles
    grid = grid.reshape(rows, BATCH, side, side, 3)
    pixels = grid.transpose(0, 2, 1, 3, 4).reshape(-1, BATCH * side, 3)
    file, comment = io.BytesIO(), mark_of(network) + f" {count}".encode("ascii")
    Image.fromarray(pixels).save(file, "JPEG", quality=82, comment=comment)
    return file.getvalue()


def mark_of(network: Network) -> bytes:
    """Of the weights: a digest in ASCII."""
    return hashlib.sha256(network.info.digest.encode()).hexdigest().encode("ascii")


def _loaded(loading: Generator[Step[None], Any, Network]) -> Network:
    while True:
        try:
            next(loading)
        except StopIteration as end:
            network: Network = end.value
            return network


def main() -> None:
    """Make the sheets of some layers."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("layers", nargs="+")
    args = parser.parse_args()
    network = _loaded(load(NetworkSpec(NETWORK)))
    target = Target.of(network)
    for layer in args.layers:
        count = channels_in(target, network, layer, SIZE)
        tiles = []
        for start in range(0, count, BATCH):
            numbers = range(start, min(count, start + BATCH))
            *_, last = made(target, network, layer, numbers, SIZE, STEPS, 0)
            tiles.append(last)
        args.folder.mkdir(parents=True, exist_ok=True)
        write_bytes(args.folder / name_of(layer), sheet_file(np.concatenate(tiles), network))


if __name__ == "__main__":
    main()
