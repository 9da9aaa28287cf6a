import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from explorer.core.resources import resource_path
from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn
from explorer.training.__main__ import main
from explorer.training.checkpoints import CHECKPOINT, load_average
from explorer.training.data.pool import read_pool
from explorer.training.lessons.lite.single_stage import KINDS, RECIPE, SingleStageTask
from explorer.training.loop import train
from tests.training.pool_toy import write_pool

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", KINDS)
def test_only_what_follows_the_shared_part_learns(name, tmp_path):
    pool = read_pool(write_pool(tmp_path / "pool"), least=3)
    recipe = replace(RECIPE, batch=2, epochs=0.7)
    weights = lite_fasterrcnn(len(pool.names)).state_dict()
    task = SingleStageTask(pool=pool, weights=weights, recipe=recipe, name=name)
    torch.manual_seed(recipe.seed)
    before = task.build().state_dict()
    shared = KINDS[name].shared
    assert all(torch.equal(before[k], v) for k, v in weights.items() if k.startswith(shared))
    after = train(task, recipe, tmp_path / "out", device=CPU, dtype=torch.float32)
    moved = {n for n, v in after.model.state_dict().items() if not torch.equal(before[n], v)}
    assert not any(name.startswith(shared) for name in moved)
    assert any(name.startswith("head.classification_head.") for name in moved)
    assert any(name.startswith("head.regression_head.") for name in moved)


@pytest.mark.parametrize("name", KINDS)
def test_the_command_trains_on_the_shipped_detectors_body(name, tmp_path, monkeypatch):
    data = write_pool(tmp_path / "data", count=30, size=(24, 32))
    out = tmp_path / "root" / name
    common = ["--threads", "1", "--device", "cpu", "--epochs", "0.5"]
    threads = torch.get_num_threads()
    monkeypatch.setattr(
        "sys.argv", ["train", name, "--data", str(data), "--out", str(out), *common]
    )
    try:
        assert main() == 0
    finally:
        torch.set_num_threads(threads)
    card = json.loads((out / "weights" / f"{name}.json").read_text())
    shared = KINDS[name].shared
    assert card["shares"] == [{"network": "lite-fasterrcnn", "prefix": shared, "source": shared}]
    assert card["title"] == KINDS[name].title
    own = load_average(out / CHECKPOINT)[0]
    shipped = load_file(resource_path("weights", "lite-fasterrcnn.safetensors"))
    kept = [key for key in shipped if key.startswith(shared) and shipped[key].ndim == 4]
    assert kept
    assert all(torch.equal(own[key], shipped[key].float()) for key in kept)
