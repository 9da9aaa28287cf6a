"""The rows of a job as the files that other programs read, row by row, whatever their number.

Rows of boxes hold ``width``, ``height`` and ``labels`` as plain values, and ``xyxy`` (N, 4) float32
in pixels of the photo and perhaps ``scores`` (N,) float32 as arrays; perhaps ``outlines``, the
masks as COCO's run lengths; perhaps ``keypoint_names`` and the array ``keypoints`` (N, K, 2)
float32. Rows of tables hold ``columns`` and ``rows``. Rows of files hold the bytes of a file as the
array ``file``, (N,) uint8.
"""

from __future__ import annotations

import contextlib
import csv
import hashlib
import json
import os
import shutil
from itertools import chain, count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from explorer.batch.photos import safe_parts
from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import replacing, unwritable
from explorer.saving.boxes import (
    BOX_SUFFIX,
    CLASSES_FILE,
    COCO_INFO,
    ImageInfo,
    LabeledBoxes,
    as_voc,
    as_yolo,
    coco_annotations,
    coco_categories,
    coco_image,
    name_keypoints,
    number_classes,
)
from explorer.saving.class_lists import one_line
from explorer.saving.masks import CLASSES_FILE as MASK_CLASSES
from explorer.saving.masks import class_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from explorer.batch.job import Row

    Rows = Callable[[], Iterator[Row]]

CORNERS = ("x0", "y0", "x1", "y1")


class Tree:
    """A folder with a file for each photo, which is there once it is complete.

    Photos keep their folders; those that differ in their suffix alone keep it from the second on
    (a.txt, a.png.txt). A name that the source has twice is written once.

    Args:
        place: The folder.
        suffix: Of its files, ".txt".
    """

    def __init__(self, place: Path, suffix: str) -> None:
        self._place, self._suffix = place, suffix
        self._part = place.with_name(f".{place.name}.part")
        self._taken: set[bytes] = set()
        self._names: set[bytes] = set()
        self._folder = ""

    def __enter__(self) -> Tree:
        try:
            if os.path.lexists(self._part):
                shutil.rmtree(self._part)  # of a program that was killed
            os.mkdir(self._part)
        except OSError as error:
            raise unwritable(self._place, error) from error
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            shutil.rmtree(self._part, ignore_errors=True)
            return
        try:
            if os.path.isdir(self._place):
                shutil.rmtree(self._place)  # a result that was not complete
            os.replace(self._part, self._place)
        except OSError as error:
            raise unwritable(self._place, error) from error

    def write(self, name: str, data: bytes) -> None:
        """Writes the file of a photo."""
        whole = _key(name)
        if whole in self._names:
            return
        self._names.add(whole)
        self._write(self._free(PurePosixPath(*safe_parts(name))), data)

    def write_beside(self, name: str, data: bytes) -> None:
        """Writes a file that belongs to no photo."""
        self._taken.add(_key(name.casefold()))
        self._write(PurePosixPath(name), data)

    def _free(self, path: PurePosixPath) -> PurePosixPath:
        stem = path.with_suffix(self._suffix)
        more = (stem.with_name(f"{number}-{stem.name}") for number in count(2))
        for found in chain((stem, path.with_name(f"{path.name}{self._suffix}")), more):
            key = _key(str(found).casefold())  # some file systems do not tell A from a
            if key not in self._taken:
                self._taken.add(key)
                return found
        raise AssertionError("numbers do not end")

    def _write(self, inner: PurePosixPath, data: bytes) -> None:
        path = self._part / inner
        try:
            if str(inner.parent) != self._folder:
                os.makedirs(path.parent, exist_ok=True)
                self._folder = str(inner.parent)
            with open(path, "wb") as file:
                file.write(data)
        except (OSError, ValueError) as error:
            raise unwritable(self._place / inner, error) from error


def _key(name: str) -> bytes:
    return hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=12).digest()


def write_files(place: Path, rows: Iterable[Row], suffix: str) -> None:
    """A file for each photo from its row's `file`.

    Raises:
        ExplorerError: It cannot be written.
    """
    with Tree(place, suffix) as tree:
        for row in rows:
            if not row.reason:
                tree.write(row.name, row.arrays["file"].tobytes())


def write_masks(place: Path, rows: Rows) -> None:
    """An indexed PNG for each photo from its row's `file`, and the list of its row's `names`.

    Raises:
        ExplorerError: It cannot be written.
    """
    with Tree(place, ".png") as tree:
        listed: dict[int, str] = {}
        for row in rows():
            if not row.reason:
                tree.write(row.name, row.arrays["file"].tobytes())
                listed |= {int(number): name for number, name in row.content["names"].items()}
        text = "".join(f"{line}\n" for line in class_lines(listed))
        tree.write_beside(MASK_CLASSES, text.encode("utf-8", "replace"))


# -- boxes ----------------------------------------------------------------------------------------


def boxes_in(row: Row, classes: tuple[str, ...]) -> tuple[ImageInfo, LabeledBoxes]:
    """The photo and the boxes of a row."""
    info = ImageInfo(row.name, int(row.content["width"]), int(row.content["height"]))
    labels = tuple(row.content["labels"])
    scores, outlines = row.arrays.get("scores"), tuple(row.content.get("outlines", ()))
    boxes = LabeledBoxes(
        row.arrays["xyxy"], labels, scores, classes, outlines=outlines,
        keypoints=row.arrays.get("keypoints"),
        keypoint_names=tuple(row.content.get("keypoint_names", ())),
    )  # fmt: skip
    return info, boxes


