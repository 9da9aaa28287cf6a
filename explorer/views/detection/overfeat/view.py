"""OverFeat: every window of the photo in one pass, with a box each, merged over several sizes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, NetworkRef, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.detection.overfeat import computing, panes, tables
from explorer.views.detection.overfeat.result import BEST, Level, Result
from explorer.views.shared.common import class_choices, class_name, percent, photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.dense.convolutional import padded_layers

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A classifier with a fixed **window** needs a forward pass for every window of a photo. But its
convolutions take inputs of any size, and a fully connected layer on a map of $n \times n$ cells is
a convolution with a kernel of $n \times n$ cells. So the same network, with the same weights, takes
the whole photo and computes a **map of scores**: a cell for every window, at steps of the network's
stride. A network that averages its last map before the linear layer
averages over $n \times n$ cells at every place instead.

**Scores.** Move the mouse over the photo: the orange frame is the window, and its cell lights up in
the score map; a click keeps it. The third pane shows the maps of every stage, with their sides in
cells for one window and for the photo: blue is what one window takes, yellow what the larger photo
adds. Windows overlap, so they share nearly all of it.

**Boxes.** A regressor on the same last map predicts a box for every window, also convolutionally.
Localization networks have one of their own; for a classifier, *Box regressor* names a localization
network with the same windows. The photo is computed at several **sizes**, so that the one window
fits small and large objects. The boxes of all sizes are then merged, OverFeat's way instead of NMS:

1. take the two boxes that match best,
2. stop if their match score is above the *Merge limit*,
3. else replace them by the mean of their coordinates, with the sum of their scores, and repeat.

A box that many windows predict gets a high score; that of a single wrong window stays low. The
match score here is the distance between the centers in units of the mean diagonal, plus
$1 - \mathrm{IoU}$:

$$ m(a, b) = \frac{2 \, \rho(a, b)}{d_a + d_b} + 1 - \mathrm{IoU}(a, b) $$

(The paper adds the distance and the intersection area in pixels.)

**Crop by crop.** All windows are also classified one by one. Without padding both ways give the
same numbers. With padding they do not: at the edges of a cropped window there are zeros, where the
whole photo has the neighboring pixels. Border cells of the photo share some of these zeros with
their crops, interior cells share none. *Last map* shows where in the chosen window the two differ:
only in the outer cells, next to the zeros, if the network is shallow; in all of them if the
receptive fields are as large as the window, as those of EfficientNet-Lite0 are. It is no error of
either: the network was trained on pictures with zeros around them.

**Finer steps** repeats the pass with the photo moved by fractions of the stride, and interleaves
the cells, as OverFeat does with the offsets of its last pooling.

**Sources.** Sermanet et al. 2014, *OverFeat*, sections 3.3 (offsets), 3.5 and figure 5 (one pass),
4.1 to 4.3 (boxes and merging); Long et al. 2015, *Fully Convolutional Networks*, section 3.1.
"""

SCORES, BOXES, COMPARISON = SHOW = ("scores", "boxes", "crop by crop")
REGRESSOR = NetworkRef("lite-boxes-conv")


def _shows(choice: str) -> Any:
    return lambda params, _info: params.show == choice


