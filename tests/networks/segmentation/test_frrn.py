import torch

from explorer.networks.embedded.segmentation.frrn import FullResolutionUnit


@torch.no_grad()
def test_what_a_unit_adds_is_the_same_in_all_pixels_of_a_cell():
    torch.manual_seed(0)
    unit = FullResolutionUnit(6, 8).eval()
    pooled, stream = torch.rand(1, 6, 2, 3), torch.rand(1, 8, 16, 24)
    deep, found = unit(pooled, stream)
    assert deep.shape == (1, 28, 2, 3)
    cells = unit.to_stream(deep)
    added = (found - stream).unflatten(3, (3, 8)).unflatten(2, (2, 8))
    assert torch.allclose(added, cells[:, :, :, None, :, None].expand_as(added), atol=1e-6)


@torch.no_grad()
def test_a_unit_takes_the_largest_value_of_each_cell():
    unit = FullResolutionUnit(1, 2).eval()
    pooled, stream = torch.zeros(1, 1, 1, 1), torch.zeros(1, 8, 2, 2)
    stream[0, :, 1, 0] = 3.0
    moved = torch.zeros(1, 8, 2, 2)
    moved[0, :, 0, 1] = 3.0
    assert torch.equal(unit(pooled, stream)[0], unit(pooled, moved)[0])
