"""Passes over a resized or mirrored photo give what the network gives there, moved back exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.transform import GeneralizedRCNNTransform

from explorer.networks.network import Network
from explorer.vision.detection.roi_head import run_head
from explorer.vision.refinement.passes import mirrored, run_pass
from explorer.vision.refinement.voting import suppressed
from explorer.vision.trace import TwoStage, traced
from tests.toy_detectors import tiny_detector
from tests.toys import FixedDetector, make_network, tiny_faster_rcnn, toy_image, toy_yolo_network

PIXELS = toy_image(48, 64).pixels


class Corner(nn.Module):
    """Always the same box, in pixels of the image that its own transform makes."""

    def __init__(self) -> None:
        super().__init__()
        self.transform = GeneralizedRCNNTransform(64, 96, [0.0] * 3, [1.0] * 3)
        self.score_thresh = 0.0

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        batch, _ = self.transform(images)
        found = {
            "boxes": torch.tensor([[8.0, 4.0, 24.0, 20.0]]),
            "labels": torch.tensor([1]),
            "scores": torch.tensor([0.75]),
        }
        sizes = [(int(image.shape[-2]), int(image.shape[-1])) for image in images]
        answer: Any = self.transform.postprocess([found], batch.image_sizes, sizes)
        return answer


def network_of(module: nn.Module) -> Network:
    return make_network(module, "detection", classes=("bg", "a", "b", "c", "d"))


@pytest.mark.parametrize(
    ("scale", "expected"),
    [
        (0.75, (8, 4, 24, 20)),  # short side 48: the photo's own size
        (1.5, (4, 2, 12, 10)),  # short side 96: twice as large
        (3.0, (2, 1, 6, 5)),
    ],
)
def test_boxes_of_another_size_are_moved_back(scale: float, expected: tuple[int, ...]) -> None:
    network = network_of(Corner())
    ran = run_pass(network, PIXELS, scale=scale)
    assert ran.found.xyxy.tolist() == [list(expected)]
    assert ran.candidates.xyxy.tolist() == [list(expected)]
    flipped = run_pass(network, PIXELS, scale=scale, flip=True)
    x0, y0, x1, y1 = expected
    assert flipped.found.xyxy.tolist() == [[64 - x1, y0, 64 - x0, y1]]
    transform: Any = network.module.transform
    assert (transform.min_size, transform.max_size) == ((64,), 96), "the network is not changed"


def test_a_detector_that_does_not_resize_is_given_a_larger_photo() -> None:
    box = {
        "boxes": torch.tensor([[8.0, 4.0, 24.0, 20.0]]), "labels": torch.tensor([1]),
        "scores": torch.tensor([0.5]),
    }  # fmt: skip
    ran = run_pass(network_of(FixedDetector(box)), PIXELS, scale=2.0)
    assert ran.found.xyxy.tolist() == [[4, 2, 12, 10]]
    assert ran.size == (96, 128)
    assert (ran.nms, ran.most) == (None, None)


def test_the_plain_pass_is_the_networks_own() -> None:
    network = network_of(tiny_faster_rcnn())
    with torch.no_grad():
        (own,) = network.module([network.preprocess(PIXELS)[0]])
    ran = run_pass(network, PIXELS)
    np.testing.assert_array_equal(ran.found.xyxy, own["boxes"].numpy())
    np.testing.assert_array_equal(ran.found.scores, own["scores"].numpy())
    assert ran.nms is not None
    assert ran.most is not None
    kept = suppressed(ran.candidates, ran.nms, ran.most)
    np.testing.assert_allclose(kept.xyxy, own["boxes"].numpy(), atol=1e-4)
    np.testing.assert_array_equal(kept.labels, own["labels"].numpy())
    np.testing.assert_array_equal(kept.scores, own["scores"].numpy())


def test_a_scale_is_that_of_a_network_made_for_it() -> None:
    larger = network_of(tiny_faster_rcnn(min_size=96, max_size=144))
    ran = run_pass(network_of(tiny_faster_rcnn(min_size=64, max_size=96)), PIXELS, scale=1.5)
    other = run_pass(larger, PIXELS)
    assert ran.size == other.size == (96, 128)
    np.testing.assert_array_equal(ran.found.xyxy, other.found.xyxy)
    np.testing.assert_array_equal(ran.found.scores, other.found.scores)


def test_a_flip_is_the_output_for_the_mirrored_photo() -> None:
    network = network_of(tiny_faster_rcnn())
    with torch.no_grad():
        (own,) = network.module([network.preprocess(PIXELS[:, ::-1])[0]])
    ran = run_pass(network, PIXELS, flip=True)
    x0, y0, x1, y1 = own["boxes"].numpy().T
    np.testing.assert_allclose(ran.found.xyxy, np.stack([64 - x1, y0, 64 - x0, y1], 1), atol=1e-5)
    np.testing.assert_array_equal(ran.found.scores, own["scores"].numpy())
    np.testing.assert_array_equal(ran.found.labels, own["labels"].numpy())
    plain = run_pass(network, PIXELS)
    assert not np.array_equal(plain.found.scores, ran.found.scores), "this network is not symmetric"


def test_mirroring_twice_is_nothing() -> None:
    boxes = np.array([[1, 2, 30, 40], [0, 0, 64, 48]], np.float32)
    np.testing.assert_array_equal(mirrored(boxes, 64.0)[0], [34, 2, 63, 40])
    np.testing.assert_array_equal(mirrored(mirrored(boxes, 64.0), 64.0), boxes)


def test_boxes_are_regressed_again_by_the_head_itself() -> None:
    network = network_of(tiny_faster_rcnn())
    module: Any = network.module
    module.roi_heads.score_thresh = 0.2
    ran = run_pass(network, PIXELS, rounds=2)
    assert len(ran.again) == 2
    trace = traced(module, network.preprocess(PIXELS)[0], network.preprocess.frame(48, 64))
    assert isinstance(trace, TwoStage)
    nms, expected = trace.filter.nms, []
    for box, label in zip(nms.boxes.numpy(), nms.groups.tolist(), strict=True):
        one = run_head(module, trace, box)
        if one.probabilities[label] > 0.2:
            expected.append((one.probabilities[label], label, *one.boxes[label]))
    assert expected
    expected.sort(key=lambda row: -row[0])
    first = ran.again[0]
    assert first.labels.tolist() == [row[1] for row in expected]
    np.testing.assert_allclose(first.scores, [row[0] for row in expected], rtol=1e-5)
    np.testing.assert_allclose(first.xyxy, [row[2:] for row in expected], atol=1e-3)


@pytest.mark.parametrize("kind", ["retinanet", "fcos", "ssd"])
def test_single_stage_detectors_have_candidates_and_no_second_stage(kind: str) -> None:
    network = network_of(tiny_detector(kind))
    ran = run_pass(network, PIXELS, rounds=1)
    assert ran.again == ()
    assert ran.nms is not None
    assert len(ran.candidates) >= len(ran.found) > 0
    larger = run_pass(network, PIXELS, scale=2.0)
    assert max(larger.size) == 2 * max(ran.size)


@pytest.mark.parametrize("version", [1, 2])
def test_the_yolos_too(version: int) -> None:
    network = toy_yolo_network(version)
    ran = run_pass(network, PIXELS)
    with torch.no_grad():
        (own,) = network.module([network.preprocess(PIXELS)[0]])
    np.testing.assert_array_equal(ran.found.scores, own["scores"].numpy())
    assert len(ran.candidates) >= len(ran.found)
    run_pass(network, PIXELS, scale=2.0, flip=True)
