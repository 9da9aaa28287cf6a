"""BING: an 8 x 8 template on binarized normed gradients scores windows of every size.

Cheng, Zhang, Lin & Torr 2014, "BING: Binarized Normed Gradients for Objectness Estimation at
300fps". A photo is resized such that windows of one size become 8 x 8; the template's score there
is turned into one that can be compared across sizes. Template and gradients are replaced by a few
binary ones, so that a score takes AND and bit counts on 64-bit words only.

The paper's windows are up to 320 pixels wide on photos of 500. Here every photo is taken as if its
longer side were `SIDE`, so that a size is the same share of any photo. Its second stage is a
support vector machine for each size; here it is a logistic regression, whose log odds rank windows
of different sizes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.vision.proposals.tables import Tables, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Float32 = NDArray[np.float32]
    Float64 = NDArray[np.float64]
    Int64 = NDArray[np.int64]
    UInt8 = NDArray[np.uint8]
    UInt64 = NDArray[np.uint64]

CELLS = 8
"""Rows and columns of the template."""

SIDE = 512
"""Pixels of the longer side of any photo, for the sizes of windows."""

SIDES = (10, 20, 40, 80, 160, 320)
"""Widths and heights of windows, in pixels of such a photo: the paper's quantized sizes."""

TERMS = 2
"""Binary templates whose weighted sum stands for the template (the paper's N_w)."""

BITS = 4
"""Leading bits of a gradient that count (the paper's N_g)."""

REACH = 2
"""A window is dropped when one this many cells away has a higher score (the paper's NSS)."""

EACH = 130
"""At most this many windows of a size, as in the paper's program."""


def normed_gradient(pixels: UInt8) -> UInt8:
    """(H, W) uint8: min(|gx| + |gy|, 255), gx and gy the largest difference of any channel.

    A difference is that of the two neighbors, from -255 to 255; beyond the border the picture is
    taken to go on as at the border (section 3.1).
    """
    wide = np.pad(pixels.astype(np.int16), ((1, 1), (1, 1), (0, 0)), mode="edge")
    across = np.abs(wide[1:-1, 2:] - wide[1:-1, :-2]).max(axis=2)
    down = np.abs(wide[2:, 1:-1] - wide[:-2, 1:-1]).max(axis=2)
    found: UInt8 = np.minimum(across + down, 255).astype(np.uint8)
    return found


def binary_terms(template: Float32, terms: int = TERMS) -> tuple[Float64, NDArray[np.bool_]]:
    """The template as a weighted sum of templates of -1 and 1 (algorithm 1).

    Args:
        template: (8, 8).
        terms: How many.

    Returns:
        (terms,) float64 weights and (terms, 8, 8) bool, True where a template is 1.
    """
    rest = template.astype(np.float64)
    weights, signs = np.empty(terms), np.empty((terms, CELLS, CELLS), np.bool_)
    for number in range(terms):
        signs[number] = rest >= 0
        sign = np.where(signs[number], 1.0, -1.0)
        weights[number] = (sign * rest).mean()
        rest = rest - weights[number] * sign
    return weights, signs


def approximated(template: Float32, terms: int = TERMS) -> Float64:
    """(8, 8) float64: the template that the binary ones add up to."""
    weights, signs = binary_terms(template, terms)
    found: Float64 = (weights[:, None, None] * np.where(signs, 1.0, -1.0)).sum(axis=0)
    return found


def leading_bits(gradient: UInt8, bits: int = BITS) -> UInt8:
    """The gradient with all but its first bits at 0: what the binarized score is computed on."""
    return gradient & np.uint8(0xFF << (8 - bits) & 0xFF)


def windows_as_words(plane: NDArray[np.bool_]) -> UInt64:
    """(H - 7, W - 7) uint64: the 8 x 8 bits from every place on, row by row, the first one highest.

    Rows share their bytes: 16 shifts for a window instead of 64 (algorithm 2).
    """
    height, width = plane.shape[0] - CELLS + 1, plane.shape[1] - CELLS + 1
    rows = np.zeros((plane.shape[0], width), np.uint64)
    for column in range(CELLS):
        rows = (rows << np.uint64(1)) | plane[:, column : column + width]
    words = np.zeros((height, width), np.uint64)
    for row in range(CELLS):
        words = (words << np.uint64(CELLS)) | rows[row : row + height]
    return words


