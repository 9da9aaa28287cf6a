"""A decoder with all its parts is the network; what the parts add makes up the sum."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models import segmentation
from torchvision.models.segmentation import (
    deeplabv3_mobilenet_v3_large,
    fcn_resnet50,
    lraspp_mobilenet_v3_large,
)

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.networks import catalog
from explorer.networks.embedded.segmentation.decoders import lite_unet
from explorer.networks.embedded.segmentation.deeplab import lite_deeplab
from explorer.networks.embedded.segmentation.fcn import lite_fcn
from explorer.networks.embedded.segmentation.frrn import lite_frrn
from explorer.networks.embedded.segmentation.parts import enlarged
from explorer.networks.embedded.segmentation.pspnet import lite_pspnet
from explorer.vision.dense import decoders
from tests.steps import finish
from tests.toys import FixedSegmenter

SIZE = (72, 104)
"""No multiples of 32: the maps are rounded up and cut."""


def torchvisions() -> nn.Module:
    return deeplabv3_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5)


CASES = [
    pytest.param(decoders.fcn, lambda: lite_fcn(5), 3, id="fcn"),
    pytest.param(decoders.atrous, lambda: lite_deeplab(5), 5, id="deeplab"),
    pytest.param(decoders.atrous, torchvisions, 5, id="torchvision"),
    pytest.param(decoders.pyramid, lambda: lite_pspnet(5), 5, id="pspnet"),
    pytest.param(decoders.skips, lambda: lite_unet(5), 5, id="unet"),
    pytest.param(decoders.stream, lambda: lite_frrn(5), 6, id="frrn"),
]


def seeded(make) -> nn.Module:
    """Random weights, with statistics and scales that are not all 0 and 1."""
    with torch.random.fork_rng():
        torch.manual_seed(5)
        module = make().eval()
        for layer in module.modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.running_mean.normal_(0, 0.1)
                layer.weight.data.uniform_(0.5, 1.5)
                layer.bias.data.normal_(0, 0.3)
    return module


def picture() -> Tensor:
    return torch.randn((1, 3, *SIZE), generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize(("method", "make", "count"), CASES)
def test_with_all_parts_it_is_the_network(method, make, count: int) -> None:
    module, images = seeded(make), picture()
    decoder = method(module, images)
    assert len(decoder.parts) == count
    with torch.no_grad():
        own = module(images)["out"][0]
    assert torch.equal(decoder.own, own)
    for off in range(count):
        without = decoder.scores([part for part in range(count) if part != off])
        assert without.shape == own.shape
        assert not torch.equal(without, own), decoder.parts[off].name


def test_an_fcns_stages_are_its_own_outputs() -> None:
    module, images = seeded(lambda: lite_fcn(5)), picture()
    decoder = decoders.fcn(module, images)
    with torch.no_grad():
        own = module(images)
    assert torch.equal(decoder.scores([0]), own["out32"][0])
    assert torch.equal(decoder.scores([0, 1]), own["out16"][0])
    skipped = decoder.scores([0, 2])
    assert not torch.equal(skipped, own["out"][0])


def test_what_branches_add_is_the_next_convolution() -> None:
    module, images = seeded(lambda: lite_deeplab(5)), picture()
    found = []
    handle = module.aspp.project[0].register_forward_hook(lambda *args: found.append(args[2]))
    with torch.no_grad():
        module(images)
    handle.remove()
    parts = decoders.atrous(module, images).parts
    total = torch.stack([part.adds for part in parts]).sum(0)
    torch.testing.assert_close(total, found[0][0], rtol=1e-4, atol=1e-5)
    assert [part.rate for part in parts] == [0, 3, 6, 9, 0]
    assert [part.name for part in parts][::4] == ["1 x 1", "image mean"]


def test_what_bins_add_is_the_next_convolution() -> None:
    module, images = seeded(lambda: lite_pspnet(5)), picture()
    found = []
    handle = module.fuse[0].register_forward_hook(lambda *args: found.append(args[2]))
    with torch.no_grad():
        module(images)
    handle.remove()
    parts = decoders.pyramid(module, images).parts
    total = torch.stack([part.adds for part in parts]).sum(0)
    torch.testing.assert_close(total, found[0][0], rtol=1e-4, atol=1e-5)
    assert [part.bins for part in parts] == [0, 1, 2, 3, 6]


def test_what_units_add_is_the_streams_growth() -> None:
    module, images = seeded(lambda: lite_frrn(5)), picture()
    found = []
    handle = module.units[-1].register_forward_hook(lambda *args: found.append(args[2][1]))
    with torch.no_grad():
        module(images)
    handle.remove()
    total = torch.zeros(1, *found[0].shape[1:])
    for part in decoders.stream(module, images).parts:
        total = total + nn.functional.interpolate(part.adds[None], SIZE)
    torch.testing.assert_close(total, found[0], rtol=1e-4, atol=1e-5)


def test_the_strides_of_a_unet() -> None:
    parts = decoders.skips(seeded(lambda: lite_unet(5)), picture()).parts
    assert [part.name for part in parts] == [
        "stride 32, from below", "stride 16, skip", "stride 8, skip", "stride 4, skip",
        "stride 2, skip",
    ]  # fmt: skip
    assert [part.adds.shape[1] for part in parts[1:]] == [4, 9, 18, 36]


@pytest.mark.parametrize(
    "make",
    [
        lambda: lite_fcn(5), lambda: lite_deeplab(5), lambda: lite_unet(5), torchvisions,
        lambda: fcn_resnet50(weights=None, weights_backbone=None, num_classes=5),
        lambda: lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=5),
        FixedSegmenter,
    ],
)  # fmt: skip
def test_coarse_scores_enlarged_are_the_output(make) -> None:
    module, images = seeded(make), picture()
    with torch.no_grad():
        own = module(images)["out"]
    found = decoders.coarse_scores(module, images)
    assert torch.equal(enlarged(found, images) if found.shape != own.shape else found, own)


def all_parts(decoder: decoders.Decoder) -> Tensor:
    return decoder.scores(range(len(decoder.parts)))


BUILDERS = (
    "fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101",
    "deeplabv3_mobilenet_v3_large", "lraspp_mobilenet_v3_large",
)  # fmt: skip
"""All of torchvision's."""

