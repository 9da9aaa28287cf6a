"""From the form to a target of `explorer.vision.attribution`, and to what is written about it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.engine.stages import activation_of, trace_of
from explorer.views.inside.attribution.params import (
    BOX,
    CLASS,
    CONNECTED,
    REGION,
    UNIT,
    Params,
    kind_of,
)
from explorer.views.inside.attribution.result import Subject
from explorer.views.shared.common import class_name, default_layer
from explorer.vision.attribution.boxes import SimilarBox, box_target
from explorer.vision.attribution.targets import (
    ClassTarget,
    RegionTarget,
    UnitTarget,
    reading,
)
from explorer.vision.detection.detections import detections_of
from explorer.vision.features.segmentation import segmentation_of
from explorer.vision.trace import TwoStage
from explorer.vision.trace.parts import level_of

if TYPE_CHECKING:
    from collections.abc import Hashable

    from numpy.typing import NDArray

    from explorer.core.layers import Extent, Float32
    from explorer.core.params import Point
    from explorer.engine.scene import Scene
    from explorer.vision.attribution.targets import Target
    from explorer.vision.detection.detections import Detections

BACKGROUND = frozenset({"__background__", "background"})


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """A target and what is drawn of it.

    Attributes:
        target: Of all methods but D-RISE.
        subject: In plain values.
        key: What the layer of the CAMs depends on, beside the network.
        blind: The target has no gradient: only methods that mask can be used.
        similar: Row of the detection that D-RISE looks for.
        detections: Of a detector.
    """

    target: Target
    subject: Subject
    key: Hashable
    blind: bool = False
    similar: int | None = None
    detections: Detections | None = None


def choose(scene: Scene, params: Params) -> Chosen:
    """The target that the form names; by default the network's own top answer.

    Raises:
        ExplorerError: There is nothing of that kind on the photo.
    """
    kind = kind_of(params, scene.network.info)
    if kind == CLASS:
        return _class(scene, params)
    if kind == BOX:
        return _box(scene, params)
    if kind == REGION:
        return _region(scene, params)
    return _unit(scene, params)


def known(chosen: Chosen, scene: Scene, label: int | None, confidence: float) -> Chosen:
    """The same after a method has told the top class, with its name and its probability."""
    if chosen.subject.number is not None or label is None:
        return chosen
    name = class_name(scene.network.info.classes, label)
    return replace(chosen, subject=replace(chosen.subject, name=name, number=confidence))


def _extent(scene: Scene) -> Extent:
    height, width = scene.input().shape[-2:]
    return scene.frame.inverse().extent(float(width), float(height))


def _class(scene: Scene, params: Params) -> Chosen:
    network = scene.network
    classes = network.info.classes
    index = classes.index(params.label) if params.label in classes else None
    box = np.array(_extent(scene), np.float32)
    subject = Subject(CLASS, "", None, _extent(scene), box)
    if scene.moment is None:  # of a camera's frame the first method tells the class
        index, share = _of_output(scene, index)
        subject = replace(subject, name=class_name(classes, index), number=share)
    target = ClassTarget(network.module, index)
    return Chosen(target, subject, CLASS)


def _of_output(scene: Scene, index: int | None) -> tuple[int, float]:
    """The class, by default the top one, and its probability, from the output for the photo."""
    read = reading(scene.output(), index)
    assert read.label is not None
    return int(read.label[0]), float(read.confidence[0])


def _box(scene: Scene, params: Params) -> Chosen:
    network = scene.network
    image = scene.input()[0]
    trace = None
    try:
        trace = trace_of(scene)
    except ExplorerError:  # no detector of torchvision's; the YOLO kind needs no trace
        scene.output()
    height, width = scene.input().shape[-2:]
    found = scene.memo(
        "detections", lambda: detections_of(scene.output(), scene.frame, (height, width))
    )
    if not len(found):
        raise ExplorerError(
            "The detector finds nothing on this photo.",
            "Choose another photo, or a unit as target.",
        )
    row = params.selected if params.selected is not None else 0
    row = row if 0 <= row < len(found) else 0
    label = int(found.labels[row])
    key: Hashable = BOX
    blind, note = False, ""
    try:
        target = box_target(network.module, image, row, trace)
    except ExplorerError:
        target, blind = SimilarBox.of(network.module, image, row), True
        note = "The score of a box cannot be traced through this detector."
    if trace is not None:
        place = int(trace.detected[0][row])
        key = (BOX, _level(trace, place))
    subject = Subject(
        BOX, class_name(network.info.classes, label), float(found.scores[row]),
        _extent(scene), found.xyxy[row], selected=row,
        note=note,
    )  # fmt: skip
    return Chosen(target, subject, key, blind, row, found)


def _level(trace: object, place: int) -> int:
    """Which map of the pyramid a candidate comes from."""
    if isinstance(trace, TwoStage):
        return int(trace.roi.levels[place])
    return level_of(trace.pyramid.levels, place)  # type: ignore[attr-defined]


def _region(scene: Scene, params: Params) -> Chosen:
    network, classes = scene.network, scene.network.info.classes
    height, width = scene.input().shape[-2:]
    found = scene.memo("segmentation", lambda: segmentation_of(scene.output(), (height, width)))
    wanted = classes.index(params.label) if params.label in classes else None
    pixel = _pixel(scene, params.place)
    if pixel is None:
        wanted, pixel = _largest(found.classes, wanted, classes)
    index = int(found.classes[pixel]) if wanted is None else wanted
    mask = np.zeros((height, width), bool)
    mask[pixel] = True
    if params.region == CONNECTED:
        mask = _connected(found.classes, pixel)
    shares = found.probabilities[index][mask].astype(np.float32)
    subject = Subject(
        REGION, class_name(classes, index), float(shares.mean()), _extent(scene),
        mask=np.where(mask, np.int32(0), np.int32(-1)).astype(np.int32),
    )  # fmt: skip
    target = RegionTarget(network.module, index, torch.from_numpy(mask).to(network.device))
    return Chosen(target, subject, REGION)


def _pixel(scene: Scene, place: Point | None) -> tuple[int, int] | None:
    """Row and column of the input at a place of the photo, the nearest one inside."""
    if place is None:
        return None
    height, width = scene.input().shape[-2:]
    x, y = scene.frame.point(place.x, place.y)
    return min(max(int(y), 0), height - 1), min(max(int(x), 0), width - 1)


def _largest(
    found: NDArray[np.int32], wanted: int | None, classes: tuple[str, ...]
) -> tuple[int, tuple[int, int]]:
    """A class and a pixel of it: the class with the most pixels that is not background.

    The pixel is one of its largest connected part; where there is none of a wanted class, the
    middle of the photo.
    """
    counts = np.bincount(found.ravel(), minlength=len(classes) or 1)
    if wanted is None:
        things = counts.copy()
        things[[k for k, name in enumerate(classes) if name in BACKGROUND]] = 0
        wanted = int((things if things.any() else counts).argmax())
    if wanted >= len(counts) or not counts[wanted]:
        return wanted, (found.shape[0] // 2, found.shape[1] // 2)
    _, parts, stats, _ = cv2.connectedComponentsWithStats((found == wanted).astype(np.uint8))
    part = 1 + int(stats[1:, cv2.CC_STAT_AREA].argmax())
    row, column = np.argwhere(parts == part)[0].tolist()
    return wanted, (row, column)


def _connected(found: NDArray[np.int32], pixel: tuple[int, int]) -> NDArray[np.bool_]:
    """The pixels of one class that are connected with a pixel of it."""
    _, parts = cv2.connectedComponents((found == found[pixel]).astype(np.uint8))
    mask: NDArray[np.bool_] = parts == parts[pixel]
    return mask


def _unit(scene: Scene, params: Params) -> Chosen:
    network = scene.network
    layer = params.layer or default_layer(network.info)
    found = activation_of(scene, layer)
    if found.items > 1:
        raise ExplorerError(
            f"The layer {layer!r} does not output a tensor for the photo as a whole.",
            "Choose another layer.",
        )
    maps = found.values
    cell = None
    if found.frame is not None and params.place is not None:
        x, y = found.frame.point(params.place.x, params.place.y)
        cell = min(max(int(y), 0), maps.shape[1] - 1), min(max(int(x), 0), maps.shape[2] - 1)
    at = maps if cell is None else maps[:, cell[0] : cell[0] + 1, cell[1] : cell[1] + 1]
    channel = params.channel
    if channel is None:
        channel = int(np.nan_to_num(at, nan=-np.inf).reshape(len(maps), -1).max(axis=1).argmax())
    channel = min(channel, len(maps) - 1)
    number = float(at[channel].max())
    row, column = cell or divmod(int(maps[channel].argmax()), maps.shape[2])
    name = f"channel {channel} of {layer}"
    box: Float32 = np.array(_extent(scene), np.float32)
    if found.frame is not None:
        name += f", row {row}, column {column}"
        one = np.array([[column, row, column + 1, row + 1]], np.float32)
        box = found.frame.inverse().boxes(one)[0]
    target = UnitTarget(network.module, layer, channel, cell, batched=network.preprocess.batched)
    subject = Subject(UNIT, name, number, _extent(scene), box)
    return Chosen(target, subject, (UNIT, layer, channel, cell))
