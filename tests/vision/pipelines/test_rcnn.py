"""Warping, SVMs and regressors worked out by hand; real arrays through a real file."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.lite import MEAN, EfficientNetLite0, efficientnet_lite0, stages
from explorer.vision.pipelines import rcnn
from explorer.vision.pipelines.rcnn import RCNN, Features, Heads, RegionNetwork

RNG = np.random.default_rng(0)
D, R, C = 8, 32, 3


def body() -> RegionNetwork:
    """A body of stride 16 and a last convolution of eight channels each."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        small = nn.Sequential(nn.Conv2d(3, 8, 16, stride=16), nn.ReLU())
        return RegionNetwork(small, nn.Conv2d(8, D, 1)).eval().requires_grad_(requires_grad=False)


def classifier() -> EfficientNetLite0:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        own = efficientnet_lite0(4)
    return own.requires_grad_(requires_grad=False).eval()


def heads(d: int = D, **changes: np.ndarray) -> Heads:
    made = {
        "svm_weight": RNG.normal(size=(C, d)).astype(np.float32),
        "svm_bias": RNG.normal(size=C).astype(np.float32),
        "reg_weight": RNG.normal(0, 0.01, (C, 4, R)).astype(np.float32),
        "reg_bias": np.zeros((C, 4), np.float32),
    }
    return Heads(**{**made, **changes})


def parts(**changes: np.ndarray) -> RCNN:
    return RCNN(body(), heads(**changes), heads(5 * D), classes=("cat", "dog", "car"), side=32)


def test_a_region_fills_the_square_but_for_its_context() -> None:
    # white from 40 to 80 of 120: the very region; 32 / 227 of the square's side is around it
    pixels = np.zeros((120, 120, 3), np.uint8)
    pixels[40:80, 40:80] = 255
    crop = rcnn.warp(pixels, np.array([[40, 40, 80, 80]], np.float32), 227)[0]
    white = rcnn.picture_of(crop)[..., 0] > 127
    rows, columns = np.nonzero(white)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (16, 211, 16, 211)
    assert white[18:209, 18:209].all()  # the very corners are mixed from four sides


def test_the_context_is_that_of_the_paper() -> None:
    # at a scale of 1 a region of 227 - 2 * 16 pixels has 16 pixels around it
    boxes = torch.tensor([[100.0, 50, 295, 245], [0, 0, 390, 39]])
    around = rcnn.with_context(boxes)
    assert around[0].tolist() == pytest.approx([84, 34, 311, 261])
    sides = around[1, 2:] - around[1, :2]
    assert sides.tolist() == pytest.approx([390 * 227 / 195, 39 * 227 / 195], rel=1e-6)


def test_a_region_is_stretched() -> None:
    pixels = np.zeros((60, 60, 3), np.uint8)
    pixels[20:30, 10:50] = 255
    crop = rcnn.warp(pixels, np.array([[10, 20, 50, 30]], np.float32), 227)[0]
    rows, columns = np.nonzero(rcnn.picture_of(crop)[..., 0] > 127)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (16, 211, 16, 211)


def test_outside_the_photo_it_has_the_mean_color() -> None:
    pixels = np.full((50, 50, 3), 255, np.uint8)
    crop = rcnn.picture_of(rcnn.warp(pixels, np.array([[0, 0, 50, 50]], np.float32), 227)[0])
    assert (crop[:10] == np.round(np.array(MEAN) * 255)).all()
    assert (crop[20:200, 20:200] == 255).all()


def test_a_large_photo_is_made_smaller_first() -> None:
    pixels = np.zeros((300, 2 * rcnn.LONG, 3), np.uint8)
    pixels[100:200, 400:600] = 255
    own = rcnn.prepared(pixels)
    assert own.image.shape == (1, 3, 152, rcnn.LONG + 2)
    boxes = np.array([[400, 100, 600, 200]], np.float32)
    crop = rcnn.warp(own, boxes, 227)
    assert torch.equal(crop, rcnn.warp(pixels, boxes, 227))
    rows, columns = np.nonzero(rcnn.picture_of(crop[0])[..., 0] > 127)
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (16, 211, 16, 211)


