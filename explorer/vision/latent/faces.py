"""Aligned faces as coefficients of a basis, and two ways to make one older.

The search keeps what a network reads beside the age as it was; sliding follows the line along which
the coefficients of the faces of the basis change with their age.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.vision.latent.pca import Basis, Float32

POSITIONS: Float32 = np.array(
    [[0.303, 0.289], [0.697, 0.289], [0.5, 0.528], [0.316, 0.688], [0.684, 0.688]], np.float32
)
"""Where the five points of a face lie in an aligned crop, as fractions: the medians of a cascade's
points in 299 crops of UTKFace, made symmetric."""

ADULT = 18


@dataclass(frozen=True, slots=True, eq=False)
class FaceAxes:
    """What a basis of faces has beside its components.

    Attributes:
        positions: (5, 2) float32 fractions of the crop, where the five points lie.
        slopes: (k,) float32, change of each coefficient in a year, in standard deviations.
    """

    positions: Float32
    slopes: Float32


def age_slopes(basis: Basis, faces: Float32, ages: NDArray[np.int64]) -> Float32:
    """(k,) the least-squares slope of each coefficient over the age, of adults.

    Args:
        basis: Of aligned faces.
        faces: (n, H, W, C) float32 in [0, 1].
        ages: (n,) years.

    Raises:
        ExplorerError: There are no adults of two ages.
    """
    adults = ages >= ADULT
    years = ages[adults] - ages[adults].mean() if adults.any() else np.zeros(0)
    spread = float((years**2).sum())
    if spread == 0:
        raise ExplorerError("The slopes need adults of at least two ages.", "Add more faces.")
    centered = faces[adults].reshape(len(years), -1) - basis.mean
    along = centered @ basis.components.T / basis.deviations
    found: Float32 = (years @ along / spread).astype(np.float32)
    return found


def with_axes(content: bytes, axes: FaceAxes) -> bytes:
    """The content of a basis' file (`pca.packed`) with what is known of faces."""
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    target = io.BytesIO()
    np.savez_compressed(target, **arrays, positions=axes.positions, slopes=axes.slopes)
    return target.getvalue()


def axes_of(content: bytes, count: int) -> FaceAxes | None:
    """What a basis' file says of faces; None where it is a basis of something else.

    Raises:
        ExplorerError: The arrays have other shapes; `count` is the number of components.
    """
    with np.load(io.BytesIO(content), allow_pickle=False) as file:
        if "positions" not in file.files:
            return None
        axes = FaceAxes(file["positions"].astype(np.float32), file["slopes"].astype(np.float32))
    if axes.positions.shape != (5, 2) or axes.slopes.shape != (count,):
        raise ExplorerError(
            f"The basis of faces has positions {axes.positions.shape} and slopes "
            f"{axes.slopes.shape}.",
            "Make it again with explorer train face-components.",
        )
    return axes


@dataclass(frozen=True, slots=True, eq=False)
class Readings:
    """What a network reads from pictures of faces, n of them.

    Attributes:
        age: (n,) float64 years.
        woman: (n,) float64 in 0..1, the probability.
        points: (n, 5, 2) float64 fractions of the crop.
    """

    age: NDArray[np.float64]
    woman: NDArray[np.float64]
    points: NDArray[np.float64]

    def moved(self) -> NDArray[np.float64]:
        """(n,) mean distance of the points from those of the first, in distances of the eyes."""
        apart = max(float(np.linalg.norm(self.points[0, 0] - self.points[0, 1])), 1e-6)
        found: NDArray[np.float64] = (
            np.linalg.norm(self.points - self.points[0], axis=2).mean(axis=1) / apart
        )
        return found


class HeldAge:
    """What the search lowers: the age's squared distance, and all that should stay.

    ((age - target) / 10)^2 + hold ((gender - gender_0)^2 + |points - points_0|^2 / .02^2 / 5)

    in decades, log odds and twentieths of the crop. The objective is the lectures' deep aging,
    min over p of (NN(PCA(p)) - target)^2, with the network's other outputs held.

    Args:
        network: (1, 3, 64, 64) in 0..1 -> `age`, `gender` and `points`, see `FaceAge`.
        start: The picture whose gender and points are held.
        target: Years.
        hold: Weight of what stays.
    """

    def __init__(
        self, network: Callable[[Tensor], dict[str, Tensor]], start: Tensor, target: float,
        hold: float,
    ) -> None:  # fmt: skip
        self._network, self._target, self._hold = network, target, hold
        with torch.no_grad():
            first = network(start)
        self._gender, self._points = _odds(first), first["points"]
        self.read: list[dict[str, Tensor]] = []

    def __call__(self, picture: Tensor) -> Tensor:
        """(1, 3, 64, 64) -> (); its square is what is lowered. What was read is kept in `read`."""
        found = self._network(picture)
        self.read.append({name: value.detach() for name, value in found.items()})
        years = ((found["age"][0] - self._target) / 10).square()
        gender = (_odds(found) - self._gender).square()
        points = ((found["points"] - self._points) / POINT_UNIT).square().sum() / 5
        return (years + self._hold * (gender + points) + 1e-12).sqrt()


POINT_UNIT = 0.02
"""Of the crop: a point that moves so far weighs as much as ten years of age."""


def _odds(found: dict[str, Tensor]) -> Tensor:
    gender = found["gender"][0]
    return gender[1] - gender[0]


def readings(read: list[dict[str, Tensor]]) -> Readings:
    """Of the network's outputs, one picture each."""
    return Readings(
        np.array([float(each["age"][0]) for each in read]),
        np.array([float(each["gender"][0].softmax(0)[1]) for each in read]),
        np.stack([each["points"][0].double().cpu().numpy() for each in read]),
    )


def slid(start: Float32, slopes: Float32, years: float, count: int, limit: float) -> Float32:
    """(count, j) coefficients from `start` (j,) along the slopes to so many years more."""
    steps = np.linspace(0, years, count, dtype=np.float32)[:, None]
    found: Float32 = (start + steps * slopes[: len(start)]).clip(-limit, limit).astype(np.float32)
    return found
