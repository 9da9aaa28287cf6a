"""One box for the photo, regressed by a classifier with four more numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import LAYER, counting
from explorer.core.layers import Board, Boxes, Layer, Pane, Table, colors_apart
from explorer.core.params import Box, Effect, NetworkRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.predictions.localize import losses
from explorer.views.predictions.localize.heads import (
    PREDICTIONS,
    Head,
    first_correct,
    head_of,
    other_head,
    verdict,
)
from explorer.views.shared.anchors import WHITE, passed_layer, passed_words, truth_boxes
from explorer.views.shared.common import CROP_COLOR, color, percent, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.boxes import iou_matrix

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, Picture, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
A classifier gives the *class*. Four more outputs give the *position*: a small head on the same
network predicts the center $(c_x, c_y)$, the width $w$ and the height $h$ of one box, each mapped
to 0 to 1 by a sigmoid. As fractions of the input's width and height, its corners are

$$ \begin{aligned} x_0 &= c_x - w / 2 & x_1 &= c_x + w / 2 \\
y_0 &= c_y - h / 2 & y_1 &= c_y + h / 2 \end{aligned} $$

clipped to the input.

**Reading it.** The box is the predicted extent of the top class. There is always exactly one, even
on a photo with five dogs or with none: this is localization, not detection. The dotted frame is the
part of the photo that is the network's input; boxes lie inside it.

**One box or one per class.** A class-agnostic head predicts one box whatever the class is. A
class-specific head predicts a box for each class; the table lists those of the most probable ones.
Draw several to see how much the box depends on the class.

**After the last convolution or after the FC layer.** The last feature map is spatial: the head can
use the positions of its activations. After average pooling or a fully connected layer, position is
only implicit in the feature vector. *Compare with* shows the boxes of other networks beside.

**Is it right?** ILSVRC counts a prediction as correct if the class is correct *and* the IoU with
the true box is at least 0.5:

$$ \mathrm{IoU}(A, B) = \frac{|A \, \cap \, B|}{|A \, \cup \, B|} \ge 0.5 $$

with $|\cdot|$ for the area. Draw the true box on the photo, and the table shows the IoU of every
box with it. A network has five predictions, a class and a box each; one of them must be correct.

**Which loss?** With a true box drawn, the arrows show how gradient descent on the chosen *Loss*
moves each side of the predicted box; drag the true box and watch them. *L1*, *L2* and *smooth L1*
compare coordinates (here as fractions of the photo's sides). The others compare areas, so large and
small boxes count alike. Without overlap, $1 - \mathrm{IoU}$ is constant and has no gradient: *GIoU*
adds the empty part of the enclosing box $C$, *DIoU* the distance $\rho$ of the centers over the
diagonal $c$ of $C$, *CIoU* a term $v$ for the aspect ratio.

$$ L_{\mathrm{GIoU}} = 1 - \mathrm{IoU} + \frac{|C| - |A \, \cup \, B|}{|C|} $$

$$ L_{\mathrm{CIoU}} = 1 - \mathrm{IoU} + \frac{\rho^2}{c^2} + \alpha v $$

**Sources.** Simonyan and Zisserman 2014, *Very Deep Convolutional Networks*, appendix A (one box
against one per class); Sermanet et al. 2014, *OverFeat*, section 4 (regression on the last maps of
a classifier); Russakovsky et al. 2015, *ImageNet Large Scale Visual Recognition Challenge*, section
4.2 (the criterion); Rezatofighi et al. 2019, *Generalized Intersection over Union*; Zheng et al.
2020, *Distance-IoU Loss*.
"""

GREEN = np.array([[60, 220, 90]], np.uint8)
MOST_OTHERS = 5