def test_features_are_the_networks_own() -> None:
    own = parts()
    pixels = RNG.integers(0, 256, (40, 50, 3), np.uint8)
    crops = rcnn.warp(pixels, np.array([[0, 0, 20, 20], [5, 5, 50, 40]], np.float32), 32)
    seen = rcnn.features(own.body, crops)
    with torch.no_grad():
        found = own.body.body(crops)
        vector = own.body.head(found).clamp(0, 6).mean(dim=(2, 3))
    assert np.allclose(seen.vector, vector, atol=1e-6)
    assert np.allclose(seen.map, found.flatten(1), atol=1e-6)  # it has 2x2 places already
    assert rcnn.features(own.body, crops[:0]).map.shape == (0, R)


def test_margins_by_hand() -> None:
    own = heads(
        svm_weight=np.eye(C, D, dtype=np.float32), svm_bias=np.array([0, 1, -1], np.float32)
    )
    seen = Features(np.arange(D, dtype=np.float32)[None] + 2, np.zeros((1, R), np.float32))
    assert rcnn.scores(own, seen).tolist() == [[2, 4, 3]]


def test_every_class_moves_the_box_its_own_way() -> None:
    bias = np.zeros((C, 4), np.float32)
    bias[1] = [0.5, 0, np.log(2), 0]  # half a width to the right, twice as wide
    own = heads(reg_weight=np.zeros((C, 4, R), np.float32), reg_bias=bias)
    seen = Features(np.zeros((2, D), np.float32), np.zeros((2, R), np.float32))
    boxes = np.array([[10, 10, 30, 20]] * 2, np.float32)
    boxes[1] += 100
    found = rcnn.refined(own, seen, boxes)
    assert found.shape == (2, C, 4)
    assert np.array_equal(rcnn.deltas(own, seen), np.stack([bias, bias]))
    assert found[0, :2].tolist() == pytest.approx(np.array([[10, 10, 30, 20], [10, 10, 50, 20]]))
    assert np.allclose(found[1], found[0] + 100)


def test_the_map_moves_the_box_of_its_row() -> None:
    weight = np.zeros((C, 4, R), np.float32)
    weight[2, 1, 7] = 0.5  # value 7 of the map moves boxes of class 2 down
    own = heads(reg_weight=weight)
    maps = np.zeros((2, R), np.float32)
    maps[1, 7] = 4
    boxes = np.array([[0, 0, 10, 10]] * 2, np.float32)
    found = rcnn.refined(own, Features(np.zeros((2, D), np.float32), maps), boxes)
    moved = np.broadcast_to(boxes[:, None], (2, C, 4)).copy()
    moved[1, 2] += [0, 20, 0, 20]
    assert np.allclose(found, moved)


def test_suppression_is_per_class_and_the_surest_come_first() -> None:
    boxes = np.array([[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 30, 10]], np.float32)
    margins = np.array([[0.5, -1, 0.9], [0.7, -1, -1], [0.1, -1, -1]], np.float32)
    own = heads(  # the vectors are the margins
        svm_weight=np.eye(C, D, dtype=np.float32),
        svm_bias=np.zeros(C, np.float32),
        reg_weight=np.zeros((C, 4, R), np.float32),
    )
    vectors = np.pad(margins, ((0, 0), (0, D - C)))
    seen = Features(vectors, np.zeros((3, R), np.float32))
    found = rcnn.judged(own, seen, boxes, (10, 28))
    assert found.labels.tolist() == [3, 1, 1]
    assert found.scores.tolist() == pytest.approx([0.9, 0.7, 0.1])
    assert found.xyxy.tolist() == [[0, 0, 10, 10], [0, 0, 10, 9], [20, 0, 28, 10]]
    assert len(rcnn.judged(own, seen, boxes, (10, 28), score=1.0)) == 0


