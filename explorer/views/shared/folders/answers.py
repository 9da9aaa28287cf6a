"""Small test pictures of classes with a frame that tells whether each prediction is correct."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.layers import Boxes, Pane, Picture
from explorer.views.shared.folders.sheet import Sheet, captions, labeled_sheet

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Layer, UInt8

GREEN: Color = (60, 190, 90)
RED: Color = (235, 80, 70)
BLUE: Color = (90, 160, 250)
ORANGE: Color = (255, 160, 40)
GRAY: Color = (150, 150, 150)
HEADING: Color = (70, 76, 88)

SIDE = 72
"""Of a picture on the sheet, in pixels of the sheet."""


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Test pictures and what is predicted for them.

    Attributes:
        pictures: M of (h, w, 3) uint8; their middle squares are shown.
        labels: (M,) true classes.
        predicted: (M,) predicted classes, -1 = not known.
        names: Of the classes.
    """

    pictures: Sequence[UInt8]
    labels: NDArray[np.int64]
    predicted: NDArray[np.int64]
    names: tuple[str, ...]

    def words(self, row: int) -> str:
        """As in "cat: predicted dog"."""
        found = int(self.predicted[row])
        name = self.names[int(self.labels[row])]
        return name if found < 0 else f"{name}: predicted {self.names[found]}"


def answers_pane(
    answers: Answers,
    title: str,
    *,
    side: int = SIDE,
    more: Callable[[Sheet, Sequence[int]], tuple[Layer, ...]] = lambda _sheet, _order: (),
    kept: MutableMapping[int, Sheet] | None = None,
) -> Pane:
    """The pane "tests" with a Boxes layer of that name, whose keys are rows of `answers`.

    Args:
        answers: Pictures and predictions.
        title: Of the pane.
        side: Of a picture on the sheet.
        more: From the sheet and the row of each of its pictures to layers on top.
        kept: Sheets of the same pictures that were made before, by how many are on them.
    """
    order = np.argsort(answers.labels, kind="stable").tolist()
    sheet = None if kept is None else kept.get(len(order))
    if sheet is None:
        pictures = [_square(answers.pictures[row], side) for row in order]
        sheet = labeled_sheet(pictures, columns=_columns(answers.labels))
        if kept is not None:
            kept[len(order)] = sheet
    colors, words = [], []
    for row in order:
        found = int(answers.predicted[row])
        right = found == int(answers.labels[row])
        colors.append(GRAY if found < 0 else GREEN if right else RED)
        words.append("" if right or found < 0 else answers.names[found])
    tints = np.array(colors, np.uint8).reshape(-1, 3)
    layer = Boxes(sheet.xyxy, tints, keys=tuple(order), width=3.0, name="tests")

    def readout(x: float, y: float) -> str:
        place = sheet.at(x, y)
        return "" if place is None else answers.words(order[place])

    return Pane(
        "tests", sheet.size, (
            Picture(sheet.rgb, name="sheet"), layer, _headings(answers, sheet, order),
            captions(sheet.xyxy, words, tints, inside=True), *more(sheet, order),
        ), title=title, frame="tests", readout=readout,
    )  # fmt: skip


def _headings(answers: Answers, sheet: Sheet, order: Sequence[int]) -> Boxes:
    """The name of each class above its pictures, in every row that has some of them."""
    xyxy, names = sheet.xyxy, []
    groups: list[NDArray[np.float32]] = []
    for place, row in enumerate(order):
        label = int(answers.labels[row])
        first = place == 0 or label != int(answers.labels[order[place - 1]])
        if first or xyxy[place, 1] != xyxy[place - 1, 1]:
            groups.append(xyxy[place].copy())
            names.append(answers.names[label])
        groups[-1][2:] = xyxy[place, 2:]
    boxes = np.array(groups, np.float32).reshape(-1, 4)
    tints = np.full((len(names), 3), HEADING, np.uint8)
    return captions(boxes, names, tints, name="classes")


def _columns(labels: NDArray[np.int64]) -> int:
    """Of the sheet: rows hold whole classes where all have equally many photos."""
    usual = max(1, round(sqrt(2.2 * len(labels))))
    counts = np.unique(np.bincount(labels)) if len(labels) else np.ones(1, np.int64)
    if len(counts) > 1:
        return usual
    each = int(counts[0])
    return each * max(1, round(usual / each))


def _square(picture: UInt8, length: int) -> UInt8:
    """The middle of a picture as a square of `length`."""
    height, width = picture.shape[:2]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    cut = np.ascontiguousarray(picture[y : y + side, x : x + side])
    found: UInt8 = cv2.resize(cut, (length, length), interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    return found
