"""A classifier on every window of the photo: crop by crop, sliding, and in one pass."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board, Boxes, Heat, Pane, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.networks.preprocess import Frame
from explorer.views.shared.common import class_choices, class_name, percent, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.windows import cell_words, difference_limit
from explorer.vision.dense.convolutional import multiply_adds, padded_layers
from explorer.vision.dense.grids import CellGrid
from explorer.vision.dense.windows import (
    Windows,
    class_probabilities,
    convolutional_form,
    cut_out,
    finite,
    resized,
)
from explorer.vision.features.classification import class_scores
from explorer.vision.features.classifier import CHUNK

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from torch import Tensor, nn

    from explorer.core.layers import Float32, Picture
    from explorer.engine.scene import Scene
    from explorer.vision.dense.convolutional import FullyConvolutional

EXPLANATION = r"""
A classifier takes a picture of one size, its **window**, and gives one vector of scores. On a
larger photo it can say where things are, in three ways:

- **Crop-wise**: the photo is cut into tiles, and each is classified. Objects on a border are
  split between tiles.
- **Sliding**: the window moves by the network's stride, the number of pixels between cells of its
  last map. Neighboring windows overlap by most of their area, so nearly everything is computed
  many times.
- **Convolutional**: a fully connected layer on a map of $n \times n$ cells is a convolution with a
  kernel of $n \times n$ cells. Written this way the network takes a picture of any size and gives a
  *map* of scores in one pass, a cell for every window of the sliding way:

$$ z_{kij} = b_k + \sum_{c,u,v} W_{kcuv} \, x_{c,\,i+u,\,j+v} $$

A network that averages its last map before the linear layer averages over $n \times n$ cells at
every place instead, and its linear layer becomes a convolution of $1 \times 1$.

**Reading it.** Move the mouse: the frame is the window of the cell there, and the status bar gives
its scores in each way. The pane *Heat map* shows the coarse map enlarged bilinearly over the photo;
a cell is drawn in the middle of its window, so the rim of half a window has none, unless *Windows
over the edge* adds a border. *Class* chooses what is shown; the table lists the classes with the
largest probability anywhere.

**Are they equal?** Without padding, a window's score is the same number in both ways. But most
networks pad with zeros: at the edges of a cropped window there are zeros, where the whole photo has
the neighboring pixels. The pane *Difference* shows the score of the class in one pass, minus that
of the cropped window. It is no error of either: the network was trained on pictures with zeros
around them. Squeeze-and-excitation, which averages over all of its input, adds to it.

**Cost.** The table has the number of crops, the multiply-adds of convolutions and matrix products,
and the time measured here.

