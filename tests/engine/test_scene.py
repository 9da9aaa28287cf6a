"""A scene remembers, repeats itself exactly, and says when an answer is not a number."""

from __future__ import annotations

import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.engine.scene import Moment, Scene, checked
from explorer.engine.stages import activation_of, trace_of
from tests.toys import toy_image, toy_network


def test_a_stage_is_worked_out_once() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    made: list[int] = []
    assert [scene.memo("x", lambda: made.append(1) or 7) for _ in range(3)] == [7, 7, 7]  # type: ignore[func-returns-value]
    assert made == [1]
    scene.forget()
    scene.memo("x", lambda: made.append(1))
    assert made == [1, 1]


def test_the_output_is_the_modules_own_and_needs_no_gradient() -> None:
    network = toy_network("classification")
    scene = Scene(network, toy_image())
    with torch.no_grad():
        expected = network.module(network.preprocess(scene.image.pixels))
    assert torch.equal(scene.output(), expected)
    assert scene.output() is scene.output()
    assert torch.is_grad_enabled()


def test_a_detector_gets_a_list_of_photos() -> None:
    network = toy_network("detection")
    scene = Scene(network, toy_image())
    with torch.no_grad():
        expected = network.module([network.preprocess(scene.image.pixels)[0]])
    assert all(torch.equal(scene.output()[0][key], expected[0][key]) for key in expected[0])


def test_the_frame_is_that_of_the_input() -> None:
    scene = Scene(
        toy_network("classification"), toy_image(48, 64)
    )  # short side to 32, center 32 x 32
    frame = scene.frame
    assert scene.input().shape == (1, 3, 32, 32)
    assert frame.point(32.0, 24.0) == pytest.approx((16.0, 16.0), abs=0.6)
    x, y = frame.inverse().point(*frame.point(10.0, 20.0))
    assert (x, y) == pytest.approx((10.0, 20.0))


def test_equal_seeds_draw_equal_numbers() -> None:
    network, image = toy_network("classification"), toy_image()
    draws = [torch.rand(3, generator=Scene(network, image, seed).generator()) for seed in (5, 5, 6)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_an_answer_that_is_no_number_is_said(bad: float) -> None:
    with pytest.raises(ExplorerError, match="not finite"):
        checked([{"boxes": torch.tensor([[0.0, bad, 1.0, 1.0]]), "labels": torch.tensor([1])}])
    fine = {"out": torch.zeros(2), "labels": torch.tensor([1])}
    assert checked(fine) is fine


def forwards(scene: Scene) -> list[int]:
    """Grows by one with every forward pass of the network, by whatever way."""
    seen: list[int] = []
    first = next(m for m in scene.network.module.modules() if isinstance(m, torch.nn.Conv2d))
    first.register_forward_hook(lambda *_: seen.append(1))
    return seen


def test_from_the_second_frame_on_an_answer_and_a_layer_share_one_pass() -> None:
    network = toy_network("classification")
    still = Scene(network, toy_image())
    expected = activation_of(still, "conv2").values
    seen = forwards(still)
    first = Scene(network, toy_image(), moment=Moment(0, 0.0))
    first.output()
    activation_of(first, "conv2")
    assert len(seen) == 2
    assert first.asked == {"conv2"}
    second = Scene(network, toy_image(), moment=Moment(1, 0.1, layers=frozenset(first.asked)))
    answer = second.output()
    found = activation_of(second, "conv2").values
    assert len(seen) == 3
    assert (found == expected).all()
    assert torch.equal(answer, still.output())


def test_a_trace_and_a_layer_of_a_detector_share_one_pass() -> None:
    network = toy_network("detection")
    still = Scene(network, toy_image())
    layer = next(info.name for info in network.info.layers if info.kind == "Conv2d")
    expected = activation_of(still, layer)
    seen = forwards(still)
    asked = frozenset(still.asked)
    second = Scene(network, toy_image(), moment=Moment(1, 0.1, layers=asked))
    trace = trace_of(second)
    found = activation_of(second, layer)
    assert len(seen) == 1
    assert (found.values == expected.values).all()
    assert found.frame == expected.frame
    assert torch.equal(trace.output[0]["boxes"], still.output()[0]["boxes"])


def test_looking_at_a_layer_first_answers_too() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    seen = forwards(scene)
    activation_of(scene, "conv1")
    scene.output()
    activation_of(scene, "conv1")
    assert len(seen) == 1
    scene.forget()
    scene.output()
    assert len(seen) == 2
