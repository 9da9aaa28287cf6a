"""One box for the photo, regressed by a classifier with four more numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.annotations.truth import LAYER, counting
from explorer.core.layers import Board, Boxes, Layer, Pane, Picture, Table, colors_apart
from explorer.core.params import Box, Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.anchors import passed_layer, passed_words, truth_boxes
from explorer.views.shared.common import CROP_COLOR, class_name, color, percent, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.features.localization import boxes_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32, UInt8
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
only implicit in the feature vector. Choose another network of this family on the same photo to
compare.

**Is it right?** ILSVRC counts a prediction as correct if the class is correct *and* the IoU with
the true box is at least 0.5:

$$ \mathrm{IoU}(A, B) = \frac{|A \, \cap \, B|}{|A \, \cup \, B|} \ge 0.5 $$

with $|\cdot|$ for the area. Draw the true box on the photo, and the table shows the IoU of every
box with it.

**Sources.** Simonyan and Zisserman 2014, *Very Deep Convolutional Networks*, appendix A (one box
against one per class); Sermanet et al. 2014, *OverFeat*, section 4 (regression on the last maps of
a classifier); Russakovsky et al. 2015, *ImageNet Large Scale Visual Recognition Challenge*, section
4.2 (the criterion).
"""

GREEN = np.array([[60, 220, 90]], np.uint8)


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
        (), "Ground truth", "Ground-truth boxes: the table shows the IoU of every prediction.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`logits` is (C,), `boxes` (C, 4) in the photo's pixels; `layer` is what the head gets."""

    photo: Picture
    crop: Extent
    logits: Float32
    boxes: Float32
    classes: tuple[str, ...]
    layer: str
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def per_class(self) -> bool:
        return bool((self.boxes != self.boxes[:1]).any())


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    output = scene.output()
    height, width = scene.input().shape[-2:]
    result = Result(
        photo=photo_of(scene),
        crop=scene.frame.inverse().extent(float(width), float(height)),
        logits=logits_of(output),
        boxes=boxes_of(output, scene.frame, (height, width)),
        classes=scene.network.info.classes,
        layer=str(getattr(scene.network.module, "attached_to", "")),
    )
    yield Step(result)


def draw(result: Result, params: Params) -> Board:
    marked, params = params.truth, replace(params, truth=counting(params.truth))
    shares = softmax(result.logits)
    order = np.argsort(-result.logits, kind="stable")
    drawn = order[: params.top if result.per_class else 1]
    truth = truth_boxes(params.truth)
    overlap = iou_matrix(truth, result.boxes) if len(truth) else None
    layers: list[Layer] = [result.photo]
    if params.show_crop:
        crop = np.array([result.crop], np.float32)
        tint = np.array([CROP_COLOR], np.uint8)
        layers.append(Boxes(crop, tint, width=1.0, dotted=True, selectable=False, name="crop"))
    if len(truth):
        tints = np.repeat(GREEN, len(truth), axis=0)
        names = tuple(box.label for box in params.truth)
        layers.append(Boxes(truth, tints, names, selectable=False, name=LAYER))
    layers += passed_layer(marked)
    shown = order[: max(len(drawn), params.listed)]
    tints = colors_apart(shown.tolist(), len(shares))
    layers.append(_boxes(result, shares, drawn, tints[: len(drawn)]))
    return Board(
        panes=(Pane("image", size_of(result.photo), tuple(layers)),),
        tables=(_table(result, shares, order[: params.listed], tints, overlap),),
        summary=_summary(result, shares, int(order[0]), params, overlap) + passed_words(marked),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """All classes, the most probable first.

    Keys: `boxes` (C, 4) float32 xyxy in the photo's pixels, `labels` (C,) int64, `scores` (C,)
    their probabilities, `classes` the names by label, `size` (width, height) of the photo.
    """
    order = np.argsort(-result.logits, kind="stable")
    return {
        "boxes": result.boxes[order],
        "labels": order.astype(np.int64),
        "scores": softmax(result.logits)[order],
        "classes": result.classes,
        "size": tuple(int(side) for side in size_of(result.photo)),
    }


def _boxes(result: Result, shares: Float32, rows: NDArray[np.intp], tints: UInt8) -> Boxes:
    last_on_top = rows[::-1]
    return Boxes(
        result.boxes[last_on_top],
        tints[::-1],
        labels=tuple(f"{class_name(result.classes, int(k))} {shares[k]:.0%}" for k in last_on_top),
        keys=tuple(int(k) for k in last_on_top),
        width=2.5,
        name="boxes",
    )


def _table(
    result: Result, shares: Float32, rows: NDArray[np.intp], tints: UInt8, overlap: Float32 | None
) -> Table:
    columns = ("class", "probability", "x0", "y0", "x1", "y1")
    lines: list[tuple[str | int | float, ...]] = [
        (
            class_name(result.classes, int(k)),
            round(float(shares[k]), 4),
            *(round(float(side), 1) for side in result.boxes[k]),
            *(() if overlap is None else (round(float(overlap[:, k].max()), 3),)),
        )
        for k in rows
    ]
    return Table(
        "classes",
        columns if overlap is None else (*columns, "IoU with ground truth"),
        tuple(lines),
        title="A box for every class" if result.per_class else "One box for all classes",
        layer="boxes",
        keys=tuple(int(k) for k in rows),
        swatches=tuple(color(tint) for tint in tints[: len(rows)]),
    )


def _summary(
    result: Result, shares: Float32, first: int, params: Params, overlap: Float32 | None
) -> str:
    words = f"{class_name(result.classes, first)}: {percent(float(shares[first]))}"
    x0, y0, x1, y1 = result.boxes[first]
    words += f", in a box of {x1 - x0:.0f} x {y1 - y0:.0f} pixels"
    if result.layer:
        words += f" regressed from {result.layer}"
    if overlap is None:
        return words
    best = int(overlap[:, first].argmax())
    iou = float(overlap[best, first])
    label = params.truth[best].label
    wrong = label not in ("", class_name(result.classes, first))
    verdict = "wrong class" if wrong else "right" if iou >= 0.5 else "IoU below 0.5"
    return f"{words}; IoU {iou:.2f} with ground truth: {verdict}"


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