def _without_boxes(_params: Any, info: NetworkInfo | None) -> bool:
    return info is None or info.task != "localization"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    show: str = param(
        SCORES, "Show",
        "Scores of all windows and what they cost; the boxes of the windows and their merging; or "
        "the comparison with every window cropped and classified one by one.",
        effect=Effect.DRAW, choices=SHOW,
    )  # fmt: skip
    label: str = param(
        BEST, "Class", "The class whose probability is shown everywhere.",
        effect=Effect.DRAW, choices=class_choices(BEST),
    )  # fmt: skip
    level: int = param(
        2, "Size shown", "Which size of the photo is shown, 1 the smallest.",
        effect=Effect.DRAW, low=1, high=6,
    )  # fmt: skip
    scales: int = param(
        3, "Sizes", "At how many sizes the photo is computed.",
        low=1, high=6, section="Sizes of the photo",
    )  # fmt: skip
    smallest: float = param(
        1.0, "Smallest, windows", "Short side of the smallest photo, in windows.",
        low=1.0, high=4.0, step=0.25, section="Sizes of the photo",
    )  # fmt: skip
    growth: float = param(
        1.4, "Growth", "Each size is larger than the one before by this factor.",
        low=1.1, high=2.0, step=0.05, section="Sizes of the photo",
    )  # fmt: skip
    finer: int = param(
        1, "Finer steps", "Cells per stride: 2 takes four passes and has four times as many cells. "
        "A number that does not divide the stride is made smaller.",
        low=1, high=4, section="Sizes of the photo",
    )  # fmt: skip
    regressor: NetworkRef = param(
        REGRESSOR, "Box regressor", "The localization network that predicts a box for each window.",
        tasks=frozenset({"localization"}), when=_without_boxes,
    )  # fmt: skip
    least: float = param(
        0.1, "Min. probability", "Windows with a lower probability of the class give no box.",
        effect=Effect.DRAW, low=0.0, high=1.0, when=_shows(BOXES),
    )  # fmt: skip
    limit: float = param(
        0.8, "Merge limit", "Two boxes are merged up to this match score: 0 = the same box, above "
        "1 = no overlap.",
        effect=Effect.DRAW, low=0.0, high=2.0, when=_shows(BOXES),
    )  # fmt: skip
    merging: float = param(
        100.0, "Merges done", "Plays the merging, from all boxes to those that are left.",
        effect=Effect.DRAW, low=0.0, high=100.0, step=1.0, unit="%", play=True,
        when=_shows(BOXES),
    )  # fmt: skip
    crops: bool = param(
        True,
        "Crop every window",
        "Classifies all windows one by one, too, to compare results and cost; not in films.",
    )
    opacity: float = param(
        0.75, "Opacity", "Opacity of the maps over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    place: Point | None = param(
        None, "Window", "Click on the photo: the window there. By default the highest-scoring one.",
        effect=Effect.DRAW, pick=Pick.CLICK,
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "Shows the window under the mouse.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True,
    )  # fmt: skip


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info, pixels = scene.network.info, scene.image.pixels
    other = params.regressor if _without_boxes(params, info) else None
    parts = computing.parts_of(scene, other, params.finer)
    full = parts.full
    window = scene.input()[..., : full.window, : full.window]
    stages, one = computing.one_window(parts, window)
    result = Result(
        photo=photo_of(scene),
        classes=info.classes,
        window=full.window,
        stride=full.stride,
        stages=stages,
        padded=len(padded_layers(scene.network.module)),
        one=one,
        regressor=parts.boxes_of.info.title if parts.boxes_of is not None else "",
        reason=parts.reason,
        per_class=parts.per_class,
        levels=(),
    )
    shorts = computing.shorts_of(full.window, params.smallest, params.growth, params.scales)
    known = scene.memo(("overfeat", other, parts.step), dict[int, Level])
    crops = params.crops and scene.moment is None
    levels: list[Level] = []
    for number, short in enumerate(shorts):
        if short not in known:
            known[short] = computing.level_of(parts, pixels, short, stages)
        levels.append(known[short])
        result = replace(result, levels=tuple(levels), cache=DrawCache(24))
        if number < len(shorts) - 1:
            yield Step(result, number + 1, len(shorts), "sizes of the photo")
    total = sum(level.windows.count for level in levels)
    done = sum(level.windows.count for level in levels if level.compared)
    if not crops:
        yield Step(result)
        return
    yield Step(result, done, total, "windows, one by one")
    shown = min(params.level, len(shorts)) - 1
    for number in sorted(range(len(shorts)), key=lambda k: abs(k - shown)):
        if levels[number].compared:
            continue
        before = done
        best = divmod(
            int(result.shares(result.label(params.label))[number].argmax()),
            levels[number].windows.columns,
        )
        for level in computing.compared(parts, pixels, shorts[number], levels[number], best):
            levels[number] = level
            done = before + int(level.known.sum())
            result = replace(result, levels=tuple(levels), cache=DrawCache(24))
            yield Step(result, done, total, "windows, one by one")
        known[shorts[number]] = levels[number]


