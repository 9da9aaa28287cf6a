"""Boxes in the formats that annotation tools read: COCO, Pascal VOC and YOLO.

Inside the program a box is x0, y0, x1, y1 in pixels of the photo, where pixel (row i, column j)
covers [j, j + 1) x [i, i + 1). The formats say the same in their own ways:

- COCO: x0, y0, width, height in the same frame, as real numbers; nothing is lost. Masks go along
  as run lengths, or as polygons; keypoints as x, y, v, all with v = 2, for a network does not say
  which are hidden.
- VOC: whole pixels counted from 1, both ends included: [x0, x1) covers the columns x0 + 1 … x1. The
  corners are rounded to whole pixels, at least one wide, and kept inside the photo.
- YOLO: center and size divided by the photo's, kept inside the photo, six digits; the class is the
  line number (from 0) of a file `classes.txt` in the same folder.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args
from xml.etree import ElementTree

import numpy as np

from explorer.core.layers import Table
from explorer.core.listing import quantity
from explorer.core.storage.atomic import write_bytes
from explorer.images.outlines import filled, polygons
from explorer.saving.class_lists import keep_classes, one_line
from explorer.saving.plain_values import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

BoxFormat = Literal["coco", "coco-polygons", "voc", "yolo"]
BOX_FORMATS: tuple[BoxFormat, ...] = get_args(BoxFormat)
BOX_SUFFIX: dict[BoxFormat, str] = {
    "coco": ".json", "coco-polygons": ".json", "voc": ".xml", "yolo": ".txt",
}  # fmt: skip
assert set(BOX_SUFFIX) == set(BOX_FORMATS)

CLASSES_FILE = "classes.txt"
"""Beside the label files of YOLO: one class a line."""

COCO_INFO = {"description": "Boxes found by a network, written by Convnet Explorer"}

_LABELED = 2
"""COCO's flag of a keypoint that is labeled and visible."""

_NO_CLASS = frozenset({"__background__", "background", "N/A", ""})
_CORNERS = ("x0", "y0", "x1", "y1")


@dataclass(frozen=True, slots=True)
class ImageInfo:
    """The photo that boxes belong to; `name` is its file name."""

    name: str
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class LabeledBoxes:
    """N boxes with their classes.

    Attributes:
        xyxy: (N, 4) float32, pixels of the photo.
        labels: N class names.
        scores: (N,) numbers, or None for boxes without scores.
        classes: Every class there is, in the order of its numbers, a detector's background and the
            gaps of its list ("N/A") included; by default those of `labels`, sorted.
        difficult: Empty, or VOC's flag for each box.
        crowd: Empty, or COCO's flag "iscrowd" for each box.
        outlines: Empty, or for each box the mask of its object as COCO's run lengths; only COCO has
            a place for it.
        keypoints: None, or (N, K, 2) float32, x and y in pixels of the photo; as `outlines`.
        keypoint_names: The names of the K keypoints.
    """

    xyxy: NDArray[np.float32]
    labels: tuple[str, ...]
    scores: NDArray[np.float32] | None = None
    classes: tuple[str, ...] = ()
    difficult: tuple[bool, ...] = ()
    crowd: tuple[bool, ...] = ()
    outlines: tuple[Mapping[str, Any], ...] = ()
    keypoints: NDArray[np.float32] | None = None
    keypoint_names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        n = len(self.xyxy)
        for name, values in (
            ("flags difficult", self.difficult),
            ("flags crowd", self.crowd),
            ("outlines", self.outlines),
        ):
            if len(values) not in (0, n):
                raise ValueError(f"{n} boxes need {n} {name}, got {len(values)}")
        if self.xyxy.shape != (n, 4) or len(self.labels) != n:
            raise ValueError(f"{self.xyxy.shape} boxes need {n} labels, got {len(self.labels)}")
        if self.scores is not None and self.scores.shape != (n,):
            raise ValueError(f"{n} boxes need {n} scores, got shape {self.scores.shape}")
        points, shape = self.keypoints, (n, len(self.keypoint_names), 2)
        if points is not None and points.shape != shape:
            raise ValueError(f"the keypoints must be {shape}, got {points.shape}")
        if not set(self.labels) <= set(self.classes):
            object.__setattr__(self, "classes", tuple(sorted(set(self.labels))))

    @property
    def names(self) -> tuple[str, ...]:
        """The classes that a box may have, in order: what a list of classes shows."""
        used = set(self.labels)
        real = (name for name in self.classes if name in used or name not in _NO_CLASS)
        return tuple(dict.fromkeys(real))

    @property
    def category_ids(self) -> dict[str, int]:
        """COCO's numbers, from 1: a detector's own where its list begins with the background."""
        start = 0 if self.classes and self.classes[0] in _NO_CLASS else 1
        numbers: dict[str, int] = {}
        for number, name in enumerate(self.classes, start):
            if name in self.names:
                numbers.setdefault(name, number)
        return numbers


