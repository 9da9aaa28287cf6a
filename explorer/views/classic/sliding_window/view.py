"""Exhaustive search: every window is cut out, stretched to the network's input and classified."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import Board
from explorer.core.listing import duration, quantity
from explorer.core.params import Effect, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.classic.sliding_window import panes
from explorer.views.classic.sliding_window.result import BEST, Result, label_of
from explorer.views.shared.common import class_choices, class_name, percent, photo_of
from explorer.vision.classic.sliding_window import warped, window_grids
from explorer.vision.dense.windows import class_probabilities, finite, window_side
from explorer.vision.features.classification import class_scores, logits_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.classic.sliding_window import WindowGrid

EXPLANATION = r"""
The oldest way to find objects with a classifier: take a **window**, cut it out of the photo,
stretch it to the size of the network's input, classify it, move on by a **stride**, and repeat that
for windows of all sizes and shapes. Nothing is shared between windows, so the cost is that of one
forward pass times the number of windows.

**How many?** On a photo of $W \times H$ pixels a window of $w \times h$ that moves by $s_x$ and
$s_y$ pixels has

$$ n = \left( \left\lfloor \frac{W - w}{s_x} \right\rfloor + 1 \right)
\left( \left\lfloor \frac{H - h}{s_y} \right\rfloor + 1 \right) $$

positions; the total is the sum over sizes and shapes. Half the stride means four times as many.
The count is known before the first window is classified; the time is extrapolated from the windows
measured so far. Drag the line in the plot to another stride, and see the last rows of the table for
what a finer scan would cost.

**Reading it.** *Heat map*: every place of the photo has the mean probability of the class over
all windows that cover it, or that of the highest-scoring one. Large windows come first, so the map
grows from coarse to fine. *Best windows*: neighboring windows contain the same object, so NMS keeps
the highest-scoring one and suppresses those whose IoU with it is above the threshold. *Warped
crops* are the network's input for the windows of the current batch, at the end for the best
windows. Windows of other shapes than a square are stretched, which changes the shape of objects.

**Why it is not enough.** The windows fit objects only as well as the sizes, shapes and strides
allow, and every refinement multiplies the count. Proposals (*Selective search*) leave fewer
windows, convolutional networks share the computation between them (*OverFeat*), and regression
moves the boxes.

