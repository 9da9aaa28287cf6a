"""The detections of a network as a board: which boxes are shown, and how."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Layer,
    Masks,
    Pane,
    Picture,
    Table,
    class_colors,
    label_colors,
)
from explorer.networks.embedded.wordtree import ROOT, WordTree
from explorer.views.shared.common import class_name, counts_of, photo_of, size_of
from explorer.views.shared.detection_params import MATCH, OBJECT, DetectionParams
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.matches import Matches, key_of_matches, matches, truth_of_matches
from explorer.views.shared.plural import plural
from explorer.views.shared.skeletons import skeletons
from explorer.vision.detection.detections import (
    Detections,
    detections_of,
    instance_map,
    score_floor,
)
from explorer.vision.detection.limbs import keypoint_names

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

WORDS_SHOWN = 3
"""Of the way through a tree of words, the last ones."""


@dataclass(frozen=True, slots=True, eq=False)
class DetectorAnswer:
    """The network's detections.

    Attributes:
        photo: The photo.
        found: All boxes of the network.
        info: The network.
        floor: The score under which the network itself drops boxes.
        words: For every box where it stopped in the network's tree of words; empty without a tree.
        joints: The names of its keypoints; empty when they are not known.
    """

    photo: Picture
    found: Detections
    info: NetworkInfo
    floor: float
    words: tuple[str, ...] = ()
    joints: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)

    @property
    def classes(self) -> tuple[str, ...]:
        """The network's names by label."""
        return self.info.classes


def answer_board(result: DetectorAnswer, params: DetectionParams) -> Board:
    """Boxes, masks and keypoints over the photo, and a table of the boxes."""
    found = result.found
    rows = shown(result, params)
    matched = _matched(result, params, rows)
    size = size_of(result.photo)
    layers: list[Layer] = [result.photo]
    if params.masks and found.masks is not None and len(rows):
        layers.append(_masks(result, params, rows))
    layers += truth_of_matches(matched) if matched is not None else []
    layers += [*_halo(result, params, rows), _boxes(result, params, rows, matched)]
    if params.keypoints and found.keypoints is not None and len(rows):
        layers += _skeletons(result, params, rows)
    if matched is not None:
        layers.append(key_of_matches(matched, size[1]))
    notes = [matched.note] if matched is not None and matched.note else []
    if least_score(result, params) < result.floor:
        notes.append(f"The network itself drops detections with a score below {result.floor:g}.")
    return Board(
        panes=(Pane("image", size, tuple(layers)),),
        tables=(_table(result, params, rows, matched),),
        summary=_summary(result, params, rows, matched),
        notes=tuple(notes),
    )


def least_score(result: DetectorAnswer, params: DetectionParams) -> float:
    """From which score boxes are shown: the user's, else the network's own threshold."""
    return result.info.score_threshold if params.score is None else params.score


def _matched(
    result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]
) -> Matches | None:
    """The shown boxes against the ground truth; None where there is none."""
    if not params.truth:
        return None
    return matches(
        result.found, rows, params.truth, result.info, iou=params.iou, classes=params.classes
    )


def answer_data(result: DetectorAnswer, params: DetectionParams) -> dict[str, Any]:
    """The boxes that are shown.

    Keys: `boxes` (N, 4) float32 xyxy in the photo's pixels, `labels` (N,) int64, `scores` (N,)
    float32, `classes` the names by label, `size` (width, height) of the photo, and `keypoints`
    (N, K, 3) with their `keypoint_names` where the network gives them. With ground truth also
    `match` ("TP", "FP", or "ignored" on an object that does not count) and `iou` (N,) with the
    nearest object of the class, and `missed` (M, 4), the false negatives.
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
    matched = _matched(result, params, rows)
    if matched is not None:
        answer |= {"match": matched.words, "iou": matched.ious, "missed": matched.missed_boxes}
    return answer


def shown(result: DetectorAnswer, params: DetectionParams) -> NDArray[np.intp]:
    """Indices of the boxes that pass the score and the class filter, the highest score first."""
    found = result.found
    keep = found.scores >= least_score(result, params)
    if params.classes:
        wanted = [k for k, name in enumerate(result.classes) if name in params.classes]
        keep &= np.isin(found.labels, wanted)
    rows = np.flatnonzero(keep)
    return rows[np.argsort(-found.scores[rows], kind="stable")]


def detected(scene: Scene) -> DetectorAnswer:
    """The network's output for the scene, computed once."""
    height, width = scene.input().shape[-2:]
    found = scene.memo(
        "detections", lambda: detections_of(scene.output(), scene.frame, (height, width))
    )
    module = scene.network.module
    return DetectorAnswer(
        photo_of(scene),
        found,
        scene.network.info,
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
        f"{' > '.join(tree.way(word)[-WORDS_SHOWN:])} {score:.2f}"
        if word != ROOT
        else "no word above the threshold"
        for word, score in zip(
            answer["words"].tolist(), answer["word_scores"].tolist(), strict=True
        )
    )


