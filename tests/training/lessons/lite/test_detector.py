import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.networks.embedded import efficientnet_lite0, lite_fasterrcnn
from explorer.networks.embedded.lite import body_maps
from explorer.training.__main__ import main
from explorer.training.data.canvases import Canvas
from explorer.training.data.pool import read_pool
from explorer.training.lessons.lite import detector
from explorer.training.lessons.lite.detector import (
    RECIPE,
    LiteDetectorTask,
    agnostic,
    begun,
)
from explorer.training.lite_body import folded_maps
from explorer.training.loop import train
from explorer.training.two_stage_losses import detector_losses
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


@pytest.fixture
def pool(tmp_path):
    return read_pool(write_pool(tmp_path / "pool"), least=3)


def prepared(pool, weights=None):
    task = LiteDetectorTask(pool=pool, weights=weights)
    torch.manual_seed(0)
    model = task.build()
    task.prepare(model)
    return task, model


def canvas(boxes=(), ignored=(), size=(64, 96)):
    return Canvas(
        np.full((*size, 3), 90, np.uint8),
        np.array(boxes, np.float32).reshape(-1, 4),
        np.ones(len(boxes), np.int64),
        np.array(ignored, np.float32).reshape(-1, 4),
    )


def test_it_begins_with_the_classifiers_weights(pool):
    classifier = efficientnet_lite0(3).state_dict()
    _, model = prepared(pool, classifier)
    body = model.get_submodule("backbone.body").state_dict()
    assert all(torch.equal(value, classifier[name]) for name, value in body.items())


def test_it_goes_on_from_a_shipped_detector(pool):
    _, model = prepared(pool)
    learned = model.state_dict()
    shipped = detector.shipped("", learned)
    whole = lite_fasterrcnn(len(pool.names))
    whole.load_state_dict(shipped)
    scores = detector.SCORES
    assert shipped[scores][0] - learned[scores][0] == pytest.approx(detector.CALIBRATION)
    assert torch.equal(shipped[scores][1:], learned[scores][1:])
    box = shipped["roi_heads.box_predictor.bbox_pred.weight"]
    assert box.shape == (12, 384)
    assert torch.equal(box[:4], box[8:])
    _, again = prepared(pool, shipped)
    for name, value in again.state_dict().items():
        assert torch.allclose(value, learned[name], rtol=0, atol=1e-6), name
    assert begun({"conv_stem.weight": box}).keys() == {"backbone.body.conv_stem.weight"}


def test_the_body_in_training_is_the_networks_own(pool):
    _, model = prepared(pool)
    for norm in model.backbone.body.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.running_mean.normal_(std=0.1)
            norm.running_var.uniform_(0.5, 2)
    pixels = torch.randn(1, 3, 64, 96)
    body = model.backbone.body
    wanted, found = body_maps(body, pixels), folded_maps(body, pixels)
    assert [tuple(values.shape[1:]) for values in found] == [(40, 8, 12), (112, 4, 6), (320, 2, 3)]
    for ours, own in zip(found, wanted, strict=True):
        assert torch.allclose(ours, own, rtol=1e-3, atol=1e-3)
    found[2].sum().backward()
    assert body.blocks[3][0].conv_pw.weight.grad.abs().sum() > 0
    assert body.blocks[2][0].conv_pw.weight.grad is None


def test_a_canvas_without_objects_has_losses_too(pool):
    _, model = prepared(pool)
    losses = detector_losses(model, [canvas(), canvas()], CPU)
    assert losses.keys() == {"objectness", "rpn_box_reg", "classifier", "box_reg"}
    assert all(torch.isfinite(value) for value in losses.values())
    assert losses["box_reg"] == losses["rpn_box_reg"] == 0


def test_nothing_is_learned_where_nothing_is_known(pool):
    _, model = prepared(pool)
    everywhere = [[x, y, x + w, y + w] for w in (24, 32, 48, 64) for x in range(0, 96, 6)
                  for y in range(0, 64, 6)]  # fmt: skip
    labels = []
    model.rpn.compute_loss = lambda *given: (labels.extend(given[2]), given[0].sum() * 0)[1:] * 2
    detector_losses(model, [canvas(ignored=everywhere), canvas()], CPU)
    unknown, background = (float((label == 0).float().mean()) for label in labels)
    assert background > unknown + 0.1
    assert not (labels[0] > 0).any()


def test_a_training_moves_all_but_the_frozen_parts(pool, tmp_path):
    recipe = replace(RECIPE, batch=2, epochs=0.5)
    task = LiteDetectorTask(pool=pool, weights=None, recipe=recipe)
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    after = train(task, recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    moved = {
        n for n, value in after.model.state_dict().items() if not torch.equal(before[n], value)
    }
    body = "backbone.body."
    for frozen in ("conv_stem", "blocks.0", "blocks.1", "blocks.2"):
        assert not any(name.startswith(body + frozen) for name in moved)
    assert not any("bn" in name for name in moved)
    assert body + "blocks.4.0.conv_dw.weight" not in moved  # 5x5
    assert body + "blocks.3.0.conv_dw.weight" in moved  # 3x3
    assert {"rpn.head.cls_logits.weight", "roi_heads.box_predictor.bbox_pred.weight"} <= moved


def test_half_precision_learns_the_same(pool):
    task, model = prepared(pool)
    losses = {}
    for dtype in (torch.float32, torch.bfloat16):
        torch.manual_seed(1)
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            losses[dtype] = task.losses(model, 0, 0.0, CPU)
    for name, value in losses[torch.float32].items():
        assert value.dtype == losses[torch.bfloat16][name].dtype == torch.float32
        assert losses[torch.bfloat16][name].item() == pytest.approx(value.item(), rel=0.2, abs=0.02)


def test_the_command_trains_and_writes_a_card(tmp_path, monkeypatch):
    pytest.importorskip("faster_coco_eval")
    data = write_pool(tmp_path / "data", count=30, size=(24, 32))
    words = [
        *("explorer", "lite-fasterrcnn", "--data", str(data), "--out", str(tmp_path / "out")),
        *("--epochs", "0.5", "--threads", "1", "--device", "cpu", "--coco", str(data)),
    ]
    monkeypatch.setattr("sys.argv", words)
    threads = torch.get_num_threads()
    try:
        assert main() == 0
    finally:
        torch.set_num_threads(threads)
    card = json.loads((tmp_path / "out" / "weights" / "lite-fasterrcnn.json").read_text())
    assert card["classes"] == ["background", "person", "car"]
    assert card["ignored"] == ["boat"]
    assert card["metrics"].keys() >= {"AP", "AP50", "AP75", "AP50 by class"}
    assert card["measured_on"] == "128 held-out COCO photos and 50 of Pascal VOC"


def test_the_agnostic_regression_has_one_box():
    assert agnostic(lite_fasterrcnn(5)).roi_heads.box_predictor.bbox_pred.out_features == 4