**Sources.** Long, Shelhamer and Darrell 2015, *Fully Convolutional Networks*, section 3.1;
Sermanet et al. 2014, *OverFeat*, section 3.5 (with extra computation for a larger picture).
"""

BEST = "the most probable"
LISTED = 8
"""Classes in the table."""
ORANGE = (255, 150, 30)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    label: str = param(
        BEST, "Class", "The class whose probability is shown everywhere.",
        effect=Effect.DRAW, choices=class_choices(BEST),
    )  # fmt: skip
    scale: float = param(
        2.0, "Photo size, windows",
        "Short side of the photo, in windows: larger photos show smaller objects and take longer.",
        low=1.0, high=8.0, step=0.25,
    )  # fmt: skip
    border: bool = param(
        False,
        "Windows over the edge",
        "Adds half a window of the mean color around the photo, so that the maps cover all of it.",
    )
    crops: bool = param(
        True,
        "Crop every window",
        "Classifies all windows one by one, too, to compare results and cost; left off in films.",
    )
    opacity: float = param(
        0.75, "Opacity", "Opacity of the maps over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "Shows the window of the cell under the mouse.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one way; `crops` is 1 for the whole photo. None = not measured."""

    crops: int
    multiply_adds: int
    seconds: float | None


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Scores of all windows.

    Attributes:
        photo: Itself.
        classes: Names by index.
        window: Side of a window, `stride` between them, in pixels of the resized photo.
        stride: See `window`.
        size: Height and width of the resized photo.
        to_input: From the photo to the resized one.
        scores: (C, h, w) float32, logits of one pass.
        cropped: (C, h, w) float32, logits of the cropped windows; NaN where not computed.
        every: Cells between tiles that lie side by side.
        rim: Cells before the first tile, over the edge.
        padded: How many layers pad with zeros.
        cropwise: What the three ways cost.
        sliding: See `cropwise`.
        whole: See `cropwise`.
    """

    photo: Picture
    classes: tuple[str, ...]
    window: int
    stride: int
    size: tuple[int, int]
    to_input: Frame
    scores: Float32
    cropped: Float32
    every: int
    rim: int
    padded: int
    cropwise: Cost
    sliding: Cost
    whole: Cost
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    @property
    def windows(self) -> Windows:
        """Where the windows are."""
        rows, columns = self.scores.shape[1:]
        return Windows(self.to_input, self.window, self.stride, rows, columns)

    @property
    def cells(self) -> CellGrid:
        """The cells of the maps, each in the middle of its window."""
        return self.windows.cells

    @property
    def tiles(self) -> tuple[slice, slice]:
        """The rows and columns of the windows that lie side by side on the photo."""
        return _tiles(self.scores, self.every, self.rim)

    @property
    def tiled(self) -> CellGrid:
        """The tiles over the photo."""
        rows, columns = self.scores[0][self.tiles].shape
        step, rim = 1 / (self.every * self.stride), self.rim / self.every
        return CellGrid(self.to_input.then(Frame(step, step, -rim, -rim)), rows, columns)

    @property
    def known(self) -> int:
        """How many windows were cropped."""
        return int(np.isfinite(self.cropped[0]).sum())


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    network = scene.network
    full = convolutional_form(network, scene.input())
    rim = _rim(full) if params.border else 0
    short = round(params.scale * full.window)
    values, to_input = resized(network, scene.image.pixels, short, rim * full.stride)
    start = perf_counter()
    scores = finite(full.scores(values)[0])
    seconds = perf_counter() - start
    rows, columns = scores.shape[1:]
    every = -(-full.window // full.stride)
    macs = network.memo(
        ("multiply-adds", full.window),
        lambda: _count(lambda: network.module(values[..., : full.window, : full.window])),
    )
    every_cell = np.arange(rows * columns).reshape(rows, columns)
    tiles = every_cell[_tiles(scores, every, rim)].ravel().tolist()
    others = np.setdiff1d(every_cell, tiles).tolist()
    result = Result(
        photo=photo_of(scene),
        classes=network.info.classes,
        window=full.window,
        stride=full.stride,
        size=(int(values.shape[-2]), int(values.shape[-1])),
        to_input=to_input,
        scores=scores,
        cropped=np.full_like(scores, np.nan),
        every=every,
        rim=rim,
        padded=len(padded_layers(network.module)),
        cropwise=Cost(len(tiles), len(tiles) * macs, None),
        sliding=Cost(rows * columns, rows * columns * macs, None),
        whole=Cost(1, _count(lambda: full.scores(values)), seconds),
    )
    wanted = params.crops and scene.moment is None
    total = 1 + (len(tiles) + len(others) if wanted else 0)
    yield Step(result, 1, total, "one pass")
    if not wanted:
        return
    spent, done = 0.0, 1
    for cells, name in ((tiles, "tiles"), (others, "windows")):
        for first in range(0, len(cells), CHUNK):
            some = [divmod(cell, columns) for cell in cells[first : first + CHUNK]]
            start = perf_counter()
            found = _cropped(network.module, cut_out(values, full.window, full.stride, some))
            spent += perf_counter() - start
            cropped = result.cropped.copy()
            for (row, column), vector in zip(some, found, strict=True):
                cropped[:, row, column] = vector
            result = replace(result, cropped=cropped, cache=DrawCache(12))
            done += len(some)
            if name == "tiles" and first + CHUNK >= len(cells):
                result = replace(result, cropwise=replace(result.cropwise, seconds=spent))
            if done == total:
                result = replace(result, sliding=replace(result.sliding, seconds=spent))
            yield Step(result, done, total, name)


def _rim(full: FullyConvolutional) -> int:
    """Cells of a border with which every pixel is in the middle of a window."""
    return -(-(full.window - full.stride) // (2 * full.stride))


@torch.no_grad()
def _cropped(module: nn.Module, windows: Tensor) -> Float32:
    """(n, classes) logits of windows."""
    return finite(class_scores(module(windows)))


def _tiles(scores: Float32, every: int, rim: int) -> tuple[slice, slice]:
    rows, columns = scores.shape[1:]
    return slice(rim, rows - rim, every), slice(rim, columns - rim, every)


@torch.no_grad()
def _count(run: Callable[[], object]) -> int:
    return multiply_adds(run)


def draw(result: Result, params: Params) -> Board:
    label = result.cache.get(("label", params.label), lambda: _label(result, params.label))
    one, crops = _probability(result, label)
    cells, opacity, size = result.cells, params.opacity, size_of(result.photo)
    at = _cell(result, params.at, one)
    window = Boxes(
        result.windows.box(*at), np.array([ORANGE], np.uint8), selectable=False, name="window"
    )
    readout = _readout(result, label, one, crops)

    # One scale for all, in steps of a tenth: it must not change with every window that comes.
    high = np.ceil(10 * max(float(one.max()), float(np.nanmax(crops, initial=0.0)))) / 10 or 0.1

    def heat(name: str, values: Float32, place: CellGrid, *, over: bool = False) -> Heat:
        def make() -> Heat:
            return Heat(
                values, 0.0, high, "viridis", extent=place.extent, opacity=opacity, smooth=over,
                alpha_by_value=over, unit="probability", name=name,
            )  # fmt: skip

        return result.cache.get((name, label, opacity), make)

    def pane(name: str, title: str, *layers: Any) -> Pane:
        return Pane(name, size, (result.photo, *layers, window), title=title, readout=readout)

    name = class_name(result.classes, label)
    rows, columns = one.shape
    panes = [
        pane("image", f"Heat map: {name}", heat("heat map", one, cells, over=True)),
        pane(
            "convolutional",
            f"Convolutional: {columns} x {rows} cells",
            heat("one pass", one, cells),
        ),
    ]
    if result.known:
        tiles = crops[result.tiles]
        title = f"Crop-wise: {quantity(tiles.size, 'tile')}"
        panes.append(pane("tiles", title, heat("tiles", tiles, result.tiled)))
        title = f"Sliding: {result.known} of {quantity(one.size, 'window')}"
        panes.append(pane("sliding", title, heat("sliding", crops, cells)))
        panes.append(pane("difference", "Difference", _difference(result, label, opacity)))
    return Board(
        panes=tuple(panes),
        plots=(_plot(result),),
        tables=(_costs(result), _found(result)),
        summary=_summary(result, label, one),
    )


def _label(result: Result, label: str) -> int:
    if label in result.classes:
        return result.classes.index(label)
    return int(class_probabilities(result.scores).max(axis=(1, 2)).argmax())


def _probability(result: Result, label: int) -> tuple[Float32, Float32]:
    """(h, w) of a class: in one pass, and of the cropped windows."""

    def make() -> tuple[Float32, Float32]:
        return class_probabilities(result.scores)[label], class_probabilities(result.cropped)[label]

    return result.cache.get(("probability", label), make)


def _difference(result: Result, label: int, opacity: float) -> Heat:
    def make() -> Heat:
        values = result.scores[label] - result.cropped[label]
        high = difference_limit(values)
        return Heat(
            values, -high, high, "coolwarm", extent=result.cells.extent, opacity=opacity,
            unit="logit", name="difference",
        )  # fmt: skip

    return result.cache.get(("difference", label, opacity), make)


def _cell(result: Result, at: Point | None, one: Float32) -> tuple[int, int]:
    """The cell under the mouse, or else that of the largest probability."""
    found = None if at is None else result.cells.cell(at.x, at.y)
    if found is None:
        row, column = np.unravel_index(int(one.argmax()), one.shape)
        return int(row), int(column)
    return found


def _readout(
    result: Result, label: int, one: Float32, crops: Float32
) -> Callable[[float, float], str]:
    def readout(x: float, y: float) -> str:
        cell = result.cells.cell(x, y)
        if cell is None:
            return "no window has its middle here"
        return cell_words(cell, label, result.classes, result.scores, (one, crops))

    return readout


def _ways(result: Result) -> tuple[tuple[str, Cost], ...]:
    return (
        ("crop-wise", result.cropwise),
        ("sliding", result.sliding),
        ("convolutional", result.whole),
    )


def _plot(result: Result) -> Plot:
    tints = ((110, 120, 140), (90, 160, 250), ORANGE)
    bars = tuple(
        (name, cost.multiply_adds / 1e9, tint)
        for (name, cost), tint in zip(_ways(result), tints, strict=True)
    )
    return Plot("cost", "Multiply-adds in billions", bars=bars)


def _costs(result: Result) -> Table:
    rows = []
    for name, cost in _ways(result):
        seconds = "not measured" if cost.seconds is None else f"{cost.seconds:.3f} s"
        windows = result.scores[0].size if name == "convolutional" else cost.crops
        each = f"{cost.multiply_adds / windows / 1e9:.4f}"
        rows.append((name, windows, cost.crops, f"{cost.multiply_adds / 1e9:.2f}", each, seconds))
    columns = ("way", "windows", "passes", "billion multiply-adds", "per window", "time")
    return Table("cost", columns, tuple(rows), title="Cost of each way")


def _found(result: Result) -> Table:
    """The classes with the largest probability of any window."""

    def make() -> Table:
        shares, crops = class_probabilities(result.scores), class_probabilities(result.cropped)
        best = shares.max(axis=(1, 2))
        rows = []
        for label in np.argsort(-best, kind="stable")[:LISTED].tolist():
            row, column = divmod(int(shares[label].argmax()), shares.shape[2])
            cropped = float(crops[label, row, column])
            rows.append(
                (
                    class_name(result.classes, label), percent(float(best[label])),
                    percent(cropped) if np.isfinite(cropped) else "", f"row {row}, column {column}",
                )
            )  # fmt: skip
        columns = ("class", "largest in one pass", "the same window cropped", "cell")
        return Table("classes", columns, tuple(rows), title="Classes found")

    return result.cache.get("classes", make)


def _summary(result: Result, label: int, one: Float32) -> str:
    rows, columns = one.shape
    words = [
        f"{class_name(result.classes, label)} up to {percent(float(one.max()))}",
        f"{columns} x {rows} windows of {result.window} px, stride {result.stride}",
        f"one pass: {result.sliding.multiply_adds / result.whole.multiply_adds:.1f} x fewer "
        "multiply-adds than sliding",
    ]
    if result.known == one.size:
        largest = float(np.abs(result.scores - result.cropped).max())
        same = float((result.scores.argmax(axis=0) == result.cropped.argmax(axis=0)).mean())
        reason = (
            f"{quantity(result.padded, 'layer')} with padding" if result.padded else "no padding"
        )
        words.append(
            f"scores differ by up to {largest:.2g} ({reason}), top classes agree in {same:.0%}"
        )
    return " · ".join(words)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The maps.

    Keys: `classes`, `window` and `stride` in pixels of the resized photo, `size` (h, w) of it,
    `scores` and `cropped` (C, h, w) float32 logits (NaN = not cropped), `extent` (x0, y0, x1, y1 of
    the maps in the photo's pixels), `class` and `probability` (h, w) float32 of the chosen one,
    `multiply_adds` of the ways by name.
    """
    label = _label(result, params.label)
    return {
        "classes": list(result.classes),
        "window": result.window,
        "stride": result.stride,
        "size": result.size,
        "scores": result.scores,
        "cropped": result.cropped,
        "extent": result.cells.extent,
        "class": class_name(result.classes, label),
        "probability": _probability(result, label)[0],
        "multiply_adds": {name: cost.multiply_adds for name, cost in _ways(result)},
    }


VIEW = View(
    name="classifier_to_fcn",
    title="Classifier to FCN",
    group=Group.SEGMENTATION,
    summary="A classifier on every window of the photo: tile by tile, sliding, and in one pass.",
    explanation=EXPLANATION,
    reference="Long, Shelhamer and Darrell 2015, Fully Convolutional Networks, section 3.1",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification"}),
    data=data,
    film=True,
)
