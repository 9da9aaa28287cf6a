"""Anchors from a rule against torchvision's own generator."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.image_list import ImageList

from explorer.vision.detection.anchors import AnchorRule
from explorer.vision.trace import place_of

RULES = [
    AnchorRule(),
    AnchorRule(stride=4, levels=5, scale=32, scales=1),
    AnchorRule(stride=8, levels=3, scale=24, scales=3, factor=2 ** (1 / 3), ratios=(0.4, 1, 2.5)),
]


@pytest.mark.parametrize("rule", RULES)
def test_equal_to_torchvisions_generator(rule: AnchorRule) -> None:
    size = (192, 320)
    anchors, levels = rule.stand(size)
    sizes = tuple(
        tuple(rule.scale * 2**level * rule.factor**i for i in range(rule.scales))
        for level in range(rule.levels)
    )
    generator = AnchorGenerator(sizes, (rule.ratios,) * rule.levels)
    maps = [torch.zeros(1, 1, level.rows, level.columns) for level in levels]
    (own,) = generator(ImageList(torch.zeros(1, 3, *size), [size]), maps)
    assert torch.equal(torch.from_numpy(anchors), own)
    assert len(anchors) == rule.count(size)
    assert [level.stride[0] for level in levels] == [rule.stride * 2**i for i in range(rule.levels)]


def test_places_name_their_anchor() -> None:
    anchors, levels = RULES[1].stand((100, 130))
    for index in (0, 7, 2500, len(anchors) - 1):
        number, row, column, prior = place_of(levels, index)
        level = levels[number]
        assert level.index(row, column, prior) == index
        middle = (anchors[index, :2] + anchors[index, 2:]) / 2
        np.testing.assert_allclose(middle, [column * level.stride[0], row * level.stride[1]])
        assert tuple(anchors[index, 2:] - anchors[index, :2]) == level.shapes[prior]


def test_the_pyramid_of_a_faster_rcnn_with_fpn() -> None:
    """torchvision's fasterrcnn_resnet50_fpn on 800 x 1066, padded to 800 x 1088."""
    assert AnchorRule(stride=4, levels=5, scale=32, scales=1).count((800, 1088)) == 217413
