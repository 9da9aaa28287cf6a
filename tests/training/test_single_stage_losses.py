import math

import numpy as np
import pytest
import torch
from torch.nn import functional
from torchvision.models.detection._utils import Matcher, SSDMatcher
from torchvision.models.detection.image_list import ImageList
from torchvision.ops import sigmoid_focal_loss

from explorer.networks.embedded.lite_single_stage import lite_retinanet, lite_ssd
from explorer.training.data.canvases import Canvas
from explorer.training.single_stage_losses import (
    BACKGROUND,
    UNKNOWN,
    matches,
    retina_losses,
    ssd_losses,
)

CPU = torch.device("cpu")


def canvas(boxes, labels, ignored=(), size=(64, 64)):
    pixels = np.random.default_rng(3).integers(0, 255, (*size, 3), dtype=np.uint8)
    boxes, ignored = (np.array(b, np.float32).reshape(-1, 4) for b in (boxes, ignored))
    return Canvas(pixels, boxes, np.array(labels, np.int64), ignored)


def test_what_lies_on_an_ignored_region_is_no_background():
    anchors = torch.tensor(
        [[0, 0, 10, 10], [20, 0, 30, 10], [20, 0, 30, 14], [40, 0, 50, 10]], dtype=torch.float32
    )
    one = canvas([[0, 0, 10, 10]], [2], ignored=[[20, 0, 30, 10]])
    nothing = canvas([], [], ignored=[[0, 0, 10, 10]])
    found = matches(Matcher(0.5, 0.4, True), [anchors, anchors], [one, nothing])
    assert found[0].tolist() == [0, UNKNOWN, UNKNOWN, BACKGROUND]
    assert found[1].tolist() == [UNKNOWN, BACKGROUND, BACKGROUND, BACKGROUND]


def test_retinas_losses_by_the_papers_formula():
    torch.manual_seed(0)
    model = lite_retinanet(4)
    with torch.no_grad():
        model.head.classification_head.cls_logits.weight.normal_(std=0.1)
    box = [16 - 11, 24 - 11, 16 + 11, 24 + 11]  # an anchor of the finest map, in its middle
    one = canvas([box], [2], ignored=[[40, 40, 64, 64]])
    found = retina_losses(model.eval(), [one], CPU)
    with torch.no_grad():
        pixels = (torch.from_numpy(one.pixels).permute(2, 0, 1)[None] / 255 - 127 / 255) / (
            128 / 255
        )
        maps = list(model.backbone(pixels).values())
        said = model.head(maps)
        (anchors,) = model.anchor_generator(ImageList(pixels, [(64, 64)]), maps)
    (rows,) = matches(model.proposal_matcher, [anchors], [one])
    positive, counted = rows >= 0, rows != UNKNOWN
    assert positive.sum() >= 1
    assert (rows == UNKNOWN).sum() > 0
    wanted = functional.one_hot(torch.full((len(anchors),), 2), 4) * positive[:, None]
    logits = said["cls_logits"][0]
    focal = sigmoid_focal_loss(logits[counted], wanted[counted].float(), reduction="sum")
    assert found["classification"].item() == pytest.approx(float(focal / positive.sum()), rel=1e-3)


class Fixed(torch.nn.Module):
    """Says the same of every photo."""

    def __init__(self, said):
        super().__init__()
        self.said = said

    def forward(self, *_):
        return self.said


def test_ssds_losses_by_hand():
    model = lite_ssd(3).eval()
    anchors = torch.tensor(
        [[0, 0, 100, 100], [200, 0, 300, 100], [200, 200, 300, 300], [0, 200, 100, 300],
         [100, 100, 200, 200], [220, 220, 320, 320]],
        dtype=torch.float32,
    )  # fmt: skip
    # right about the object; wrong about the second; nobody knows the third; others certain
    logits = torch.zeros(6, 3)
    logits[0, 1] = 2.0
    logits[1, 2] = 4.0
    logits[2, 2] = 9.0
    logits[3:, 0] = torch.tensor([1.0, 2.0, 3.0])
    zeros = torch.zeros(1, len(logits), 4)
    model.head = Fixed({"cls_logits": logits[None], "bbox_regression": zeros})
    model.anchor_generator = Fixed([anchors])
    model.proposal_matcher = SSDMatcher(0.5)
    # The canvas is 160 wide and 80 high: as a square of 320 its boxes are 2 and 4 times as large.
    one = canvas([[0, 0, 50, 25]], [1], ignored=[[100, 50, 150, 75]], size=(80, 160))
    found = ssd_losses(model, [one], CPU)
    own = math.log(math.exp(2) + 2) - 2
    first = math.log(math.exp(4) + 2)
    second, third = (math.log(math.exp(v) + 2) - v for v in (1.0, 2.0))
    assert found["classification"].item() == pytest.approx(own + first + second + third, rel=1e-5)
    assert found["bbox_regression"].item() == 0


@pytest.mark.parametrize(
    ("make", "losses"), [(lite_retinanet, retina_losses), (lite_ssd, ssd_losses)]
)
def test_a_canvas_without_objects_has_losses_too(make, losses):
    found = losses(make(4), [canvas([], []), canvas([], [], ignored=[[0, 0, 64, 64]])], CPU)
    assert all(torch.isfinite(value) for value in found.values())
    assert found["bbox_regression"].item() == 0
