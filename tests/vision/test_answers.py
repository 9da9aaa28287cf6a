"""From raw answers to scores, boxes and classes: the odd ones are refused in words."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Frame
from explorer.vision.detection.detections import (
    Detections,
    detections_of,
    instance_map,
    score_floor,
)
from explorer.vision.features.classification import logits_of, softmax, tree_masses
from explorer.vision.features.segmentation import scores_of, segmentation_of
from tests.toys import tiny_faster_rcnn


@pytest.mark.parametrize("output", [torch.zeros(2, 5), torch.zeros(5), {}, torch.zeros(1, 0), None])
def test_not_a_classification(output: object) -> None:
    with pytest.raises(ExplorerError, match="not one score per class"):
        logits_of(output)


def test_fully_convolutional_scores_are_averaged() -> None:
    assert logits_of(torch.tensor([[[[1.0, 3.0]], [[0.0, 4.0]]]])).tolist() == [2.0, 2.0]


def test_softmax_survives_large_logits() -> None:
    np.testing.assert_allclose(
        softmax(np.array([1e4, 1e4 - 1], np.float32)), [0.7311, 0.2689], atol=1e-4
    )
    np.testing.assert_allclose(softmax(np.array([1.0, 0.0], np.float32), 0.1).sum(), 1.0, atol=1e-6)


def test_a_word_that_occurs_twice_is_two_nodes() -> None:
    """ "crane" the bird and "crane" the machine: a node is its whole path."""
    paths = [
        ("thing", "animal", "crane"),
        ("thing", "machine", "crane"),
        ("thing", "animal", "cat"),
    ]
    masses = tree_masses(paths, np.array([0.5, 0.3, 0.2], np.float32), 0)
    assert [word for word, _ in masses] == ["thing", "animal", "crane"]
    np.testing.assert_allclose([mass for _, mass in masses], [1.0, 0.7, 0.5], rtol=1e-6)


@pytest.mark.parametrize("output", [[], [{"boxes": torch.zeros(0, 4)}], torch.zeros(1, 5), None])
def test_not_a_detection(output: object) -> None:
    with pytest.raises(ExplorerError, match="boxes, labels and scores"):
        detections_of(output, Frame(), (4, 4))


def test_wrong_shapes_are_named() -> None:
    one = np.zeros((1, 4), np.float32)
    with pytest.raises(ValueError, match=r"scores must be \(1,\), got \(2,\)"):
        Detections(one, np.zeros(1, np.int64), np.zeros(2, np.float32))


def test_score_floor() -> None:
    assert score_floor(tiny_faster_rcnn()) == 0.0
    assert score_floor(torch.nn.Identity()) == 0.0


def test_no_instances() -> None:
    empty = instance_map(np.zeros((0, 3, 4), np.uint8), np.zeros(0, np.intp), 128)
    assert (empty == -1).all()
    assert empty.shape == (3, 4)


def test_coarse_scores_are_enlarged_as_torchvision_does() -> None:
    coarse = torch.randn(1, 4, 5, 6, generator=torch.Generator().manual_seed(0))
    wanted = torch.nn.functional.interpolate(
        coarse, size=(20, 24), mode="bilinear", align_corners=False
    )[0]
    assert torch.equal(scores_of({"out": coarse, "aux": coarse * 0}, (20, 24)), wanted)
    found = segmentation_of(coarse, (20, 24))
    assert torch.equal(torch.from_numpy(found.classes).long(), wanted.argmax(0))
    assert found.probabilities.dtype == np.float16


def test_a_single_score_is_against_a_background() -> None:
    found = segmentation_of(torch.tensor([[[[-1.0, 2.0]]]]), (1, 2))
    assert found.classes.tolist() == [[0, 1]]
    assert found.probabilities[1, 0, 1] == pytest.approx(0.8808, abs=1e-3)


@pytest.mark.parametrize("output", [torch.zeros(1, 5), torch.zeros(2, 5, 4, 4), {}, None])
def test_not_a_segmentation(output: object) -> None:
    with pytest.raises(ExplorerError, match="not scores per class and pixel"):
        scores_of(output, (4, 4))
