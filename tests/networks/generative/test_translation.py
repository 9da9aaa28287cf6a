import pytest
import torch

from explorer.networks.generative.translation import (
    PatchDiscriminator,
    ResidualGenerator,
    UNetGenerator,
)


@pytest.fixture
def small():
    torch.manual_seed(0)
    return UNetGenerator((4, 6, 8)).eval()


def test_a_picture_of_the_same_size(small):
    found = small(torch.randn(2, 3, 64, 96))
    assert found.shape == (2, 3, 64, 96)
    assert float(found.detach().abs().max()) <= 1


def test_a_skip_connection_can_be_cut(small):
    pictures = torch.randn(1, 3, 32, 32)
    whole = small(pictures)
    assert torch.equal(whole, small(pictures, without=()))
    cut = small(pictures, without={1})
    assert not torch.equal(whole, cut)
    # without any of them all that is known comes through the smallest maps
    blind = small(pictures, without={1, 2})
    kept = {}

    def keep(_module, _inputs, output):
        kept["deepest"] = output

    handle = small.down[-1].register_forward_hook(keep)
    small(pictures)
    handle.remove()
    maps = kept["deepest"]
    for number, step in enumerate(small.up):
        maps = step(maps.relu())
        if number < 2:
            beside = torch.zeros(1, (6, 4)[number], *maps.shape[2:])
            maps = torch.cat([maps, beside], dim=1)
    torch.testing.assert_close(blind, maps.tanh())


def test_dropout_is_noise_where_it_is_asked_for(small):
    pictures = torch.randn(1, 3, 32, 32)
    assert torch.equal(small(pictures), small(pictures))
    small.drop.train()
    torch.manual_seed(0)
    first = small(pictures)
    assert not torch.equal(first, small(pictures))


def test_a_patchs_score_depends_on_34_pixels():
    discriminator = PatchDiscriminator(3, (4, 4, 4), norm=True).eval()
    pictures = torch.randn(1, 3, 96, 96, requires_grad=True)
    scores = discriminator(pictures)
    middle = scores.shape[-1] // 2
    scores[0, 0, middle, middle].backward()
    rows = pictures.grad.abs().sum(dim=(0, 1, 3)).nonzero().flatten()
    assert int(rows.max() - rows.min()) + 1 == 34


def test_the_generator_without_pairs_keeps_the_size():
    with torch.no_grad():
        assert ResidualGenerator(4, 1)(torch.randn(1, 3, 32, 48)).shape == (1, 3, 32, 48)


def test_noise_drops_half_of_the_channels_and_doubles_the_others(small):
    pictures = torch.randn(1, 3, 32, 32)

    def drawn(seed):
        return small(pictures, noise=torch.Generator().manual_seed(seed))

    assert torch.equal(drawn(0), drawn(0))
    assert not torch.equal(drawn(0), drawn(1))
    given = {}
    handle = small.up[1].register_forward_pre_hook(lambda _, inputs: given.update(maps=inputs[0]))
    whole = small(pictures)
    before = given["maps"][:, :6]  # of the first step; the skip's come after them
    drawn(0)
    handle.remove()
    after = given["maps"][:, :6]
    for one, other in zip(after[0], before[0], strict=True):
        assert torch.equal(one, 0 * other) or torch.equal(one, 2 * other)
    assert not torch.equal(whole, drawn(0))
