"""BING's tables as OpenCV has them: the files of its objectness module.

Three small compressed YAML files belong together: `ObjNessB2W8MAXBGR.wS1` is the template of the
first stage, `.wS2` a line of the second for each size of window, `.idx` the sizes. The same tables
exist for other color spaces (`HSV`, `I`); only those of MAXBGR fit the gradients of `bing`, the
largest of the three channels.
"""

from __future__ import annotations

import io
import zlib
from dataclasses import replace
from functools import lru_cache
from gzip import GzipFile
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.reading import display_name, read_file, unreadable
from explorer.vision.proposals.bing import BITS, CELLS
from explorer.vision.proposals.tables import Tables, tables

if TYPE_CHECKING:
    from numpy.typing import NDArray

NAME = "ObjNessB2W8MAXBGR"
PARTS = ("wS1", "wS2", "idx")
SMALLEST = 4
"""Log2 of the smallest side of a window."""
SIDES = 6
"""Widths and heights there are: 16 to 512 pixels."""
LARGER = 2.0
"""A window may be so many times as wide or tall as the photo, to which it is cut."""
MOST_BYTES, MOST_TEXT = 2**20, 2**22
"""Of a file, and of the text in it: the real ones have less than a thousandth of that."""
HINT = f"Choose the folder with {NAME}.wS1.yml.gz, .wS2.yml.gz and .idx.yml.gz."


def read_bing(folder: Path) -> Tables:
    """The tables of a folder in place of BING's own; those of the other methods stay.

    Sizes are pixels of OpenCV's photos, whose longer side is about `bing.SIDE`.

    Raises:
        ExplorerError: A file is missing or has something else in it.
    """
    changed = []
    for part in PARTS:
        try:
            changed.append((folder / f"{NAME}.{part}.yml.gz").stat().st_mtime_ns)
        except FileNotFoundError as error:
            raise ExplorerError(
                f"{display_name(folder)} has no BING tables: {NAME}.{part}.yml.gz is missing.", HINT
            ) from error
        except (OSError, ValueError) as error:
            raise unreadable(folder, error) from error
    return _read(str(folder), tuple(changed))


@lru_cache(maxsize=4)
def _read(folder: str, changed: tuple[int, ...]) -> Tables:
    """Read once while the files stay as they are."""
    del changed  # only tells versions of the files apart
    paths = [Path(folder) / f"{NAME}.{part}.yml.gz" for part in PARTS]
    template, lines, sizes = (_matrix(path) for path in paths)
    number = sizes.ravel().astype(np.int64)
    fits = (
        template.shape == (CELLS, CELLS)
        and lines.shape == (len(number), 2)
        and 0 < len(number) <= SIDES**2
        and 0 <= number.min() <= number.max() < SIDES**2
        and np.isfinite(template).all()
        and np.isfinite(lines).all()
    )
    if not fits:
        raise ExplorerError(
            f"The BING tables in {display_name(folder)} do not fit together or are damaged.", HINT
        )
    # There a score has units of the lowest bit that counts.
    units = np.array([2.0 ** (BITS - 8), 1.0])
    return replace(
        tables(),
        bing_filter=template.astype(np.float32),
        bing_sizes=2.0
        ** (SMALLEST + np.stack([number % SIDES, number // SIDES], 1)).astype(np.float32),
        bing_lines=(lines * units).astype(np.float32),
        bing_larger=LARGER,
    )


def _matrix(path: Path) -> NDArray[np.float64]:
    """The matrix in a file; the text is parsed, nothing in it is executed."""
    name = display_name(path)
    data = read_file(path, limit=MOST_BYTES, kind="a file with BING tables", smaller=HINT)
    try:
        with GzipFile(fileobj=io.BytesIO(data)) as file:
            text = file.read(MOST_TEXT + 1)
        if len(text) > MOST_TEXT:
            raise ValueError("too much text")
        storage = cv2.FileStorage(
            text.decode("ascii"), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
        )
        found = storage.getNode(NAME).mat()
        storage.release()
        if found is None or found.ndim != 2:
            raise ValueError("no matrix")
    except (OSError, EOFError, ValueError, SystemError, zlib.error, cv2.error) as error:
        raise ExplorerError(
            f"{name} is no table of OpenCV's BING, or it is damaged.", HINT
        ) from error
    return np.asarray(found, np.float64)
