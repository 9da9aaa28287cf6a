import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.networks.embedded.lite_deeplab import lite_deeplab
from explorer.training.__main__ import main
from explorer.training.data.canvases import Canvas
from explorer.training.data.pool import masked, read_pool
from explorer.training.lessons.lite.segmenter import RECIPE, LiteSegmenterTask, pixel_loss
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


@pytest.fixture
def pool(tmp_path):
    return masked(read_pool(write_pool(tmp_path / "pool", masks=True), least=3), tmp_path / "pool")


@torch.no_grad()
def test_the_answer_has_the_size_of_the_photo():
    found = lite_deeplab(5).eval()(torch.zeros(1, 3, 70, 100))
    assert {name: tuple(value.shape) for name, value in found.items()} == {"out": (1, 5, 70, 100)}


def test_only_what_follows_the_body_learns(pool, tmp_path):
    recipe = replace(RECIPE, batch=2, epochs=0.7)
    task = LiteSegmenterTask(pool=pool, body=None, recipe=recipe)
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


def test_the_loss_by_hand():
    class Sure(nn.Module):
        """Says class 1 everywhere, with logits 0, 2, 0."""

        body = lite_deeplab(3).body.eval()

        def scores(self, fine, _middle, _coarse):
            logits = torch.tensor([0.0, 2.0, 0.0]).view(1, 3, 1, 1)
            return logits.expand(len(fine), 3, *fine.shape[-2:])

    mask = np.full((64, 64), 255, np.uint8)
    mask[:32] = 1
    mask[:, :16][:32] = 2
    canvas = Canvas(
        np.zeros((64, 64, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64),
        np.zeros((0, 4), np.float32), mask,
    )  # fmt: skip
    total = np.log(np.exp(2) + 2)
    right, wrong = total - 2, total
    assert pixel_loss(Sure(), [canvas], CPU).item() == pytest.approx(0.75 * right + 0.25 * wrong)
    unknown = replace(canvas, mask=np.full((64, 64), 255, np.uint8))
    assert pixel_loss(Sure(), [unknown], CPU).item() == 0


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
