"""The confusion matrix: its classes can be read, however many there are."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.core.layers import Board, Heat, Text
from explorer.render.board import render_board
from explorer.render.raster import RasterSurface
from explorer.views.evaluation.evaluation.charts import (
    MOST_NAMED,
    Matrix,
    confusion_pane,
    confusions,
)


def matrix(count: int) -> Matrix:
    counts = np.diag(np.arange(5, 5 + count))
    counts[0, -1] = 2
    names = tuple(f"television monitor {k}"[-18:] for k in range(count))
    return Matrix(names, counts.astype(np.int64), "photos")


def texts(count: int) -> list[Text]:
    layers = confusion_pane(matrix(count), shares=True).layers
    return [layer for layer in layers if isinstance(layer, Text)]


@pytest.mark.parametrize("count", [2, 12, 24])
def test_every_class_is_named_at_its_row_and_numbered_at_its_column(count: int) -> None:
    pane = confusion_pane(matrix(count), shares=True)
    (heat,) = (layer for layer in pane.layers if isinstance(layer, Heat))
    assert heat.extent is not None
    left, top, right, bottom = heat.extent
    assert (right, bottom) == pane.size
    cell = (right - left) / count
    for k, name in enumerate(matrix(count).names):
        rows = [text for text in texts(count) if text.text == f"{k + 1} {name}"]
        assert [text.xy[1] for text in rows] == [top + (k + 0.5) * cell]
        assert rows[0].xy[0] < left
        heads = [text for text in texts(count) if text.text == str(k + 1) and text.xy[1] < top]
        assert [text.xy[0] for text in heads] == [left + (k + 0.5) * cell]


@pytest.mark.parametrize(("count", "words"), [(25, "second"), (60, "third"), (80, "4th")])
def test_of_too_many_only_some_are_named_and_the_picture_says_so(count: int, words: str) -> None:
    found = texts(count)
    assert f"every {words} class named" in [text.text for text in found]
    named = [text for text in found if "television" in text.text or "monitor" in text.text]
    assert count / 4 <= len(named) <= MOST_NAMED


@pytest.mark.parametrize("count", [24, 80])
def test_the_letters_of_an_export_keep_their_size(
    count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts in each other's way would get smaller letters: here none is."""
    written: dict[str, float] = {}
    monkeypatch.setattr(
        RasterSurface, "write",
        lambda _self, text, _at, size, *_a, **_k: written.setdefault(text, size),
    )  # fmt: skip
    render_board(Board(panes=(confusion_pane(matrix(count), shares=True),)), width=1080)
    sizes = {written[text.text] for text in texts(count)}
    assert sizes == {9.0 * 4 / 3}


def test_confusions_name_the_true_and_the_predicted_class() -> None:
    table = confusions(matrix(3))
    assert table.columns == ("true class", "predicted class", "photos", "fraction of the class")
    assert table.rows == ((matrix(3).names[0], matrix(3).names[2], 2, 2 / 7),)


def test_a_matrix_of_nothing_is_an_empty_pane() -> None:
    empty = Matrix((), np.zeros((0, 0), np.int64), "")
    assert confusion_pane(empty, shares=True).layers == ()
