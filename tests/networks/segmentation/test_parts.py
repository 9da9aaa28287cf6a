import torch
from torch.nn import functional

from explorer.networks.embedded.segmentation.parts import twice_as_fine, widened


def test_enlarging_begins_as_bilinear_interpolation():
    values = torch.rand(2, 3, 6, 7)
    wanted = functional.interpolate(values, scale_factor=2, mode="bilinear")
    with torch.no_grad():
        found = twice_as_fine(3)(values)
    # at the rim the transposed convolution sees zeros, interpolation the rim again
    assert torch.allclose(found[..., 1:-1, 1:-1], wanted[..., 1:-1, 1:-1], atol=1e-6)


def test_a_map_is_widened_by_its_rim():
    values = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    found = widened(values, torch.zeros(1, 7, 3, 4))
    assert found[0, 0].tolist() == [[1, 2, 2, 2], [3, 4, 4, 4], [3, 4, 4, 4]]
    assert torch.equal(widened(values, values), values)
