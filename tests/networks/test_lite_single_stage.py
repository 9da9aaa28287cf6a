import pytest
import torch

from explorer.networks.embedded.lite_rcnn import lite_fasterrcnn
from explorer.networks.embedded.lite_single_stage import SSD_SIDE, lite_retinanet, lite_ssd
from explorer.vision.trace import traced


def test_retinanet_has_the_anchors_and_the_pyramid_of_the_detector():
    model, detector = lite_retinanet(5).eval(), lite_fasterrcnn(5)
    assert model.anchor_generator.sizes == detector.rpn.anchor_generator.sizes
    own, theirs = model.backbone.state_dict(), detector.backbone.state_dict()
    assert {k: v.shape for k, v in own.items()} == {k: v.shape for k, v in theirs.items()}
    heads = model.head.classification_head, model.head.regression_head
    assert [len(head.conv) for head in heads] == [2, 2]
    # 3x3 convolutions of 112 channels without a bias, two numbers per channel to normalize; the
    # last ones have 6 anchors in a cell
    count = sum(p.numel() for p in model.head.parameters())
    assert count == 4 * (9 * 112 * 112 + 2 * 112) + (9 * 112 + 1) * 6 * (5 + 4)


@torch.no_grad()
def test_ssd_looks_at_five_maps():
    model = lite_ssd(5).eval()
    maps = model.backbone(torch.zeros(1, 3, SSD_SIDE, SSD_SIDE))
    sides = [20, 10, 5, 3, 2]
    assert [tuple(x.shape) for x in maps.values()] == [(1, 128, s, s) for s in sides]
    said = model.head(list(maps.values()))
    # 2 square boxes in a cell, and for each of the ratios 2 and 3 a wide and a high one
    boxes = 6 * sum(s * s for s in sides)
    assert said["cls_logits"].shape == (1, boxes, 5)
    assert said["bbox_regression"].shape == (1, boxes, 4)


@pytest.mark.parametrize("make", [lite_retinanet, lite_ssd])
@torch.no_grad()
def test_the_trace_ends_in_the_networks_own_answer(make):
    torch.manual_seed(1)
    model = make(5).eval()
    model.score_thresh = 0.0
    photo = torch.rand(3, 90, 120)
    (answer,) = model([photo])
    (found,) = traced(model, photo).output
    assert len(answer["boxes"]) > 0
    assert all(torch.equal(found[key], value) for key, value in answer.items())
