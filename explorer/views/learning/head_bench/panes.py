"""The pictures of a training of heads: the open photo and the held-out examples."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Boxes, Lines, Pane, Picture, Points
from explorer.core.listing import quantity
from explorer.training.heads.sets import JOINTS
from explorer.views.shared.anchors import same, truth_layer
from explorer.views.shared.common import percent, size_of
from explorer.views.shared.folders.answers import GRAY, ORANGE, Answers, answers_pane

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.layers import Float32, Layer
    from explorer.core.values import Box
    from explorer.training.heads.report import Report, Tested
    from explorer.views.shared.folders.sheet import Sheet

WHITE = (255, 255, 255)
_CLASS_SIDE, _PLACE_SIDE = 72, 112


def photo_pane(report: Report, photo: Picture, drawn: Sequence[Box]) -> Pane:
    """The open photo with what the new network outputs for it, and with the boxes drawn on it."""
    layers: list[Layer] = [photo, *truth_layer(drawn)]
    title = "This photo"
    found = report.photo
    if found is not None:
        word = ""
        if len(found.probabilities):
            best = int(found.probabilities.argmax())
            word = f"{report.names[best]} {percent(float(found.probabilities[best]))}"
            title = f"This photo: {word}"
        if len(found.boxes):
            labels = report.names if len(found.boxes) > 1 else (word or "predicted box",)
            layers.append(
                Boxes(
                    found.boxes.astype(np.float32), same(ORANGE, len(found.boxes)), labels,
                    width=3.0, selectable=False, name="predicted",
                )
            )  # fmt: skip
        if len(found.points):
            layers += _joints(found.points, ORANGE)
    return Pane("image", size_of(photo), tuple(layers), title=title)


def _joints(points: Float32, color: tuple[int, int, int]) -> list[Layer]:
    labels = tuple(str(number + 1) for number in range(len(points)))
    return [Points(points.astype(np.float32), same(color, len(points)), 5.0, labels, "joints")]


def tests_pane(report: Report) -> Pane:
    """The held-out examples, a red frame around wrong classes, and their boxes."""
    tests = report.tests
    places = report.has_boxes or report.kind == JOINTS
    answers = Answers(
        tuple(test.picture for test in tests), np.array([t.label for t in tests], np.int64),
        np.array([t.predicted for t in tests], np.int64), report.names,
    )  # fmt: skip
    what = "held-out example" if report.held_out else "training example"
    title = quantity(len(tests), what)
    if places and tests:
        title += ", ground truth dotted"
    return answers_pane(
        answers, title, side=_PLACE_SIDE if places else _CLASS_SIDE,
        more=lambda sheet, order: _on_sheet(tests, sheet, order),
    )  # fmt: skip


def _on_sheet(tests: Sequence[Tested], sheet: Sheet, order: Sequence[int]) -> tuple[Layer, ...]:
    """True and predicted places of every example."""
    truth, found, lines, points = [], [], [], []
    for place, row in enumerate(order):
        test = tests[row]
        x, y, right, _ = sheet.xyxy[place].tolist()
        scale = (right - x) / test.picture.shape[1]
        shift = np.array([x, y, x, y], np.float32)
        truth += list(test.truth * scale + shift)
        found += list(test.boxes * scale + shift)
        if len(test.found):
            ends = np.concatenate([test.points, test.found], axis=1) * scale + shift
            lines += list(ends)
            points += list(ends[:, 2:])
    layers: list[Layer] = []
    for name, boxes, color in (("truth", truth, WHITE), ("predicted", found, ORANGE)):
        if boxes:
            rows = np.array(boxes, np.float32)
            layers.append(
                Boxes(
                    rows, same(color, len(rows)), width=1.5, dotted=name == "truth",
                    selectable=False, name=name,
                )
            )  # fmt: skip
    if lines:
        rows = np.array(lines, np.float32)
        layers.append(Lines(rows, same(GRAY, len(rows)), name="errors"))
        places = np.array(points, np.float32)
        layers.append(Points(places, same(ORANGE, len(places)), 2.5, name="joints"))
    return tuple(layers)


def example_pane(report: Report, row: int) -> Pane:
    """One example in full size."""
    test = report.tests[row]
    height, width = test.picture.shape[:2]
    layers: list[Layer] = [Picture(test.picture, smooth=True, name="example")]
    for name, boxes, color in (("truth", test.truth, WHITE), ("predicted", test.boxes, ORANGE)):
        if len(boxes):
            layers.append(
                Boxes(
                    boxes, same(color, len(boxes)), width=2.0, dotted=name == "truth",
                    selectable=False, name=name,
                )
            )  # fmt: skip
    for points, color in ((test.points, WHITE), (test.found, ORANGE)):
        if len(points):
            layers += _joints(points, color)
    words = report.names[test.label]
    if test.predicted >= 0:
        words += f": predicted {report.names[test.predicted]}"
    return Pane(
        "example", (float(width), float(height)), tuple(layers), title=words, frame=f"example {row}"
    )
