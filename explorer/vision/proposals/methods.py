"""All methods that propose boxes from the pixels alone, or independently of them, by name.

found = propose("Edge Boxes", pixels, 2000, seed=0)
found.boxes[:100], found.seconds
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from explorer.images.pixels import shrunk
from explorer.vision.classic.selective_search import regions
from explorer.vision.detection.boxes import areas, clip
from explorer.vision.proposals import baselines, superpixel_boxes
from explorer.vision.proposals.bing import bing
from explorer.vision.proposals.edge_boxes import edge_boxes, gradient_edges
from explorer.vision.proposals.objectness import objectness
from explorer.vision.proposals.prim import randomized_prim
from explorer.vision.proposals.rahtu import rahtu

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.vision.proposals.tables import Tables

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

LARGEST_SIDE = 640
"""Pixels: a larger photo is made smaller first, as large as those of the papers."""

Found = tuple["Float32", "Float32 | None"]
Make = Callable[["UInt8", int, int], Found]


@dataclass(frozen=True, slots=True, eq=False)
class Proposals:
    """Where objects may be, the best first.

    Attributes:
        boxes: (N, 4) float32 xyxy in the photo's pixels, within the photo.
        scores: (N,) float32, falling; None where the method only has an order.
        seconds: How long it took, measured; NaN = not measured.
        levels: (N,) int64, the pyramid level of each box, 0 the finest; None without a pyramid.
    """

    boxes: Float32
    scores: Float32 | None
    seconds: float
    levels: NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if self.boxes.ndim != 2 or self.boxes.shape[1] != 4 or self.boxes.dtype != np.float32:
            raise ValueError(f"boxes must be (N, 4) float32, got {self.boxes.shape}")
        for what, values in (("scores", self.scores), ("levels", self.levels)):
            if values is not None and values.shape != (len(self.boxes),):
                raise ValueError(f"{what} must be ({len(self.boxes)},), got {values.shape}")


@dataclass(frozen=True, slots=True)
class Method:
    """One way to propose boxes.

    Attributes:
        make: ``(pixels, most, seed) -> (boxes, scores or None)`` in the frame of `pixels`.
        order: What "the best first" means here.
        looks: False when the pixels make no difference, only the photo's size.
    """

    make: Make
    order: str
    looks: bool = True


def propose(
    name: str, pixels: UInt8, most: int, *, seed: int = 0, known: Tables | None = None
) -> Proposals:
    """The proposals of one of `METHODS`.

    Args:
        name: A key of `METHODS`.
        pixels: (H, W, 3) uint8 RGB.
        most: The largest number.
        seed: For the methods that draw random numbers.
        known: Tables for BING; None = those that ship.
    """
    height, width = pixels.shape[:2]
    start = perf_counter()
    small = np.ascontiguousarray(shrunk(pixels, LARGEST_SIDE))
    found: Found = (
        bing(small, most, seed, known) if name == BING else METHODS[name].make(small, most, seed)
    )
    boxes, scores = found
    scale = np.array([width / small.shape[1], height / small.shape[0]] * 2, np.float32)
    boxes = clip(boxes[:most].astype(np.float32) * scale, (height, width))
    some = areas(boxes) > 0
    scores = None if scores is None else scores[:most][some]
    return Proposals(boxes[some], scores, perf_counter() - start)


def _selective_search(mode: str) -> Method:
    def make(pixels: UInt8, most: int, seed: int) -> Found:
        return regions(pixels, mode, seed=seed, most=most), None

    return Method(make, "position in the hierarchy times a random number")


def _edge_boxes(pixels: UInt8, most: int, seed: int) -> Found:
    return edge_boxes(gradient_edges(pixels), most)


BING = "BING"
COARSE, RANDOM = "coarse segmentations first", "random: no ranking"

METHODS: dict[str, Method] = {
    "selective search": _selective_search("fast"),
    "selective search (quality)": _selective_search("quality"),
    "selective search (single)": _selective_search("single"),
    "Edge Boxes": Method(_edge_boxes, "score: contours inside the box"),
    BING: Method(bing, "score: log odds of its size's line"),
    "objectness": Method(objectness, "score: log ratio of four cues"),
    "Rahtu": Method(rahtu, "score: weighted sum of four features"),
    "Randomized Prim": Method(randomized_prim, RANDOM),
    "Felzenszwalb": Method(superpixel_boxes.graph, COARSE),
    "SLIC": Method(superpixel_boxes.slic, COARSE),
    "sliding window": Method(
        baselines.sliding, "large windows first: no ranking", looks=False
    ),
    "k-means boxes": Method(baselines.fixed, "the largest cluster first", looks=False),
    "Gaussian": Method(baselines.gaussian, RANDOM, looks=False),
    "uniform": Method(baselines.uniform, RANDOM, looks=False),
}  # fmt: skip
"""By their words in forms and on the command line."""
