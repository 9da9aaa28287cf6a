"""Instances with their masks, and Mask R-CNN's mask branch step by step for one of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import (
    Board,
    Boxes,
    Curve,
    Layer,
    Masks,
    Pane,
    Plot,
    Table,
    class_colors,
)
from explorer.core.network_info import MASK_HEAD
from explorer.core.params import Effect, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import mask_branch_of
from explorer.engine.view import Group, View
from explorer.images.outlines import run_lengths
from explorer.saving.masks import IndexedMask
from explorer.views.segmentation.instances.opened import (
    LEVELS,
    LOGITS,
    OWN_CLASS,
    OWN_LEVEL,
    Opened,
    opened,
    stage_names,
)
from explorer.views.segmentation.instances.panes import (
    LOGIT,
    PROBABILITY,
    bins_on_photo,
    level_pane,
    paste_pane,
    raw_pane,
    stage_pane,
)
from explorer.views.shared.anchors import WHITE, same
from explorer.views.shared.common import (
    class_name,
    color,
    counts_of,
    percent,
    score_threshold,
    size_of,
)
from explorer.views.shared.detection_params import class_choices
from explorer.views.shared.detections import DetectorAnswer, detected
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.plural import plural
from explorer.vision.detection.detections import instance_map
from explorer.vision.features.segmentation import in_photo

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene
    from explorer.networks.preprocess import Frame

EXPLANATION = r"""
**Instance segmentation** gives every object a mask of its own: two dogs are two instances. Mask
R-CNN detects boxes as Faster R-CNN does, and a small fully convolutional **mask branch** then
predicts a mask inside each box. Select an instance in the table or on the photo to see how its mask
is computed:

1. **RoIAlign** divides the box into a grid of bins (usually $14 \times 14$), and averages a few
   sampling points of a feature map in each bin. Points are interpolated from four cells; nothing is
   rounded, because a shift of half a cell would move the mask by several pixels. The pane shows the
   map of the pyramid that the network chooses by the size of the box; another map can be chosen to
   compare.
2. **Convolutions** of $3 \times 3$ on these $14 \times 14$ positions. *Stage* shows the channels of
   any of them.
3. A **transposed convolution** with stride 2 doubles the resolution.
4. A $1 \times 1$ convolution gives one logit $z_k$ per class and position. A sigmoid converts each
   one by itself; unlike a softmax, it lets classes not compete:

$$ m_k(i, j) = \frac{1}{1 + \exp(-z_k(i, j))} $$

5. The mask of the box's class is enlarged bilinearly to the size of the box and **pasted** into the
   photo. A pixel belongs to the instance if its probability is at least the threshold (0.5 in the
   paper).

**Reading it.** *Mask of* shows what the branch predicts for another class: the box head alone
decides on the class, the mask branch only segments. A class-agnostic branch has one mask for all
classes. The plot shows how the area depends on the threshold; drag its line. A flat curve means a
sharp border. At a border of $28 \times 28$ positions, one position covers many pixels of a large
object: thin parts such as legs are lost.