def _has_truth(params: Params, _info: NetworkInfo | None) -> bool:
    return bool(params.truth)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    top: int = param(
        1, "Boxes drawn", "How many boxes are drawn, most probable class first.",
        effect=Effect.DRAW, low=1, high=10,
    )  # fmt: skip
    listed: int = param(
        5, "Classes listed", "How many classes are listed, most probable first.",
        effect=Effect.DRAW, low=1, high=50,
    )  # fmt: skip
    show_crop: bool = param(
        True, "Show the network's input",
        "Outlines the part of the photo that is the network's input.",
        effect=Effect.DRAW,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth",
        "Ground-truth boxes: the table shows the IoU of every prediction, and the losses appear.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    loss: str = param(
        "IoU", "Loss",
        "The arrows show how gradient descent on this loss moves the sides of the predicted box.",
        effect=Effect.DRAW, choices=losses.CHOICES, when=_has_truth,
    )  # fmt: skip
    others: tuple[NetworkRef, ...] = param(
        (), "Compare with", "Other localization networks, whose boxes are drawn beside.",
        tasks=frozenset({"localization"}), most=MOST_OTHERS,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`heads` are the predictions, that of the network itself first; `crop` is its input."""

    photo: Picture
    crop: Extent
    heads: tuple[Head, ...]
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def head(self) -> Head:
        return self.heads[0]


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    height, width = scene.input().shape[-2:]
    heads = [head_of(scene)]
    photo = photo_of(scene)
    crop = scene.frame.inverse().extent(float(width), float(height))
    total = 1 + len(params.others)
    for done, ref in enumerate(params.others, start=1):
        yield Step(Result(photo, crop, tuple(heads)), done, total)
        heads.append(other_head(scene, scene.network_of(ref)))
    yield Step(Result(photo, crop, tuple(heads)), total, total)


def draw(result: Result, params: Params) -> Board:
    marked, params = params.truth, replace(params, truth=counting(params.truth))
    head, size = result.head, size_of(result.photo)
    order = head.order
    drawn = order[: params.top if head.per_class else 1]
    truth = truth_boxes(params.truth)
    shown = order[: max(len(drawn), params.listed)]
    tints = colors_apart(shown.tolist(), len(order))
    below = [*_truth_layers(truth, params), *passed_layer(marked)]
    layers: list[Layer] = [result.photo]
    if params.show_crop:
        crop = np.array([result.crop], np.float32)
        tint = np.array([CROP_COLOR], np.uint8)
        layers.append(Boxes(crop, tint, width=1.0, dotted=True, selectable=False, name="crop"))
    layers += [*below, _boxes(head, drawn, tints[: len(drawn)])]
    plots: tuple[Any, ...] = ()
    tables = [_table(head, order[: params.listed], tints, params, truth)]
    notes: tuple[str, ...] = ()
    if len(truth):
        box = head.boxes[order[0]]
        true = truth[verdict(head, int(order[0]), params.truth, truth).best]
        if params.loss != losses.NONE:
            pull = losses.arrows(params.loss, box, true, size)
            layers += [] if pull is None else [pull]
            apart = "" if pull is not None or iou_matrix(box[None], true[None])[0, 0] > 0 else (
                f"{params.loss} has no gradient here: the boxes do not overlap."
            )  # fmt: skip
            notes = (apart,) if apart else ()
        tables.append(losses.table(box, true, size))
        plots = (losses.on_the_way(box, true, size),)
    by_class = {head.name(int(k)): tint for k, tint in zip(shown, tints, strict=True)}
    others = [_other_pane(result, each, below, by_class) for each in range(1, len(result.heads))]
    if others:
        tables.append(_heads_table(result, params, truth))
    return Board(
        panes=(Pane("image", size, tuple(layers), title=head.title if others else ""), *others),
        plots=plots,
        tables=tuple(tables),
        summary=_summary(head, params, truth) + passed_words(marked),
        notes=notes,
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """All classes, the most probable first.

    Keys: `boxes` (C, 4) float32 xyxy in the photo's pixels, `labels` (C,) int64, `scores` (C,)
    their probabilities, `classes` the names by label, `size` (width, height) of the photo. With
    other networks `heads`: the title, class and box (4,) of each.
    """
    head = result.head
    found: dict[str, Any] = {
        "boxes": head.boxes[head.order],
        "labels": head.order.astype(np.int64),
        "scores": head.shares[head.order],
        "classes": head.classes,
        "size": tuple(int(side) for side in size_of(result.photo)),
    }
    if len(result.heads) > 1:
        found["heads"] = [
            {"network": each.title, "class": each.name(k), "box": each.boxes[k]}
            for each in result.heads
            for k in (int(each.order[0]),)
        ]
    return found


def _truth_layers(truth: Float32, params: Params) -> list[Layer]:
    if not len(truth):
        return []
    tints = np.repeat(GREEN, len(truth), axis=0)
    names = tuple(box.label for box in params.truth)
    return [Boxes(truth, tints, names, selectable=False, name=LAYER)]


def _boxes(head: Head, rows: NDArray[np.intp], tints: UInt8, *, selectable: bool = True) -> Boxes:
    last_on_top, shares = rows[::-1], head.shares
    return Boxes(
        head.boxes[last_on_top],
        tints[::-1],
        labels=tuple(f"{head.name(int(k))} {shares[k]:.0%}" for k in last_on_top),
        keys=tuple(int(k) for k in last_on_top) if selectable else (),
        selectable=selectable,
        width=2.5,
        name="boxes",
    )


def _other_pane(
    result: Result, number: int, below: list[Layer], by_class: dict[str, UInt8]
) -> Pane:
    """Another network's box, in the color of its class."""
    head = result.heads[number]
    first = head.order[:1]
    tint = by_class.get(head.name(int(first[0])), np.array(WHITE, np.uint8))
    box = _boxes(head, first, tint[None], selectable=False)
    layers = (result.photo, *below, replace(box, name=f"boxes {number}"))
    return Pane(f"head {number}", size_of(result.photo), layers, title=head.title)


def _table(
    head: Head, rows: NDArray[np.intp], tints: UInt8, params: Params, truth: Float32
) -> Table:
    columns: tuple[str, ...] = ("class", "probability", "x0", "y0", "x1", "y1")
    shares = head.shares
    lines: list[tuple[str | int | float, ...]] = []
    for k in rows.tolist():
        line: tuple[str | int | float, ...] = (
            head.name(k), round(float(shares[k]), 4), *_rounded(head.boxes[k])
        )  # fmt: skip
        if len(truth):
            found = verdict(head, k, params.truth, truth)
            line = (*line, found.words, round(found.iou, 3))
        lines.append(line)
    if len(truth):
        columns = (*columns, "result", "IoU with ground truth")
    return Table(
        "classes", columns, tuple(lines),
        title="A box for every class" if head.per_class else "One box for all classes",
        layer="boxes",
        keys=tuple(rows.tolist()),
        swatches=tuple(color(tint) for tint in tints[: len(rows)]),
    )  # fmt: skip


def _heads_table(result: Result, params: Params, truth: Float32) -> Table:
    """A row for every network."""
    columns: tuple[str, ...] = ("network", "boxes", "head after", "class", "x0", "y0", "x1", "y1")
    rows: list[tuple[str | int | float, ...]] = []
    for head in result.heads:
        k = int(head.order[0])
        boxes = "one per class" if head.per_class else "one for all"
        row: tuple[str | int | float, ...] = (
            head.title, boxes, head.layer or "–", head.name(k), *_rounded(head.boxes[k])
        )  # fmt: skip
        if len(truth):
            found = verdict(head, k, params.truth, truth)
            row = (*row, found.words, round(found.iou, 3))
        rows.append(row)
    if len(truth):
        columns = (*columns, "result", "IoU with ground truth")
    return Table("heads", columns, tuple(rows), title="Heads on the same photo")


def _rounded(box: Float32) -> tuple[float, ...]:
    return tuple(round(float(side), 1) for side in box)


def _summary(head: Head, params: Params, truth: Float32) -> str:
    first = int(head.order[0])
    words = f"{head.name(first)}: {percent(float(head.shares[first]))}"
    x0, y0, x1, y1 = head.boxes[first]
    words += f", in a box of {x1 - x0:.0f} x {y1 - y0:.0f} pixels"
    if head.layer:
        words += f" regressed from {head.layer}"
    if not len(truth):
        return words
    found = verdict(head, first, params.truth, truth)
    words = f"{words}; IoU {found.iou:.2f} with ground truth: {found.words}"
    if found.correct or len(head.order) < PREDICTIONS:
        return words
    number = first_correct(head, params.truth, truth)
    if number is None:
        return f"{words}; none of the first {PREDICTIONS} predictions is correct"
    return f"{words}; prediction {number} of {PREDICTIONS} is correct"


VIEW = View(
    name="localize",
    title="Localize",
    group=Group.PREDICTIONS,
    summary="The class of the photo and one predicted box.",
    explanation=EXPLANATION,
    reference="Simonyan and Zisserman 2014, Very Deep Convolutional Networks, appendix A",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"localization"}),
    data=data,
    answer_only=True,
)
