"""The search for an age among aligned faces, and the face of a photo as the basis has them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.faces.age import SIDE
from explorer.networks.faces.mtcnn import kept_cascade
from explorer.networks.generative import shipped
from explorer.views.synthesis.semantic_sliders.panes import Aging, Result, Walk
from explorer.vision.faces.alignment import largest_aligned
from explorer.vision.latent.faces import HeldAge, readings, slid
from explorer.vision.latent.pictures import region, resized
from explorer.vision.latent.search import Decoder, Search

if TYPE_CHECKING:
    from torch import nn

    from explorer.core.layers import Extent, Float32, UInt8
    from explorer.vision.latent.faces import FaceAxes

AGE = "mini-face-age"
LIMIT = 3.0
"""Deviations that neither way leaves."""
SLIDES = 10
"""Pictures on the straight way."""


class Wishes(Protocol):
    """The parameters of the view that matter here."""

    @property
    def years(self) -> float: ...
    @property
    def hold(self) -> float: ...
    @property
    def rate(self) -> float: ...
    @property
    def decay(self) -> float: ...


@cache
def age_network() -> nn.Module:
    """`mini-face-age`, loaded once.

    Raises:
        ExplorerError: It does not come with this version.
    """
    if AGE not in shipped.names():
        raise ExplorerError(
            f"{AGE}, the network that reads ages, does not come with this version.",
            "Install the newest version of the program.",
        )
    return shipped.load(AGE).module


def face_region(
    pixels: UInt8, axes: FaceAxes, shape: tuple[int, int, int]
) -> tuple[Float32, Extent, tuple[str, ...]]:
    """The largest face of a photo, aligned: as a picture of `shape`, its box, and sentences.

    Where none is found it is the middle of the photo, and a sentence says so.
    """
    side = max(shape[:2])
    try:
        found = largest_aligned(kept_cascade(), pixels, axes.positions, side)
    except ExplorerError as error:
        return *region(pixels, None, shape), (f"The face is not aligned. {error}",)
    if found is None:
        words = "No face was found: the region is the middle of the photo. Drag a box."
        return *region(pixels, None, shape), (words,)
    turned, (x0, y0, x1, y1) = found
    face = (resized(turned, shape[:2]) / 255).astype(np.float32)
    if shape[2] == 1:
        face = face.mean(axis=2, keepdims=True, dtype=np.float32)
    return face, (float(x0), float(y0), float(x1), float(y1)), ()


class AgeSearch:
    """The search of one question; lives on the runner's thread.

    Raises:
        ExplorerError: The basis is none of faces, or the network is not there.
    """

    def __init__(self, wishes: Wishes, result: Result) -> None:
        assert result.source is not None
        axes = result.source.axes
        if axes is None:
            raise ExplorerError(
                "The search for an age needs a basis of faces.",
                "Choose as the folder one with the file of explorer train face-components.",
            )
        network, self._target = age_network(), wishes.years
        decoder = Decoder.of(
            result.source.basis, len(result.start), result.detail, (SIDE, SIDE), 3,
            torch.device("cpu"),
        )  # fmt: skip
        begins = torch.from_numpy(result.start).clamp(-LIMIT, LIMIT)
        with torch.no_grad():
            first = decoder(begins)
            age = float(network(first)["age"][0])
            self._slid = slid(begins.numpy(), axes.slopes, wishes.years - age, SLIDES, LIMIT)
            pictures = [decoder(torch.from_numpy(row)) for row in self._slid]
            self._slid_read = readings([network(picture) for picture in pictures])
        self._held = HeldAge(network, first, wishes.years, wishes.hold)
        self._search = Search(
            decoder, self._held, 0.0, begins, rate=wishes.rate, decay=wishes.decay, limit=LIMIT
        )
        self._coefficients: list[Float32] = []

    def advance(self) -> tuple[Walk, Aging]:
        """What is read from the picture of the coefficients, and then a step."""
        self._coefficients.append(self._search.coefficients)
        self._search.advance()
        read = readings(self._held.read)
        walk = Walk(np.stack(self._coefficients), read.age, "", self._target, "years")
        return walk, Aging(read, self._slid, self._slid_read)
