"""The photos of the classes: a folder with a folder for each class, or crops of the samples."""

from __future__ import annotations

import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.errors import ExplorerError
from explorer.images.image import open_image
from explorer.images.samples import gallery, sample
from explorer.images.sources import expand

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import UInt8
    from explorer.core.values import FolderRef

MOST_TEST, MOST_CLASSES = 10, 40
SAMPLES = 8
"""Classes of the demonstration."""

_DEMO_TEST = 6
_CROP = 0.34
"""Side of a crop in parts of the sample's shorter side."""


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A photo of a class, or a part of one.

    Attributes:
        label: Its class.
        name: For people.
        load: Gives (H, W, 3) uint8.
        path: Of its file; "" where it is none.
        boxes: x0, y0, x1, y1 of the objects in it, in pixels of what `load` gives.
        points: x, y of its joints, likewise.
    """

    label: int
    name: str
    load: Callable[[], UInt8]
    path: str = ""
    boxes: tuple[tuple[float, float, float, float], ...] = ()
    points: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Classes:
    """Photos to train on and others to test on, in a fixed order.

    Attributes:
        names: Of the classes.
        train: In every class at random, so that its first k are a sample.
        test: None of them is trained on.
        source: For people.
        notes: Sentences about what was ignored.
        fewest: Training photos of the smallest class.
    """

    names: tuple[str, ...]
    train: tuple[Example, ...]
    test: tuple[Example, ...]
    source: str
    notes: tuple[str, ...] = ()

    @property
    def fewest(self) -> int:
        return int(np.bincount([e.label for e in self.train], minlength=len(self.names)).min())


def first(examples: Sequence[Example], count: int) -> list[Example]:
    """The first `count` of every class, in their order."""
    met: dict[int, int] = {}
    found = []
    for example in examples:
        met[example.label] = met.get(example.label, 0) + 1
        if met[example.label] <= count:
            found.append(example)
    return found


def classes_of(folder: FolderRef | None, most: int, seed: int) -> Classes:
    """The photos of a folder's classes, or crops of the samples.

    Args:
        folder: With a folder for each class; None = the samples.
        most: Training photos of a class at most.
        seed: Of the draw.

    Raises:
        ExplorerError: There are fewer than two classes with two photos each, or too many classes.
    """
    generator = np.random.default_rng(seed)
    if folder is None:
        return _samples(most, generator)
    names, train, test = list[str](), list[Example](), list[Example]()
    with os.scandir(folder.path) as entries:
        folders = sorted(entry.path for entry in entries if entry.is_dir())
    every = list[str]()
    for place in folders:
        files = [str(path) for path in expand([place], recursive=True)]
        if not files or Path(place).name.startswith("."):
            continue
        every.append(Path(place).name)
        if len(files) < 2:
            continue
        label = len(names)
        names.append(Path(place).name)
        order = generator.permutation(len(files)).tolist()
        held = min(MOST_TEST, max(1, len(files) // 3))
        taken = [_file(label, files[at]) for at in order[: held + most]]
        test += taken[:held]
        train += taken[held:]
    if names == every and len(names) == 1:
        raise ExplorerError(
            f"{folder.path} has photos of one class only, {every[0]}.",
            "Add a folder with at least two photos of another class.",
        )
    if len(names) < 2:
        raise ExplorerError(
            f"{folder.path} has no two folders with at least two photos each.",
            "Choose a folder with a folder of photos for every class, named as the class.",
        )
    if len(names) > MOST_CLASSES:
        raise ExplorerError(
            f"{folder.path} has {len(names)} classes.", f"At most {MOST_CLASSES} are compared."
        )
    return Classes(tuple(names), tuple(train), tuple(test), Path(folder.path).name)


def _file(label: int, path: str) -> Example:
    return Example(label, Path(path).name, lambda: open_image(path).pixels, path)


def _samples(most: int, generator: np.random.Generator) -> Classes:
    """Which sample is a gray crop from? Training crops are of its left half, the others right."""
    names, train, test = list[str](), list[Example](), list[Example]()
    for each in gallery()[:SAMPLES]:
        label = len(names)
        names.append(each.title)
        for count, right, found in ((_DEMO_TEST, True, test), (most, False, train)):
            for number in range(count):
                crop = _Crop(each.name, right, *generator.random(3).tolist())
                found.append(Example(label, f"{each.title} {number + 1}", crop))
    return Classes(tuple(names), tuple(train), tuple(test), "crops of the samples")


@dataclass(frozen=True, slots=True)
class _Crop:
    """A square of one half of a sample; `x`, `y` and `turn` are drawn from [0, 1)."""

    name: str
    right: bool
    x: float
    y: float
    turn: float

    def __call__(self) -> UInt8:
        picture = _gray(self.name)
        height, half = picture.shape[0], picture.shape[1] // 2
        side = max(1, min(height, half, int(min(height, 2 * half) * _CROP)))
        x = int(self.x * (half - side + 1)) + (picture.shape[1] - half if self.right else 0)
        y = int(self.y * (height - side + 1))
        crop = picture[y : y + side, x : x + side]
        return np.ascontiguousarray(crop[:, ::-1] if self.turn < 0.5 else crop)


@functools.lru_cache(maxsize=SAMPLES)
def _gray(name: str) -> UInt8:
    found = sample(name)
    assert found is not None
    picture = cv2.cvtColor(found.load().pixels, cv2.COLOR_RGB2GRAY)
    gray: UInt8 = np.repeat(picture[..., None], 3, axis=2).astype(np.uint8)
    gray.setflags(write=False)
    return gray
