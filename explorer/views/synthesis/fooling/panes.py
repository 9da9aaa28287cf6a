"""What is drawn of an evolution: the grid of elites, three pictures compared, curves, a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.layers import Boxes, Curve, Pane, Picture, Plot, Table, Text, colors_apart
from explorer.views.shared.common import color, percent
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.features.mosaics import Tiling

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Layer, UInt8

CLOSE = 0.9
"""The probability from which a class counts as reached."""
LONGEST = 112
"""Of a picture in the grid, in cells."""
CAPTION, GAP = 0.36, 0.08
"""Below every picture of the grid and between them, in parts of its longer side."""
CAPTION_BESIDE = 0.1
LETTERS = 13
"""Of a class name in the grid."""
DARK: Color = (22, 22, 26)
WHITE: Color = (240, 240, 240)
GREEN: Color = (96, 214, 130)
ORANGE: Color = (255, 160, 40)
BLUE: Color = (90, 160, 250)
VIOLET: Color = (190, 130, 250)


@dataclass(frozen=True, slots=True, eq=False)
class Elite:
    """A picture that was kept.

    Attributes:
        key: Its name across redraws.
        label: The class that it was kept for.
        score: Its probability of that class.
        rgb: (H, W, 3) uint8.
        top: The most probable classes with their probabilities.
        born: The generation that it comes from, from 1.
        nodes: Of its CPPN; 0 = it has none.
    """

    key: int
    label: int
    score: float
    rgb: UInt8
    top: tuple[tuple[int, float], ...]
    born: int
    nodes: int


@dataclass(frozen=True, slots=True, eq=False)
class Climb:
    """The ascent: `rgb` (H, W, 3) uint8, `heights` (s,) float64 probabilities before every step."""

    label: int
    rgb: UInt8
    heights: NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A generation.

    Attributes:
        photo: (H, W, 3) uint8, the network's input.
        photo_shares: (C,) float32, its probabilities.
        elites: The most probable ones, the best first.
        history: (g, 3) float64: best, mean and median probability of every generation.
        reached: Members of the population with a probability of at least `CLOSE`.
        places: Members of the population.
        one: The class, where there is only one.
        climb: The gradient ascent.
        names: Of the classes.
        offspring: Of a generation.
    """

    photo: UInt8
    photo_shares: NDArray[np.float32]
    elites: tuple[Elite, ...]
    history: NDArray[np.float64]
    reached: int
    places: int
    one: str
    climb: Climb | None
    names: tuple[str, ...]
    offspring: int
    cache: DrawCache = field(default_factory=DrawCache)


def grid(result: Result, count: int, chosen: Elite) -> Pane:
    """The first `count` elites, each above its class and its probability."""
    elites = result.elites[:count]
    height, width = elites[0].rgb.shape[:2]
    shrink = min(1.0, LONGEST / max(height, width))
    size = (max(1, round(width * shrink)), max(1, round(height * shrink)))
    unit = max(size)
    gap, caption = max(1, round(GAP * unit)), max(1, round(CAPTION * unit))
    tiling = Tiling.of(len(elites), size[1] + caption + gap, size[0] + gap, aspect=1.0)
    corners = [tiling.corner(place) for place in range(len(elites))]

    def mosaic() -> Picture:
        whole = np.full((tiling.size[1], tiling.size[0], 3), DARK, np.uint8)
        for elite, (x, y) in zip(elites, corners, strict=True):
            small = cv2.resize(elite.rgb, size, interpolation=cv2.INTER_AREA)
            whole[y : y + size[1], x : x + size[0]] = small
        return Picture(whole, smooth=True, name="mosaic")

    boxes = np.array([(x, y, x + size[0], y + size[1]) for x, y in corners], np.float32)
    keys = tuple(elite.key for elite in elites)
    place = keys.index(chosen.key)
    texts = [
        _caption(result, elite, (x, y + size[1] + 0.02 * unit))
        for elite, (x, y) in zip(elites, corners, strict=True)
    ]
    return Pane(
        "elites",
        (float(tiling.size[0] - gap), float(tiling.size[1] - gap)),
        (
            result.cache.get(("grid", count), mosaic),
            _boxes(boxes, DARK, keys=keys, width=0.0, name="elites"),
            _boxes(boxes[place : place + 1], ORANGE, selectable=False, width=2.0, name="chosen"),
            *texts,
        ),
        title=f"{len(elites)} highest-scoring pictures",
        frame="elites",
        readout=_readout(result, elites, boxes),
    )


def _boxes(
    xyxy: NDArray[np.float32],
    tint: Color,
    *,
    width: float,
    name: str,
    keys: tuple[int, ...] = (),
    selectable: bool = True,
) -> Boxes:
    colors = np.full((len(xyxy), 3), tint, np.uint8)
    return Boxes(xyxy, colors, keys=keys, width=width, selectable=selectable, name=name)


