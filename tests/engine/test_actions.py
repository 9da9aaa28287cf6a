"""A toy view with buttons: what its actions make joins the catalog, and is there afterwards."""

from __future__ import annotations

from collections.abc import Generator
from copy import deepcopy
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch

from explorer.core.errors import Cancelled, ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.params import param
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.engine.actions import Made
from explorer.engine.answer import Answer, Ask
from explorer.engine.engine import Engine
from explorer.engine.scene import Scene
from explorer.engine.view import Action
from explorer.networks import catalog, made
from explorer.networks.made import NewNetwork
from explorer.views.predictions.classify import VIEW as CLASSIFY
from tests.toys import hook_count, toy_image

NAME = "squeezenet1_1"


@dataclass(frozen=True)
class Params:
    shift: float = param(1.0, "Shift", "Of every bias.", low=-9.0, high=9.0)
    keep: bool = param(False, "Keep", "The network itself comes out.")


def look(scene: Scene, params: Params) -> Generator[Step[float], Any, NewNetwork | None]:
    """The mean of the input; with `keep` the network comes out of the computation itself."""
    yield Step(float(scene.input().mean()))
    return NewNetwork.of(scene.network, "Kept") if params.keep else None


def shifted(scene: Scene, params: Params) -> Generator[Step[None], Any, NewNetwork | None]:
    module = deepcopy(scene.network.module)
    for done, bias in enumerate(b for n, b in module.named_parameters() if n.endswith("bias")):
        with torch.no_grad():
            bias += params.shift
        yield Step(None, done + 1, 0, f"bias {done + 1}")
    return NewNetwork.of(scene.network, "Shifted", module=module, note="All biases moved.")


def nothing(_scene: Scene, _params: Params) -> Generator[Step[None], Any, None]:
    yield Step(None)


def failing(_scene: Scene, _params: Params) -> Generator[Step[None], Any, NewNetwork]:
    yield Step(None)
    raise ExplorerError("There is nothing to keep yet.", "Train first.")


SHIFT = Action("shift", "Shift", "Moves every bias and keeps the result as a new network.", shifted)
RESET = Action("reset", "Reset", "Starts again.", nothing)
FAIL = Action("fail", "Fail", "Never works.", failing)
TOY: Any = replace(
    CLASSIFY, name="toy", title="Toy", Params=Params, compute=look, tasks=frozenset(),
    actions=(SHIFT, RESET, FAIL),
)  # fmt: skip


def ask(**params: Any) -> Ask:
    spec = NetworkSpec(NAME, "none", "cpu")
    return Ask(TOY, spec, toy_image(80, 80), Params(**params))


def test_a_network_that_an_action_returns_joins_the_catalog() -> None:
    engine = Engine()
    steps = list(engine.act(ask(shift=2.0), SHIFT, Token()))
    notes = [step.note for step in steps]
    assert "bias 1" in notes
    assert "bias 26" in notes
    answer: Answer = steps[-1].value
    assert answer.made == (Made("shifted", "Shifted"),)
    entry = catalog.find("shifted")
    assert (entry.family, entry.title) == ("made", "Shifted")
    base, new = (_network(engine, name) for name in (NAME, "shifted"))
    name = "classifier.1.bias"
    moved = new.module.get_parameter(name) - base.module.get_parameter(name)
    assert torch.allclose(moved, torch.tensor(2.0))
    assert new.info.digest != base.info.digest
    assert not new.info.untrained
    assert hook_count(base.module) == 0


def _network(engine: Engine, name: str) -> Any:
    loading = engine.network(NetworkSpec(name, "none" if name == NAME else "", "cpu"))
    try:
        while True:
            next(loading)
    except StopIteration as end:
        return end.value


def test_a_network_that_a_computation_returns_joins_too() -> None:
    steps = list(Engine().steps(ask(keep=True), Token()))
    answer = steps[-1].value
    assert answer.made == (Made("kept", "Kept"),)
    assert answer.result == steps[-2].value.result, "the answer stays the answer"
    assert catalog.find("kept").title == "Kept"


def test_without_a_network_nothing_is_made() -> None:
    engine = Engine()
    for steps in (engine.act(ask(), RESET, Token()), engine.steps(ask(), Token())):
        assert list(steps)[-1].value.made == ()
    assert not made.folder().exists()


def test_a_failing_action_makes_nothing() -> None:
    with pytest.raises(ExplorerError, match="nothing to keep"):
        list(Engine().act(ask(), FAIL, Token()))
    assert not made.folder().exists()


def test_a_closed_action_makes_nothing_and_leaves_no_hook() -> None:
    engine = Engine()
    steps = engine.act(ask(), SHIFT, Token())
    while "bias" not in next(steps).note:
        pass
    steps.close()
    assert not made.folder().exists()
    assert hook_count(_network(engine, NAME).module) == 0


def test_a_cancelled_forward_ends_the_action() -> None:
    token = Token()

    def forward(scene: Scene, _params: Params) -> Generator[Step[None], Any, NewNetwork]:
        yield Step(None, note="first")
        token.cancel()
        scene.network.module(scene.input())
        raise AssertionError("the forward was not interrupted")

    action = Action("forward", "Forward", "Looks.", forward)
    with pytest.raises(Cancelled):
        list(Engine().act(ask(), action, token))
