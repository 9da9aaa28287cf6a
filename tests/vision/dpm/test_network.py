"""The layers of the network give what the steps give."""

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from explorer.vision.dpm.features import scales
from explorer.vision.dpm.matching import Border, respond
from explorer.vision.dpm.network import ComponentNetwork, DistancePooling, layers
from explorer.vision.dpm.transform import distance_transform
from tests.vision.dpm.toy import toy_component, toy_photo


def all_scales(interval=2):
    return [scale for _, _, scale in scales(toy_photo(), interval)]


@pytest.mark.parametrize("parts", [0, 1, 3])
def test_every_layer_is_a_step(parts):
    component, border = toy_component(5, parts=parts), Border(3, 2)
    for scale in all_scales():
        steps = respond(scale, component, border)
        assert steps is not None
        outputs = {output.name: output.values for output in layers(scale, component, border, 200)}
        np.testing.assert_allclose(outputs["root"][0], steps.root, atol=1e-4)
        np.testing.assert_allclose(outputs["geometry"], steps.added, atol=1e-4)
        np.testing.assert_allclose(outputs["score"][0], steps.score, atol=1e-4)
        for number in range(parts):
            height, width = steps.raw[number].shape
            for name, values in (("parts", steps.raw), ("pooled", steps.moved)):
                own = outputs[name][number]
                np.testing.assert_allclose(own[:height, :width], values[number], atol=1e-4)
                assert not own[height:].any()


def test_pooling_is_the_distance_transform_within_its_reach():
    values = np.random.default_rng(0).normal(size=(2, 9, 14)).astype(np.float32)
    costs = torch.tensor([[0.1, -0.2, 0.01, 0.02], [0.0, 0.3, 0.5, 0.02]])
    whole = DistancePooling(costs, 20)(torch.from_numpy(values)[None])[0].numpy()
    exact, _, _ = distance_transform(values, costs.numpy())
    np.testing.assert_allclose(whole, exact, atol=1e-5)
    near = DistancePooling(costs, 1)(torch.from_numpy(values)[None])[0].numpy()
    assert (near <= whole + 1e-6).all()
    assert (near < whole - 1e-3).any()


def test_without_a_cost_it_is_max_pooling():
    values = torch.randn(1, 3, 8, 10, generator=torch.Generator().manual_seed(1))
    found = DistancePooling(torch.zeros(3, 4), 2)(values)
    assert torch.equal(found, F.max_pool2d(values, 5, stride=1, padding=2))


def test_it_can_be_trained_through():
    component, border = toy_component(2), Border(2, 2)
    network = ComponentNetwork(component, 5).requires_grad_()
    scale = all_scales()[0]
    coarse, fine = (
        torch.from_numpy(np.pad(cells, ((k, k), (k, k), (0, 0))).transpose(2, 0, 1).copy())[None]
        for cells, k in ((scale.root.cells, border.down), (scale.fine.cells, 2 * border.down))
    )
    network(coarse, fine)["score"].max().backward()
    for layer in (network.root, *network.parts):
        assert layer.weight.grad is not None
        assert layer.weight.grad.abs().max() > 0