def write_labels(place: Path, rows: Iterable[Row], classes: tuple[str, ...], kind: str) -> None:
    """A file of boxes for each photo: `kind` is "yolo" or "voc".

    Raises:
        ExplorerError: It cannot be written, or YOLO's class numbers have no meaning.
    """
    if kind == "yolo" and not classes:
        raise ExplorerError(
            "YOLO's label files need a list of classes, and the network has none.",
            "Give --classes, or another --format.",
        )
    with Tree(place, BOX_SUFFIX["yolo" if kind == "yolo" else "voc"]) as tree:
        if kind == "yolo":
            names = LabeledBoxes(_no_boxes(), (), None, classes).names
            text = "".join(f"{one_line(name)}\n" for name in names)
            tree.write_beside(CLASSES_FILE, text.encode("utf-8", "replace"))
        for row in rows:
            if row.reason:
                continue
            image, boxes = boxes_in(row, classes)
            tree.write(row.name, as_yolo(boxes, image) if kind == "yolo" else as_voc(boxes, image))


def _no_boxes() -> Any:
    import numpy as np

    return np.zeros((0, 4), np.float32)


def write_coco(
    path: Path, rows: Rows, classes: tuple[str, ...], *, as_polygons: bool = False
) -> None:
    """One COCO JSON of all photos; a photo of a COCO file keeps its id, others count from 1.

    Raises:
        ExplorerError: It cannot be written.
    """
    ids: dict[str, int] = {}
    names: dict[str, tuple[str, ...]] = {}
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8", errors="replace") as f:
        f.write(f'{{"info": {_json(COCO_INFO)},\n"licenses": [],\n"images": [\n')
        entries = (_json(coco_image(boxes_in(row, classes)[0], number))
                   for number, row in _numbered(rows()))  # fmt: skip
        _write_entries(f, entries)
        f.write('],\n"annotations": [\n')
        found = _annotations(rows(), classes, ids, names, as_polygons)
        _write_entries(f, map(_json, found))
        f.write('],\n"categories": [\n')
        number_classes(ids, LabeledBoxes(_no_boxes(), (), None, classes))
        _write_entries(f, map(_json, coco_categories(ids, names)))
        f.write("]}\n")


def _annotations(
    rows: Iterator[Row], classes: tuple[str, ...], ids: dict[str, int],
    names: dict[str, tuple[str, ...]], as_polygons: bool,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    first = 1
    for number, row in _numbered(rows):
        image, boxes = boxes_in(row, classes)
        if not set(boxes.labels) <= ids.keys():
            number_classes(ids, boxes)
        name_keypoints(names, boxes)
        yield from coco_annotations(image, boxes, number, first, ids, as_polygons=as_polygons)
        first += len(boxes.xyxy)


def _numbered(rows: Iterator[Row]) -> Iterator[tuple[int | str, Row]]:
    """The photos with a result, each with its id."""
    for number, row in enumerate(rows, 1):
        if not row.reason:
            yield (number if row.id is None else row.id), row


def _write_entries(file: Any, entries: Iterable[str]) -> None:
    comma = ""
    for entry in entries:
        file.write(f"{comma}{entry}")
        comma = ",\n"
    file.write("\n" if comma else "")


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


# -- tables ---------------------------------------------------------------------------------------


def records(rows: Iterator[Row]) -> Iterator[tuple[tuple[str, ...], Sequence[Any]]]:
    """Every box, or every line of a table, with the names of its columns; the photo comes first."""
    for row in rows:
        if row.reason:
            continue
        if "xyxy" in row.arrays:
            size = (row.content["width"], row.content["height"])
            scores = row.arrays.get("scores")
            columns = ("photo", "width", "height", "class", "score", *CORNERS)
            for at, (label, corners) in enumerate(
                zip(row.content["labels"], row.arrays["xyxy"].tolist(), strict=True)
            ):
                score = None if scores is None else float(scores[at])
                yield columns, (row.name, *size, label, score, *corners)
        else:
            columns = ("photo", *row.content["columns"])
            for line in row.content["rows"]:
                yield columns, (row.name, *line)


def write_csv(path: Path, rows: Rows) -> None:
    """All boxes, or the tables of all photos, under one head.

    Raises:
        ExplorerError: It cannot be written.
    """
    with csv_file(path) as write:
        head: tuple[str, ...] = ()
        for columns, values in records(rows()):
            if not head:
                head = columns
                write(head)
            write(_under(head, columns, values))


@contextlib.contextmanager
def csv_file(path: Path) -> Iterator[Callable[[Iterable[Any]], Any]]:
    """Gives what writes a row of the file `path`, which is there once all are written.

    Names of photos may hold bytes that are no UTF-8: they are written as they are.

    Raises:
        ExplorerError: It cannot be written.
    """
    with replacing(path) as temporary:
        file = temporary.open("w", encoding="utf-8", errors="surrogateescape", newline="")
        with file:
            yield csv.writer(file, lineterminator="\n").writerow


def _under(head: Sequence[str], columns: Sequence[str], values: Sequence[Any]) -> Sequence[Any]:
    """The values in the order of the head: a view's table may have other columns now and then."""
    if columns == head:
        return values
    found = dict(zip(columns, values, strict=True))
    return [found.get(name) for name in head]
