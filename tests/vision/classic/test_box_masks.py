"""GrabCut and watershed find a plain object in a box; hints decide where colors do not."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.images.pixels import shrunk
from explorer.vision.classic.box_masks import (
    BACKGROUND,
    OBJECT,
    enlarged,
    grab_cut,
    watershed,
)

SQUARE = np.zeros((60, 80), bool)
SQUARE[20:40, 30:55] = True
AROUND = (22.0, 12.0, 64.0, 50.0)


def photo() -> np.ndarray:
    rng = np.random.default_rng(0)
    rgb = np.where(SQUARE[..., None], (200, 60, 40), (40, 90, 160)) + rng.normal(0, 6, (60, 80, 3))
    return rgb.clip(0, 255).astype(np.uint8)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / (one | other).sum())


def test_grab_cut_finds_the_object_and_repeats_itself() -> None:
    rounds = list(grab_cut(photo(), AROUND, 3))
    assert len(rounds) == 3
    assert iou(rounds[-1], SQUARE) > 0.98
    np.testing.assert_array_equal(rounds[-1], list(grab_cut(photo(), AROUND, 3))[-1])
    outside = np.ones_like(SQUARE)
    outside[12:50, 22:64] = False
    assert not rounds[-1][outside].any()


def test_watershed_finds_the_object() -> None:
    found = watershed(photo(), AROUND, 0.3)
    assert iou(found, SQUARE) > 0.85  # the line between the basins belongs to neither
    assert found[30, 42]


def test_hints_are_kept() -> None:
    hints = np.zeros(SQUARE.shape, np.uint8)
    hints[22:26, 32:36] = BACKGROUND
    hints[15:17, 25:29] = OBJECT
    cut = list(grab_cut(photo(), AROUND, 2, hints))[-1]
    for mask in (cut, watershed(photo(), AROUND, 0.3, hints)):
        assert not mask[22:26, 32:36].any()
        assert mask[15:17, 25:29].all()


def test_a_box_without_background_is_one_sentence() -> None:
    with pytest.raises(ExplorerError, match="inside and outside"):
        list(grab_cut(photo(), (0, 0, 80, 60), 1))


def test_smaller_and_back() -> None:
    rgb = np.zeros((60, 80, 3), np.uint8)
    assert shrunk(rgb, 40).shape == (30, 40, 3)
    assert shrunk(rgb, 400) is rgb
    assert iou(enlarged(SQUARE[::2, ::2], (60, 80)), SQUARE) > 0.9
    assert enlarged(SQUARE, (60, 80)) is SQUARE
