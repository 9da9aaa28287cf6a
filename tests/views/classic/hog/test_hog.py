"""What is drawn of a photo's histograms is what the detector was given."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from explorer.annotations.coco import read_coco
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Heat, Lines
from explorer.core.params import FolderRef, Point
from explorer.engine.scene import Scene
from explorer.images.image import from_array, open_image
from explorer.images.samples import sample
from explorer.saving.data import save_data
from explorer.views.classic.hog.panes import MAPS, bin_colors
from explorer.views.classic.hog.result import CORNERS, Result, cell_at
from explorer.views.classic.hog.view import VIEW, Params
from explorer.vision.hog.features import Settings, cell_histograms, describe, gradients
from explorer.vision.hog.files import written
from explorer.vision.hog.template import Template
from tests.data import shared_data

FAST = Params(ratio=1.5, border=1)


def scene() -> Scene:
    shown = sample("astronaut")
    assert shown is not None
    return Scene(None, from_array(shown.load().pixels[:200, 120:260], "astronaut"))


@cache
def answer(params: Params = FAST) -> Result:
    (*_, last) = VIEW.compute(scene(), params)
    assert last.done == last.total
    return last.value


def board(**changes: object) -> Board:
    return VIEW.draw(answer(), replace(FAST, **changes))


def test_the_largest_picture_is_computed_last_and_stands_first() -> None:
    first, *_, last = VIEW.compute(scene(), FAST)
    assert len(first.value.levels) == 1
    widths = [level.picture.pixels.shape[1] for level in last.value.levels]
    assert widths == sorted(widths, reverse=True)
    assert first.value.levels[0].picture.pixels.shape[1] == widths[-1]


def test_a_template_of_hog_training_is_applied(tmp_path: Path) -> None:
    """A part of the photo as the template: the window that fits best is where it was cut."""
    settings = Settings(block=3, bins=6)
    pixels = scene().image.pixels
    weights = describe(pixels, settings)[4:9, 3:9]
    own = Template(weights.copy(), -1.0, settings)
    save_data(tmp_path / "face.npz", written(own))
    params = replace(FAST, trained=FolderRef(str(tmp_path)), border=0)
    (*_, last) = VIEW.compute(scene(), params)
    found = VIEW.data(last.value, params)
    np.testing.assert_array_equal(found["weights"], weights)
    np.testing.assert_allclose(found["window"], [24, 32, 88, 88], atol=1e-3)
    assert found["window_score"] == pytest.approx(float(np.square(weights).sum()) - 1, rel=1e-4)
    shown = VIEW.draw(last.value, params)
    assert "56" in shown.summary
    with pytest.raises(ExplorerError, match="does not exist"):
        list(VIEW.compute(scene(), replace(FAST, trained=FolderRef(str(tmp_path / "none")))))


def test_the_window_and_its_parts_add_up() -> None:
    found = VIEW.data(answer(), FAST)
    result = answer()
    assert found["window_score"] == pytest.approx(result.windows.scores.max())
    assert found["contributions"].sum() + found["bias"] == pytest.approx(
        found["window_score"], abs=1e-4
    )
    words = board().pane("window").title
    assert f"score {found['window_score']:.2f}" in words
    assert float(np.nanmax(result.best)) == pytest.approx(found["window_score"], abs=1e-6)


@pytest.mark.parametrize("changes", [{}, {"cell": 6, "block": 3, "bins": 5, "signed": True}])
@pytest.mark.parametrize("corner", CORNERS)
def test_a_block_is_that_of_the_level(changes: dict[str, object], corner: str) -> None:
    result = answer(replace(FAST, **changes))
    for level, at in ((0, (3.0, 2.0)), (0, (70.0, 90.0)), (1, (138.0, 198.0))):
        cell = cell_at(result, level, at, corner)
        expected = result.blocks[level][cell.block]
        np.testing.assert_allclose(cell.steps[-1][1], expected.ravel(), atol=1e-5)
        settings = result.settings
        whole = gradients(result.levels[level].picture.pixels)
        votes = cell_histograms(whole, settings)[cell.row, cell.column]
        np.testing.assert_allclose(cell.histogram, votes, rtol=1e-4, atol=1e-4)
        inside = cell.row - cell.block[0], cell.column - cell.block[1]
        assert cell.inside == inside
        assert 0 <= min(inside) <= max(inside) < settings.block


def test_a_click_chooses_the_cell() -> None:
    drawn = board(at=Point(70.0, 90.0), scale=1)
    bars = next(plot for plot in drawn.plots if plot.name == "cell")
    cell = cell_at(answer(), 0, (70.0, 90.0), CORNERS[0])
    assert f"row {cell.row}, column {cell.column}" in bars.title
    assert [value for _, value, _ in bars.bars] == pytest.approx(cell.histogram.tolist())
    assert [name for name, _, _ in bars.bars][:2] == ["10°", "30°"]
    table = next(table for table in drawn.tables if table.name == "block")
    assert len(table.rows) == 36
    assert [row[-1] for row in table.rows] == pytest.approx(cell.steps[-1][1].tolist(), abs=1e-4)


def test_the_cell_lies_in_the_photo_where_it_was_clicked() -> None:
    boxes = {
        layer.name: layer
        for layer in board(at=Point(70.0, 90.0), scale=2).pane("hog").layers
        if isinstance(layer, Boxes)
    }
    x0, y0, x1, y1 = boxes["cell"].xyxy[0].tolist()
    assert x0 <= 70 <= x1
    assert y0 <= 90 <= y1
    outer = boxes["block"].xyxy[0]
    assert (outer[2:] - outer[:2]).tolist() == pytest.approx([2 * (x1 - x0), 2 * (y1 - y0)])


def test_glyphs_cover_the_photo_without_its_border() -> None:
    heat = next(layer for layer in board(scale=1).pane("hog").layers if isinstance(layer, Heat))
    assert heat.extent is not None
    x0, y0, x1, y1 = heat.extent
    assert (x0, y0) == pytest.approx((0, 0))
    assert 130 <= x1 <= 141
    assert 190 <= y1 <= 201


def test_a_scale_has_its_own_map() -> None:
    all_scales, one = (board(map=word, scale=1).pane("scores") for word in MAPS)
    values = [
        next(layer for layer in pane.layers if isinstance(layer, Heat)).values
        for pane in (all_scales, one)
    ]
    np.testing.assert_array_equal(values[1], answer().levels[0].scores)
    assert np.nanmax(values[0]) >= values[1].max() - 1e-6
    assert one.title == f"Score, scale 1 of {len(answer().levels)}"


def test_a_lower_threshold_shows_more_and_a_high_one_says_what_to_do() -> None:
    few, many = (board(score=score).boxes("windows") for score in (0.5, -2.0))
    assert few is not None
    assert many is not None
    assert len(few.xyxy) < len(many.xyxy)
    assert "Open a photo of people" in " ".join(board(score=5.0).notes)
    chosen = many.keys[-1]
    assert f"Window {chosen + 1}:" in board(score=-2.0, window=chosen).pane("window").title


def test_gradients_are_arrows_in_the_colors_of_the_bars() -> None:
    drawn = board()
    lines = next(layer for layer in drawn.pane("block").layers if isinstance(layer, Lines))
    assert 0 < len(lines.segments) <= 256
    assert {tuple(color) for color in lines.colors.tolist()} <= set(bin_colors(9))
    middles = (lines.segments[:, :2] + lines.segments[:, 2:]) / 2
    np.testing.assert_allclose(middles % 1, 0.5, atol=1e-4)
    assert len(set(bin_colors(18))) == 18


def test_blocks_larger_than_the_window_are_refused() -> None:
    with pytest.raises(ExplorerError, match="wider than a window"):
        list(VIEW.compute(scene(), replace(FAST, cell=24, block=4)))


def slow(*values: object) -> object:
    return pytest.param(*values, marks=pytest.mark.slow)


@pytest.mark.parametrize(
    ("name", "people", "others"),
    [
        ("000000000532.jpg", 2, 0),
        slow("000000000077.jpg", 1, 0),
        slow("000000000536.jpg", 1, 2),
        slow("000000000542.jpg", 1, 0),
        slow("000000000569.jpg", 1, 0),
    ],
)
def test_people_are_found_where_people_stand(name: str, people: int, others: int) -> None:
    """By COCO's own boxes, of people who stand upright and are tall enough."""
    root = shared_data("coco-mini")
    if root is None:
        pytest.skip("needs coco-mini")
    (photo,) = (p for p in read_coco(root / "instances.json", only=name) if p.name == name)
    tall = [b for b in photo.boxes if b.label == "person" and b.y1 - b.y0 > 100]
    params = Params(score=0.5 if people == 2 else 0.3)
    (*_, last) = VIEW.compute(Scene(None, open_image(root / "images" / name)), params)
    windows = VIEW.data(last.value, params)["boxes"]
    # A window of the template has a margin of 16 pixels around a person of 96 pixels.
    middles = (windows[:, :2] + windows[:, 2:]) / 2
    heights = windows[:, 3] - windows[:, 1]
    fits = np.array(
        [
            (middles[:, 0] > person.x0) & (middles[:, 0] < person.x1)
            & (middles[:, 1] > person.y0) & (middles[:, 1] < person.y1)
            & (heights > 0.9 * (person.y1 - person.y0))
            & (heights < 1.7 * (person.y1 - person.y0))
            for person in tall
        ]
    )  # fmt: skip
    assert fits.any(axis=1).sum() >= people
    assert (~fits.any(axis=0)).sum() <= others
