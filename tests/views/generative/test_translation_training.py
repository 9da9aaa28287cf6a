"""The weights of the losses are taken while it runs, and what is shown is the generator's."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.scene import Scene
from explorer.views.generative import translation_training as view
from tests.toys import toy_image


@pytest.fixture
def scene() -> Scene:
    return Scene(None, toy_image(height=48, width=64), seed=3)


@pytest.mark.parametrize("kind", [view.SHARP, view.COLORS])
def test_every_few_steps_there_is_a_picture(scene: Scene, kind: str) -> None:
    params = view.Params(kind=kind, steps=7)
    steps = list(view.compute(scene, params))
    assert [len(step.value.losses) for step in steps] == [0, 5, 7]
    first, last = steps[0].value, steps[-1].value
    assert not np.array_equal(first.made.rgb, last.made.rgb)
    assert first.given is last.given, "what does not change is not uploaded again"
    board = view.draw(last, params)
    assert board.summary.startswith("step 7: L1 ")
    assert len(board.plots[0].curves[0].x) == 7
    assert view.data(last, params)["l1"].shape == (7,)


def test_a_weight_that_is_changed_counts_from_the_next_step(scene: Scene) -> None:
    params = view.Params(steps=10)
    plain = list(view.compute(scene, params))[-1].value
    steered = view.compute(scene, params)
    next(steered)
    steered.send(None)
    changed = steered.send(view.Params(steps=10, l1=0.0, gan=5.0)).value
    np.testing.assert_array_equal(changed.losses[:6], plain.losses[:6])
    assert not np.array_equal(changed.losses[6:], plain.losses[6:])


def test_the_input_lacks_what_the_truth_has(scene: Scene) -> None:
    gray = next(view.compute(scene, view.Params(kind=view.COLORS))).value
    assert (np.ptp(gray.given.rgb, axis=2) == 0).all()
    blurred = next(view.compute(scene, view.Params(kind=view.SHARP))).value
    fine = [np.abs(np.diff(each.rgb.astype(int), axis=1)).mean() for each in
            (blurred.given, blurred.truth)]  # fmt: skip
    assert fine[0] <= fine[1]
