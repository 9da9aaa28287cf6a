"""Masks of any format become the indices that a parameter is painted with."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.annotations.masks import mask_for, read_list, read_numbers
from explorer.core.errors import ExplorerError
from explorer.evaluation.masks.folders import read_mask

CLASSES = ("cat", "dog")


def coco(path: Path, **changes: object) -> Path:
    square = {
        "id": 1, "image_id": 1, "category_id": 7, "bbox": [0, 0, 3, 2], "area": 6,
        "segmentation": [[0, 0, 3, 0, 3, 2, 0, 2]],
    }  # fmt: skip
    content = {
        "images": [{"id": 1, "file_name": "p.png", "width": 6, "height": 4}],
        "annotations": [square | changes],
        "categories": [{"id": 7, "name": "Dog"}, {"id": 9, "name": "zebra"}],
    }
    path.write_text(json.dumps(content))
    return path


def png(path: Path, array: np.ndarray) -> Path:
    Image.fromarray(array).save(path)
    return path


def test_coco_by_the_names_of_the_classes(tmp_path: Path) -> None:
    mask, notes = mask_for(coco(tmp_path / "a.json"), "p.png", (6, 4), CLASSES)
    expected = np.zeros((4, 6), np.uint8)
    expected[:2, :3] = 2
    np.testing.assert_array_equal(mask.index(), expected)
    assert notes == ()
    plain, _ = mask_for(coco(tmp_path / "a.json"), "p.png", (6, 4), ())
    np.testing.assert_array_equal(plain.index(), expected > 0)


def test_an_unknown_class_is_one_sentence(tmp_path: Path) -> None:
    path = coco(tmp_path / "a.json", category_id=9)
    mask, notes = mask_for(path, "p.png", (6, 4), CLASSES)
    assert not mask.index().any()
    assert notes == (
        "1 object of a class that the network does not have counts as background (zebra).",
    )


def test_crowds_are_not_counted(tmp_path: Path) -> None:
    mask, _ = mask_for(coco(tmp_path / "a.json", iscrowd=1), "p.png", (6, 4), CLASSES)
    assert (mask.index()[:2, :3] == 255).all()


def test_an_indexed_png_by_its_list(tmp_path: Path) -> None:
    index = np.array([[0, 3], [5, 255]], np.uint8)
    (tmp_path / "classes.yaml").write_text("classes:\n  0: background\n  3: dog\n  5: zebra\n")
    mask, notes = mask_for(png(tmp_path / "m.png", index), "p.png", (2, 2), CLASSES)
    assert mask.index().tolist() == [[0, 2], [0, 255]]
    assert "zebra" in notes[0]


def test_without_a_list_the_numbers_are_the_indices(tmp_path: Path) -> None:
    index = np.array([[0, 2], [1, 255]], np.uint8)
    mask, notes = mask_for(png(tmp_path / "m.png", index), "p.png", (2, 2), CLASSES)
    np.testing.assert_array_equal(mask.index(), index)
    assert notes == ()


def test_what_does_not_fit_is_one_sentence(tmp_path: Path) -> None:
    small = png(tmp_path / "m.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ExplorerError, match="has 2 x 2 pixels, but the photo has 6 x 4"):
        mask_for(small, "p.png", (6, 4), CLASSES)
    with pytest.raises(ExplorerError, match="has no masks of other"):
        mask_for(coco(tmp_path / "a.json"), "other.png", (6, 4), CLASSES)
    with pytest.raises(ExplorerError, match="has no masks of p"):
        mask_for(coco(tmp_path / "a.json", segmentation=None), "p.png", (6, 4), CLASSES)
    colors = png(tmp_path / "c.png", np.zeros((2, 2, 3), np.uint8))
    with pytest.raises(ExplorerError, match="colors instead of class indices"):
        read_numbers(colors)
    deep = png(tmp_path / "d.png", np.zeros((2, 2), np.uint16))
    with pytest.raises(ExplorerError, match="more than 255 classes"):
        read_numbers(deep)


def test_lists_of_too_many_classes(tmp_path: Path) -> None:
    listing = tmp_path / "classes.yaml"
    listing.write_text("classes:\n" + "".join(f"  {k}: c{k}\n" for k in range(300)))
    with pytest.raises(ExplorerError, match="more than 255 classes"):
        read_list(listing)


def test_masks_of_a_data_set_must_fit_their_photos(tmp_path: Path) -> None:
    mask, photo = png(tmp_path / "m.png", np.full((2, 3), 4, np.uint8)), tmp_path / "p.jpg"
    np.testing.assert_array_equal(read_mask(mask, photo, (2, 3), frozenset({4})), 4)
    with pytest.raises(ExplorerError, match=r"m.png has 3 x 2 pixels, but p.jpg has 5 x 4"):
        read_mask(mask, photo, (4, 5), frozenset({4}))
    with pytest.raises(ExplorerError, match="has the number 4"):
        read_mask(mask, photo, (2, 3), frozenset({1}))