def draw(result: Result, params: Params) -> Board:
    label = result.label(params.label)
    number = min(params.level, len(result.levels)) - 1
    level = result.levels[number]
    here = params.at or params.place
    if here is None:
        best = int(result.shares(label)[number].argmax())
        row, column = divmod(best, level.windows.columns)
    else:
        row, column = level.windows.nearest(here.x, here.y)
    look = panes.Look(label, number, (row, column), params.opacity)
    listed = [tables.levels_table(result, label)]
    words = [_summary(result, level, label)]
    if params.show == BOXES:
        found = result.candidates(label, params.least)
        merges = round(found.merges.until(params.limit) * params.merging / 100)
        shown = [
            panes.boxes_pane(result, look, found), panes.merged_pane(result, look, found, merges)
        ]  # fmt: skip
        listed.insert(0, tables.merged_table(found, merges))
        words.append(f"boxes of {result.regressor}" if result.regressor else "boxes = windows")
    elif params.show == COMPARISON:
        shown = [
            panes.difference_pane(result, look),
            panes.difference_cells_pane(result, look),
            panes.last_map_pane(result, look),
        ]
        listed.insert(0, tables.difference_table(level))
        words.append(_compared(result, level))
    else:
        shown = [
            panes.score_pane(result, look),
            panes.cells_pane(result, look),
            panes.stages_pane(result, look),
        ]
        words.append(_cost(result, level))
    return Board(
        panes=tuple(shown),
        plots=tables.cost_plots(result, level),
        tables=tuple(listed),
        summary=" · ".join(words),
        notes=_notes(result, params),
    )


def _summary(result: Result, level: Level, label: int) -> str:
    name, columns, rows = (
        class_name(result.classes, label),
        level.windows.columns,
        level.windows.rows,
    )
    highest = max(float(each.max()) for each in result.shares(label))
    return (
        f"{name} up to {percent(highest)} · {columns} x {rows} windows of {result.window} px, "
        f"{level.windows.step} px apart"
    )


def _cost(result: Result, level: Level) -> str:
    crops = level.windows.count * result.one
    return f"one pass: {crops / level.multiply_adds:.1f} x fewer multiply-adds than crop by crop"


def _compared(result: Result, level: Level) -> str:
    known = int(level.known.sum())
    if not level.compared:
        return f"{known} of {quantity(level.windows.count, 'window')} cropped"
    largest = float(np.abs(level.difference).max())
    why = "no layer pads, so both ways are equal up to rounding"
    if result.padded:
        why = f"{quantity(result.padded, 'layer')} with padding"
    return f"logits differ by up to {largest:.2g}: {why}"


def _notes(result: Result, params: Params) -> tuple[str, ...]:
    if params.show != BOXES or result.regressor:
        return ()
    return (f"Each box is its window: {result.reason}.",)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The maps of every size of the photo, and the boxes of the class.

    Keys: `classes`, `class` the chosen one, `window` and `stride` in pixels of the resized photos,
    `step` between windows, `sizes` (n, 2) int64 height and width of the photos, `boxes` (N, 4)
    float32 xyxy in the photo's pixels with their `scores` (N,), merged up to the limit; and for
    every size, counted from 1: `scores_1` and `cropped_1` (C, rows, columns) float32 logits
    (NaN = not cropped), `extent_1` x0, y0, x1, y1 of these maps in the photo's pixels.
    """
    label = result.label(params.label)
    found = result.candidates(label, params.least)
    rows = found.merges.alive(found.merges.until(params.limit))
    taken: dict[str, Any] = {
        "classes": list(result.classes),
        "class": class_name(result.classes, label),
        "window": result.window,
        "stride": result.stride,
        "step": result.levels[0].windows.step,
        "sizes": np.array([level.size for level in result.levels], np.int64),
        "boxes": found.merges.boxes[rows],
        "scores": found.merges.scores[rows],
    }
    for number, level in enumerate(result.levels, start=1):
        taken[f"scores_{number}"] = level.scores
        taken[f"cropped_{number}"] = level.cropped
        taken[f"extent_{number}"] = level.windows.cells.extent
    return taken


VIEW = View(
    name="overfeat",
    title="OverFeat",
    group=Group.DETECTION,
    summary="A classifier on all windows of the photo in one pass, with boxes that are merged.",
    explanation=EXPLANATION,
    reference="Sermanet et al. 2014, OverFeat",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization"}),
    data=data,
    film=True,
)
