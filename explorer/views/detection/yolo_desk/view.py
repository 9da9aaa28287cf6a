"""YOLO from inside: every cell's numbers, what they mean on the photo, and the loss."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from explorer.annotations.truth import counting
from explorer.core.layers import Board
from explorer.core.params import Box, Effect, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.networks.onnx.module import OnnxModule
from explorer.views.detection.yolo_desk import loss as losses
from explorer.views.detection.yolo_desk import panes, priors, tables
from explorer.views.detection.yolo_desk.cells import grid_of
from explorer.views.detection.yolo_desk.stored import file_grids
from explorer.views.shared.anchors import passed_words, truth_boxes
from explorer.views.shared.common import photo_of, score_threshold
from explorer.views.shared.detections import detected
from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Picture, Plot, Table
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.views.detection.yolo_desk.cells import Grid
    from explorer.views.detection.yolo_desk.loss import Loss
    from explorer.views.shared.detections import DetectorAnswer

EXPLANATION = r"""
YOLO looks at the photo once. The last map has one cell for each square of a coarse grid, and the
cell that contains the center of an object is to detect it.

**YOLO v1** has $S \times S$ cells with $B = 2$ boxes each; the tensor has $S \times S \times (5 B +
C)$ numbers, here 7 x 7 x 30. A box is its center $(x, y)$ within the cell, $\sqrt{w}$ and
$\sqrt{h}$ as fractions of the photo, and a confidence. The $C$ class numbers belong to the cell,
not to its boxes. The score of a class for a box is

$$ P(\mathrm{class} \mid \mathrm{object}) \cdot c $$

**Reading it.** Move over the photo or click: the marked cell's boxes, its class and its numbers.
*All boxes* are as wide as they are confident. The *class map* shows every cell's most probable
class. *Detections* are what remains above the threshold after NMS. The *tensor* shows each of the
numbers as a map; click one to lay it over the photo.

**The loss.** Draw a ground-truth box. The cell with its center is responsible for it, and in this
cell the box with the largest IoU. Five sums of squares are added, * marks the ground truth:

$$ \begin{aligned} \lambda_{\mathrm{coord}} & \textstyle\sum ( x - x^* )^2 + ( y - y^* )^2 \\
+ \, \lambda_{\mathrm{coord}} & \textstyle\sum ( \sqrt w - \sqrt{w^*} )^2
+ ( \sqrt h - \sqrt{h^*} )^2 \\
+ \, & \textstyle\sum_{\mathrm{obj}} ( c - \mathrm{IoU} )^2
+ \lambda_{\mathrm{noobj}} \textstyle\sum_{\mathrm{noobj}} c^2 \\
+ \, & \textstyle\sum ( p - p^* )^2 \end{aligned} $$

Most boxes contain nothing: without $\lambda_{\mathrm{noobj}} = 0.5$ their confidences would drown
the rest. The square roots make an error of ten pixels count more for a small box.

**YOLO v2** refines **priors**: $b_w = p_w e^{t_w}$, $b_x = \sigma(t_x) + c_x$. Dotted boxes are the
priors of the cell, arrows and solid boxes what becomes of the best ones. Priors come from k-means
over the boxes of a data set with the distance

$$ d = 1 - \mathrm{IoU}(\mathrm{box}, \mathrm{prior}) $$

*Iteration* shows how the centers move; each iteration raises the mean IoU, and so do more priors.
(The network's own priors were found on its training boxes; here the shapes are 2,000 cluster
centers of them.)

**YOLO9000** predicts a word given its parent: a softmax over siblings. The probability of a word is
the product along its way from the root. The prediction goes down the tree as long as this product
is at least the *Threshold of the descent*: at a high threshold it stops at "carnivore", at a low
one at "dog".

**ONNX files** of YOLOv5 to v11 and YOLOX have a grid for each stride; *Map of cells* chooses one.
The table shows the numbers as the file gives them and where they put the box from its cell, in
cells: v5 its center from the cell's corner and its size in anchors, v8 the distances of its four
sides from the middle of the cell.

