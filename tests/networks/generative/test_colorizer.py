import cv2
import numpy as np
import torch

from explorer.networks.embedded.lite import MEAN, STD
from explorer.networks.generative.colorizer import (
    BINS,
    Colorizer,
    bin_colors,
    bin_shares,
    colors_of,
    gray_input,
)


def test_the_mean_of_a_colors_bins_is_the_color():
    torch.manual_seed(0)
    colors = torch.rand(2, 2, 3, 3) * 180 - 90
    shares = bin_shares(colors)
    assert shares.shape == (2, BINS, 3, 3)
    torch.testing.assert_close(shares.sum(dim=1), torch.ones(2, 3, 3))
    assert int((shares > 1e-6).sum(dim=1).max()) <= 4
    mean = torch.einsum("nbhw,bc->nchw", shares, bin_colors())
    torch.testing.assert_close(mean, colors, rtol=1e-4, atol=1e-3)


def test_temperature_leads_from_the_mean_to_the_most_probable_color():
    logits = torch.full((1, BINS, 1, 1), -50.0)
    first, second = (
        int((bin_colors() == torch.tensor(color)).all(dim=1).nonzero())
        for color in ((60.0, 0.0), (0.0, -60.0))
    )
    logits[0, first], logits[0, second] = np.log(0.75), np.log(0.25)
    torch.testing.assert_close(colors_of(logits).flatten(), torch.tensor([45.0, -15.0]))
    torch.testing.assert_close(
        colors_of(logits, 0.01).flatten(), torch.tensor([60.0, 0.0]), atol=1e-3, rtol=0
    )


def test_the_gray_of_a_lightness_is_opencvs():
    gray = np.linspace(0, 1, 32, dtype=np.float32)
    pixels = np.repeat(gray[None, :, None], 3, axis=2)
    lightness = torch.from_numpy(cv2.cvtColor(pixels, cv2.COLOR_RGB2LAB)[..., 0])[None, None]
    mean, std = (torch.tensor(v).view(-1, 1, 1) for v in (MEAN, STD))
    found = gray_input(lightness)[0] * std + mean
    np.testing.assert_allclose(found[1, 0], gray, atol=2e-3)


def test_a_distribution_for_every_fourth_pixel():
    with torch.no_grad():
        logits = Colorizer().eval()(torch.full((1, 1, 64, 96), 50.0))
    assert logits.shape == (1, BINS, 16, 24)