def boxes_of(data: Mapping[str, Any], classes: Sequence[str] = ()) -> LabeledBoxes | None:
    """The boxes among a view's data, None when it has none.

    They are "boxes" (N, 4) x0, y0, x1, y1 with "labels" (N names, or N numbers of "classes"), and
    perhaps "scores", "segmentations" (N run lengths), "keypoints" (N, K, 3) and "keypoint_names"
    (K); or a table that has the columns x0, y0, x1, y1 and perhaps "class" and "score".
    """
    known = tuple(str(name) for name in data.get("classes", classes))
    xyxy = data.get("boxes")
    if isinstance(xyxy, np.ndarray) and xyxy.ndim == 2 and xyxy.shape[1] == 4:
        labels = data.get("labels")
        if labels is None or np.shape(labels) != (len(xyxy),):
            labels = ["object"] * len(xyxy)  # what a view calls labels may be a map of pixels
        found = _made(xyxy, labels, data.get("scores"), known)
        found = replace(found, outlines=tuple(data.get("segmentations", ())))
        points, names = data.get("keypoints"), tuple(data.get("keypoint_names", ()))
        if points is None or np.shape(points) != (len(xyxy), len(names), 3):
            return found
        return replace(found, keypoints=points[..., :2], keypoint_names=names)
    for table in data.values():
        if isinstance(table, Table) and set(_CORNERS) <= set(table.columns):
            columns = {n: [row[k] for row in table.rows] for k, n in enumerate(table.columns)}
            corners = np.array([columns[name] for name in _CORNERS], np.float32).T.reshape(-1, 4)
            labels = columns.get("class", ["object"] * len(table.rows))
            return _made(corners, labels, columns.get("score"), known)
    return None


def _made(xyxy: Any, labels: Any, scores: Any, classes: tuple[str, ...]) -> LabeledBoxes:
    names = tuple(
        label
        if isinstance(label, str)
        else classes[int(label)]
        if 0 <= int(label) < len(classes)
        else f"class {int(label)}"
        for label in labels
    )
    numbers = None if scores is None else np.asarray(scores, np.float32)
    return LabeledBoxes(np.asarray(xyxy, np.float32), names, numbers, classes)


def save_boxes(
    path: str | os.PathLike[str],
    boxes: LabeledBoxes,
    image: ImageInfo,
    format: BoxFormat,  # noqa: A002 - the command line's word
) -> None:
    """Writes the boxes of one photo; for YOLO also `classes.txt` beside it.

    Raises:
        ExplorerError: When it cannot be written, or the folder's `classes.txt` lists other classes.
    """
    if format in ("coco", "coco-polygons"):
        save_coco(path, [(image, boxes)], as_polygons=format == "coco-polygons")
    elif format == "voc":
        write_bytes(path, as_voc(boxes, image))
    else:
        listed = Path(path).with_name(CLASSES_FILE)
        keep_classes(listed, list(map(one_line, boxes.names)), "these boxes")
        write_bytes(path, as_yolo(boxes, image))


