"""Photos with ground truth, from whatever folder or file is given.

`open_source` recognizes a folder with a folder of photos for every class, a COCO JSON, Pascal VOC's
XML files, YOLO's labels, a folder of class masks, or photos in an npz. Its result has the classes;
`cases` then makes the photos for a network to whose classes they were matched.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from explorer.annotations.files import (
    Annotated,
    Annotation,
    Dataset,
    read_coco,
    read_voc,
    read_yolo,
)
from explorer.annotations.masks import inside_of, rasterized
from explorer.annotations.voc import voc_files
from explorer.annotations.yolo_folder import faults, looks_like_yolo, split_of, yolo_pairs
from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.reading import display_name, listed, read_file
from explorer.evaluation.cases import Case, Source, Truth
from explorer.evaluation.keypoints.poses import pose_cases
from explorer.evaluation.keypoints.skeletons import Skeletons, places_of
from explorer.evaluation.masks import folders as masks
from explorer.evaluation.matching import BACKGROUND, WNID, DataClass, canonical
from explorer.evaluation.metrics import Objects
from explorer.evaluation.photos_npz import read_npz
from explorer.images.image import open_image
from explorer.images.outlines import run_lengths
from explorer.images.sources import expand
from explorer.networks.checkpoints.class_lists import class_list

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo, Task

NOTHING = (
    "Choose a folder with one folder of photos per class, a COCO JSON, Pascal VOC's XML"
    " files, YOLO's labels or data.yaml, class masks, or an npz of photos."
)

_TABLES = ("classes.tsv", "words.txt", "LOC_synset_mapping.txt")
_MOST_TABLE_BYTES = 64 * 1024**2
_COCO_NAMES = ("instances.json", "annotations.json", "_annotations.coco.json")
_MOST_FOLDERS = 50
"""Folders inside one that are searched for XML files."""
_MASK_FOLDERS = ("semantic_masks", "SegmentationClass")


def open_source(path: Path, task: Task, images: Path | None = None) -> Source:
    """Reads what there is to know about the data at `path`, without the photos.

    Args:
        path: A folder, a .json, an .xml, a .yaml or an .npz.
        task: Of the network: for a segmentation network masks are looked for first.
        images: Where the photos are, when not in the usual places.

    Raises:
        ExplorerError: There is nothing of these kinds.
    """
    path = path.expanduser()
    if not os.path.exists(path):
        raise ExplorerError(f"{path} does not exist.", NOTHING)
    suffix = path.suffix.lower()
    if os.path.isdir(path):
        return _open_folder(path, task, images)
    if suffix == ".npz":
        return read_npz(path)
    if suffix == ".json":
        dataset = read_coco(path, images=images)
        beside = masks.folder_near(path.parent) if task == "segmentation" else None
        if beside is not None and not masks.has_outlines(dataset):
            return _masks(beside, images)
        return _annotated(dataset, path, "COCO")
    if suffix == ".xml":
        return _annotated(read_voc(path, images), path, "VOC")
    if suffix in (".yaml", ".yml"):
        return _yolo(path, images)
    raise ExplorerError(f"{display_name(path)} is not a data set that can be evaluated.", NOTHING)


def likely_task(path: Path) -> Task:
    """The task whose networks the data at `path` seem to be for, from the names in it alone."""
    path = path.expanduser()
    if path.suffix.lower() in (".json", ".xml", ".yaml", ".yml"):
        return "detection"
    if not os.path.isdir(path):
        return "classification"
    if masks.is_mask_folder(path):
        return "segmentation"
    boxes = voc_folder(path) is not None or coco_files(path) or looks_like_yolo(path)
    return "detection" if boxes else "classification"


@dataclass(frozen=True, slots=True)
class Sight:
    """What a folder seems to be, from the names in it alone: its place and what it offers."""

    place: Path
    offers: frozenset[str]


def annotated_near(photo: Path) -> Sight | None:
    """The COCO or VOC data that a photo belongs to: in its folder or in the one above."""
    for folder in (photo.parent, photo.parent.parent):
        coco, voc = coco_files(folder), voc_folder(folder)
        if coco or voc is not None:
            masked = masks.folder_near(folder) is not None
            return Sight(
                coco[0] if coco and voc is None else folder,
                frozenset({"objects", *(["mask"] if masked else [])}),
            )
    return None


def voc_folder(folder: Path) -> Path | None:
    """The folder of XML files in `folder`, which may be itself."""
    for place in (folder / "Annotations", folder / "annotations"):
        if os.path.isdir(place) and voc_files(place):
            return place
    try:
        inside = [name for name in sorted(os.listdir(folder)) if not name.startswith(".")]
    except OSError:  # it may not be entered
        return None
    for place in (folder, *(folder / name for name in inside[:_MOST_FOLDERS])):
        if os.path.isdir(place) and listed(place, "*.xml"):
            return folder
    return None


def coco_files(folder: Path) -> list[Path]:
    """The COCO files of a folder by their names, the likeliest first."""
    known = [folder / name for name in _COCO_NAMES if os.path.isfile(folder / name)]
    places = [folder, folder / "annotations"]
    instances = [p for place in places for p in listed(place, "instances*.json")]
    others = listed(folder, "*.json")
    return list(dict.fromkeys([*known, *instances, *(others if len(others) == 1 else [])]))


def _open_folder(path: Path, task: Task, images: Path | None) -> Source:
    if task == "segmentation":
        for folder in (path / name for name in _MASK_FOLDERS):
            if os.path.isdir(folder):
                return _masks(folder, images)
    if masks.is_mask_folder(path):
        return _masks(path, images)
    if voc_folder(path) is not None:
        return _annotated(read_voc(path, images), path, "VOC")
    found = coco_files(path)
    if found:
        if len(found) > 1 and found[0].name not in _COCO_NAMES:
            names = ", ".join(p.name for p in found[:4])
            raise ExplorerError(f"{display_name(path)} has several COCO files: {names}.",
                                "Choose one of them.")  # fmt: skip
        return open_source(found[0], task, images)
    if looks_like_yolo(path, images):
        return _yolo(path, images)
    packed = [p for p in listed(path, "*.npz") if p.stem != "train"]
    for place in (path / "val.npz", path / "tiny-imagenet" / "val.npz", *packed[:1]):
        if os.path.isfile(place):
            return open_source(place, task, images)
    return _class_folders(path)


# -- folders with a name


def _class_folders(path: Path) -> Source:
    folders = [p for p in listed(path, "*") if os.path.isdir(p) and not p.name.startswith(".")]
    photos = {folder.name: list(expand([folder], recursive=True)) for folder in folders}
    filled = {name: found for name, found in photos.items() if found}
    if not filled:
        raise ExplorerError(
            f"{display_name(path)} contains no data set that can be evaluated.", NOTHING
        )
    table = _synsets(path)
    classes = tuple(_named(name, table) for name in filled)

    def make(_task: Task, labels: NDArray[np.int64], _info: NetworkInfo) -> list[Case]:
        return [
            Case(f"{name}/{photo.name}", _labeled(photo, int(label)), photo)
            for (name, found), label in zip(filled.items(), labels, strict=True)
            if label >= 0
            for photo in found
        ]

    empty = len(photos) - len(filled)
    notes = (f"Ignored {quantity(empty, 'folder')} without photos.",) if empty else ()
    return Source(display_name(path), "class folders", classes, frozenset({"label"}), make, notes)


def _labeled(photo: Path, label: int) -> Callable[[], tuple[NDArray[np.uint8], Truth]]:
    return lambda: (open_image(photo).pixels, Truth(label))


def _named(name: str, table: dict[str, tuple[str, ...]]) -> DataClass:
    wnid = name if WNID.fullmatch(name) else ""
    return DataClass(name, wnid, table.get(wnid, ()))


def _synsets(path: Path) -> dict[str, tuple[str, ...]]:
    """The words of WordNet ids from a table in the folder or above it."""
    for folder in (path, path.parent, path.parent.parent):
        for name in _TABLES:
            if os.path.isfile(folder / name):
                return read_synsets(folder / name)
    return {}


def read_synsets(path: Path) -> dict[str, tuple[str, ...]]:
    """Lines "n01443537<tab or space>goldfish, Carassius auratus" as words by id.

    Raises:
        ExplorerError: The file cannot be read.
    """
    data = read_file(path, limit=_MOST_TABLE_BYTES, kind="a table", smaller="Choose another file.")
    table = {}
    for line in data.decode("utf-8", "replace").splitlines():
        wnid, _, words = line.replace("\t", " ", 1).partition(" ")
        table[wnid] = tuple(word.strip() for word in words.split(",") if word.strip())
    return table


# -- photos with boxes


def _annotated(dataset: Dataset, path: Path, kind: str) -> Source:
    photos = dataset.photos
    classes = tuple(DataClass(name) for name in dataset.classes if name)
    offers = {"objects"}
    if any(_single(photo) for photo in photos):
        offers.add("label")
    if masks.has_outlines(dataset):
        offers.add("mask")
    if dataset.keypoints and any(entry.keypoints for photo in photos for entry in photo.entries):
        offers.add("keypoints")

    def make(task: Task, labels: NDArray[np.int64], info: NetworkInfo) -> list[Case]:
        known = {c.name: int(label) for c, label in zip(classes, labels, strict=True)}
        chosen: Sequence[Annotated] = photos
        if task in ("classification", "localization"):
            chosen = [p for p in photos if _single(p) and known.get(p.labels[0], -1) >= 0]
        elif task == "segmentation":
            chosen = [p for p in photos if any(e.segmentation for e in p.entries)]
            return [Case(p.name, _boxed(p, known, background_of(info)), p.path) for p in chosen]
        if task == "pose":
            return pose_cases(photos, info.keypoints, known, dataset.keypoints)
        outlined = task == "detection" and "mask" in offers and info.has_masks
        posed = task == "detection" and "keypoints" in offers and info.keypoints
        places = {
            name: places_of(info.keypoints, points) for name, points in dataset.keypoints.items()
        }
        joints = places if posed else None
        return [
            Case(p.name, _boxed(p, known, places=joints, outlined=outlined), p.path) for p in chosen
        ]

    names = dataset.keypoints if "keypoints" in offers else {}
    return Source(display_name(path), kind, classes, frozenset(offers), make, dataset.notes, names)


def _single(photo: Annotated) -> bool:
    """True when the photo shows one object, which then is what it is a photo of."""
    return len(photo.entries) == 1 and not photo.boxes[0].crowd


def _boxed(
    photo: Annotated,
    known: dict[str, int],
    background: int | None = None,
    places: dict[str, list[int]] | None = None,
    *,
    outlined: bool = False,
) -> Callable[[], tuple[NDArray[np.uint8], Truth]]:
    def load() -> tuple[NDArray[np.uint8], Truth]:
        pixels = open_image(photo.path).pixels
        scale = _scale(photo, pixels)
        labels = np.array([known.get(label, -1) for label in photo.labels], np.int64)
        keep = labels >= 0
        objects = Objects(
            photo.xyxy[keep] * scale, labels[keep], photo.crowd[keep], photo.difficult[keep],
            np.array([entry.area for entry in photo.entries])[keep] * scale[0] * scale[1],
        )  # fmt: skip
        label = int(labels[0]) if _single(photo) else -1
        mask = None
        if background is not None:
            mask = rasterized(photo, labels, background, pixels.shape[:2])
        entries = [entry for entry, kept in zip(photo.entries, keep, strict=True) if kept]
        skeletons = None if places is None else _skeletons(entries, places, scale)
        outlines = None
        if outlined:
            size = pixels.shape[:2]
            outlines = tuple(
                run_lengths(inside_of(entry.segmentation, photo, size)) for entry in entries
            )
        return pixels, Truth(label, objects, mask, int((~keep).sum()), skeletons, outlines)

    return load


def _skeletons(
    entries: Sequence[Annotation], places: dict[str, list[int]], scale: NDArray[np.float64]
) -> Skeletons:
    """The keypoints of objects, in the order of `places`: a class's own by the network's."""
    count = max(map(len, places.values()))
    points = np.zeros((len(entries), count, 3))
    for row, entry in enumerate(entries):
        order = np.array(places.get(entry.box.label, []), np.int64)
        own = np.array(entry.keypoints).reshape(-1, 3)
        if len(own) > order.max(initial=-1) and len(own):
            points[row, order >= 0] = own[order[order >= 0]]
    points[..., :2] *= scale[:2]
    points[points[..., 2] <= 0] = 0
    return Skeletons(points, np.array([entry.area for entry in entries]) * scale[0] * scale[1])


def _scale(photo: Annotated, pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """What takes the boxes to the photo as it is, which may have been made smaller since."""
    height, width = pixels.shape[:2]
    if photo.size is None:
        return np.ones(4)
    across, down = width / photo.size[0], height / photo.size[1]
    if abs(across / down - 1) > 0.02:
        raise ExplorerError(
            f"{photo.name} has {width} x {height} pixels, not {photo.size[0]} x {photo.size[1]} as "
            "its annotations say.",
            "Use the photos that were annotated.",
        )
    return np.array([across, down, across, down])


def _yolo(path: Path, images: Path | None) -> Source:
    """A data.yaml, whose "val" is taken, or a folder of photos with label files."""
    folder = path if os.path.isdir(path) else split_of(path)
    pairs, bare = yolo_pairs(folder, images)
    photos = (images or folder).absolute()
    if not pairs:
        raise ExplorerError(
            f"{display_name(path)} leads to no photos with YOLO labels.",
            "Each photo needs a .txt of its name, beside it or in labels/, and the classes a list "
            "(data.yaml, classes.txt).",
        )
    names = class_list(pairs[0][1].parent).names
    classes = tuple(DataClass(name) for name in dict.fromkeys(names) if name)

    def make(_task: Task, labels: NDArray[np.int64], _info: NetworkInfo) -> list[Case]:
        known = {c.name: int(label) for c, label in zip(classes, labels, strict=True)}
        return [
            Case(photo.relative_to(photos).as_posix(), _with_labels(photo, label, known), photo)
            for photo, label in pairs
        ]

    return Source(
        display_name(path), "YOLO", classes, frozenset({"objects"}), make, faults(pairs, bare)
    )


def _with_labels(
    photo: Path, label: Path, known: dict[str, int]
) -> Callable[[], tuple[NDArray[np.uint8], Truth]]:
    def load() -> tuple[NDArray[np.uint8], Truth]:
        pixels = open_image(photo).pixels
        (found,) = read_yolo(label, (pixels.shape[1], pixels.shape[0])).photos
        labels = np.array([known.get(name, -1) for name in found.labels], np.int64)
        keep = labels >= 0
        objects = Objects.plain(found.xyxy[keep], labels[keep])
        return pixels, Truth(objects=objects, left_out=int((~keep).sum()))

    return load


# -- photos with a class for every pixel


def _masks(folder: Path, images: Path | None) -> Source:
    found = masks.read_mask_folder(folder, images)
    classes = tuple(DataClass(name) for name in found.classes.values())
    numbers = list(found.classes)

    def make(_task: Task, labels: NDArray[np.int64], info: NetworkInfo) -> list[Case]:
        table = np.full(256, -1, np.int32)
        table[numbers] = np.where(labels >= 0, labels, background_of(info))
        return [Case(p.name, _class_mask(p, m, table, found.known), p) for p, m in found.pairs]

    return Source(display_name(folder), "masks", classes, frozenset({"mask"}), make)


def _class_mask(
    photo: Path, mask: Path, table: NDArray[np.int32], known: frozenset[int]
) -> Callable[[], tuple[NDArray[np.uint8], Truth]]:
    def load() -> tuple[NDArray[np.uint8], Truth]:
        pixels = open_image(photo).pixels
        height, width = pixels.shape[:2]
        return pixels, Truth(mask=table[masks.read_mask(mask, photo, (height, width), known)])

    return load


def background_of(info: NetworkInfo) -> int:
    """The network's class for what it has no other class for; -1 = it has none."""
    return next((i for i, name in enumerate(info.classes) if canonical(name) in BACKGROUND), -1)
