"""Photos in an npz: JPEG bytes end to end, with a class and a box for each.

`jpeg` (B,) uint8, `offset` (N + 1,): photo i is ``jpeg[offset[i]:offset[i + 1]]``; `label` (N,);
`box` (N, 4) x0, y0, x1, y1 in pixels, both ends included. classes.tsv beside it names the classes;
without one they are the classes that ship, in their order.
"""

from __future__ import annotations

import os
import zipfile
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file
from explorer.evaluation.cases import Case, Source, Truth
from explorer.evaluation.matching import DataClass, known_class, shipped_classes
from explorer.evaluation.metrics import Objects
from explorer.images.image import decode_image

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo, Task


def read_npz(path: Path) -> Source:
    """Photos with a class and a box each.

    Raises:
        ExplorerError: It is no such file, or classes.tsv is missing.
    """
    arrays = read_arrays(path)
    classes, notes = _classes(path.parent, int(arrays["label"].max(initial=-1)) + 1)

    def make(_task: Task, labels: NDArray[np.int64], _info: NetworkInfo) -> list[Case]:
        known = np.flatnonzero(labels[arrays["label"]] >= 0)
        return [
            Case(f"photo {i}", _photo(arrays, i, int(labels[arrays["label"][i]])))
            for i in known.tolist()
        ]

    return Source(display_name(path), "npz", classes, frozenset({"label", "objects"}), make, notes)


def read_arrays(path: Path) -> dict[str, NDArray[Any]]:
    """The arrays of such a file, which fit together.

    Raises:
        ExplorerError: It is no such file.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            found = {name: archive[name] for name in ("jpeg", "offset", "label", "box")}
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise ExplorerError(
            f"{display_name(path)} is not an .npz file of photos.",
            "It must have the arrays jpeg, offset, label and box.",
        ) from error
    jpeg, offset, label, box = found.values()
    count = len(label)
    shapes = offset.shape == (count + 1,) and box.shape == (count, 4) and jpeg.ndim == 1
    whole = all(a.dtype.kind in "iu" for a in (offset, label)) and jpeg.dtype == np.uint8
    inside = count and shapes and whole and offset.min() >= 0 and offset.max() <= len(jpeg)
    if not inside or (np.diff(offset) < 0).any() or label.min() < 0:
        raise ExplorerError(
            f"The arrays of {display_name(path)} do not fit together.", "Write the file again."
        )
    return found


def _classes(folder: Path, most: int) -> tuple[tuple[DataClass, ...], tuple[str, ...]]:
    """The names of the labels, and a sentence where they were not given."""
    table = folder / "classes.tsv"
    if not os.path.isfile(table) and most <= len(shipped_classes()):
        note = "There is no classes.tsv: Tiny ImageNet's classes are assumed."
        return shipped_classes(), (note,)
    data = read_file(table, limit=2**26, kind="a table", smaller="Choose another file.")
    classes = []
    for line in data.decode("utf-8", "replace").splitlines():
        wnid, _, rest = line.partition("\t")
        if wnid.strip():
            words = tuple(word.strip() for word in rest.split(",") if word.strip()) or (wnid,)
            classes.append(known_class(DataClass(words[0], wnid, words)))
    if len(classes) < most:
        raise ExplorerError(
            f"{display_name(table)} has {len(classes)} lines, but there are {most} classes.",
            "It must have one line per class.",
        )
    return tuple(classes), ()


def _pixels(arrays: dict[str, NDArray[Any]], i: int) -> NDArray[np.uint8]:
    start, end = arrays["offset"][i : i + 2]
    return decode_image(arrays["jpeg"][start:end].tobytes(), name=f"photo {i}").pixels


def _photo(
    arrays: dict[str, NDArray[Any]], i: int, label: int
) -> Callable[[], tuple[NDArray[np.uint8], Truth]]:
    def load() -> tuple[NDArray[np.uint8], Truth]:
        box = arrays["box"][i] + np.array([0, 0, 1, 1])  # both ends are included there
        return _pixels(arrays, i), Truth(label, Objects.plain(box, np.array([label])))

    return load
