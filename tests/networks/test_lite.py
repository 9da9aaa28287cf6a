"""EfficientNet-Lite0 against the package that its weights were converted for, and its pyramid."""

from __future__ import annotations

import pytest
import torch
from efficientnet_lite_pytorch import EfficientNet

from explorer.networks import shipped
from explorer.networks.embedded.lite import (
    STAGES,
    LiteFPN,
    efficientnet_lite0,
    from_package,
    same_padding,
)


@pytest.fixture(scope="module")
def published():
    path = shipped.packaged("efficientnet-lite0").verified()
    return torch.load(path, map_location="cpu", weights_only=True)


@torch.no_grad()
def test_it_answers_as_the_reference_does(published):
    reference = EfficientNet.from_name("efficientnet-lite0").eval()
    reference.load_state_dict(published)
    ours = efficientnet_lite0().eval()
    ours.load_state_dict(from_package(published))
    images = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    expected = reference(images)
    assert expected.abs().max() > 1
    assert torch.allclose(ours(images), expected, rtol=0, atol=1e-5)


def test_every_tensor_of_the_package_gets_a_name_of_the_module(published):
    renamed = from_package(published)
    own = efficientnet_lite0().state_dict()
    assert renamed.keys() == own.keys()
    assert all(renamed[name].shape == own[name].shape for name in own)
    assert renamed["blocks.6.0.conv_pwl.weight"] is published["_blocks.15._project_conv.weight"]


def test_other_names_are_refused():
    with pytest.raises(KeyError):
        from_package({"layer1.weight": torch.zeros(1)})


def test_a_stride_of_two_pads_below_and_to_the_right():
    ones = torch.ones(1, 1, 2, 2)
    assert same_padding(3, 2)(ones).tolist() == [[[[1, 1, 0], [1, 1, 0], [0, 0, 0]]]]
    assert same_padding(5, 2)(ones).shape == (1, 1, 5, 5)
    assert same_padding(5, 2)(ones)[0, 0, 0].tolist() == [0] * 5  # one above, two below
    assert torch.equal(same_padding(3, 1)(ones), ones)


@torch.no_grad()
def test_the_pyramid_has_strides_8_16_and_32():
    pyramid = LiteFPN(16).eval()
    maps = pyramid(torch.zeros(1, 3, 64, 96))
    assert {name: tuple(value.shape) for name, value in maps.items()} == {
        "0": (1, 16, 8, 12), "1": (1, 16, 4, 6), "2": (1, 16, 2, 3),
    }  # fmt: skip
    assert sum(stage.blocks for stage in STAGES) == 16
