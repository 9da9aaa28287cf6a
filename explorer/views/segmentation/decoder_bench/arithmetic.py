"""The enlargements that are plain arithmetic, on a few of the network's own scores."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from math import log2
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.engine.stages import layer_input_of
from explorer.networks.preprocess import grid_frame
from explorer.views.segmentation.decoder_bench.maps import ClassMap, array, colors_of, present_in
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.dense.decoders import coarse_scores
from explorer.vision.dense.grids import CellGrid
from explorer.vision.features.resampling import (
    bed_of_nails,
    bilinear,
    bilinear_kernel,
    max_pool,
    max_unpool,
    nearest,
    overlaps,
    spread,
    stamped,
)
from explorer.vision.features.segmentation import scores_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray
    from torch import Tensor

    from explorer.core.layers import Float32, UInt8
    from explorer.core.network_info import NetworkInfo
    from explorer.core.values import Point
    from explorer.engine.scene import Scene

METHODS = NEAREST, BILINEAR, NAILS, UNPOOLING, TRANSPOSED = (
    "nearest neighbor", "bilinear", "bed of nails", "max unpooling", "transposed convolution",
)  # fmt: skip
TENT, LEARNED, ONES = ("bilinear", "learned", "all ones")
WINDOW = 4
"""Rows and columns of the cells whose numbers are written."""


@dataclass(frozen=True, slots=True, eq=False)
class Arithmetic:
    """A few scores of one class, enlarged twofold.

    Attributes:
        method: One of `METHODS`.
        label: The class.
        given: (r, c) float32, the cells that are enlarged; of an unpooling the pooled ones.
        found: (R, C) float32, the enlarged ones.
        spread: (r * c, R, C) float32, what a 1 in each given cell becomes; None for an unpooling.
        before: (R, C) float32, the cells before the pooling of an unpooling.
        switches: (r, c) int64, where in `before` the largest were: ``row * C + column``.
        kernel: (k, k) float32 of a transposed convolution.
        stamps: (R, C) int64, how many stamps lie on each found cell.
        place: All cells that `given` (or `before`) is a window of; `window` in them, xyxy.
        stride: Pixels of the input between their centers, as a power of two: sides are rounded.
        score: (H, W) float32, the class's scores of all cells after the enlargement, `factor` times
            as many in a direction; NaN where nothing came to lie.
        classes: Their classes; None where most cells have no score, or the kernel makes none.
        ways: Title and classes of several enlargements to the size of the input.
        own: The network's own classes.
    """

    method: str
    label: str
    given: Float32
    found: Float32
    place: CellGrid
    window: Float32
    stride: int
    score: Float32
    classes: ClassMap | None
    factor: int
    ways: tuple[tuple[str, ClassMap], ...]
    own: ClassMap
    spread: Float32 | None = None
    before: Float32 | None = None
    switches: NDArray[np.int64] | None = None
    kernel: Float32 | None = None
    stamps: NDArray[np.int64] | None = None
    cache: DrawCache = field(default_factory=lambda: DrawCache(24))

    @property
    def score_place(self) -> CellGrid:
        """Where `score` lies: on what the coarse cells cover."""
        frame = self.place.frame.then(
            grid_frame((self.place.rows, self.place.columns), self.score.shape)
        )
        return CellGrid(frame, *self.score.shape)

    def colors(self) -> UInt8:
        """Of all classes, the same in all panes."""
        shown = () if self.classes is None else (self.classes,)
        present = self.cache.get("present", lambda: present_in(self.own, *shown))
        return colors_of(present, len(self.own.names))

    @property
    def window_words(self) -> str:
        """The size of the window: "4 x 4 cells"."""
        x0, y0, x1, y1 = self.window[0]
        return f"{x1 - x0:.0f} x {y1 - y0:.0f} cells"


def kernels_of(info: NetworkInfo) -> tuple[str, ...]:
    """The kernels of a transposed convolution that there are with a network."""
    return (TENT, LEARNED, ONES) if _learned_layer(info) else (TENT, ONES)


def _learned_layer(info: NetworkInfo) -> str:
    """The layer that enlarges scores of classes, by the paper's name of it (Long et al. 2015)."""
    names = info.layer_names("ConvTranspose2d")
    return next((name for name in names if name.rpartition(".")[2].startswith("upscore")), "")