SHIPPED = {
    "lite-fcn": decoders.fcn,
    "lite-deeplab": decoders.atrous,
    "lite-pspnet": decoders.pyramid,
    "lite-unet": decoders.skips,
    "lite-frrn": decoders.stream,
    "lite-deconvnet": None,
    "mini-segnet": None,
}
"""With the decoder that is opened part by part; None = its scores only."""


@pytest.mark.slow
@pytest.mark.parametrize("name", BUILDERS)
def test_stages_of_every_torchvision_network_end_in_its_output(name: str) -> None:
    build = getattr(segmentation, name)
    module = seeded(lambda: build(weights=None, weights_backbone=None, num_classes=5))
    images = picture()
    with torch.no_grad():
        own = module(images)["out"]
    found = decoders.coarse_scores(module, images)
    assert torch.equal(enlarged(found, images) if found.shape != own.shape else found, own)
    if name.startswith("deeplab"):
        assert torch.equal(all_parts(decoders.atrous(module, images)), own[0])


@pytest.mark.slow
@pytest.mark.parametrize(("name", "method"), SHIPPED.items())
def test_stages_of_every_network_that_ships_end_in_its_output(name: str, method) -> None:
    network, _ = finish(catalog.load(NetworkSpec(name, device="cpu")))
    images = picture()
    with torch.no_grad():
        own = network.module(images)["out"]
    found = decoders.coarse_scores(network.module, images)
    assert torch.equal(enlarged(found, images) if found.shape != own.shape else found, own)
    if method is not None:
        assert torch.equal(all_parts(method(network.module, images)), own[0])


@pytest.mark.parametrize("method", [case.values[0] for case in CASES])
def test_another_network_is_refused_in_a_sentence(method) -> None:
    with pytest.raises(ExplorerError, match="This network has no"):
        method(FixedSegmenter(), picture())
