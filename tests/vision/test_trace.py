"""A trace run to its end is the module's own answer, and its stages are what really happened."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection.rpn import RegionProposalNetwork
from torchvision.ops import box_iou, nms
from torchvision.ops import boxes as box_ops

from explorer.core.errors import Cancelled, ExplorerError
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.networks.embedded import lite_fasterrcnn, lite_maskrcnn, lite_retinanet
from explorer.networks.hooks import captured, interruptible
from explorer.networks.preprocess import Frame
from explorer.vision.detection.roi_head import detect_on, layer_maps, pooled_maps, run_head
from explorer.vision.features.activations import activation
from explorer.vision.trace import (
    Filter,
    Nms,
    OneStage,
    Stage,
    Trace,
    TwoStage,
    place_of,
    traced,
)
from tests.toys import (
    FixedDetector,
    few_proposals,
    hook_count,
    make_network,
    tiny_faster_rcnn,
    toy_image,
)
from tests.toys import toy_network as toy
from tests.views.test_all_detectors import DETECTORS, lower_thresholds, network

EMBEDDED = {
    "lite-fasterrcnn": partial(lite_fasterrcnn, 6, short_side=64, long_side=96),
    "lite-maskrcnn": partial(lite_maskrcnn, 6, short_side=64, long_side=96),
    "lite-retinanet": partial(lite_retinanet, 6),
}
ALL = ["toy", *EMBEDDED, *DETECTORS]


def module_of(name: str) -> nn.Module:
    if name in EMBEDDED:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            module = EMBEDDED[name]()
        lower_thresholds(module)
        return module.eval()
    return tiny_faster_rcnn().eval() if name == "toy" else network(name).module


def picture(height: int = 60, width: int = 80) -> Tensor:
    pixels = torch.from_numpy(np.array(toy_image(height, width).pixels))
    return pixels.permute(2, 0, 1).float() / 255


@torch.no_grad()
def own_answer(module: nn.Module, image: Tensor) -> dict[str, Tensor]:
    (answer,) = module([image])
    return answer


@pytest.mark.parametrize("name", ALL)
def test_the_end_is_the_modules_own_answer(name: str) -> None:
    module = module_of(name)
    image = picture()
    own = own_answer(module, image)
    trace = traced(module, image)
    (found,) = trace.output
    assert found.keys() == own.keys()
    for key, value in own.items():
        assert torch.equal(found[key], value), key
    assert len(own["boxes"]) > 0, "nothing to compare"
    assert not any(value.requires_grad for value in found.values())
    assert hook_count(module) == 0
    assert_the_stages_agree(trace)


def assert_the_stages_agree(trace: Trace) -> None:
    """Every stage is part of the one before, and the last one leads to the detections."""
    for filtered in [trace.filter, *([trace.rpn.filter] if isinstance(trace, TwoStage) else [])]:
        left = torch.arange(filtered.total)
        for stage in filtered.stages:
            assert torch.isin(stage.ids, left).all(), stage.name
            assert len(stage.ids.unique()) == len(stage.ids), stage.name
            left = stage.ids
        ends = filtered.ends()
        assert (ends == len(filtered.stages)).sum() == len(filtered.survivors)
        for number, stage in enumerate(filtered.stages):
            before = filtered.stages[number - 1].ids if number else torch.arange(filtered.total)
            assert (ends == number).sum() == len(before) - len(stage.ids), stage.name
        assert_the_suppressors_are_right(filtered.nms)
    rows, labels = trace.detected
    assert torch.equal(labels, trace.output[0]["labels"])
    if isinstance(trace, TwoStage):
        boxes = trace.roi.boxes[rows, labels]
        scores = trace.roi.probabilities[rows, labels]
        assert torch.equal(trace.roi.proposals, trace.rpn.clipped[trace.rpn.proposal_anchors])
    else:
        boxes, scores = trace.boxes[rows], trace.scores[rows, labels]
    back = trace.pyramid.frame.inverse()
    assert torch.equal(scores, trace.output[0]["scores"])
    own = trace.output[0]["boxes"].numpy()
    np.testing.assert_allclose(back.boxes(boxes.numpy()), own, rtol=1e-5, atol=1e-4)


def assert_the_suppressors_are_right(found: Nms) -> None:
    rows, ious = found.suppressors
    assert torch.equal(torch.where(rows < 0)[0], found.kept.sort().values)
    for row in torch.where(rows >= 0)[0][:200].tolist():
        by = int(rows[row])
        assert found.groups[by] == found.groups[row]
        assert found.scores[by] >= found.scores[row]
        iou = box_iou(found.boxes[by][None], found.boxes[row][None])
        assert ious[row] == iou[0, 0]
        assert iou[0, 0] > found.threshold - 1e-5


@pytest.mark.parametrize("name", ALL)
def test_the_stages_are_what_hooks_see(name: str) -> None:
    module = module_of(name)
    two = hasattr(module, "rpn")
    names = ["transform", "backbone", "rpn", "rpn.head", "rpn.anchor_generator"]
    names += ["roi_heads.box_roi_pool", "roi_heads.box_head", "roi_heads.box_predictor"]
    names = names if two else ["transform", "backbone", "head", "anchor_generator"]
    image = picture()
    with captured(module, names) as seen:
        own_answer(module, image)
    once = {key: records[0] for key, records in seen.items()}
    assert all(len(records) == 1 for records in seen.values())
    trace = traced(module, image)
    assert torch.equal(trace.pyramid.image, once["transform"][0].tensors)
    maps = once["backbone"]
    for own, kept in zip(
        maps.values() if isinstance(maps, dict) else [maps],
        trace.pyramid.features.values(),
        strict=True,
    ):
        assert torch.equal(own, kept)
    if isinstance(trace, OneStage):
        assert torch.equal(trace.logits, once["head"]["cls_logits"][0])
        assert torch.equal(trace.deltas, once["head"]["bbox_regression"][0])
        assert torch.equal(trace.pyramid.anchors, once["anchor_generator"][0])
        return
    (proposals,), _ = once["rpn"]
    assert torch.equal(trace.rpn.proposals, proposals)
    assert torch.equal(trace.pyramid.anchors, once["rpn.anchor_generator"][0])
    assert torch.equal(trace.roi.pooled, once["roi_heads.box_roi_pool"])
    assert torch.equal(trace.roi.vectors, once["roi_heads.box_head"])
    assert torch.equal(trace.roi.logits, once["roi_heads.box_predictor"][0])
    logits, deltas = once["rpn.head"]
    for level, own_logits, own_deltas in zip(trace.pyramid.levels, logits, deltas, strict=True):
        index = level.index(level.rows - 1, 0, level.per_cell - 1)
        assert trace.rpn.objectness[index] == own_logits[0, -1, -1, 0]
        assert torch.equal(trace.rpn.deltas[index], own_deltas[0, -4:, -1, 0])


@pytest.mark.parametrize("name", ALL)
def test_what_goes_into_each_suppression(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Boxes, scores and groups as the network itself hands them over, and what it gets back."""
    module = module_of(name)
    real, seen = box_ops.batched_nms, []

    def spy(*arguments: Any) -> Tensor:
        kept = real(*arguments)
        seen.append((*arguments, kept))
        return kept

    with monkeypatch.context() as patch:
        patch.setattr(box_ops, "batched_nms", spy)
        own_answer(module, picture())
    trace = traced(module, picture())
    filters = [trace.filter.nms]
    if isinstance(trace, TwoStage):
        filters = [trace.rpn.filter.nms, trace.filter.nms]
    assert len(seen) == len(filters)
    for (boxes, scores, groups, threshold, kept), found in zip(seen, filters, strict=True):
        assert len(boxes) > 0, "nothing to compare"
        assert torch.equal(found.boxes, boxes)
        assert torch.equal(found.scores, scores)
        assert torch.equal(found.groups, groups)
        assert found.threshold == threshold
        assert torch.equal(found.kept, kept)


