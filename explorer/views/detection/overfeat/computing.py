"""From a scene to the levels: one pass over the photo at each size, and the windows one by one."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from itertools import product
from time import perf_counter
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.views.detection.overfeat.result import INPUT, Level, Stage
from explorer.vision.dense.box_regression import box_regressor
from explorer.vision.dense.convolutional import multiply_adds
from explorer.vision.dense.windows import (
    Windows,
    convolutional_form,
    cut_out,
    finite,
    resized,
    window_side,
)
from explorer.vision.features.classifier import CHUNK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from explorer.core.layers import Float32, UInt8
    from explorer.core.params import NetworkRef
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network
    from explorer.vision.dense.box_regression import BoxRegressor
    from explorer.vision.dense.convolutional import FullyConvolutional

LARGEST = 10
"""Windows along the short side of a photo: larger ones take gigabytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Parts:
    """The networks in convolutional form.

    Attributes:
        network: The classifier's.
        full: The classifier.
        regressor: What computes boxes; None = nothing does, for the `reason`.
        boxes_of: The regressor's network; it may be the classifier's own.
        reason: See `regressor`.
        step: Pixels between windows.
        finer: The stride in steps.
    """

    network: Network
    full: FullyConvolutional
    regressor: BoxRegressor | None
    boxes_of: Network | None
    reason: str
    step: int
    finer: int

    @property
    def per_class(self) -> bool:
        """Whether there are boxes for every class of the classifier."""
        own = self.boxes_of is self.network
        return own and self.regressor is not None and self.regressor.head.fc2.out_features > 4


