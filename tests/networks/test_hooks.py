"""Looking must not change the answer, and must leave nothing behind."""

from __future__ import annotations

import copy
import threading
from collections import namedtuple

import pytest
import torch
from torch import nn

from explorer.core.errors import Cancelled, ExplorerError
from explorer.networks.hooks import (
    captured,
    input_until,
    interruptible,
    map_tensors,
    replaced,
    tensors_in,
)
from tests.toys import hook_count


class Twice(nn.Module):
    """Calls one module twice and changes its output in place, as many real networks do."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.scale.weight, -2.0)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        first = self.scale(x)
        kept = first.clone()
        self.relu(first)
        return {"out": self.scale(kept) + first}


def test_records_every_call_before_in_place_changes() -> None:
    net, x = Twice(), torch.tensor([[3.0]])
    plain = net(x)["out"]
    with captured(net, ["scale", "relu", ""]) as records:
        seen = net(x)["out"]
    assert torch.equal(seen, plain)
    assert [float(r) for r in records["scale"]] == [-6.0, 12.0]
    assert float(records["relu"][0]) == 0.0
    assert torch.equal(records[""][0]["out"], plain)
    assert not records["scale"][0].requires_grad
    assert hook_count(net) == 0


def test_the_input_of_a_layer_is_that_of_its_first_call_and_the_layer_does_not_run() -> None:
    net, x = Twice(), torch.tensor([[3.0]])
    with captured(net, ["scale", "relu"]) as records:
        assert input_until(net, "relu", lambda: net(x)).item() == -6.0
    assert (len(records["scale"]), records["relu"]) == (1, [])
    with pytest.raises(ExplorerError, match="no layer 'nope'"):
        input_until(net, "nope", lambda: net(x))
    with pytest.raises(ExplorerError, match="'relu' is not used"):
        input_until(net, "relu", lambda: net.scale(x))
    assert hook_count(net) == 0


def test_the_input_of_a_later_call() -> None:
    net, x = Twice(), torch.tensor([[3.0]])
    assert input_until(net, "scale", lambda: net(x), call=1).item() == -6.0
    assert input_until(net, "relu", lambda: net(x), call=7).item() == -6.0, "before it changed"
    assert hook_count(net) == 0


def test_the_input_may_be_named() -> None:
    conv = nn.Conv2d(1, 1, 1)
    x = torch.ones(1, 1, 2, 2)
    assert input_until(conv, "", lambda: conv(input=x)) is x


def test_keep_graph_differentiates_through_the_record() -> None:
    net, x = Twice(), torch.tensor([[3.0]], requires_grad=True)
    with captured(net, ["scale"], keep_graph=True) as records:
        net(x)
    (gradient,) = torch.autograd.grad(records["scale"][1].sum(), x)
    assert float(gradient) == 4.0


def test_unknown_layer_names_itself_and_leaves_nothing() -> None:
    net = Twice()
    with pytest.raises(ExplorerError, match="no layer 'nope'"), captured(net, ["scale", "nope"]):
        pass
    assert hook_count(net) == 0


def test_an_exception_inside_removes_the_hooks() -> None:
    net = Twice()
    with pytest.raises(RuntimeError), captured(net, ["scale"]):
        net(torch.zeros(1, 5))
    with pytest.raises(KeyError), interruptible(net, lambda: False):
        raise KeyError
    assert hook_count(net) == 0


def test_a_forward_is_interrupted_between_its_modules() -> None:
    calls: list[int] = []
    net = nn.Sequential(*(nn.Identity() for _ in range(10)))
    with pytest.raises(Cancelled), interruptible(net, lambda: calls.append(1) or len(calls) > 4):  # type: ignore[func-returns-value]
        net(torch.zeros(1))
    assert len(calls) == 5
    assert hook_count(net) == 0


def test_a_copy_that_was_made_meanwhile_is_not_interrupted_later() -> None:
    canceled: list[int] = []
    net = nn.Sequential(nn.Identity())
    with interruptible(net, lambda: bool(canceled)):
        twin = copy.deepcopy(net)
    canceled.append(1)
    assert float(twin(torch.ones(1))) == 1.0


def test_another_threads_forward_is_not_interrupted() -> None:
    net, result = nn.Sequential(nn.Identity(), nn.Identity()), []
    with interruptible(net, lambda: True):
        worker = threading.Thread(target=lambda: result.append(net(torch.ones(1))))
        worker.start()
        worker.join()
    assert float(result[0]) == 1.0


def test_walks_nested_outputs_and_stops_at_cycles() -> None:
    Pair = namedtuple("Pair", "a b")
    one = torch.ones(1)
    nested = {"x": [one, (one, None)], "p": Pair(one, 3)}
    doubled = map_tensors(nested, lambda t: t * 2)
    assert float(doubled["x"][1][0]) == 2.0
    assert doubled["p"].b == 3
    assert type(doubled["p"]) is Pair
    assert len(tensors_in(nested)) == 3
    loop: list[object] = [one]
    loop.append(loop)
    assert 1 <= len(tensors_in(loop)) <= 10


def test_an_output_is_replaced_at_the_call_that_is_meant_and_then_no_more() -> None:
    net, x = Twice(), torch.tensor([[3.0]])
    plain = net(x)["out"]
    calls = []

    def change(output: torch.Tensor, call: int) -> torch.Tensor:
        calls.append(call)
        return output + 1 if call == 1 else output

    with replaced(net, {"scale": change}):
        assert torch.equal(net(x)["out"], plain + 1)
    assert calls == [0, 1]
    assert hook_count(net) == 0
    assert torch.equal(net(x)["out"], plain)


def test_nothing_is_replaced_after_a_failure() -> None:
    net = Twice()

    def fail(output: torch.Tensor, call: int) -> torch.Tensor:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"), replaced(net, {"scale": fail}):
        net(torch.tensor([[3.0]]))
    assert hook_count(net) == 0
    with pytest.raises(ExplorerError, match="no layer 'nothing'"), replaced(net, {"nothing": fail}):
        pass