def test_an_anchor_and_its_place_are_one() -> None:
    trace = traced(module_of("toy"), picture())
    (level,) = trace.pyramid.levels
    assert (level.rows, level.columns, level.per_cell, level.stride) == (4, 6, 6, (16, 16))
    assert level.count == len(trace.pyramid.anchors) == 144
    for index in (0, 7, 143):
        number, row, column, prior = place_of(trace.pyramid.levels, index)
        assert (number, level.index(row, column, prior)) == (0, index)
    # torchvision centers the anchors of a cell on its upper left corner
    x0, y0, x1, y1 = trace.pyramid.anchors[level.index(2, 3, 1)].tolist()
    assert ((x0 + x1) / 2, (y0 + y1) / 2) == (48, 32)
    assert (x1 - x0, y1 - y0) == level.shapes[1]
    assert level.cell_at(63.9, 32.0) == (2, 3)
    assert level.cell_box(2, 3) == (48, 32, 64, 48)
    assert level.cell_at(-0.1, 5) is None
    assert level.cell_at(5, 64) is None
    with pytest.raises(IndexError):
        place_of(trace.pyramid.levels, 144)


@pytest.mark.parametrize(
    "name", ["retinanet_resnet50_fpn", pytest.param("ssd300_vgg16", marks=pytest.mark.slow)]
)
def test_levels_hold_all_anchors(name: str) -> None:
    trace = traced(module_of(name), picture())
    levels = trace.pyramid.levels
    assert sum(level.count for level in levels) == len(trace.pyramid.anchors)
    for number, level in enumerate(levels):
        row, column, prior = level.rows - 1, level.columns // 2, level.per_cell - 1
        index = level.index(row, column, prior)
        assert place_of(levels, index) == (number, row, column, prior)
        x0, y0, x1, y1 = trace.pyramid.anchors[index].tolist()
        assert (x1 - x0, y1 - y0) == pytest.approx(level.shapes[prior], rel=1e-4)
        half = 0.5 if name.startswith("ssd") else 0.0
        assert (x0 + x1) / 2 == pytest.approx((column + half) * level.stride[0], rel=1e-4)


