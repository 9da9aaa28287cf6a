"""From a question to its steps: loading, reuse, steering, cancelling, running out of memory."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.layers import Board
from explorer.core.network_info import NetworkSpec
from explorer.core.params import Effect, param
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.engine import engine as engine_module
from explorer.engine.answer import Answer, Ask
from explorer.engine.engine import MOST_NETWORKS, Engine, is_oom
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.engine.view import Group, View
from explorer.live.pace import SETTLE, Pace
from explorer.live.slot import Shot, Slot
from explorer.networks.network import Network
from tests.toys import hook_count, toy_image, toy_network


@dataclass(frozen=True)
class Params:
    rate: float = param(1.0, "Rate", "Steered.", low=0.0, high=9.0, effect=Effect.STEER)
    layer: str = param("", "Layer", "From the network.", choices=lambda info: info.layer_names())


def rates(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
    for _ in range(3):
        scene.output()
        news = yield Step((params.rate, params.layer))
        params = news or params


def view(compute: Any, tasks: frozenset[str] = frozenset()) -> View[Any, Any]:
    return View(
        "v",
        "V",
        Group.OTHER,
        "s",
        "e",
        "r",
        Params,
        compute,
        lambda _result, _params: Board(()),
        tasks,
    )


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[NetworkSpec]:
    """Names of tasks stand for networks; every load is counted."""
    seen: list[NetworkSpec] = []

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
        seen.append(spec)
        yield Step(None, 1, 2, "half-way")
        network = toy_network(spec.name.split("-")[0])
        return replace(network, info=replace(network.info, spec=spec))

    monkeypatch.setattr(engine_module.catalog, "load", load)
    return seen


def ask(compute: Any = rates, name: str = "classification", **more: Any) -> Ask:
    return Ask(view(compute, **more), NetworkSpec(name), toy_image(), Params())


def loaded(engine: Engine, spec: NetworkSpec | None) -> Network:
    """A network that the engine has in memory."""
    assert spec is not None
    with pytest.raises(StopIteration) as found:
        next(engine.network(spec))
    network = found.value.value
    assert isinstance(network, Network)
    return network


def results(engine: Engine, question: Ask) -> list[Answer]:
    return [step.value for step in engine.steps(question, Token())]


def test_loading_is_a_step_and_the_answers_carry_the_network(loads: list[NetworkSpec]) -> None:
    steps = list(Engine().steps(ask(), Token()))
    assert steps[0].value.result is None
    assert steps[0].note == "half-way"
    assert [step.value.result for step in steps[1:]] == [(1.0, "conv1")] * 3
    assert steps[1].value.info.task == "classification"
    assert steps[1].value.params.layer == "conv1", "a choice left open is the network's first"


def test_networks_and_scenes_are_kept(loads: list[NetworkSpec]) -> None:
    engine, question = Engine(), ask()
    scenes: list[Scene] = []

    def remember(scene: Scene, _params: Params) -> Generator[Step[Any], Any, None]:
        scenes.append(scene)
        yield Step(0)

    for _ in range(2):
        results(engine, replace(question, view=view(remember)))
    assert len(loads) == 1
    assert scenes[0] is scenes[1]
    for number in range(MOST_NETWORKS):
        results(engine, ask(name=f"classification-{number}"))
    results(engine, question)
    assert len(loads) == MOST_NETWORKS + 2, "the oldest network was let go"


def test_a_fresh_question_takes_nothing_from_before(loads: list[NetworkSpec]) -> None:
    made: list[int] = []

    def measure(scene: Scene, _params: Params) -> Generator[Step[Any], Any, None]:
        yield Step(scene.memo("measured", lambda: made.append(1) or len(made)))  # type: ignore[func-returns-value]

    engine, question = Engine(), ask(measure)
    assert results(engine, question)[-1].result == 1
    assert results(engine, question)[-1].result == 1
    again = results(engine, replace(question, fresh=True))[-1]
    assert again.result == 2
    assert not again.ask.fresh, "the answer is kept under the question as it was"
    assert results(engine, question)[-1].result == 2


def test_steering_reaches_the_view(loads: list[NetworkSpec]) -> None:
    steps = Engine().steps(ask(), Token())
    next(steps)
    assert next(steps).value.result == (1.0, "conv1")
    after = steps.send(Params(rate=5.0, layer="gone"))
    assert after.value.result == (5.0, "conv1")
    assert after.value.params.rate == 5.0
    steps.close()


def test_a_network_that_has_changed_is_loaded_again(loads: list[NetworkSpec]) -> None:
    engine = Engine()
    names = ["classification", "classification-2"]
    for name in names:
        results(engine, ask(name=name))
    engine.release("classification")
    for name in names:
        results(engine, ask(name=name))
    assert [spec.name for spec in loads] == [*names, names[0]], "the other one stays"


def test_a_network_of_the_wrong_kind_is_said(loads: list[NetworkSpec]) -> None:
    with pytest.raises(ExplorerError, match="needs a network for detection"):
        results(Engine(), ask(tasks=frozenset({"detection"})))


def test_a_network_that_cannot_be_had_is_told_from_a_view_that_fails(
    loads: list[NetworkSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_scene: Scene, _params: Params) -> Generator[Step[Any], Any, None]:
        raise ExplorerError("This view wants another photo.")
        yield

    with pytest.raises(ExplorerError) as caught:
        results(Engine(), ask(broken))
    assert caught.value.about == ""

    def refuse(_spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
        yield Step(None, 0, 2, "reading")
        raise ExplorerError("The file is damaged.", instead=("other",))

    monkeypatch.setattr(engine_module.catalog, "load", refuse)
    with pytest.raises(ExplorerError) as caught:
        results(Engine(), ask())
    assert (caught.value.about, caught.value.instead) == ("network", ("other",))


def test_cancel_inside_a_forward_leaves_no_hook(loads: list[NetworkSpec]) -> None:
    token, networks = Token(), []

    def looks(scene: Scene, _params: Params) -> Generator[Step[Any], Any, None]:
        networks.append(scene.network.module)
        yield Step(0)
        token.cancel()
        scene.call(scene.input())
        yield Step(1)

    with pytest.raises(Cancelled):
        for _ in Engine().steps(ask(looks), token):
            pass
    assert hook_count(networks[0]) == 0


@pytest.mark.parametrize("error", [
    RuntimeError("[enforce fail at alloc_cpu.cpp] DefaultCPUAllocator: can't allocate memory"),
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory."),
])  # fmt: skip
def test_out_of_memory_frees_the_scenes_and_says_what_to_reduce(
    loads: list[NetworkSpec], error: Exception
) -> None:
    engine = Engine()
    scenes: list[Scene] = []

    def greedy(scene: Scene, _params: Params) -> Generator[Step[Any], Any, None]:
        scenes.append(scene)
        scene.memo("big", lambda: 1)
        yield Step(0)
        raise error

    with pytest.raises(ExplorerError, match="not enough memory"):
        results(engine, ask(greedy))
    remade: list[int] = []
    scenes[0].memo("big", lambda: remade.append(1))
    assert remade, "the memo was freed"
    assert results(engine, ask())[-1].result == (1.0, "conv1"), "the next question is answered"


def test_other_errors_pass_through(loads: list[NetworkSpec]) -> None:
    def broken(_scene: Scene, _params: Params) -> Generator[Step[Any], Any, None]:
        yield Step(0)
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    assert not is_oom(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        results(Engine(), ask(broken))


def shot(number: int) -> Shot:
    pixels = np.full((32, 32, 3), 10 * number, np.uint8)
    pixels.setflags(write=False)
    return Shot(pixels, number, time.perf_counter(), number / 10)


def first_value(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
    yield Step("too early")
    scene.output()
    yield Step((int(scene.image.pixels[0, 0, 0]), params.rate))


def test_a_live_job_answers_about_the_newest_frame(loads: list[NetworkSpec]) -> None:
    slot, engine = Slot(), Engine()
    steps = engine.follow(ask(first_value), slot, Token())
    assert next(steps).value.result is None  # loading
    for number in range(3):
        slot.put(shot(number))
    found = next(steps).value
    assert found.result == (20, 1.0)
    assert found.shot is slot.newest
    assert found.ask.image.pixels is found.shot.pixels
    slot.put(shot(3))
    assert next(steps).value.result == (30, 1.0)
    assert slot.dropped == 2
    assert not engine._scenes  # private: frames that stay in memory cannot be seen
    slot.close()
    with pytest.raises(StopIteration):
        next(steps)


def test_new_parameters_apply_at_once_when_no_frame_comes(loads: list[NetworkSpec]) -> None:
    slot = Slot()
    slot.put(shot(4))
    steps = Engine().follow(ask(first_value), slot, Token())
    next(steps)
    assert next(steps).value.result == (40, 1.0)
    again = steps.send(Params(rate=3.0)).value
    assert again.result == (40, 3.0)
    assert again.params.rate == 3.0
    waiting = next(steps)
    assert waiting.value is again
    assert waiting.note == "waiting for a frame"
    steps.close()


def test_a_view_that_needs_a_still_says_so(loads: list[NetworkSpec]) -> None:
    question = ask(first_value)
    question = replace(question, view=replace(question.view, live=False))
    with pytest.raises(ExplorerError, match="does not support"):
        next(Engine().follow(question, Slot(), Token()))


def test_a_live_job_is_cancelled_inside_a_forward_pass(loads: list[NetworkSpec]) -> None:
    slot, token = Slot(), Token()
    slot.put(shot(1))
    steps = Engine().follow(ask(first_value), slot, token)
    next(steps)
    token.cancel()
    with pytest.raises(Cancelled):
        next(steps)


def layer_sum(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
    yield Step(float(scene.records("conv1")["conv1"][0].sum()))


def broken_side(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
    raise ExplorerError("No lamp is lit.", "Light one.")
    yield


def beside(*computes: Any) -> tuple[tuple[View[Any, Any], Params], ...]:
    return tuple((view(compute), Params(rate=5.0)) for compute in computes)


def test_views_beside_the_main_one_look_at_the_same_scene(loads: list[NetworkSpec]) -> None:
    question = replace(ask(), beside=beside(first_value, broken_side))
    answers = results(Engine(), question)
    assert [len(answer.beside) for answer in answers] == [0, 0, 0, 0, 1, 2]
    last = answers[-1]
    assert last.result == (1.0, "conv1")
    one, other = last.beside
    assert one.result == (int(question.image.pixels[0, 0, 0]), 5.0)
    assert one.problem == ""
    assert other.result is None
    assert other.problem == "V: No lamp is lit."


def test_a_view_beside_that_does_not_suit_says_so(loads: list[NetworkSpec]) -> None:
    other = (view(first_value, tasks=frozenset({"detection"})), Params())
    last = results(Engine(), replace(ask(), beside=(other,)))[-1]
    assert "does not suit" in last.beside[0].problem


def test_a_steered_parameter_while_a_view_beside_computes(loads: list[NetworkSpec]) -> None:
    steps = Engine().steps(replace(ask(), beside=beside(first_value)), Token())
    while not next(steps).value.beside:
        pass
    again = [steps.send(Params(rate=4.0)), *steps]
    assert again[0].value.result[0] == 4.0
    assert again[-1].value.beside[0].result is not None


def followed(
    steps: Generator[Step[Any], Any, None], slot: Slot, layer: nn.Module
) -> Iterator[tuple[Any, int]]:
    """Three frames: the answer to each, and how often `layer` ran for it."""
    passes: list[int] = []
    for number in range(3):
        slot.put(shot(number))
        with layer.register_forward_hook(lambda *_: passes.append(1)):
            answer = next(steps).value
        yield answer, len(passes)
        passes.clear()


def test_several_views_share_one_pass_of_a_followed_frame(loads: list[NetworkSpec]) -> None:
    slot, engine = Slot(), Engine()
    question = replace(ask(first_value), beside=beside(layer_sum))
    steps = engine.follow(question, slot, Token())
    assert next(steps).note == "half-way"
    assert next(steps).note == "waiting for a frame"
    network = loaded(engine, question.spec)
    counts = []
    for answer, passes in followed(steps, slot, network.module.conv1):
        counts.append(passes)
        with torch.no_grad():
            expected = network.module.conv1(network.preprocess(answer.shot.pixels))
        assert answer.beside[0].result == float(expected.sum())
    assert counts == [2, 1, 1]
    steps.close()


def test_only_views_of_the_answer_get_the_faster_network(loads: list[NetworkSpec]) -> None:
    seen: list[Network] = []

    def who(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
        seen.append(scene.network)
        yield Step(scene.output())

    engine = Engine()
    for answer_only in (False, True):
        slot = Slot()
        slot.put(shot(1))
        question = ask(who)
        question = replace(question, view=replace(question.view, answer_only=answer_only))
        steps = engine.follow(question, slot, Token())
        while next(steps).value.result is None:
            pass
        steps.close()
    plain, quick = seen
    assert plain is loaded(engine, question.spec)
    assert quick is not plain
    assert quick.info is plain.info
    assert torch.allclose(
        Scene(quick, toy_image()).output(), Scene(plain, toy_image()).output(), atol=1e-5
    )


def test_a_wanted_rate_makes_the_network_look_at_less(
    loads: list[NetworkSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = iter(range(10_000))  # every look at the clock is a second later
    monkeypatch.setattr(engine_module.time, "perf_counter", lambda: float(next(ticks)))
    sides: list[int] = []

    def side(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
        sides.append(min(scene.input().shape[-2:]))
        yield Step(len(sides))

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
        network = toy_network("classification")
        yield Step(None)
        return replace(network, preprocess=replace(network.preprocess, resize=200, crop=None))

    monkeypatch.setattr(engine_module.catalog, "load", load)
    slot = Slot()
    steps = Engine().follow(ask(side), slot, Token(), Pace(rate=10.0))
    next(steps)
    shares = []
    for number in range(3 * SETTLE):
        slot.put(Shot(toy_image().pixels, number, 0.0, 0.0))
        shares.append(next(steps).value.share)
    steps.close()
    assert shares == sorted(shares, reverse=True)
    assert shares[0] == 1.0
    assert shares[-1] < 0.9
    assert sides == [round(200 * share) for share in shares]


def test_who_traces_the_network_goes_first_from_the_second_frame_on(
    loads: list[NetworkSpec],
) -> None:
    def boxes(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
        yield Step(scene.output()[0]["boxes"])

    def stages(scene: Scene, params: Params) -> Generator[Step[Any], Any, None]:
        yield Step(trace_of(scene).output[0]["boxes"])

    slot, engine = Slot(), Engine()
    question = replace(ask(boxes, "detection"), beside=beside(stages))
    steps = engine.follow(question, slot, Token())
    assert next(steps).note == "half-way"
    next(steps)
    module: Any = loaded(engine, question.spec).module
    counts = []
    for answer, passes in followed(steps, slot, module.backbone):
        counts.append(passes)
        assert torch.equal(answer.result, answer.beside[0].result)
    assert counts == [2, 1, 1]
    steps.close()
