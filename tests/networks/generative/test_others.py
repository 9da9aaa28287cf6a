"""The autoencoder's bound and the enlargement."""

import math

import pytest
import torch

from explorer.networks.generative.autoencoder import FaceAutoencoder, level_bits
from explorer.networks.generative.super_resolution import SuperResolution, bicubic


def test_the_levels_share_all_of_the_probability():
    levels = torch.arange(256) / 127.5 - 1
    for mean, scale in ((0.2, -1.0), (-0.97, -2.0), (0.9, 0.5)):
        bits = level_bits(levels, torch.tensor(mean), torch.tensor(scale))
        assert float((-bits * math.log(2)).exp().sum()) == pytest.approx(1.0, abs=1e-3)


def test_a_level_under_a_wide_distribution_by_hand():
    bits = level_bits(torch.tensor(0.0), torch.tensor(0.0), torch.tensor(0.0))
    share = 1 / (1 + math.exp(-1 / 255)) - 1 / (1 + math.exp(1 / 255))
    assert float(bits) == pytest.approx(-math.log2(share), rel=1e-3)


def test_the_latents_bits_are_the_divergence_from_a_normal_distribution():
    network = FaceAutoencoder(latent=4).eval()
    with torch.no_grad():
        network.to_latent.weight.zero_()
        network.to_latent.bias.copy_(torch.tensor([2.0, 0, 0, 0, 0, 0, 0, math.log(0.5)]))
        _, bits = network.bound(torch.zeros(1, 3, 64, 64))
    # one mean of 2, and one standard deviation of a half
    nats = 4 / 2 + (0.25 - 1 - 2 * math.log(0.5)) / 2
    assert float(bits) == pytest.approx(nats / math.log(2), rel=1e-5)


def test_an_untrained_enlargement_is_nearly_bicubic():
    torch.manual_seed(0)
    pictures = torch.rand(1, 3, 9, 7)
    with torch.no_grad():
        found = SuperResolution(8, 1)(pictures)
    assert found.shape == (1, 3, 36, 28)
    assert float((found - bicubic(pictures, 4)).abs().max()) < 0.05


def test_reducing_averages_over_what_is_lost():
    stripes = torch.zeros(1, 1, 32, 32)
    stripes[..., ::2] = 1.0  # finer than the small picture can show
    small = bicubic(stripes, 0.25)
    assert small.shape == (1, 1, 8, 8)
    assert float((small[..., 2:-2, 2:-2] - 0.5).abs().max()) < 0.02
