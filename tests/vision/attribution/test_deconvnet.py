"""The deconvnet against one that is built layer by layer, as the paper has it."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.vision.attribution.deconvnet import deconvnet
from tests.toys import hook_count, tiny_faster_rcnn


def seeded(make: type[nn.Module]) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        return make().eval()


class Pooled(nn.Module):
    """Convolution, ReLU, max pooling, twice; the second ReLU works in place."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=True)
        self.relu = nn.ReLU()
        self.pool = nn.MaxPool2d(2)
        self.second = nn.Conv2d(6, 5, 3, padding=1)
        self.last = nn.ReLU6(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.second(self.pool(self.relu(self.first(x)))))


class Functional(nn.Module):
    """The same without modules for what has no weights."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, padding=1, bias=True)
        self.second = nn.Conv2d(6, 5, 3, padding=1)
        self.end = nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        x = functional.max_pool2d(functional.relu(self.first(x)), 2)
        return self.end(self.second(x).relu_())


def by_hand(module: nn.Module, images: Tensor, channel: int, cell: tuple[int, int]) -> Tensor:
    """Transposed filters, switches, and a ReLU on the way back (Zeiler and Fergus 2014, 2.1)."""
    first, second = module.first, module.second
    with torch.no_grad():
        below = functional.relu(first(images))
        pooled, switches = functional.max_pool2d(below, 2, return_indices=True)
        above = functional.relu(second(pooled))
        signal = torch.zeros_like(above)
        signal[0, channel, cell[0], cell[1]] = above[0, channel, cell[0], cell[1]]
        signal = functional.conv_transpose2d(functional.relu(signal), second.weight, padding=1)
        signal = functional.max_unpool2d(signal, switches, 2, output_size=below.shape)
        return functional.conv_transpose2d(functional.relu(signal), first.weight, padding=1)


@pytest.mark.parametrize(("make", "layer"), [(Pooled, "last"), (Functional, "end")])
def test_it_is_the_deconvnet_of_the_paper(make: type[nn.Module], layer: str) -> None:
    module = seeded(make)
    images = torch.rand(1, 3, 12, 10, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        output = module(images)
    tried = 0
    for channel in range(5):
        row, column = divmod(int(output[0, channel].argmax()), output.shape[3])
        if output[0, channel, row, column] <= 0:
            continue
        found = deconvnet(module, images, layer, channel, (row, column))
        expected = by_hand(module, images, channel, (row, column))
        torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
        assert found.any()
        tried += 1
    assert tried >= 2
    assert hook_count(module) == 0
    assert all(weight.grad is None for weight in module.parameters())


def test_without_a_rectifier_it_is_the_gradient_times_the_activation() -> None:
    module = seeded(lambda: nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)))  # type: ignore[arg-type]
    images = torch.rand(1, 3, 8, 8).requires_grad_()
    unit = module(images)[0, 1, 2, 3]
    (gradient,) = torch.autograd.grad(unit, images)
    expected = gradient * unit.detach().clamp(min=0)
    found = deconvnet(module, images, "1", 1, (2, 3))
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


def test_it_ends_where_the_receptive_field_does() -> None:
    module = seeded(Pooled)
    images = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        channel = int(module(images)[0, :, 4, 4].argmax())
    found = deconvnet(module, images, "last", channel, (4, 4))
    touched = found[0].abs().amax(0).nonzero()
    low, high = touched.min(0).values, touched.max(0).values
    assert (low >= 2 * 3 - 1).all()
    assert (high <= 2 * 5 + 2).all()


def test_a_detector_takes_its_list_and_an_unknown_layer_is_a_sentence() -> None:
    module = tiny_faster_rcnn().eval()
    found = deconvnet(module, [torch.rand(3, 48, 64)], "backbone.conv1", 0, (3, 4))
    assert found.shape == (1, 3, 48, 64)
    with pytest.raises(ExplorerError, match="no layer 'nowhere'"):
        deconvnet(module, [torch.rand(3, 48, 64)], "nowhere", 0, (0, 0))
