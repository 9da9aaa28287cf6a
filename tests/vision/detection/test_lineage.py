"""What is told of a box is what the network did with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from explorer.vision.detection.boxes import decode, iou_matrix
from explorer.vision.detection.lineage import of_anchor, of_detection
from explorer.vision.trace import OneStage, Trace, TwoStage, place_of, traced
from tests.vision.test_trace import module_of, picture

NAMES = ("toy", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssdlite320_mobilenet_v3_large")


def trace_of(name: str) -> Trace:
    module = module_of(name)
    if name == "toy":
        module.rpn._pre_nms_top_n["testing"] = 60
        module.rpn._post_nms_top_n["testing"] = 15
        module.rpn.nms_thresh = 0.4
    return traced(module, picture())


@pytest.fixture(scope="module")
def two() -> TwoStage:
    trace = trace_of("toy")
    assert isinstance(trace, TwoStage)
    return trace


@pytest.mark.parametrize("name", NAMES)
def test_a_detection_is_followed_back_to_its_anchor(name: str) -> None:
    trace = trace_of(name)
    count = len(trace.output[0]["boxes"])
    for number in range(min(3, count)):
        life = of_detection(trace, number)
        assert life.detection == number
        assert life.label == int(trace.output[0]["labels"][number])
        fate = life.second or life.first
        assert (fate.stage, fate.rank) == ("", number + 1)
        box = life.moved if life.box is None else life.box
        own = trace.pyramid.frame.inverse().boxes(box[None])[0]
        wanted = trace.output[0]["boxes"][number].numpy()
        np.testing.assert_allclose(own, wanted, rtol=1e-5, atol=1e-4)
        score = float(trace.output[0]["scores"][number])
        assert life.probabilities is not None
        assert life.probabilities[life.label] == pytest.approx(score, rel=1e-6)
    with pytest.raises(IndexError):
        of_detection(trace, count)


def test_both_steps_are_the_deltas(two: TwoStage) -> None:
    life = of_detection(two, 0)
    assert life.box is not None
    assert life.box_deltas is not None
    height, width = two.pyramid.size
    limits = np.array([width, height, width, height])
    moved = decode(life.deltas[None], life.anchor[None])[0].clip(0, limits)
    np.testing.assert_allclose(moved, life.moved, atol=1e-3)
    box = decode(life.box_deltas[None], life.moved[None], two.roi.weights)[0].clip(0, limits)
    np.testing.assert_allclose(box, life.box, atol=1e-3)
    assert place_of(two.pyramid.levels, life.index) == life.place


def test_every_anchor_has_one_fate_and_the_counts_agree(two: TwoStage) -> None:
    names = [stage.name for stage in two.rpn.filter.stages]
    told = [of_anchor(two, index) for index in range(len(two.pyramid.anchors))]
    ends = two.rpn.filter.ends().tolist()
    for life, end in zip(told, ends, strict=True):
        assert life.first.stage == (names[end] if end < len(names) else "")
        assert (life.proposal is not None) == (life.first.stage == "")
        assert (life.second is None) == (life.proposal is None)
        assert (life.first.killer is None) == (life.first.stage != "nms")
    assert {life.first.stage for life in told} >= {"top_k", "nms", "top_n", ""}
    assert sum(len(life.first.victims) for life in told) == ends.count(names.index("nms"))


def test_why_it_is_not_among_the_best(two: TwoStage) -> None:
    order = two.rpn.scores.argsort(descending=True)
    life = of_anchor(two, int(order[60]))
    assert (life.first.stage, life.first.rank, life.first.among) == ("top_k", 61, 144)
    assert life.first.lowest == float(two.rpn.scores[order[59]])
    assert life.score < life.first.lowest


def test_who_suppressed_it(two: TwoStage) -> None:
    end = [stage.name for stage in two.rpn.filter.stages].index("nms")
    for index in torch.where(two.rpn.filter.ends() == end)[0][:20].tolist():
        life = of_anchor(two, index)
        assert life.first.killer is not None
        assert life.first.killer_score >= life.score
        (overlap,) = iou_matrix(life.first.killer[None], life.moved[None])[0]
        assert life.first.iou == pytest.approx(overlap, abs=1e-6)
        assert overlap > two.rpn.filter.nms.threshold


@pytest.mark.parametrize("name", NAMES[1:])
def test_fates_of_one_shot_detectors(name: str) -> None:
    trace = trace_of(name)
    assert isinstance(trace, OneStage)
    trace_scores = trace.scores
    for stage, end in [("top_k", 1), ("nms", 2), ("top_n", 3)]:
        (ids,) = torch.where(trace.filter.ends() == end)
        if len(ids) == 0:
            continue
        anchor, label = divmod(int(ids[0]), trace.classes)
        life = of_anchor(trace, anchor, label)
        assert life.first.stage == stage
        assert life.score == float(trace_scores[anchor, label])
        assert life.detection is None
        if stage == "top_k":
            assert life.score <= life.first.lowest
            assert life.first.rank > trace.pre_nms or life.score == life.first.lowest
    surest = of_anchor(trace, 0)
    assert surest.label == int(trace_scores[0, 1:].argmax()) + 1


def test_below_the_threshold() -> None:
    module = module_of("toy")
    module.roi_heads.score_thresh = 0.99
    trace = traced(module, picture())
    assert isinstance(trace, TwoStage)
    life = of_anchor(trace, int(trace.rpn.proposal_anchors[0]))
    assert life.second is not None
    assert life.second.stage == "sure"
    assert math.isnan(life.second.lowest)
    assert life.detection is None
    assert life.probabilities is not None
    assert life.probabilities.sum() == pytest.approx(1)
