import math

import pytest
import torch

from explorer.networks.generative import pixel_cnn
from explorer.networks.generative.pixel_cnn import (
    MIXTURE,
    PixelNetwork,
    drawn_pixels,
    pixel_bits,
)


@pytest.mark.parametrize("place", [(0, 0), (2, 3), (5, 5), (3, 0), (0, 4)])
def test_a_pixel_depends_on_all_before_it_and_on_none_after(place):
    torch.manual_seed(0)
    network = PixelNetwork(6, 6)
    pictures = torch.randn(1, 3, 6, 6, requires_grad=True)
    row, column = place
    network(pictures)[0, :, row, column].square().sum().backward()
    reached = pictures.grad[0].abs().sum(dim=0) > 0
    before = torch.arange(36).reshape(6, 6) < 6 * row + column
    assert torch.equal(reached, before)


def test_the_probabilities_of_all_levels_sum_to_one():
    torch.manual_seed(0)
    found = torch.randn(1, 10 * MIXTURE, 1, 1)
    levels = torch.arange(256) / 127.5 - 1
    total = 0.0
    # red alone: green and blue are summed out by taking all of theirs
    pictures = torch.zeros(256, 3, 1, 1)
    pictures[:, 0, 0, 0] = levels
    logits, means, scales = pixel_cnn._mixture(found.expand(256, -1, -1, -1), pictures)
    bits = pixel_cnn.level_bits(pictures[:, None], means, scales)[:, :, 0, 0, 0]
    shares = logits.softmax(dim=1)[:, :, 0, 0]
    total = float((shares * (-bits * math.log(2)).exp()).sum())
    assert total == pytest.approx(1.0, abs=1e-3)


def test_a_sharp_mixture_draws_its_mean_and_gives_it_few_bits():
    found = torch.zeros(5, 10 * MIXTURE)
    parts = found[:, MIXTURE:].unflatten(1, (3, MIXTURE, 3))
    parts[:, 0] = 0.5  # means
    parts[:, 1] = -7.0  # scales
    values = drawn_pixels(found, torch.Generator().manual_seed(0))
    assert float((values - 0.5).abs().max()) < 2 / 127.5
    bits = pixel_bits(found[:, :, None, None], values[:, :, None, None])
    assert float(bits.max()) < 6


def test_green_follows_the_red_that_was_drawn():
    found = torch.zeros(1, 10 * MIXTURE)
    parts = found[:, MIXTURE:].unflatten(1, (3, MIXTURE, 3))
    parts[:, 0, :, 0] = 0.5  # mean of red
    parts[:, 1] = -7.0
    parts[:, 2, :, 0] = 10.0  # tanh = 1: green = red
    values = drawn_pixels(found, torch.Generator().manual_seed(0))[0]
    assert float((values[0] - values[1]).abs()) < 2 / 127.5
    assert float(values[2].abs()) < 2 / 127.5
