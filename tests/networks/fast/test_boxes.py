from unittest.mock import patch

import pytest
import torch
from torchvision.models.detection import ssdlite320_mobilenet_v3_large
from torchvision.models.detection.ssd import SSD

from explorer.networks.fast import boxes as fast_boxes
from explorer.networks.fast.boxes import best_boxes, best_boxes_of


@pytest.fixture(scope="module")
def ssd():
    torch.manual_seed(0)
    return ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=7).eval()


def head_outputs(images, anchors, spread):
    """Logits between those of a network that knows nothing and of one that is sure."""
    generator = torch.Generator().manual_seed(1)
    return {
        "bbox_regression": 0.3 * torch.randn(images, anchors, 4, generator=generator),
        "cls_logits": spread * torch.randn(images, anchors, 7, generator=generator),
    }


@pytest.mark.parametrize("spread", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("thresh", [0.001, 0.5])
def test_the_same_boxes_as_class_by_class(ssd, spread, thresh):
    generator = torch.Generator().manual_seed(2)
    low, sides = torch.rand(2, 600, 2, generator=generator)
    anchors = torch.cat([250 * low, 250 * low + 10 + 60 * sides], dim=1)
    given = head_outputs(2, 600, spread)
    with patch.object(ssd, "score_thresh", thresh):
        wanted = SSD.postprocess_detections(ssd, given, [anchors] * 2, [(320, 320)] * 2)
        found = fast_boxes.postprocess_detections(ssd, given, [anchors] * 2, [(320, 320)] * 2)
    for one, other in zip(wanted, found, strict=True):
        # So unsure a network finds nothing above a half.
        assert bool(len(one["scores"])) == (spread > 0.1 or thresh < 0.5)
        for name, values in one.items():
            assert torch.equal(values, other[name])


def test_boxes_by_hand():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 0, 10, 9], [50, 50, 60, 60], [0, 0, 10, 8]])
    scores = torch.tensor([[0.1, 0.6, 0.3], [0.1, 0.8, 0.1], [0.9, 0.05, 0.05], [0.3, 0.0, 0.7]])
    found = best_boxes(boxes, scores, score_thresh=0.2, nms_thresh=0.5, per_class=5, most=9)
    # 1 of class 1 drops box 0 of class 1; 3 of class 2 drops box 0 of class 2.
    assert found["labels"].tolist() == [1, 2]
    assert found["boxes"].tolist() == [[0, 0, 10, 9], [0, 0, 10, 8]]
    assert found["scores"].tolist() == pytest.approx([0.8, 0.7])
    one = best_boxes(boxes, scores, score_thresh=0.2, nms_thresh=1.0, per_class=1, most=9)
    assert one["scores"].tolist() == pytest.approx([0.8, 0.7])
    none = best_boxes(boxes, scores, score_thresh=0.95, nms_thresh=0.5, per_class=5, most=9)
    assert none["boxes"].shape == (0, 4)


def test_half_precision_keeps_classes_apart():
    generator = torch.Generator().manual_seed(3)
    low, sides = torch.rand(2, 300, 2, generator=generator)
    boxes = torch.cat([300 * low, 300 * low + 4 + 20 * sides], dim=1).bfloat16()
    scores = torch.rand(300, 91, generator=generator).bfloat16()
    wanted = {"score_thresh": 0.0, "nms_thresh": 0.5, "per_class": 50, "most": 200}
    found = best_boxes(boxes, scores, **wanted)
    same = best_boxes(boxes.float(), scores.float(), **wanted)
    assert torch.equal(found["scores"].float(), same["scores"])
    assert found["boxes"].dtype == torch.bfloat16


def test_more_candidates_are_asked_for_and_then_the_network_itself(ssd):
    # 40 boxes in one place, each a little worse than the one before, and one elsewhere.
    boxes = torch.tensor([[0.0, 0, 10, 10]] * 40 + [[50, 50, 60, 60]])
    certain = torch.linspace(0.9, 0.5, 41)
    scores = torch.stack([1 - certain, certain], dim=1)
    wanted = {"score_thresh": 0.1, "nms_thresh": 0.5, "per_class": 100, "most": 2}
    with patch.object(fast_boxes, "CANDIDATES", (10, 41)):
        assert best_boxes(boxes, scores, **wanted)["boxes"].tolist() == [
            [0, 0, 10, 10],
            [50, 50, 60, 60],
        ]
    with patch.object(fast_boxes, "CANDIDATES", (10, 20)):
        assert best_boxes(boxes, scores, **wanted) is None
        given = head_outputs(1, 41, 0.1)
        anchors = boxes + torch.tensor([0.0, 0, 1, 1])
        expected = SSD.postprocess_detections(ssd, given, [anchors], [(320, 320)])
        with patch.object(ssd, "detections_per_img", 400):
            found = fast_boxes.postprocess_detections(ssd, given, [anchors], [(320, 320)])
        assert torch.equal(expected[0]["boxes"], found[0]["boxes"])


def test_only_last_steps_that_are_torchvisions_are_replaced(ssd):
    class Own(SSD):
        def postprocess_detections(self, *args):
            return []

    own = Own.__new__(Own)
    torch.nn.Module.__init__(own)
    best_boxes_of(own)
    assert own.postprocess_detections() == []
    other = torch.nn.ReLU()
    best_boxes_of(other)
    assert "postprocess_detections" not in vars(other)
    best_boxes_of(ssd)
    image = torch.rand(3, 320, 320)
    with torch.no_grad():
        quick = ssd([image])[0]
        del ssd.postprocess_detections
        plain = ssd([image])[0]
    assert torch.equal(quick["scores"], plain["scores"])
