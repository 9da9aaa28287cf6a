"""The latent SVM of one component: its root filter, then its parts (section 5.2)."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.training.lessons.dpm.svm import fit_svm
from explorer.vision.dpm.features import CHANNELS, scales
from explorer.vision.dpm.matching import (
    FIRST,
    Border,
    bordered,
    hypotheses,
    kept,
    placements,
    ranked,
    respond,
    root_box,
)
from explorer.vision.dpm.models import Component, Model, Part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.training.lessons.dpm.objects import Example
    from explorer.vision.dpm.features import Scale
    from explorer.vision.dpm.matching import Responses

    Float32 = NDArray[np.float32]
    UInt8 = NDArray[np.uint8]

log = logging.getLogger(__name__)

BIAS = 3.0
"""The constant of every example: the larger it is, the less the bias is held down."""
LEAST_CURVE = 0.01
"""Of a cost: a part must not be free to be anywhere (section 5.2)."""
FIRST_COST = (0.0, 0.0, 0.1, 0.1)
COVERED = 0.8
"""Of the root filter's area by all parts together."""
INTERVAL = 5
"""Scales in an octave, in training."""
HARD = -1.0
"""What is no object and scores more is a hard example; the margin is at -1."""
EACH = 12
"""Hard examples of one photo at most."""
MOST_HARD = 6000
LOSS = 0.01
"""Weight of an object's loss; C of the paper, which has 0.002 for more examples."""


@dataclass
class Negatives:
    """Photos without the object: height and width, and scales, of each; the hard examples so far.

    `hard` is (N, D).
    """

    photos: Sequence[tuple[tuple[int, int], list[Scale]]]
    hard: Float32 = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @classmethod
    def of(cls, photos: Sequence[UInt8]) -> Negatives:
        found = []
        for pixels in photos:
            levels = [scale for _, _, scale in scales(pixels, INTERVAL)]
            found.append(((pixels.shape[0], pixels.shape[1]), levels))
        return cls(found)


def fit_root(
    examples: Sequence[Example],
    cells: tuple[int, int],
    negatives: Negatives,
    rng: np.random.Generator,
    rounds: int = 3,
) -> Component:
    """A root filter alone, (h, w) `cells`: from random places first, then from hard ones."""
    component = Component(np.zeros((*cells, CHANNELS), np.float32), (), 0.0)
    negatives.hard = random_negatives(negatives, cells, rng)
    for number in range(rounds):
        positive, _ = latent(examples, component)
        component = fitted(component, positive, negatives, rng)
        if number < rounds - 1:
            added = mine(component, negatives)
            log.info("  root, round %d: %d hard examples", number + 1, added)
    return component


def fit_parts(
    component: Component,
    count: int,
    examples: Sequence[Example],
    negatives: Negatives,
    rng: np.random.Generator,
    rounds: int = 3,
) -> Component:
    """The component with `count` parts, where its root filter has the most energy."""
    component = with_parts(component, count)
    negatives.hard = np.zeros((0, size_of(component)), np.float32)
    for number in range(rounds):
        added = mine(component, negatives)
        positive, boxes = latent(examples, component)
        component = fitted(component, positive, negatives, rng)
        component = replace(component, box=boxes)
        log.info("  parts, round %d: %d hard examples", number + 1, added)
    return component


def with_parts(component: Component, count: int) -> Component:
    """Parts cut from the root filter at twice its resolution, greedily by energy (section 5.2)."""
    rows, columns = component.root.shape[:2]
    fine = np.stack(
        [
            cv2.resize(channel, (2 * columns, 2 * rows), interpolation=cv2.INTER_CUBIC)
            for channel in np.moveaxis(component.root, 2, 0)
        ],
        axis=2,
    ).astype(np.float32)
    energy = np.square(fine.clip(0)).sum(axis=2)
    side = max(3, round(np.sqrt(COVERED * 4 * rows * columns / count)))
    high, wide = min(side, 2 * rows), min(side, 2 * columns)
    parts = []
    for _ in range(count):
        sums = cv2.filter2D(energy, cv2.CV_32F, np.ones((high, wide), np.float32), anchor=(0, 0),
                            borderType=cv2.BORDER_CONSTANT)  # fmt: skip
        inside = sums[: 2 * rows - high + 1, : 2 * columns - wide + 1]
        y, x = (int(at) for at in np.unravel_index(int(inside.argmax()), inside.shape))
        part = fine[y : y + high, x : x + wide] * np.float32(0.5)
        parts.append(Part(part, (x, y), FIRST_COST))
        energy[y : y + high, x : x + wide] = 0
    return replace(component, parts=tuple(parts))


