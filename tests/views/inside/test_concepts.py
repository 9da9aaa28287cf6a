"""Concepts of a folder: found once, placed on the photo, and what depends on them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes
from explorer.views.inside.concepts.panes import tinted
from explorer.views.inside.concepts.view import VIEW
from tests.toys import toy_image
from tests.views.inside.folders import colored, convolutions, looked


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return colored(tmp_path / "photos")


def test_the_colors_of_photos_are_concepts(folder: Path) -> None:
    """`conv1` is red, minus green, and blue - 0.25: what is over zero are red and blue."""
    network = convolutions()
    steps, board, params = looked(
        VIEW, network, folder / "red" / "red0.png", folder, layer="conv1", count=2
    )
    result = steps[-1].value
    found = VIEW.data(result, params)
    directions = found["directions"]
    np.testing.assert_allclose(np.sort(directions.argmax(axis=1)), [0, 2])
    np.testing.assert_allclose(directions.max(axis=1), 1, atol=0.05)
    red = int(directions[:, 0].argmax())
    np.testing.assert_allclose(result.maps[red], 1, atol=0.05)
    np.testing.assert_allclose(result.maps[1 - red], 0, atol=0.05)
    assert all(window.name.startswith("red/") for window in result.found.windows[red][:4])
    assert result.importance[red] > 0.7, "all of the variance, but for the sample's own"
    assert result.importance[1 - red] == pytest.approx(0, abs=0.02)
    boxes = next(e for e in board.pane("concepts").layers if isinstance(e, Boxes))
    assert boxes.keys == (0, 1)
    assert f"depends most on concept {red + 1}" in board.summary


def test_they_are_kept_for_the_next_photo_and_the_next_start(folder: Path) -> None:
    network, runs = convolutions(), []
    first, _, _ = looked(VIEW, network, toy_image(), folder, layer="conv1", count=2)
    again = convolutions()
    handle = again.module.conv1.register_forward_pre_hook(lambda _, given: runs.append(1))
    second, _, _ = looked(VIEW, again, toy_image(), folder, layer="conv1", count=2)
    handle.remove()
    assert len(runs) < 12, "the photos of the folder do not run again"
    np.testing.assert_array_equal(
        first[-1].value.found.directions, second[-1].value.found.directions
    )
    (folder / "red" / "red1.png").unlink()
    third, _, _ = looked(VIEW, again, toy_image(), folder, layer="conv1", count=2)
    assert third[-1].value.found.photos == 11


def test_another_class_depends_in_another_way(folder: Path) -> None:
    network = convolutions()
    slopes = []
    for name in ("red", "green"):
        steps, board, _ = looked(
            VIEW, network, folder / "red" / "red0.png", folder, layer="conv1", count=2, of=name
        )
        slopes.append(steps[-1].value.slope)
        assert name in board.plots[0].title
    assert not np.allclose(slopes[0], slopes[1])


def test_a_layer_without_places_is_a_sentence(folder: Path) -> None:
    with pytest.raises(ExplorerError, match="not positions on the photo"):
        looked(VIEW, convolutions(), toy_image(), folder, layer="fc")


def test_the_automatic_layer_has_maps(folder: Path) -> None:
    steps, _, _ = looked(VIEW, convolutions(), toy_image(), folder)
    assert steps[-1].value.layer == "relu"


def test_places_have_the_color_of_what_is_there_and_others_are_gray() -> None:
    photo = np.full((40, 60, 3), (200, 90, 30), np.uint8)
    maps = np.zeros((2, 1, 2), np.float32)
    maps[0, 0, 0], maps[1, 0, 1] = 1.0, 0.0
    colors = np.array([[255, 0, 0], [0, 0, 255]], np.uint8)
    shown = tinted(photo, maps, (0.0, 0.0, 60.0, 40.0), colors, 1.0)
    assert shown.shape == photo.shape
    left, right = shown[20, 2].astype(int), shown[20, 57].astype(int)
    assert left[0] > left[1] + 60
    assert np.ptp(right) <= 1
    beyond = tinted(photo, maps, (-30.0, -10.0, 90.0, 50.0), colors, 1.0)
    assert beyond.shape == photo.shape
