"""Similar maps stand side by side, and class weights are those that the logits are made of."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from explorer.networks.hooks import captured
from explorer.vision.channels.order import class_weights, map_similarity
from tests.toys import ToyConvNet


def test_maps_of_one_pattern_stand_together_whatever_their_size_and_level() -> None:
    rng = np.random.default_rng(1)
    one, other = rng.normal(size=(2, 40, 30)).astype(np.float32)
    maps = np.stack([one, other, 5 * one + 3, np.full_like(one, 7.0), other * 0.5 - 9])
    order = map_similarity(maps).tolist()
    assert order[-1] == 3, "constant maps come last"
    place = {channel: at for at, channel in enumerate(order)}
    assert abs(place[0] - place[2]) == 1
    assert abs(place[1] - place[4]) == 1


def test_vectors_are_ordered_too() -> None:
    assert sorted(map_similarity(np.arange(4, dtype=np.float32).reshape(4, 1, 1)).tolist()) == [
        0, 1, 2, 3,
    ]  # fmt: skip


def logits_and_maps(net: nn.Module, layer: str, call: int = 0) -> tuple[np.ndarray, np.ndarray]:
    x = torch.rand(1, 3, 16, 16, generator=torch.Generator().manual_seed(2))
    with torch.no_grad(), captured(net, [layer]) as records:
        logits = net(x)
    return logits[0].numpy(), records[layer][call][0].numpy()


def test_the_weights_give_the_logits_by_hand() -> None:
    net = ToyConvNet().eval()
    logits, maps = logits_and_maps(net, "relu", call=1)
    weights = class_weights(net, maps, logits)
    assert weights is not None
    np.testing.assert_array_equal(weights, net.fc.weight.detach().numpy())
    sums = weights @ maps.mean(axis=(1, 2)) + net.fc.bias.detach().numpy()
    np.testing.assert_allclose(sums, logits, rtol=1e-5, atol=1e-5)


def test_as_many_channels_elsewhere_are_not_what_is_weighted() -> None:
    net = ToyConvNet().eval()
    logits, maps = logits_and_maps(net, "conv2")  # eight channels, too, before the ReLU
    assert class_weights(net, maps, logits) is None
    logits, maps = logits_and_maps(net, "conv1")
    assert class_weights(net, maps, logits) is None


def test_a_last_convolution_of_one_pixel_is_a_linear_layer() -> None:
    net = nn.Sequential(
        nn.Conv2d(3, 5, 3), nn.Conv2d(5, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    logits, maps = logits_and_maps(net.eval(), "0")
    found = class_weights(net, maps, logits)
    assert found is not None
    np.testing.assert_array_equal(found, net[1].weight.detach().flatten(1).numpy())
