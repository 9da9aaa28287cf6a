"""Proposals of every method on a scene, and what the views of them draw."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.annotations.truth import LAYER
from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Heat, boxes_at
from explorer.core.listing import quantity
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.images.image import from_array
from explorer.images.pixels import shrunk
from explorer.views.shared.anchors import (
    GREEN,
    RED,
    WHITE,
    counted,
    photo_size,
    same,
    shades,
    truth_boxes,
)
from explorer.views.shared.filter_stages import stages_of
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.detection.recall import repeatability, repeated
from explorer.vision.proposals.methods import LARGEST_SIDE, METHODS, Proposals, propose
from explorer.vision.trace import TwoStage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, Layer
    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Box
    from explorer.vision.detection.corruptions import Changed
    from explorer.vision.proposals.tables import Tables

RPN, ALL_RPN = "RPN", "RPN before NMS"
NAMES = (*METHODS, RPN, ALL_RPN)
"""Every method; those of a network last."""

COLORS: dict[str, Color] = {
    "selective search": (245, 130, 20),
    "selective search (quality)": (170, 80, 30),
    "selective search (single)": (250, 190, 110),
    "Edge Boxes": (0, 175, 205),
    "BING": (120, 60, 200),
    "objectness": (225, 60, 130),
    "Rahtu": (235, 150, 190),
    "Randomized Prim": (205, 65, 45),
    "Felzenszwalb": (50, 150, 70),
    "SLIC": (130, 205, 70),
    "sliding window": (128, 132, 140),
    "k-means boxes": (150, 140, 60),
    "Gaussian": (215, 195, 40),
    "uniform": (185, 165, 150),
    RPN: (70, 105, 245),
    ALL_RPN: (150, 175, 255),
}
assert set(COLORS) == set(NAMES)

FINEST = 512
"""The longest side of the coverage map, in cells."""


def methods_of(info: NetworkInfo) -> tuple[str, ...]:
    """The methods there are with this network."""
    return NAMES if info.task == "detection" else tuple(METHODS)


def headed(name: str) -> str:
    """The method's name at the beginning of a sentence."""
    return name[:1].upper() + name[1:]


def first_words(name: str, top: int, count: int) -> str:
    """The title of a pane with the first `top` of `count` boxes of a method."""
    of = f"{counted(top)} of {counted(count)}" if top < count else f"all {counted(count)}"
    return f"{headed(name)}: {'top ' if top < count else ''}{of} boxes"


def order_of(name: str) -> str:
    """What the first box is the best by."""
    return METHODS[name].order if name in METHODS else "score: objectness"


def proposals_of(scene: Scene, name: str, most: int, known: Tables | None = None) -> Proposals:
    """The proposals of a method on the scene's photo, in its pixels, computed once.

    Args:
        scene: Of the photo.
        name: The method's.
        most: The largest number of boxes.
        known: Tables for BING; None = those that ship.

    Raises:
        ExplorerError: The scene's network has no proposals.
    """
    return scene.memo(("proposals", name, most, known), lambda: _made(scene, name, most, known))


def _made(scene: Scene, name: str, most: int, known: Tables | None) -> Proposals:
    if name in METHODS:
        return propose(name, scene.image.pixels, most, seed=scene.seed, known=known)
    if not isinstance(trace_of(scene), TwoStage):
        raise ExplorerError(
            f"{scene.network.info.title} is a single-stage detector: it has no proposals.",
            "Choose another method, or a network of the R-CNN family.",
        )
    stages = stages_of(scene)
    stage = stages[-1] if name == RPN else stages[-3]  # before suppression and its last cut
    height, width = photo_size(scene)
    boxes = np.clip(stage.boxes[:most], 0, np.array([width, height] * 2, np.float32))
    seconds = scene.memo("rpn_seconds", lambda: _rpn_seconds(scene))
    return Proposals(boxes, stage.scores[:most], seconds, stage.levels[:most])


