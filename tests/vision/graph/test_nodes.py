"""The output size by its formula is that of the layers."""

import pytest
import torch
from torch import nn

from explorer.vision.graph.nodes import Window
from explorer.vision.graph.recording import window_of

LAYERS = (
    nn.Conv2d(1, 1, 3), nn.Conv2d(1, 1, 3, stride=2, padding=1), nn.Conv2d(1, 1, 5, padding=2),
    nn.Conv2d(1, 1, 7, stride=2, padding=3), nn.Conv2d(1, 1, 3, dilation=2, padding=1),
    nn.Conv2d(1, 1, (3, 5), stride=(2, 3), padding=(0, 2)), nn.Conv2d(1, 1, 3, padding="same"),
    nn.Conv2d(1, 1, 3, padding="valid"), nn.MaxPool2d(2), nn.MaxPool2d(3, 2, ceil_mode=True),
    nn.MaxPool2d(3, 2, 1, ceil_mode=True), nn.MaxPool2d(2, 3, ceil_mode=True),
    nn.AvgPool2d(3, 2, 1), nn.ConvTranspose2d(1, 1, 2, stride=2),
    nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1, dilation=2),
)  # fmt: skip


@pytest.mark.parametrize("layer", LAYERS, ids=str)
@pytest.mark.parametrize("size", [(11, 11), (16, 13), (9, 20)])
def test_the_formula_gives_the_size(layer: nn.Module, size: tuple[int, int]) -> None:
    window = window_of(layer)
    assert window is not None
    out = layer(torch.zeros(1, 1, *size))
    assert (window.formula(size[0], 0)[1], window.formula(size[1], 1)[1]) == out.shape[-2:]


def test_the_formula_is_written_with_the_layers_numbers() -> None:
    window = Window((7, 7), (2, 2), (3, 3))
    assert window.formula(224, 1) == (
        "(224 - 7 + 2 x 3) / 2 + 1 = 112.5, rounded down: 112", 112
    )  # fmt: skip
    assert Window((3, 3)).formula(8, 0) == ("(8 - 3 + 2 x 0) / 1 + 1 = 6", 6)


def test_unequal_padding_has_no_formula() -> None:
    assert window_of(nn.Conv2d(1, 1, 4, padding="same")) is None
    assert window_of(nn.Linear(2, 2)) is None