def _colors(result: DetectorAnswer, params: DetectionParams, rows: NDArray[np.intp]) -> UInt8:
    if params.color_by == OBJECT:
        return class_colors(int(rows.max(initial=0)) + 1)[rows]
    return label_colors(result.found.labels[rows])


def _names(result: DetectorAnswer, rows: NDArray[np.intp]) -> tuple[str, ...]:
    found = result.found
    return tuple(
        f"{class_name(result.classes, label)} {score:.2f}"
        for label, score in zip(
            found.labels[rows].tolist(), found.scores[rows].tolist(), strict=True
        )
    )


def _boxes(
    result: DetectorAnswer,
    params: DetectionParams,
    rows: NDArray[np.intp],
    matched: Matches | None,
) -> Boxes:
    names, colors = _names(result, rows), _colors(result, params, rows)
    if matched is not None and params.color_by == MATCH:
        names = tuple(f"{word} {name}" for word, name in zip(matched.words, names, strict=True))
        colors = matched.colors
    return Boxes(
        result.found.xyxy[rows],
        colors,
        labels=names if params.labels else (),
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
    level = round(params.mask_threshold * 256)
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
    """Limbs between the keypoints above the threshold, and those; the selected box's by name."""
    found = result.found
    assert found.keypoints is not None
    joints = found.keypoints[rows]
    sure = np.ones(joints.shape[:2], bool)
    if found.keypoint_scores is not None:
        sure = found.keypoint_scores[rows] >= params.keypoint_score
    named = len(result.joints) == joints.shape[1] and params.selected in rows
    return skeletons(
        joints[..., :2],
        keypoint_names(result.joints, joints.shape[1]),
        shown=sure,
        labeled=int(np.flatnonzero(rows == params.selected)[0]) if named else None,
    )


def _table(
    result: DetectorAnswer,
    params: DetectionParams,
    rows: NDArray[np.intp],
    matched: Matches | None,
) -> Table:
    found = result.found
    swatches = _colors(result, params, rows)
    compared: tuple[tuple[str | float, ...], ...] = ((),) * len(rows)
    if matched is not None:
        compared = tuple(
            (word, round(iou, 2))
            for word, iou in zip(matched.words, matched.ious.tolist(), strict=True)
        )
        swatches = matched.colors if params.color_by == MATCH else swatches
    lines: tuple[tuple[str | int | float, ...], ...] = tuple(
        (
            class_name(result.classes, label),
            *result.words[row : row + 1],
            round(score, 3),
            *match,
            *(round(side, 1) for side in sides),
        )
        for row, label, score, match, sides in zip(
            rows.tolist(), found.labels[rows].tolist(), found.scores[rows].tolist(), compared,
            found.xyxy[rows].tolist(), strict=True,
        )
    )  # fmt: skip
    return Table(
        "detections",
        (
            "class",
            *(("word",) if result.words else ()),
            "score",
            *(("match", "IoU") if matched is not None else ()),
            *("x0", "y0", "x1", "y1"),
        ),
        lines,
        title="Detections",
        layer="detections",
        keys=tuple(rows.tolist()),
        swatches=tuple(map(tuple, swatches.tolist())),
    )


def _summary(
    result: DetectorAnswer,
    params: DetectionParams,
    rows: NDArray[np.intp],
    matched: Matches | None,
) -> str:
    found = result.found
    compared = f"; {matched.summary} at IoU >= {params.iou:.2f}" if matched is not None else ""
    if len(found) == 0:
        return f"No detections{compared}."
    if len(rows) == 0:
        least = least_score(result, params)
        best = int(found.scores.argmax())
        if found.scores[best] >= least:
            return f"No detection of the chosen classes has a score >= {least:.2f}{compared}."
        name = class_name(result.classes, int(found.labels[best]))
        highest = f"{found.scores[best]:.2f} ({name}){compared}"
        return f"No detection has a score >= {least:.2f}; the highest of {len(found)} is {highest}."
    words = counts_of(result.classes, found.labels[rows].tolist())
    return (
        f"{len(rows)} of {len(found)} {plural('detection', len(found))} "
        f"(score >= {least_score(result, params):.2f}): {words}{compared}"
    )
