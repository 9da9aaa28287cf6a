import torch

from explorer.networks.embedded import lite_deconvnet, lite_unet
from explorer.networks.embedded.lite import body_maps


@torch.no_grad()
def test_transposed_convolutions_see_the_last_map_only():
    network = lite_deconvnet(4).eval()
    images = torch.rand(1, 3, 64, 96)
    (coarse,) = body_maps(network.body, images, network.taps)
    assert coarse.shape == (1, 320, 2, 3)
    assert network.scores(coarse).shape == (1, 4, 32, 48)


@torch.no_grad()
def test_every_skip_changes_the_scores():
    torch.manual_seed(0)
    network = lite_unet(4).eval()
    found = body_maps(network.body, torch.rand(1, 3, 64, 96), network.taps)
    assert [m.shape[-1] for m in found] == [48, 24, 12, 6, 3]
    maps = [torch.randn_like(m) for m in found]
    scores = network.scores(*maps)
    assert scores.shape == (1, 4, 32, 48)
    for number in range(len(maps)):
        without = [torch.zeros_like(m) if i == number else m for i, m in enumerate(maps)]
        assert not torch.allclose(network.scores(*without), scores)
