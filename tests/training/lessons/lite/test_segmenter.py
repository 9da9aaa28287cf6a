import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.networks.embedded.segmentation.deeplab import lite_deeplab
from explorer.training.__main__ import main
from explorer.training.data.canvases import Canvas
from explorer.training.data.pool import masked, read_pool
from explorer.training.lessons.lite.segmenter import (
    BALANCE,
    KINDS,
    RECIPE,
    TOGETHER,
    VGG,
    LiteSegmenterTask,
    balanced,
    networks,
    pixel_losses,
    shipped,
)
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


@pytest.fixture
def pool(tmp_path):
    return masked(read_pool(write_pool(tmp_path / "pool", masks=True), least=3), tmp_path / "pool")


def test_only_what_follows_the_body_learns(pool, tmp_path):
    recipe = replace(RECIPE, batch=2, epochs=0.7)
    task = LiteSegmenterTask(pool=pool, bodies={}, recipe=recipe)
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    after = train(task, recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    moved = {n for n, v in after.model.state_dict().items() if not torch.equal(before[n], v)}
    assert not any(name.startswith("body.") for name in moved)
    assert {
        "project.0.weight",
        "refine.0.weight",
        "classifier.weight",
        "low.1.running_var",
    } <= moved


@pytest.mark.parametrize("training", TOGETHER)
def test_one_training_makes_several_networks(pool, tmp_path, training):
    recipe = replace(RECIPE, batch=2, epochs=0.3)
    task = LiteSegmenterTask(pool=pool, bodies={}, recipe=recipe, name=training)
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    after = train(task, recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    weights = after.model.state_dict()
    moved = {n for n, v in weights.items() if not torch.equal(before[n], v)}
    assert {n.split(".")[0] for n in moved} == set(networks(training)) == set(TOGETHER[training])
    assert not any(n.split(".")[1] in ("body", "features") for n in moved)
    for name in networks(training):
        KINDS[name].make(21).load_state_dict(shipped(name, weights))
    alone = {"classifier.bias": torch.zeros(21)}
    assert shipped("lite-deeplab", alone) == alone


def test_the_small_photos_of_the_other_body():
    canvas = Canvas(
        np.full((64, 96, 3), 255, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64),
        np.zeros((0, 4), np.float32), np.zeros((64, 96), np.uint8),
    )  # fmt: skip
    seen = []
    model = KINDS["mini-segnet"].make(21)
    model.encoded = lambda images: seen.append(images) or type(model).encoded(model, images)
    pixel_losses({"mini-segnet": model}, [canvas], CPU)
    assert seen[0].shape == (1, 3, 32, 48)
    white = (1 - torch.tensor(VGG.mean)) / torch.tensor(VGG.std)
    assert torch.allclose(seen[0][0, :, 5, 5], white)


def test_rare_classes_count_more():
    weights = balanced(np.array([16, 1, 0]))
    assert weights[1] / weights[0] == pytest.approx(16**BALANCE)
    assert weights[1] > weights[0]
    assert weights[2] == weights[1]  # a class that never comes counts as one pixel
    assert (weights @ torch.tensor([16.0, 1, 1]) / 18).item() == pytest.approx(1)


def test_the_loss_by_hand():
    class Sure(nn.Module):
        """Says class 1 everywhere, with logits 0, 2, 0."""

        body = lite_deeplab(3).body.eval()
        taps = (2,)

        def outputs(self, _images, fine):
            logits = torch.tensor([0.0, 2.0, 0.0]).view(1, 3, 1, 1)
            scores = logits.expand(len(fine), 3, *fine.shape[-2:])
            return {"out": scores, "out16": scores, "out32": scores}

    mask = np.full((64, 64), 255, np.uint8)
    mask[:32] = 1
    mask[:, :16][:32] = 2
    canvas = Canvas(
        np.zeros((64, 64, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64),
        np.zeros((0, 4), np.float32), mask,
    )  # fmt: skip
    total = np.log(np.exp(2) + 2)
    right, wrong = total - 2, total

    def loss(canvas, *weights):
        return pixel_losses({"x": Sure()}, [canvas], CPU, *weights)["x"].item()

    # FCN's coarser outputs count 0.3 each
    assert loss(canvas) == pytest.approx(1.6 * (0.75 * right + 0.25 * wrong))
    weights = torch.tensor([1.0, 1.0, 2.0])
    assert loss(canvas, weights) == pytest.approx(1.6 * (0.75 * right + 0.25 * 2 * wrong))
    assert loss(replace(canvas, mask=np.full((64, 64), 255, np.uint8))) == 0


def test_the_command_trains_on_the_detectors_body(tmp_path, monkeypatch):
    data = write_pool(tmp_path / "data", count=30, size=(24, 32), masks=True)
    threads = torch.get_num_threads()
    common = ["--data", str(data), "--threads", "1", "--device", "cpu", "--epochs", "0.5"]
    outs = {name: tmp_path / "root" / name for name in ("lite-fasterrcnn", "lite-deeplab")}
    weights = outs["lite-deeplab"] / "weights"
    runs = [
        ["lite-fasterrcnn", "--out", str(outs["lite-fasterrcnn"]), *common],
        [
            "lite-fasterrcnn",
            "--out",
            str(outs["lite-fasterrcnn"]),
            *common,
            "--export",
            str(weights),
        ],
        ["lite-deeplab", "--out", str(outs["lite-deeplab"]), *common],
    ]
    try:
        for words in runs:
            monkeypatch.setattr("sys.argv", ["explorer", *words])
            assert main() == 0
    finally:
        torch.set_num_threads(threads)
    card = json.loads((weights / "lite-deeplab.json").read_text())
    assert card["classes"][15] == "person"
    assert card["shares"] == [
        {"network": "lite-fasterrcnn", "prefix": "body.", "source": "backbone.body."}
    ]
    sizes = {path.stem: path.stat().st_size for path in (weights).glob("*.safe*")}
    assert sizes["lite-deeplab"] < sizes["lite-fasterrcnn"] / 5
