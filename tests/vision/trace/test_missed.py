"""Detections are made to disappear by one limit: that limit is named, and proved."""

from __future__ import annotations

from collections import Counter
from contextlib import ExitStack
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.annotations.coco import read_coco
from explorer.core.network_info import NetworkSpec
from explorer.engine.scene import Scene
from explorer.engine.stages import trace_of
from explorer.images.image import open_image
from explorer.networks import catalog
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.trace import again, traced
from explorer.vision.trace.missed import (
    Limit,
    answers,
    changed,
    detections_of,
    limits_of,
    why_missed,
)
from explorer.vision.trace.replay import Replay
from tests.data import shared_data
from tests.steps import finish
from tests.toys import few_proposals, toy_image, toy_network
from tests.views.test_all_detectors import DETECTORS, network


def toy() -> tuple[Any, Tensor]:
    module: Any = toy_network("detection").module
    few_proposals(module, before=60, after=30)
    module.roi_heads.score_thresh = 0.0
    module.roi_heads.detections_per_img = 50
    image = torch.from_numpy(toy_image(60, 80).pixels.copy()).permute(2, 0, 1).float() / 255
    return module, image


def asked(module: nn.Module, image: Tensor, box: Tensor, label: int, score: float, iou=0.5):
    return why_missed(module, traced(module, image), box, label, score=score, iou=iou)


TIGHT = {"top_n": 3, "nms": 0.3, "pre_nms": 20, "rpn_pre_nms": 30, "rpn_top_n": 12, "rpn_nms": 0.5}


@pytest.mark.parametrize("name", DETECTORS)
def test_again_and_a_replay_are_the_network_s_own_answer(name: str) -> None:
    """As it is, and with each limit changed; the second stage on other boxes rounds otherwise."""
    module = network(name).module
    trace = traced(module, torch.rand(3, 60, 80, generator=torch.Generator().manual_seed(1)))
    replay, own = Replay(module, trace), limits_of(module)
    for found in (again(module, trace), replay):
        theirs = found.detections() if isinstance(found, Replay) else detections_of(found)
        for one, other in zip(detections_of(trace), theirs, strict=True):
            assert torch.equal(one, other)
    for key in TIGHT.keys() & own:
        with changed(module, Limit(key, own[key], TIGHT[key])):
            ours, theirs = replay.detections(), detections_of(again(module, trace))
        assert torch.equal(ours[2], theirs[2]), key
        for one, other in zip(ours[:2], theirs[:2], strict=True):
            torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)


def test_a_replay_runs_the_second_stage_on_new_anchors_alone() -> None:
    module, image = toy()
    trace: Any = traced(module, image)
    sizes: list[int] = []
    module.roi_heads.box_head.register_forward_hook(lambda _m, _i, out: sizes.append(len(out)))
    replay = Replay(module, trace)
    known = trace.rpn.proposal_anchors[:4]
    (new,) = np.setdiff1d(np.arange(60), trace.rpn.proposal_anchors.numpy())[:1].tolist()
    probabilities, boxes = replay.refined(torch.tensor([*known.tolist(), new]))
    assert torch.equal(probabilities[:4], trace.roi.probabilities[:4])
    assert torch.equal(boxes[:4], trace.roi.boxes[:4])
    again_probabilities, _ = replay.refined(torch.tensor([new]))
    assert torch.equal(again_probabilities[0], probabilities[4])
    assert sizes == [1]


def test_the_stage_is_known_before_the_limit() -> None:
    module, image = toy()
    trace = traced(module, image)
    boxes, scores, labels = detections_of(trace)
    least = float(scores[0]) + 0.05
    first, last = answers(module, trace, boxes[0], int(labels[0]), score=least, iou=0.95)
    assert (first.reason, first.best) == (last.reason, last.best)
    assert (first.proved, first.after) == (False, None)
    assert [limit.key for limit in first.limits] == ["score"]
    assert last.proved
    assert last.after is not None


def test_what_is_detected_was_found() -> None:
    module, image = toy()
    boxes, scores, labels = detections_of(traced(module, image))
    found = asked(module, image, boxes[0], int(labels[0]), float(scores[0]) - 1e-4)
    assert (found.reason, found.detection, found.limits) == ("found", 0, ())


def test_a_score_below_the_threshold() -> None:
    module, image = toy()
    boxes, scores, labels = detections_of(traced(module, image))
    least = float(scores[0]) + 0.05
    found = asked(module, image, boxes[0], int(labels[0]), least, 0.95)
    assert found.reason == "class score"
    (limit,) = found.limits
    assert (limit.key, limit.now) == ("score", least)
    assert float(scores[0]) - 0.01 < limit.needed <= float(scores[0])


