"""Masks are applied where dropout is, and their mean is the network's own output."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.vision.statistics.dropout import Places, dropped, places_of

VALUES = torch.arange(1.0, 9.0)[None]


class Summed(nn.Module):
    """Dropout, then the sum: with p = 0 a second one that is none."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.3)
        self.off = nn.Dropout(0.0)

    def forward(self, x: Tensor) -> Tensor:
        return self.off(self.drop(x)).sum(1, keepdim=True)


def test_the_networks_own_dropout_is_masked() -> None:
    module = Summed().eval()
    places = places_of(lambda: module(VALUES))
    assert places == Places(1, -1)
    one = dropped(lambda: module(VALUES), places, 0.5, torch.Generator().manual_seed(0))
    kept = VALUES[0].numpy()[one.mask]
    assert one.output.item() == pytest.approx(kept.sum() / 0.5)
    assert 0 < one.mask.sum() < 8
    assert torch.equal(module(VALUES), VALUES.sum(1, keepdim=True)), "nothing stays behind"
    assert not module.drop.training


def test_else_the_last_linear_layer_is() -> None:
    module = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 1)).eval()
    places = places_of(lambda: module(VALUES))
    assert places == Places(0, 1)
    one = dropped(lambda: module(VALUES), places, 0.5, torch.Generator().manual_seed(0))
    hidden = module[:2](VALUES) * torch.from_numpy(one.mask) / 0.5
    assert torch.allclose(one.output, module[2](hidden))


def test_keeping_everything_changes_nothing() -> None:
    module = Summed().eval()
    one = dropped(lambda: module(VALUES), Places(1, -1), 1.0, torch.Generator())
    assert torch.equal(one.output, module(VALUES))
    assert one.mask.all()


def test_the_mean_of_many_masks_is_the_output_without_dropout() -> None:
    module, generator = Summed().eval(), torch.Generator().manual_seed(3)
    places = places_of(lambda: module(VALUES))
    outputs = [
        dropped(lambda: module(VALUES), places, 0.5, generator).output.item() for _ in range(2000)
    ]
    # The deviation of one is sqrt(sum x^2 (1 - p) / p) = 14.3.
    assert np.mean(outputs) == pytest.approx(36.0, abs=4 * 14.3 / 2000**0.5)


def test_neither_dropout_nor_a_linear_layer() -> None:
    module = nn.Conv2d(1, 1, 1)
    with pytest.raises(ExplorerError, match="neither dropout nor a linear layer"):
        places_of(lambda: module(torch.zeros(1, 1, 2, 2)))
