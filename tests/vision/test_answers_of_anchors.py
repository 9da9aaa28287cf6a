"""What each anchor says, for torchvision's detectors and for any module with the one method."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import ssdlite320_mobilenet_v3_large

from explorer.engine.scene import Scene
from explorer.engine.stages import anchor_answers_of
from explorer.networks.hooks import captured
from explorer.networks.preprocess import Frame
from explorer.vision.trace import make_levels
from explorer.vision.trace.answers import anchor_answers, own_suppression
from explorer.vision.trace.parts import AnchorAnswers
from tests.toys import make_network, toy_image, toy_network
from tests.views.test_all_detectors import network


def test_of_a_proposal_network() -> None:
    scene = Scene(toy_network("detection"), toy_image(48, 96))
    with captured(scene.network.module, ["rpn.head.cls_logits"]) as seen:
        found = anchor_answers_of(scene)
    (logits,) = seen["rpn.head.cls_logits"]  # (1, 6, 4, 6): 48 rows are padded to 64
    assert found.meaning == "objectness"
    assert found.labels is None
    assert found.scores[found.levels[0].index(2, 4, 5)] == logits[0, 5, 2, 4].sigmoid()
    assert anchor_answers_of(scene) is found


def test_of_a_single_shot_detector_the_background_does_not_count() -> None:
    scene = Scene(network("ssdlite320_mobilenet_v3_large"), toy_image(60, 80))
    with torch.no_grad(), captured(scene.network.module, ["head"]) as seen:
        found = anchor_answers_of(scene)
    wanted = seen["head"][0]["cls_logits"][0].softmax(-1)[:, 1:].max(1)
    assert torch.equal(found.scores, wanted.values)
    assert found.labels is not None
    assert torch.equal(found.labels, wanted.indices + 1)
    assert found.frame == Frame(320 / 80, 320 / 60)


def test_without_a_scene_frames_begin_at_the_image() -> None:
    torch.manual_seed(0)
    module = ssdlite320_mobilenet_v3_large(weights=None, weights_backbone=None).eval()
    image = torch.rand(3, 60, 80)
    found = anchor_answers(module, [image])
    with torch.no_grad():
        batch, _ = module.transform([image])
        maps = list(module.backbone(batch.tensors).values())
        (anchors,) = module.anchor_generator(batch, maps)
    assert torch.equal(found.anchors, anchors)
    assert found.frame == Frame(320 / 80, 320 / 60)
    assert anchor_answers(module, [image], Frame(0.5, 0.5)).frame == Frame(160 / 80, 160 / 60)
    assert own_suppression(module, [image]) is None


class OneCell(nn.Module):
    """A single anchor in the middle of an input that it halves."""

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        return []

    def anchor_answers(self, images: list[Tensor] | Tensor) -> AnchorAnswers:
        height, width = (side // 2 for side in images[0].shape[-2:])
        anchors = torch.tensor([[4.0, 2.0, 12.0, 10.0]])
        levels = make_levels([("only", 1, 1)], [1], anchors, (height, width))
        return AnchorAnswers(
            Frame(0.5, 0.5), (height, width), levels, anchors, torch.tensor([0.25]), anchors + 1,
            None, "objectness",
        )  # fmt: skip


def test_of_any_module_with_the_method() -> None:
    scene = Scene(make_network(OneCell(), "detection"), toy_image(40, 80))
    found = anchor_answers_of(scene)
    assert found.frame == Frame(0.5, 0.5)
    (level,) = found.levels
    assert level.stride == pytest.approx((40, 20))
    assert level.shapes == ((8.0, 8.0),)
    assert torch.equal(anchor_answers(OneCell(), [torch.zeros(3, 40, 80)]).refined, found.refined)
