from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.networks.embedded import mini_fasterrcnn
from explorer.training.data.scene_task import SceneTask, part_of
from explorer.training.lessons.detector import RECIPE
from tests.training.toy import toy_masks, toy_photos


def task(seed=0, **options):
    recipe = replace(RECIPE, batch=3, seed=seed)
    return SceneTask(toy_photos(16), [1, 2, 3, 0], recipe=recipe, name="x", side=64, **options)


def pixels(scenes):
    return np.stack([scene.pixels for scene in scenes])


def test_the_scenes_of_a_step_are_always_the_same():
    first = pixels(task().scenes(7))
    assert first.shape == (3, 64, 64, 3)
    assert np.array_equal(pixels(task().scenes(7)), first)
    # whatever was asked for before
    other = task()
    other.scenes(6)
    assert np.array_equal(pixels(other.scenes(7)), first)


@pytest.mark.parametrize(("seed", "step"), [(0, 8), (1, 7)])
def test_another_step_or_seed_has_other_scenes(seed, step):
    assert not np.array_equal(pixels(task(seed).scenes(step)), pixels(task().scenes(7)))


def test_the_photos_masks_change_nothing_else():
    plain, masked = task().scenes(2), task(masks=toy_masks(toy_photos(16))).scenes(2)
    assert np.array_equal(pixels(plain), pixels(masked))
    assert all(scene.masks is None for scene in plain)
    assert all(scene.masks.shape == (len(scene.boxes), 64, 64) for scene in masked)


def test_an_epoch_uses_every_photo_about_once():
    assert task().photos == 4
    few = SceneTask(toy_photos(3), [1, 2, 3, 0], recipe=RECIPE, name="x")
    assert few.photos == 1


def test_a_part_of_the_weights_is_what_that_module_takes():
    model = mini_fasterrcnn(4, side=64)
    part = part_of(model.state_dict(), "rpn.head.")
    own = model.rpn.head.state_dict()
    assert part.keys() == own.keys()
    assert all(torch.equal(part[key], value) for key, value in own.items())


def test_the_frozen_parts_neither_learn_nor_count():
    model = mini_fasterrcnn(4, side=64).eval()
    task(frozen=("backbone.body", "rpn")).prepare(model)
    still = ("backbone.body.", "rpn.")
    for name, value in model.named_parameters():
        assert value.requires_grad is not name.startswith(still), name
    assert not model.get_submodule("backbone.body.bn1").training
    assert model.roi_heads.training
