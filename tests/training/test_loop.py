import json
from dataclasses import replace

import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.training import checkpoints, loop
from explorer.training.lessons.classifier import ClassifierTask, Phase
from explorer.training.loop import Interrupted, Recipe, train
from tests.training.toy import toy_photos

CPU = torch.device("cpu")
RECIPE = Recipe(epochs=1, batch=4, peak=0.05, seed=3)


def toy_task(recipe=RECIPE):
    return ClassifierTask(toy_photos(), recipe, 4, (Phase(1.0, (16, 20)),))


def run(folder, recipe=RECIPE, **options):
    return train(toy_task(recipe), recipe, folder, device=CPU, dtype=torch.float32, **options)


def test_going_on_gives_the_very_same_weights(tmp_path):
    whole = run(tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop_after=2)
    with pytest.raises(Interrupted):
        run(tmp_path / "parts", stop_after=5)
    parts = run(tmp_path / "parts")
    assert parts.step == whole.step == 6
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, parts.model.state_dict()[name]), name
        assert torch.equal(whole.average[name], parts.average[name]), name


def test_another_seed_gives_other_weights(tmp_path):
    one = run(tmp_path / "one").model.state_dict()
    other = run(tmp_path / "other", replace(RECIPE, seed=4)).model.state_dict()
    assert not torch.equal(one["fc.weight"], other["fc.weight"])


def test_fresh_begins_anew(tmp_path):
    first = run(tmp_path)
    again = run(tmp_path, resume=False)
    assert torch.equal(first.average["fc.weight"], again.average["fc.weight"])
    assert again.step == 6


def test_the_configuration_lies_beside_the_weights_and_remembers_changes(tmp_path):
    with pytest.raises(Interrupted):
        run(tmp_path, stop_after=2)
    run(tmp_path, replace(RECIPE, epochs=2))
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["network"] == "mini-resnet"
    assert (config["epochs"], config["seed"]) == (2, 3)
    assert config["changes"] == [{"step": 2, "before": {"epochs": 1}}]
    rows = (tmp_path / "losses.jsonl").read_text().splitlines()
    assert json.loads(rows[-1])["step"] == 12


def test_a_crash_while_saving_leaves_the_last_checkpoint_whole(tmp_path, monkeypatch):
    state = run(tmp_path)
    before = (tmp_path / "checkpoint.pt").read_bytes()

    def dies_half_way(_content, file):
        file.write(b"half a check")
        raise OSError("disk full")

    monkeypatch.setattr(checkpoints.torch, "save", dies_half_way)
    with pytest.raises(OSError, match="disk full"):
        checkpoints.save_checkpoint(state, tmp_path / "checkpoint.pt")
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_the_checkpoint_of_another_network_is_refused_in_words(tmp_path):
    run(tmp_path)
    wide = ClassifierTask(toy_photos(), RECIPE, 9, (Phase(1.0, (16,)),))
    with pytest.raises(ExplorerError, match="another network"):
        train(wide, RECIPE, tmp_path, device=CPU, dtype=torch.float32)


def test_a_device_that_is_not_there_is_refused_in_words():
    assert loop.choose_device("cpu") == CPU
    for name in ("cuda:63", "toaster"):
        with pytest.raises(ExplorerError, match=name):
            loop.choose_device(name)


def test_the_rate_climbs_then_falls_along_half_a_cosine():
    recipe = Recipe(epochs=1, batch=1, peak=0.2, warmup=0.2)
    assert recipe.rate(0.0) == pytest.approx(0.01)
    assert recipe.rate(0.1) == pytest.approx((0.01 + 0.2) / 2)
    assert recipe.rate(0.2) == pytest.approx(0.2)
    assert recipe.rate(0.6) == pytest.approx(0.1)  # half way down
    assert recipe.rate(1.0) == pytest.approx(0.0)