def bit_counts(words: UInt64) -> UInt8:
    """How many bits are set in each word, by adding neighbors in ever wider fields."""
    one, two, four = (np.uint64(shift) for shift in (1, 2, 4))
    pairs = words - ((words >> one) & np.uint64(0x5555555555555555))
    fours = np.uint64(0x3333333333333333)
    quads = (pairs & fours) + ((pairs >> two) & fours)
    bytes_ = (quads + (quads >> four)) & np.uint64(0x0F0F0F0F0F0F0F0F)
    found: UInt8 = ((bytes_ * np.uint64(0x0101010101010101)) >> np.uint64(56)).astype(np.uint8)
    return found


def binarized_scores(gradient: UInt8, template: Float32) -> Float32:
    """(H - 7, W - 7) float32: the score of every 8 x 8 window (equations 4 to 6).

    Exactly the correlation of `leading_bits(gradient)` with `approximated(template)`. From the
    plain correlation of both as they are it differs by at most the sum of 15 |a| over the 64 cells,
    a the approximated template, and 255 times the sum of what the approximation is off.

    Args:
        gradient: (H, W) uint8, at least 8 x 8.
        template: (8, 8).
    """
    weights, signs = binary_terms(template)
    masks = [windows_as_words(sign)[0, 0] for sign in signs]
    total = np.zeros((gradient.shape[0] - CELLS + 1, gradient.shape[1] - CELLS + 1))
    for bit in range(BITS):
        words = windows_as_words((gradient >> (7 - bit)) & 1 > 0)
        every = bit_counts(words).astype(np.int16)
        for weight, mask in zip(weights, masks, strict=True):
            both = bit_counts(words & mask).astype(np.int16)
            total += (weight * 2.0 ** (7 - bit)) * (2 * both - every)
    return total.astype(np.float32)


def resized_for(
    pixels: UInt8, window: tuple[float, float], larger: float = 1.0
) -> UInt8 | None:  # fmt: skip
    """The photo with windows of that width and height made 8 x 8; None = it is too small for one.

    The window is in pixels of a photo whose longer side is `SIDE`. One that is up to `larger` times
    as wide or tall as the photo is made as wide or tall as it.
    """
    import cv2

    height, width = pixels.shape[:2]
    scale = SIDE / max(height, width)
    wide, tall = round(width * scale * CELLS / window[0]), round(height * scale * CELLS / window[1])
    if min(wide, tall) * larger < CELLS:
        return None
    wide, tall = max(wide, CELLS), max(tall, CELLS)
    smaller = wide < width and tall < height
    method = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(pixels, (wide, tall), interpolation=method), np.uint8)


def peaks(scores: Float32, most: int = EACH) -> tuple[Int64, Int64]:
    """Rows and columns of the highest local maxima of a map, the highest first."""
    import cv2

    around = cv2.dilate(scores, np.ones((2 * REACH + 1, 2 * REACH + 1), np.uint8))
    rows, columns = np.nonzero(scores == around)
    order = np.argsort(-scores[rows, columns], kind="stable")[:most]
    return rows[order], columns[order]


def windows_of(
    pixels: UInt8,
    size: tuple[float, float],
    template: Float32,
    most: int = EACH,
    larger: float = 1.0,
) -> tuple[Float32, Float32]:
    """The windows of one size with the highest scores: (N, 4) in the photo's pixels, and (N,)."""
    small = resized_for(pixels, size, larger)
    if small is None:
        return np.empty((0, 4), np.float32), np.empty(0, np.float32)
    scores = binarized_scores(normed_gradient(small), template)
    rows, columns = peaks(scores, most)
    corners = np.stack([columns, rows, columns + CELLS, rows + CELLS], axis=1).astype(np.float32)
    height, width = pixels.shape[:2]
    back = np.array([width / small.shape[1], height / small.shape[0]] * 2, np.float32)
    return corners * back, scores[rows, columns]


def bing(
    pixels: UInt8, most: int, seed: int, known: Tables | None = None
) -> tuple[Float32, Float32]:
    """Boxes (N, 4) float32 xyxy in the photo's pixels, the best first, and their log odds (N,)."""
    known = tables() if known is None else known
    each = max(EACH, -(-most // max(1, len(known.bing_sizes))) * 2)
    boxes, scores = [np.empty((0, 4), np.float32)], [np.empty(0, np.float32)]
    for (wide, tall), (slope, offset) in zip(
        known.bing_sizes.tolist(), known.bing_lines.tolist(), strict=True
    ):
        found, value = windows_of(pixels, (wide, tall), known.bing_filter, each, known.bing_larger)
        boxes.append(found)
        scores.append((slope * value + offset).astype(np.float32))
    every, odds = np.concatenate(boxes), np.concatenate(scores)
    order = np.argsort(-odds, kind="stable")[:most]
    return every[order], odds[order]
