"""The view of adversarial examples: what it shows is what the network gives for the file."""

from __future__ import annotations

from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
import torch
from PIL import Image as Pillow
from torch import nn

import explorer
from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.params import Box, resolved
from explorer.engine.scene import Scene
from explorer.images.image import from_array, open_image
from explorer.networks.hooks import interruptible
from explorer.render.board import render_pane
from explorer.views.shared.synthesis.attacks import ANY
from explorer.views.synthesis.adversarial.params import (
    APPEAR,
    CHANGE,
    DEEPFOOL,
    DESCENT,
    FGSM,
    L2,
    LBFGS,
    PGD,
    VANISH,
)
from explorer.views.synthesis.adversarial.results import BoxOutput, ClassOutput
from explorer.views.synthesis.adversarial.view import VIEW, Params
from tests.data import shared_data
from tests.toys import FixedDetector, hook_count, make_network, toy_image, toy_network

QUICK = {"steps": 4, "rounds": 2}


def run(scene: Scene, **changes):
    params = resolved(Params(**{**QUICK, **changes}), scene.network.info)
    return params, list(VIEW.compute(scene, params))


def toy_scene(task: str = "classification", **options) -> Scene:
    return Scene(toy_network(task), toy_image(), **options)


def test_the_pictures_are_those_that_the_network_receives() -> None:
    scene = toy_scene()
    params, steps = run(scene, target="dog", epsilon=32.0)
    result = steps[-1].value
    assert result.original.shape == (32, 32, 3)
    np.testing.assert_array_equal(result.original, scene.network.preprocess.picture(scene.input()))
    fed = scene.network.preprocess.fed(result.picture)
    own = scene.network.module(fed).softmax(1)[0].numpy()
    check = result.checks[1]
    assert check.what.startswith("as an 8-bit PNG")
    assert check.answer == scene.network.info.classes[int(own.argmax())]
    assert check.score == pytest.approx(float(own.max()), abs=1e-6)
    assert np.abs(result.change).max() <= 32 / 255 + 1e-6
    exact = result.original / 255 + result.change
    np.testing.assert_array_equal(result.picture, (exact * 255).round().astype(np.uint8))
    board = VIEW.draw(result, params)
    assert [pane.name for pane in board.panes] == ["original", "perturbation", "result"]
    assert {pane.frame for pane in board.panes} == {"resized"}


def test_the_saved_pane_opened_as_a_photo_is_the_picture_that_was_attacked() -> None:
    scene = toy_scene()
    params, steps = run(scene, target="dog")
    result = steps[-1].value
    pane = VIEW.draw(result, params).pane("result")
    file = BytesIO()
    Pillow.fromarray(render_pane(pane)).save(file, "PNG")
    again = np.asarray(Pillow.open(file))
    np.testing.assert_array_equal(again, VIEW.data(result, params)["photo"])
    assert again.shape[:2] != result.picture.shape[:2], "the network crops"
    assert torch.equal(
        scene.network.preprocess(again), scene.network.preprocess.fed(result.picture)
    )
    assert result.checks[2].score == result.checks[1].score


@pytest.mark.parametrize("method", [PGD, FGSM, DEEPFOOL, DESCENT, LBFGS])
def test_every_method_streams_its_steps(method: str) -> None:
    params, steps = run(toy_scene(), method=method, target="dog", rate=0.5)
    assert [step.value.last.step for step in steps[:2]] == [0, 1]
    assert all(0 < step.done <= step.total for step in steps)
    assert steps[-1].done == steps[-1].total
    assert [bool(step.value.checks) for step in steps] == [False] * (len(steps) - 1) + [True]
    board = VIEW.draw(steps[-1].value, params)
    assert next(table for table in board.tables if table.name == "checks").rows[0][0] == (
        "as computed, 32 x 32 pixels"
    )
    first = steps[0].value
    if method not in (PGD,):
        assert np.abs(first.change).max() == 0, "it starts from the photo"


def test_untargeted_leaves_the_top_class() -> None:
    scene = toy_scene()
    _, steps = run(scene, target=ANY, epsilon=64.0, steps=30)
    output = steps[-1].value.output
    assert isinstance(output, ClassOutput)
    assert steps[-1].value.last.reached == (output.top != output.label)
    assert steps[-1].value.last.now < steps[0].value.last.now


def test_the_penalized_rows_add_up_and_print_the_update() -> None:
    params, steps = run(toy_scene(), method=DESCENT, target="dog", weight=0.3, rate=0.25)
    result = steps[-1].value
    for row in result.rows:
        assert row.penalty == pytest.approx(0.3 * row.l2**2, rel=1e-4, abs=1e-9)
    table = next(t for t in VIEW.draw(result, params).tables if t.name == "updates")
    assert table.title == "Updates: r ← r − 0.25 (∂d/∂r + 2 · 0.3 r)"
    assert [row[0] for row in table.rows] == [4, 3, 2, 1, 0]


def test_several_lambdas_end_with_the_chosen_one() -> None:
    params, steps = run(toy_scene(), method=LBFGS, target="dog", rounds=3, steps=6)
    result = steps[-1].value
    assert len(result.rounds) == 3
    assert len({row.weight for row in result.rows}) == 1
    assert [row.step for row in result.rows] == list(range(len(result.rows)))
    table = next(t for t in VIEW.draw(result, params).tables if t.name == "lambdas")
    assert len(table.rows) == 3


