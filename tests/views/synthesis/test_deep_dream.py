"""The dream climbs, can be steered and repeated, and stops at numbers that are none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import resolved
from explorer.engine.scene import Scene
from explorer.views.shared.synthesis.dreams import channels_of
from explorer.views.synthesis.deep_dream import VIEW, Params
from tests.toys import ToyConvNet, hook_count, make_network, toy_image, toy_network

QUICK = {"size": 64, "octaves": 2, "steps": 4, "jitter": 0, "smoothing": 0.0, "tv": 0.0}


def run(scene: Scene, **changes):
    params = resolved(Params(**{**QUICK, **changes}), scene.network.info)
    return list(VIEW.compute(scene, params))


def test_the_layer_answers_more_strongly() -> None:
    steps = run(Scene(toy_network("classification"), toy_image()), octaves=1, steps=6)
    heights = -steps[-1].value.grown.losses
    assert len(heights) == 6
    assert (np.diff(heights) > 0).all()
    assert steps[-1].value.grown.rgb.shape == (48, 64, 3)


def test_octaves_progress_and_notes() -> None:
    steps = run(Scene(toy_network("classification"), toy_image()), scale=1.5)
    assert [step.done for step in steps] == list(range(1, 9))
    assert {step.total for step in steps} == {8}
    assert steps[0].value.grown.rgb.shape == (32, 43, 3)
    assert steps[-1].value.grown.rgb.shape == (48, 64, 3)
    assert steps[4].note == "octave 2 of 2 (64 x 48), step 1 of 4"
    board = VIEW.draw(steps[0].value, Params())
    assert board.pane("dream").size == (64, 48), "the photo's frame at every octave"
    assert board.pane("dream").layers[0].extent == (0, 0, 64, 48)


@pytest.mark.parametrize("task", ["classification", "detection", "segmentation"])
def test_every_task(task: str) -> None:
    steps = run(Scene(toy_network(task), toy_image()))
    assert steps[-1].value.grown.losses[-1] < steps[4].value.grown.losses[-1]


def test_steering_changes_the_next_step() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    params = resolved(Params(**QUICK), scene.network.info)
    dream = VIEW.compute(scene, params)
    first = next(dream)
    second = dream.send(Params(**QUICK, layer="conv1"))
    assert (first.value.title, second.value.title) == ("conv2", "conv1")
    half_typed = dream.send(Params(**QUICK, layer="conv1", channels="2, x"))
    assert len(half_typed.value.grown.losses) == 3
    dream.close()
    assert hook_count(scene.network.module) == 0


def test_the_same_seed_dreams_the_same() -> None:
    pictures = [
        run(Scene(toy_network("classification"), toy_image(), seed=seed), start="noise", jitter=8)
        for seed in (1, 1, 2)
    ]
    first, same, other = (steps[-1].value.grown.rgb for steps in pictures)
    np.testing.assert_array_equal(first, same)
    assert (first != other).any()


def test_bfloat16_is_said_on_the_picture() -> None:
    pictures = []
    for half, title in ((False, "Dream of conv2"), (True, "Dream of conv2, computed in bfloat16")):
        steps = run(Scene(toy_network("classification"), toy_image()), octaves=1, half=half)
        grown = steps[-1].value.grown
        assert grown.losses[-1] < grown.losses[0]
        assert VIEW.draw(steps[-1].value, Params()).panes[0].title == title
        pictures.append(grown.rgb)
    assert (pictures[0] != pictures[1]).any()


def test_channels() -> None:
    assert channels_of("") == ()
    assert channels_of("3, 17;3") == (3, 17)
    scene = Scene(toy_network("classification"), toy_image())
    with torch.no_grad():
        own = scene.network.module.conv1(torch.from_numpy(scene.input().numpy()))
    steps = run(scene, layer="conv1", channels="2", octaves=1, steps=1, size=64)
    assert own.shape[1] == 3
    assert np.isfinite(steps[0].value.grown.losses).all()
    for text in ("x", "-1", "1.5"):
        with pytest.raises(ExplorerError, match="not valid"):
            run(scene, channels=text)
    with pytest.raises(ExplorerError, match="no channel 99"):
        run(scene, channels="99")


def test_stops_at_the_first_number_that_is_none() -> None:
    class Fragile(ToyConvNet):
        """Gives NaN from its third step on; it is copied after two calls."""

        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            if self.calls > 4:
                x = x * torch.nan
            return super().forward(x)

    network = make_network(Fragile(), "classification", default_layer="conv1")
    steps = run(Scene(network, toy_image()))
    assert len(steps) == 3
    last = steps[-1].value
    assert "not finite" in last.grown.problem
    np.testing.assert_array_equal(last.grown.rgb, steps[1].value.grown.rgb)
    assert len(last.grown.losses) == 2
    assert VIEW.draw(last, Params()).notes == (last.grown.problem,)


def test_the_detectors_head_cannot_be_dreamed_of() -> None:
    network = toy_network("detection")
    choices = Params.__dataclass_fields__["layer"].metadata["meta"].options(network.info)
    assert choices
    assert all(name.startswith("backbone.") for name in choices)