**Sources.** Dalal and Triggs 2005, *Histograms of Oriented Gradients for Human Detection*
(a window at every place and scale); Sermanet et al. 2014, *OverFeat*, section 3.5 (its cost);
Girshick et al. 2014, *Rich Feature Hierarchies*, section 2.1 (stretching a region to the network's
input).
"""

RATIOS = {"1:3": 1 / 3, "1:2": 0.5, "2:3": 2 / 3, "1:1": 1.0, "3:2": 1.5, "2:1": 2.0, "3:1": 3.0}
"""Width over height, by its words."""
MOST = 20_000
"""Windows that are classified at most: their scores take 80 MB with 1,000 classes."""
MEAN, HIGHEST = HEATS = ("mean of all windows", "highest-scoring window")


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    label: str = param(
        BEST, "Class", "The class whose probability is shown everywhere.",
        effect=Effect.DRAW, choices=class_choices(BEST),
    )  # fmt: skip
    stride: float = param(
        0.25, "Stride",
        "The step between windows, as a fraction of their sides. Half of it means four times as "
        "many windows.",
        low=0.05, high=1.0, step=0.01, log=True,
    )  # fmt: skip
    scales: int = param(3, "Sizes", "How many sizes of windows.", low=1, high=8)
    smallest: float = param(
        0.3, "Smallest window", "Side of the smallest window, as a fraction of the photo's short "
        "side. Sizes between it and the largest one grow by one factor.",
        low=0.05, high=1.0, step=0.05,
    )  # fmt: skip
    largest: float = param(
        1.0, "Largest window", "Side of the largest window, as a fraction of the photo's short "
        "side.",
        low=0.05, high=1.0, step=0.05,
    )  # fmt: skip
    ratios: tuple[str, ...] = param(
        ("1:2", "1:1", "2:1"), "Aspect ratios", "Shapes of the windows, width to height.",
        choices=tuple(RATIOS),
    )  # fmt: skip
    heat: str = param(
        MEAN, "Heat map", "What a place of the heat map shows of the windows that cover it.",
        effect=Effect.DRAW, choices=HEATS,
    )  # fmt: skip
    most: int = param(
        5, "Boxes shown", "How many windows are kept at most, highest-scoring first.",
        effect=Effect.DRAW, low=1, high=50, section="Best windows",
    )  # fmt: skip
    iou: float = param(
        0.3, "NMS threshold", "Windows with a higher IoU with a better one are suppressed.",
        effect=Effect.DRAW, low=0.0, high=1.0, section="Best windows",
    )  # fmt: skip
    score: float = param(
        0.1, "Min. probability", "Windows with a lower probability of the class are not kept.",
        effect=Effect.DRAW, low=0.0, high=1.0, section="Best windows",
    )  # fmt: skip
    opacity: float = param(
        0.75, "Opacity", "Opacity of the heat map over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    batch: int = param(
        8, "Batch", "Windows that go through the network together.",
        low=1, high=64, advanced=True,
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class _Run:
    """A scan of a scene, as far as it is; it goes on where it was canceled."""

    boxes: Float32
    shares: Float32
    done: int = 0
    warping: float = 0.0
    network: float = 0.0


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    network, pixels = scene.network, scene.image.pixels
    side = window_side(network.preprocess, scene.input())
    whole = logits_of(scene.output())
    photo: tuple[int, int] = pixels.shape[:2]
    grids = window_grids(
        photo, smallest=params.smallest, largest=params.largest, scales=params.scales,
        ratios=[RATIOS[name] for name in params.ratios or RATIOS], stride=params.stride,
    )  # fmt: skip
    run = scene.memo(("sliding window", grids), lambda: _begun(grids, len(whole)))
    most = len(run.boxes)

    def result(batch: int) -> Result:
        return Result(
            photo=photo_of(scene), classes=network.info.classes, top=int(whole.argmax()),
            grids=grids, side=side, boxes=run.boxes, shares=run.shares[: run.done], batch=batch,
            warping=run.warping, network=run.network,
        )  # fmt: skip

    yield Step(result(0), run.done, most, "windows")
    while run.done < most:
        some = run.boxes[run.done : run.done + params.batch].astype(int)
        start = time.perf_counter()
        crops = np.stack([warped(pixels, box, side) for box in some])
        middle = time.perf_counter()
        run.shares[run.done : run.done + len(some)] = _classified(network, crops)
        run.warping += middle - start
        run.network += time.perf_counter() - middle
        run.done += len(some)
        yield Step(result(len(some)), run.done, most, "windows")


def _begun(grids: tuple[WindowGrid, ...], classes: int) -> _Run:
    parts, room = [], MOST
    for grid in grids:
        parts.append(grid.boxes(room))
        room -= len(parts[-1])
    boxes = np.concatenate(parts).astype(np.float32)
    return _Run(boxes, np.empty((len(boxes), classes), np.float32))


@torch.no_grad()
def _classified(network: Network, crops: UInt8) -> Float32:
    """(n, side, side, 3) uint8 -> (n, classes) probabilities."""
    values = torch.cat([network.preprocess.fed(crop) for crop in crops])
    scores = class_scores(network.module(values.to(network.device, network.dtype)))
    return class_probabilities(finite(scores).T).T


def draw(result: Result, params: Params) -> Board:
    label = label_of(result, params.label)
    kept = panes.kept_windows(
        result, label, most=params.most, threshold=params.iou, least=params.score
    )
    return Board(
        panes=(
            panes.heat_pane(result, label, mean=params.heat == MEAN, opacity=params.opacity),
            panes.boxes_pane(result, label, kept),
            panes.crops_pane(result, label, kept),
        ),
        plots=(panes.count_plot(result, params.stride),),
        tables=(
            panes.kept_table(result, label, kept),
            panes.sizes_table(result),
            panes.cost_table(result, params.stride),
        ),
        summary=_summary(result, label),
        notes=_notes(result),
    )


def _summary(result: Result, label: int) -> str:
    name, done = class_name(result.classes, label), result.done
    total = result.total
    batches = f"{result.side} x {result.side} pixels each"
    if not done:
        return f"{name}: {quantity(total, 'window')} predicted, {batches}"
    highest = percent(float(result.shares[:, label].max()))
    words = [f"{name}: up to {highest}", f"{done:,} of {quantity(total, 'window')}"]
    words.append(f"{duration(result.seconds)} ({1000 * result.per_window:.0f} ms per window)")
    if not result.finished:
        words.append(f"about {duration(result.per_window * (total - done))} left")
    return " · ".join(words)


def _notes(result: Result) -> tuple[str, ...]:
    first = len(result.boxes)
    if first == result.total:
        return ()
    return (
        f"Only the first {first:,} of {result.total:,} windows are classified, the largest ones; "
        "the time is extrapolated to all of them. A larger stride or fewer sizes need fewer.",
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The windows that were classified, the largest first.

    Keys: `boxes` (N, 4) float32 xyxy in the photo's pixels, `class`, `probability` (N,) float32 of
    that class, `top` (N,) int64 the most probable class of each, `classes` their names, `predicted`
    the number of all windows, `kept` the rows that NMS keeps, highest-scoring first, and `sizes`
    (n, 6) int64: width, height, step to the right and down, columns and rows of each size.
    """
    label = label_of(result, params.label)
    kept = panes.kept_windows(
        result, label, most=params.most, threshold=params.iou, least=params.score
    )
    grids = result.grids
    return {
        "boxes": result.boxes[: result.done],
        "class": class_name(result.classes, label),
        "probability": result.shares[:, label],
        "top": result.shares.argmax(axis=1),
        "classes": list(result.classes),
        "predicted": result.total,
        "kept": kept,
        "sizes": np.array(
            [(g.width, g.height, g.across, g.down, g.columns, g.rows) for g in grids], np.int64
        ),
    }


VIEW = View(
    name="sliding_window",
    title="Sliding window",
    group=Group.CLASSIC,
    summary="A classifier on every window of the photo, one by one: what an exhaustive scan costs.",
    explanation=EXPLANATION,
    reference="Dalal and Triggs 2005, Histograms of Oriented Gradients for Human Detection",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification"}),
    data=data,
    live=False,
    film=True,
)
