"""Shared proposals: the mean of equal heads is one head's output, on all proposals."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from explorer.vision.refinement.ensemble import Member, over_shared_proposals
from explorer.vision.refinement.passes import run_pass
from tests.toys import make_network, tiny_faster_rcnn, toy_image

PIXELS = toy_image(48, 64).pixels
CLASSES = ("bg", "a", "b", "c", "d")


def member(labels: tuple[int, ...] = (0, 1, 2, 3, 4), shift: float = 0.0) -> Member:
    module = tiny_faster_rcnn()
    predictor: nn.Module = module.roi_heads.box_predictor
    with torch.no_grad():
        predictor.cls_score.bias += torch.tensor([0, shift, 0, 0, 0])
    return Member(make_network(module, "detection", classes=CLASSES), np.array(labels, np.int64))


def test_two_equal_members_give_every_box_twice() -> None:
    found = over_shared_proposals([member(), member()], PIXELS)
    own = run_pass(member().network, PIXELS).candidates
    assert len(found) == 2 * len(own) > 0
    np.testing.assert_allclose(found.scores[::2], own.scores, rtol=1e-5)
    np.testing.assert_allclose(found.scores[1::2], own.scores, rtol=1e-5)


def test_scores_are_means_over_the_members_that_have_the_class() -> None:
    alone = over_shared_proposals([member()], PIXELS)
    without = over_shared_proposals([member(), member((0, -1, 2, 3, 4), shift=5.0)], PIXELS)
    both = over_shared_proposals([member(), member(shift=5.0)], PIXELS)
    best = [found.scores[found.labels == 1].max() for found in (alone, without, both)]
    np.testing.assert_allclose(best[1], best[0], rtol=1e-5)
    assert best[2] > best[0], "the second head has a higher score for this class"
