"""The job `embed`: the features of one layer for every photo, pooled or whole."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from explorer.batch.features import LayerFeatures
from explorer.batch.job import Row
from explorer.batch.opening import open_photo
from explorer.batch.outputs import csv_file
from explorer.batch.parquet import check_parquet, write_features
from explorer.batch.ready import (
    loaded,
    network_settings,
    out_of_memory_told,
    spec_of,
    threads_set,
)
from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import replacing

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
    from pathlib import Path

    from torch import Tensor

    from explorer.batch.photos import Photo

FORMATS = ("npy", "parquet")
FEATURES, PHOTOS = "features.npy", "photos.csv"

_CHUNK = 128
_CHUNK_WHOLE = 32


@dataclass(frozen=True, slots=True, eq=False)
class _Item:
    values: Tensor
    width: int
    height: int


def embed(params: Mapping[str, Any]) -> Embed:
    """The job; its parameters are `spec`, `layer` ("" = the input of the head), `whole`,
    `format` and `threads`.

    Raises:
        ExplorerError: The network cannot be had, or has no such layer.
    """  # noqa: D205
    threads_set(params)
    kind = str(params.get("format") or FORMATS[0])
    if kind not in FORMATS:
        raise ExplorerError(f"Features cannot be written as {kind}.", "Choose npy or parquet.")
    if kind == "parquet":
        check_parquet()
    features = LayerFeatures.of(loaded(spec_of(params)), str(params.get("layer") or ""))
    return Embed(features, whole=bool(params.get("whole")), kind=kind)


class Embed:
    """See `job.FolderJob`. A network stops at the layer: what lies behind it is not computed.

    Pooled features are the mean over the positions of a feature map, (C,) float32; whole ones have
    the layer's own shape without the batch.

    Args:
        features: Of the layer.
        whole: No mean is taken.
        kind: One of `FORMATS`.
    """

    def __init__(self, features: LayerFeatures, *, whole: bool, kind: str) -> None:
        self._of, self._whole, self._kind = features, whole, kind
        self._network = features.network

    @property
    def chunk(self) -> int:
        return _CHUNK_WHOLE if self._whole else _CHUNK

    def settings(self) -> Mapping[str, Any]:
        return {
            **network_settings(self._network),
            "layer": self._of.title,
            "whole": self._whole,
            "format": self._kind,
        }

    def load(self, photo: Photo) -> _Item:
        image = open_photo(photo)
        return _Item(self._network.preprocess(image.pixels), image.width, image.height)

    def alike(self, item: _Item) -> Hashable:
        return tuple(item.values.shape) if self._network.preprocess.batched else None

    def compute(self, items: Sequence[_Item]) -> Sequence[Row]:
        features = out_of_memory_told(lambda: self._features(items))
        return [
            Row({"width": item.width, "height": item.height}, {"feature": feature})
            for item, feature in zip(items, features, strict=True)
        ]

    def merge(self, rows: Callable[[], Iterator[Row]], out: Path) -> Sequence[str]:
        if self._kind == "parquet":
            write_features(out / "features.parquet", rows)
            return ("features.parquet",)
        write_npy(out / FEATURES, rows)
        with csv_file(out / PHOTOS) as write:
            write(("row", "photo", "width", "height"))
            for number, row in enumerate(row for row in rows() if not row.reason):
                write((number, row.name, row.content["width"], row.content["height"]))
        return FEATURES, PHOTOS

    def _features(self, items: Sequence[_Item]) -> Sequence[np.ndarray[Any, np.dtype[np.float32]]]:
        output = self._of.output([item.values for item in items])
        if not self._whole and output.ndim > 2:
            output = output.float().flatten(2).mean(2)
        found = output.float().cpu().numpy()
        if not np.isfinite(found).all():
            raise ExplorerError("Its features are not finite (NaN or infinity).")
        return list(found)


def write_npy(path: Path, rows: Callable[[], Iterator[Row]]) -> None:
    """The features of all photos with a result in one array, (N, …) float32, row by row.

    Raises:
        ExplorerError: They have different shapes, or it cannot be written.
    """
    count, shape = 0, (0,)
    with replacing(path) as temporary, temporary.open("wb") as file:
        begins = 0
        for row in rows():
            if row.reason:
                continue
            own = row.arrays["feature"].shape
            if not count:
                shape, begins = own, _write_header(file, (0, *own))
            elif own != shape:
                raise ExplorerError(
                    f"The features of {row.name} have the shape {own}, others {shape}.",
                    "Leave --whole out, or write Parquet.",
                )
            file.write(np.ascontiguousarray(row.arrays["feature"], "<f4").tobytes())
            count += 1
        file.seek(0)  # the header has room for any count
        ends = _write_header(file, (count, *shape))
        assert ends == begins or not count


def _write_header(file: IO[bytes], shape: tuple[int, ...]) -> int:
    header = {"descr": "<f4", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, header)
    return file.tell()
