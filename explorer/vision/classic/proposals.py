"""Methods that propose boxes from the pixels alone, or independently of them.

    found = propose("Edge Boxes", pixels, 2000, seed=0)
    found.boxes[:100], found.seconds

The baselines are those of Hosang et al. 2016, "What makes for effective detection proposals?",
section 2.3. BING and the full objectness measure need trained tables that no maintained package
brings along: of the latter only the term that needs none is here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.resources import resource_path
from explorer.images.pixels import shrunk
from explorer.vision.classic.edge_boxes import edge_boxes, gradient_edges
from explorer.vision.detection.boxes import areas, centers, clip

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

LARGEST_SIDE = 640
"""Pixels: a larger photo is made smaller first, as large as those of the papers."""

FIXED = "fixed-proposals.npz"

Found = tuple["Float32", "Float32 | None"]


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

    make: Callable[[UInt8, int, int], Found]
    order: str
    looks: bool = True


def propose(name: str, pixels: UInt8, most: int, *, seed: int = 0) -> Proposals:
    """The proposals of one of `METHODS`.

    Args:
        name: A key of `METHODS`.
        pixels: (H, W, 3) uint8 RGB.
        most: The largest number.
        seed: For the methods that draw random numbers.
    """
    height, width = pixels.shape[:2]
    start = perf_counter()
    small = np.ascontiguousarray(shrunk(pixels, LARGEST_SIDE))
    boxes, scores = METHODS[name].make(small, most, seed)
    scale = np.array([width / small.shape[1], height / small.shape[0]] * 2, np.float32)
    boxes = clip(boxes[:most].astype(np.float32) * scale, (height, width))
    some = areas(boxes) > 0
    scores = None if scores is None else scores[:most][some]
    return Proposals(boxes[some], scores, perf_counter() - start)


# -- from the pixels ------------------------------------------------------------------------------


def _selective_search(mode: str) -> Callable[[UInt8, int, int], Found]:
    def make(pixels: UInt8, most: int, seed: int) -> Found:
        from explorer.vision.classic.selective_search import regions  # imports OpenCV's parts

        return regions(pixels, mode, seed=seed, most=most), None

    return make


def _edge_boxes(pixels: UInt8, most: int, seed: int) -> Found:
    return edge_boxes(gradient_edges(pixels), most)


SCALES = (800, 400, 200, 100, 50, 25)
"""Of the graph-based superpixels, in pixels, from few to many."""

COUNTS = (16, 32, 64, 128, 256, 512)
"""Of the SLIC superpixels, from few to many."""


def _graph(pixels: UInt8, most: int, seed: int) -> Found:
    from explorer.vision.classic.superpixels import bounds, superpixels

    return _once([bounds(superpixels(pixels, k)) for k in SCALES])[:most], None


def _slic(pixels: UInt8, most: int, seed: int) -> Found:
    import cv2

    from explorer.vision.classic.superpixels import bounds

    height, width = pixels.shape[:2]
    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab)
    found = []
    for count in COUNTS:
        side = max(2, round((height * width / count) ** 0.5))
        if side > min(height, width):
            continue
        cut = cv2.ximgproc.createSuperpixelSLIC(lab, cv2.ximgproc.SLICO, side)
        cut.iterate(5)
        cut.enforceLabelConnectivity(25)
        found.append(bounds(np.asarray(cut.getLabels(), np.int32)))
    return _once(found)[:most], None


def _once(parts: list[Float32]) -> Float32:
    """All boxes in their order, every box only where it came first."""
    boxes = np.concatenate([np.empty((0, 4), np.float32), *parts])
    _, first = np.unique(boxes, axis=0, return_index=True)
    return np.ascontiguousarray(boxes[np.sort(first)])


CANDIDATES = 10_000
"""Windows that the objectness scores."""

STRADDLING_SCALE = 100
COARSE_SIDE = 160
"""Cells of the objectness' label map along the photo's longer side."""


def straddling(labels: NDArray[np.int32], boxes: Float32) -> Float32:
    """How little the superpixels stick out of every box (Alexe et al. 2012, section 3.4).

    SS(w) = 1 - sum over s of min(|s outside w|, |s inside w|) / |w|

    Args:
        labels: (H, W) int32, 0..S-1.
        boxes: (N, 4) with whole numbers, within the picture.

    Returns:
        (N,) float32, at most 1. A superpixel cut in halves costs most.
    """
    height, width = labels.shape
    x0, y0, x1, y1 = boxes.astype(np.int64).T
    cut = np.zeros(len(boxes), np.float64)
    inside = np.zeros((height + 1, width + 1), np.int32)
    for label in range(int(labels.max()) + 1):
        mask = labels == label
        np.cumsum(np.cumsum(mask, axis=0, dtype=np.int32), axis=1, out=inside[1:, 1:])
        within = inside[y1, x1] - inside[y0, x1] - inside[y1, x0] + inside[y0, x0]
        cut += np.minimum(within, inside[-1, -1] - within)
    score: Float32 = (1 - cut / np.maximum((x1 - x0) * (y1 - y0), 1)).astype(np.float32)
    return score


def _objectness(pixels: UInt8, most: int, seed: int) -> Found:
    import cv2

    from explorer.vision.classic.superpixels import superpixels

    labels = superpixels(pixels, STRADDLING_SCALE)
    # Coarser: integral images of some hundred superpixels stay small.
    shrink = min(1.0, COARSE_SIDE / max(labels.shape))
    height, width = (max(1, round(side * shrink)) for side in labels.shape)
    coarse = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST)
    _, flat = np.unique(coarse, return_inverse=True)
    windows = np.round(clip(grid(height, width, CANDIDATES), (height, width)))
    windows = _once([windows[areas(windows) >= 4]])
    scores = straddling(flat.reshape(height, width).astype(np.int32), windows)
    kept = _apart(windows, scores, most)
    scale = np.array([labels.shape[1] / width, labels.shape[0] / height] * 2, np.float32)
    return windows[kept] * scale, scores[kept]


def _apart(boxes: Float32, scores: Float32, most: int, iou: float = 0.75) -> NDArray[np.intp]:
    import torch
    from torchvision.ops import nms

    kept = nms(torch.from_numpy(boxes), torch.from_numpy(scores), iou)
    found: NDArray[np.intp] = kept.numpy()
    return found[:most]


# -- without the pixels ---------------------------------------------------------------------------

SHAPES = (1.0, 0.5, 2.0)
"""Width over height of the windows of the grid."""

SHRINK = 2**0.5
SMALLEST = 1 / 8
"""The sides of the grid's windows, as a share of the photo's, fall from 1 to this by SHRINK."""


def grid(height: int, width: int, most: int) -> Float32:
    """(N, 4) float32, N about `most`: windows on a regular grid at several sizes, large ones first.

    The step is the same share of the window's sides at all sizes, chosen such that there are as
    many windows as asked for.
    """
    sizes = SHRINK ** -np.arange(round(np.log(1 / SMALLEST) / np.log(SHRINK)) + 1.0)
    shapes = []
    for size in sizes:
        for shape in SHAPES:
            wide = size * width * min(1.0, shape)
            tall = size * height * min(1.0, 1 / shape)
            shapes.append((wide, tall))
    low, high = 0.01, 4.0
    for _ in range(40):  # the count falls as the step grows: halve the range until it fits
        step = (low * high) ** 0.5
        total = sum(
            len(_starts(width, wide, step)) * len(_starts(height, tall, step))
            for wide, tall in shapes
        )
        low, high = (step, high) if total > most else (low, step)
    parts = []
    for wide, tall in shapes:
        y, x = np.meshgrid(
            _starts(height, tall, high), _starts(width, wide, high), indexing="ij"
        )  # fmt: skip
        parts.append(np.stack([x, y, x + wide, y + tall], axis=2).reshape(-1, 4))
    return np.concatenate(parts).astype(np.float32)[:most]


def _starts(whole: float, part: float, step: float) -> NDArray[np.float64]:
    """Where windows of length `part` begin so that they cover `whole` evenly."""
    room = whole - part
    if room <= 0:
        return np.zeros(1)
    count = max(1, round(room / (step * part)) + 1)
    return np.linspace(0, room, count) if count > 1 else np.array([room / 2])


def _sliding(pixels: UInt8, most: int, seed: int) -> Found:
    return grid(pixels.shape[0], pixels.shape[1], most), None


@lru_cache(maxsize=1)
def fixed_boxes() -> Float32:
    """(N, 4) float32 xyxy in [0, 1]: k-means over the boxes of the training photos.

    The largest cluster comes first (Lenc & Vedaldi 2015, "R-CNN minus R", section 3.2).
    """
    with np.load(resource_path("weights", FIXED), allow_pickle=False) as file:
        return np.asarray(file["boxes"], np.float32)


def _fixed(pixels: UInt8, most: int, seed: int) -> Found:
    height, width = pixels.shape[:2]
    return fixed_boxes()[:most] * np.array([width, height] * 2, np.float32), None


@lru_cache(maxsize=1)
def box_statistics() -> NDArray[np.float64]:
    """(N, 4) float64: center x and y, root of the area, log of width over height.

    Of the fixed proposals, in shares of a square photo. The paper takes the boxes of PASCAL VOC;
    these are the centers of clusters of the boxes that the program's own networks learned from, so
    rare places count more than they do there.
    """
    x, y, width, height = centers(fixed_boxes()).astype(np.float64).T
    return np.stack([x, y, np.sqrt(width * height), np.log(width / height)], axis=1)


def _uniform(pixels: UInt8, most: int, seed: int) -> Found:
    known = box_statistics()
    low, high = np.quantile(known, (0.005, 0.995), axis=0)  # without the outermost 0.5 %
    drawn = np.random.default_rng(seed).uniform(low, high, (most, 4))
    return _from_statistics(drawn, pixels), None


def _gaussian(pixels: UInt8, most: int, seed: int) -> Found:
    known = box_statistics()
    rng = np.random.default_rng(seed)
    drawn = rng.multivariate_normal(known.mean(axis=0), np.cov(known.T), most)
    return _from_statistics(drawn, pixels), None


def _from_statistics(drawn: NDArray[np.float64], pixels: UInt8) -> Float32:
    height, width = pixels.shape[:2]
    x, y, root, shape = drawn.T
    root = np.maximum(root, 0.01)
    wide, tall = root * np.exp(shape / 2), root * np.exp(-shape / 2)
    unit = np.stack([x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2], axis=1)
    boxes = np.clip(unit, 0, 1) * np.array([width, height] * 2)
    found: Float32 = boxes.astype(np.float32)
    return found


LOTS, COARSE = "random: no ranking", "large windows first: no ranking"

METHODS: dict[str, Method] = {
    "selective search": Method(
        _selective_search("fast"), "position in the hierarchy times a random number"
    ),
    "selective search (quality)": Method(
        _selective_search("quality"), "position in the hierarchy times a random number"
    ),
    "selective search (single)": Method(
        _selective_search("single"), "position in the hierarchy times a random number"
    ),
    "Edge Boxes": Method(_edge_boxes, "score: contours inside the box"),
    "objectness": Method(_objectness, "score: superpixel straddling"),
    "Felzenszwalb": Method(_graph, "coarse segmentations first"),
    "SLIC": Method(_slic, "coarse segmentations first"),
    "sliding window": Method(_sliding, COARSE, looks=False),
    "k-means boxes": Method(_fixed, "the largest cluster first", looks=False),
    "Gaussian": Method(_gaussian, LOTS, looks=False),
    "uniform": Method(_uniform, LOTS, looks=False),
}
"""By their words in forms and on the command line."""
