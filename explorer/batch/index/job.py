"""The job `index`: for every photo the pooled features of a layer, or the peak of each channel.

Features are what *Similar images* compares, peaks what *Top patches* sorts. Both are float16: an
index of 100 000 photos with 1 280 features takes 256 MB. Peaks take three times as much, since each
has its cell beside it.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.batch.features import LayerFeatures
from explorer.batch.index.store import (
    FEATURES,
    FORMAT,
    KINDS,
    Entry,
    key_of,
    read_index,
    write_segments,
)
from explorer.batch.job import Row
from explorer.batch.opening import open_photo
from explorer.batch.ready import (
    loaded,
    network_settings,
    out_of_memory_told,
    spec_of,
    threads_set,
)
from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import unwritable, write_bytes
from explorer.vision.features.activations import laid_out

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence

    from torch import Tensor

    from explorer.batch.index.store import Key
    from explorer.batch.photos import Photo
    from explorer.images.image import Image
    from explorer.networks.network import Network

INDEX, ABOUT = "index", "index.json"
"""The folder of an index in OUT, and the file in it that says what it is of."""

_CHUNK = 128
_MOST = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    """A photo as the network takes it, or its row of an earlier index."""

    entry: Entry
    values: Tensor | None


def index(params: Mapping[str, Any]) -> Index:
    """The job; its parameters are `spec`, `layer` ("" = the input of the head), `format` (one of
    `KINDS`), `known` (the result of an earlier job, whose rows are used again for photos that have
    not changed; "" = none) and `threads`.

    Raises:
        ExplorerError: The network cannot be had, or has no such layer.
    """  # noqa: D205
    threads_set(params)
    kind = str(params.get("format") or FEATURES)
    if kind not in KINDS:
        raise ExplorerError(f"There is no index of {kind}.", f"Choose {' or '.join(KINDS)}.")
    features = LayerFeatures.of(loaded(spec_of(params)), str(params.get("layer") or ""))
    job = Index(features, kind)
    known = str(params.get("known") or "")
    return job if not known else job.knowing(opened(Path(known), job.about()))


def about(network: Network, layer: str, kind: str) -> dict[str, Any]:
    """What decides the rows of an index, as JSON has it; `layer` is the title of its features."""
    info = network.info
    return {
        "format": FORMAT, "kind": kind, "layer": layer, "network": info.spec.name,
        "weights": info.digest, "input": info.input_title, "precision": info.dtype,
    }  # fmt: skip


class Index:
    """See `batch.job.FolderJob`. Nothing behind the layer is computed.

    Args:
        features: Of the layer.
        kind: One of `store.KINDS`.
        opener: Reads a photo.
    """

    def __init__(
        self,
        features: LayerFeatures,
        kind: str,
        opener: Callable[[Photo], Image] = open_photo,
        known: Mapping[Key, Entry] | None = None,
    ) -> None:
        self._of, self._kind, self._open = features, kind, opener
        self._known = known or {}

    def knowing(self, known: Mapping[Key, Entry]) -> Index:
        """The same job, which does not compute again what `known` has."""
        return Index(self._of, self._kind, self._open, known)

    def about(self) -> dict[str, Any]:
        """See `about`."""
        return about(self._of.network, self._of.title, self._kind)

    @property
    def chunk(self) -> int:
        return _CHUNK

    def settings(self) -> Mapping[str, Any]:
        return {**network_settings(self._of.network), "layer": self._of.title, "kind": self._kind}

    def load(self, photo: Photo) -> _Item:
        key = key_of(photo)
        if key is not None and key in self._known:
            return _Item(self._known[key], None)
        image = self._open(photo)
        entry = Entry(
            key, photo.name, photo.address, (image.width, image.height), (1, 1), False, {}
        )
        return _Item(entry, self._of.network.preprocess(image.pixels))

    def alike(self, item: _Item) -> Hashable:
        if item.values is None:
            return "known"
        return tuple(item.values.shape) if self._of.network.preprocess.batched else None

    def compute(self, items: Sequence[_Item]) -> Sequence[Row]:
        return [
            Row({"entry": entry.content()}, entry.arrays) for entry in self.entries(items)
        ]  # fmt: skip

    def entries(self, items: Sequence[_Item]) -> list[Entry]:
        """What `compute` puts into rows."""
        entries = [item.entry for item in items]
        fresh = [at for at, item in enumerate(items) if item.values is not None]
        if fresh:
            values = [value for item in items if (value := item.values) is not None]
            found = out_of_memory_told(lambda: self.described(values))
            for at, (grid, spatial, arrays) in zip(fresh, found, strict=True):
                entries[at] = replace(entries[at], grid=grid, spatial=spatial, arrays=arrays)
        return entries

    def described(
        self, values: Sequence[Tensor]
    ) -> list[tuple[tuple[int, int], bool, dict[str, np.ndarray[Any, Any]]]]:
        """Of each network input (1, C, H, W), all of one size: grid, spatial and arrays of `Entry`.

        Raises:
            EndsJob: The layer has no output for each photo.
            ExplorerError: An activation is not finite.
        """
        height, width = values[0].shape[-2:]
        output = self._of.output(values).float()
        if not bool(torch.isfinite(output).all()):
            raise ExplorerError("Its features are not finite (NaN or infinity).")
        found = []
        for number in range(len(values)):
            maps, spatial = laid_out(output, (height, width), number)
            rows, columns = maps.shape[1:]
            flat = maps.flatten(1)
            if self._kind == FEATURES:
                arrays = {"feature": _half(flat.mean(1))}
            else:
                peak, cell = flat.max(1)
                arrays = {"peak": _half(peak), "cell": cell.cpu().numpy().astype(np.uint32)}
            found.append(((int(rows), int(columns)), spatial, arrays))
        return found

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        place, part = out / INDEX, out / f".{INDEX}.part"
        try:
            shutil.rmtree(part, ignore_errors=True)  # of a program that was killed
            os.mkdir(part)
            write_segments(part, (entry_of(row) for row in rows() if not row.reason))
            write_bytes(part / ABOUT, json.dumps(self.about(), indent=1).encode("ascii"))
            shutil.rmtree(place, ignore_errors=True)
            os.replace(part, place)
        except OSError as error:
            raise unwritable(place, error) from error
        return (INDEX,)


def _half(values: Tensor) -> np.ndarray[Any, np.dtype[np.float16]]:
    return values.clamp(-_MOST, _MOST).cpu().numpy().astype(np.float16)


def entry_of(row: Row) -> Entry:
    """The entry that `Index.compute` has put into a row."""
    return Entry.read(row.content["entry"], row.arrays)


def is_index(folder: Path) -> bool:
    """Whether it is the result of this job, or the folder `INDEX` in it."""
    return any(os.path.isfile(place / ABOUT) for place in (folder, folder / INDEX))


def opened(folder: Path, wanted: Mapping[str, Any]) -> dict[Key, Entry]:
    """The rows of a result of this job.

    Raises:
        ExplorerError: It is no index, or one of something else than `wanted` (see `about`).
    """
    place = folder if os.path.isfile(folder / ABOUT) else folder / INDEX
    try:
        found = json.loads((place / ABOUT).read_text("ascii"))
    except (OSError, ValueError, RecursionError) as error:
        raise ExplorerError(
            f"{folder} holds no index.", "`explorer batch index PHOTOS -o FOLDER` makes one."
        ) from error
    if not isinstance(found, dict):
        found = {}
    for name in ("kind", "layer", "network", "weights", "input", "precision", "format"):
        if found.get(name) != wanted[name]:
            raise ExplorerError(
                f"The index {folder} has another {name}: {found.get(name)} instead of "
                f"{wanted[name]}.",
                "Choose what it was made with, or make another index.",
            )
    return read_index(place)
