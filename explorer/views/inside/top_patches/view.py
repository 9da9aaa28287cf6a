"""The patches of a folder's photos that excite a unit most, with their deconvnet pictures."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.batch.index.store import PEAKS
from explorer.batch.photos import Photo
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Curve, Plot, Table
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, Pick, param
from explorer.core.step import Step
from explorer.engine.stages import activation_of, fields_of
from explorer.engine.view import Group, View
from explorer.views.inside.top_patches import panes
from explorer.views.inside.top_patches.panes import TopPatch
from explorer.views.inside.top_patches.shipped import shipped_rows
from explorer.views.shared.common import default_layer, photo_of
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.folders.album import file_of, open_member, small
from explorer.views.shared.folders.indexing import index_of
from explorer.views.shared.folders.layers import (
    AUTOMATIC,
    activation_functions,
    layers_or_automatic,
)
from explorer.vision.photo_sets.patches import deconvnet_picture, field_on_photo, patch_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.batch.index.store import Entry
    from explorer.core.layers import Float32, Picture
    from explorer.engine.scene import Scene
    from explorer.views.shared.folders.indexing import FolderIndex
    from explorer.vision.features.activations import Activation
    from explorer.vision.photo_sets.patches import Patch

EXPLANATION = r"""
What does a unit of the network respond to? One look at the photos that excite it most tells more
than its weights. Every photo of the folder has one cell where a channel is strongest; the photos
are sorted by that activation, and of each the part is shown that the cell depends on: its
**receptive field**, worked out exactly. Without a folder the samples are searched.

**Channel.** By default it is the one by which the open photo differs most from the folder: with its
largest activation $a$ and the mean $\mu$ and standard deviation $\sigma$ of all photos, the channel
with the largest

$$ \frac{a - \mu}{\sigma} $$

among those of which all patches shown are at least a quarter as strong. The table names more of
them. The open photo is shown with the channel's activation, and a frame
around the field of its strongest cell.

**Deconvnet.** Beside each patch is the activation projected back to the pixels. A convolution is
undone by its transposed filters, max pooling by its switches (the value returns to where the
maximum was), and a ReLU by a ReLU on the way back:

$$ r_{l} = F_l^T \, \max(0, \; r_{l+1}) $$

Gray means that nothing leads to the activation; the structure is what excites the unit in this very
patch. All other activations of the layer are set to zero. It differs from the gradient only at the
ReLUs, which let the gradient pass where the *forward* signal was positive. Batch normalization is
undone as the linear map it is; activation functions other than ReLU and ReLU6 keep their
derivative.

**Layer.** *Automatic* is the last activation function whose receptive field is at most 40% of the
input, so that patches are parts. In later layers the field is the whole photo.

**Large folders** are searched photo by photo; the best so far are shown at once. The activations
are kept, so the search goes on where it was, and a photo that was replaced is computed again, no
other one. *Continue in the background* (beside *Cancel*) completes it while you look at something
else. `explorer batch index --format peaks` does it on several processes or machines; choose
its result as the folder.

