"""Objectness: how likely a window is to contain an object, by four cues.

Alexe, Deselaers & Ferrari 2012, "Measuring the Objectness of Image Windows": multi-scale saliency
(section 3.1), color contrast (3.2), edge density (3.3) and superpixel straddling (3.4), combined by
naive Bayes (section 4.2). The paper's fifth cue, location and size, is not used. It draws windows
at random in proportion to their saliency; here a regular grid is scored. Thresholds of the first
three cues are the paper's kind, but fixed, not trained.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.classic.superpixels import superpixels
from explorer.vision.detection.boxes import areas, clip
from explorer.vision.proposals.tables import Tables, tables
from explorer.vision.proposals.windows import about, apart, box_sums, cells, grid, integral, once

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Int32 = NDArray[np.int32]
    UInt8 = NDArray[np.uint8]

CUES = ("multi-scale saliency", "color contrast", "edge density", "superpixel straddling")

CANDIDATES = 10_000
"""Windows of the grid."""

COARSE_SIDE = 120
"""Cells of the maps along the photo's longer side: integral images of many values stay small."""

SALIENCY_SIDES = (16, 24, 32, 48, 64)
"""Sides of the square pictures that saliency is computed on, in pixels."""

SALIENT = 0.8
"""A pixel is salient when its saliency is among the highest 20 % of its map."""

SURROUND = 1.5
"""A window's surround reaches to this many times its sides."""

INNER = 0.7
"""The ring for edges lies between a window and this many times its sides."""

STRADDLING_SCALE = 100
"""The k of the superpixels."""

LAB_BINS = (4, 8, 8)


# -- multi-scale saliency


def saliency(pixels: UInt8, side: int) -> Float32:
    """(side, side) float32 in [0, 1]: the spectral residual of the picture at that size.

    Where the logarithm of the spectrum differs from its surroundings (Hou & Zhang 2007), the mean
    of the three channels.
    """
    import cv2

    small = cv2.resize(pixels, (side, side), interpolation=cv2.INTER_AREA).astype(np.float32)
    total = np.zeros((side, side), np.float32)
    for channel in range(3):
        spectrum = np.fft.fft2(small[..., channel])
        size = np.abs(spectrum)
        logs = np.log(size + 1e-6).astype(np.float32)
        # A spectrum goes on periodically, which OpenCV's borders know as "wrap" in copies only.
        wide = np.pad(logs, 1, mode="wrap")
        residual = logs - np.asarray(cv2.blur(wide, (3, 3)))[1:-1, 1:-1]
        turned = spectrum * (np.exp(residual) / (size + 1e-6))
        total += np.abs(np.fft.ifft2(turned)).astype(np.float32) ** 2
    smooth = np.asarray(cv2.GaussianBlur(total, (0, 0), 1.5), np.float32)
    top = float(smooth.max())
    return smooth / np.float32(top) if top > 0 else smooth


def salient_share(values: Float32, threshold: float, boxes: NDArray[np.int64]) -> Float64:
    """(N,): the sum of the salient values inside, times the share of the window that is salient.

    The sum is a share of the map's area, so that maps of all sizes count alike (equation 1).

    Args:
        values: (H, W) saliency.
        threshold: The least value that is salient.
        boxes: (N, 4) cells.
    """
    salient = values >= threshold
    inside = box_sums(integral(np.where(salient, values, 0)), boxes)
    count = box_sums(integral(salient), boxes)
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    found: Float64 = inside / values.size * count / area
    return found


def _multi_scale(pixels: UInt8, boxes: Float32) -> Float64:
    height, width = pixels.shape[:2]
    total = np.zeros(len(boxes))
    for side in SALIENCY_SIDES:
        values = saliency(pixels, side)
        threshold = float(np.quantile(values, SALIENT))
        inside = cells(boxes, (side / width, side / height), (side, side))
        total += salient_share(values, threshold, inside)
    return total / len(SALIENCY_SIDES)


# -- color contrast


def lab_codes(pixels: UInt8) -> NDArray[np.int64]:
    """(H, W) int64: the bin of every pixel in 4 x 8 x 8 bins of CIE Lab."""
    import cv2

    lab = cv2.cvtColor(pixels, cv2.COLOR_RGB2Lab).astype(np.int64)
    found = np.zeros(lab.shape[:2], np.int64)
    for channel, bins in enumerate(LAB_BINS):
        found = found * bins + lab[..., channel] * bins // 256
    return found


