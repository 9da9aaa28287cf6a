import pytest
import torch

from explorer.networks.embedded import lite_fcn
from explorer.networks.embedded.lite import body_maps


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return lite_fcn(5).eval()


def test_it_has_three_answers(network):
    with torch.no_grad():
        found = network(torch.rand(2, 3, 64, 96))
    assert set(found) == {"out", "out16", "out32"}
    assert {tuple(value.shape) for value in found.values()} == {(2, 5, 64, 96)}


def test_the_scores_have_the_strides_of_the_paper(network):
    with torch.no_grad():
        maps = body_maps(network.body, torch.rand(1, 3, 128, 64))
        scores = network.scores(*maps)
    assert [tuple(s.shape) for s in scores] == [(1, 5, 4, 2), (1, 5, 8, 4), (1, 5, 16, 8)]


def test_the_finer_answers_are_sums(network):
    with torch.no_grad():
        fine, middle, coarse = body_maps(network.body, torch.rand(1, 3, 64, 64))
        at32, at16, at8 = network.scores(fine, middle, coarse)
        assert torch.allclose(at16, network.score_pool4(middle) + network.upscore2(at32))
        assert torch.allclose(at8, network.score_pool3(fine) + network.upscore_pool4(at16))
