"""There and back with both generators, and the differences as the losses have them."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.engine.scene import Scene
from explorer.evaluation.generated.pictures import to_pixels
from explorer.views.generative import cycle_translation as view
from explorer.views.shared.translation.networks import tensor_of
from tests.toys import toy_image
from tests.views.generative.translators import translator


@pytest.fixture
def scene(monkeypatch: pytest.MonkeyPatch) -> Scene:
    monkeypatch.setattr(view, "network_of", translator)
    return Scene(None, toy_image(height=48, width=64), seed=3)


@pytest.mark.parametrize("way", view.WAYS)
def test_there_and_back(scene: Scene, way: str) -> None:
    networks = translator("mini-cyclegan-maps")
    there, back = networks.to_map, networks.to_photo
    if way == view.BACK:
        there, back = back, there
    params = view.Params(way=way)
    (step,) = view.compute(scene, params)
    found = view.data(step.value, params)
    other = to_pixels(there(tensor_of(found["given"])))[0]
    np.testing.assert_array_equal(found["translated"], other)
    np.testing.assert_array_equal(found["again"], to_pixels(back(tensor_of(other)))[0])
    same = to_pixels(back(tensor_of(found["given"])))[0]
    for name, made in (("cycle_loss", found["again"]), ("identity_loss", same)):
        apart = np.abs(made.astype(float) - found["given"]).mean(axis=2)
        np.testing.assert_allclose(found[name], apart, atol=1e-4)
    board = view.draw(step.value, params)
    assert len(board.panes) == 7
    assert board.tables[0].rows[0][1] == pytest.approx(found["cycle_loss"].mean(), abs=0.01)


def test_without_its_weights_a_sentence_says_what_to_do(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "network_of", lambda _: None)
    (step,) = view.compute(scene, view.Params())
    (note,) = view.draw(step.value, view.Params()).notes
    assert note.startswith("The weights of mini-cyclegan-maps are not in this version")
    assert view.data(step.value, view.Params()) == {}


def test_a_difference_is_the_mean_over_the_colors() -> None:
    one = np.array([[[10, 20, 30]]], np.uint8)
    other = np.array([[[13, 20, 24]]], np.uint8)
    np.testing.assert_array_equal(view.difference(one, other), np.array([[3]], np.float32))
