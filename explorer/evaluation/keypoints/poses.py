"""Pose networks: every person in the box of the ground truth is a crop of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.cases import Case, Truth
from explorer.evaluation.keypoints.skeletons import PCK, Skeletons, keypoint_errors, places_of
from explorer.evaluation.measures import PoseMeasures
from explorer.evaluation.metrics import Found, Objects
from explorer.images.image import open_image
from explorer.vision.features.cascade import cascade_of
from explorer.vision.features.person_crops import person_crop, square_around

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from explorer.annotations.dataset import Annotated, Annotation
    from explorer.evaluation.keypoints.skeletons import Points
    from explorer.evaluation.scores import Figures, Look

SIDE = 224
"""Of a crop in pixels: what the pose network that ships takes."""

WIDER = 0.5
"""The second limit of PCK, in lengths of the torso."""


def pose_cases(
    photos: Sequence[Annotated],
    names: Sequence[str],
    known: Mapping[str, int],
    keypoints: Mapping[str, Sequence[str]],
) -> list[Case]:
    """A case for every person with keypoints.

    Args:
        photos: With their boxes.
        names: Of the network's keypoints.
        known: The network's label of each class, -1 = it has none.
        keypoints: The data's names by class.
    """
    cases = []
    for photo in photos:
        people = [
            entry
            for entry in photo.entries
            if entry.keypoints and not entry.box.crowd and known.get(entry.box.label, -1) >= 0
        ]
        for number, entry in enumerate(people, start=1):
            order = places_of(names, keypoints[entry.box.label], without_constant=True)
            name = photo.name if len(people) == 1 else f"{photo.name}, person {number}"
            cases.append(Case(name, _cropped(photo, entry, order), photo.path))
    return cases


def _cropped(
    photo: Annotated, entry: Annotation, order: Sequence[int]
) -> Callable[[], tuple[NDArray[np.uint8], Truth]]:
    def load() -> tuple[NDArray[np.uint8], Truth]:
        pixels = open_image(photo.path).pixels
        height, width = pixels.shape[:2]
        size = photo.size or (width, height)
        scale = np.array([width / size[0], height / size[1]], np.float64)
        box = np.array([entry.box.x0, entry.box.y0, entry.box.x1, entry.box.y1])
        box = (box * np.tile(scale, 2)).astype(np.float32)
        left, top, side = square_around(box)
        own = np.array(entry.keypoints).reshape(-1, 3)
        points = np.zeros((1, len(order), 3))
        chosen = np.array(order)
        points[0, chosen >= 0] = own[chosen[chosen >= 0]]
        points[..., :2] = (points[..., :2] * scale - [left, top]) * SIDE / side
        points[points[..., 2] <= 0] = 0
        whole = Objects.plain(np.array([[0.0, 0.0, SIDE, SIDE]]), np.ones(1, np.int64))
        truth = Truth(objects=whole, skeletons=Skeletons(points, np.array([float(SIDE**2)])))
        return person_crop(pixels, box, SIDE), truth

    return load


class Poses:
    """The percentage of correct keypoints (PCK) in the boxes of the ground truth.

    Args:
        names: Of the network's keypoints.
    """

    cheap = False

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._numbers: list[int] = []
        self._truth: list[Points] = []
        self._found: list[Points] = []

    @property
    def photos(self) -> int:
        return len(self._truth)

    @property
    def objects(self) -> int:
        return self.photos

    def add(self, looks: Sequence[Look], output: Any) -> None:
        """See `Score`: what a pose network outputs for a batch of crops."""
        for row, look in enumerate(looks):
            assert look.truth.skeletons is not None
            joints = cascade_of({"joints": output["joints"][row : row + 1]}).joints
            if len(joints) != len(self._names):
                raise ExplorerError(
                    "This network does not output the keypoints that it has names for.",
                    "Choose another pose network.",
                )
            height, width = look.input_size
            inside = joints.astype(np.float64) * [width, height]
            frame = look.frame.inverse()
            places = inside * [frame.sx, frame.sy] + [frame.tx, frame.ty]
            self._numbers.append(look.number)
            self._truth.append(look.truth.skeletons.points[0])
            self._found.append(np.concatenate([places, np.ones((len(places), 1))], axis=1))

    def figures(self, classes: Sequence[str]) -> Figures:
        """See `Score`."""
        del classes
        errors = self.measures().keypoints
        found = {f"PCK@{limit}": errors.correct(limit) for limit in (PCK, WIDER)}
        return {key: value for key, value in found.items() if value is not None}, {}

    def measures(self) -> PoseMeasures:
        """See `Score`."""
        box = np.array([[0.0, 0.0, SIDE, SIDE]])
        one = Objects.plain(box, np.ones(1, np.int64))
        hit = Found(box, np.ones(1, np.int64), np.ones(1))
        truth = [Skeletons(points[None], np.ones(1)) for points in self._truth]
        count = self.photos
        errors = keypoint_errors(
            self._names, [one] * count, truth, [hit] * count,
            [points[None] for points in self._found], self._numbers,
        )  # fmt: skip
        if errors is None:
            raise ExplorerError(
                "These keypoints have no torso, whose length PCK is measured in.",
                "Choose a network for the joints of people.",
            )
        return PoseMeasures(errors)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """See `Score`."""
        none = np.zeros((0, len(self._names), 3))
        return {
            "numbers": np.array(self._numbers, np.int64),
            "truth": np.stack(self._truth) if self._truth else none,
            "found": np.stack(self._found) if self._found else none,
        }

    def extend(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """See `Score`."""
        truth, found = list(arrays["truth"]), list(arrays["found"])
        self._numbers += [int(number) for number in arrays["numbers"]]
        self._truth += truth
        self._found += found