**Sources.** Zeiler and Fergus 2014, *Visualizing and Understanding Convolutional Networks*,
sections 2.1 and 4, figure 2; Springenberg et al. 2015, *Striving for Simplicity*, section 3.1 (the
deconvnet as a backward pass); Yosinski et al. 2015, *Understanding Neural Networks Through Deep
Visualization*.
"""

MOST_PART = 0.4
_MOST_PATCHES = 24
_REFRESH = 2.0
"""Seconds until the best patches are shown while a folder is still searched."""
_UNUSUAL = 10
_SHOWN = 0.25
"""Of the open photo's activation: the last patch of a channel that is chosen by default."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    folder: FolderRef | None = param(
        None, "Folder",
        "Photos that are searched, those of subfolders too; or the result of `explorer batch index "
        "--format peaks`. By default the samples.",
    )  # fmt: skip
    layer: str = param(AUTOMATIC, "Layer", "The layer with the unit.", choices=layers_or_automatic)
    channel: int | None = param(
        None, "Channel",
        "The unit. By default the channel by which the open photo differs most from the folder.",
        low=0, high=65535,
    )  # fmt: skip
    count: int = param(
        8, "Patches", "How many of the strongest patches are shown.", low=1, high=_MOST_PATCHES
    )  # fmt: skip
    deconvnet: bool = param(
        True, "Deconvnet", "Projects each activation back to the pixels: a backward pass each."
    )
    chosen: int | None = param(
        None, "Chosen patch", "The patch whose whole photo is shown: click one.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="patches", low=0, high=_MOST_PATCHES - 1,
        kept=False,
    )  # fmt: skip
    opacity: float = param(
        0.7, "Opacity", "Opacity of the channel's activation over the open photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The best patches of a channel in N photos.

    `peaks` (N,) float32 are the channel's largest activations, `unusual` the open photo's channels
    with their activation, their mean over the folder, and the photo's rank. `activation` is the
    open photo's, `own` its largest activation of the channel, `own_field` (4,) xyxy the field of
    that cell on the photo.
    """

    photo: Picture
    layer: str
    channel: int
    source: str
    peaks: Float32
    patches: tuple[TopPatch, ...]
    unusual: tuple[tuple[int, float, float, int], ...]
    activation: Activation
    own: float
    own_field: Float32
    total: int
    failed: int
    deconvnet: bool
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    layer = _automatic(scene) if params.layer in ("", AUTOMATIC) else params.layer
    index = index_of(
        scene.network, params.folder, layer, PEAKS,
        lambda: shipped_rows(scene.network, layer) if params.folder is None else {},
    )  # fmt: skip
    looked = _Looked(scene, params, index, layer)
    began, due = time.monotonic(), _REFRESH
    for state in index.fill(params.folder):
        note = f"{state.done:,} of {state.total:,} photos"
        if state.complete:
            looked.best()
        elif time.monotonic() - began >= due:
            looked.best()
            looked.read()
            due = 2 * (time.monotonic() - began)  # ever more seldom: photos are to be searched
        yield Step(looked.result(), state.done, state.total, note)
    total = len(looked.found)
    while waiting := looked.unread:
        looked.read(1)
        yield Step(looked.result(), total - waiting + 1, total, "patches")
    while params.deconvnet and (waiting := looked.unprojected):
        looked.project()
        yield Step(looked.result(), total - waiting + 1, total, "deconvnet")


def _automatic(scene: Scene) -> str:
    """The last activation function with a field of at most `MOST_PART` of the input."""
    info, found = scene.network.info, fields_of(scene)
    height, width = found.size
    fitting = [
        name
        for name in activation_functions(info)
        if name in found.layers
        and found[name].spatial
        and found[name].size[0] <= MOST_PART * width
        and found[name].size[1] <= MOST_PART * height
    ]
    return fitting[-1] if fitting else default_layer(info)


class _Looked:
    """The open photo, and the best patches of the folder so far.

    Attributes:
        found: The best patches, the strongest first.
    """

    def __init__(self, scene: Scene, params: Params, index: FolderIndex, layer: str) -> None:
        self._scene, self._params, self._index, self._layer = scene, params, index, layer
        ((self._grid, _, arrays),) = scene.memo(
            ("peaks", layer), lambda: index.job.described([scene.input()])
        )
        self._peak = arrays["peak"].astype(np.float32)
        self._cells = arrays["cell"]
        self._fields: dict[Any, Any] = index.made.setdefault("fields", {})
        self._fields.setdefault(tuple(scene.input().shape), fields_of(scene))
        self._known: dict[tuple[str, int], TopPatch] = {}
        self._patches: dict[tuple[str, tuple[int, int]], Patch] = {}
        self._boxes: dict[int, Float32] = {}
        self._channel = 0
        self._unusual: tuple[tuple[int, float, float, int], ...] = ()
        self._peaks = np.empty(0, np.float32)
        self._activation = activation_of(scene, layer)
        self.found: tuple[TopPatch, ...] = ()

    @property
    def unread(self) -> int:
        """Patches whose photos were not read."""
        return sum(not patch.read for patch in self.found)

    @property
    def unprojected(self) -> int:
        """Patches without a deconvnet picture."""
        return sum(not patch.projected for patch in self.found)

    def best(self) -> None:
        """Finds the strongest patches among the photos so far."""
        entries = self._index.state.entries
        if not entries:
            self._channel = self._own_channel()
            return
        peaks = self._matrix(entries)
        self._rank(peaks)
        self._peaks = np.ascontiguousarray(peaks[:, self._channel], np.float32)
        order = np.argsort(-self._peaks, kind="stable")[: self._params.count]
        order = order[self._peaks[order] > 0] if (self._peaks > 0).any() else order
        self.found = tuple(self._patch(entries[row]) for row in order.tolist())

    def read(self, most: int = _MOST_PATCHES) -> None:
        """Reads the photos of patches, at most so many."""
        waiting = [number for number, patch in enumerate(self.found) if not patch.read]
        for number in waiting[:most]:
            self._replace(number, self._read(self.found[number]))

    def project(self) -> None:
        """Computes the deconvnet picture of the strongest patch that has none."""
        number = next(at for at, patch in enumerate(self.found) if not patch.projected)
        self._replace(number, self._projected(self.found[number]))

    def _replace(self, number: int, patch: TopPatch) -> None:
        self._known[patch.address, self._channel] = patch
        self.found = (*self.found[:number], patch, *self.found[number + 1 :])

    def result(self) -> Result:
        scene, state = self._scene, self._index.state
        if self._channel not in self._boxes:
            cell = divmod(int(self._cells[self._channel]), self._grid[1])
            _, box = field_on_photo(
                scene.network, scene.image.pixels, scene.input(), self._layer, cell, self._fields
            )
            self._boxes[self._channel] = box
        return Result(
            photo_of(scene), self._layer, self._channel, self._index.source, self._peaks,
            self.found, self._unusual, self._activation, float(self._peak[self._channel]),
            self._boxes[self._channel], state.total, len(state.failures),
            self._params.deconvnet, self._index.notes(),
        )  # fmt: skip

    def _own_channel(self) -> int:
        chosen = self._params.channel
        if chosen is None:
            return int(self._peak.argmax())
        return min(chosen, len(self._peak) - 1)

    def _matrix(self, entries: list[Entry]) -> NDArray[np.float16]:
        """(N, C), kept once all photos are there."""
        made = self._index.made
        if self._index.state.complete and "matrix" in made:
            found: NDArray[np.float16] = made["matrix"]
            return found
        stacked = np.stack([entry.arrays["peak"] for entry in entries])
        if self._index.state.complete:
            made["matrix"] = stacked
        return stacked

    def _rank(self, peaks: NDArray[np.float16]) -> None:
        """The channels by which the open photo differs most from the folder."""
        mean, deviation = peaks.mean(0, np.float64), peaks.std(0, dtype=np.float64)
        # A channel that is silent elsewhere differs, but has no patches to show.
        rank = max(len(peaks) // 2, len(peaks) - self._params.count)
        shown = np.partition(peaks, rank, axis=0)[rank]
        good = (deviation > 1e-6) & (self._peak > 0) & (shown > _SHOWN * self._peak)
        apart = np.where(good, (self._peak - mean) / (deviation + 1e-9), -np.inf)
        order = np.argsort(-apart, kind="stable")[:_UNUSUAL]
        self._unusual = tuple(
            (
                int(channel), float(self._peak[channel]), float(mean[channel]),
                1 + int((peaks[:, channel] > self._peak[channel]).sum()),
            )
            for channel in order.tolist() if np.isfinite(apart[channel])
        )  # fmt: skip
        chosen = self._params.channel is None and self._unusual
        self._channel = self._unusual[0][0] if chosen else self._own_channel()

    def _patch(self, entry: Entry) -> TopPatch:
        cell = divmod(int(entry.arrays["cell"][self._channel]), entry.grid[1])
        value = float(entry.arrays["peak"][self._channel])
        known = self._known.get((entry.address, self._channel))
        return known or TopPatch(entry.name, entry.address, value, cell)

    def _read(self, patch: TopPatch) -> TopPatch:
        try:
            pixels = open_member(Photo(patch.name, patch.address)).pixels
            found = patch_of(self._scene.network, pixels, self._layer, patch.cell, self._fields)
        except ExplorerError as error:
            return replace(patch, problem=error.message)
        self._patches[patch.address, patch.cell] = found
        height, width = pixels.shape[:2]
        return replace(
            patch, xyxy=found.xyxy, crop=found.crop, photo=small(pixels, 320), size=(width, height)
        )

    def _projected(self, patch: TopPatch) -> TopPatch:
        found = self._patches[patch.address, patch.cell]
        try:
            picture = deconvnet_picture(
                self._scene.network, found, self._layer, self._channel, patch.cell
            )
        except ExplorerError as error:
            return replace(patch, problem=error.message)
        return replace(patch, picture=picture)


def draw(result: Result, params: Params) -> Board:
    chosen = 0 if params.chosen is None else params.chosen
    title = f"Top patches of channel {result.channel}, with the activation"
    shown = [
        result.cache.get(
            "sheet", lambda: panes.sheet_pane(result.patches, title, both=result.deconvnet)
        ),
        panes.photo_pane(
            result.photo, result.activation, result.channel, result.own_field, params.opacity
        ),
    ]
    if chosen < len(result.patches) and result.patches[chosen].photo is not None:
        shown.append(panes.source_pane(result.patches[chosen], chosen))
    return Board(
        tuple(shown),
        plots=(_curve(result),) if len(result.peaks) > 1 else (),
        tables=tuple(table for table in (_table(result), _channels(result)) if table.rows),
        summary=_summary(result),
        notes=result.notes,
    )


def _curve(result: Result) -> Plot:
    rank = np.arange(1.0, len(result.peaks) + 1)
    values = np.sort(result.peaks)[::-1].astype(np.float64)
    return Plot(
        "peaks", f"Channel {result.channel} in every photo",
        "photos, the strongest first", "largest activation", curves=(Curve(rank, values),),
        marker=float(min(_rank_of(result), len(rank))), whole_x=True,
    )  # fmt: skip


def _rank_of(result: Result) -> int:
    return 1 + int((result.peaks > result.own).sum())


def _table(result: Result) -> Table:
    rows = tuple(
        (rank, patch.name, round(patch.value, 3), patch.problem or patch.words)
        for rank, patch in enumerate(result.patches, 1)
    )
    return Table(
        "patches", ("rank", "photo", "activation", "field [px]"), rows, title="Top patches",
        layer="patches", keys=tuple(range(len(rows))),
        photos=tuple(file_of(patch.address) for patch in result.patches),
        photos_view="top_patches",
    )  # fmt: skip


def _channels(result: Result) -> Table:
    rows = tuple(
        (channel, round(value, 3), round(mean, 3), rank)
        for channel, value, mean, rank in result.unusual
    )
    columns = ("channel", "this photo", "mean of the folder", "this photo's rank")
    return Table("channels", columns, rows, title="Channels by which this photo differs most")


def _summary(result: Result) -> str:
    count = len(result.peaks)
    words = f"{result.layer}, channel {result.channel} · {quantity(count, 'photo')} of "
    words += result.source
    if not count:
        return words
    return (
        f"{words} · this photo {result.own:.3g}, rank {_rank_of(result):,} · "
        f"the strongest {float(result.peaks.max()):.3g}"
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Keys: `layer`, `channel`, `peaks` (N,) float32 of all photos in the order of the folder,
    `own` of the open photo and `field` (4,) xyxy in its pixels; of the patches `names`, `values`
    (K,), `cells` (K, 2) row and column.
    """  # noqa: D205
    return {
        "layer": result.layer,
        "channel": result.channel,
        "peaks": result.peaks,
        "own": result.own,
        "field": result.own_field,
        "names": [patch.name for patch in result.patches],
        "values": np.array([patch.value for patch in result.patches], np.float32),
        "cells": np.array([patch.cell for patch in result.patches], np.int64).reshape(-1, 2),
    }


VIEW = View(
    name="top_patches",
    title="Top patches",
    group=Group.INSIDE,
    summary="The patches of a folder's photos that excite a unit most, beside their deconvnet "
    "pictures.",
    explanation=EXPLANATION,
    reference="Zeiler and Fergus 2014, Visualizing and Understanding Convolutional Networks, "
    "sections 2.1 and 4",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    keeps=True,
)
