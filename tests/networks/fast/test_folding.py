import pytest
import torch
from torch import nn
from torchvision.models import mobilenet_v3_small
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.ops import FrozenBatchNorm2d

from explorer.networks.embedded import lite_yolo_v1, mini_resnet
from explorer.networks.fast.folding import LEAST_SIDE, TOLERANCE, at_share, fast, folded
from explorer.networks.preprocess import Preprocess
from tests.toys import hook_count, make_network, toy_network


def with_statistics(module):
    """Normalizations that really do something."""
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d | FrozenBatchNorm2d):
            for values, low, high in (
                (layer.running_mean, -0.5, 0.5), (layer.running_var, 0.5, 2.0),
                (layer.weight.data, 0.5, 1.5), (layer.bias.data, -0.5, 0.5),
            ):  # fmt: skip
                values.uniform_(low, high, generator=generator)
    return module.eval()


def norms(module):
    return [m for m in module.modules() if isinstance(m, nn.BatchNorm2d | FrozenBatchNorm2d)]


def close(one, other):
    return (one - other).abs().max() <= TOLERANCE * one.abs().max()


@pytest.mark.parametrize("make", [mini_resnet, lambda: mobilenet_v3_small(num_classes=5)])
def test_a_classifier_answers_the_same_without_normalizations(make):
    network = make_network(with_statistics(make()), "classification")
    before = {name: value.clone() for name, value in network.module.state_dict().items()}
    quick = fast(network)
    assert norms(quick.module) == []
    assert [n for n, _ in quick.module.named_modules()] == [
        n for n, _ in network.module.named_modules()
    ]
    images = torch.rand(2, 3, 72, 72)
    with torch.no_grad():
        assert close(network.module(images), quick.module(images))
    assert all(torch.equal(v, before[n]) for n, v in network.module.state_dict().items())
    assert norms(network.module)
    assert hook_count(network.module) == hook_count(quick.module) == 0


def test_a_convolution_by_hand():
    conv, norm = nn.Conv2d(1, 1, 1, bias=False), nn.BatchNorm2d(1, eps=0.0)
    conv.weight.data.fill_(3.0)
    norm.running_mean.fill_(1.0)
    norm.running_var.fill_(4.0)
    norm.weight.data.fill_(2.0)
    norm.bias.data.fill_(5.0)
    found = folded(nn.Sequential(conv, norm).eval(), torch.rand(1, 1, 4, 4))
    # 2 (3 x - 1) / sqrt(4) + 5
    assert found[0].weight.item() == pytest.approx(3)
    assert found[0].bias.item() == pytest.approx(4)
    assert isinstance(found[1], nn.Identity)


def test_detectors_find_the_same():
    torch.manual_seed(0)
    yolo = with_statistics(lite_yolo_v1(4, side=64, width=16))
    other = with_statistics(
        fasterrcnn_mobilenet_v3_large_320_fpn(
            weights=None, weights_backbone=None, num_classes=4, box_score_thresh=0.0
        )
    )
    yolo.score_thresh = 0.0
    image = torch.rand(3, 96, 128)
    for module in (yolo, other):
        network = make_network(module, "detection")
        quick = fast(network)
        assert norms(quick.module) == []
        with torch.no_grad():
            wanted, found = network.module([image])[0], quick.module([image])[0]
        assert len(found["scores"]) == len(wanted["scores"]) > 0
        assert close(wanted["scores"], found["scores"])


class Odd(nn.Module):
    """One convolution is used twice, the output of another one by two layers."""

    def __init__(self):
        super().__init__()
        self.twice = nn.Conv2d(3, 3, 1)
        self.one, self.two = nn.BatchNorm2d(3), nn.BatchNorm2d(3)
        self.shared = nn.Conv2d(3, 3, 1)
        self.norm, self.act = nn.BatchNorm2d(3), nn.ReLU()
        self.plain = nn.Conv2d(3, 3, 1)
        self.last = nn.BatchNorm2d(3)

    def forward(self, x):
        x = self.one(self.twice(x)) + self.two(self.twice(x))
        y = self.shared(x)
        return self.last(self.plain(self.norm(y) + self.act(y)))


def test_only_what_surely_belongs_together_is_folded():
    module = with_statistics(Odd())
    x = torch.rand(2, 3, 5, 5)
    found = folded(module, x)
    kept = {name for name, m in found.named_modules() if isinstance(m, nn.BatchNorm2d)}
    assert kept == {"one", "two", "norm"}
    with torch.no_grad():
        assert close(module(x), found(x))


class Hidden(nn.Module):
    """What comes between the layers no layer shows."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)

    def forward(self, x):
        y = self.conv(x)
        before = y.mean()
        return self.norm(y) + before


def test_a_network_that_would_change_keeps_its_normalizations():
    class Chain(nn.Sequential):
        pass

    module = with_statistics(Chain(Hidden(), nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)))
    x = torch.rand(2, 3, 5, 5)
    found = folded(module, x)
    assert len(norms(found)) == 2
    with torch.no_grad():
        assert torch.equal(module(x), found(x))


def test_a_detector_at_half_its_size_is_that_detector_with_a_smaller_transform():
    torch.manual_seed(0)
    network = toy_network("detection")
    sizes = network.module.transform.min_size
    half = at_share(network, 0.5)
    photo = [torch.rand(3, 96, 128)]
    with torch.no_grad():
        whole = network.module(photo)[0]
        found = half.module(photo)[0]
        assert network.module.transform.min_size == sizes
        network.module.transform.min_size = tuple(round(side / 2) for side in sizes)
        expected = network.module(photo)[0]
        network.module.transform.min_size = sizes
        assert torch.equal(network.module(photo)[0]["boxes"], whole["boxes"])
    assert torch.equal(found["boxes"], expected["boxes"])
    assert torch.equal(found["scores"], expected["scores"])
    shared = dict(network.module.named_parameters())
    assert all(value is shared[name] for name, value in half.module.named_parameters())


def test_what_is_shown_at_a_share_of_its_size():
    plain = make_network(nn.Conv2d(3, 2, 1), "segmentation", preprocess=Preprocess(resize=200))
    assert at_share(plain, 1.0) is plain
    assert at_share(plain, 0.4).preprocess.resize == 80
    assert at_share(plain, 0.01).preprocess.resize == LEAST_SIDE
    cropped = make_network(
        nn.Conv2d(3, 2, 1), "classification", preprocess=Preprocess(resize=80, crop=64)
    )
    assert at_share(cropped, 0.5) is cropped
    fixed = make_network(lite_yolo_v1(num_classes=3), "detection")
    assert at_share(fixed, 0.5) is fixed