def test_all_steps_in_one() -> None:
    own = parts()
    pixels = RNG.integers(0, 256, (40, 50, 3), np.uint8)
    boxes = np.array([[0, 0, 20, 20], [5, 5, 50, 40]], np.float32)
    seen = rcnn.features(own.body, rcnn.warp(pixels, boxes, own.side))
    margins = rcnn.scores(own.heads, seen)
    found = rcnn.detect(own, pixels, boxes, score=-99)
    assert found.scores[0] == margins.max()
    assert found.labels[0] == margins.max(axis=0).argmax() + 1
    assert len(rcnn.detect(own, pixels, boxes[:0])) == 0


def test_a_file_holds_everything_but_the_body(tmp_path: Path) -> None:
    made = {"heads": heads(), "pyramid": heads(5 * D)}
    model = classifier()
    held = {
        f"{part}.{key}": getattr(own, key)
        for part, own in made.items()
        for key in ("svm_weight", "svm_bias", "reg_weight", "reg_bias")
    }
    card = {"classes": ["cat", "dog", "car"], "side": 48, "metrics": {"AP50": 0.5}}
    held |= {
        "head.weight": RNG.normal(size=model.conv_head.weight.shape).astype(np.float32),
        "head.bias": RNG.normal(size=len(model.conv_head.weight)).astype(np.float32),
    }
    path = tmp_path / "x.safetensors"
    save_file({k: v.astype(np.float16) for k, v in held.items()}, path, {"card": json.dumps(card)})
    before = model.conv_head.weight.clone()
    own = rcnn.load(path, model)
    assert np.allclose(own.body.head.weight, held["head.weight"], atol=1e-2)
    assert torch.equal(model.conv_head.weight, before), "the classifier stays as it is"
    assert own.side == 48
    assert own.classes == ("cat", "dog", "car")
    assert own.card["metrics"]["AP50"] == 0.5
    assert np.allclose(own.heads.svm_weight, made["heads"].svm_weight, atol=1e-2)
    assert np.allclose(own.pyramid.svm_weight, made["pyramid"].svm_weight, atol=1e-2)
    save_file(held, path)
    for bad in (path, tmp_path / "nothing.safetensors"):
        with pytest.raises(ExplorerError, match="no SVMs"):
            rcnn.load(bad, model)


def test_before_fine_tuning_it_is_the_classifiers_own_vector() -> None:
    model = classifier()
    model.bn2.running_mean.uniform_(-1, 1)
    model.bn2.running_var.uniform_(0.5, 2)
    crops = torch.randn(2, 3, 64, 64)
    with torch.no_grad():
        found, vector = rcnn.region_network(model).taps(crops)
        assert torch.equal(found, stages(model)(crops))
        assert torch.allclose(model.classifier(vector), model(crops), atol=1e-4)


def test_one_regressor_serves_every_class() -> None:
    arrays = {
        "svm_weight": np.zeros((C, D), np.float32), "svm_bias": np.zeros(C, np.float32),
        "reg_weight": RNG.normal(size=(1, 4, R)).astype(np.float32),
        "reg_bias": np.ones((1, 4), np.float32),
    }  # fmt: skip
    held = {f"{part}.{key}": array for part in rcnn.PARTS for key, array in arrays.items()}
    for own in rcnn.heads_in(held):
        assert own.reg_weight.shape == (C, 4, R)
        assert np.array_equal(own.reg_weight[2], arrays["reg_weight"][0])
        assert own.reg_bias.shape == (C, 4)


def test_shapes_are_checked() -> None:
    with pytest.raises(ValueError, match="svm_bias must be"):
        heads(svm_bias=np.zeros(2, np.float32))
    with pytest.raises(ValueError, match="3 SVMs for 2 classes"):
        RCNN(body(), heads(), heads(), classes=("cat", "dog"))
