"""The class of every pixel, by a segmentation network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Pane
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.images.outlines import run_lengths
from explorer.saving.masks import IndexedMask
from explorer.views.segmentation.semantic.comparison import (
    OTHER_SIZE,
    Comparison,
    compared,
    comparison_table,
    error_pane,
)
from explorer.views.segmentation.semantic.panes import (
    class_pane,
    coarser_panes,
    maps_pane,
    probability_pane,
    uncertainty_pane,
)
from explorer.views.segmentation.semantic.params import (
    ENTROPY,
    MARGIN,
    NOTHING,
    Params,
    has_stages,
    object_classes,
)
from explorer.views.segmentation.semantic.result import Result, entropy, indexed, margin
from explorer.views.segmentation.semantic.tables import legend, share_plot, summary
from explorer.views.shared.common import photo_of, size_of
from explorer.vision.features.segmentation import coarser_answers, segmentation_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.engine.scene import Scene

EXPLANATION = r"""
The network computes one number $z_c$ per class for every pixel $(x, y)$. The softmax converts them
to probabilities, and the most probable class colors the pixel:

$$ p_c(x, y) = \frac{\exp z_c(x, y)}{\sum_j \exp z_j(x, y)} $$

$$ \mathrm{class}(x, y) = \arg\max_c \, p_c(x, y) $$

**Reading it.** The legend lists the classes found with the fraction of the photo they cover. The
status bar shows the most probable classes under the mouse, and the plot their probabilities. *Min.
probability* leaves pixels uncolored whose top class has a lower probability: borders between
objects are the first.

**One class.** Choose one to see its probability everywhere as a heat map with a scale from 0 to 1,
also where another class is more probable. *Maps of all classes* shows those of the classes that
were found side by side.

**Uncertainty.** The entropy in bits is 0 where one class is certain, and $\log_2 C$ where all $C$
classes are equally probable. The margin is the distance between the two most probable classes. Both
show where a prediction is about to change: borders, small objects, unusual views.

$$ H(x, y) = -\sum_c p_c \log_2 p_c $$

$$ m(x, y) = p_{\mathrm{first}} - p_{\mathrm{second}} $$

**Two networks.** Pin the result (C) and choose another segmentation network: both are compared by
wipe, Shift+C puts them side by side. Pan and zoom are shared.

**Ground truth.** Paint the true classes with *Edit ground truth*, or load a mask: an indexed PNG,
or COCO's polygons and run lengths. Wrong pixels are shown in red, and a table gives for every class
the intersection over union of the pixels and the **boundary F**: the harmonic mean of two shares,
that of the predicted border near the true one (precision) and the reverse (recall). Near is 0.75%
of the diagonal. The prediction can be exported in these formats and loaded as ground truth.

**FCN stages.** A fully convolutional network (FCN) first predicts classes on a grid of stride 32,
from its last feature map, then adds the scores of finer maps with stride 16 and 8. *FCN stages*, a
switch of Lite FCN, shows FCN-32s, FCN-16s and FCN-8s side by side: the classes are mostly right at
stride 32, the borders become sharper with finer strides.

The scores are computed on a coarse grid (every 8th or 16th pixel) and enlarged bilinearly, as the
network itself does: borders are smoother than those of the objects.

