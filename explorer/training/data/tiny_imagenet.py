"""What the embedded networks learn from: Tiny ImageNet with its boxes and its WordNet tree."""

from __future__ import annotations

import csv
import json
import logging
import os
from functools import cache as cached
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.evaluation.photo_set import PhotoSet
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
        ExplorerError: The file is not there.
    """
    source = _find(folder, f"{split}.npz")
    with np.load(source) as archive:
        labels = archive["label"].astype(np.int64)
        boxes = archive["box"].astype(np.float32)
        pixels = _cached_pixels(source, archive, cache / f"{split}-pixels.npy")
    boxes[:, 2:] += 1  # the file has inclusive pixels
    return PhotoSet(pixels, labels, boxes)


def read_categories(folder: Path) -> list[Category]:
    """The 200 classes in the order of their labels, with their way through the WordNet tree."""
    with _find(folder, "wordnet_tree.tsv").open(encoding="utf-8", newline="") as file:
        nodes = {row["wnid"]: row for row in csv.DictReader(file, delimiter="\t")}
    text = _find(folder, "classes.tsv").read_text(encoding="utf-8")
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


def _cached_pixels(source: Path, archive: np.lib.npyio.NpzFile, cache: Path) -> NDArray[np.uint8]:
    if not (cache.exists() and cache.stat().st_mtime >= source.stat().st_mtime):
        log.info("decoding %s", source)
        stream, offset = archive["jpeg"], archive["offset"]
        count = len(offset) - 1
        cache.parent.mkdir(parents=True, exist_ok=True)
        partial = cache.with_suffix(f".{os.getpid()}.partial")
        pixels = np.lib.format.open_memmap(
            partial, mode="w+", dtype=np.uint8, shape=(count, SIDE, SIDE, 3)
        )
        for i in range(count):
            image = cv2.imdecode(stream[offset[i] : offset[i + 1]], cv2.IMREAD_COLOR)
            if image is None:
                raise ExplorerError(
                    f"Photo {i} of {source} cannot be decoded.", "Download the data set again."
                )
            pixels[i] = image[..., ::-1]
        pixels.flush()
        del pixels
        partial.replace(cache)
    mapped: NDArray[np.uint8] = np.load(cache, mmap_mode="r")
    return mapped
