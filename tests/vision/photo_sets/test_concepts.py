"""Concepts of activations that are sums of known parts, and effects that are known."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.vision.photo_sets.concepts import (
    coefficients,
    designs,
    factorized,
    masked_scores,
    total_effects,
)
from tests.toys import ToyConvNet, hook_count


def test_the_parts_of_sums_are_found() -> None:
    generator = np.random.default_rng(0)
    parts = np.array([[1, 0, 1, 0, 0, 0], [0, 1, 0, 0, 2, 0], [0, 0, 0, 3, 0, 1]], np.float32)
    amounts = generator.exponential(size=(300, 3)) * (generator.random((300, 3)) < 0.6)
    directions = factorized((amounts @ parts).astype(np.float32), 3)
    units = parts / np.linalg.norm(parts, axis=1, keepdims=True)
    cosines = units @ directions.T
    assert cosines.max(axis=1).min() > 0.99
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, atol=1e-5)
    assert (directions >= 0).all()


def test_coefficients_are_the_non_negative_least_squares() -> None:
    from scipy.optimize import nnls

    generator = np.random.default_rng(1)
    directions = generator.random((4, 9)).astype(np.float32)
    cells = generator.random((20, 9)).astype(np.float32)
    found = coefficients(cells, directions, 3000)
    for row, cell in zip(found, cells, strict=True):
        np.testing.assert_allclose(row, nnls(directions.T, cell)[0], atol=2e-3)


def test_activations_of_nothing_have_no_concepts() -> None:
    directions = factorized(np.zeros((5, 4), np.float32), 2)
    np.testing.assert_array_equal(directions, np.zeros((2, 4)))
    assert not coefficients(np.ones((3, 4), np.float32), directions).any()


def test_total_effects_of_a_sum_are_the_parts_of_its_variance() -> None:
    weights = np.array([3.0, 1.0, 0.0])
    masks = designs(3, pairs=1024)
    effects = total_effects(masks @ weights, 3)
    np.testing.assert_allclose(effects, weights**2 / (weights**2).sum(), atol=0.02)


def test_total_effects_include_what_factors_do_together() -> None:
    """Of y = m_0 m_1, each uniform: variance 7/144, total effect of each 4/7 (by hand)."""
    masks = designs(2, pairs=4096)
    np.testing.assert_allclose(total_effects(masks[:, 0] * masks[:, 1], 2), 4 / 7, atol=0.02)
    np.testing.assert_array_equal(total_effects(np.ones(len(masks)), 2), np.zeros(2))


class Joined(nn.Module):
    """A branch around the layer that is concatenated: a batch cannot begin in the middle."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 1)
        self.fc = nn.Linear(7, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.fc(torch.cat([self.conv(x), x], 1).mean((2, 3)))


@pytest.mark.parametrize(("module", "layer"), [(ToyConvNet(), "conv2"), (Joined(), "conv")])
def test_removing_a_part_of_the_activations_is_running_the_rest_without_it(
    module: nn.Module, layer: str
) -> None:
    module.eval()
    images = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    conv = module.get_submodule(layer)
    kept: list[torch.Tensor] = []
    handle = conv.register_forward_hook(lambda *a: kept.append(a[2].clone()))
    with torch.no_grad():
        whole = module(images)[0, 1]
    handle.remove()
    parts = torch.stack([0.5 * kept[0][0], torch.zeros_like(kept[0][0])])
    masks = np.array([[1, 1], [0, 1], [1, 0]], np.float32)
    found = masked_scores(module, images, layer, parts, masks, 1)
    assert hook_count(module) == 0
    np.testing.assert_allclose(found[[0, 2]], float(whole), atol=1e-5)
    handle = conv.register_forward_hook(lambda *a: a[2] * 0.5)
    with torch.no_grad():
        expected = module(images)[0, 1]
    handle.remove()
    assert found[1] == pytest.approx(float(expected), abs=1e-5)
    assert found[1] != pytest.approx(float(whole), abs=1e-3)
