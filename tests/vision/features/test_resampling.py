"""The arithmetic of decoders equals that of torch."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from explorer.vision.features.resampling import (
    bed_of_nails,
    bilinear,
    bilinear_kernel,
    max_pool,
    max_unpool,
    nearest,
    overlaps,
    spread,
    stamped,
)


def maps(seed: int = 0, size: tuple[int, int] = (5, 7)) -> torch.Tensor:
    return torch.randn((2, 3, *size), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_nearest_is_torchs(factor: int) -> None:
    x = maps()
    assert torch.equal(nearest(x, factor), functional.interpolate(x, scale_factor=factor))


@pytest.mark.parametrize("factor", [1, 2, 3, 8])
def test_bilinear_is_torchs(factor: int) -> None:
    x = maps()
    own = functional.interpolate(x, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(bilinear(x, factor), own, rtol=1e-5, atol=1e-5)


def test_the_bilinear_kernel_of_a_doubling_by_hand() -> None:
    line = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(bilinear_kernel(2), torch.outer(line, line))


@pytest.mark.parametrize("factor", [2, 3])
def test_bed_of_nails_is_a_transposed_convolution_with_one_weight(factor: int) -> None:
    x = maps()
    weight = torch.zeros(3, 1, factor, factor)
    weight[:, 0, 0, 0] = 1
    own = functional.conv_transpose2d(x, weight, stride=factor, groups=3)
    assert torch.equal(bed_of_nails(x, factor), own)


@pytest.mark.parametrize("size", [(4, 4), (6, 9), (7, 8)])
@pytest.mark.parametrize("factor", [2, 3])
def test_max_pooling_and_its_switches_are_torchs(size: tuple[int, int], factor: int) -> None:
    x = maps(1, size)
    values, indices = functional.max_pool2d(x, factor, return_indices=True)
    found = max_pool(x, factor)
    assert torch.equal(found.values, values)
    assert torch.equal(found.switches, indices)
    assert found.size == size
    own = functional.max_unpool2d(values, indices, [factor, factor], output_size=size)
    assert torch.equal(max_unpool(found.values, found.switches, found.size), own)


def test_of_equal_values_the_first_is_the_largest() -> None:
    _, own = functional.max_pool2d(torch.ones(1, 1, 4, 4), 2, return_indices=True)
    assert torch.equal(max_pool(torch.ones(1, 1, 4, 4), 2).switches, own)


@pytest.mark.parametrize(
    ("kernel", "stride", "padding"), [(2, 2, 0), (3, 2, 0), (3, 2, 1), (4, 2, 1), (5, 3, 2)]
)
def test_stamps_are_torchs_transposed_convolution(kernel: int, stride: int, padding: int) -> None:
    generator = torch.Generator().manual_seed(2)
    x, weight = maps(3), torch.randn((3, 4, kernel, kernel), generator=generator)
    own = functional.conv_transpose2d(x, weight, None, stride, padding)
    torch.testing.assert_close(stamped(x, weight, stride, padding), own, rtol=1e-5, atol=1e-5)


def test_a_kernel_of_three_with_a_stride_of_two_makes_a_checkerboard() -> None:
    line = torch.tensor([1, 1, 2, 1, 2, 1, 1])
    assert torch.equal(overlaps((3, 3), 3, 2), torch.outer(line, line))
    assert overlaps((3, 3), 4, 2)[2:-2, 2:-2].unique().tolist() == [4]


@pytest.mark.parametrize("enlarge", [nearest, bed_of_nails, bilinear])
def test_the_larger_map_is_the_sum_of_what_its_cells_put_there(enlarge) -> None:
    x = maps(4, (4, 4))[:1, :1]
    matrix = spread(lambda ones: enlarge(ones, 2), (4, 4))
    assert matrix.shape == (16, 8, 8)
    again = torch.einsum("k,krc->rc", x.flatten(), matrix)
    torch.testing.assert_close(again, enlarge(x, 2)[0, 0], rtol=1e-5, atol=1e-5)