def parts_of(scene: Scene, regressor: NetworkRef | None, finer: int) -> Parts:
    """The networks of a scene.

    Args:
        scene: Its network is a classifier, or a localizer, which has its own regressor.
        regressor: A localizer, for a classifier without one.
        finer: Wanted parts of the stride; where it has no such divisor, the next smaller one.

    Raises:
        ExplorerError: The classifier has no convolutional form.
    """
    network = scene.network
    found: BoxRegressor | None = None
    boxes_of, reason = None, "no box regressor is chosen"
    if network.info.task == "localization":
        found, boxes_of = _regressor(network, scene.input()), network
        full = found.classifier
    else:
        full = convolutional_form(network, scene.input())
        if regressor is not None:
            boxes_of = scene.network_of(regressor)
            found, reason = _fitting(boxes_of, scene.image.pixels, full)
    finer = next(part for part in range(finer, 0, -1) if full.stride % part == 0)
    if found is None:
        boxes_of = None
    return Parts(network, full, found, boxes_of, reason, full.stride // finer, finer)


def _regressor(network: Network, values: Tensor) -> BoxRegressor:
    side = window_side(network.preprocess, values)
    return network.memo(
        ("box regressor", side), lambda: box_regressor(network.module, values[..., :side, :side])
    )


def _fitting(
    network: Network, pixels: UInt8, full: FullyConvolutional
) -> tuple[BoxRegressor | None, str]:
    """The regressor of another network where its windows are the classifier's, or why not."""
    title = network.info.title
    values = network.preprocess(pixels).to(network.device, network.dtype)
    try:
        found = _regressor(network, values)
    except ExplorerError:
        return None, f"the boxes of {title} cannot be computed convolutionally"
    own, other = (full.window, full.stride), (found.classifier.window, found.classifier.stride)
    if own == other:
        return found, ""
    return None, (
        f"{title} has windows of {other[0]} pixels with a stride of {other[1]}, this network of "
        f"{own[0]} with {own[1]}"
    )


def shorts_of(window: int, smallest: float, growth: float, scales: int) -> list[int]:
    """The short sides of the photo in pixels, the smallest first.

    Raises:
        ExplorerError: The largest is too large.
    """
    found = [round(window * smallest * growth**k) for k in range(scales)]
    if found[-1] > LARGEST * window:
        raise ExplorerError(
            f"The short side of the largest photo would be {found[-1]:,} pixels, more than "
            f"{LARGEST} windows.",
            "Choose fewer sizes, a smaller first one or less growth.",
        )
    return found


def one_window(parts: Parts, window: Tensor) -> tuple[tuple[Stage, ...], int]:
    """The stages of the network, and the multiply-adds of one window."""
    full = parts.full
    return parts.network.memo(
        ("overfeat window", full.window),
        lambda: (_stages(full, window), multiply_adds(lambda: full.scores(window))),
    )


def _stages(full: FullyConvolutional, window: Tensor) -> tuple[Stage, ...]:
    """The layers where the map of one window gets another side, and the input."""
    found = [Stage(INPUT, full.window)]
    for layer, (side, _) in full.sizes(window).items():
        if found[-1].side == side and len(found) > 1:
            found.pop()
        if found[-1].side != side:
            found.append(Stage(layer, side))
    return tuple(found)


@torch.no_grad()
def level_of(parts: Parts, pixels: UInt8, short: int, stages: tuple[Stage, ...]) -> Level:
    """One pass over the photo with a short side of `short` pixels."""
    full, finer = parts.full, parts.finer
    values, to_resized = resized(parts.network, pixels, short)
    start = perf_counter()
    scores = finite(full.interleaved(full.scores, values, finer)[0])
    seconds = perf_counter() - start
    size = (int(values.shape[-2]), int(values.shape[-1]))
    costs = parts.network.memo(("overfeat costs", full.window), dict[Hashable, Any])
    if (size, finer) not in costs:
        counted = multiply_adds(lambda: full.interleaved(full.scores, values, finer))
        costs[size, finer] = counted, full.sizes(values)
    counted, maps = costs[size, finer]
    rows, columns = scores.shape[1:]
    windows = Windows(to_resized, full.window, parts.step, rows, columns)
    return Level(
        windows=windows,
        size=size,
        scores=scores,
        boxes=_boxes(parts, pixels, short, windows),
        sizes=tuple(maps.get(stage.layer, size) for stage in stages),
        multiply_adds=counted,
        seconds=seconds,
        cropped=np.full_like(scores, np.nan),
        apart=np.full((rows, columns, full.side, full.side), np.nan, np.float32),
    )


def _boxes(parts: Parts, pixels: UInt8, short: int, windows: Windows) -> Float32 | None:
    """(K, rows, columns, 4) xyxy in the photo's pixels."""
    regressor, network = parts.regressor, parts.boxes_of
    if regressor is None or network is None:
        return None
    values, _ = resized(network, pixels, short)
    form = regressor.classifier
    found = finite(form.interleaved(regressor.boxes, values, parts.finer)[0])
    if len(found) > 1 and not parts.per_class:  # that of the regressor's own top class
        top = finite(form.interleaved(form.scores, values, parts.finer)[0]).argmax(axis=0)
        found = np.take_along_axis(found, top[None, None], axis=0)
    row, column = np.indices((windows.rows, windows.columns))
    corner = np.stack([column, row, column, row]) * windows.step
    inside = found[..., : windows.rows, : windows.columns] * windows.side + corner
    xyxy = np.moveaxis(inside, 1, -1).astype(np.float32)
    return windows.to_resized.inverse().boxes(xyxy.reshape(-1, 4)).reshape(xyxy.shape)


def compared(
    parts: Parts, pixels: UInt8, short: int, level: Level, first: tuple[int, int]
) -> Iterator[Level]:
    """The level with more and more of its windows cropped and classified, that of `first` first."""
    values, _ = resized(parts.network, pixels, short)
    rows, columns = level.scores.shape[1:]
    offsets = list(product(range(min(parts.finer, rows)), range(min(parts.finer, columns))))
    offsets.sort(key=lambda offset: offset != (first[0] % parts.finer, first[1] % parts.finer))
    for down, across in offsets:
        cells = list(product(range(down, rows, parts.finer), range(across, columns, parts.finer)))
        cells.sort(key=lambda cell: cell != first)
        maps = _shifted(parts, values, down, across)
        for start in range(0, len(cells), CHUNK):
            level = _with_crops(parts, values, maps, level, cells[start : start + CHUNK])
            yield level


@torch.no_grad()
def _shifted(parts: Parts, values: Tensor, down: int, across: int) -> Tensor:
    """(D, h, w), the last map of the pass that begins at an offset of these numbers of steps."""
    return parts.full.maps(values[..., down * parts.step :, across * parts.step :])[0]


@torch.no_grad()
def _with_crops(
    parts: Parts, values: Tensor, maps: Tensor, level: Level, cells: list[tuple[int, int]]
) -> Level:
    full = parts.full
    windows = cut_out(values, full.window, parts.step, cells)
    start = perf_counter()
    scores, last = full.crop_scores(windows)
    found = finite(scores)
    seconds = perf_counter() - start
    cropped, apart = level.cropped.copy(), level.apart.copy()
    for number, (row, column) in enumerate(cells):
        top, left = row // parts.finer, column // parts.finer
        same = maps[:, top : top + full.side, left : left + full.side]
        mean = float(last[number].abs().mean()) or 1.0
        away = (last[number] - same).abs().float().mean(dim=0) / mean
        cropped[:, row, column] = found[number]
        apart[row, column] = away.cpu().numpy()
    return replace(level, cropped=cropped, apart=apart, crop_seconds=level.crop_seconds + seconds)