def test_suppression_by_hand() -> None:
    boxes = torch.tensor(
        [[0.0, 0, 10, 10], [0, 0, 10, 9], [0, 0, 10, 6], [50, 50, 60, 60], [0, 0, 10, 10]]
    )
    scores = torch.tensor([0.5, 0.9, 0.4, 0.3, 0.2])
    groups = torch.tensor([0, 0, 0, 0, 1])
    kept = torch.tensor([1, 3, 4])
    assert torch.equal(nms(boxes[:4], scores[:4], 0.5), kept[:2])
    found = Nms(torch.tensor([10, 11, 12, 13, 14]), boxes, scores, groups, 0.5, kept, 2)
    assert found.suppressors.rows.tolist() == [1, -1, 1, -1, -1]
    assert found.suppressors.ious.tolist() == pytest.approx([0.9, 0, 60 / 90, 0, 0])
    stages = (Stage("nms", found.ids[kept]), Stage("top_n", found.ids[found.top]))
    filtered = Filter(20, stages, found)
    assert filtered.suppressor(10) == (11, pytest.approx(0.9))
    assert filtered.suppressor(11) is None
    assert filtered.suppressor(3) is None
    assert filtered.suppressed(11).tolist() == [10, 12]
    assert filtered.suppressed(3).tolist() == []
    assert [filtered.end(i) for i in (10, 14, 13)] == ["nms", "top_n", ""]
    assert filtered.ends()[[10, 14, 13, 0]].tolist() == [0, 1, 2, 0]


def test_the_rest_of_a_level_waits_outside_the_top_k() -> None:
    module = tiny_faster_rcnn().eval()
    few_proposals(module, before=10, after=3)
    trace = traced(module, picture())
    assert isinstance(trace, TwoStage)
    counts = [len(stage.ids) for stage in trace.rpn.filter.stages]
    assert counts[0] == 10
    assert counts[-1] == len(trace.roi.proposals) <= 3
    lowest = trace.rpn.scores[trace.rpn.filter.after("top_k")].min()
    assert (trace.rpn.scores >= lowest).sum() == 10
    own = own_answer(module, picture())
    assert torch.equal(trace.output[0]["boxes"], own["boxes"])


def test_a_head_that_starts_in_place_does_not_spoil_the_crops() -> None:
    module = tiny_faster_rcnn().eval()
    module.roi_heads.box_head = nn.Sequential(nn.ReLU(inplace=True), module.roi_heads.box_head)
    image = picture()
    own = own_answer(module, image)
    with captured(module, ["roi_heads.box_roi_pool"]) as seen:
        own_answer(module, image)
    trace = traced(module, image)
    assert isinstance(trace, TwoStage)
    assert (trace.roi.pooled < 0).any()
    assert torch.equal(trace.roi.pooled, seen["roi_heads.box_roi_pool"][0])
    assert torch.equal(trace.output[0]["boxes"], own["boxes"])


