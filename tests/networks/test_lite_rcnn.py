"""Faster R-CNN on EfficientNet-Lite0: its parts and its fast form."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torchvision.models.detection import FasterRCNN
from torchvision.ops import MultiScaleRoIAlign, roi_align

from explorer.networks.embedded.lite_rcnn import AlignedRoIAlign, lite_fasterrcnn
from explorer.networks.fast.folding import fast
from tests.toys import make_network


@pytest.fixture(scope="module")
def detector():
    torch.manual_seed(0)
    model = lite_fasterrcnn(4, width=16, hidden=16, short_side=96, long_side=128, score=0.0)
    return model.eval().requires_grad_(False)


def test_it_is_torchvisions_own_class(detector):
    assert type(detector) is FasterRCNN
    assert detector.roi_heads.box_predictor.bbox_pred.out_features == 16


def test_boxes_are_cut_from_the_map_of_their_size_with_the_half_cell_off():
    generator = torch.Generator().manual_seed(1)
    maps = OrderedDict(
        (str(i), torch.randn(2, 3, 128 // stride, 128 // stride, generator=generator))
        for i, stride in enumerate((8, 16, 32))
    )
    small, middle, large = [3.0, 5, 30, 40], [0.0, 0, 80, 90], [1.0, 2, 127, 128]
    boxes = [torch.tensor([middle, small]), torch.tensor([large])]
    pool = AlignedRoIAlign(["0", "1", "2"], 5, 2, canonical_scale=60)
    found = pool(maps, boxes, [(128, 128)] * 2)
    wanted = [
        roi_align(maps[str(level)], torch.tensor([[image, *box]]), 5, scale, 2, aligned=True)
        for image, box, level, scale in (
            (0.0, middle, 1, 1 / 16), (0.0, small, 0, 1 / 8), (1.0, large, 2, 1 / 32),
        )
    ]  # fmt: skip
    assert torch.equal(found, torch.cat(wanted))
    plain = MultiScaleRoIAlign(["0", "1", "2"], 5, 2, canonical_scale=60)
    assert not torch.allclose(plain(maps, boxes, [(128, 128)] * 2), found, atol=1e-2)


@torch.no_grad()
def test_the_fast_form_has_no_normalizations_and_the_same_answer(detector):
    network = make_network(detector, "detection")
    quick = fast(network)
    assert not any("BatchNorm" in type(module).__name__ for module in quick.module.modules())
    image = torch.rand(3, 90, 140, generator=torch.Generator().manual_seed(3))
    wanted, found = detector([image])[0], quick.module([image])[0]
    assert len(wanted["scores"]) == len(found["scores"]) > 0
    assert torch.allclose(wanted["scores"], found["scores"], atol=1e-4)
