"""What is shown is what the network gives for the very pictures; seeds, modes, bad networks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.engine.scene import Scene
from explorer.views.synthesis.fooling.panes import CLOSE, Result
from explorer.views.synthesis.fooling.view import KEPT, VIEW, Params
from tests.toys import MeanClassifier, make_network, toy_image, toy_network

QUICK = {"generations": 5, "offspring": 6}


def run(scene: Scene, **changes: object) -> list[Result]:
    return [step.value for step in VIEW.compute(scene, Params(**{**QUICK, **changes}))]


def toy(seed: int = 0) -> Scene:
    return Scene(toy_network("classification"), toy_image(), seed=seed)


@pytest.mark.parametrize("encoding", ["CPPN", "direct"])
@pytest.mark.parametrize("mode", ["all classes", "one class"])
def test_every_probability_is_the_networks_own(encoding: str, mode: str) -> None:
    scene = toy()
    results = run(scene, encoding=encoding, mode=mode, of="dog")
    last = results[-1]
    assert len(results) == 5
    assert [len(result.history) for result in results] == [1, 2, 3, 4, 5]
    scores = [elite.score for elite in last.elites]
    assert scores == sorted(scores, reverse=True), "the most probable first"
    for elite in last.elites:
        shown = torch.from_numpy(elite.rgb).permute(2, 0, 1)[None].float() / 255
        with torch.no_grad():
            own = scene.network.module((shown - 0.5) / 0.5).softmax(1)[0]
        assert elite.score == pytest.approx(float(own[elite.label]), abs=1e-5)
        label, share = elite.top[0]
        assert (label, share) == (int(own.argmax()), pytest.approx(float(own.max()), abs=1e-5))
    if mode == "all classes":
        assert sorted(elite.label for elite in last.elites) == [0, 1, 2, 3]
        assert last.places == 4
    else:
        assert {elite.label for elite in last.elites} == {1}
        assert last.places == min(KEPT, 5 * QUICK["offspring"])
    np.testing.assert_allclose(last.history[-1][0], scores[0], atol=1e-6)
    assert last.reached == sum(score >= CLOSE for score in scores)


def test_the_best_never_falls_and_the_ascent_goes_its_way() -> None:
    last = run(toy(), generations=12)[-1]
    assert (np.diff(last.history, axis=0)[:, 0] >= 0).all()
    assert last.climb is not None
    assert len(last.climb.heights) == 12
    assert last.climb.heights[-1] > last.climb.heights[0]
    assert last.climb.label == int(last.photo_shares.argmax()), "by default the photo's class"
    chosen = run(toy(), of="cup")[-1]
    assert chosen.climb is not None
    assert chosen.climb.label == 3
    assert run(toy(), gradient=False)[-1].climb is None


def test_the_same_seed_is_the_same_picture() -> None:
    first, same, other = (run(toy(seed))[-1] for seed in (1, 1, 2))
    for a, b in zip(first.elites, same.elites, strict=True):
        np.testing.assert_array_equal(a.rgb, b.rgb)
    assert first.climb is not None
    assert same.climb is not None
    np.testing.assert_array_equal(first.climb.rgb, same.climb.rgb)
    assert any((a.rgb != b.rgb).any() for a, b in zip(first.elites, other.elites, strict=True))


def test_generations_can_be_added_while_it_runs() -> None:
    params = Params(**QUICK)
    evolution = VIEW.compute(toy(), params)
    step = next(evolution)
    assert (step.done, step.total, step.note) == (1, 5, "generation 1 of 5")
    step = evolution.send(replace(params, generations=1))
    assert (step.done, step.total) == (2, 2), "a question has an answer, even past the end"
    with pytest.raises(StopIteration):
        next(evolution)


def test_a_click_shows_an_elite_large() -> None:
    result = run(toy())[-1]
    board = VIEW.draw(result, Params(elite=result.elites[2].key))
    shown = board.pane("comparison")
    assert shown.layers[1].rgb is result.elites[2].rgb
    assert result.names[result.elites[2].label] in shown.title
    tiles = board.boxes("elites")
    assert tiles is not None
    assert tiles.keys == tuple(elite.key for elite in result.elites)
    (chosen,) = board.boxes("chosen").xyxy
    np.testing.assert_array_equal(chosen, tiles.xyxy[2])
    x, y = tiles.xyxy[2, :2]
    assert (
        board.pane("elites").readout(x + 1, y + 1).startswith(result.names[result.elites[2].label])
    )
    few = VIEW.draw(result, Params(shown=1, elite=999))
    assert few.boxes("elites").keys == (result.elites[0].key,)
    assert "4 classes with a probability of at least 90%" in board.summary


def test_names_of_classes_are_not_needed_but_two_classes_are() -> None:
    nameless = Scene(make_network(MeanClassifier(), "classification"), toy_image())
    assert run(nameless)[-1].names == ("class 0", "class 1", "class 2")

    class Single(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean((1, 2, 3))[:, None]

    with pytest.raises(ExplorerError, match="single output"):
        run(Scene(make_network(Single(), "classification"), toy_image()))


def test_a_photo_of_one_pixel() -> None:
    scene = Scene(toy_network("classification"), toy_image(1, 1))
    assert len(run(scene)) == 5


def test_data_has_the_pictures_at_the_size_of_the_input() -> None:
    result = run(toy())[-1]
    data = VIEW.data(result, Params())
    assert data["pictures"].shape == (4, 32, 32, 3)
    assert data["pictures"].dtype == np.uint8
    assert data["ascent"].shape == (32, 32, 3)
    assert len(data["median"]) == 5
