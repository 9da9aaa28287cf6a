"""The dense part on its own, and the network in which something else does its work."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from explorer.networks.embedded import lite_yolo_v1, lite_yolo_v2
from explorer.networks.embedded.resnet import mini_resnet
from explorer.networks.fast.convolution import PackedConv2d, pack
from explorer.networks.fast.dense import DensePart, Flat, alone, built, dense_part
from explorer.networks.hooks import tensors_in
from tests.toy_detectors import tiny_detector
from tests.toys import MeanClassifier, tiny_mask_rcnn

PRIORS = ((1.0, 1.0), (3.0, 2.0))


def network(kind: str) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        made: nn.Module
        match kind:
            case "yolo v1":
                made = lite_yolo_v1(4, side=64, width=16)
            case "yolo v2":
                made = lite_yolo_v2(4, priors=PRIORS, side=64, width=16)
            case "whole":
                made = mini_resnet(5)
            case "masks":
                made = tiny_mask_rcnn()
            case _:
                return tiny_detector(kind)
    return made.eval()


KINDS = ("rcnn", "masks", "retinanet", "fcos", "ssd", "yolo v1", "yolo v2", "whole")


class ByTorch:
    """Computes a part as ONNX Runtime would: a flat list of tensors for images."""

    def __init__(self, part: DensePart) -> None:
        self.poll: nn.Module = nn.Identity()
        self.flat = Flat(part)
        self.calls = 0

    def __call__(self, images: Tensor) -> Any:
        self.calls += 1
        found = self.flat(images)
        return built(self.flat.form, found)


@pytest.mark.parametrize("kind", KINDS)
@torch.no_grad()
def test_the_part_does_all_that_it_takes_the_place_of(kind: str) -> None:
    module = network(kind)
    batched = kind == "whole"
    values = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    shown: Any = values if batched else list(values)
    expected = tensors_in(module(shown))
    part = dense_part(module, batched=batched)
    assert part is not None
    images = part.images(module, shown)
    compute = ByTorch(alone(part))
    other = part.replaced(module, compute)
    # Layers of the original that ran would be seen: they are not the copy's.
    seen: list[str] = []
    body = [m for name, m in part.named_modules() if isinstance(m, nn.Conv2d)]
    handles = [m.register_forward_hook(lambda *_: seen.append("conv")) for m in body]
    found = tensors_in(other(shown))
    for handle in handles:
        handle.remove()
    assert compute.calls == 1
    assert not seen
    assert len(found) == len(expected) > 0
    assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
    assert compute.flat(images)[0].is_floating_point()


def test_maps_of_a_single_stage_detector_are_not_computed_numbers() -> None:
    part = dense_part(network("ssd"), batched=False)
    assert part is not None
    flat = Flat(part)
    with torch.no_grad():
        outputs = flat(torch.rand(1, 3, 64, 64))
    assert len(outputs) == 2  # offsets and classes; the maps are known by their shapes
    maps, _ = built(flat.form, outputs)
    assert maps["0"].shape == (1, 512, 8, 8)


def test_unknown_networks_have_no_dense_part() -> None:
    assert dense_part(MeanClassifier(), batched=True) is None
    assert dense_part(nn.Identity(), batched=False) is None


def test_a_copy_for_export_has_plain_layers_of_its_own() -> None:
    module = network("retinanet")
    pack(module)
    part = dense_part(module, batched=False)
    assert part is not None
    own = alone(part)
    assert not any(isinstance(layer, PackedConv2d) for layer in own.modules())
    assert not {id(p) for p in own.parameters()} & {id(p) for p in part.parameters()}
