"""Activation maximization of all channels of a layer, as one mosaic."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Boxes, Link, Pane, Picture
from explorer.core.params import Effect, Pick, param
from explorer.core.step import Step
from explorer.core.storage.atomic import write_bytes
from explorer.core.storage.disk_cache import DiskCache
from explorer.engine.view import Group, Needs, View
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.synthesis.dreams import layer_param, require_layer
from explorer.views.synthesis.feature_atlas.shipped import SIZE, STEPS, shipped_tiles
from explorer.views.synthesis.feature_atlas.tiles import BATCH, channels_in, made
from explorer.vision.features.mosaics import Tiling
from explorer.vision.synthesis.octaves import SMALLEST_SIDE
from explorer.vision.synthesis.target import Target

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import UInt8
    from explorer.core.storage.disk_cache import Entry
    from explorer.engine.scene import Scene

EXPLANATION = r"""
Every tile is a picture, made from noise, that maximizes the mean activation of one channel of the
layer:

$$ x_k^* = \arg\max_x \; \mathrm{mean}_{i,j} \; a_{kij}(x) $$

**Reading it.** Channels of early layers respond to edges, colors and gratings; those in the middle
to textures and parts such as eyes, fur or wheels; late ones to parts of objects in many
arrangements. Black or gray tiles are channels that no picture could excite.

**Click on a tile** to see it large; click on the large picture to open *Feature maps* at this
channel, where you can see how it responds to your photo. *Activation maximization* takes the same
number for a larger picture with all settings.

The pictures are made 16 at a time and kept on disk: the next time they are there at once. Some
layers of EfficientNet-Lite0 come with the program.

**Sources.** Erhan, Bengio, Courville and Vincent 2009, *Visualizing Higher-Layer Features of a Deep
Network*; Olah, Mordvintsev and Schubert 2017, *Feature Visualization*.
"""

FORMAT = 1
"""Of what is kept on disk; another one when the pictures would become others."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    layer: str = layer_param(effect=Effect.COMPUTE)
    channel: int | None = param(
        None, "Channel", "The channel that is shown large: click a tile.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="tiles", low=0, high=65535,
    )  # fmt: skip
    most: int = param(512, "Channels at most", "The first channels are made.", low=1, high=8192)
    size: int = param(
        SIZE, "Tile size", "Side of a picture.", low=SMALLEST_SIDE, high=256, step=32,
        unit="px",
    )  # fmt: skip
    steps: int = param(STEPS, "Steps", "Steps of the optimizer.", low=1, high=1000)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`tiles` is (K, s, s, 3) uint8, of the first K channels; `count` is how many there will be."""

    tiles: UInt8
    count: int
    layer: str
    source: str
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    require_layer(params.layer)
    network, target = scene.network, Target.of(scene.network)
    usual = (params.size, params.steps, scene.seed) == (SIZE, STEPS, 0)
    shipped = shipped_tiles(network, params.layer) if usual else None
    if shipped is not None:
        found = shipped[: params.most]
        yield Step(Result(found, len(found), params.layer, "comes with the program"))
        return
    count = min(params.most, channels_in(target, network, params.layer, params.size))
    cache = DiskCache()
    entry = cache.entry(
        "feature-atlas", format=FORMAT, network=network.info.digest, layer=params.layer,
        size=params.size, steps=params.steps, seed=scene.seed,
    )  # fmt: skip
    tiles: list[UInt8] = []
    batches = -(-count // BATCH)
    for batch in range(batches):
        numbers = range(batch * BATCH, min(count, (batch + 1) * BATCH))
        known = _read(entry, batch, numbers, params.size)
        fresh = known is None
        steps = made(target, network, params.layer, numbers, params.size, params.steps, scene.seed)
        for step, pictures in enumerate(steps if known is None else [known], 1):
            known = pictures
            done = batch * params.steps + (step if fresh else params.steps)
            result = Result(
                np.stack([*tiles, *pictures]), count, params.layer, f"seed {scene.seed}"
            )
            note = f"channels {numbers.start} to {numbers.stop - 1} of {count}"
            yield Step(result, done, batches * params.steps, note)
        if known is not None:
            tiles.extend(known)
            if fresh:
                _write(entry, batch, known)
    with entry.filling() as mine:
        if mine and not entry.complete:
            cache.finish(entry)


def draw(result: Result, params: Params) -> Board:
    side = result.tiles.shape[1]
    tiling = Tiling.of(result.count, side + 1, side + 1)
    width, height = tiling.size
    sheet = result.cache.get("sheet", lambda: _sheet(result.tiles, tiling))
    boxes = tiling.boxes()[: len(result.tiles)]
    tiles = Boxes(boxes, np.full((len(boxes), 3), 255, np.uint8), width=0.0, name="tiles")

    def readout(x: float, y: float) -> str:
        place = tiling.at(x, y)
        return "" if place is None or place[0] >= len(boxes) else f"channel {place[0]}"

    panes = [
        Pane(
            "atlas", (float(width), float(height)), (sheet, tiles),
            title=f"What maximizes each channel of {result.layer}", frame="atlas", readout=readout,
        )
    ]  # fmt: skip
    if params.channel is not None and params.channel < len(result.tiles):
        picture = Picture(result.tiles[params.channel], smooth=True, name="tile")
        title = f"Channel {params.channel}"
        size = (float(side), float(side))
        link = Link(
            "feature_maps", {"layer": result.layer, "channel": params.channel},
            f"Open channel {params.channel} in Feature maps",
        )  # fmt: skip
        panes.append(Pane("tile", size, (picture,), title=title, frame="tile", link=link))
    return Board(
        panes=tuple(panes),
        summary=f"{result.layer}: {_note(result.tiles, result.count)} · {result.source}",
    )


def _sheet(tiles: UInt8, tiling: Tiling) -> Picture:
    side, (width, height) = tiles.shape[1], tiling.size
    pixels = np.full((height, width, 3), 32, np.uint8)
    for tile, picture in enumerate(tiles):
        x, y = tiling.corner(tile)
        pixels[y : y + side, x : x + side] = picture
    return Picture(pixels, name="atlas")


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `tiles` (K, s, s, 3) uint8 of channels 0 to K - 1, and `layer`."""
    return {"tiles": result.tiles, "layer": result.layer}


def _note(tiles: list[UInt8] | UInt8, count: int) -> str:
    return f"{len(tiles)} of {count} channels"


def _read(entry: Entry, batch: int, numbers: range, side: int) -> UInt8 | None:
    """The tiles of a batch that were kept; a damaged file counts as missing."""
    path = entry.file(f"{batch}.npz")
    try:
        with np.load(path, allow_pickle=False) as archive:
            tiles: UInt8 = archive["tiles"]
    except (OSError, ValueError, KeyError, EOFError):
        return None
    good = tiles.dtype == np.uint8 and tiles.shape[1:] == (side, side, 3)
    return tiles[: len(numbers)] if good and len(tiles) >= len(numbers) else None


def _write(entry: Entry, batch: int, tiles: UInt8) -> None:
    with entry.filling() as mine:
        if mine:
            file = io.BytesIO()
            np.savez_compressed(file, tiles=tiles)
            write_bytes(entry.file(f"{batch}.npz"), file.getvalue())


VIEW = View(
    name="feature_atlas",
    title="Feature atlas",
    group=Group.SYNTHESIS,
    summary="What every channel of a layer responds to most: one picture each, as a mosaic.",
    explanation=EXPLANATION,
    reference="Olah, Mordvintsev and Schubert 2017, Feature Visualization",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.NETWORK,
)