@torch.no_grad()
def _rpn_seconds(scene: Scene) -> float:
    """Until the proposals: transform, backbone and RPN, run once more without the second stage."""
    module: Any = scene.network.module
    inputs, device = [scene.input()[0]], scene.network.device
    start = perf_counter()
    images, _ = module.transform(inputs)
    features = module.backbone(images.tensors)
    module.rpn(images, features if isinstance(features, dict) else {"0": features})
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return perf_counter() - start


# -- the same again on a changed photo (Hosang et al. 2016, section 3) --------------------------

COMPARED = 1000
"""Boxes that are compared, as in the paper."""


@dataclass(frozen=True, slots=True, eq=False)
class Again:
    """One method at one strength: boxes in the photo's pixels.

    Attributes:
        first: (N, 4), those of the photo as it is whose place the changed photo shows.
        boxes: (M, 4), those of the changed photo, brought back.
        best: (N,), the highest IoU of each of `first` with them.
        score: The repeatability.
    """

    first: Float32
    boxes: Float32
    best: Float32
    score: float


def changed_photos(scene: Scene, change: str) -> tuple[Changed, ...]:
    """The photo after one of `CHANGES` at every strength.

    A large photo is made smaller first, as every method does: a change of its scale would else be
    undone.
    """
    return scene.memo(("changed", change), lambda: _changed(scene, change))


def _changed(scene: Scene, change: str) -> tuple[Changed, ...]:
    pixels = scene.image.pixels
    small = np.ascontiguousarray(shrunk(pixels, LARGEST_SIDE))
    across, down = small.shape[1] / pixels.shape[1], small.shape[0] / pixels.shape[0]
    kind = CHANGES[change]
    return tuple(kind.make(small, each).of_larger(across, down) for each in kind.strengths)


def again(
    scene: Scene, name: str, change: str, number: int, most: int, known: Tables | None = None
) -> Again:
    """A method's first boxes on the photo and after the change of that strength, computed once.

    Args:
        scene: Of the photo.
        name: The method's.
        change: A key of `CHANGES`.
        number: The place of the strength.
        most: The largest number of boxes, up to `COMPARED`.
        known: As for `proposals_of`.
    """
    return scene.memo(
        ("again", change, number, name, most, known),
        lambda: _again(scene, name, change, number, most, known),
    )


def _again(
    scene: Scene, name: str, change: str, number: int, most: int, known: Tables | None
) -> Again:
    count = min(most, COMPARED)
    part = changed_photos(scene, change)[number]
    first = proposals_of(scene, name, most, known).boxes[:count]
    first = first[part.visible(first)]
    # New random boxes: a method that draws them is no more repeatable than that.
    other = Scene(scene.network, from_array(part.pixels, "changed"), scene.seed + 1 + number)
    boxes = part.back(proposals_of(other, name, most, known).boxes[:count])
    best = repeated(first, boxes)
    return Again(first, boxes, best, repeatability(first, best))


# -- drawing --------------------------------------------------------------------------------------


def strengths(found: Proposals, rows: NDArray[np.intp]) -> Float32:
    """(n,) float32 in [0, 1] for the colors of `rows`: score over the best one, else by rank."""
    if found.scores is not None and len(found.scores) and found.scores[0] > 0:
        share: Float32 = np.clip(found.scores[rows] / found.scores[0], 0, 1)
        return share
    by_rank: Float32 = (1 - np.arange(len(rows)) / max(len(rows), 1)).astype(np.float32)
    return by_rank


def proposal_boxes(found: Proposals, rows: NDArray[np.intp]) -> Boxes:
    """The boxes of `rows`, best first, colored by score or rank, the best one on top."""
    behind = rows[::-1]
    labels: tuple[str, ...] = ()
    if len(rows) <= 10:
        labels = tuple(box_words(found, int(row)) for row in behind)
    width = 2.0 if len(rows) <= 30 else 1.0
    return Boxes(
        found.boxes[behind], shades(strengths(found, rows)[::-1], 0.35), labels,
        tuple(int(row) for row in behind), width=width, name="proposals",
    )  # fmt: skip


