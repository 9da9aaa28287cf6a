"""Octaves, filters and pixels, against other ways to compute them."""

from __future__ import annotations

import pytest
import torch

from explorer.vision.synthesis.filters import bilateral, blurred, laplacian
from explorer.vision.synthesis.octaves import octave_sizes, preview, resized


def random_picture(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0))


def test_laplacian_is_the_descent_of_the_squared_differences() -> None:
    picture = random_picture(1, 3, 7, 9).double().requires_grad_()
    variation = picture.diff(dim=2).square().sum() + picture.diff(dim=3).square().sum()
    (gradient,) = torch.autograd.grad(variation, picture)
    torch.testing.assert_close(-2 * laplacian(picture.detach()), gradient)


def test_blur_keeps_the_mean_of_a_flat_picture_and_spreads_a_point() -> None:
    flat = torch.full((1, 3, 12, 10), 0.25)
    torch.testing.assert_close(blurred(flat, 1.5), flat)
    point = torch.zeros(1, 1, 21, 21)
    point[..., 10, 10] = 1.0
    spread = blurred(point, 1.0)
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-5)
    x = torch.arange(21.0) - 10
    assert float((spread[0, 0].sum(0) * x**2).sum()) == pytest.approx(1.0, abs=0.12)


def test_a_bilateral_filter_smooths_noise_and_keeps_an_edge() -> None:
    edge = torch.zeros(1, 1, 9, 10)
    edge[..., 5:] = 1.0
    noisy = edge + 0.02 * (random_picture(1, 1, 9, 10) - 0.5)
    after = bilateral(noisy, 1.5, 0.1)
    assert float((after - edge).abs().mean()) < 0.5 * float((noisy - edge).abs().mean())
    assert float((after[..., 4] - after[..., 5]).abs().min()) > 0.95
    wide = bilateral(edge, 1.5, 1e6)
    assert 0.2 < float(wide[0, 0, 4, 4]) < 0.5, "without contrast it is a blur"


def test_octave_sizes() -> None:
    assert octave_sizes(100, 200, longest=400, octaves=3, scale=2.0) == [
        (50, 100),
        (100, 200),
        (200, 400),
    ]
    assert octave_sizes(100, 200, longest=128, octaves=8, scale=2.0) == [(32, 64), (64, 128)]
    assert octave_sizes(1, 1000, longest=128, octaves=2, scale=2.0) == [(32, 128)]


def test_preview_rounds_and_repeats_gray() -> None:
    picture = torch.tensor([0.0, 0.5, 1.0]).view(1, 1, 1, 3)
    assert preview(picture).tolist() == [[[0] * 3, [128] * 3, [255] * 3]]


def test_resized_leaves_an_equal_size_alone() -> None:
    picture = random_picture(1, 3, 6, 5)
    assert resized(picture, (6, 5)) is picture
    assert resized(picture, (12, 10)).shape == (1, 3, 12, 10)
