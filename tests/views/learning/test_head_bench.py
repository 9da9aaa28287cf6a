"""A head on one's own photos: the board, and the button that keeps the network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.core.layers import Boxes
from explorer.core.params import FolderRef
from explorer.core.values import Box
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.views.learning.head_bench.view import NEXT, VIEW, Params, keep
from tests.steps import finish
from tests.toys import toy_image
from tests.views.inside.folders import colored, convolutions, looked


def test_the_board_of_a_folder(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos")
    steps, board, params = looked(
        VIEW, convolutions(), toy_image(), folder, steps=60, rate=0.05, words=True
    )
    assert [pane.name for pane in board.panes] == ["image", "tests"]
    assert board.panes[0].title.startswith("This photo: ")
    assert "held-out accuracy 100.0%" in board.summary
    assert [plot.name for plot in board.plots] == ["metrics", "loss"]
    (table,) = board.tables
    assert [row[0] for row in table.rows][:2] == ["most frequent class", "bag of visual words, SVM"]
    assert NEXT not in board.notes
    result = steps[-1].value
    frames = board.boxes("tests")
    assert isinstance(frames, Boxes)
    assert len(frames.xyxy) == len(result.report.tests)
    large = VIEW.draw(result, Params(chosen=1))
    assert large.panes[-1].name == "example"
    assert VIEW.data is not None
    found = VIEW.data(result, params)
    assert found["predicted"] == found["labels"]
    np.testing.assert_allclose(np.sum(found["probabilities"]), 1.0, rtol=1e-5)


def test_boxes_that_were_drawn_are_used_and_the_network_is_kept() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[:, :30] = (220, 20, 20)
    pixels[:, 30:] = (20, 20, 220)
    boxes = tuple(
        Box(x, y, x + 12, y + 9, "red" if x < 30 else "blue")
        for x in (2, 16, 32, 46) for y in (2, 20)
    )  # fmt: skip
    scene = Scene(convolutions(), from_array(pixels, "halves"), seed=1)
    params = Params(boxes=boxes, steps=50, rate=0.05)
    steps = list(VIEW.compute(scene, params))
    report = steps[-1].value.report
    assert report.names == ("red", "blue")
    assert report.value("held-out accuracy") == 1.0
    assert len(steps) > 5
    new, again = finish(keep(scene, params))
    assert len(again) == 1, "what was trained is not trained again"
    assert new.classes == ("red", "blue")
    assert "drawn boxes" in new.note
    assert dict(new.metrics)["held-out accuracy"] == 1.0


def test_without_photos_the_samples_are_used_and_the_next_step_is_named() -> None:
    scene = Scene(convolutions(), toy_image())
    first = next(VIEW.compute(scene, Params()))
    assert VIEW.draw(first.value, Params()).notes[0] == NEXT


@pytest.mark.parametrize("trained", ["box", "K boxes", "K joints", "class and box"])
def test_other_heads_need_another_network(trained: str) -> None:
    scene = Scene(convolutions(), toy_image())
    with pytest.raises(Exception, match="EfficientNet-Lite0"):
        list(VIEW.compute(scene, Params(FolderRef("/nowhere"), trained=trained)))
