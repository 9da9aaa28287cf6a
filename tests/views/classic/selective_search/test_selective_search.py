"""What the view says of the tree, on a picture whose tree is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explorer.core.layers import Board, Boxes, Masks, Picture, Plot, Table
from explorer.core.params import Box, Point
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.views.classic.selective_search.boxes import SHOWN
from explorer.views.classic.selective_search.tree import Grown
from explorer.views.classic.selective_search.view import VIEW, Params, Result
from explorer.vision.classic.selective_search import (
    MODES,
    TERMS,
    Strategy,
    ranked,
    regions,
    segment_tree,
)
from tests.toys import toy_network

RED, ORANGE, GREEN, BLUE = (200, 0, 0), (200, 60, 0), (0, 200, 0), (0, 0, 200)
PARAMS = Params(space="RGB")


LABELS = np.kron([[0, 1], [2, 3]], np.ones((24, 24))).astype(np.int32)
SQUARES = np.array([RED, ORANGE, GREEN, BLUE], np.uint8)[LABELS]


def known(params: Params) -> Result:
    """Red and a red with some green above green and blue, each square one superpixel."""
    strategy = Strategy("RGB", 100.0, tuple(term for term in TERMS if getattr(params, term)))
    tree = segment_tree(SQUARES, strategy, labels=LABELS)
    grown = Grown.of(Picture(SQUARES), tree, SQUARES, (1.0, 1.0), strategy, 0.5)
    return Result(grown, ranked([tree.regions.boxes]), 0.5, 1, 1)


def answer(scene: Scene, params: Params) -> Result:
    (*_, last) = VIEW.compute(scene, params)
    assert last.done == last.total
    return last.value


def drawn(params: Params) -> Board:
    return VIEW.draw(known(params), params)


def layer(board: Board, name: str) -> Masks:
    (found,) = (each for each in board.pane("image").layers if each.name == name)
    assert isinstance(found, Masks)
    return found


def table(board: Board, name: str) -> Table:
    return next(each for each in board.tables if each.name == name)


def plot(board: Board, name: str) -> Plot:
    return next(each for each in board.plots if each.name == name)


def photo_like(seed: int = 0) -> Scene:
    rng = np.random.default_rng(seed)
    pixels = rng.integers(0, 40, (90, 120, 3))
    for _ in range(10):
        x, y = rng.integers(0, 80), rng.integers(0, 60)
        pixels[y : y + 24, x : x + 30] = (
            rng.integers(0, 210, 3) + rng.integers(0, 40, (24, 30, 3))[: 90 - y, : 120 - x]
        )
    image = from_array(pixels.clip(0, 255).astype(np.uint8), "made")
    return Scene(toy_network("classification"), image, seed=3)


def test_the_slider_goes_from_superpixels_to_the_photo() -> None:
    result = known(PARAMS)
    assert result.grown.tree.leaves == 4
    for merged, left in ((0.0, 4), (20.0, 3), (50.0, 2), (100.0, 1)):
        board = VIEW.draw(result, replace(PARAMS, merged=merged))
        index = layer(board, "regions").index
        assert len(np.unique(index)) == left
        assert board.pane("image").title.startswith(f"{left} of 4 regions left")
        assert plot(board, "merges").marker == merged
    assert "whole photo" in VIEW.draw(result, replace(PARAMS, merged=100.0)).summary


def test_regions_are_painted_in_their_mean_color() -> None:
    found = layer(drawn(replace(PARAMS, merged=0.0)), "regions")
    np.testing.assert_array_equal(found.colors[found.index], SQUARES)
    # Without a word about size the two reds are the most similar: they become their mean.
    params = replace(PARAMS, merged=20.0, texture=False, size=False, fill=False)
    found = layer(drawn(params), "regions")
    assert found.colors[found.index[5, 5]].tolist() == [200, 30, 0]
    assert found.index[5, 5] == found.index[5, 40] != found.index[40, 5]


def test_a_click_chooses_the_region_there() -> None:
    params = replace(PARAMS, merged=0.0, at=Point(30.0, 5.0))  # the upper right square
    board = drawn(params)
    marked = layer(board, "chosen").index
    assert (marked[:24, 24:] == 0).all()
    assert (marked[24:, :24] == -1).all(), "it touches the corner only"
    box = board.boxes("chosen box")
    assert box is not None
    assert box.xyxy.tolist() == [[24, 0, 48, 24]]
    assert box.labels == ("region 1",)
    assert len(table(board, "neighbors").rows) == 2


def test_the_table_holds_the_terms_of_the_formulas() -> None:
    params = replace(PARAMS, merged=0.0, at=Point(5.0, 5.0), texture=False)
    board = drawn(params)
    rows = {row[0]: row for row in table(board, "neighbors").rows}
    right, below = 1, 2
    # 25 bins: 60 is in another one than 0. Red and orange share the bins of red and of no blue,
    # red and green that of no blue. All are a quarter: size 1 - 1/2, fill 1 - (1/2 - 1/2).
    assert rows[right][2] == pytest.approx(2 / 3, abs=1e-3)
    assert rows[below][2] == pytest.approx(1 / 3, abs=1e-3)
    for row in rows.values():
        assert row[4:6] == (0.5, 1.0)
        assert row[6] == pytest.approx(row[2] + 1.5, abs=2e-3), "texture is off"
    columns = table(board, "neighbors").columns
    assert "texture (off)" in columns
    assert {label.split()[1] for label, _, _ in plot(board, "terms").bars} == set(TERMS) - {
        "texture"
    }


def test_what_merges_next_is_what_merges() -> None:
    made = photo_like()
    result = answer(made, Params())
    grown, tree = result.grown, result.grown.tree
    assert tree.leaves > 6
    for merged in (0.0, 30.0, 70.0):
        left = grown.left(merged)
        pair = set(tree.children[tree.leaves - left].tolist())
        board = VIEW.draw(result, Params(merged=merged))
        marked = layer(board, "chosen").index
        held = tree.level(left)[tree.labels]
        assert set(np.unique(held[marked == 0])) | set(np.unique(held[marked == 1])) == pair
        assert "next" in board.summary


def test_a_clicked_region_stays_the_one_at_its_place() -> None:
    made = photo_like(1)
    result = answer(made, Params())
    grown, tree = result.grown, result.grown.tree
    at = Point(61.0, 44.0)
    before = 0
    for merged in np.linspace(0, 100, 12):
        board = VIEW.draw(result, Params(merged=float(merged), at=at))
        marked = layer(board, "chosen").index
        assert marked[44, 61] == 0
        size = int((marked == 0).sum())
        region = int(tree.level(grown.left(float(merged)))[tree.labels[44, 61]])
        assert size == tree.regions.sizes[region] >= before
        before = size
        sibling = np.isin(marked, [1])
        parent = grown.parents[region]
        if parent >= 0:
            other = tree.children[parent - tree.leaves].sum() - region
            assert sibling.sum() == tree.regions.sizes[other]


def test_switches_choose_the_terms() -> None:
    params = replace(PARAMS, color=False, fill=False)
    made = photo_like()
    tree = answer(made, params).grown.tree
    strategy = Strategy("RGB", 100.0, ("texture", "size"))
    alone = segment_tree(made.image.pixels, strategy)
    assert tree.weights == (0.0, 1.0, 1.0, 0.0)
    np.testing.assert_array_equal(tree.children, alone.children)
    none = replace(PARAMS, color=False, texture=False, size=False, fill=False)
    assert "terms are off" in drawn(none).notes[0]


def test_proposals_are_those_of_the_search() -> None:
    made = photo_like(2)
    params = Params(mode="fast", most=10_000)
    steps = list(VIEW.compute(made, params))
    assert [step.done for step in steps] == [0, 2, 4, 6, len(MODES["fast"])]
    result = steps[-1].value
    expected = regions(made.image.pixels, "fast", seed=3, most=None)
    np.testing.assert_array_equal(result.proposals, expected)
    shown = VIEW.draw(result, params).boxes("proposals")
    assert shown is not None
    np.testing.assert_array_equal(shown.xyxy, expected)
    again = list(VIEW.compute(made, replace(params, randomized=False)))[-1].value
    assert again.seconds == result.seconds, "nothing is grown twice"
    np.testing.assert_array_equal(again.proposals[0], [0, 0, 120, 90])


@pytest.mark.parametrize("shown", SHOWN)
def test_which_boxes_are_shown(shown: str) -> None:
    params = replace(PARAMS, shown=shown, merged=50.0)
    board = drawn(params)
    boxes = board.boxes("proposals")
    assert boxes is not None
    assert len(boxes.xyxy) == {"top-ranked": 7, "this level": 2, "so far": 6}[shown]
    rows = table(board, "proposals").rows
    assert [row[1:5] for row in rows] == [tuple(map(float, box)) for box in boxes.xyxy.tolist()]


def test_recall_with_ground_truth() -> None:
    found, half, missed = Box(24, 0, 48, 24), Box(0, 24, 24, 40), Box(10, 10, 14, 14)
    params = replace(PARAMS, merged=0.0, shown="this level", truth=(found, half, missed))
    board = drawn(params)
    best = board.boxes("best")
    assert isinstance(best, Boxes)
    assert best.labels == ("IoU 1.00", "IoU 0.67", "IoU 0.03")
    # Found at all ten thresholds, at .5 .55 .6 .65, at none.
    assert "find 2 of 3 objects at IoU 0.5, average recall 0.47" in board.summary
    curve = plot(board, "recall")
    assert curve.steers == "most"
    assert curve.curves[0].y[-1] == pytest.approx(2 / 3)
    assert table(board, "proposals").columns[-1] == "IoU"
    assert not [each for each in drawn(PARAMS).plots if each.name == "recall"]


def test_boxes_of_a_large_photo_are_in_its_pixels() -> None:
    large = np.ascontiguousarray(SQUARES.repeat(9, axis=0).repeat(9, axis=1))
    made = Scene(toy_network("classification"), from_array(large, "large"))
    params = replace(PARAMS, side=144, merged=0.0, at=Point(330.0, 330.0))
    result = answer(made, params)
    assert result.grown.tree.labels.shape == (144, 144)
    board = VIEW.draw(result, params)
    box = board.boxes("chosen box")
    assert box is not None
    np.testing.assert_allclose(box.xyxy, [[216, 216, 432, 432]], atol=4 * 432 / 144)
    assert layer(board, "regions").extent == (0, 0, 432, 432)
    readout = board.pane("image").readout
    assert readout is not None
    assert "of the photo" in readout(431.0, 10.0)
    assert readout(432.0, 10.0) == ""


def test_a_redraw_touches_only_what_has_changed() -> None:
    result = answer(photo_like(), Params())
    first = VIEW.draw(result, Params())
    other = VIEW.draw(result, Params(at=Point(3.0, 3.0)))
    assert layer(first, "regions") is layer(other, "regions")
    assert first.boxes("proposals") is other.boxes("proposals")
    paler = VIEW.draw(result, Params(opacity=0.3))
    assert layer(paler, "regions").index is layer(first, "regions").index
