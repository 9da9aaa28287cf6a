from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from explorer.training.data import teacher_masks
from explorer.training.data.pool import Pool, PoolPhoto
from explorer.training.data.teacher_masks import checked, deeplab_mobilenet, drawn, wanted


def photo(boxes, labels, ignored=(), name="a"):
    return PoolPhoto(
        Path(f"{name}.jpg"),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.array(labels, np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
        1.0,
    )


def test_a_class_outside_its_boxes_is_unknown():
    mask = np.zeros((10, 10), np.uint8)
    mask[:, 2:8] = 3
    found = checked(mask, photo([[0, 0, 5, 5]], [3], ignored=[[7, 7, 10, 10]]))
    assert (found[:5, 2:5] == 3).all()
    assert (found[:5, 5:8] == 255).all()
    assert (found[7:, 7] == 3).all()
    assert (found[7:, 2:7] == 255).all()
    assert (found[:, :2] == 0).all()


def test_background_in_a_box_that_was_missed_is_unknown():
    mask = np.zeros((10, 10), np.uint8)
    mask[0:2, 0:5] = 3
    shown = checked(mask, photo([[0, 0, 5, 5]], [3]))  # 10 of 25 cells
    assert np.array_equal(shown, mask)
    missed = checked(mask, photo([[0, 0, 5, 5], [4, 4, 10, 10]], [3, 4]))
    assert (missed[5:, 4:] == 255).all()
    assert missed[9, 0] == 0


class Halves(nn.Module):
    """Left surely class 1, right of the middle unsure."""

    def forward(self, images):
        scores = torch.zeros(1, 3, 4, 4)
        scores[:, 1, :, :2] = 9.0
        self.size = tuple(images.shape[-2:])
        return {"out": scores}


@pytest.mark.parametrize(
    ("aspect", "size"), [(1.0, (385, 385)), (2.0, (192, 385)), (0.5, (385, 192)), (0, (289, 385))]
)
def test_what_is_not_sure_is_unknown(aspect, size):
    teacher = Halves()
    mask = drawn(teacher, np.zeros((40, 60, 3), np.uint8), aspect)
    assert teacher.size == size
    assert (mask[:, :20] == 1).all()
    assert (mask[:, 45:] == 255).all()


def test_photos_of_rare_classes_without_a_mask_get_one():
    pool = Pool(
        (
            photo([[0, 0, 5, 5]], [1], name="dog"),
            photo([[0, 0, 5, 5]], [2], name="boat"),
            photo([[0, 0, 5, 5]], [2], name="done"),
        ),
        ("background", "dog", *teacher_masks.RARE[3:], *teacher_masks.RARE[:3]),
        (),
    )
    assert pool.names[2] == "boat"
    assert [p.path.stem for p in wanted(pool, {"done"})] == ["boat"]


@torch.no_grad()
def test_the_teacher_looks_at_stride_16():
    found = deeplab_mobilenet().backbone(torch.zeros(1, 3, 65, 97))["out"]
    assert tuple(found.shape) == (1, 320, 5, 7)
