import itertools

import pytest
import torch
from torch import nn

from explorer.networks.embedded import MiniVGG, mini_vgg
from explorer.networks.embedded.vgg import without_norm


@pytest.mark.parametrize("size", [(64, 64), (16, 16), (37, 53), (128, 96)])
def test_any_input_size_gives_one_answer_per_photo(size):
    with torch.no_grad():
        assert mini_vgg().eval()(torch.rand(2, 3, *size)).shape == (2, 200)


def test_it_is_plain_and_named_as_torchvisions_vgg():
    network = mini_vgg()
    assert [name for name, _ in network.named_children()] == ["features", "avgpool", "classifier"]
    kinds = {type(m) for m in network.features}
    assert kinds == {nn.Conv2d, nn.ReLU, nn.MaxPool2d}
    assert isinstance(network.features[-1], nn.MaxPool2d)


def test_the_number_of_weights_is_the_sum_of_its_layers():
    widths = (3, 32, 64, 128, 128, 256, 256, 256)
    expected = sum(9 * a * b + b for a, b in itertools.pairwise(widths))
    expected += 256 * 4 * 512 + 512 + 512 * 200 + 200
    assert sum(p.numel() for p in mini_vgg().parameters()) == expected
    assert 2 * expected <= 4.8e6  # bytes in the file


def test_without_norm_it_is_the_same_function():
    torch.manual_seed(0)
    learned = MiniVGG(7, norm=True)
    for layer in learned.modules():
        if isinstance(layer, nn.BatchNorm2d):  # as after a training
            nn.init.uniform_(layer.weight, 0.3, 2)
            nn.init.normal_(layer.bias)
            nn.init.normal_(layer.running_mean)
            nn.init.uniform_(layer.running_var, 0.2, 3)
    plain = mini_vgg(7).eval()
    plain.load_state_dict(without_norm(learned).state_dict())
    images = torch.randn(3, 3, 40, 56)
    with torch.no_grad():
        assert torch.allclose(plain(images), learned.eval()(images), atol=1e-4, rtol=1e-4)
    assert any(isinstance(m, nn.BatchNorm2d) for m in learned.modules())  # left alone
