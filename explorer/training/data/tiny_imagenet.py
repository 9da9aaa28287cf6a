"""What the embedded networks learn from: Tiny ImageNet with its boxes and its WordNet tree."""

from __future__ import annotations

import csv
import json
import logging
import os
from functools import cache as cached
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.storage.guard import check_outputs
from explorer.core.storage.written import remember
from explorer.evaluation.photo_set import PhotoSet
from explorer.evaluation.photos_npz import read_arrays
from explorer.networks.class_names import Category

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

log = logging.getLogger(__name__)

SIDE = 64
"""Side of every photo in pixels."""


def read_photos(folder: Path, split: str, cache: Path) -> PhotoSet:
    """Read `folder`/tiny-imagenet/`split`.npz (or `folder`/`split`.npz).

    Decoding 76 000 JPEGs takes a while, so the pixels are kept in `cache` and mapped from there.

    Raises:
        ExplorerError: The file is not there, or is something else.
    """
    source = _find(folder, f"{split}.npz")
    arrays = read_arrays(source)
    labels, boxes = arrays["label"].astype(np.int64), arrays["box"].astype(np.float32)
    pixels = _cached_pixels(source, arrays, cache / f"{split}-pixels.npy")
    boxes[:, 2:] += 1  # the file has inclusive pixels
    return PhotoSet(pixels, labels, boxes)


def read_categories(folder: Path) -> list[Category]:
    """The 200 classes in the order of their labels, with their way through the WordNet tree.

    Raises:
        ExplorerError: A table is not there, or does not name every class and its parents.
    """
    tree, table = (_find(folder, name) for name in ("wordnet_tree.tsv", "classes.tsv"))
    try:
        return _categories(tree, table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ExplorerError(
            f"{table} and {tree.name} do not fit together.",
            "Every class needs a line in classes.tsv that starts with its WordNet id, and that id "
            "and all above it a line in wordnet_tree.tsv (wnid, parent, name).",
        ) from error


def _categories(tree: Path, table: Path) -> list[Category]:
    with tree.open(encoding="utf-8", newline="") as file:
        nodes = {row["wnid"]: row for row in csv.DictReader(file, delimiter="\t")}
    text = table.read_text(encoding="utf-8")
    wnids = [line.split("\t")[0] for line in text.splitlines() if line]

    @cached
    def ids(wnid: str) -> tuple[str, ...]:
        parent = nodes[wnid]["parent"]
        return (*(ids(parent) if parent else ()), wnid)

    def word(wnid: str) -> str:
        return str(nodes[wnid]["name"]).split(",")[0].strip()

    return [Category(w, word(w), tuple(map(word, ids(w))), ids(w)) for w in wnids]


def write_categories(categories: Sequence[Category], path: Path) -> None:
    """As JSON: per class, in label order, the WordNet id, the name and the way from the root."""
    rows = [
        {"wnid": c.wnid, "name": c.name, "path": list(c.path), "ids": list(c.ids)}
        for c in categories
    ]
    path.parent.mkdir(parents=True, exist_ok=True)
    text = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text(f"[\n{text}\n]\n", encoding="utf-8")


def _find(folder: Path, name: str) -> Path:
    for path in (folder / "tiny-imagenet" / name, folder / name):
        if path.exists():
            return path
    raise ExplorerError(
        f"There is no {name} in {folder}.",
        "Give the folder that holds train.npz, val.npz, classes.tsv and wordnet_tree.tsv.",
    )


def _cached_pixels(source: Path, arrays: dict[str, NDArray[Any]], cache: Path) -> NDArray[np.uint8]:
    if not (cache.exists() and cache.stat().st_mtime >= source.stat().st_mtime):
        log.info("decoding %s", source)
        cache.parent.mkdir(parents=True, exist_ok=True)
        check_outputs([cache], [source], permit="delete it")
        stream, offset = arrays["jpeg"], arrays["offset"]
        count = len(offset) - 1
        partial = cache.with_suffix(f".{os.getpid()}.partial")
        pixels = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 3)
        )
        for i in range(count):
            image = cv2.imdecode(stream[offset[i] : offset[i + 1]], cv2.IMREAD_COLOR)
            if image is None or image.shape != (SIDE, SIDE, 3):
                partial.unlink(missing_ok=True)
                raise ExplorerError(
                    f"Photo {i} of {source} is not a JPEG of {SIDE} x {SIDE} pixels.",
                    "All photos must be of that size.",
                )
            pixels[i] = image[..., ::-1]
        pixels.flush()
        del pixels
        partial.replace(cache)
        remember(cache)
    mapped: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return mapped
