"""Exported masks re-import to the same masks, as PNG and in both of COCO's forms."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from explorer.annotations.coco import read_coco
from explorer.core.errors import ExplorerError
from explorer.core.values import Mask
from explorer.evaluation.masks.folders import read_mask, read_mask_folder
from explorer.images.outlines import filled, run_lengths
from explorer.saving.boxes import ImageInfo, LabeledBoxes, boxes_of, save_boxes
from explorer.saving.masks import IndexedMask, save_mask


def two_masks() -> np.ndarray:
    masks = np.zeros((2, 20, 30), bool)
    masks[0, 2:9, 3:14] = True
    masks[0, 4:6, 5:8] = False
    masks[1, 8:, 20:] = True
    masks[1, 3, 25] = True
    return masks


@pytest.mark.parametrize("kind", ["coco", "coco-polygons"])
def test_coco_comes_back_as_it_was(tmp_path: Path, kind: str) -> None:
    masks = two_masks()
    data = {
        "boxes": np.array([[3, 2, 14, 9], [20, 3, 30, 20]], np.float32),
        "labels": np.array([1, 2]),
        "classes": ("background", "cat", "dog"),
        "segmentations": [run_lengths(mask) for mask in masks],
    }
    boxes = boxes_of(data)
    assert boxes is not None
    save_boxes(tmp_path / "a.json", boxes, ImageInfo("p.png", 30, 20), kind)  # type: ignore[arg-type]
    content = json.loads((tmp_path / "a.json").read_text())
    assert [row["area"] for row in content["annotations"]] == masks.sum(axis=(1, 2)).tolist()
    (photo,) = read_coco(tmp_path / "a.json").photos
    for entry, mask in zip(photo.entries, masks, strict=True):
        assert isinstance(entry.segmentation, list) == (kind == "coco-polygons")
        np.testing.assert_array_equal(filled(entry.segmentation, (20, 30)), mask)


def test_boxes_need_as_many_outlines() -> None:
    with pytest.raises(ValueError, match="2 boxes need 2 outlines, got 1"):
        LabeledBoxes(np.zeros((2, 4), np.float32), ("a", "b"), outlines=({},))


def test_an_indexed_png_and_its_classes_come_back(tmp_path: Path) -> None:
    index = np.zeros((20, 30), np.int32)
    index[two_masks()[0]] = 3
    index[0] = 255
    (tmp_path / "masks").mkdir()
    save_mask(tmp_path / "masks" / "p.png", IndexedMask(index, {0: "background", 3: "cat"}))
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(tmp_path / "p.png")
    found = read_mask_folder(tmp_path / "masks", tmp_path)
    assert found.classes == {0: "background", 3: "cat"}
    ((photo, mask),) = found.pairs
    assert photo == tmp_path / "p.png"
    np.testing.assert_array_equal(read_mask(mask, photo, (20, 30), found.known), index)
    np.testing.assert_array_equal(Mask.read(mask.read_bytes()).index(), index)


def test_other_classes_in_the_folder_are_refused(tmp_path: Path) -> None:
    blank = np.zeros((2, 2), np.int32)
    save_mask(tmp_path / "a.png", IndexedMask(blank, {1: "cat"}))
    save_mask(tmp_path / "b.png", IndexedMask(blank, {1: "cat"}))
    with pytest.raises(ExplorerError, match="lists classes other than"):
        save_mask(tmp_path / "c.png", IndexedMask(blank, {1: "dog"}))
    assert not (tmp_path / "c.png").exists()


def test_more_classes_than_a_png_holds(tmp_path: Path) -> None:
    names = {k: f"class {k}" for k in range(256)}
    with pytest.raises(ExplorerError, match="room for 254"):
        save_mask(tmp_path / "a.png", IndexedMask(np.zeros((2, 2), np.int32), names))
    with pytest.raises(ExplorerError, match="does not end in"):
        save_mask(tmp_path / "a.jpg", IndexedMask(np.zeros((2, 2), np.int32), {1: "a"}))
