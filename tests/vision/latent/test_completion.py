"""A completion keeps what is given and draws what the whole network says."""

from __future__ import annotations

import torch

from explorer.networks.generative.pixel_cnn import PixelNetwork, drawn_pixels
from explorer.vision.latent.completion import completing


@torch.no_grad()
def test_pixels_are_drawn_in_order_from_the_whole_networks_distributions() -> None:
    torch.manual_seed(0)
    network = PixelNetwork(width=6, layers=2).eval()
    start = torch.rand(2, 3, 6, 5) * 2 - 1
    made = start.clone()
    places = list(completing(network, made, 3, torch.Generator().manual_seed(1), 0.8))
    assert places == [(row, column) for row in range(3, 6) for column in range(5)]
    assert torch.equal(made[:, :, :3], start[:, :, :3])
    again, random = start.clone(), torch.Generator().manual_seed(1)
    for row, column in places:
        found = network(again)[:, :, row, column]
        again[:, :, row, column] = drawn_pixels(found, random, 0.8)
    torch.testing.assert_close(made, again, rtol=0, atol=1 / 127)
