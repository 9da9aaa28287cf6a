"""Curves on a sum of pixels, imputed pixels against a direct solution, the pointing game."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.sparse import lil_matrix
from scipy.sparse.linalg import spsolve
from torch import Tensor, nn

from explorer.vision.attribution import faithfulness
from explorer.vision.attribution.faithfulness import area, blurred, curve, imputed, points_at
from explorer.vision.attribution.targets import Reading


class Sum:
    module = nn.Identity()

    def __call__(self, values: Tensor) -> Reading:
        found = values.flatten(1).sum(1)
        return Reading(found, found.detach())


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_deletion_and_insertion_of_a_sum() -> None:
    x = torch.tensor([[[[4.0, 1.0], [3.0, 2.0]]]])
    zero = torch.zeros_like(x)
    *_, found = curve("deletion", Sum(), x, x[0, 0], zero, steps=4, generator=generator())
    assert found == [10.0, 6.0, 3.0, 1.0, 0.0]
    assert area(found) == pytest.approx((10 / 2 + 6 + 3 + 1) / 4)
    *_, worst = curve("deletion", Sum(), x, -x[0, 0], zero, steps=4, generator=generator())
    assert area(worst) > area(found)
    *_, put = curve("insertion", Sum(), x, x[0, 0], zero, steps=4, generator=generator())
    assert put[-1] == 10.0
    assert put[0] == pytest.approx(float(blurred(x).sum()))


def test_a_curve_grows() -> None:
    x = torch.rand(1, 1, 8, 8, generator=generator())
    lengths = [
        len(found) for found in curve("ROAD", Sum(), x, x[0, 0], x, steps=8, generator=generator())
    ]
    assert lengths == [4, 8, 9]


def test_imputed_pixels_solve_the_linear_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faithfulness, "NOISE", 0.0)
    monkeypatch.setattr(faithfulness, "TOLERANCE", 1e-6)
    x = torch.rand(1, 2, 9, 7, generator=generator())
    holes = torch.rand(9, 7, generator=generator()) < 0.6
    found = imputed(x, holes, generator())[0].numpy()
    places = {tuple(at): k for k, at in enumerate(np.argwhere(holes.numpy()))}
    matrix, right = lil_matrix((len(places),) * 2), np.zeros((len(places), 2))
    for (row, column), k in places.items():
        for dy in (-1, 0, 1):
            for dx in (-1, 0, 1):
                there = row + dy, column + dx
                if (dy, dx) == (0, 0) or not (0 <= there[0] < 9 and 0 <= there[1] < 7):
                    continue
                weight = 1 / 6 if 0 in (dy, dx) else 1 / 12
                matrix[k, k] += weight
                if there in places:
                    matrix[k, places[there]] -= weight
                else:
                    right[k] += weight * x[0, :, there[0], there[1]].numpy()
    expected = spsolve(matrix.tocsr(), right)
    for (row, column), k in places.items():
        np.testing.assert_allclose(found[:, row, column], expected[k], atol=1e-4)
    shown = ~holes.numpy()
    np.testing.assert_array_equal(found[:, shown], x[0].numpy()[:, shown])


def test_a_hole_in_a_ramp_is_filled_with_the_ramp(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faithfulness, "NOISE", 0.0)
    ramp = torch.arange(24.0).expand(1, 1, 20, 24)
    holes = torch.zeros(20, 24, dtype=torch.bool)
    holes[5:15, 6:18] = True
    torch.testing.assert_close(imputed(ramp, holes, generator()), ramp, rtol=0, atol=0.05)
    assert torch.equal(imputed(ramp, torch.zeros_like(holes), generator()), ramp)
    everything = imputed(ramp, torch.ones_like(holes), generator())
    assert torch.equal(everything, torch.full_like(ramp, 11.5))


def test_the_largest_value_is_in_a_box_or_not() -> None:
    values = torch.zeros(10, 20)
    values[3, 15] = 1.0
    boxes = torch.tensor([[0.0, 0, 5, 5], [14, 2, 18, 8]])
    assert points_at(values, boxes)
    assert not points_at(values, boxes[:1])
    assert points_at(values, boxes[:1], slack=15)
