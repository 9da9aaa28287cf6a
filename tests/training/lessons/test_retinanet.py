from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.ops import box_iou, sigmoid_focal_loss

from explorer.evaluation.scenes import Scene
from explorer.networks.embedded import mini_fasterrcnn
from explorer.networks.embedded.retinanet import mini_retinanet
from explorer.training.lessons.retinanet import RECIPE, RetinaNetTask, retina_losses
from explorer.training.loop import train
from explorer.vision.detection.boxes import encode
from explorer.vision.trace import traced
from tests.training.toy import toy_photos

CPU = torch.device("cpu")


def toy_task(**options):
    recipe = replace(RECIPE, batch=2, epochs=1)
    return RetinaNetTask(toy_photos(16), [1, 2, 3, 0], recipe=recipe, side=64, **options)


def scene(boxes, labels):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
    boxes = np.array(boxes, np.float32).reshape(-1, 4)
    return Scene(pixels, boxes, np.array(labels, np.int64), np.full(len(labels), -1))


def test_the_heads_are_short_and_the_anchors_those_of_the_detector():
    model = mini_retinanet(19)
    heads = model.head.classification_head, model.head.regression_head
    assert [len(head.conv) for head in heads] == [3, 2]
    own = sum(p.numel() for p in model.head.parameters())
    # 3x3 convolutions of 96 channels without a bias, two numbers per channel to normalize; the
    # last ones have 6 anchors in a cell
    assert own == 5 * (9 * 96 * 96 + 2 * 96) + (9 * 96 + 1) * 6 * (19 + 4)
    assert model.anchor_generator.sizes == mini_fasterrcnn(19).rpn.anchor_generator.sizes


def test_the_losses_are_those_of_the_papers_formulas():
    task = toy_task()
    torch.manual_seed(0)
    model = task.build()
    task.prepare(model)
    # exactly an anchor of the finest map (15 x 15) around (16, 24), and nothing else near
    box = [[16 - 7, 24 - 8, 16 + 8, 24 + 7]]
    one = scene(box, [2])
    found = retina_losses(model, [one], CPU)
    with torch.no_grad():
        batch, _ = model.transform([torch.from_numpy(one.pixels).permute(2, 0, 1) / 255])
        features = list(model.backbone(batch.tensors).values())
        answers = model.head(features)
        (anchors,) = model.anchor_generator(batch, features)
    logits, deltas = answers["cls_logits"][0], answers["bbox_regression"][0]
    overlap = box_iou(torch.tensor(box).float(), anchors)[0]
    positive = overlap >= min(0.5, float(overlap.max()))
    counted = positive | (overlap < 0.4)
    wanted = functional.one_hot(torch.full((len(anchors),), 2), 4) * positive[:, None]
    focal = sigmoid_focal_loss(logits[counted], wanted[counted].float(), reduction="sum")
    assert found["classification"].item() == pytest.approx(float(focal / positive.sum()), rel=1e-4)
    target = encode(np.repeat(np.array(box, np.float32), int(positive.sum()), 0),
                    anchors[positive].numpy())  # fmt: skip
    distance = (deltas[positive] - torch.from_numpy(target)).abs().sum()
    assert found["bbox_regression"].item() == pytest.approx(
        float(distance / positive.sum()), rel=1e-4
    )


def test_a_scene_without_objects_has_losses_too():
    task = toy_task()
    model = task.build()
    task.prepare(model)
    losses = retina_losses(model, [scene([], [])], CPU)
    assert set(losses) == {"classification", "bbox_regression"}
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["bbox_regression"].item() == 0


def test_a_training_moves_the_heads_only(tmp_path):
    detector = mini_fasterrcnn(4, side=64).state_dict()
    task = toy_task(weights=detector)
    torch.manual_seed(task.recipe.seed)
    before = task.build().state_dict()
    after = train(task, task.recipe, tmp_path, device=CPU, dtype=torch.float32).model.state_dict()
    moved = {key for key, value in after.items() if not torch.equal(value, before[key])}
    assert "head.classification_head.cls_logits.weight" in moved
    assert all(key.startswith("head.") for key in moved)
    backbone = {key: value for key, value in detector.items() if key.startswith("backbone.")}
    assert backbone
    assert all(torch.equal(after[key], value) for key, value in backbone.items())


def test_its_stages_can_be_followed():
    torch.manual_seed(0)
    model = mini_retinanet(4, side=64).eval()
    model.score_thresh = 0.005
    image = torch.rand(3, 64, 80)
    with torch.no_grad():
        (answer,) = model([image])
    found = traced(model, image)
    assert len(answer["scores"]) > 0
    assert all(torch.equal(found.output[0][key], value) for key, value in answer.items())