class OneWeight:
    """Loss w: with a rate of 1 and no momentum every step takes 1 off the weight."""

    name = "one"
    photos = 3

    def settings(self):
        return {}

    def build(self):
        model = nn.Linear(1, 1, bias=False)
        nn.init.zeros_(model.weight)
        return model

    def prepare(self, model):
        model.train()

    def losses(self, model, step, progress, device):
        return {"loss": model.weight.sum()}


def test_the_average_follows_the_weights_by_hand(tmp_path, monkeypatch):
    monkeypatch.setattr(Recipe, "rate", lambda _self, _progress: 1.0)
    recipe = Recipe(epochs=1, batch=1, peak=1, momentum=1e-9, decay=0, average=0.5)
    state = train(OneWeight(), recipe, tmp_path, device=CPU, dtype=torch.float32)
    assert state.model.weight.item() == pytest.approx(-3, rel=1e-6)
    # decay min(0.5, (1 + n) / (10 + n)) after steps 1, 2, 3 = 2/11, 3/12, 4/13 toward -1, -2, -3
    average = 0.0
    for old, weight in ((2 / 11, -1), (3 / 12, -2), (4 / 13, -3)):
        average = old * average + (1 - old) * weight
    assert state.average["weight"].item() == pytest.approx(average, rel=1e-6)


def test_ctrl_c_ends_after_the_step_and_saves(tmp_path):
    import signal

    class Impatient(OneWeight):
        def losses(self, model, step, progress, device):
            if step == 1:
                signal.raise_signal(signal.SIGINT)
            return super().losses(model, step, progress, device)

    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(Interrupted, match="step 2 of 3"):
        train(Impatient(), RECIPE_ONE, tmp_path, device=CPU, dtype=torch.float32)
    assert signal.getsignal(signal.SIGINT) is before
    assert train(OneWeight(), RECIPE_ONE, tmp_path, device=CPU, dtype=torch.float32).step == 3


RECIPE_ONE = Recipe(epochs=1, batch=1, peak=0.1)


def test_the_cycle_may_end_by_time(tmp_path, monkeypatch):
    clock = iter(range(0, 10_000, 10))
    monkeypatch.setattr(loop.time, "perf_counter", lambda: float(next(clock)))
    recipe = replace(RECIPE, epochs=100, minutes=0.5)  # ten seconds a step
    assert run(tmp_path, recipe).step == 3
    assert run(tmp_path, replace(recipe, minutes=1.0)).step == 6  # it goes on where it was


def test_the_rate_ends_at_its_floor():
    recipe = replace(RECIPE, floor=0.1)
    assert recipe.rate(1.0) == pytest.approx(0.1 * recipe.peak)
    assert recipe.rate(recipe.warmup) == pytest.approx(recipe.peak)


def test_slower_parts_have_their_share_of_the_rate(tmp_path):
    recipe = replace(RECIPE, optimizer="adamw", slower={"layer1.": 0.25}, epochs=0.3)
    state = run(tmp_path, recipe)
    assert isinstance(state.optimizer, torch.optim.AdamW)
    rates = {}
    names = {id(value): name for name, value in state.model.named_parameters()}
    for group in state.optimizer.param_groups:
        for parameter in group["params"]:
            rates[names[id(parameter)]] = group["lr"]
    assert rates["layer1.0.conv1.weight"] == rates["conv1.weight"] / 4
    assert len(rates) == len(list(state.model.parameters()))


def test_a_training_begins_with_weights_that_are_given(tmp_path):
    bias = toy_task().build().state_dict()["fc.bias"] + 1
    state = run(tmp_path, replace(RECIPE, peak=0.0), first={"fc.bias": bias})
    assert torch.equal(state.model.state_dict()["fc.bias"], bias)
    assert json.loads((tmp_path / "config.json").read_text())["first weights"]


def test_first_weights_of_another_network_are_said(tmp_path):
    with pytest.raises(ExplorerError, match="another network"):
        run(tmp_path, first={"fc.bias": torch.zeros(9)})