@pytest.mark.parametrize(
    ("key", "value", "stage"),
    [("top_n", 1, "top_n"), ("rpn_top_n", 1, "top_n"), ("nms", 0.0, "nms")],
)
def test_one_limit_is_named_and_brings_it_back(key: str, value: float, stage: str) -> None:
    module, image = toy()
    trace = traced(module, image)
    boxes, scores, labels = detections_of(trace)
    least = float(scores.min()) / 2
    own = limits_of(module)[key]
    lost = 0
    for row in range(1, len(boxes)):
        with changed(module, Limit(key, own, value)):
            found = asked(module, image, boxes[row], int(labels[row]), least, 0.9)
            if found.reason == "found":
                continue
            lost += 1
            assert found.reason == "filter"
            assert found.limits, "nothing brings it back"
            if len(found.limits) == 1 and found.limits[0].key == key:
                assert (found.stage, found.first) == (stage, key.startswith("rpn"))
                needed = found.limits[0]
                # just enough: with the limit itself the object is there, with less it is not
                with changed(module, needed):
                    kept = asked(module, image, boxes[row], int(labels[row]), least, 0.9)
                    assert kept.reason == "found"
                assert value < needed.needed <= own * 10
                return
    raise AssertionError(f"no detection was lost by {key} alone ({lost} by all)")


def test_limits_are_put_back_after_failure() -> None:
    module, _ = toy()
    before = limits_of(module)
    for key, now in before.items():
        with pytest.raises(RuntimeError), changed(module, Limit(key, now, 0.0)):
            raise RuntimeError
    assert limits_of(module) == before


def test_nothing_of_the_network_comes_near() -> None:
    module, image = toy()
    tiny = torch.tensor([0.0, 0.0, 0.5, 0.5])
    found = asked(module, image, tiny, 1, 0.5)
    assert found.reason in ("no anchor", "no box")
    assert found.fits.best_anchor < 0.2
    assert found.limits == ()


FALSE_NEGATIVES = 50
STAGES = {"top_k": "pre_nms", "min_score": "score", "nms": "nms", "top_n": "top_n"}
OPEN = {"nms": 0.99, "top_n": 10_000, "rpn_top_n": 3000, "rpn_nms": 0.9}
"""Limits at which the filters drop hardly anything."""


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_the_stage_of_fifty_false_negatives_is_the_true_one() -> None:
    """The network itself, with that limit alone changed, finds the object; without it, it does not.

    A low class score stays one with all filters open, and where no box fits none of them has one.
    """
    root = shared_data("coco-mini")
    if root is None:
        pytest.skip("the shared test data are not here")
    network, _ = finish(catalog.load(NetworkSpec("lite-fasterrcnn", device="cpu")))
    module, least = network.module, 0.5
    names = [name.lower() for name in network.info.classes]
    named: Counter[str] = Counter()
    together = 0
    for photo in read_coco(root / "instances.json").photos:
        scene = Scene(network, open_image(photo.path))
        for own in (b for b in photo.boxes if b.counts and b.label.lower() in names):
            if named.total() == FALSE_NEGATIVES:
                break
            trace, image = trace_of(scene), scene.input()[0]
            label = names.index(own.label.lower())
            box = np.array([[own.x0, own.y0, own.x1, own.y1]], np.float32)
            inner = torch.from_numpy(np.asarray(trace.pyramid.frame.boxes(box)))[0]
            answer = why_missed(module, trace, inner, label, score=least)
            if answer.reason == "found":
                continue

            def found(
                *limits: Limit, image: Tensor = image, label: int = label, scene: Scene = scene,
                box: np.ndarray = box,
            ) -> bool:  # fmt: skip
                score = min([least, *(limit.needed for limit in limits if limit.key == "score")])
                with ExitStack() as stack, torch.no_grad():
                    for limit in limits:
                        stack.enter_context(changed(module, limit))
                    (result,) = module([image])
                own = (result["labels"] == label) & (result["scores"] >= score)
                boxes = scene.frame.inverse().boxes(result["boxes"][own].numpy())
                return bool((iou_matrix(box, np.asarray(boxes, np.float32)) >= 0.5).any())

            assert not found()
            now = limits_of(module)
            rest = [Limit(key, now[key], value) for key, value in OPEN.items()]
            keys = [limit.key for limit in answer.limits]
            if keys:
                assert found(*answer.limits)
            if len(keys) > 1:
                assert not any(found(limit) for limit in answer.limits)
            if answer.reason == "class score":
                assert not found(*rest), "another stage lost it as well"
            elif answer.reason == "filter":
                stage = ("rpn_" if answer.first else "") + STAGES[answer.stage]
                assert stage in keys, "the limit of another stage brings it back"
                assert len(keys) <= 2
                together += len(keys) == 2
            else:
                assert not keys
                assert not found(*rest, Limit("score", now["score"], 0.0))
            named[answer.reason] += 1
    print(named, "lost by two stages:", together)
    assert named.total() == FALSE_NEGATIVES
    assert named["filter"] > together
