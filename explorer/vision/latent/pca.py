"""Principal component analysis of aligned pictures.

A picture is a point with as many coordinates as it has numbers. Aligned pictures of one kind lie
close to a subspace of few dimensions; its axes are the principal components.
"""

from __future__ import annotations

import io
import json
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import read_file

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]

FILE = "picture-basis.npz"
"""Of a basis in a folder."""
MOST_COMPONENTS = 96
"""Of a basis that is kept or shown."""
NEGLIGIBLE = 1e-5
"""A singular value below this fraction of the largest is one of rounding."""
MOST_BYTES = 64 * 2**20
"""Of a file with a basis."""


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """The mean picture and the principal components of n pictures.

    Attributes:
        shape: (H, W, C) of a picture; d = H W C.
        mean: (d,) float32, values in [0, 1].
        components: (k, d) float32, orthonormal, the one of the largest variance first.
        deviations: (k,) float32, standard deviations of the pictures along the components.
        ratios: (k,) float32, the fraction of the total variance along each.
        count: n.
    """

    shape: tuple[int, int, int]
    mean: Float32
    components: Float32
    deviations: Float32
    ratios: Float32
    count: int

    def __post_init__(self) -> None:
        size, found = int(np.prod(self.shape)), self.components.shape
        rows = (len(self.deviations), len(self.ratios))
        if self.mean.shape != (size,) or found[1:] != (size,) or rows != (found[0],) * 2:
            raise ValueError(
                f"a basis of {self.shape} pictures got a mean {self.mean.shape}, components "
                f"{found}, {rows[0]} deviations and {rows[1]} ratios"
            )

    def __len__(self) -> int:
        """How many components it has."""
        return len(self.components)

    def coefficients(self, picture: Float32) -> Float32:
        """(k,) of a picture (H, W, C) in [0, 1], in standard deviations.

        The dot products of its difference from the mean with the components, each divided by the
        component's deviation.
        """
        if picture.shape != self.shape:
            raise ValueError(f"the basis is of {self.shape} pictures, got {picture.shape}")
        along = self.components @ (picture.reshape(-1).astype(np.float32) - self.mean)
        found: Float32 = (along / self.deviations).astype(np.float32)
        return found

    def picture(self, coefficients: Float32) -> Float32:
        """(H, W, C) of the first coefficients, (j,) in standard deviations with j <= k.

        It is not clipped: it may leave [0, 1].
        """
        first = len(coefficients)
        along = coefficients * self.deviations[:first]
        flat = self.mean + along @ self.components[:first]
        found: Float32 = flat.astype(np.float32).reshape(self.shape)
        return found


def fit(pictures: Float32, most: int) -> Basis:
    """The principal components of pictures, at most `most` of them and no more than their rank.

    They are the right singular vectors of the centered pictures as rows. These come from the
    eigenvectors of the matrix of inner products where there are fewer pictures than numbers in one
    (Sirovich and Kirby 1987; Turk and Pentland 1991, Eigenfaces for Recognition), in double
    precision. The largest number of every component in magnitude is positive.

    Args:
        pictures: (n, H, W, C) float32 in [0, 1].
        most: Components that are kept.

    Raises:
        ExplorerError: All pictures are equal, or there are fewer than two.
    """
    count, shape = len(pictures), pictures.shape[1:]
    rows = pictures.reshape(count, -1)
    mean = rows.mean(axis=0, dtype=np.float64)
    centered = rows - mean
    if count <= centered.shape[1]:
        values, vectors = np.linalg.eigh(centered @ centered.T)
    else:
        values, vectors = np.linalg.eigh(centered.T @ centered)
    order = np.argsort(-values, kind="stable")[:most]
    singular = np.sqrt(values[order].clip(min=0.0))
    kept = singular > max(NEGLIGIBLE * float(singular.max(initial=0.0)), 1e-12)
    order, singular = order[kept], singular[kept]
    if count < 2 or len(order) == 0:
        raise ExplorerError(
            "Principal components need at least two different pictures.",
            "Choose a folder with more of them.",
        )
    if count <= centered.shape[1]:
        components = (vectors[:, order] / singular).T @ centered
    else:
        components = vectors[:, order].T
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    total = float((centered**2).sum())
    return Basis(
        (int(shape[0]), int(shape[1]), int(shape[2])),
        mean.astype(np.float32),
        (components * signs[:, None]).astype(np.float32),
        (singular / np.sqrt(count - 1)).astype(np.float32),
        (singular**2 / total).astype(np.float32),
        count,
    )


def explained(basis: Basis, pictures: Float32) -> Float32:
    """(k,) the fraction of the variance of `pictures` that the first 1, 2, … components keep.

    One minus the squared error of the reconstructions over the squared distance from the mean of
    the basis; (n, H, W, C) float32 pictures, which the basis need not be made of.
    """
    centered = pictures.reshape(len(pictures), -1) - basis.mean
    along = (centered @ basis.components.T) ** 2
    total = max(float((centered**2).sum()), 1e-12)
    found: Float32 = (along.sum(axis=0).cumsum() / total).astype(np.float32)
    return found


# -- files ----------------------------------------------------------------------------------------


def packed(basis: Basis, figures: Mapping[str, float]) -> bytes:
    """The content of an npz file: a byte for every number of the mean and the components."""
    scales = np.abs(basis.components).max(axis=1) / 127.0
    file = io.BytesIO()
    np.savez_compressed(
        file,
        shape=np.array(basis.shape, np.int32),
        mean=(basis.mean * 255.0).round().clip(0, 255).astype(np.uint8),
        components=(basis.components / scales[:, None]).round().astype(np.int8),
        scales=scales.astype(np.float32),
        deviations=basis.deviations,
        ratios=basis.ratios,
        count=np.array(basis.count),
        figures=np.array(json.dumps(dict(figures))),
    )
    return file.getvalue()


def read_basis(path: Path) -> Basis:
    """A basis that `packed` has written; its components are unit vectors again.

    Raises:
        ExplorerError: The file cannot be read, or is something else.
    """
    content = read_file(path, limit=MOST_BYTES, kind="a basis", smaller="Choose another file.")
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            steps, scales = file["components"], file["scales"]
            components = steps.astype(np.float32) * scales[:, None]
            lengths = np.linalg.norm(components, axis=1, keepdims=True)
            height, width, channels = (int(side) for side in file["shape"])
            return Basis(
                (height, width, channels),
                file["mean"].astype(np.float32) / 255.0,
                components / lengths,
                file["deviations"].astype(np.float32),
                file["ratios"].astype(np.float32),
                int(file["count"]),
            )
    except (OSError, KeyError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise ExplorerError(
            f"{path.name} is not a basis of principal components, or damaged.",
            "Make it again with explorer train picture-basis.",
        ) from error
