from dataclasses import replace

import numpy as np
import torch

from explorer.evaluation.scenes import Scene
from explorer.training.lessons.mask_rcnn import (
    RECIPE,
    MaskTask,
    mask_figures,
    mask_loss,
    masks_in,
)
from explorer.training.loop import train
from explorer.training.two_stage_losses import boxes_about
from tests.training.lessons.test_segmenter import toy_masks, two_halves
from tests.training.toy import toy_photos

CPU = torch.device("cpu")


def toy_task(**options):
    photos = toy_photos(16)
    recipe = replace(RECIPE, batch=2, epochs=0.5)
    sizes = {"num_classes": 4, "side": 64, "layers": (16,), "between": 16}
    own = {"options": sizes, "recipe": recipe, "side": 64, "masks": toy_masks(photos)}
    return MaskTask(photos, [1, 2, 3, 0], **own, **options)


def test_a_training_moves_the_mask_branch_only(tmp_path):
    task = toy_task()
    torch.manual_seed(task.recipe.seed)
    before = task.build().state_dict()
    after = train(task, task.recipe, tmp_path, device=CPU, dtype=torch.float32).model.state_dict()
    for name, value in after.items():
        assert torch.equal(value, before[name]) is ("mask" not in name), name


def test_it_takes_over_the_detector():
    weights = {
        name: torch.rand_like(value) if value.is_floating_point() else value
        for name, value in toy_task().build().state_dict().items()
        if "mask" not in name
    }
    found = toy_task(weights=weights).build().state_dict()
    assert all(torch.equal(found[name], value) for name, value in weights.items())


def test_boxes_lie_about_their_objects():
    torch.manual_seed(1)
    scene = two_halves()
    boxes, rows = boxes_about(scene.boxes, scene.pixels.shape[:2])
    assert 2 <= len(boxes) == len(rows) <= 4
    assert set(rows.tolist()) == {0, 1}
    assert boxes.min() >= 0
    assert boxes.max() <= 64
    truth = torch.from_numpy(two_halves().boxes)[rows]
    assert 0 < (boxes - truth).abs().max() < 32


def empty_scene():
    none = np.zeros(0, np.int64)
    pixels, boxes = np.zeros((64, 64, 3), np.uint8), np.zeros((0, 4), np.float32)
    return Scene(pixels, boxes, none, none, np.zeros((0, 64, 64), bool))


def test_scenes_without_objects_have_a_loss_of_nothing():
    task = toy_task()
    model = task.build()
    task.prepare(model)
    loss = mask_loss(model, [empty_scene(), empty_scene()], CPU)
    loss.backward()
    assert loss.item() == 0


def test_the_loss_by_hand():
    task = toy_task()
    model = task.build()
    task.prepare(model)
    last = model.roi_heads.mask_predictor.mask_fcn_logits
    with torch.no_grad():
        last.weight.zero_()
        last.bias.copy_(torch.tensor([0.0, 3.0, -3.0, 0.0]))
    scene = two_halves()
    dog_only = replace_objects(scene, [0])
    torch.manual_seed(0)
    loss = mask_loss(model, [dog_only], CPU).item()
    # the mask fills its true box; the boxes about it hold a little ground, too
    surely = np.log1p(np.exp(-3.0))
    assert surely <= loss < surely + 3.0 * 0.4
    # the cat's bias is the other way round
    assert mask_loss(model, [replace_objects(scene, [1])], CPU).item() > 3.0 * 0.6


def replace_objects(scene, rows):
    return replace(
        scene,
        boxes=scene.boxes[rows],
        labels=scene.labels[rows],
        classes=scene.classes[rows],
        masks=scene.masks[rows],
    )


def test_masks_in_given_boxes_and_their_figures():
    model = toy_task().build().eval()
    last = model.roi_heads.mask_predictor.mask_fcn_logits
    with torch.no_grad():
        last.weight.zero_()
        last.bias.fill_(20.0)
    scene = two_halves()
    image = torch.from_numpy(scene.pixels).permute(2, 0, 1).float()
    with torch.no_grad():
        found = masks_in(
            model, image, torch.from_numpy(scene.boxes), torch.from_numpy(scene.labels)
        )
    assert (found.numpy()[:, 2:-2, 2:-2] >= 0.5)[0, :, :29].all()
    # masks that fill the boxes, as the true ones do
    figures = mask_figures(model, [scene, empty_scene()])
    assert figures["mask IoU in true boxes"] > 0.9
    assert figures["IoU of the box itself"] == 1
