"""Batch norm by hand."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.vision.statistics.norms import crops, norm_statistics
from tests.toys import ToyConvNet, hook_count

BATCH = torch.rand(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def network() -> nn.Sequential:
    module = nn.Sequential(nn.Conv2d(3, 5, 1), nn.BatchNorm2d(5), nn.ReLU(inplace=True)).eval()
    generator = torch.Generator().manual_seed(1)
    norm = module[1]
    for tensor in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        tensor.copy_(torch.rand(5, generator=generator) + 0.5)
    return module


def test_statistics_and_un_normalization() -> None:
    module = network()
    norms, channel = norm_statistics(module, lambda: module(BATCH), "1", 3)
    assert hook_count(module) == 0
    x = module[0](BATCH).detach()
    (found,) = norms
    np.testing.assert_allclose(found.batch_mean, x.mean((0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(found.batch_var, x.var((0, 2, 3), correction=0), rtol=1e-4)
    np.testing.assert_array_equal(found.running_mean, module[1].running_mean)
    assert channel is not None
    output = module[1](x)[:, 3].detach().flatten().numpy()
    np.testing.assert_allclose(channel.output, output, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(channel.undone, channel.given, atol=1e-6)
    np.testing.assert_allclose(channel.given, x[:, 3].flatten().numpy(), rtol=1e-6)


def test_batch_statistics_that_are_the_running_ones() -> None:
    module = network()
    x = module[0](BATCH).detach()
    module[1].running_mean.copy_(x.mean((0, 2, 3)))
    module[1].running_var.copy_(x.var((0, 2, 3), correction=0))
    (found,), _ = norm_statistics(module, lambda: module(BATCH), "", 0)
    assert found.shift == pytest.approx(0, abs=1e-5)
    assert found.ratio == pytest.approx(1, abs=1e-4)


def test_the_last_channel_stands_for_those_beyond() -> None:
    module = network()
    _, last = norm_statistics(module, lambda: module(BATCH), "1", 4)
    _, beyond = norm_statistics(module, lambda: module(BATCH), "1", 400)
    assert last is not None
    assert beyond is not None
    np.testing.assert_array_equal(last.given, beyond.given)


def test_a_network_without_batch_norm() -> None:
    module = ToyConvNet().eval()
    with pytest.raises(ExplorerError, match="no batch norm"):
        norm_statistics(module, lambda: module(BATCH), "", 0)


def test_a_batch_of_parts_of_the_picture() -> None:
    picture = BATCH[:1]
    found = crops(picture, 6, torch.Generator().manual_seed(2))
    assert found.shape == (6, 3, 8, 8)
    assert torch.equal(found[:1], picture)
    assert torch.equal(found, crops(picture, 6, torch.Generator().manual_seed(2)))
    assert found.min() >= picture.min() - 1e-6
    assert found.max() <= picture.max() + 1e-6
    assert not torch.equal(found[1], found[2])
