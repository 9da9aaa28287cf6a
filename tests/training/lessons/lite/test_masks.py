import json
from dataclasses import replace

import cv2
import numpy as np
import torch
from safetensors.torch import save_file

from explorer.networks.embedded import lite_fasterrcnn
from explorer.training.data.canvases import UNSURE_PIXEL, Canvas
from explorer.training.data.pool import masked, read_pool
from explorer.training.lessons.lite import masks
from explorer.training.lessons.lite.detector import agnostic
from explorer.training.lessons.lite.masks import (
    RECIPE,
    MaskTask,
    mask_figures,
    mask_loss,
    mask_values,
    masks_in,
    outlined,
    outlined_photos,
    task,
)
from explorer.training.lessons.registry import Material
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")
NAMES = ("background", "person", "airplane", "kite")
VALUES = mask_values(NAMES)


def canvas(boxes, labels, mask):
    return Canvas(
        np.zeros((*mask.shape, 3), np.uint8), np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64), np.zeros((0, 4), np.float32), mask,
    )  # fmt: skip


def test_the_words_of_voc_and_coco_are_matched():
    assert VALUES.tolist() == [-1, 15, 1, -1]


def test_only_objects_that_the_mask_tells_apart_are_learned_from():
    mask = np.zeros((100, 100), np.uint8)
    mask[10:40, 10:40] = 15
    person, plane = [10, 10, 40, 40], [60, 60, 90, 90]
    assert outlined(canvas([person], [1], mask), VALUES) == [0]
    assert outlined(canvas([plane], [2], mask), VALUES) == [], "the mask does not show it"
    assert outlined(canvas([person], [3], mask), VALUES) == [], "no class of the masks"
    near = [25, 10, 55, 40]
    assert outlined(canvas([person, near], [1, 1], mask), VALUES) == []
    assert outlined(canvas([person, near], [1, 2], mask), VALUES) == [0]
    assert outlined(replace(canvas([person], [1], mask), mask=None), VALUES) == []


def test_only_the_mask_branch_learns(tmp_path):
    folder = write_pool(tmp_path / "pool", masks=True)
    pool = masked(read_pool(folder, least=3), folder)
    recipe = replace(RECIPE, batch=2, epochs=0.7)
    detector = agnostic(lite_fasterrcnn(len(pool.names))).state_dict()
    lesson = MaskTask(pool=pool, weights=detector, recipe=recipe)
    torch.manual_seed(recipe.seed)
    before = lesson.build().state_dict()
    after = train(lesson, recipe, tmp_path / "out", device=CPU, dtype=torch.float32).model
    moved = {n for n, value in after.state_dict().items() if not torch.equal(before[n], value)}
    assert moved
    assert all(name.startswith("roi_heads.mask_") for name in moved)


def test_unsure_pixels_teach_nothing(tmp_path):
    folder = write_pool(tmp_path / "pool", masks=True)
    lesson = MaskTask(pool=masked(read_pool(folder, least=3), folder), weights=None)
    model = lesson.build()
    lesson.prepare(model)
    mask = np.full((64, 96), 15, np.uint8)
    known = canvas([[5, 5, 60, 60]], [1], mask)
    torch.manual_seed(0)
    loss = mask_loss(model, [known], mask_values(lesson.pool.names), CPU)
    half = mask.copy()
    half[:32] = UNSURE_PIXEL
    torch.manual_seed(0)
    other = mask_loss(model, [replace(known, mask=half)], mask_values(lesson.pool.names), CPU)
    assert loss > 0
    assert other > 0
    assert loss != other
    none = replace(known, boxes=known.boxes[:0], labels=known.labels[:0])
    assert mask_loss(model, [none], mask_values(lesson.pool.names), CPU).item() == 0


def test_a_mask_that_fills_the_box_is_measured_as_such(tmp_path, monkeypatch):
    (tmp_path / "images").mkdir()
    cv2.imwrite(str(tmp_path / "images" / "a.png"), np.zeros((80, 100, 3), np.uint8))
    outline = [10, 10, 60, 10, 60, 35, 10, 35]  # the upper half of its box
    notes = [
        {"id": 1, "image_id": 7, "category_id": 5, "bbox": [10, 10, 50, 50],
         "segmentation": [outline], "iscrowd": 0, "area": 1250},
        {"id": 2, "image_id": 7, "category_id": 9, "bbox": [1, 1, 40, 40],
         "segmentation": [outline], "iscrowd": 0, "area": 1250},
    ]  # fmt: skip
    content = {
        "images": [{"id": 7, "file_name": "a.png"}],
        "categories": [{"id": 5, "name": "airplane"}, {"id": 9, "name": "kite"}],
        "annotations": notes,
    }
    (tmp_path / "instance_masks.json").write_text(json.dumps(content))
    (photo,) = outlined_photos(tmp_path, NAMES)
    assert photo.truth.labels.tolist() == [2], "kites are no class of the masks"
    assert photo.boxes.tolist() == [[10, 10, 60, 60]]
    assert photo.truth.masks.sum() == 51 * 25, "OpenCV fills the right border, too"
    whole = np.zeros((1, 80, 100), np.float32)
    whole[0, 10:60, 10:60] = 1
    monkeypatch.setattr(masks, "masks_in", lambda *_: whole)
    none = {"labels": torch.zeros(0, dtype=torch.int64), "scores": torch.zeros(0),
            "masks": torch.zeros(0, 1, 80, 100)}  # fmt: skip
    found = mask_figures(lambda _: [none], [photo])
    expected = round(50 * 25 / (50 * 50 + 25), 4)
    assert found["mask IoU in true boxes"] == found["IoU of the box itself"] == expected
    assert found["mask AP50"] == 0


def test_masks_lie_in_their_boxes(tmp_path):
    folder = write_pool(tmp_path / "pool", masks=True)
    lesson = MaskTask(pool=masked(read_pool(folder, least=3), folder), weights=None)
    model = lesson.build().eval()
    box = np.array([[20, 10, 70, 50]], np.float32)
    with torch.inference_mode():
        mask = masks_in(model, torch.rand(3, 60, 80), box)
    assert mask.shape == (1, 60, 80)
    outside = mask.copy()
    outside[0, 8:52, 18:72] = 0
    assert not outside.any()


def test_the_task_takes_the_photos_with_masks(tmp_path):
    folder = write_pool(tmp_path / "pool", masks=True)
    (folder / "masks" / "0.png").unlink()
    weights = tmp_path / "w.safetensors"
    save_file(lite_fasterrcnn(2).state_dict(), weights)
    lesson = task("lite-maskrcnn", Material(folder, tmp_path, backbone=weights))
    assert lesson.photos == 5
    assert lesson.settings()["frozen"] == "all but the mask branch"