@torch.no_grad()
def arithmetic(
    scene: Scene, *, method: str, kernel: str, size: int, label: str, at: Point | None
) -> Arithmetic:
    """One of `METHODS` on the scores of the scene's network.

    Args:
        scene: Of a segmentation network.
        method: Which.
        kernel: Of a transposed convolution: `TENT`, `LEARNED` or `ONES`.
        size: Side of the kernel `ONES`.
        label: The class whose scores are written; another word: the top class there.
        at: Where on the photo; None = at the border of a large region.
    """
    names, module = scene.network.info.classes, scene.network.module
    height, width = scene.input().shape[-2:]
    source = (height, width)
    scores, layer = coarse_of(scene), None
    if method == TRANSPOSED and kernel == LEARNED:
        name = _learned_layer(scene.network.info)
        layer = module.get_submodule(name)
        scores = layer_input_of(scene, name).values.float()
    assert layer is None or isinstance(layer, nn.ConvTranspose2d)
    grid = (int(scores.shape[-2]), int(scores.shape[-1]))
    classes = partial(ClassMap.of, to_input=scene.frame, source=source, names=names)
    coarse = classes(scores[0])
    place = coarse.place
    many = 2 * WINDOW if method == UNPOOLING else WINDOW
    if method == UNPOOLING and min(grid) < 2:
        raise ExplorerError(
            f"The scores of this network have {grid[1]} x {grid[0]} cells, too few to pool.",
            "Choose another method or another network.",
        )
    cell = None if at is None else place.cell(at.x, at.y)
    top, left, rows, columns = window_at(coarse.shown, many, cell)
    if method == UNPOOLING:  # whole blocks
        rows, columns, top, left = rows // 2 * 2, columns // 2 * 2, top // 2 * 2, left // 2 * 2
    inside = coarse.shown[top : top + rows, left : left + columns]
    index = _index(coarse, inside, label)
    patch = scores[:, index : index + 1, top : top + rows, left : left + columns].cpu()
    common = {
        "method": method,
        "label": coarse.names[index],
        "place": place,
        "window": np.array([[left, top, left + columns, top + rows]], np.float32),
        "stride": 2 ** round(log2(min(height / grid[0], width / grid[1]))),
        "ways": scene.memo("ways to enlarge", lambda: _ways(scene, classes)),
        "own": own_classes(scene),
    }
    if method == UNPOOLING:
        pooled, whole = max_pool(patch, 2), max_pool(scores[:, index : index + 1], 2)
        landed = max_unpool(torch.ones_like(whole.values), whole.switches, whole.size)
        larger = max_unpool(whole.values, whole.switches, whole.size)
        return Arithmetic(
            **common, given=array(pooled.values[0, 0]),
            found=array(max_unpool(pooled.values, pooled.switches, pooled.size)[0, 0]),
            before=array(patch[0, 0]), switches=pooled.switches[0, 0].numpy(), factor=1,
            score=array(larger.where(landed > 0, torch.nan)[0, 0]), classes=None,
        )  # fmt: skip
    if method == TRANSPOSED:
        weight = _kernel(kernel, size, layer, index)
        side = int(weight.shape[-1])
        padding = 0 if kernel == ONES else (side - 2) // 2
        stamp = partial(stamped, weight=weight, stride=2, padding=padding)
        if layer is not None:
            larger = layer(scores.to(layer.weight.dtype)).float()[:, index]
        else:
            one = scores[:, index : index + 1]
            larger = functional.conv_transpose2d(one, weight.to(one), None, 2, padding)[:, 0]
        return Arithmetic(
            **common, given=array(patch[0, 0]), found=array(stamp(patch)[0, 0]),
            spread=array(spread(stamp, (rows, columns))), kernel=array(weight[0, 0]),
            stamps=overlaps((rows, columns), side, 2, padding).numpy(), factor=2,
            score=array(larger[0]), classes=None,
        )  # fmt: skip
    enlarge: Callable[[Tensor, int], Tensor]
    enlarge = {NEAREST: nearest, BILINEAR: bilinear, NAILS: bed_of_nails}[method]
    factor = 2 if method == NAILS else max(round(height / grid[0]), 1)
    larger = enlarge(scores, factor)
    score = array(larger[0, index])
    if method == NAILS:
        score = np.where(array(bed_of_nails(torch.ones(1, 1, *grid), factor)[0, 0]) > 0, score,
                         np.float32(np.nan))  # fmt: skip
    twofold = partial(enlarge, factor=2)
    return Arithmetic(
        **common, given=array(patch[0, 0]), found=array(twofold(patch)[0, 0]),
        spread=array(spread(twofold, (rows, columns))), factor=factor, score=score,
        classes=None if method == NAILS else classes(larger[0]),
    )  # fmt: skip