def test_the_same_seed_gives_the_same_picture() -> None:
    pictures = [
        run(toy_scene(seed=seed), target="dog", norm=L2)[1][-1].value.change for seed in (1, 1, 2)
    ]
    np.testing.assert_array_equal(pictures[0], pictures[1])
    assert (pictures[0] != pictures[2]).any()


def test_a_cancel_ends_within_a_step() -> None:
    scene = toy_scene()
    steps = VIEW.compute(scene, resolved(Params(), scene.network.info))
    next(steps)
    with interruptible(scene.network.module, lambda: True), pytest.raises(Cancelled):
        next(steps)
    steps.close()
    assert hook_count(scene.network.module) == 0
    assert torch.is_grad_enabled()


class Overflowing(nn.Module):
    """Not finite as soon as a picture is not the one it was given first."""

    def __init__(self) -> None:
        super().__init__()
        self.first: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.first = x.detach().clone() if self.first is None else self.first
        scores = x.mean((2, 3))
        return scores if torch.equal(x.detach(), self.first) else scores * float("inf") - 1e30


def test_numbers_that_are_none_are_said_on_the_board() -> None:
    network = make_network(Overflowing(), "classification", classes=("r", "g", "b"))
    params, steps = run(Scene(network, toy_image()), random_start=False, target="b")
    board = VIEW.draw(steps[-1].value, params)
    assert any("Stopped at step 1" in note for note in board.notes)
    assert np.abs(steps[-1].value.change).max() == 0


def test_a_photo_of_one_pixel() -> None:
    scene = Scene(toy_network("classification"), from_array(np.full((1, 1, 3), 90, np.uint8), "x"))
    _, steps = run(scene, target="dog")
    assert steps[-1].value.checks


def test_an_unknown_class_is_one_sentence() -> None:
    with pytest.raises(ExplorerError, match="target has no choice 'unicorn'"):
        explorer.look("adversarial", "cat", target="unicorn")


def test_from_python_with_a_module_of_ones_own() -> None:
    toy = toy_network("classification")
    for weight in toy.module.parameters():
        weight.requires_grad_()
    answer = explorer.look("adversarial", toy_image(), network=toy, target="cat", steps=3)
    assert answer.data["picture"].shape == (32, 32, 3)
    assert all(weight.requires_grad and weight.grad is None for weight in toy.module.parameters())


# -- detectors ------------------------------------------------------------------------------------


@pytest.mark.parametrize("goal", [VANISH, CHANGE, APPEAR])
def test_attacks_on_a_box(goal: str) -> None:
    scene = toy_scene("detection")
    params, steps = run(scene, goal=goal, target=ANY, epsilon=32.0)
    result = steps[-1].value
    output = result.output
    assert isinstance(output, BoxOutput)
    assert result.last.loss < result.rows[0].loss
    assert (output.row is None) == (goal == APPEAR)
    board = VIEW.draw(result, params)
    assert {pane.frame for pane in board.panes} == {"image"}
    assert {pane.size for pane in board.panes} == {(64.0, 48.0)}
    assert board.boxes("detections") is not None
    bare = VIEW.draw(result, replace(params, boxes=False)).pane("result")
    np.testing.assert_array_equal(render_pane(bare), result.picture)


def test_the_selected_box_is_the_attacked_one() -> None:
    scene = toy_scene("detection")
    _, steps = run(scene, selected=2, score=0.0)
    output = steps[-1].value.output
    np.testing.assert_allclose(output.box, scene.output()[0]["boxes"][2].numpy(), rtol=1e-5)


def test_a_new_box_is_where_it_was_drawn() -> None:
    _, steps = run(toy_scene("detection"), goal=APPEAR, target="dog", box=Box(4, 6, 30, 28))
    np.testing.assert_array_equal(steps[-1].value.output.box, [4, 6, 30, 28])
    with pytest.raises(ExplorerError, match="smaller than a pixel"):
        run(toy_scene("detection"), goal=APPEAR, target="dog", box=Box(4, 6, 4, 6))


def test_what_cannot_be_attacked_is_one_sentence() -> None:
    found = {
        "boxes": torch.tensor([[2.0, 2, 20, 20]]), "labels": torch.tensor([1]),
        "scores": torch.tensor([0.9]),
    }  # fmt: skip
    fixed = make_network(FixedDetector(found), "detection", classes=("__background__", "cat"))
    with pytest.raises(ExplorerError, match="cannot be attacked"):
        run(Scene(fixed, toy_image()))
    scene = toy_scene("detection")
    name = scene.network.info.classes[int(scene.output()[0]["labels"][0])]
    with pytest.raises(ExplorerError, match="already"):
        run(scene, goal=CHANGE, target=name)


# -- real photos ----------------------------------------------------------------------------------


def test_targeted_pgd_turns_real_photos() -> None:
    folder = shared_data("coco-mini/images")
    if folder is None:
        pytest.skip("needs coco-mini")
    for path in sorted(folder.iterdir())[:3]:
        answer = explorer.look("adversarial", open_image(path), steps=12, step=0.2, stop=True)
        assert answer.data["succeeds"], path.name
        names = answer.data["classes"]
        assert names[int(answer.data["after"].argmax())] == "ostrich"
        assert np.abs(answer.data["perturbation"]).max() <= 8 / 255 + 1e-6
