"""What is told of a box is what the network did with it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from explorer.vision.detection.boxes import decode, iou_matrix
from explorer.vision.trace import OneStage, Trace, TwoStage, place_of, traced
from explorer.vision.trace.lineage import of_anchor, of_detection
from tests.toys import few_proposals
from tests.vision.test_trace import module_of, picture

NAMES = ("toy", "retinanet_resnet50_fpn", "fcos_resnet50_fpn", "ssdlite320_mobilenet_v3_large")


def trace_of(name: str) -> Trace:
    module = module_of(name)
    if name == "toy":
        few_proposals(module, before=60, after=15, overlap=0.4)
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
        lineage = of_detection(trace, number)
        assert lineage.detection == number
        assert lineage.label == int(trace.output[0]["labels"][number])
        outcome = lineage.second or lineage.first
        assert (outcome.stage, outcome.rank) == ("", number + 1)
        box = lineage.moved if lineage.box is None else lineage.box
        own = trace.pyramid.frame.inverse().boxes(box[None])[0]
        wanted = trace.output[0]["boxes"][number].numpy()
        np.testing.assert_allclose(own, wanted, rtol=1e-5, atol=1e-4)
        score = float(trace.output[0]["scores"][number])
        assert lineage.probabilities is not None
        assert lineage.probabilities[lineage.label] == pytest.approx(score, rel=1e-6)
    with pytest.raises(IndexError):
        of_detection(trace, count)


def test_both_steps_are_the_deltas(two: TwoStage) -> None:
    lineage = of_detection(two, 0)
    assert lineage.box is not None
    assert lineage.box_deltas is not None
    height, width = two.pyramid.size
    limits = np.array([width, height, width, height])
    moved = decode(lineage.deltas[None], lineage.anchor[None])[0].clip(0, limits)
    np.testing.assert_allclose(moved, lineage.moved, atol=1e-3)
    box = decode(lineage.box_deltas[None], lineage.moved[None], two.roi.weights)[0].clip(0, limits)
    np.testing.assert_allclose(box, lineage.box, atol=1e-3)
    assert place_of(two.pyramid.levels, lineage.index) == lineage.place


def test_every_anchor_has_one_fate_and_the_counts_agree(two: TwoStage) -> None:
    names = [stage.name for stage in two.rpn.filter.stages]
    told = [of_anchor(two, index) for index in range(len(two.pyramid.anchors))]
    ends = two.rpn.filter.ends().tolist()
    for lineage, end in zip(told, ends, strict=True):
        assert lineage.first.stage == (names[end] if end < len(names) else "")
        assert (lineage.proposal is not None) == (lineage.first.stage == "")
        assert (lineage.second is None) == (lineage.proposal is None)
        assert (lineage.first.suppressor is None) == (lineage.first.stage != "nms")
    assert {lineage.first.stage for lineage in told} >= {"top_k", "nms", "top_n", ""}
    assert sum(len(lineage.first.suppressed) for lineage in told) == ends.count(names.index("nms"))


def test_why_it_is_not_among_the_best(two: TwoStage) -> None:
    order = two.rpn.scores.argsort(descending=True)
    lineage = of_anchor(two, int(order[60]))
    assert (lineage.first.stage, lineage.first.rank, lineage.first.among) == ("top_k", 61, 144)
    assert lineage.first.lowest == float(two.rpn.scores[order[59]])
    assert lineage.score < lineage.first.lowest


def test_who_suppressed_it(two: TwoStage) -> None:
    end = [stage.name for stage in two.rpn.filter.stages].index("nms")
    for index in torch.where(two.rpn.filter.ends() == end)[0][:20].tolist():
        lineage = of_anchor(two, index)
        assert lineage.first.suppressor is not None
        assert lineage.first.suppressor_score >= lineage.score
        (overlap,) = iou_matrix(lineage.first.suppressor[None], lineage.moved[None])[0]
        assert lineage.first.iou == pytest.approx(overlap, abs=1e-6)
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
        lineage = of_anchor(trace, anchor, label)
        assert lineage.first.stage == stage
        assert lineage.score == float(trace_scores[anchor, label])
        assert lineage.detection is None
        if stage == "top_k":
            assert lineage.score <= lineage.first.lowest
            assert lineage.first.rank > trace.pre_nms or lineage.score == lineage.first.lowest
    traced = of_anchor(trace, 0)
    assert traced.label == int(trace_scores[0, 1:].argmax()) + 1


def test_below_the_threshold() -> None:
    module = module_of("toy")
    module.roi_heads.score_thresh = 0.99
    trace = traced(module, picture())
    assert isinstance(trace, TwoStage)
    lineage = of_anchor(trace, int(trace.rpn.proposal_anchors[0]))
    assert lineage.second is not None
    assert lineage.second.stage == "min_score"
    assert math.isnan(lineage.second.lowest)
    assert lineage.detection is None
    assert lineage.probabilities is not None
    assert lineage.probabilities.sum() == pytest.approx(1)