**Sources.** Long, Shelhamer and Darrell 2015, *Fully Convolutional Networks*, section 4.2 (the
stages); Csurka et al. 2013, *What is a good evaluation measure for semantic segmentation?*, section
2 (boundary F); Chen et al. 2017, *Rethinking Atrous Convolution* (DeepLabV3); Howard et al. 2019,
*Searching for MobileNetV3* (LR-ASPP).
"""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    yield Step(_segmented(scene))


def _segmented(scene: Scene) -> Result:
    height, width = scene.input().shape[-2:]
    found = scene.memo("segmentation", lambda: segmentation_of(scene.output(), (height, width)))
    coarser: dict[str, NDArray[np.int32]] = {}
    if has_stages(scene.network.info):
        coarser = scene.memo("FCN stages", lambda: coarser_answers(scene.output(), (height, width)))
    return Result(
        photo=photo_of(scene),
        found=found,
        best=found.probabilities.max(axis=0),
        extent=scene.frame.inverse().extent(float(width), float(height)),
        classes=scene.network.info.classes,
        coarser=coarser,
        frame=scene.frame,
    )


def draw(result: Result, params: Params) -> Board:
    cache = result.cache
    table = cache.get(("legend", params.min_probability), lambda: legend(result, params))
    panes = [class_pane(result, params, table)]
    if params.fcn_stages:
        panes[:0] = coarser_panes(result, params)
    if params.probability_of in result.classes:
        panes.append(probability_pane(result, params.probability_of))
    if params.class_maps:
        panes.append(maps_pane(result, table))
    if params.uncertainty != NOTHING:
        panes.append(uncertainty_pane(result, params.uncertainty))
    if params.paint:
        panes.append(Pane("truth", size_of(result.photo), (result.photo,), title="Ground truth"))
    tables, words, notes = [table], summary(table), _notes(params)
    if params.truth is not None:
        found = _compared(result, params)
        if found is None:
            notes = (*notes, OTHER_SIZE)
        elif found.iou:
            panes.append(error_pane(result, found))
            tables.append(comparison_table(result, found))
            words = f"{words} · {found.summary}"
    return Board(
        panes=tuple(panes),
        plots=(share_plot(result, params, table),),
        tables=tuple(tables),
        summary=words,
        notes=notes,
    )


def _compared(result: Result, params: Params) -> Comparison | None:
    mask = params.truth
    return None if mask is None else result.cache.get(mask, lambda: compared(result, mask))


def _notes(params: Params) -> tuple[str, ...]:
    if params.min_probability <= 0:
        return ()
    return (f"Pixels with a probability below {params.min_probability:.0%} are not colored.",)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The whole answer.

    Keys: `index` (H, W) int32 over the network's input, `classes` the names by index, `extent` (x0,
    y0, x1, y1 of `index` in the photo's pixels); `labels` (N,) int64 the classes that were found
    except the background, with `segmentations` (COCO's run lengths) and `boxes` (N, 4) xyxy around
    all pixels of each, in the photo's pixels; `probability` (H, W) float32 of the chosen class,
    `entropy` in bits or `margin` (H, W) float32 where they are shown; `confusion` (C, C) pixels
    (row = true class) with ground truth.
    """
    labels, boxes, outlines = _regions(result)
    answer: dict[str, Any] = {
        "index": result.found.classes,
        "classes": result.names,
        "extent": result.extent,
        "labels": labels,
        "boxes": boxes,
        "segmentations": outlines,
    }
    if params.probability_of in result.classes:
        chosen = result.classes.index(params.probability_of)
        answer["probability"] = result.found.probabilities[chosen].astype(np.float32)
    if params.uncertainty == ENTROPY:
        answer["entropy"] = entropy(result)
    elif params.uncertainty == MARGIN:
        answer["margin"] = margin(result)
    found = _compared(result, params)
    if found is not None:
        answer["confusion"] = found.counts
    return answer


def _regions(
    result: Result,
) -> tuple[NDArray[np.int64], NDArray[np.float32], list[dict[str, Any]]]:
    """Label, box and run lengths of every class on the photo but the background."""
    index = result.on_photo()
    first = 1 if result.has_background else 0
    labels = np.unique(index[index >= first]).astype(np.int64)
    boxes, outlines = np.zeros((len(labels), 4), np.float32), []
    for row, label in enumerate(labels.tolist()):
        inside = index == label
        ys, xs = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        boxes[row] = (xs[0], ys[0], xs[-1] + 1, ys[-1] + 1)
        outlines.append(run_lengths(inside))
    return labels, boxes, outlines


def mask(result: Result, params: Params) -> IndexedMask:
    """The class of every pixel, in the numbers of a ground-truth mask."""
    names = dict(enumerate(object_classes(result.classes), 1))
    if result.has_background:
        names[0] = "background"
    return IndexedMask(indexed(result), names)


VIEW = View(
    name="semantic",
    title="Semantic segmentation",
    group=Group.SEGMENTATION,
    summary="The class of every pixel, how certain it is, and how it compares with ground truth.",
    explanation=EXPLANATION,
    reference="Long, Shelhamer and Darrell 2015, Fully Convolutional Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"segmentation"}),
    data=data,
    mask=mask,
    answer_only=True,
)
