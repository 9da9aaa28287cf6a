"""The keypoint branch, opened: run to its end it is the network's own output."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.roi_heads import keypointrcnn_inference

from explorer.vision.detection.keypoints import located, maxima, resized, softmax_maps
from explorer.vision.detection.limbs import COCO_KEYPOINTS, keypoint_names, limbs
from explorer.vision.trace import TwoStage, traced
from explorer.vision.trace.keypoint_branch import (
    branch_maps,
    layers_of,
    pooled_regions,
    region_of,
)
from tests.toys import hook_count, toy_keypoint_network
from tests.views.test_all_detectors import network


@pytest.fixture(scope="module", params=["lite", "keypointrcnn_resnet50_fpn"])
def case(request: pytest.FixtureRequest) -> tuple[nn.Module, Tensor, TwoStage]:
    module = (toy_keypoint_network() if request.param == "lite" else network(request.param)).module
    image = torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(2))
    trace = traced(module, image)
    assert isinstance(trace, TwoStage)
    return module, image, trace


@torch.no_grad()
def test_stages_run_to_the_end_are_the_networks_own_output(
    case: tuple[nn.Module, Tensor, TwoStage],
) -> None:
    module, image, trace = case
    (own,) = module([image])
    nms = trace.roi.filter.nms
    boxes = nms.boxes[nms.top]
    assert len(boxes) == len(own["keypoints"]) > 1
    names = layers_of([name for name, _ in module.named_modules()])
    layers, output = branch_maps(module, trace, 1, names)
    assert tuple(layers) == names
    assert layers["roi_heads.keypoint_predictor.kps_score_lowres"].shape == (17, 28, 28)
    assert trace.roi.keypoints is not None
    assert torch.equal(output, trace.roi.keypoints)
    found = [located(maps, box) for maps, box in zip(output, boxes, strict=True)]
    places = torch.stack([person.places for person in found])
    whole = torch.cat([places, torch.ones(*places.shape[:2], 1)], dim=2)
    scores = torch.stack([person.scores for person in found])
    (back,) = module.transform.postprocess(  # type: ignore[operator,union-attr]
        [{"boxes": boxes, "keypoints": whole}], [trace.pyramid.size], [(60, 80)]
    )
    assert torch.equal(back["keypoints"], own["keypoints"])
    assert torch.equal(scores, own["keypoints_scores"])
    assert hook_count(module) == 0


@torch.no_grad()
def test_the_grid_is_what_the_branch_pools(case: tuple[nn.Module, Tensor, TwoStage]) -> None:
    module, _, trace = case
    own = pooled_regions(module, trace)
    for row in (0, len(own) - 1):
        region = region_of(module, trace, row)
        assert region.size == tuple(own.shape[-2:]) == (14, 14)
        for channel in (0, 3):
            ours = region.pooled(channel).values[0]
            np.testing.assert_allclose(ours, own[row, channel].numpy(), atol=1e-5)
        mean = region.pooled().values[0]
        pyramid = own[row, : len(region.values)]  # channels of a finer map may follow
        np.testing.assert_allclose(mean, pyramid.mean(dim=0).numpy(), atol=1e-5)


def test_keypoints_of_a_map_by_hand() -> None:
    """A box of 4 x 2.5 pixels: the map of 2 x 2 places is enlarged to 3 rows of 4 pixels."""
    maps = torch.tensor([[[0.0, 0.0], [0.0, 8.0]]])
    box = torch.tensor([10.0, 20.0, 14.0, 22.5])
    found = located(maps, box)
    assert found.size == (3, 4)
    assert found.pixels.tolist() == [[2, 3]]
    assert found.places.tolist() == [[13.5, pytest.approx(20 + 2.5 * 2.5 / 3)]]
    assert found.scores.tolist() == [float(resized(maps, box).max())]


def test_equal_to_torchvision_on_random_maps() -> None:
    rng = torch.Generator().manual_seed(5)
    maps = torch.randn(4, 17, 56, 56, generator=rng)
    corners = torch.rand(4, 2, generator=rng) * 50
    boxes = torch.cat([corners, corners + torch.tensor([[90.3, 40], [0.2, 7.5], [56, 56], [1, 1]])],
                      dim=1)  # fmt: skip
    (places,), (scores,) = keypointrcnn_inference(maps, [boxes])
    for row in range(4):
        found = located(maps[row], boxes[row])
        assert torch.equal(found.places, places[row, :, :2])
        assert torch.equal(found.scores, scores[row])


def test_softmax_and_maxima() -> None:
    maps = np.array([[[0, np.log(3)], [0, 0]], [[1000, 0], [0, 0]]], np.float32)
    shares = softmax_maps(maps)
    np.testing.assert_allclose(shares[0], [[1 / 6, 0.5], [1 / 6, 1 / 6]], rtol=1e-6)
    np.testing.assert_allclose(shares[1], [[1, 0], [0, 0]])
    assert maxima(maps).tolist() == [[0, 1], [0, 0]]


def test_limbs_by_name() -> None:
    assert len(limbs(COCO_KEYPOINTS)) == 19
    assert limbs(("neck", "left_shoulder", "Head top")).tolist() == [[0, 1], [0, 2]]
    assert limbs(("a", "b")).shape == (0, 2)
    assert keypoint_names((), 17) == COCO_KEYPOINTS
    assert keypoint_names((), 2) == ("keypoint 0", "keypoint 1")
    assert keypoint_names(("tip", "root"), 2) == ("tip", "root")
