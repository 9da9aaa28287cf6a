import torch
from torch.nn import functional

from explorer.networks.generative.style_gan import (
    Discriminator,
    StyledConv,
    StyleGenerator,
    batch_spread,
)

WIDTHS = {4: 8, 8: 8, 16: 6}


def toy():
    torch.manual_seed(0)
    return StyleGenerator(WIDTHS, size=8, layers=1)


def test_one_shared_convolution_is_that_of_each_pictures_own_filters():
    torch.manual_seed(0)
    layer = StyledConv(4, 5, 8)
    maps, styles = torch.randn(3, 4, 6, 6), torch.randn(3, 8)
    found = layer(maps, styles)
    for row in range(3):
        filters = layer.weight * layer.style(styles[row])[None, :, None, None]
        filters = filters / (filters.square().sum(dim=(1, 2, 3), keepdim=True) + 1e-8).sqrt()
        expected = functional.conv2d(maps[row : row + 1], filters, padding=1)
        torch.testing.assert_close(found[row : row + 1], expected, rtol=1e-5, atol=1e-5)


def test_the_picture_is_the_sum_of_what_each_resolution_adds():
    generator = toy()
    latents = torch.randn(2, 8)
    styles = [generator.mapping(latents)] * 3
    total = torch.zeros(2, 3, 16, 16)
    for share in generator.shares(styles):
        while share.shape[-1] < 16:
            share = functional.interpolate(
                share, scale_factor=2, mode="bilinear", align_corners=False
            )
        total = total + share
    torch.testing.assert_close(generator(latents), total)


def test_the_style_of_a_fine_resolution_leaves_the_coarse_ones_alone():
    generator = toy()
    first, second = (generator.mapping(torch.randn(1, 8)) for _ in range(2))
    one = generator.shares([first, first, first])
    other = generator.shares([first, first, second])
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])
    assert not torch.equal(one[2], other[2])


def test_truncation_moves_styles_toward_their_mean():
    generator = toy()
    generator.mean_style.fill_(2.0)
    styles = torch.full((1, 8), 4.0)
    assert torch.equal(generator.truncated(styles, 1.0), styles)
    assert torch.equal(generator.truncated(styles, 0.5), torch.full((1, 8), 3.0))


def test_the_length_of_a_latent_does_not_matter():
    generator = toy()
    latents = torch.randn(1, 8)
    torch.testing.assert_close(generator(latents), generator(3 * latents), rtol=1e-4, atol=1e-5)


def test_a_score_for_each_picture():
    assert Discriminator((4, 4, 4, 4, 4))(torch.randn(6, 3, 64, 64)).shape == (6,)


def test_equal_pictures_have_no_spread():
    maps = torch.randn(1, 2, 4, 4).repeat(4, 1, 1, 1)
    assert float(batch_spread(maps).max()) < 2e-4
    # two groups of two would be mixed up by a wrong order: pictures 0, 2 differ, 1, 3 do not
    apart = torch.zeros(4, 1, 1, 1)
    apart[2] = 2.0
    found = batch_spread(apart, group=2)[:, 0, 0, 0]
    torch.testing.assert_close(found, torch.tensor([1.0, 1e-4, 1.0, 1e-4]), atol=1e-4, rtol=0)
