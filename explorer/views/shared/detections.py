"""The answer of a detector as a board: which boxes are shown, and how."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Layer,
    Lines,
    Masks,
    Pane,
    Picture,
    Points,
    Table,
    class_colors,
)
from explorer.core.params import Effect, Pick, param
from explorer.networks.embedded.wordtree import ROOT, WordTree
from explorer.views.shared.common import class_name, photo_of, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.detection.detections import (
    COCO_SKELETON,
    Detections,
    detections_of,
    instance_map,
    score_floor,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

WORDS_SHOWN = 3
"""Of the way through a tree of words, the last ones."""

NO_CLASS = frozenset({"__background__", "background", "N/A", ""})


def class_choices(info: NetworkInfo) -> tuple[str, ...]:
    """The classes that are things, each once."""
    return tuple(dict.fromkeys(name for name in info.classes if name not in NO_CLASS))


def _gives(info: NetworkInfo | None, part: str) -> bool:
    """Whether the network has a head for masks or keypoints, by the names of its layers."""
    names = info.layer_names() if info is not None else ()
    return any(name.rpartition(".")[2].startswith(part) for name in names)


def _has_masks(_params: DetectionParams, info: NetworkInfo | None) -> bool:
    return _gives(info, "mask")


def _drawn_masks(params: DetectionParams, info: NetworkInfo | None) -> bool:
    return params.masks and _gives(info, "mask")


@dataclass(frozen=True, slots=True)
class DetectionParams:
    """See the help of each."""

    score: float = param(
        0.5, "Score from", "Boxes with a lower score are hidden. Nothing is computed again.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.01,
    )  # fmt: skip
    classes: tuple[str, ...] = param(
        (), "Classes", "Only boxes of these classes are shown; none chosen means all.",
        effect=Effect.DRAW, choices=class_choices,
    )  # fmt: skip
    labels: bool = param(True, "Labels", "Writes class and score at every box.", effect=Effect.DRAW)
    masks: bool = param(
        True, "Masks", "Paints the instance masks.", effect=Effect.DRAW, when=_has_masks
    )
    keypoints: bool = param(
        True, "Keypoints", "Draws the joints and limbs.",
        effect=Effect.DRAW, when=lambda _, info: _gives(info, "keypoint"),
    )  # fmt: skip
    color_by: str = param(
        "class", "Colour by", "One colour for every class, or one for every object.",
        effect=Effect.DRAW, choices=("class", "object"),
    )  # fmt: skip
    mask_level: float = param(
        0.5, "Mask from", "A pixel belongs to an object from this probability on.",
        effect=Effect.DRAW, low=0.05, high=0.95, step=0.05, advanced=True, when=_drawn_masks,
    )  # fmt: skip
    mask_opacity: float = param(
        0.45, "Mask opacity", "How much the masks cover the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True, when=_drawn_masks,
    )  # fmt: skip
    keypoint_score: float = param(
        0.0, "Keypoint score from",
        "Joints are hidden whose heat map has a lower highest value (hidden limbs are low).",
        effect=Effect.DRAW, low=-20.0, high=40.0, step=0.5, advanced=True,
        when=lambda params, info: params.keypoints and _gives(info, "keypoint"),
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected box", "The box whose row is chosen in the table.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="detections",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class DetectorAnswer:
    """The network's answer.

    Attributes:
        photo: What was looked at.
        found: All boxes of the network.
        classes: Its names by label.
        floor: The score under which the network itself drops boxes.
        words: For every box where it stopped in the network's tree of words; empty without a tree.
        joints: The names of its keypoints; empty when nobody says them.
    """

    photo: Picture
    found: Detections
    classes: tuple[str, ...]
    floor: float
    words: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


def answer_board(result: DetectorAnswer, params: DetectionParams) -> Board:
    """Boxes, masks and keypoints over the photo, and a table of the boxes."""
    found = result.found
    rows = shown(result, params)
    layers: list[Layer] = [result.photo]
    if params.masks and found.masks is not None and len(rows):
        layers.append(_masks(result, params, rows))
    layers += [*_halo(result, params, rows), _boxes(result, params, rows)]
    if params.keypoints and found.keypoints is not None and len(rows):
        layers += _skeletons(result, params, rows)
    notes: tuple[str, ...] = ()
    if params.score < result.floor:
        notes = (f"This network itself drops boxes under {result.floor:g}.",)
    return Board(
        panes=(Pane("image", size_of(result.photo), tuple(layers)),),
        tables=(_table(result, params, rows),),
        summary=_summary(result, params, rows),
        notes=notes,
    )


def answer_data(result: DetectorAnswer, params: DetectionParams) -> dict[str, Any]:
    """The boxes that are shown.

    Keys: `boxes` (N, 4) float32 xyxy in the photo's pixels, `labels` (N,) int64, `scores` (N,)
    float32, `classes` the names by label, `size` (width, height) of the photo, and `keypoints`
    (N, K, 3) with their `keypoint_names` where the network gives them.
    """
    rows = shown(result, params)
    found = result.found
    answer: dict[str, Any] = {
        "boxes": found.xyxy[rows],
        "labels": found.labels[rows],
        "scores": found.scores[rows],
        "classes": result.classes,
        "size": tuple(int(side) for side in size_of(result.photo)),
    }
    if found.keypoints is not None:
        answer["keypoints"] = found.keypoints[rows]
        answer["keypoint_names"] = result.joints
    return answer


def shown(result: DetectorAnswer, params: DetectionParams) -> NDArray[np.intp]:
    """Indices of the boxes that pass the score and the class filter, the most certain first."""
    found = result.found
    keep = found.scores >= params.score
    if params.classes:
        wanted = [k for k, name in enumerate(result.classes) if name in params.classes]
        keep &= np.isin(found.labels, wanted)
    rows = np.flatnonzero(keep)
    return rows[np.argsort(-found.scores[rows], kind="stable")]


def detected(scene: Scene) -> DetectorAnswer:
    """The network's answer to the scene, worked out once."""
    height, width = scene.input().shape[-2:]
    found = scene.memo(
        "detections", lambda: detections_of(scene.output(), scene.frame, (height, width))
    )
    module = scene.network.module
    return DetectorAnswer(
        photo_of(scene),
        found,
        scene.network.info.classes,
        score_floor(module),
        _words(scene),
        scene.network.info.keypoints,
    )