def test_pooling_levels_follow_the_size_of_the_proposal() -> None:
    trace = traced(module_of("fasterrcnn_resnet50_fpn"), picture())
    assert isinstance(trace, TwoStage)
    sides = trace.roi.proposals[:, 2:] - trace.roi.proposals[:, :2]
    wanted = torch.floor(4 + torch.log2(sides.prod(1).sqrt() / 224) + 1e-6).clamp(2, 5) - 2
    assert torch.equal(trace.roi.levels, wanted.long())
    single = traced(module_of("toy"), picture())
    assert isinstance(single, TwoStage)
    assert (single.roi.levels == 0).all()


def test_nothing_found() -> None:
    for name in ("toy", "ssdlite320_mobilenet_v3_large", "fcos_resnet50_fpn"):
        module = module_of(name)
        getattr(module, "roi_heads", module).score_thresh = 2.0
        trace = traced(module, picture())
        assert len(trace.output[0]["boxes"]) == 0
        assert len(trace.filter.nms.suppressors.rows) == 0
        assert trace.filter.suppressed(0).tolist() == []


class OtherProposals(RegionProposalNetwork):
    """Filters its proposals in a way of its own."""

    def filter_proposals(self, *arguments: Any) -> Any:
        return super().filter_proposals(*arguments)


def test_the_head_of_a_plain_module_on_a_box() -> None:
    """On a proposal it says what the forward pass said, without a scene."""
    module = tiny_faster_rcnn().eval()
    trace = traced(module, torch.rand(3, 48, 96))
    assert isinstance(trace, TwoStage)
    found = run_head(module, trace, trace.rpn.proposals[0].numpy())
    np.testing.assert_allclose(found.probabilities, trace.roi.probabilities[0], atol=1e-5)
    np.testing.assert_allclose(found.boxes, trace.roi.boxes[0], atol=1e-3)
    own = detect_on(module, trace, trace.rpn.proposals.numpy())
    np.testing.assert_allclose(own.xyxy, trace.output[0]["boxes"], atol=1e-3)
    np.testing.assert_allclose(own.scores, trace.output[0]["scores"], atol=1e-5)
    np.testing.assert_array_equal(own.labels, trace.output[0]["labels"])
    maps = pooled_maps(trace)
    assert (maps.names, maps.scales, maps.size) == (("0",), ((1 / 16, 1 / 16),), (3, 3))
    alone = layer_maps(activation(module, [torch.rand(3, 48, 96)], "backbone"), "backbone", Frame())
    assert alone.scales == maps.scales
    one_stage = traced(network("ssdlite320_mobilenet_v3_large").module, torch.rand(3, 32, 32))
    with pytest.raises(ExplorerError, match="no RoI pooling"):
        pooled_maps(one_stage)


def test_what_cannot_be_followed_is_refused() -> None:
    with pytest.raises(ExplorerError, match="cannot be traced"):
        traced(FixedDetector({}), picture())
    module = tiny_faster_rcnn().eval()
    module.rpn.__class__ = OtherProposals
    with pytest.raises(ExplorerError, match="works differently"):
        traced(module, picture())


def test_a_scene_keeps_one_trace_in_the_photos_frame() -> None:
    scene = Scene(toy("detection"), toy_image(48, 96))
    trace = trace_of(scene)
    assert trace_of(scene) is trace
    assert scene.output() is trace.output
    # 48 x 96 is at most 96 long: the transform leaves it alone
    assert trace.pyramid.size == (48, 96)
    assert trace.pyramid.frame == Frame(1.0, 1.0)


def test_a_broken_answer_is_refused() -> None:
    scene = Scene(toy("detection"), toy_image())
    scene.network.module.roi_heads.box_predictor.cls_score.bias.data[1] = torch.nan
    with pytest.raises(ExplorerError, match="not finite"):
        trace_of(scene)


@pytest.mark.parametrize("allowed", [0, 3, 10])
def test_a_trace_can_be_cancelled(allowed: int) -> None:
    module = make_network(tiny_faster_rcnn(), "detection").module
    asked = iter(range(1000))
    with (
        pytest.raises(Cancelled),
        interruptible(module, lambda: next(asked) >= allowed),
    ):
        traced(module, picture())
    assert hook_count(module) == 0
