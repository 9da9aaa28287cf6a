"""Templates in files: what `hog_training` writes as its data, read again by `hog`."""

from __future__ import annotations

import io
import os
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, listed, read_file, unreadable
from explorer.vision.hog.features import NORMS, Settings
from explorer.vision.hog.template import Template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

MOST_BYTES, MOST_UNPACKED = 32 * 2**20, 128 * 2**20
MOST_CELLS = 64
"""Of a side of a window."""
HINT = (
    "Train one in the view HOG training and export its data as npz, or leave this empty for the "
    "templates of OpenCV."
)


def written(template: Template) -> dict[str, Any]:
    """The numbers of a template by the names that `read_template` looks for."""
    own = template.settings
    return {
        "weights": template.weights, "bias": template.bias, "cell": own.cell, "block": own.block,
        "bins": own.bins, "signed": own.signed, "root": own.root, "norm": own.norm,
    }  # fmt: skip


def template_in(place: Path) -> tuple[str, Template]:
    """The template of an npz file, or of the first one in a folder that has one; and its name.

    Raises:
        ExplorerError: There is none.
    """
    files = listed(place, "*.npz") if os.path.isdir(place) else [place]
    refused: ExplorerError | None = None
    for file in files:
        try:
            return file.stem, read_template(file)
        except ExplorerError as error:  # a folder may hold other tables as well
            refused = refused or error
    raise refused or ExplorerError(f"There is no npz file in {display_name(place)}.", HINT)


def read_template(path: Path) -> Template:
    """The template in a file; the same object as long as the file stays as it is.

    Raises:
        ExplorerError: It cannot be read, or has something else in it.
    """
    try:
        changed = os.stat(path).st_mtime_ns
    except (OSError, ValueError) as error:
        raise unreadable(path, error) from error
    return _read(str(path), changed)


@lru_cache(maxsize=4)
def _read(path: str, changed: int) -> Template:
    del changed  # only tells versions of the file apart
    content = read_file(path, limit=MOST_BYTES, kind="a file with a template", smaller=HINT)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            if sum(entry.file_size for entry in packed.infolist()) > MOST_UNPACKED:
                raise ValueError("too much in it")
        with np.load(io.BytesIO(content), allow_pickle=False) as file:
            return _template(file)
    except (
        OSError, KeyError, ValueError, EOFError, TypeError, NotImplementedError,
        zipfile.BadZipFile,
    ) as error:  # fmt: skip
        raise ExplorerError(
            f"{display_name(path)} has no HOG template in it, or it is damaged.", HINT
        ) from error


def _template(file: Mapping[str, NDArray[Any]]) -> Template:
    names = ("cell", "block", "bins", "signed", "root")
    cell, block, bins, signed, root = (int(file[name]) for name in names)
    norm = next((each for each in NORMS if each == str(file["norm"])), None)
    if not (1 <= cell <= 64 and 1 <= block <= 8 and 2 <= bins <= 64) or norm is None:
        raise ValueError("settings that no histogram has")
    weights = np.ascontiguousarray(file["weights"], np.float32)
    found = Template(
        weights, float(file["bias"]), Settings(cell, block, bins, bool(signed), bool(root), norm)
    )
    if not (min(weights.shape) >= 1 and max(found.cells) <= MOST_CELLS):
        raise ValueError("a window without cells, or with too many")
    if not (np.isfinite(weights).all() and np.isfinite(found.bias) and weights.any()):
        raise ValueError("not trained, or not finite")
    return found