def _words(scene: Scene) -> tuple[str, ...]:
    tree = getattr(scene.network.module, "tree", None)
    if not isinstance(tree, WordTree):
        return ()
    (answer,) = scene.output()
    return tuple(
        f"{' > '.join(tree.way(word)[-WORDS_SHOWN:])} {score:.2f}" if word != ROOT else "not sure"
        for word, score in zip(
            answer["words"].tolist(), answer["word_scores"].tolist(), strict=True
        )
    )


def _colors(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> UInt8:
    by = rows if params.color_by == "object" else result.found.labels[rows]
    return class_colors(int(by.max(initial=0)) + 1)[by]


def _names(result: DetectorAnswer, rows: NDArray[np.intp]) -> tuple[str, ...]:
    found = result.found
    return tuple(
        f"{class_name(result.classes, label)} {score:.2f}"
        for label, score in zip(
            found.labels[rows].tolist(), found.scores[rows].tolist(), strict=True
        )
    )


def _boxes(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> Boxes:
    return Boxes(
        result.found.xyxy[rows],
        _colors(result, params, rows),
        labels=_names(result, rows) if params.labels else (),
        keys=tuple(rows.tolist()),
        name="detections",
    )


def _halo(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> list[Layer]:
    if params.selected is None or params.selected not in rows:
        return []
    box = result.found.xyxy[params.selected : params.selected + 1]
    white = np.full((1, 3), 255, np.uint8)
    return [Boxes(box, white, width=7.0, selectable=False, name="selected")]


def _masks(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> Masks:
    masks = result.found.masks
    assert masks is not None
    level = round(params.mask_level * 256)
    index = result.cache.get(
        ("masks", rows.tobytes(), level), lambda: instance_map(masks, rows, level)
    )
    return Masks(
        index,
        _colors(result, params, rows),
        names=_names(result, rows),
        extent=result.found.mask_extent,
        opacity=params.mask_opacity,
        name="instances",
    )


def _skeletons(
    result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]
) -> list[Layer]:
    """Limbs between the joints that are certain enough, and those; the selected box's by name."""
    found = result.found
    assert found.keypoints is not None
    joints = found.keypoints[rows]
    n, count = joints.shape[:2]
    sure = np.ones((n, count), bool)
    if found.keypoint_scores is not None:
        sure = found.keypoint_scores[rows] >= params.keypoint_score
    tints = np.broadcast_to(class_colors(count)[None], (n, count, 3))
    labels: tuple[str, ...] = ()
    if len(result.joints) == count and params.selected in rows:
        owners, kinds = np.nonzero(sure)
        labels = tuple(
            result.joints[kind].replace("_", " ") if rows[owner] == params.selected else ""
            for owner, kind in zip(owners.tolist(), kinds.tolist(), strict=True)
        )
    points = Points(joints[sure][:, :2], tints[sure], 3.0, labels, "keypoints")
    if count != 17:  # only COCO's order of joints says which of them belong together
        return [points]
    start, end = np.array(COCO_SKELETON).T
    drawn = sure[:, start] & sure[:, end]
    segments = np.concatenate([joints[:, start, :2], joints[:, end, :2]], axis=2)[drawn]
    limbs = np.broadcast_to(class_colors(len(start))[None], (n, len(start), 3))[drawn]
    return [Lines(segments, limbs, width=2.5, name="limbs"), points]


def _table(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> Table:
    found = result.found
    lines: tuple[tuple[str | int | float, ...], ...] = tuple(
        (
            class_name(result.classes, label),
            *result.words[row : row + 1],
            round(score, 3),
            *(round(side, 1) for side in sides),
        )
        for row, label, score, sides in zip(
            rows.tolist(), found.labels[rows].tolist(), found.scores[rows].tolist(),
            found.xyxy[rows].tolist(), strict=True,
        )
    )  # fmt: skip
    return Table(
        "detections",
        ("class", *(("word",) if result.words else ()), "score", "x0", "y0", "x1", "y1"),
        lines,
        title="Detections",
        layer="detections",
        keys=tuple(rows.tolist()),
        swatches=tuple(map(tuple, _colors(result, params, rows).tolist())),
    )


def _summary(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> str:
    found = result.found
    if len(found) == 0:
        return "The network found nothing."
    if len(rows) == 0:
        best = int(found.scores.argmax())
        name = class_name(result.classes, int(found.labels[best]))
        return f"No box passes; the surest of {len(found)} is {name}: {found.scores[best]:.2f}."
    counts = Counter(class_name(result.classes, int(label)) for label in found.labels[rows])
    words = ", ".join(f"{count} {name}" for name, count in counts.most_common(6))
    more = f" and {len(counts) - 6} more classes" if len(counts) > 6 else ""
    return f"{len(rows)} of {len(found)} boxes from {params.score:.2f}: {words}{more}"
