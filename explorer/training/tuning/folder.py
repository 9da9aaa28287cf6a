"""The annotated photos of the user's own folder: COCO, Pascal VOC or YOLO, and its two parts."""

from __future__ import annotations

import os
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.dataset import Dataset, words_of
from explorer.annotations.files import read_coco, read_voc
from explorer.annotations.places import read_text
from explorer.annotations.yolo_folder import read_yolo_folder
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.reading import display_name, listed
from explorer.evaluation.datasets import coco_files, voc_folder
from explorer.evaluation.matching import BACKGROUND, canonical
from explorer.images.sources import expand

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from explorer.annotations.dataset import Annotated

TRAIN = ("train", "training")
HELD_OUT = ("val", "valid", "validation", "test")
"""Words for the two parts, of folders and of files; the first goes before the others."""

BOXES = "Give the photos boxes: COCO JSON, Pascal VOC XML or YOLO label files."

_ONE_FILE = ("instances.json", "annotations.json", "_annotations.coco.json")
_MASKS = ("SegmentationClass", "semantic_masks", "masks")


@dataclass(frozen=True, slots=True, eq=False)
class Annotations:
    """The annotations of a folder, before any photo is read.

    Attributes:
        title: The folder's name.
        kind: "COCO", "VOC" or "YOLO".
        train: The photos to learn from.
        held_out: Those that the metrics come from.
        own_parts: The folder itself has these parts.
        names: Of the classes with a box to learn from, without the background.
        notes: What was ignored.
    """

    title: str
    kind: str
    train: tuple[Annotated, ...]
    held_out: tuple[Annotated, ...]
    own_parts: bool
    names: tuple[str, ...]
    notes: tuple[str, ...]


def read_folder(path: Path, share: float = 0.2, seed: int = 0) -> Annotations:
    """Reads the annotations of a folder and parts its photos.

    The folder's own parts are taken where it has some: folders or files called train and val (or
    valid, validation, test), or Pascal VOC's ImageSets. Else photos are held out at random, none
    that has the only training photo of a class.

    Args:
        path: The folder, or a COCO JSON.
        share: Of the photos that are held out where the folder has no parts of its own.
        seed: Of that choice.

    Raises:
        ExplorerError: There is nothing to train on; the sentence tells why.
    """
    path = path.expanduser()
    if not os.path.exists(path):
        raise ExplorerError(f"{path} does not exist.", "Choose a folder of annotated photos.")
    kind, train, held_out, notes = _read(path)
    own_parts = held_out is not None
    if held_out is None:
        train, held_out = parted(train, share, seed)
    names, more = _names(train, held_out, display_name(path))
    return Annotations(
        display_name(path), kind, tuple(train), tuple(held_out), own_parts, names, (*notes, *more)
    )


Parts = tuple[str, "Sequence[Annotated]", "Sequence[Annotated] | None", tuple[str, ...]]
"""The kind, the photos to train on, those held out (None = not known), and notes."""


def _read(path: Path) -> Parts:
    if not os.path.isdir(path):
        if path.suffix.lower() != ".json":
            raise ExplorerError(f"{display_name(path)} is not a folder.", "Choose a folder.")
        return _with_parts("COCO", read_coco(path), path.parent)
    folders = _two_folders(path)
    if folders is not None:
        (kind, train, notes), (_, held_out, more) = (_dataset(folder) for folder in folders)
        return kind, train.photos, held_out.photos, (*notes, *more)
    files = _two_files(path)
    if files is not None:
        train, held_out = (read_coco(file) for file in files)
        return "COCO", train.photos, held_out.photos, (*train.notes, *held_out.notes)
    kind, dataset, notes = _dataset(path)
    return _with_parts(kind, replace(dataset, notes=notes), path)


def _two_folders(path: Path) -> tuple[Path, Path] | None:
    """The folders train and val of a data set, each with its annotations inside."""
    inside = {name.casefold(): path / name for name in _names_in(path)}
    train, held_out = (
        next((inside[word] for word in words if word in inside), None)
        for words in (TRAIN, HELD_OUT)
    )
    if train is None or held_out is None or coco_files(path):
        return None
    both = (train, held_out)
    return both if all(os.path.isdir(one) and _kind(one) for one in both) else None


def _two_files(path: Path) -> tuple[Path, Path] | None:
    files = coco_files(path)
    files += [p for p in listed(path, "*.json") if p not in files]
    train, held_out = (
        next((p for word in words for p in files if _says(p, word)), None)
        for words in (TRAIN, HELD_OUT)
    )
    return (train, held_out) if train is not None and held_out is not None else None


def _says(file: Path, word: str) -> bool:
    """True for instances_train2017.json and "train"."""
    parts = file.stem.casefold().replace("-", "_").split("_")
    return any(part.rstrip("0123456789") == word for part in parts)


def _kind(path: Path) -> str:
    if voc_folder(path) is not None:
        return "VOC"
    if coco_files(path):
        return "COCO"
    return "YOLO" if any(True for _ in path.rglob("*.txt")) else ""


def _dataset(path: Path) -> tuple[str, Dataset, tuple[str, ...]]:
    kind, dataset = _one_dataset(path)
    return kind, dataset, (*dataset.notes, *_without_boxes(dataset))


def _without_boxes(dataset: Dataset) -> tuple[str, ...]:
    """A sentence about classes that are declared and have no box, where some have."""
    there = {label for photo in dataset.photos for label in photo.labels}
    empty = [name for name in dataset.classes if name not in there and not _is_background(name)]
    if not there or not empty:
        return ()
    words = ", ".join(empty[:6]) + (f" and {len(empty) - 6} more" if len(empty) > 6 else "")
    return (f"No box of the {'class' if len(empty) == 1 else 'classes'} {words}.",)


