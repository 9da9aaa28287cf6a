from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn
from explorer.networks.embedded.yolo import lite_yolo_v1
from explorer.training.data.canvases import Canvas
from explorer.training.data.pool import read_pool, with_classes
from explorer.training.lessons.lite.yolo import RECIPE, LiteYoloTask, truth_of, yolo_losses
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


def canvas(boxes, labels, ignored=(), size=(80, 160)):
    boxes, ignored = (np.array(b, np.float32).reshape(-1, 4) for b in (boxes, ignored))
    pixels = np.full((*size, 3), 90, np.uint8)
    return Canvas(pixels, boxes, np.array(labels, np.int64), ignored)


def test_the_truth_is_in_parts_of_the_canvas():
    first = canvas([[0, 0, 80, 40], [40, 40, 80, 80]], [3, 1])
    second = canvas([[80, 20, 160, 60]], [2], ignored=[[0, 0, 40, 80]])
    truth = truth_of([first, second], CPU)
    assert truth.picture.tolist() == [0, 0, 1]
    assert truth.classes.tolist() == [3, 1, 2]
    assert truth.boxes.tolist() == [[0, 0, 0.5, 0.5], [0.25, 0.5, 0.5, 1], [0.5, 0.25, 1, 0.75]]
    assert [regions.tolist() for regions in truth.unknown] == [[], [[0, 0, 0.25, 1]]]
    known = truth.known(2, 2, 4)
    assert known[0].all()
    # the middles of the first column lie in the region, those of the second beyond it
    assert known[1].tolist() == [[False, True, True, True]] * 2


def test_doubts_in_ignored_regions_cost_nothing():
    torch.manual_seed(0)
    model = lite_yolo_v1(4, side=64).eval()
    nothing, unknown = canvas([], []), canvas([], [], ignored=[[0, 0, 160, 80]])
    losses = yolo_losses(model, [nothing], CPU)
    assert losses["confidence"] > 0
    assert losses["boxes"] == losses["classes"] == 0
    assert yolo_losses(model, [unknown], CPU)["confidence"] == 0


def test_only_what_follows_the_body_learns(tmp_path):
    names = ("background", "bottle", "car", "person")
    pool = with_classes(read_pool(write_pool(tmp_path / "pool"), least=3), names)
    recipe = replace(RECIPE, batch=2, epochs=0.7)
    weights = lite_fasterrcnn(3).state_dict()
    task = LiteYoloTask(pool=pool, weights=weights, recipe=recipe)
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    theirs = {k: v for k, v in weights.items() if k.startswith("backbone.body.")}
    assert all(torch.equal(before[k.removeprefix("backbone.")], v) for k, v in theirs.items())
    after = train(task, recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    moved = {n for n, v in after.model.state_dict().items() if not torch.equal(before[n], v)}
    assert not any(name.startswith("body.") for name in moved)
    assert {"predictor.weight", "predictor.bias", "head.0.0.weight"} <= moved


def test_a_cell_says_thirty_numbers_of_vocs_classes():
    model = lite_yolo_v1(21).eval()
    with torch.no_grad():
        _, numbers = model.numbers([torch.rand(3, 90, 120)])
    assert numbers.shape == (1, 7, 7, 30)


@pytest.mark.parametrize("size", [(80, 160), (64, 64)])
def test_canvases_are_seen_as_squares(size):
    seen = []
    model = lite_yolo_v1(4, side=96).eval()
    model.body[0].register_forward_pre_hook(lambda _, args: seen.append(tuple(args[0].shape)))
    yolo_losses(model, [canvas([[0, 0, 40, 40]], [2], size=size)], CPU)
    assert seen == [(1, 3, 96, 96)]
