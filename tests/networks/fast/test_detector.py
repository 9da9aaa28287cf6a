from collections import OrderedDict

import pytest
import torch
from torch import nn
from torchvision.models.detection import fasterrcnn_mobilenet_v3_large_320_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.transform import GeneralizedRCNNTransform
from torchvision.ops import MultiScaleRoIAlign, roi_align

from explorer.networks.embedded import lite_fasterrcnn
from explorer.networks.embedded.lite_rcnn import AlignedRoIAlign
from explorer.networks.fast import detector as fast_detector
from explorer.networks.fast.detector import (
    MOST_SIZES,
    KeptAnchors,
    ProductRoIAlign,
    ResizeFirst,
    hasten,
    pooled,
)
from explorer.networks.fast.folding import at_share, fast
from tests.toys import make_network


def random_boxes(count, width, height, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low, sides = torch.rand(2, count, 2, generator=generator)
    size = torch.tensor([width, height])
    return torch.cat([low * size, low * size + 1 + sides * size], dim=1)


def test_pooling_a_ramp_by_hand():
    ramp = torch.arange(8.0).expand(1, 1, 4, 8)
    # One point in the middle of each bin; cells are two pixels wide.
    found = pooled(ramp, torch.tensor([[2.0, 2, 10, 6]]), 0.5, (1, 2), 1)
    assert found.tolist() == [[[[2.0, 4.0]]]]


@pytest.mark.parametrize("ratio", [1, 2, 3])
@pytest.mark.parametrize("bins", [(7, 7), (2, 5)])
def test_pooling_as_torchvision_does(ratio, bins):
    values = torch.randn(1, 5, 9, 13, generator=torch.Generator().manual_seed(1))
    # Beyond the border, empty, and outside the map too.
    odd = torch.tensor([[-30.0, -9, 50, 40], [40, 40, 40, 40], [300, 300, 310, 320]])
    boxes = torch.cat([random_boxes(200, 100, 70), odd])
    rois = torch.cat([torch.zeros(len(boxes), 1), boxes], dim=1)
    wanted = roi_align(values, rois, bins, 1 / 8, ratio)
    assert torch.allclose(pooled(values, boxes, 1 / 8, bins, ratio), wanted, atol=1e-5)
    aligned = roi_align(values, rois, bins, 1 / 8, ratio, aligned=True)
    assert not torch.allclose(aligned, wanted, atol=1e-2)
    found = pooled(values, boxes, 1 / 8, bins, ratio, aligned=True)
    assert torch.allclose(found, aligned, atol=1e-5)


def pyramid(images=1):
    generator = torch.Generator().manual_seed(2)
    return OrderedDict(
        (name, torch.randn(images, 6, 160 // stride, 224 // stride, generator=generator))
        for name, stride in (("0", 8), ("1", 16), ("pool", 32))
    )


@pytest.mark.parametrize("kind", [MultiScaleRoIAlign, AlignedRoIAlign])
@pytest.mark.parametrize("names", [["0"], ["0", "1"]])
def test_pooling_from_a_pyramid(names, kind):
    plain, quick = (kind(names, 7, 2, canonical_scale=96) for _ in range(2))
    hasten(nn.ModuleList([quick]))
    assert isinstance(quick, ProductRoIAlign)
    maps, boxes, shapes = pyramid(), [random_boxes(60, 150, 120)], [(160, 213)]
    wanted = plain(maps, boxes, shapes)
    for _ in range(2):  # torchvision's own learns the scales first
        assert torch.allclose(quick(maps, boxes, shapes), wanted, atol=1e-5)


def test_what_products_cannot_do_is_left_to_torchvision(monkeypatch):
    monkeypatch.setattr(fast_detector, "pooled", None)  # it would fail
    two = MultiScaleRoIAlign(["0", "1"], 7, 2, canonical_scale=96)
    free = MultiScaleRoIAlign(["0", "1"], 7, -1, canonical_scale=96)
    hasten(nn.ModuleList([two, free]))
    boxes = random_boxes(9, 150, 120)
    for _ in range(2):
        assert two(pyramid(2), [boxes, boxes], [(160, 213)] * 2).shape == (18, 6, 7, 7)
        assert free(pyramid(), [boxes], [(160, 213)]).shape == (9, 6, 7, 7)
        double = {name: values.double() for name, values in pyramid().items()}
        assert two(double, [boxes.double()], [(160, 213)]).dtype == torch.float64
    monkeypatch.setattr(fast_detector, "MOST_PRODUCTS", 10)
    assert two(pyramid(), [boxes], [(160, 213)]).shape == (9, 6, 7, 7)


def test_anchors_are_made_once_for_every_size():
    generator = AnchorGenerator(((16,), (32,)), ((0.5, 1.0),) * 2)
    kept, calls = KeptAnchors(generator), []
    generator.register_forward_hook(lambda *_: calls.append(1))

    def asked(width, of):
        images = ImageList(torch.zeros(1, 3, 64, width), [(60, width)])
        return of(images, [torch.zeros(1, 4, 8, width // 8), torch.zeros(1, 4, 4, width // 16)])

    for _ in range(3):
        (found,) = asked(64, kept)
    assert len(calls) == 1
    assert torch.equal(found, asked(64, generator)[0])
    assert torch.equal(asked(96, kept)[0], asked(96, generator)[0])
    before = len(calls)
    for number in range(MOST_SIZES):
        asked(128 + 32 * number, kept)
    assert len(calls) == before + MOST_SIZES
    asked(64, kept)
    assert len(calls) == before + MOST_SIZES + 1  # the oldest had to go


def test_resizing_first_changes_nothing_but_the_order():
    image = torch.rand(3, 96, 130, generator=torch.Generator().manual_seed(3))
    plain = GeneralizedRCNNTransform(48, 96, [0.4, 0.5, 0.6], [0.2, 0.3, 0.4])
    plain.eval()
    wanted, _ = plain([image])
    hasten(nn.ModuleList([plain]))
    assert type(plain) is ResizeFirst
    found, _ = plain([image])
    assert found.image_sizes == wanted.image_sizes
    assert torch.allclose(found.tensors, wanted.tensors, atol=1e-5)


def lite():
    """With statistics of some pictures in its normalizations, else all its boxes are alike."""
    model = lite_fasterrcnn(4, short_side=96, long_side=160, score=0.0)
    model.backbone.train()
    with torch.no_grad():
        for _ in range(20):
            model.backbone(torch.randn(2, 3, 96, 160))
    return model


@pytest.mark.parametrize(
    "make",
    [
        lite,
        lambda: fasterrcnn_mobilenet_v3_large_320_fpn(
            weights=None, weights_backbone=None, num_classes=4, box_score_thresh=0.0
        ),
    ],
)
@pytest.mark.parametrize("share", [1.0, 0.5])
def test_a_whole_detector_answers_the_same(make, share):
    torch.manual_seed(0)
    network = make_network(make().eval(), "detection")
    quick = fast(network)
    image = torch.rand(3, 120, 170)
    with torch.no_grad():
        for _ in range(2):
            wanted = at_share(network, share).module([image])[0]
            found = at_share(quick, share).module([image])[0]
            assert len(wanted["scores"]) > 0
            assert torch.equal(wanted["labels"], found["labels"])
            assert torch.allclose(wanted["scores"], found["scores"], atol=1e-4)
            assert torch.allclose(wanted["boxes"], found["boxes"], atol=0.02)