def _caption(result: Result, elite: Elite, xy: tuple[float, float]) -> Text:
    name = _short(result.names[elite.label])
    words = percent(elite.score) if result.one else f"{name}\n{percent(elite.score)}"
    tint = GREEN if elite.score >= CLOSE else WHITE
    return Text(words, xy, color=tint, size=8.5, plate=False, name="caption")


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1].rstrip()}…"


def _readout(
    result: Result, elites: tuple[Elite, ...], boxes: NDArray[np.float32]
) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        inside = (boxes[:, 0] <= x) & (x < boxes[:, 2]) & (boxes[:, 1] <= y) & (y < boxes[:, 3])
        for place in np.flatnonzero(inside):
            elite = elites[place]
            return f"{result.names[elite.label]}: {elite.score:.4f}, generation {elite.born:,}"
        return ""

    return readout


def comparison(result: Result, chosen: Elite) -> Pane:
    """The chosen elite large, beside it the photo and the picture of the gradient ascent."""
    height, width = chosen.rgb.shape[:2]
    caption, gap = CAPTION_BESIDE * height, GAP / 2 * max(width, height)
    high = (height - 2 * caption - gap) / 2
    left, right = width + gap, width + gap + high * width / height
    top = int(result.photo_shares.argmax())
    second = high + caption + gap
    layers: list[Layer] = [
        _picture(result.cache.get("dark", _dark), (0.0, 0.0, right, float(height)), "backdrop"),
        _picture(chosen.rgb, (0.0, 0.0, float(width), float(height)), "elite"),
        _picture(result.photo, (left, 0.0, right, high), "photo"),
        _words("Photo", result.names[top], float(result.photo_shares[top]), (left, high)),
    ]
    if result.climb is not None:
        name, share = result.names[result.climb.label], float(result.climb.heights[-1])
        layers += [
            _picture(result.climb.rgb, (left, second, right, second + high), "ascent"),
            _words("Gradient ascent", name, share, (left, second + high)),
        ]
    return Pane(
        "comparison",
        (right, float(height)),
        (*layers, _key(result, chosen, float(height))),
        title=f"{result.names[chosen.label]}: {percent(chosen.score)}",
        frame="comparison",
    )


def _dark() -> UInt8:
    return np.full((1, 1, 3), DARK, np.uint8)


def _picture(rgb: UInt8, extent: tuple[float, float, float, float], name: str) -> Picture:
    return Picture(rgb, extent=extent, smooth=True, name=name)


def _words(what: str, name: str, share: float, xy: tuple[float, float]) -> Text:
    words = f"{what}\n{_short(name)} {percent(share)}"
    tint = GREEN if share >= CLOSE else WHITE
    return Text(words, xy, color=tint, size=8.0, plate=False, name="caption")


def _key(result: Result, chosen: Elite, below: float) -> Text:
    """The most probable classes on the picture, as on a classified photo."""
    lines = [f"{result.names[label]} {percent(share)}" for label, share in chosen.top]
    swatches = _tints(result, chosen)
    return Text("\n".join(lines), (0.0, below), size=9.0, swatches=swatches, name="top")


def _tints(result: Result, chosen: Elite) -> tuple[Color, ...]:
    """The colors of its most probable classes."""
    apart = colors_apart([label for label, _ in chosen.top], len(result.names))
    return tuple(color(tint) for tint in apart)


def curves(result: Result) -> Plot:
    """Best, mean and median probability of every generation, and that of the ascent."""
    numbers = np.arange(1.0, len(result.history) + 1)
    names = (("best", GREEN), ("mean", BLUE), ("median", VIOLET))
    found = [
        Curve(numbers, np.ascontiguousarray(result.history[:, column]), name, tint)
        for column, (name, tint) in enumerate(names)
    ]
    if result.climb is not None:
        heights = result.climb.heights
        found.append(Curve(numbers[: len(heights)], heights, "gradient ascent", ORANGE))
    over = "all pictures" if result.one else "all classes"
    return Plot(
        "confidence", f"Probability over {over}", "generation", "probability", curves=tuple(found)
    )


def top_classes(result: Result, chosen: Elite) -> Plot:
    bars = tuple(
        (result.names[label], share, tint)
        for (label, share), tint in zip(chosen.top, _tints(result, chosen), strict=True)
    )
    return Plot(
        "top", f"Top {len(bars)} of the large picture", "probability", bars=bars,
        bar_range=(0.0, 1.0),
    )  # fmt: skip


def table(result: Result, elites: tuple[Elite, ...]) -> Table:
    """The elites of the grid."""
    nodes = any(elite.nodes for elite in elites)
    columns = ("rank", "class", "probability", "generation", *(("nodes",) if nodes else ()))
    rows = tuple(
        (
            rank, result.names[elite.label], round(elite.score, 5), elite.born,
            *((elite.nodes,) if nodes else ()),
        )
        for rank, elite in enumerate(elites, start=1)
    )  # fmt: skip
    return Table(
        "elites", columns, rows, title="Highest-scoring pictures", layer="elites",
        keys=tuple(elite.key for elite in elites),
    )  # fmt: skip