def lost_flags(boxes: LabeledBoxes, format: BoxFormat) -> str:  # noqa: A002
    """A sentence about the flags of `boxes` that a format has no place for; "" = it has for all."""
    difficult = 0 if format == "voc" else sum(boxes.difficult)
    crowds = 0 if format == "coco" else sum(boxes.crowd)
    some = [
        quantity(count, one)
        for count, one in ((difficult, "difficult object"), (crowds, "crowd region"))
        if count
    ]
    title = {"coco": "COCO", "voc": "Pascal VOC", "yolo": "YOLO"}[format]
    there = (
        "count as ordinary objects there"
        if difficult + crowds > 1
        else ("counts as an ordinary object there")
    )
    return f"{title} has no flag for {' and '.join(some)}, which {there}." if some else ""


def save_coco(
    path: str | os.PathLike[str],
    entries: Sequence[tuple[ImageInfo, LabeledBoxes]],
    *,
    as_polygons: bool = False,
) -> None:
    """Writes the boxes of several photos into one COCO file.

    Args:
        path: Of the file.
        entries: Photos with their boxes.
        as_polygons: Masks are written as polygons along their pixels instead of run lengths.

    Raises:
        ExplorerError: When it cannot be written.
    """
    write_bytes(path, as_coco(entries, as_polygons=as_polygons))


def as_coco(
    entries: Sequence[tuple[ImageInfo, LabeledBoxes]], *, as_polygons: bool = False
) -> bytes:
    """The JSON of COCO's "instances": ids count from 1; scores go along as "score"."""
    ids: dict[str, int] = {}
    names: dict[str, tuple[str, ...]] = {}
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for image_id, (image, boxes) in enumerate(entries, 1):
        number_classes(ids, boxes)
        name_keypoints(names, boxes)
        images.append(coco_image(image, image_id))
        annotations += coco_annotations(
            image, boxes, image_id, len(annotations) + 1, ids, as_polygons=as_polygons
        )
    content = {
        "info": COCO_INFO,
        "licenses": [],
        "images": images,
        "annotations": annotations,
        "categories": coco_categories(ids, names),
    }
    text = json.dumps(plain(content).value, ensure_ascii=False, allow_nan=False, indent=1)
    return (text + "\n").encode("utf-8", "replace")


def number_classes(ids: dict[str, int], boxes: LabeledBoxes) -> None:
    """Gives every class of `boxes` that has none yet a number in a COCO file."""
    for name, number in boxes.category_ids.items():
        free = number if number not in ids.values() else max(ids.values()) + 1
        ids.setdefault(name, free)


def name_keypoints(names: dict[str, tuple[str, ...]], boxes: LabeledBoxes) -> None:
    """Keeps the names of keypoints, by the class of the boxes that have them."""
    if boxes.keypoints is not None:
        names.update(dict.fromkeys(boxes.labels, boxes.keypoint_names))


def coco_image(image: ImageInfo, image_id: int | str) -> dict[str, Any]:
    """An entry of COCO's "images"."""
    return {"id": image_id, "file_name": image.name, "width": image.width, "height": image.height}


def coco_annotations(
    image: ImageInfo,
    boxes: LabeledBoxes,
    image_id: int | str,
    first: int,
    ids: Mapping[str, int],
    *,
    as_polygons: bool = False,
) -> list[dict[str, Any]]:
    """The entries of COCO's "annotations" for one photo.

    Args:
        image: The photo.
        boxes: Its boxes.
        image_id: Of the photo in the file.
        first: The id of the first entry.
        ids: The numbers of the classes.
        as_polygons: Masks are polygons instead of run lengths.
    """
    found = []
    for row, (x0, y0, x1, y1) in enumerate(boxes.xyxy.astype(float).tolist()):
        entry: dict[str, Any] = {
            "id": first + row,
            "image_id": image_id,
            "category_id": ids[boxes.labels[row]],
            "bbox": [x0, y0, x1 - x0, y1 - y0],
            "area": (x1 - x0) * (y1 - y0),
            "iscrowd": int(any(boxes.crowd[row : row + 1])),
        }
        if boxes.scores is not None:
            entry["score"] = float(boxes.scores[row])
        if boxes.outlines:
            entry |= _mask_of(boxes.outlines[row], (image.height, image.width), as_polygons)
        if boxes.keypoints is not None:
            points = boxes.keypoints[row].astype(float).tolist()
            entry["keypoints"] = [value for x, y in points for value in (x, y, _LABELED)]
            entry["num_keypoints"] = len(points)
        found.append(entry)
    return found


