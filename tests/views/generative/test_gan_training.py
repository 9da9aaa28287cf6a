"""The live duel: it shows the learner's numbers, takes changes, keeps, forks and resumes runs."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.layers import Heat, Points
from explorer.core.params import FolderRef
from explorer.engine.scene import Scene
from explorer.training.adversarial import learner as learning
from explorer.training.adversarial import sources
from explorer.training.adversarial.learner import Duel, GanLearner
from explorer.training.adversarial.recipe import GAN_RUNS
from explorer.training.adversarial.sources import Pictures, Plane
from explorer.views.generative.gan_training import course
from explorer.views.generative.gan_training import params as forms
from explorer.views.generative.gan_training.params import PICTURES, Params, recipe_of
from explorer.views.generative.gan_training.view import VIEW, draw, fork, start_over
from explorer.views.shared.learning import keeping
from tests.views.learning.small import cells, last, steps

PARAMS = Params(steps=40)
SHOWN = Params(samples=PICTURES, steps=12)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learning, "WIDTHS", {4: 8, 8: 6, 16: 5, 32: 4})
    monkeypatch.setattr(forms, "BATCH", {forms.POINTS: 16, PICTURES: 4})
    monkeypatch.setattr(keeping, "WORTH_KEEPING", 1)
    pixels = np.random.default_rng(0).integers(0, 256, (30, 32, 32, 3), np.uint8)
    monkeypatch.setattr(course, "drawn_pictures", lambda: Pictures("noise", pixels))


def data_of(params: Params, until: int = 10**9) -> dict[str, Any]:
    generator = steps(VIEW, params)
    for step in generator:
        if step.value.step >= until:
            break
    generator.close()  # type: ignore[attr-defined]
    assert VIEW.data is not None
    return dict(VIEW.data(step.value, params))


def test_the_curves_and_the_points_are_those_of_a_learner() -> None:
    result, board = last(VIEW, PARAMS)
    own = GanLearner(Plane(), recipe_of(PARAMS), 3)
    duels = [own.train_step() for _ in range(40)]
    assert result.taken[:, 0].tolist() == [each.discriminator for each in duels]
    assert result.taken[:, 1].tolist() == [each.generator for each in duels]
    look = result.looks[-1]
    np.testing.assert_array_equal(look.samples, own.look(400).numpy())
    np.testing.assert_array_equal(look.field, own.field(48, 1.7))
    shown = {layer.name: layer for layer in board.pane("samples").layers}
    field, made = shown["field"], shown["made points"]
    assert isinstance(field, Heat)
    assert isinstance(made, Points)
    np.testing.assert_allclose(field.values, 1 / (1 + np.exp(-look.field)), rtol=1e-5)
    # the origin is in the middle, and y points up
    np.testing.assert_allclose((made.xy / 640 * 3.4 - 1.7) * (1, -1), look.samples, atol=1e-4)


def test_a_run_that_was_left_goes_on_bit_equal() -> None:
    straight = data_of(PARAMS)
    GAN_RUNS.remove(GAN_RUNS.listed()[0].name)
    data_of(PARAMS, until=10)
    (kept,) = GAN_RUNS.listed()
    assert kept.step == 10
    resumed = data_of(PARAMS)
    for key in ("discriminator_loss", "generator_loss", "samples", "field", "made_scores"):
        np.testing.assert_array_equal(straight[key], resumed[key], key)
    assert len(GAN_RUNS.listed()) == 1


def test_a_change_reaches_the_next_step_and_a_fork_leaves_the_run_as_it_is() -> None:
    data_of(PARAMS, until=20)
    list(fork(Scene(None, None, 3), PARAMS))
    generator = VIEW.compute(Scene(None, None, 3), PARAMS)
    assert next(generator).value.step == 20
    changed = replace(PARAMS, loss="WGAN-GP", rate_d=0.001)
    generator.send(changed)
    (*_, step) = generator
    words = [each.words for each in step.value.changes]
    assert words[0].startswith("forked from ")
    assert words[1] == "loss wasserstein, discriminator's learning rate 0.001"
    assert step.value.taken[:20, 2].tolist() == [0.0] * 20
    assert (step.value.taken[20:, 2] > 0).all()
    ended, before = GAN_RUNS.listed()
    assert (ended.step, before.step) == (40, 20)
    board = draw(step.value, changed)
    assert cells(board, "runs", "run") == [before.name]
    assert cells(board, "changes", "changed to") == words
    assert data_of(PARAMS)["recipe"]["loss"] == "minimax", "the run of before goes on"


def test_pictures_grow_and_their_gradient_is_shown() -> None:
    result, board = last(VIEW, SHOWN)
    assert result.looks[0].side == 4
    assert result.looks[-1].side == 32
    assert [pane.name for pane in board.panes] == ["samples", "gradient", "over the steps"]
    assert "32 x 32" in board.pane("samples").title
    (heat,) = [layer for layer in board.pane("gradient").layers if isinstance(layer, Heat)]
    assert np.nan_to_num(heat.values).max() == result.looks[-1].pull.max() > 0
    start = draw(result, replace(SHOWN, moment=0))
    assert "4 x 4" in start.pane("samples").title


def test_a_folder_of_photos_is_imitated_and_one_with_too_few_is_refused(tmp_path: Path) -> None:
    for number in range(sources.LEAST):
        cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((40, 60, 3), 8 * number, np.uint8))
    own = replace(SHOWN, folder=FolderRef(str(tmp_path)), steps=10)
    result, _ = last(VIEW, own)
    assert result.source == tmp_path.name
    assert result.looks[-1].samples.shape == (24, 32, 32, 3)
    (tmp_path / "0.png").unlink()
    with pytest.raises(ExplorerError, match="has 23 photos"):
        last(VIEW, own)


def test_a_kept_run_is_opened_by_its_folder_and_forgotten() -> None:
    data_of(PARAMS, until=20)
    place = GAN_RUNS.folder() / GAN_RUNS.listed()[0].name
    result, _ = last(VIEW, Params(run=FolderRef(str(place))), seed=99)
    assert (result.step, result.recipe) == (40, recipe_of(PARAMS))
    list(start_over(Scene(None, None, 3), PARAMS))
    assert GAN_RUNS.listed() == []


def test_a_loss_that_is_not_finite_ends_the_run_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    real = GanLearner.train_step

    def lost(learner: GanLearner) -> Duel:
        duel = real(learner)
        return replace(duel, generator=float("inf")) if learner.step == 13 else duel

    monkeypatch.setattr(GanLearner, "train_step", lost)
    (*_, step) = steps(VIEW, PARAMS)
    assert step.value.step == 13
    assert "a learning rate is too large" in step.value.notes[-1]
    assert draw(step.value, PARAMS).summary
    (kept,) = GAN_RUNS.listed()
    assert kept.ended