def coarse_of(scene: Scene) -> Tensor:
    """The scores of the scene's network before its last enlargement, (1, C, h, w)."""
    return scene.memo(
        "coarse scores", lambda: coarse_scores(scene.network.module, scene.input()).float()
    )


def own_classes(scene: Scene) -> ClassMap:
    """The network's own classes of its input's pixels."""
    height, width = scene.input().shape[-2:]
    size = (height, width)

    def make() -> ClassMap:
        scores = scores_of(scene.output(), size)
        return ClassMap.of(scores, scene.frame, size, scene.network.info.classes)

    return scene.memo("own classes", make)


def _ways(scene: Scene, classes: Callable[[Tensor], ClassMap]) -> tuple[tuple[str, ClassMap], ...]:
    """The classes after several enlargements of the network's own scores to its input's size."""
    scores = coarse_of(scene)
    factor = max(round(scene.input().shape[-2] / scores.shape[-2]), 1)
    kernel = bilinear_kernel(factor).to(scores).expand(scores.shape[1], 1, -1, -1)
    padding = (kernel.shape[-1] - factor) // 2
    tent = functional.conv_transpose2d(
        scores, kernel, None, factor, padding, groups=scores.shape[1]
    )
    return (
        (f"nearest neighbor, x{factor}", classes(nearest(scores, factor)[0])),
        (f"bilinear, x{factor}", classes(bilinear(scores, factor)[0])),
        (f"transposed convolution, bilinear kernel, x{factor}", classes(tent[0])),
    )


def _kernel(kernel: str, size: int, layer: nn.ConvTranspose2d | None, index: int) -> Tensor:
    """(1, 1, k, k): of the class itself where it is one of a layer that mixes classes."""
    if layer is not None:
        return layer.weight[index : index + 1, index : index + 1].float().cpu()
    return (bilinear_kernel(2) if kernel == TENT else torch.ones(size, size))[None, None]


def _index(coarse: ClassMap, inside: NDArray[np.int32], label: str) -> int:
    """The class called `label`, else the largest one in the window that is no background."""
    if label in coarse.names:
        return coarse.names.index(label)
    found = inside[inside >= 0]
    if not found.size:
        found = coarse.shown[coarse.shown >= 0]
    if not found.size:
        return min(1, len(coarse.names) - 1)
    return int(np.bincount(found.ravel()).argmax())


def window_at(
    shown: NDArray[np.int32], side: int, cell: tuple[int, int] | None
) -> tuple[int, int, int, int]:
    """Top, left, rows and columns of a window of cells: around `cell`, or over a border.

    Args:
        shown: (h, w), the classes; -1 = background.
        side: Rows and columns, if there are as many.
        cell: Row and column; None: where most cells of the largest class meet most others.
    """
    height, width = shown.shape
    rows, columns = min(side, height), min(side, width)
    if cell is None:
        found = shown[shown >= 0]
        largest = np.bincount(found.ravel()).argmax() if found.size else -2
        ours = np.lib.stride_tricks.sliding_window_view(shown == largest, (rows, columns))
        counts = ours.sum(axis=(2, 3))
        mixed = np.minimum(counts, rows * columns - counts)
        down, across = np.mgrid[0 : mixed.shape[0], 0 : mixed.shape[1]]
        middle = np.hypot(down - (height - rows) / 2, across - (width - columns) / 2)
        best = np.lexsort((middle.ravel(), -mixed.ravel()))[0]
        top, left = divmod(int(best), mixed.shape[1])
        return top, left, rows, columns
    top = min(max(cell[0] - (rows - 1) // 2, 0), height - rows)
    left = min(max(cell[1] - (columns - 1) // 2, 0), width - columns)
    return top, left, rows, columns