def latent(
    examples: Sequence[Example], component: Component
) -> tuple[Float32, tuple[float, float, float, float]]:
    """The highest-scoring placement in each example as vectors, and the objects' mean box."""
    vectors, boxes = [], []
    none = Border(0, 0)
    for example in examples:
        best: tuple[float, int, int, int, Responses] | None = None
        for place, scale in enumerate(example.scales):
            responses = respond(scale, component, none)
            if responses is None:
                continue
            top, left, rows, columns = example.allowed
            scores = responses.score[top : top + rows, left : left + columns]
            at = np.unravel_index(int(scores.argmax()), scores.shape)
            score = float(scores[at])
            if best is None or score > best[0]:
                best = score, place, int(at[0]) + top, int(at[1]) + left, responses
        if best is None:
            continue
        _, place, row, column, responses = best
        scale = example.scales[place]
        vectors.append(vector(scale, component, responses, none, row, column))
        x0, y0, x1, y1 = root_box(scale, component, none, row, column)
        a0, b0, a1, b1 = example.boxes[place]
        wide, high = x1 - x0, y1 - y0
        boxes.append(((a0 - x0) / wide, (b0 - y0) / high, (a1 - x0) / wide, (b1 - y0) / high))
    a, b, c, d = (float(side) for side in np.mean(boxes, axis=0))
    return np.stack(vectors), (a, b, c, d)


def vector(
    scale: Scale, component: Component, responses: Responses, border: Border, row: int, column: int
) -> Float32:
    """What the weights of a component are multiplied with for a placement, (D,) float32.

    The root's cells, the cells of each part where it is, the negative displacements and their
    squares, and the constant of the bias.
    """
    height, width = component.root.shape[:2]
    coarse = bordered(scale.root.cells, border.down, border.across)
    pieces = [coarse[row : row + height, column : column + width].ravel()]
    moves = []
    if component.parts:
        fine = bordered(scale.fine.cells, 2 * border.down, 2 * border.across)
        placed = placements(scale, component, responses, border, row, column)
        for part, where in zip(component.parts, placed, strict=True):
            high, wide = part.filter.shape[:2]
            x = 2 * column + FIRST + part.anchor[0] + where.dx
            y = 2 * row + FIRST + part.anchor[1] + where.dy
            cells = np.zeros((high, wide, CHANNELS), np.float32)
            found = fine[y : y + high, x : x + wide]
            cells[: found.shape[0], : found.shape[1]] = found
            pieces.append(cells.ravel())
            moves += [-where.dx, -where.dy, -(where.dx**2), -(where.dy**2)]
    return np.concatenate([*pieces, np.array([*moves, BIAS], np.float32)])


def size_of(component: Component) -> int:
    """D of `vector`."""
    filters = component.root.size + sum(part.filter.size for part in component.parts)
    return int(filters + 4 * len(component.parts) + 1)


def from_weights(component: Component, weights: Float32) -> Component:
    """The component whose score of a placement is `weights` times its vector."""
    at = component.root.size
    root = weights[:at].reshape(component.root.shape)
    filters = []
    for part in component.parts:
        filters.append(weights[at : at + part.filter.size].reshape(part.filter.shape))
        at += part.filter.size
    parts = []
    for part, values in zip(component.parts, filters, strict=True):
        a, b, c, d = (float(value) for value in weights[at : at + 4])
        cost = a, b, max(c, LEAST_CURVE), max(d, LEAST_CURVE)
        parts.append(Part(values.copy(), part.anchor, cost))
        at += 4
    bias = float(weights[at]) * BIAS
    return replace(component, root=root.copy(), parts=tuple(parts), bias=bias)


def fitted(
    component: Component, positive: Float32, negatives: Negatives, rng: np.random.Generator
) -> Component:
    """The component after one training on all there is; hard examples that became easy go."""
    x = np.concatenate([positive, negatives.hard])
    y = np.concatenate([np.ones(len(positive)), -np.ones(len(negatives.hard))]).astype(np.float32)
    weights = fit_svm(x, y, np.full(len(x), LOSS, np.float32), rng)
    scores = negatives.hard @ weights
    order = np.argsort(-scores)[: MOST_HARD * 2 // 3]
    negatives.hard = negatives.hard[order[scores[order] > HARD - 0.1]]
    return from_weights(component, weights)


def random_negatives(
    negatives: Negatives, cells: tuple[int, int], rng: np.random.Generator
) -> Float32:
    """Root filters' cells at random places of the photos."""
    rows, columns = cells
    found = []
    for _, levels in negatives.photos:
        for scale in levels:
            there = scale.root.cells
            free = there.shape[0] - rows + 1, there.shape[1] - columns + 1
            if min(free) < 1:
                continue
            for _ in range(2):
                y, x = int(rng.integers(free[0])), int(rng.integers(free[1]))
                piece = there[y : y + rows, x : x + columns].ravel()
                found.append(np.append(piece, np.float32(BIAS)))
    return np.stack(found).astype(np.float32)


def mine(component: Component, negatives: Negatives) -> int:
    """Adds the highest-scoring placements in the photos without an object; how many."""
    model = Model("", (component,), HARD)
    border = Border.of(model)
    found: list[Float32] = []
    for size, levels in negatives.photos:
        if len(negatives.hard) + len(found) >= MOST_HARD:
            break
        several, seen = [], {}
        for number, scale in enumerate(levels):
            responses = respond(scale, component, border)
            if responses is not None and (responses.score > HARD).any():
                seen[number] = scale, responses
                several.append(
                    hypotheses(scale, responses, component, border, (0, number), HARD, size)
                )
        every = ranked(several, 500)
        for row in kept(every.boxes)[:EACH]:
            _, number, y, x = (int(value) for value in every.places[row])
            scale, responses = seen[number]
            found.append(vector(scale, component, responses, border, y, x))
    if found:
        negatives.hard = np.concatenate([negatives.hard, np.stack(found)])
    return len(found)
