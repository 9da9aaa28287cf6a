"""Keypoints of people: what an evaluation knows of them, and the share that is correct."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.evaluation.matching import canonical
from explorer.evaluation.metrics import RIGHT, outcomes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.evaluation.metrics import Found, Objects

    Points = NDArray[np.float64]

_SIDED = {
    "eye": 0.025, "ear": 0.035, "shoulder": 0.079, "elbow": 0.072, "wrist": 0.062, "hip": 0.107,
    "knee": 0.087, "ankle": 0.089,
}  # fmt: skip
SIGMAS = {"nose": 0.026} | {
    f"{side} {joint}": sigma for joint, sigma in _SIDED.items() for side in ("left", "right")
}
"""How far apart several people mark a keypoint, in square roots of the person's area.

COCO's constants ("Keypoint evaluation", cocodataset.org, section 1.3).
"""

TORSO = ("left shoulder", "right hip")
"""Between these two, if both are labeled, lies the length that PCK measures by."""

PCK = 0.2
"""Of the torso."""

LEAST_TORSO = 1e-6
"""Pixels: a torso without a length has no other correct keypoints than exact ones."""


@dataclass(frozen=True, slots=True, eq=False)
class Skeletons:
    """The keypoints of the objects of a photo, in the network's order.

    Attributes:
        points: (N, K, 3) float64 x, y in pixels of the photo, and v: 0 = not labeled.
        area: (N,) float64 of each object in its pixels, as the data say it.
    """

    points: Points
    area: NDArray[np.float64]

    def __post_init__(self) -> None:
        if self.points.ndim != 3 or self.points.shape[::2] != (len(self.area), 3):
            wanted = f"({len(self.area)}, K, 3)"
            raise ValueError(f"Skeletons.points must be {wanted}, got {self.points.shape}")


def places_of(
    names: Sequence[str], data: Sequence[str], *, without_constant: bool = False
) -> list[int]:
    """For each of the network's keypoints its place among the data's; -1 = there is none.

    Those that COCO has no constant for are left out as well, unless `without_constant`.
    """
    there = {canonical(name): place for place, name in enumerate(data)}
    return [
        there.get(canonical(name), -1) if without_constant or canonical(name) in SIGMAS else -1
        for name in names
    ]


def sigmas_of(names: Sequence[str]) -> list[float]:
    """COCO's constants by name; 1 where there is none, for keypoints that are not labeled."""
    return [SIGMAS.get(canonical(name), 1.0) for name in names]


@dataclass(frozen=True, slots=True, eq=False)
class KeypointErrors:
    """The labeled keypoints of people whose torso is labeled; n of them.

    Attributes:
        names: Of the network's keypoints.
        kind: (n,) int64, which one each is.
        shift: (n, 2) float64, from its labeled place in lengths of the torso, x to the right and y
            down; inf for people who were not found.
        photo: (n,) int64, the number of its photo.
    """

    names: tuple[str, ...]
    kind: NDArray[np.int64]
    shift: NDArray[np.float64]
    photo: NDArray[np.int64]

    @property
    def off(self) -> NDArray[np.float64]:
        """(n,) distances in lengths of the torso."""
        return np.hypot(self.shift[:, 0], self.shift[:, 1])

    def correct(self, limit: float = PCK, kind: int | None = None) -> float | None:
        """The fraction within `limit`; of one keypoint or of all; None where none is labeled."""
        off = self.off if kind is None else self.off[self.kind == kind]
        return float((off <= limit).mean()) if len(off) else None


def keypoint_errors(
    names: Sequence[str],
    truth: Sequence[Objects],
    skeletons: Sequence[Skeletons],
    found: Sequence[Found],
    points: Sequence[Points],
    numbers: Sequence[int] = (),
) -> KeypointErrors | None:
    """How far keypoints lie from the labeled ones, for the percentage of correct keypoints.

    A person's keypoints are those of the detection that has found the person's box (an IoU of at
    least 0.5, the highest score first). PCK is Yang & Ramanan 2013's, with the torso as its length.

    Args:
        names: Of the keypoints.
        truth: One for every photo.
        skeletons: Of the same objects.
        found: The same photos.
        points: (N, K, 3) of the same detections.
        numbers: Of the photos; by default they are counted.

    Returns:
        None where the keypoints have no torso.
    """
    words = [canonical(name) for name in names]
    if any(end not in words for end in TORSO):
        return None
    ends = [words.index(end) for end in TORSO]
    none = np.zeros(0, np.int64)
    parts: list[tuple[NDArray[np.int64], Points, NDArray[np.int64]]] = [
        (none, np.zeros((0, 2)), none)
    ]
    counted = numbers or range(len(truth))
    rows = zip(counted, truth, skeletons, found, points, strict=True)
    for number, objects, there, answer, own in rows:
        known = there.points[..., 2] > 0
        counts = known[:, ends].all(axis=1) & ~objects.passed
        shift = np.full((*known.shape, 2), np.inf)
        matched = outcomes(objects, answer)
        for row in np.flatnonzero(matched.marks == RIGHT):
            person = int(matched.owners[row])
            shift[person] = own[row, :, :2] - there.points[person, :, :2]
        torso = there.points[:, ends[0], :2] - there.points[:, ends[1], :2]
        length = np.maximum(np.linalg.norm(torso, axis=1), LEAST_TORSO)
        people, kind = np.nonzero(known & counts[:, None])
        relative = shift[people, kind] / length[people, None]
        parts.append((kind, relative, np.full(len(kind), number)))
    kinds, shifts, photos = (np.concatenate(column) for column in zip(*parts, strict=True))
    return KeypointErrors(tuple(names), kinds, shifts, photos)
