from typing import Any

import pytest
import torch
from torch import nn

from explorer.networks.embedded import ARCHITECTURES, MiniResNet, mini_resnet


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (37, 53), (128, 96)])
def test_any_input_size_gives_one_answer_per_photo(size):
    network = mini_resnet().eval()
    with torch.no_grad():
        assert network(torch.rand(2, 3, *size)).shape == (2, 200)


def test_the_layers_have_the_names_of_torchvisions_resnet():
    names = [name for name, _ in mini_resnet().named_children()]
    assert names == [
        *("conv1", "bn1", "relu", "layer1", "layer2", "layer3", "layer4"),
        *("avgpool", "fc"),
    ]


def test_the_number_of_weights_is_the_sum_of_its_layers():
    # stem; two 3x3 convolutions per block and the 1x1 ones that widen; two per BN channel; fc
    convolutions = 3 * 40 * 25 + 2 * 9 * 40 * 40
    convolutions += 9 * 40 * 80 + 3 * 9 * 80 * 80 + 40 * 80
    convolutions += 9 * 80 * 160 + 3 * 9 * 160 * 160 + 80 * 160
    convolutions += 9 * 160 * 320 + 9 * 320 * 320 + 160 * 320
    channels = 3 * 40 + 5 * 80 + 5 * 160 + 3 * 320
    expected = convolutions + 2 * channels + 320 * 200 + 200
    assert sum(p.numel() for p in mini_resnet().parameters()) == expected


def test_an_untrained_block_passes_its_input_through():
    block = MiniResNet(5).eval().layer1[0]
    x = torch.rand(1, 40, 6, 6)
    with torch.no_grad():
        assert torch.equal(block(x), x)


def test_every_architecture_is_a_module_made_for_a_number_of_classes():
    needs: dict[str, dict[str, Any]] = {
        "lite_yolo_v2": {"priors": [(1.0, 2.0)]},
        "lite_keypointrcnn": {"fine": 3},
    }  # fmt: skip
    for name, build in ARCHITECTURES.items():
        assert isinstance(build(num_classes=3, **needs.get(name, {})), nn.Module)
