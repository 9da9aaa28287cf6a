"""The dream goes from frame to frame, can be steered, and survives numbers that are none."""

from __future__ import annotations

import time
from collections.abc import Generator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.params import resolved
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.engine import engine as engine_module
from explorer.engine.answer import Ask
from explorer.engine.engine import Engine
from explorer.engine.scene import Moment, Scene
from explorer.live.slot import Shot, Slot
from explorer.networks.network import Network
from explorer.views.synthesis.feedback_dream import VIEW, Params, Result
from explorer.vision.synthesis.octaves import pictured, preview, zoomed
from explorer.vision.synthesis.target import Target
from tests.toys import ToyConvNet, make_network, toy_image, toy_network

QUICK = {"size": 64, "jitter": 0, "smoothing": 0.0, "tv": 0.0}


class Stream:
    """Frames of one film, one after the other."""

    def __init__(self, network: Network | None = None, **changes: Any) -> None:
        self.network = network or toy_network("classification")
        self.params = resolved(Params(**{**QUICK, **changes}), self.network.info)
        self.memory: dict[str, Any] = {}

    def look(self, number: int, seed: int = 0) -> Result:
        moment = Moment(number, number / 10, self.memory)
        scene = Scene(self.network, toy_image(seed=number), seed, moment)
        (step,) = VIEW.compute(scene, self.params)
        value: Result = step.value
        return value


def test_a_round_is_a_mixture_and_some_steps() -> None:
    stream = Stream(feedback=0.7, zoom=1.1, steps=2)
    stream.look(0)
    second = stream.look(1)
    target, dream = Target.of(stream.network), None
    for number in (0, 1):
        picture = pictured(toy_image(seed=number).pixels, (48, 64), 3)
        if dream is not None:
            picture = (0.3 * picture + 0.7 * zoomed(dream, 1.1)).clamp(0, 1)
        for _ in range(2):
            picture.requires_grad_()
            height = target.answer(picture, "conv2").square().mean()
            (gradient,) = torch.autograd.grad(height, picture)
            gradient *= stream.params.step / gradient.abs().mean()
            picture = (picture.detach() + gradient).clamp(0, 1)
        dream = picture
    kept = stream.memory["feedback_dream"].after.picture
    torch.testing.assert_close(kept, dream, atol=1e-5, rtol=0)
    np.testing.assert_array_equal(second.rgb, preview(kept))
    assert second.rounds == len(second.heights) == 2


def test_nothing_stays_or_all_of_it() -> None:
    alone, fresh = Stream(feedback=0.0), Stream(feedback=0.0)
    alone.look(0)
    np.testing.assert_array_equal(alone.look(5).rgb, fresh.look(5).rgb)
    one, other = Stream(feedback=1.0, zoom=1.0), Stream(feedback=1.0, zoom=1.0)
    for stream, numbers in ((one, (0, 1, 2)), (other, (0, 7, 8))):
        for number in numbers:
            last = stream.look(number)
        np.testing.assert_array_equal(last.rgb, preview(one.memory["feedback_dream"].after.picture))
    assert (np.diff(last.heights) > 0).all(), "without new frames it climbs"


def test_the_same_frame_again_is_the_same_round() -> None:
    stream = Stream(jitter=8)
    stream.look(0)
    first, again = stream.look(1), stream.look(1)
    np.testing.assert_array_equal(first.rgb, again.rgb)
    assert again.rounds == 2
    assert stream.look(2).rounds == 3


def test_jitter_moves_from_frame_to_frame_and_with_the_seed() -> None:
    frames = []
    for number, seed in ((3, 0), (3, 0), (4, 0), (3, 1)):
        stream = Stream(jitter=16, feedback=0.0)
        stream.memory.clear()
        moment = Moment(number, 0.0, stream.memory)
        (step,) = VIEW.compute(Scene(stream.network, toy_image(), seed, moment), stream.params)
        frames.append(step.value.rgb)
    np.testing.assert_array_equal(frames[0], frames[1])
    assert (frames[0] != frames[2]).any()
    assert (frames[0] != frames[3]).any()


def test_another_working_size_takes_the_dream_along() -> None:
    stream = Stream()
    stream.look(0)
    stream.params = replace(stream.params, size=128)
    result = stream.look(1)
    assert result.rgb.shape == (96, 128, 3)
    assert result.rounds == 2


