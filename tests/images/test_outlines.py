"""Outlines are COCO's own, and give the very mask back in pycocotools, too."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.images.outlines import filled, polygons, run_lengths

coco = pytest.importorskip("pycocotools.mask")


def random_masks() -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    shapes = rng.integers(1, 14, (150, 2))
    shares = rng.choice([0.2, 0.5, 0.8, 1.0], 150)
    return [rng.random(shape) < share for shape, share in zip(shapes, shares, strict=True)]


@pytest.mark.filterwarnings("ignore:__array__:DeprecationWarning")  # of pycocotools
def test_polygons_give_the_mask_back() -> None:
    for mask in random_masks():
        found = polygons(mask)
        parts = cv2.connectedComponents(mask.astype(np.uint8), connectivity=4)[0] - 1
        assert len(found) == parts
        if parts:
            theirs = coco.decode(coco.merge(coco.frPyObjects(found, *map(int, mask.shape))))
            np.testing.assert_array_equal(theirs, mask)
            np.testing.assert_array_equal(filled(found, mask.shape), mask)


def test_run_lengths_are_pycocotools_own() -> None:
    for mask in random_masks():
        found = run_lengths(mask)
        assert found["counts"] == coco.encode(np.asfortranarray(mask, np.uint8))["counts"].decode()
        np.testing.assert_array_equal(filled(found, (1, 1)), mask)


def test_a_hole_by_hand() -> None:
    mask = np.ones((3, 3), bool)
    mask[1, 1] = False
    (corners,) = polygons(mask)
    x, y = np.array(corners).reshape(-1, 2).T
    assert abs((x * np.roll(y, -1) - np.roll(x, -1) * y).sum()) / 2 == 8
    assert polygons(np.zeros((2, 2), bool)) == []
    assert polygons(np.ones((2, 3), bool)) == [[3.0, 0.0, 3.0, 2.0, 0.0, 2.0, 0.0, 0.0]]


def test_uncompressed_run_lengths() -> None:
    found = filled({"size": [2, 2], "counts": [1, 2, 1]}, (2, 2))
    np.testing.assert_array_equal(found, [[False, True], [True, False]])


@pytest.mark.parametrize("outline", [3, [["a"]], {"counts": "x"}])
def test_what_is_no_outline_is_refused(outline: object) -> None:
    with pytest.raises(ValueError, match="neither polygons nor run lengths"):
        filled(outline, (4, 4))
