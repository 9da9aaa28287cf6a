import torch

from explorer.networks.embedded.segmentation.pspnet import BINS, PyramidPooling


@torch.no_grad()
def test_the_map_stands_beside_the_means_of_its_bins():
    pyramid = PyramidPooling(8).eval()
    x = torch.rand(1, 8, 12, 18)
    found = pyramid(x)
    assert found.shape == (1, 16, 12, 18)
    assert torch.equal(found[:, :8], x)
    # a single bin is the mean of everything, the same in all cells
    means = torch.relu(x.mean((2, 3)) @ pyramid.levels[0][1][0].weight[:, :, 0, 0].T)
    means = means / (1 + pyramid.levels[0][1][1].eps) ** 0.5
    assert torch.allclose(found[0, 8:10], means[0, :, None, None].expand(2, 12, 18), atol=1e-5)
    grids = [level[0].output_size for level in pyramid.levels]
    assert grids == list(BINS) == [1, 2, 3, 6]