def test_on_a_photo_it_goes_round_by_itself_and_is_steered() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    params = resolved(Params(**QUICK, iterations=4, feedback=1.0, zoom=1.0), scene.network.info)
    steps = VIEW.compute(scene, params)
    first = next(steps)
    assert (first.done, first.total, first.note) == (1, 4, "iteration 1 of 4")
    second = steps.send(replace(params, layer="conv1", iterations=9))
    assert second.value.layer == "conv1"
    assert (second.done, second.total) == (2, 4)
    typed = steps.send(replace(params, channels="2, x"))
    assert "channels=2, x" in typed.value.problem
    np.testing.assert_array_equal(typed.value.rgb, second.value.rgb)
    (last,) = list(steps)[:1] or [typed]
    assert last.done == 4
    board = VIEW.draw(first.value, params)
    assert board.pane("dream").size == (64, 48)
    assert board.summary == "conv2 · iteration 1 of 4"


def test_values_without_sense_leave_a_live_dream_standing() -> None:
    stream = Stream()
    good = stream.look(0)
    for text, words in (("x", "not valid"), ("99", "no channel 99")):
        stream.params = replace(stream.params, channels=text)
        bad = stream.look(1)
        assert words in bad.problem
        np.testing.assert_array_equal(bad.rgb, good.rgb)
        assert VIEW.draw(bad, stream.params).notes == (bad.problem,)
    stream.params = replace(stream.params, channels="")
    assert stream.look(2).problem == ""
    with pytest.raises(ExplorerError, match="not valid"):
        Stream(channels="x").look(0)


def test_a_number_that_is_none_ends_a_round_only() -> None:
    class Fragile(ToyConvNet):
        """Gives NaN in its fourth step; it is copied after two calls."""

        calls = 0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.calls += 1
            return super().forward(x * torch.nan if self.calls == 6 else x)

    stream = Stream(make_network(Fragile(), "classification", default_layer="conv1"), steps=2)
    stream.look(0)
    bad = stream.look(1)
    assert "Iteration 2 stopped at step 2" in bad.problem
    kept = stream.memory["feedback_dream"].after.picture
    assert bool(torch.isfinite(kept).all())
    assert len(bad.heights) == 2
    after = stream.look(2)
    assert after.problem == ""
    assert after.rounds == 3
    assert np.isfinite(after.heights).all()


def test_the_plot_forgets_old_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("explorer.views.synthesis.feedback_dream.REMEMBERED", 3)
    stream = Stream()
    for number in range(5):
        result = stream.look(number)
    assert len(result.heights) == 3
    (curve,) = VIEW.draw(result, stream.params).plots[0].curves
    assert curve.x.tolist() == [3, 4, 5]


def test_zoom_is_about_the_center() -> None:
    ramp = torch.linspace(0, 1, 65).expand(1, 3, 33, 65)
    larger = zoomed(ramp, 1.25)
    torch.testing.assert_close(larger[..., 32], ramp[..., 32])
    torch.testing.assert_close(larger[..., 42], ramp[..., 40], atol=1e-5, rtol=0)
    assert zoomed(ramp, 1.0) is ramp
    assert bool(torch.isfinite(zoomed(ramp, 0.9)).all())


def test_it_follows_frames_through_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    network = toy_network("classification")

    def load(_: NetworkSpec) -> Generator[Step[None], Any, Network]:
        yield Step(None, 1, 2, "half-way")
        return network

    monkeypatch.setattr(engine_module.catalog, "load", load)
    slot, found = Slot(), []
    question = Ask(VIEW, network.info.spec, toy_image(), Params(**QUICK))
    steps = Engine().follow(question, slot, Token())
    next(steps)  # loading
    for number in (0, 1, 5):
        pixels = toy_image(seed=number).pixels
        slot.put(Shot(pixels, number, time.perf_counter(), number / 10))
        found.append(next(steps).value.result)
    steps.close()
    assert [result.rounds for result in found] == [1, 2, 3]
    alone = Stream()
    for number in (0, 1, 5):
        last = alone.look(number)
    np.testing.assert_array_equal(found[-1].rgb, last.rgb)