def color_contrast(
    codes: NDArray[np.int64], inside: NDArray[np.int64], outside: NDArray[np.int64]
) -> Float64:
    """(N,) in [0, 1]: half the chi-square distance of the histograms in and around each window.

    The distance is the sum over the bins of (a - b)^2 / (a + b), a and b with the sum 1. It is 0
    where nothing lies around a window (equation 3).

    Args:
        codes: (H, W), the bin of each pixel.
        inside: (N, 4) cells of the windows.
        outside: (N, 4) cells of the windows with their surround.
    """
    found = np.zeros(len(inside))
    size = (inside[:, 2] - inside[:, 0]) * (inside[:, 3] - inside[:, 1])
    around = (outside[:, 2] - outside[:, 0]) * (outside[:, 3] - outside[:, 1]) - size
    some = around > 0
    for number in np.unique(codes).tolist():
        sums = integral(codes == number)
        own = box_sums(sums, inside)
        other = box_sums(sums, outside) - own
        a, b = own / size, other / np.maximum(around, 1)
        total = a + b
        found += np.divide((a - b) ** 2, total, out=np.zeros_like(own), where=total > 0)
    return np.where(some, found / 2, 0.0)


# -- edge density


def edge_density(
    edges: NDArray[np.bool_], inside: NDArray[np.int64], inner: NDArray[np.int64]
) -> Float64:
    """(N,): edge cells in the ring just inside of each window's border, over its outline.

    Args:
        edges: (H, W), True at an edge.
        inside: (N, 4) cells of the windows.
        inner: (N, 4) cells of what is left of them without the ring (equation 5).
    """
    sums = integral(edges)
    ring = box_sums(sums, inside) - box_sums(sums, inner)
    outline = 2 * ((inside[:, 2] - inside[:, 0]) + (inside[:, 3] - inside[:, 1]))
    found: Float64 = ring / outline
    return found


# -- superpixel straddling


def straddling(labels: Int32, boxes: Float32) -> Float32:
    """How little the superpixels stick out of every box (equation 6).

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


def coarse_superpixels(pixels: UInt8, size: tuple[int, int], k: float) -> Int32:
    """(h, w) int32 from 0 without gaps: the superpixels of a photo on fewer cells."""
    import cv2

    labels = superpixels(pixels, k)
    less = cv2.resize(labels, size[::-1], interpolation=cv2.INTER_NEAREST)
    _, flat = np.unique(less, return_inverse=True)
    return flat.reshape(size).astype(np.int32)


# -- all of them


def coarse_size(pixels: UInt8) -> tuple[int, int]:
    """Rows and columns of the maps."""
    shrink = min(1.0, COARSE_SIDE / max(pixels.shape[:2]))
    return max(1, round(pixels.shape[0] * shrink)), max(1, round(pixels.shape[1] * shrink))


def cues(pixels: UInt8, boxes: Float32) -> Float32:
    """(N, 4) float32: every window's value of each of `CUES`.

    Args:
        pixels: (H, W, 3) uint8 RGB.
        boxes: (N, 4) in its pixels.
    """
    import cv2

    height, width = pixels.shape[:2]
    size = coarse_size(pixels)
    scale = size[1] / width, size[0] / height
    small = np.asarray(cv2.resize(pixels, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)
    inside = cells(boxes, scale, size)
    outside = cells(about(boxes, SURROUND), scale, size)
    inner = cells(about(boxes, INNER), scale, size)
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    # An edge of one pixel must not vanish on the way to fewer cells.
    edges = cv2.resize(cv2.Canny(gray, 100, 200), size[::-1], interpolation=cv2.INTER_AREA) > 0
    labels = coarse_superpixels(pixels, size, STRADDLING_SCALE)
    values = (
        _multi_scale(pixels, boxes),
        color_contrast(lab_codes(small), inside, outside),
        edge_density(edges, inside, inner),
        straddling(labels, inside.astype(np.float32)),
    )
    return np.stack(values, axis=1).astype(np.float32)


def log_ratio(values: Float32, known: Tables) -> Float32:
    """(N,): the sum over the cues of the log of how much more likely it is with an object.

    That is naive Bayes: the cues count as independent, given what is in the window.
    """
    total = np.zeros(len(values), np.float32)
    for cue in range(len(CUES)):
        total += known.cue_ratios[cue][np.searchsorted(known.cue_edges[cue], values[:, cue])]
    return total


def objectness(
    pixels: UInt8, most: int, seed: int, known: Tables | None = None
) -> tuple[Float32, Float32]:
    """Boxes (N, 4) float32 xyxy in the photo's pixels, the best first, and log ratios (N,)."""
    height, width = pixels.shape[:2]
    windows = np.round(clip(grid(height, width, min(CANDIDATES, height * width)), (height, width)))
    windows = once([windows[areas(windows) >= 4]])
    if len(windows) == 0:
        return windows, np.empty(0, np.float32)
    scores = log_ratio(cues(pixels, windows), tables() if known is None else known)
    kept = apart(windows, scores, most)
    return windows[kept], scores[kept]