**Sources.** He et al. 2017, *Mask R-CNN*, section 3 and table 2b (class-agnostic masks); Lin et al.
2017, *Feature Pyramid Networks*, equation 1 (the choice of the map).
"""

NO_MASKS = ExplorerError(
    "This network outputs no masks.", "Choose Mask R-CNN, such as lite-maskrcnn."
)
TOP = 255
"""The largest value of a stored mask; see `Detections`."""


def _of(info: NetworkInfo) -> tuple[str, ...]:
    return (OWN_CLASS, *class_choices(info))


def _stages(info: NetworkInfo) -> tuple[str, ...]:
    return stage_names(info) or (LOGITS,)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    selected: int | None = param(
        None, "Instance", "The instance whose mask is opened; select it on the photo or in the "
        "table. By default the highest-scoring one.",
        pick=Pick.SELECT, layer="instances",
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score", "Instances with a lower score are hidden. Nothing is computed again.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01, suggested=score_threshold,
    )  # fmt: skip
    classes: tuple[str, ...] = param(
        (), "Classes", "Only these classes are shown; none chosen means all.",
        effect=Effect.DRAW, choices=class_choices,
    )  # fmt: skip
    threshold: float = param(
        0.5, "Mask threshold",
        "A pixel belongs to the instance if its mask probability is at least this. The network "
        "does not run again.",
        effect=Effect.DRAW, low=0.02, high=0.98, step=0.02, play=True,
    )  # fmt: skip
    opacity: float = param(
        0.5, "Opacity", "Opacity of the masks over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    labels: bool = param(
        True, "Labels", "Shows class and score at every instance.", effect=Effect.DRAW
    )
    stage: str = param(
        "", "Stage", "The stage of the mask branch whose channels are shown.",
        effect=Effect.DRAW, choices=_stages, section="Mask branch",
    )  # fmt: skip
    of: str = param(
        OWN_CLASS, "Mask of", "The class whose mask is shown before and after it is pasted.",
        choices=_of, section="Mask branch",
    )  # fmt: skip
    shows: str = param(
        PROBABILITY, "Values", "The raw mask as probabilities, or as logits before the sigmoid.",
        effect=Effect.DRAW, choices=(PROBABILITY, LOGIT), section="Mask branch",
    )  # fmt: skip
    level: str = param(
        OWN_LEVEL, "Feature map",
        "Where the bins are drawn: on the map that the network cuts the box from, or on another "
        "one, counted from the finest.",
        choices=(OWN_LEVEL, *(f"map {n}" for n in range(LEVELS))), section="Mask branch",
    )  # fmt: skip
    channel: int | None = param(
        None, "Channel", "Channel of the feature map; off: the mean of all channels.",
        effect=Effect.DRAW, low=0, high=4095, step=1, section="Mask branch",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """`answer` are all instances, `opened` one of them; `frame` is from photo to input."""

    answer: DetectorAnswer
    opened: Opened | None
    frame: Frame
    note: str = ""
    cache: DrawCache = field(default_factory=lambda: DrawCache(16))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    if not stage_names(scene.network.info):
        raise NO_MASKS
    answer, one, note = _computed(scene, params)
    yield Step(Result(answer, one, scene.frame, note))


def _computed(scene: Scene, params: Params) -> tuple[DetectorAnswer, Opened | None, str]:
    branch = mask_branch_of(scene)  # before the answer: both come from one forward pass
    answer, note = detected(scene), ""
    if not len(answer.found):
        return answer, None, note
    row = min(params.selected or 0, len(answer.found) - 1)
    level = None
    if params.level != OWN_LEVEL:
        level, count = int(params.level.rpartition(" ")[2]), len(branch.maps.names)
        if level >= count:
            note = f"The network pools from {count} {plural('map', count)}: the coarsest is shown."
    return answer, opened(scene, max(row, 0), params.of, level), note


def draw(result: Result, params: Params) -> Board:
    rows = _shown(result, params)
    panes = [_image_pane(result, params, rows)]
    plots: tuple[Plot, ...] = ()
    one, cache = result.opened, result.cache
    if one is not None:
        classes = result.answer.classes
        tint = _colors(np.array([one.row]))[0]
        name = "" if one.agnostic else class_name(classes, one.of)
        stage = params.stage or next(iter(one.stages))
        panes += [
            level_pane(one, _channel(one, params), cache),
            stage_pane(one, stage, classes, cache),
            raw_pane(one, params.shows, name, cache),
            paste_pane(one, result.answer.photo, params.threshold, params.opacity, tint, cache),
        ]
        plots = (_area_plot(result, one, params),)
    return Board(
        panes=tuple(panes), plots=plots, tables=(_table(result, params, rows),),
        summary=_summary(result, params, rows), notes=_notes(result), idle=_idle(one),
    )  # fmt: skip


def _channel(one: Opened, params: Params) -> int | None:
    return None if params.channel is None else min(params.channel, len(one.map) - 1)


def _shown(result: Result, params: Params) -> NDArray[np.intp]:
    """The instances that pass score and class filter, highest score first."""
    found, classes = result.answer.found, result.answer.classes
    keep = found.scores >= _least(result, params)
    if params.classes:
        wanted = [k for k, name in enumerate(classes) if name in params.classes]
        keep &= np.isin(found.labels, wanted)
    return np.flatnonzero(keep)


def _least(result: Result, params: Params) -> float:
    return result.answer.info.score_threshold if params.score is None else params.score


def _level(params: Params) -> int:
    """The threshold in the steps in which masks are stored."""
    return min(round(params.threshold * 256), TOP)


def _colors(rows: NDArray[np.intp]) -> UInt8:
    return class_colors(int(rows.max(initial=0)) + 1)[rows]


def _labels(result: Result, rows: NDArray[np.intp]) -> tuple[str, ...]:
    found = result.answer.found
    return tuple(
        f"{class_name(result.answer.classes, label)} {score:.2f}"
        for label, score in zip(
            found.labels[rows].tolist(), found.scores[rows].tolist(), strict=True
        )
    )


def _image_pane(result: Result, params: Params, rows: NDArray[np.intp]) -> Pane:
    answer, found = result.answer, result.answer.found
    layers: list[Layer] = [answer.photo]
    colors, names = _colors(rows), _labels(result, rows)
    if len(rows):
        assert found.masks is not None
        masks, level = found.masks, _level(params)
        index = result.cache.get(
            ("index", rows.tobytes(), level), lambda: instance_map(masks, rows, level)
        )
        layers.append(
            Masks(
                index, colors, names=names, extent=found.mask_extent, opacity=params.opacity,
                name="masks",
            )
        )  # fmt: skip
    if result.opened is not None:
        halo = result.opened.box[None]
        layers.append(Boxes(halo, same(WHITE, 1), width=4.0, selectable=False, name="selected"))
        layers.append(bins_on_photo(result.opened))
    layers.append(
        Boxes(
            found.xyxy[rows], colors, labels=names if params.labels else (),
            keys=tuple(rows.tolist()), width=1.5, name="instances",
        )
    )  # fmt: skip
    return Pane("image", size_of(answer.photo), tuple(layers), title="Instances")


def _areas(result: Result, params: Params) -> NDArray[np.float64]:
    """(N,) of all instances, in pixels of the photo."""
    level = _level(params)
    masks = result.answer.found.masks
    if masks is None:
        return np.zeros(0)
    counts = result.cache.get(
        ("areas", level), lambda: np.array([np.count_nonzero(m >= level) for m in masks], float)
    )
    return counts / abs(result.frame.sx * result.frame.sy)


def _table(result: Result, params: Params, rows: NDArray[np.intp]) -> Table:
    answer, found = result.answer, result.answer.found
    areas = _areas(result, params)[rows]
    width, height = size_of(answer.photo)
    sides = (found.xyxy[rows, 2:] - found.xyxy[rows, :2]).astype(float)
    boxes = np.maximum(sides.prod(axis=1), 1.0)
    lines = tuple(
        (
            class_name(answer.classes, int(found.labels[row])),
            round(float(found.scores[row]), 3),
            round(area),
            round(100 * area / (width * height), 2),
            round(100 * min(area / box, 1.0), 1),
        )
        for row, area, box in zip(rows.tolist(), areas.tolist(), boxes.tolist(), strict=True)
    )
    return Table(
        "instances", ("class", "score", "area, pixels", "% of photo", "% of box"), lines,
        title="Instances", layer="instances", keys=tuple(rows.tolist()),
        swatches=tuple(color(tint) for tint in _colors(rows)),
    )  # fmt: skip


def _area_plot(result: Result, one: Opened, params: Params) -> Plot:
    curve = result.cache.get(("curve",), lambda: _curve(result, one))
    name = class_name(result.answer.classes, int(result.answer.found.labels[one.row]))
    return Plot(
        "area", f"Area of the selected instance ({name})", x_label="mask threshold",
        y_label="pixels of the photo", curves=(curve,), marker=params.threshold,
        steers="threshold", whole_y=True,
    )  # fmt: skip


def _curve(result: Result, one: Opened) -> Curve:
    masks = result.answer.found.masks
    assert masks is not None
    counts = np.bincount(masks[one.row].ravel(), minlength=256)
    reaching = counts[::-1].cumsum()[::-1] / abs(result.frame.sx * result.frame.sy)
    steps = np.arange(5, 252)
    return Curve(steps / 256, reaching[steps].astype(np.float64))


def _summary(result: Result, params: Params, rows: NDArray[np.intp]) -> str:
    answer, one = result.answer, result.opened
    found = answer.found
    if not len(found) or one is None:
        return "No instances."
    least = _least(result, params)
    counted = counts_of(answer.classes, found.labels[rows].tolist())
    words = f"{len(rows)} of {len(found)} {plural('instance', len(found))} (score >= {least:.2f})"
    words += f": {counted}" if len(rows) else ""
    area = float(_areas(result, params)[one.row])
    width, height = size_of(answer.photo)
    (name,) = _labels(result, np.array([one.row]))
    grid = " x ".join(map(str, one.grid[::-1]))
    return (
        f"{words} · selected: {name}, {area:,.0f} pixels ({percent(area / (width * height))}), "
        f"RoIAlign {grid} on map {one.levels[one.own_level]}"
    )


def _notes(result: Result) -> tuple[str, ...]:
    return (result.note,) if result.note else ()


def _idle(one: Opened | None) -> tuple[str, ...]:
    """Where one mask serves all classes, there is none to choose."""
    return ("of",) if one is not None and one.agnostic else ()


def data(result: Result, params: Params) -> dict[str, Any]:
    """The instances that are shown, and the one that is opened.

    Keys: `boxes` (N, 4) float32 xyxy in the photo's pixels, `labels` (N,) int64, `scores` (N,)
    float32, `classes` the names by label, `size` (width, height) of the photo, `segmentations` the
    masks at the threshold as COCO's run lengths, and `areas` (N,) in pixels. Of the opened one
    `instance` its number among all, `map` the name of its feature map, `bins` (B, 4) and `samples`
    (S, 2) of RoIAlign in the photo's pixels, `mask_class`, `logits` and `probabilities` (h, w) of
    that class, and of every stage before them `stage NAME` (C, h, w).
    """
    rows, found = _shown(result, params), result.answer.found
    height, width = result.answer.photo.rgb.shape[:2]
    masks = [_on_photo(result, row, _level(params), (height, width)) for row in rows]
    answer: dict[str, Any] = {
        "boxes": found.xyxy[rows],
        "labels": found.labels[rows],
        "scores": found.scores[rows],
        "classes": result.answer.classes,
        "size": (width, height),
        "segmentations": [run_lengths(mask) for mask in masks],
        "areas": np.array([mask.sum() for mask in masks], np.int64),
    }
    one = result.opened
    if one is not None:
        answer |= {
            "instance": one.row,
            "map": one.levels[one.level],
            "bins": one.bins,
            "samples": one.samples,
            "mask_class": class_name(result.answer.classes, one.of),
            "logits": one.logits,
            "probabilities": one.probabilities,
        }
        answer |= {f"stage {name}": v for name, v in one.stages.items() if name != LOGITS}
    return answer


def mask(result: Result, params: Params) -> IndexedMask:
    """The instances that are shown, numbered from 1; higher scores lie on top."""
    rows, found = _shown(result, params), result.answer.found
    names = dict(enumerate((_name(result, row) for row in rows), 1))
    height, width = result.answer.photo.rgb.shape[:2]
    if found.masks is None or not len(rows):
        return IndexedMask(np.zeros((height, width), np.int32), names)
    index = instance_map(found.masks, rows, _level(params)) + 1
    return IndexedMask(np.maximum(in_photo(index, result.frame, (height, width)), 0), names)


def _name(result: Result, row: int) -> str:
    return class_name(result.answer.classes, int(result.answer.found.labels[row]))


def _on_photo(result: Result, row: int, level: int, size: tuple[int, int]) -> NDArray[np.bool_]:
    masks = result.answer.found.masks
    assert masks is not None
    reaching = (masks[row] >= level).astype(np.int32)
    return in_photo(reaching, result.frame, size) > 0


VIEW = View(
    name="instances",
    title="Instance segmentation",
    group=Group.SEGMENTATION,
    summary="Instances with their masks, and how Mask R-CNN computes one of them, step by step.",
    explanation=EXPLANATION,
    reference="He et al. 2017, Mask R-CNN, section 3",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection"}),
    data=data,
    mask=mask,
    begins_with="lite-maskrcnn",
    parts=(MASK_HEAD,),
)