**Sources.** Redmon et al. 2016, *You Only Look Once*, section 2 and equation 3; Redmon and Farhadi
2017, *YOLO9000*, sections 2 and 4.
"""


def _file(_params: Any, info: NetworkInfo | None) -> bool:
    return info is not None and info.cells


def _second(params: Any, info: NetworkInfo | None) -> bool:
    return (
        not _file(params, info)
        and info is not None
        and any(name.startswith("passthrough") for name in info.layer_names())
    )


def _first(params: Any, info: NetworkInfo | None) -> bool:
    return not _second(params, info) and not _file(params, info)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    place: Point | None = param(
        None, "Cell", "Click on the photo: that cell stays selected when the mouse leaves.",
        effect=Effect.DRAW, pick=Pick.CLICK,
    )  # fmt: skip
    at: Point | None = param(
        None, "Under the mouse", "The cell under the mouse.",
        effect=Effect.DRAW, pick=Pick.HOVER, advanced=True,
    )  # fmt: skip
    channel: int | None = param(
        None, "Number", "Click a map of the tensor: it is laid over the photo.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="maps", low=0, high=499,
    )  # fmt: skip
    level: int = param(
        0, "Map of cells",
        "Files have several: 1 is the first one of the file. 0: that of the highest-scoring box.",
        effect=Effect.DRAW, low=0, high=4, when=_file,
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score do not count. Default: the network card's threshold.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Draw a box with a class: the responsible cell and the loss appear.",
        pick=Pick.TRUTH, when=_first,
    )  # fmt: skip
    coordinates: float = param(
        5.0, "Lambda coord", "Weight of the terms of center and size.",
        effect=Effect.DRAW, low=0.0, high=10.0, step=0.1, when=_first,
    )  # fmt: skip
    no_object: float = param(
        0.5, "Lambda noobj", "Weight of the confidence of boxes without an object.",
        effect=Effect.DRAW, low=0.0, high=2.0, step=0.05, when=_first,
    )  # fmt: skip
    least: float = param(
        0.5, "Threshold of the descent",
        "The prediction goes down the tree of words as long as a word has this probability.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, when=_second,
    )  # fmt: skip
    count: int = param(
        5, "Priors", "How many centers k-means looks for.",
        effect=Effect.DRAW, low=1, high=priors.MOST, when=_second, section="k-means",
    )  # fmt: skip
    iteration: int = param(
        99, "Iteration", "The iteration of k-means that is shown.",
        effect=Effect.DRAW, low=0, high=99, play=True, kept=False, when=_second,
        section="k-means",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`grids` is what the cells predict, `answer` the detections, `loss` that of YOLO v1.

    Only files have several grids.
    """

    photo: Picture
    grids: tuple[Grid, ...]
    answer: DetectorAnswer
    loss: Loss | None
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    stored = isinstance(scene.network.module, OnnxModule)
    grids = scene.memo("yolo grid", lambda: file_grids(scene) if stored else (grid_of(scene),))
    found = losses.loss_of(scene, grids[0], counting(params.truth))
    yield Step(Result(photo_of(scene), grids, detected(scene), found))


def _grid(result: Result, params: Params) -> Grid:
    """The chosen one of a file, or that of the highest score."""
    if 0 < params.level <= len(result.grids):
        return result.grids[params.level - 1]
    return max(
        result.grids, key=lambda one: 0.0 if one.file is None else float(one.file.scores.max())
    )


def draw(result: Result, params: Params) -> Board:
    grid, truth = _grid(result, params), counting(params.truth)
    classes = result.answer.classes
    cell = _cell(grid, params)
    shown = panes.Shown(
        result.photo, grid, result.answer, cell, params.channel, classes, result.cache
    )
    found: list[Plot] = []
    notes: list[str] = []
    rows: list[Table] = [tables.cell_table(grid, cell, classes)]
    more = list(losses.layers(result.loss, grid)) if result.loss is not None else []
    board_panes = [
        panes.cell_pane(shown, more, params.truth),
        panes.boxes_pane(shown),
        panes.class_pane(shown),
        panes.detections_pane(shown, params.score),
        panes.tensor_pane(shown),
    ]
    if grid.first:
        rows.append(tables.tensor_table(grid, cell, classes))
        if result.loss is not None:
            found.append(losses.bars(result.loss, params.coordinates, params.no_object))
            rows.insert(0, losses.table(result.loss, params.coordinates, params.no_object))
            words = losses.note(result.loss, truth, classes)
            notes += [words] if words else []
    elif grid.file is None:
        board_panes[-1:] = [priors.pane(params.count, params.iteration), board_panes[-1]]
        found.append(priors.plot(params.count, params.iteration))
        if grid.words is not None:
            rows.insert(0, tables.descent_table(grid, cell, params.least))
    return Board(
        panes=tuple(board_panes),
        plots=tuple(found),
        tables=tuple(rows),
        summary=tables.summary(grid, cell, classes, result.loss, params.least)
        + passed_words(params.truth),
        notes=tuple(notes),
    )


def _cell(grid: Grid, params: Params) -> tuple[int, int]:
    """Under the mouse, clicked, or that of the highest score."""
    for place in (params.at, params.place):
        found = None if place is None else grid.at(place.x, place.y)
        if found is not None:
            return found
    return grid.best_cell()


def data(result: Result, params: Params) -> dict[str, Any]:
    """Everything that the cells predict.

    Keys: `numbers` (rows, columns, C) float32 as the network gives them, `cell_boxes` (rows,
    columns, B, 4) float32 xyxy in the photo's pixels, `confidence` (rows, columns, B), `classes`
    (rows, columns, K); `detections` (N, 4), `labels` and `scores` of what remains after NMS; with
    ground truth `truth` (M, 4), `loss` (5,) the weighted terms, and `responsible` (M, 3) row,
    column and box of each object.
    """
    grid, found = _grid(result, params), result.answer.found
    answer: dict[str, Any] = {
        "numbers": grid.numbers,
        "cell_boxes": grid.boxes,
        "confidence": grid.confidence,
        "classes": grid.classes,
        "detections": found.xyxy,
        "labels": found.labels,
        "scores": found.scores,
    }
    if result.loss is not None:
        cells, best = result.loss.cells, result.loss.responsible
        answer["loss"] = result.loss.weighted(params.coordinates, params.no_object)
        answer["responsible"] = [
            (*cell, box) for cell, box in zip(cells.tolist(), best.tolist(), strict=True)
        ]
        answer["truth"] = truth_boxes(counting(params.truth))
    return answer


VIEW = View(
    name="yolo_desk",
    title="YOLO cell by cell",
    group=Group.DETECTION,
    summary="The grid, the tensor, the responsible cell, the loss, priors and the tree of words.",
    explanation=EXPLANATION,
    reference="Redmon et al. 2016, You Only Look Once, section 2",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    begins_with="lite-yolo-v1",
    parts=("head.0.0", "head.1.0", "predictor"),
    cells=True,
    data=data,
)
