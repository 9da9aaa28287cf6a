"""The panes: the person on the photo, the crop after every stage, and the heat maps' answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Heat, Layer, Lines, Pane, Picture, Points, class_colors
from explorer.views.shared.anchors import BLUE, ORANGE, WHITE, same
from explorer.views.shared.common import CROP_COLOR, size_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.skeletons import skeletons
from explorer.vision.features.person_crops import joints_back, square_around

if TYPE_CHECKING:
    from explorer.core.layers import Color, Float32, UInt8
    from explorer.views.segmentation.pose_regression.people import HeatKeypoints
    from explorer.vision.features.cascade import Cascade

CHOSEN, ALL, NONE = PARTS = ("selected keypoint", "all keypoints", "none")
PINK: Color = (255, 60, 170)
LEAST_MOVE = 0.02
"""Of the crop: a shorter arrow would be all head."""
TOUCH = 0.03
"""Half the side of the area around a keypoint that can be clicked, of the crop."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """One person.

    Attributes:
        photo: As a layer.
        box: (4,) float32 of the photo that the crop was made of.
        origin: Where it comes from, in words.
        boxes: (N, 4) float32, the boxes to choose from.
        person: The one that is used; None = another box.
        crop: (side, side, 3) uint8, the network's input before normalization.
        cascade: What the network made of it.
        names: Of its K keypoints.
        other: The same person by heat maps; None without such a network.
        title: Of the network.
        notes: Sentences that must not be missed.
    """

    photo: Picture
    box: Float32
    origin: str
    boxes: Float32
    person: int | None
    crop: UInt8
    cascade: Cascade
    names: tuple[str, ...]
    other: HeatKeypoints | None
    title: str
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))

    @property
    def places(self) -> Float32:
        """(S, K, 2) float32 in the photo's pixels, after every stage."""
        return np.stack([joints_back(joints, self.box) for joints in self.cascade.stages])

    @property
    def square(self) -> Float32:
        """(4,) float32 of the photo: what the crop shows."""
        left, top, size = square_around(self.box)
        return np.array([left, top, left + size, top + size], np.float32)

    def in_crop(self, places: Float32) -> Float32:
        """(K, 2) of the photo in pixels of the crop."""
        left, top, size = square_around(self.box)
        scale = np.float32(len(self.crop) / size)
        return ((places - np.array([left, top], np.float32)) * scale).astype(np.float32)


def image_pane(result: Result, joint: int, *, names: bool) -> Pane:
    """All boxes, the crop, and the keypoints of the last stage."""
    places = result.places[-1]
    size = result.square[2] - result.square[0]
    touch = np.full(2, TOUCH * size, np.float32)
    areas = np.concatenate([places - touch, places + touch], axis=1)
    layers: list[Layer] = [result.photo]
    if len(result.boxes):
        count = len(result.boxes)
        keys = tuple(range(1, count + 1))
        layers.append(Boxes(result.boxes, same(BLUE, count), keys=keys, width=1.0, name="people"))
    layers.append(
        Boxes(
            result.square[None], same(CROP_COLOR, 1), width=1.5, dotted=True, selectable=False,
            name="crop",
        )
    )  # fmt: skip
    box = result.box[None]
    layers.append(
        Boxes(box, same(ORANGE, 1), (result.origin,), width=2.0, selectable=False, name="box")
    )
    layers += skeletons(places[None], result.names, labeled=0 if names else None)
    words = () if names else (result.names[joint].replace("_", " "),)
    layers.append(Points(places[joint : joint + 1], same(PINK, 1), 5.0, words, "chosen"))
    keys = tuple(range(1, len(areas) + 1))
    layers.append(Boxes(areas, same(WHITE, len(areas)), keys=keys, width=0.0, name="joints"))
    return Pane("image", size_of(result.photo), tuple(layers), title="On the photo")


def stage_pane(result: Result, stage: int, joint: int, *, parts: str, opacity: float) -> Pane:
    """The crop with the keypoints of a stage; of a later one with what it looked at."""
    side = float(len(result.crop))
    joints = result.cascade.stages[stage] * np.float32(side)
    layers: list[Layer] = [_crop(result)]
    if stage:
        own = result.cascade.parts[stage - 1] * np.float32(side)
        drawn = np.arange(len(own)) if parts == ALL else np.array([joint])
        if parts != NONE:
            layers += _heat(result, stage, joint, opacity)
            tints = class_colors(len(own))[drawn]
            layers.append(Boxes(own[drawn], tints, width=1.5, selectable=False, name="parts"))
    if stage:
        before = result.cascade.stages[stage - 1] * np.float32(side)
        arrows = np.concatenate([before, joints], axis=1)
        arrows = arrows[np.linalg.norm(joints - before, axis=1) >= LEAST_MOVE * side]
        layers.append(Lines(arrows, same(WHITE, len(arrows)), width=2.0, arrow=True, name="moved"))
    layers += skeletons(joints[None], result.names, radius=3.5)
    words = "the whole crop" if stage == 0 else "parts"
    title = f"Stage {stage + 1}: from {words}"
    return Pane(f"stage {stage + 1}", (side, side), tuple(layers), title, frame="crop")


def other_pane(result: Result) -> Pane:
    """The same crop with the keypoints by heat maps."""
    assert result.other is not None
    side = float(len(result.crop))
    places = result.in_crop(result.other.places)
    layers = (_crop(result), *skeletons(places[None], result.other.names, radius=3.5))
    title = f"By heat maps: {result.other.title}"
    return Pane("heat maps", (side, side), layers, title, frame="crop")


def _crop(result: Result) -> Picture:
    return result.cache.get("crop", lambda: Picture(result.crop, smooth=True, name="crop"))


def _heat(result: Result, stage: int, joint: int, opacity: float) -> list[Layer]:
    """The heat map of the selected keypoint over its part."""
    maps = result.cascade.heat
    if maps is None or opacity == 0:
        return []
    values = maps[stage - 1, joint]
    x0, y0, x1, y1 = (
        float(at) for at in result.cascade.parts[stage - 1, joint] * np.float32(len(result.crop))
    )
    heat = result.cache.get(
        ("heat", stage, joint, opacity),
        lambda: Heat(
            values, 0.0, float(values.max()), "magma", (x0, y0, x1, y1), opacity,
            alpha_by_value=True, unit="probability", name="heat map",
        ),
    )  # fmt: skip
    return [heat]
