import pytest
import torch
from torch.nn import functional

from explorer.networks.embedded import mini_fcn
from explorer.networks.embedded.fcn import twice_as_fine, without_norm


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return mini_fcn(5).eval()


@pytest.mark.parametrize("size", [(64, 96), (33, 65), (192, 250), (16, 16)])
def test_any_input_size_gives_scores_for_every_pixel(network, size):
    with torch.no_grad():
        found = network(torch.rand(2, 3, *size))
    assert set(found) == {"out", "out16", "out32"}
    assert {tuple(value.shape) for value in found.values()} == {(2, 5, *size)}


def test_the_maps_have_the_strides_of_the_paper(network):
    with torch.no_grad():
        fine, coarse = network.features(torch.rand(1, 3, 128, 64))
        scores = network.scores(fine, coarse)
    assert fine.shape == (1, 160, 16, 8)
    assert coarse.shape == (1, 320, 8, 4)
    assert [tuple(s.shape[2:]) for s in scores] == [(4, 2), (8, 4), (16, 8)]


def test_enlarging_begins_as_bilinear_interpolation():
    values = torch.rand(2, 3, 6, 7)
    wanted = functional.interpolate(values, scale_factor=2, mode="bilinear")
    with torch.no_grad():
        found = twice_as_fine(3)(values)
    # at the rim the transposed convolution sees zeros, interpolation the rim again
    assert torch.allclose(found[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], atol=1e-6)


def test_the_finer_answers_are_sums(network):
    with torch.no_grad():
        fine, coarse = network.features(torch.rand(1, 3, 64, 64))
        at32, at16, at8 = network.scores(fine, coarse)
        assert torch.allclose(at16, network.score_pool4(coarse) + network.upscore2(at32))
        assert torch.allclose(at8, network.score_pool3(fine) + network.upscore_pool4(at16))


def test_its_own_weights_are_few(network):
    own = sum(p.numel() for n, p in network.named_parameters() if not n.startswith("body."))
    assert own * 2 < 0.6e6  # bytes in half precision


def test_it_is_the_same_function_without_its_normalizations():
    learned = mini_fcn(4, norm=True)
    learned.train()
    with torch.no_grad():
        learned(torch.rand(4, 3, 64, 64))  # statistics of its own
    learned.eval()
    plain = without_norm(learned)
    assert plain.state_dict().keys() == mini_fcn(4).state_dict().keys()
    images = torch.rand(2, 3, 48, 80)
    with torch.no_grad():
        one, other = learned(images), plain(images)
    for name, scores in one.items():
        assert torch.allclose(scores, other[name], atol=1e-5), name