def _one_dataset(path: Path) -> tuple[str, Dataset]:
    if voc_folder(path) is not None:
        dataset = read_voc(path)
        return "VOC", dataset
    files = coco_files(path)
    if len(files) > 1 and files[0].name not in _ONE_FILE:
        raise ExplorerError(
            f"{display_name(path)} has several COCO files: "
            f"{', '.join(file.name for file in files[:4])}.",
            "Keep one of them there, or call them train and val.",
        )
    if files:
        dataset = read_coco(files[0])
        return "COCO", dataset
    found = read_yolo_folder(path)
    if found is not None:
        return "YOLO", found
    raise _nothing(path)


def _nothing(path: Path) -> ExplorerError:
    """Why nothing can be learned from a folder."""
    name = display_name(path)
    if any(os.path.isdir(path / folder) for folder in _MASKS):
        return ExplorerError(f"{name} has masks, but no boxes.", BOXES)
    photos = sum(1 for _ in expand([path], recursive=True))
    if photos:
        return ExplorerError(f"{name} has {quantity(photos, 'photo')}, but no annotations.", BOXES)
    return ExplorerError(f"{name} contains no photos.", "Choose a folder of annotated photos.")


def _with_parts(kind: str, dataset: Dataset, path: Path) -> Parts:
    """The parts that Pascal VOC's lists, or the folders of the photos, speak of."""
    photos = dataset.photos
    named = [_listed_in(path, words) for words in (TRAIN, HELD_OUT)]
    if all(named):
        parts = [tuple(p for p in photos if p.path.stem in stems) for stems in named]
    else:
        parts = [
            tuple(p for p in photos if _folders(p, path).intersection(words))
            for words in (TRAIN, HELD_OUT)
        ]
    if all(parts):
        return kind, parts[0], parts[1], dataset.notes
    return kind, photos, None, dataset.notes


def _listed_in(path: Path, words: tuple[str, ...]) -> frozenset[str]:
    """Names of photos in ImageSets/Main/train.txt and the like."""
    stems: set[str] = set()
    for file in listed(path, "ImageSets/Main/*.txt"):
        if file.stem.casefold() in words:
            lines = read_text(file).splitlines()
            stems |= {line.split()[0] for line in lines if line.split()}
    return frozenset(stems)


def _folders(photo: Annotated, path: Path) -> frozenset[str]:
    """The folders of a photo inside the data set's."""
    try:
        inside = photo.path.absolute().relative_to(path.absolute()).parts[:-1]
    except ValueError:
        inside = words_of(photo.name)[:-1]
    return frozenset(word.casefold() for word in inside)


def _names_in(path: Path) -> list[str]:
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


# -- the two parts


def parted(
    photos: Sequence[Annotated], share: float, seed: int
) -> tuple[tuple[Annotated, ...], tuple[Annotated, ...]]:
    """Photos to learn from and photos held out, drawn at random but always the same.

    Args:
        photos: All of them.
        share: Of those held out; at least one photo where there are two.
        seed: Of the choice.

    Returns:
        Both parts in the order of `photos`. Each class keeps a photo to learn from, and photos with
        a class that no photo held out shows come first.
    """
    wanted = max(1, round(share * len(photos))) if share > 0 and len(photos) > 1 else 0
    names = [frozenset(photo.labels) for photo in photos]
    left = Counter(name for each in names for name in each)
    order = [row for row in np.random.default_rng(seed).permutation(len(photos)) if names[row]]
    held: set[int] = set()
    seen: set[str] = set()

    def hold(row: int) -> None:
        held.add(row)
        seen.update(names[row])
        left.subtract(names[row])

    def free(row: int) -> bool:
        return row not in held and all(left[name] > 1 for name in names[row])

    while len(held) < wanted:  # at most once for each class
        best = max(filter(free, order), key=lambda row: len(names[row] - seen), default=None)
        if best is None or not names[best] - seen:
            break
        hold(best)
    for row in order:
        if len(held) < wanted and free(row):
            hold(row)
    train = tuple(photo for row, photo in enumerate(photos) if row not in held)
    return train, tuple(photos[row] for row in sorted(held))


def _names(
    train: Iterable[Annotated], held_out: Iterable[Annotated], title: str
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The classes to train, in the order of their first boxes, and notes."""
    counts: dict[str, int] = {}
    for photo in train:
        for box in photo.boxes:
            counts.setdefault(box.label, 0)
            counts[box.label] += box.counts
    names = tuple(
        name for name, count in counts.items() if name and count and not _is_background(name)
    )
    if not names:
        raise ExplorerError(f"The annotations of {title} have no boxes.", BOXES)
    notes = []
    others = sorted({label for photo in held_out for label in photo.labels} - set(names))
    if any(others):
        words = ", ".join(name or "(no name)" for name in others[:6])
        notes.append(f"Ignored in the held-out photos, as no training photo has them: {words}.")
    single = [name for name in names if counts[name] == 1]
    if single:
        verb = "has" if len(single) == 1 else "have"
        notes.append(f"{', '.join(single[:6])} {verb} only one training box: add more photos.")
    nameless = counts.get("", 0)
    if nameless:
        notes.append(f"{quantity(nameless, 'box', 'boxes')} without a class ignored.")
    return names, tuple(notes)


def _is_background(name: str) -> bool:
    return canonical(name) in BACKGROUND
