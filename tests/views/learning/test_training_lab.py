"""The live training: it shows the learner's numbers, takes changes, keeps and resumes runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes
from explorer.core.network_info import NetworkSpec
from explorer.core.params import FolderRef
from explorer.engine.scene import Scene
from explorer.networks import catalog
from explorer.networks.made import NewNetwork
from explorer.training.small.data_set import drawn
from explorer.training.small.learner import Learner, prepared, tensors_of
from explorer.training.small.recipe import Recipe
from explorer.training.small.runs import RUNS
from explorer.views.learning.training_lab.course import SHOWN
from explorer.views.learning.training_lab.params import Augmentation, Params, recipe_of
from explorer.views.learning.training_lab.view import VIEW, clear, draw, start_over
from explorer.views.shared.learning import keeping
from tests.steps import finish
from tests.training.small.tiny import tiny
from tests.views.learning.small import cells, few_shapes, last, steps

__all__ = ["few_shapes"]

CPU = torch.device("cpu")
PARAMS = Params(layers=4, width=4, steps=20, batch=8)


def data_of(params: Params, count: int | None = None) -> dict[str, Any]:
    found = None
    generator = steps(VIEW, params)
    for number, step in enumerate(generator):
        found = step.value
        if number == count:
            break
    generator.close()  # type: ignore[attr-defined]
    assert VIEW.data is not None
    return dict(VIEW.data(found, params))


def test_the_curves_and_kernels_are_those_of_a_learner() -> None:
    found = data_of(PARAMS)
    learner = Learner(tiny(), recipe_of(PARAMS), 3)
    taken = [learner.train_step() for _ in range(20)]
    assert found["loss"].tolist() == [each.loss for each in taken]
    assert found["gradient_norm"].tolist() == [each.norm for each in taken]
    assert found["validation_accuracy"][-1] == learner.score().accuracy
    np.testing.assert_array_equal(
        found["kernels"], learner.network.get_parameter("stem.conv.weight").detach().numpy()
    )
    norms = [each.weights for each in learner.flow()]
    np.testing.assert_allclose(found["gradient_norms"][-1], norms, rtol=1e-6)


def test_the_frames_say_which_predictions_are_correct() -> None:
    result, board = last(VIEW, PARAMS)
    frames = board.boxes("predictions")
    assert isinstance(frames, Boxes)
    right = result.labels == result.given
    assert len(frames.xyxy) == min(SHOWN, 32)
    assert [label == "" for label in frames.labels] == right.tolist()
    assert f"{right.sum()} of" in board.pane("predictions").title
    assert board.pane("gradients").readout(400.0, 10.0).startswith("layer 1, step ")  # type: ignore[misc]


def test_a_moment_of_the_run_is_shown_again() -> None:
    result, _ = last(VIEW, PARAMS)
    start, end = (draw(result, replace(PARAMS, moment=m)) for m in (0, 100))
    flow = [next(plot for plot in board.plots if plot.name == "flow") for board in (start, end)]
    assert [plot.curves[1].label for plot in flow] == ["step 0", "step 20"]


def test_a_change_reaches_the_next_step_and_the_run_goes_on() -> None:
    generator = VIEW.compute(Scene(None, None, 3), PARAMS)
    for _ in range(5):
        next(generator)
    changed = replace(
        PARAMS, rate=0.3, schedule="constant", norm=False,
        augmentation=(Augmentation("rotate", 0.5),),
    )  # fmt: skip
    generator.send(changed)
    step = next(generator)
    assert step.value.step == 6
    assert step.value.taken[-1, 3] == 0.3
    ((at, words),) = [(each.step, each.words) for each in step.value.changes]
    assert at == 4
    assert words == "batch norm off, learning rate 0.3, schedule constant, augmentation rotate 0.5"
    assert cells(draw(step.value, changed), "changes", "changed to") == [words]
    generator.close()


def test_more_steps_continue_a_training_at_its_end() -> None:
    generator = VIEW.compute(Scene(None, None, 3), PARAMS)
    for step in generator:
        if step.value.step == 20:
            break
    longer = replace(PARAMS, steps=30)
    generator.send(longer)
    assert [step.value.step for step in generator][-1] == 30


def test_a_run_that_was_left_goes_on_bit_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    straight = data_of(PARAMS)
    RUNS.remove(RUNS.listed()[0].name)
    monkeypatch.setattr(keeping, "WORTH_KEEPING", 1)
    data_of(PARAMS, count=9)  # closed after nine steps
    (kept,) = RUNS.listed()
    assert kept.step == 9
    resumed = data_of(PARAMS)
    for key, value in straight.items():
        if key not in ("moments", "validation_loss", "validation_accuracy"):
            if isinstance(value, np.ndarray) and value.ndim > 1 and key != "kernels":
                value, resumed[key] = value[-1], resumed[key][-1]
            np.testing.assert_array_equal(value, resumed[key], key)
    assert len(RUNS.listed()) == 1


def test_a_checkpoint_is_written_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEPT_EVERY", 0.0)
    generator = VIEW.compute(Scene(None, None, 3), PARAMS)
    for _ in range(4):
        step = next(generator)
    (kept,) = RUNS.listed()
    assert kept.step == step.value.step == 3
    assert kept.name in draw(step.value, PARAMS).summary
    generator.close()


def test_what_was_changed_on_the_way_is_found_again_by_the_new_settings() -> None:
    generator = VIEW.compute(Scene(None, None, 3), PARAMS)
    for _ in range(5):
        next(generator)
    changed = replace(PARAMS, rate=0.3)
    generator.send(changed)
    assert [step.value.step for step in generator][-1] == 20
    first = next(iter(steps(VIEW, changed)))
    assert first.value.step == 20
    assert [each.step for each in first.value.changes] == [4]


def test_kept_runs_are_compared_and_forgotten() -> None:
    last(VIEW, PARAMS)
    last(VIEW, replace(PARAMS, norm=False))
    _, board = last(VIEW, replace(PARAMS, rate=0.1))
    assert cells(board, "runs", "settings") == [
        "layers 4, width 4, batch size 8, batch norm off", "layers 4, width 4, batch size 8",
    ]  # fmt: skip
    assert len(board.plots[0].curves) == 4
    list(start_over(Scene(None, None, 3), PARAMS))
    assert len(RUNS.listed()) == 2
    with pytest.raises(ExplorerError, match="No run with these settings"):
        list(start_over(Scene(None, None, 3), PARAMS))
    list(clear(Scene(None, None, 3), PARAMS))
    assert RUNS.listed() == []


def test_another_persons_run_is_shown_and_on_the_same_data_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last(VIEW, PARAMS)
    (kept,) = RUNS.listed()
    place = tmp_path / "given"
    shutil.move(RUNS.folder() / kept.name, place)
    opened = Params(run=FolderRef(str(place)))
    result, board = last(VIEW, opened, seed=99)
    assert (result.step, result.recipe) == (20, recipe_of(PARAMS))
    assert result.given.tolist() == last(VIEW, PARAMS)[0].given.tolist()
    assert not board.notes
    monkeypatch.setattr("explorer.views.shared.learning.source.drawn", lambda: tiny(80))
    result, board = last(VIEW, opened)
    assert result.step == 20
    assert len(result.moments) > 2
    assert board.notes[-1].startswith("This run was trained on other data (tiny)")


def test_a_loss_that_is_not_finite_ends_the_run_in_words() -> None:
    params = replace(
        PARAMS, layers=14, norm=False, initialization="too large", rate=10.0, schedule="constant",
        optimizer="SGD", steps=60,
    )  # fmt: skip
    (*_, step) = steps(VIEW, params)
    assert step.value.step < 60
    assert "the learning rate is too large" in step.value.notes[-1]
    assert draw(step.value, params).summary
    (kept,) = RUNS.listed()
    assert kept.ended


def kept(params: Params, scene: Scene) -> NewNetwork:
    (action,) = (each for each in VIEW.actions if each.name == "keep")
    assert action.run is not None
    new, _ = finish(action.run(scene, params))
    assert isinstance(new, NewNetwork)
    return new


@pytest.mark.parametrize(
    "changed",
    [{}, {"norm": False, "layers": 5}, {"shortcuts": True, "width": 8}, {"layers": 2, "keep": 0.5}],
)
def test_the_network_joins_the_catalog_and_computes_the_same(changed: dict[str, Any]) -> None:
    params = replace(PARAMS, steps=10, **changed)
    name = catalog.keep(kept(params, Scene(None, None, 3)))
    learner = Learner(tiny(), recipe_of(params), 3)
    for _ in range(10):
        learner.train_step()
    assert name == "small-network-on-tiny"
    network, _ = finish(catalog.load(NetworkSpec(name, device="cpu")))
    pictures = tiny().test.pictures
    x = torch.cat([network.preprocess(picture) for picture in pictures])
    expected = learner.network.eval()
    with torch.no_grad():
        assert torch.equal(network.module(x), expected(prepared(tensors_of(tiny().test, CPU)[0])))
    assert network.info.classes == tiny().classes
    entry = catalog.find(name)
    assert f"{params.layers} layers after 10 steps from random weights on" in entry.summary
    assert dict(entry.weights[0].metrics)["validation accuracy"] == learner.score().accuracy
    names = {definition.entry.name for definition in catalog.definitions()}
    assert not names & {"small-plain", "small-residual"}, "nothing but a training makes one"


def test_the_network_is_kept_as_it_is_at_the_moment() -> None:
    scene = Scene(None, None, 3)
    generator = VIEW.compute(scene, PARAMS)
    for _ in range(6):
        step = next(generator)
    new = kept(PARAMS, scene)
    assert new.recipe["steps done"] == step.value.step == 5
    generator.close()


def test_a_training_that_diverged_leaves_no_network() -> None:
    params = replace(
        PARAMS, layers=14, norm=False, initialization="too large", rate=10.0, schedule="constant",
        optimizer="SGD", steps=60,
    )  # fmt: skip
    with pytest.raises(ExplorerError, match="its weights are not finite"):
        kept(params, Scene(None, None, 3))


def trained(steps_: int, **changed: Any) -> float:
    """The validation accuracy on the real shapes."""
    recipe = Recipe(steps=steps_, schedule="constant", **changed)
    learner = Learner(drawn(), recipe, 0)
    for _ in range(steps_):
        learner.train_step()
    return learner.score().accuracy


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_batch_norm_bears_a_ten_times_larger_learning_rate() -> None:
    found = {
        (norm, rate): trained(200, norm=norm, rate=rate)
        for norm in (False, True)
        for rate in (0.02, 0.2)
    }
    print(found)
    assert found[False, 0.02] > 0.25, "without it the smaller rate works"
    assert found[False, 0.2] < 0.2, "and the larger one does not"
    assert found[True, 0.2] > 0.4, "with it the larger one does"


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_too_small_weights_learn_nothing_where_he_learns() -> None:
    small = trained(200, norm=False, rate=0.02, initialization="too small")
    he = trained(200, norm=False, rate=0.02)
    print(small, he)
    assert small < 0.2 < he - 0.05
