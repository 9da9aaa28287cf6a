"""Operations and memory of small networks, counted by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from explorer.vision.graph.footprint import footprint_of
from tests.toys import ToyConvNet, tiny_faster_rcnn


def of(module: nn.Module, values: torch.Tensor) -> tuple[int, int, int, int]:
    found = footprint_of(module.eval(), lambda: module(values), [values])
    return found.parameters, found.flops, found.weights, found.activations


def test_a_convolution_and_a_relu_by_hand() -> None:
    values = torch.zeros(1, 3, 8, 8)
    convolution = nn.Conv2d(3, 4, 3, padding=1)
    one = of(nn.Sequential(convolution, nn.ReLU()), values)
    # input 3 * 64 numbers, output of the convolution and of the ReLU 4 * 64 each, 4 bytes a number
    assert one == (112, 2 * 9 * 3 * 4 * 64, 448, 4 * (192 + 256 + 256))
    in_place = of(nn.Sequential(convolution, nn.ReLU(inplace=True)), values)
    assert in_place[3] == 4 * (192 + 256)


def test_what_is_freed_on_the_way_does_not_count() -> None:
    values = torch.zeros(1, 1, 10, 10)
    chain = nn.Sequential(*(nn.ReLU() for _ in range(6)))
    assert of(chain, values)[3] == 3 * 400, "the input, and two maps at a time"


def test_weights_that_are_used_twice_count_once_and_buffers_too() -> None:
    norm = nn.BatchNorm2d(2)
    shared = nn.Sequential(norm, norm)
    parameters, _, weights, _ = of(shared, torch.zeros(1, 2, 3, 3))
    assert parameters == 4
    assert weights == 4 * 8 + 8, "weight, bias, mean, variance, and the count of batches"


def test_operations_are_those_of_pytorchs_own_counter() -> None:
    for module, values in (
        (ToyConvNet().eval(), torch.rand(1, 3, 32, 32)),
        (tiny_faster_rcnn().eval(), torch.rand(1, 3, 48, 64)),
    ):
        batch = values if isinstance(module, ToyConvNet) else [values[0]]
        with torch.no_grad(), FlopCounterMode(display=False) as counter:
            module(batch)
        found = footprint_of(module, lambda: module(batch), [values])  # noqa: B023
        assert found.flops == counter.get_total_flops() > 0
        assert found.parameters == sum(p.numel() for p in module.parameters())
