from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.ops import roi_align

from explorer.evaluation.scenes import Scene, held_out_scenes
from explorer.networks.embedded import mini_resnet
from explorer.training.evaluate import average_precision, detect
from explorer.training.lessons.detector import RECIPE, DetectorTask, detector_losses
from explorer.training.loop import train
from tests.training.toy import toy_photos

CPU = torch.device("cpu")


def toy_task(**options):
    recipe = replace(RECIPE, batch=2, epochs=0.5)
    return DetectorTask(toy_photos(16), [1, 2, 3, 0], recipe=recipe, side=64, **options)


def test_it_begins_with_the_classifiers_weights():
    classifier = mini_resnet(4)
    model = toy_task(weights=classifier.state_dict()).build()
    body = model.get_submodule("backbone.body")
    for name, value in body.state_dict().items():
        assert torch.equal(value, classifier.state_dict()[name]), name


def test_a_training_moves_all_but_the_frozen_parts(tmp_path):
    task = toy_task()
    torch.manual_seed(task.recipe.seed)
    before = task.build().state_dict()
    after = train(task, task.recipe, tmp_path, device=CPU, dtype=torch.float32).model.state_dict()
    moved = {name for name in before if not torch.equal(before[name], after[name])}
    body = "backbone.body."
    for frozen in task.frozen:
        assert not any(name.startswith(body + frozen) for name in moved)
    assert {body + "layer2.0.conv1.weight", "rpn.head.cls_logits.weight"} <= moved
    assert "roi_heads.box_predictor.cls_score.weight" in moved
    assert not any("running_mean" in name for name in moved)


def test_the_box_head_begins_with_the_classifiers_answers():
    classifier = mini_resnet(4).eval()
    with torch.no_grad():
        classifier.fc.weight.normal_()
    task = toy_task(weights=classifier.state_dict())
    model = task.build().eval()
    # without the small random parts, and from the coarse map alone
    with torch.no_grad():
        for i in (0, 1):
            torch.nn.init.dirac_(model.backbone.fpn.layer_blocks[i][0].weight)
            model.backbone.fpn.layer_blocks[i][0].bias.zero_()
            model.backbone.fpn.inner_blocks[i][0].bias.zero_()
        model.roi_heads.box_head.fc6.bias.zero_()
        model.roi_heads.box_head.fc7.bias.zero_()
        model.roi_heads.box_head.fc7.weight.copy_(torch.eye(256))
        image = torch.rand(1, 3, 64, 64)
        box = [torch.tensor([[4.0, 8.0, 60.0, 56.0]])]  # larger than half the side: the coarse map
        heads = model.roi_heads
        pooled = heads.box_roi_pool(model.backbone(image), box, [(64, 64)])
        found = heads.box_predictor.cls_score(heads.box_head(pooled))[:, 1:]
        last = model.backbone.body(image)
        mean = roi_align(last, box, 7, 1 / 16, 2).mean((2, 3))
        wanted = classifier.fc(mean)
    # the same up to a shift of all classes, which changes no probability
    assert torch.allclose(found.softmax(1), wanted.softmax(1), atol=1e-5)


def test_a_scene_without_objects_has_losses_too():
    task = toy_task()
    model = task.build()
    task.prepare(model)
    empty = Scene(
        np.zeros((64, 64, 3), np.uint8),
        np.zeros((0, 4), np.float32),
        np.zeros(0, np.int64),
        np.zeros(0, np.int64),
    )
    losses = detector_losses(model, [empty, empty], CPU)
    assert set(losses) == {"classifier", "fine", "box_reg", "objectness", "rpn_box_reg"}
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["box_reg"].item() == 0


def test_held_out_scenes_are_always_the_same():
    maker = toy_task().maker
    one, two = held_out_scenes(maker, 2), held_out_scenes(maker, 2)
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(one, two, strict=True))


def test_average_precision_by_hand():
    pytest.importorskip("faster_coco_eval")
    boxes = np.array([[0, 0, 40, 40], [50, 50, 60, 60]], np.float32)
    scene = Scene(np.zeros((64, 64, 3), np.uint8), boxes, np.array([1, 2]), np.array([-1, -1]))

    def answer(boxes, scores, labels):
        return {
            "boxes": np.array(boxes, np.float32).reshape(-1, 4),
            "scores": np.array(scores, np.float32),
            "labels": np.array(labels),
        }

    names = ["background", "dog", "cat"]
    right = average_precision([scene], [answer(boxes, [0.9, 0.8], [1, 2])], names)
    assert right["AP"] == pytest.approx(1)
    assert right["AP50 by class"] == {"dog": 1.0, "cat": 1.0}
    # the dog's box has IoU 0.6 (right up to a threshold of 0.6: 3 of 10); the cat is missed
    half = average_precision([scene], [answer([[0, 0, 40, 24]], [0.9], [1])], names)
    assert half["AP50"] == pytest.approx(0.5)
    assert half["AP"] == pytest.approx(0.5 * 0.3, abs=0.051)
    assert average_precision([scene], [answer([], [], [])], names)["AP50"] == 0


def test_detections_are_in_the_scenes_pixels():
    model = toy_task().build().eval()
    model.roi_heads.score_thresh = 0.0
    scene = held_out_scenes(toy_task().maker, 1)[0]
    found = detect(model, [scene])[0]
    assert found["boxes"].shape[1] == 4
    assert found["boxes"].max() <= 64