def coco_categories(
    ids: Mapping[str, int], keypoints: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """COCO's "categories", by number; those with keypoints have their names."""
    return [
        {"id": number, "name": name, "supercategory": "object"}
        | ({"keypoints": list(keypoints[name]), "skeleton": []} if name in keypoints else {})
        for name, number in sorted(ids.items(), key=lambda entry: entry[1])
    ]


def _mask_of(
    outline: Mapping[str, Any], size: tuple[int, int], as_polygons: bool
) -> dict[str, Any]:
    """COCO's "segmentation", and the area that goes with it."""
    mask = filled(outline, size)
    there = polygons(mask) if as_polygons else dict(outline)
    return {"segmentation": there, "area": float(mask.sum())}


def as_voc(boxes: LabeledBoxes, image: ImageInfo) -> bytes:
    """The XML of Pascal VOC; a score goes along in an element that VOC's own readers pass over."""
    root = ElementTree.Element("annotation")
    _add(root, "folder", "")
    _add(root, "filename", image.name)
    size = ElementTree.SubElement(root, "size")
    for name, value in (("width", image.width), ("height", image.height), ("depth", 3)):
        _add(size, name, value)
    _add(root, "segmented", 0)
    for row, (x0, y0, x1, y1) in enumerate(boxes.xyxy):
        entry = ElementTree.SubElement(root, "object")
        _add(entry, "name", boxes.labels[row])
        _add(entry, "pose", "Unspecified")
        _add(entry, "truncated", 0)
        _add(entry, "difficult", int(any(boxes.difficult[row : row + 1])))
        if boxes.scores is not None:
            _add(entry, "score", f"{float(boxes.scores[row]):.6g}")
        corners = ElementTree.SubElement(entry, "bndbox")
        left, right = _whole(x0, x1, image.width)
        top, bottom = _whole(y0, y1, image.height)
        for name, value in (("xmin", left), ("ymin", top), ("xmax", right), ("ymax", bottom)):
            _add(corners, name, value)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="utf-8"?>\n{text}\n'.encode()


def as_yolo(boxes: LabeledBoxes, image: ImageInfo) -> bytes:
    """A line "class cx cy w h" for each box; YOLO's label files have no place for a score."""
    limits = np.array([image.width, image.height] * 2, np.float64)
    corners = np.clip(boxes.xyxy.astype(np.float64), 0, limits) / limits
    at = {name: number for number, name in enumerate(boxes.names)}
    numbers = [at[label] for label in boxes.labels]
    lines = [
        f"{number} {(x0 + x1) / 2:.6f} {(y0 + y1) / 2:.6f} {x1 - x0:.6f} {y1 - y0:.6f}\n"
        for number, (x0, y0, x1, y1) in zip(numbers, corners, strict=True)
    ]
    return "".join(lines).encode()


def _whole(low: float, high: float, size: int) -> tuple[int, int]:
    first = min(max(round(float(low)) + 1, 1), size)
    return first, min(max(round(float(high)), first), size)


def _add(parent: ElementTree.Element, name: str, value: object) -> None:
    # XML has no way to write control characters, not even escaped.
    text = "".join(c if c.isprintable() else " " for c in str(value))
    ElementTree.SubElement(parent, name).text = text.encode("utf-8", "replace").decode()
