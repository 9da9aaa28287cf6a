"""Arcs keep the length of latents, styles mix at a resolution, a projection comes closer."""

from __future__ import annotations

import math

import pytest
import torch

from explorer.networks.generative.style_gan import StyleGenerator
from explorer.vision.latent.projection import distance, projected
from explorer.vision.latent.walks import (
    SPHERE,
    STRAIGHT,
    STYLES,
    between,
    between_four,
    latent,
    mixed,
    on_sphere,
    straight,
)


@pytest.fixture
def generator() -> StyleGenerator:
    torch.manual_seed(0)
    made = StyleGenerator({4: 6, 8: 5, 16: 4}, size=8)
    return made.eval().requires_grad_(requires_grad=False)


def test_an_arc_between_two_axes_is_a_quarter_of_a_circle() -> None:
    x, y = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    torch.testing.assert_close(on_sphere(x, y, 0.5), torch.full((1, 2), math.sqrt(2)))
    third = on_sphere(x, y, 1 / 3)
    torch.testing.assert_close(third, 2 * torch.tensor([[math.cos(math.pi / 6), 0.5]]))
    torch.testing.assert_close(straight(x, y, 0.5), torch.ones(1, 2))
    torch.testing.assert_close(on_sphere(x, 1.5 * x, 0.5), 1.25 * x)


def test_equal_numbers_and_seeds_are_equal_latents() -> None:
    assert torch.equal(latent(4, 7, 8), latent(4, 7, 8))
    assert not torch.equal(latent(4, 7, 8), latent(5, 7, 8))
    assert not torch.equal(latent(4, 7, 8), latent(4, 8, 8))


@pytest.mark.parametrize("way", [SPHERE, STRAIGHT, STYLES])
def test_ends_and_corners_are_the_samples(generator: StyleGenerator, way: str) -> None:
    ends = [latent(number, 0, 8) for number in range(4)]
    styles = [generator.mapping(each) for each in ends]
    for part, number in ((0.0, 0), (1.0, 1)):
        found = between(generator, ends[0], ends[1], part, way)
        torch.testing.assert_close(found, styles[number], rtol=1e-4, atol=1e-5)
    for number in range(4):
        found = between_four(generator, ends, number % 2, number // 2, way)
        torch.testing.assert_close(found, styles[number], rtol=1e-4, atol=1e-5)


def test_a_straight_way_meets_the_pictures_of_the_arc(generator: StyleGenerator) -> None:
    """The mapping network takes the direction of a latent alone."""
    a, b = latent(0, 0, 8), latent(1, 0, 8)
    length = straight(a, b, 0.5).norm() / on_sphere(a, b, 0.5).norm()
    assert length < 0.95
    scaled = 3.0 * straight(a, b, 0.5)
    torch.testing.assert_close(
        generator.mapping(scaled), between(generator, a, b, 0.5, STRAIGHT), rtol=1e-4, atol=1e-5
    )


def test_mixed_styles_change_at_their_resolution(generator: StyleGenerator) -> None:
    layout, colors = (generator.mapping(latent(n, 0, 8)) for n in (0, 1))
    both = generator.synthesize([layout, colors, colors])
    assert torch.equal(mixed(generator, layout, colors, 8), both)
    assert torch.equal(mixed(generator, layout, colors, 4), generator.synthesize([colors] * 3))
    assert torch.equal(mixed(generator, layout, colors, 32), generator.synthesize([layout] * 3))


def test_the_distance_adds_up_all_scales() -> None:
    made, wanted = torch.zeros(1, 3, 8, 8), torch.zeros(1, 3, 8, 8)
    wanted[:, :, 0, 0] = 1.0  # 1/64 of the pixels; then a pixel of 1/4 among 16
    assert float(distance(made, wanted)) == pytest.approx(1 / 64 + 1 / 16 / 16)


def test_projection_comes_closer_to_a_picture_of_the_generator(generator: StyleGenerator) -> None:
    wanted = generator(latent(3, 0, 8))
    before = {name: value.clone() for name, value in generator.state_dict().items()}
    *_, (styles, apart) = found = list(projected(generator, wanted, 60))
    assert apart < 0.5 * found[0][1]
    assert styles.shape == (3, 8)
    assert all(torch.equal(before[k], v) for k, v in generator.state_dict().items())
    assert all(weight.grad is None for weight in generator.parameters())