def box_words(found: Proposals, row: int) -> str:
    """Rank and score of one box."""
    score = "" if found.scores is None else f"  {found.scores[row]:.3f}"
    return f"#{row + 1}{score}"


def readout(
    found: Proposals, rows: NDArray[np.intp], truth: Sequence[Box]
) -> Callable[[float, float], str]:
    """For the status bar: the smallest proposal under the mouse."""
    boxes, wanted = found.boxes[rows], truth_boxes(truth)

    def words(x: float, y: float) -> str:
        hit = boxes_at(boxes, x, y)
        if len(hit) == 0:
            return "no proposals here"
        row = int(rows[hit[0]])
        best = iou_matrix(wanted, found.boxes[row : row + 1]).max(initial=-1.0)
        more = f", highest IoU with an object {best:.2f}" if len(wanted) else ""
        return f"{quantity(len(hit), 'proposal')} here; the smallest: {box_words(found, row)}{more}"

    return words


def coverage(boxes: Float32, size: tuple[float, float], opacity: float) -> Heat:
    """How many of the boxes lie over the center of each cell; `size` is the photo's width, height.

    A cell is a pixel, or larger where the photo has more than `FINEST` of them on a side.
    """
    width, height = size
    shrink = min(1.0, FINEST / max(width, height))
    columns, rows = max(1, round(width * shrink)), max(1, round(height * shrink))
    scale = np.array([columns / width, rows / height] * 2)
    ends = np.ceil(boxes.astype(np.float64) * scale - 0.5).astype(np.int64)
    x0, y0, x1, y1 = np.clip(ends, 0, [columns, rows] * 2).T
    steps = np.zeros((rows + 1, columns + 1), np.int64)
    for ys, xs, sign in ((y0, x0, 1), (y1, x1, 1), (y0, x1, -1), (y1, x0, -1)):
        np.add.at(steps, (ys, xs), sign)
    counts = steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1].astype(np.float32)
    return Heat(
        counts, 0.0, max(1.0, float(counts.max())), "viridis", (0.0, 0.0, width, height), opacity,
        unit="boxes per pixel", name="coverage",
    )  # fmt: skip


def truth_layers(
    truth: Sequence[Box], boxes: Float32, best: Float32, ranks: NDArray[np.int64], threshold: float
) -> list[Layer]:
    """The objects, red where they are missed, and the proposal that covers each one best.

    Args:
        truth: G objects.
        boxes: (n, 4), the proposals that are counted, best first.
        best: (G,), the best IoU of each object with them.
        ranks: (G,), the place in `boxes` of that best one.
        threshold: An object is found from this IoU on.
    """
    if not truth:
        return []
    hit = best >= np.float32(threshold)
    names = tuple(
        f"{object_name(truth, number)}: {'found' if hit[number] else 'missed'}, IoU {iou:.2f}"
        for number, iou in enumerate(best)
    )
    wanted = truth_boxes(truth)
    glow = Boxes(
        wanted[~hit], same(RED, int((~hit).sum())), width=7.0, fill=0.12, selectable=False,
        name="missed",
    )  # fmt: skip
    colors = np.where(hit[:, None], WHITE, RED).astype(np.uint8)
    layers: list[Layer] = [glow] if len(glow.xyxy) else []
    layers.append(Boxes(wanted, colors, names, width=2.5, selectable=False, name=LAYER))
    if len(boxes) and hit.any():
        layers.append(
            Boxes(
                boxes[ranks[hit]], same(GREEN, int(hit.sum())), width=2.5, selectable=False,
                name="best match of each object",
            )
        )  # fmt: skip
    return layers


def object_name(truth: Sequence[Box], number: int) -> str:
    """The class of an object, or its number."""
    return truth[number].label or f"object {number + 1}"
