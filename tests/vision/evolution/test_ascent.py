"""The ascent on a classifier whose gradient is known, and the classifier itself."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Preprocess
from explorer.vision.evolution.ascent import Ascent
from explorer.vision.features.classifier import Classifier
from tests.toys import FixedSegmenter, MeanClassifier, make_network, toy_network


def classifier(module: nn.Module | None = None) -> Classifier:
    return Classifier.of(make_network(module or MeanClassifier(), "classification"))


def begun(judge: Classifier, **options: float) -> Ascent:
    generator = torch.Generator().manual_seed(0)
    return Ascent.begin(judge, 2, (12, 16), generator, **options)


def test_the_probability_rises_in_the_channel_of_the_class() -> None:
    ascent = begun(classifier(), step=0.02, decay=0.0)
    first = ascent.picture.clone()
    heights = [ascent.advance() for _ in range(12)]
    assert (np.diff(heights) > 0).all()
    change = (ascent.picture - first).mean((0, 2, 3))
    assert change[2] > 0 > change[1], "class 2 is the mean of blue"
    assert float(ascent.picture.min()) >= 0
    assert float(ascent.picture.max()) <= 1


def test_without_a_gradient_the_decay_pulls_to_gray() -> None:
    ascent = begun(classifier(), step=0.0, decay=0.25, noise=0.2)
    first = ascent.picture.clone()
    ascent.advance()
    np.testing.assert_allclose(ascent.picture - 0.5, 0.75 * (first - 0.5), atol=1e-6)


def test_a_step_is_as_long_as_it_says() -> None:
    ascent = begun(classifier(), step=0.01, decay=0.0)
    first = ascent.picture.clone()
    ascent.advance()
    assert float((ascent.picture - first).abs().mean()) == pytest.approx(0.01, rel=1e-4)


def test_what_is_not_finite_changes_nothing() -> None:
    class Broken(MeanClassifier):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return super().forward(x) * torch.nan

    ascent = begun(classifier(Broken()))
    first = ascent.picture.clone()
    ascent.advance()
    assert torch.equal(ascent.picture, first)


def test_logits_are_those_of_the_network() -> None:
    network = toy_network("classification")
    pictures = torch.rand(9, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network.module((pictures - 0.5) / 0.5)
    found = Classifier.of(network).logits(pictures)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    boxes = Classifier.of(toy_network("localization"))
    assert boxes.logits(pictures).shape == (9, 4), "of a localization network, the classes"


def test_scores_over_positions_are_averaged_and_other_outputs_refused() -> None:
    plain = Preprocess(mean=None, std=None)
    segmenter = Classifier.of(make_network(FixedSegmenter(), "segmentation", preprocess=plain))
    red = torch.zeros(1, 3, 4, 4)
    red[:, 0, :2] = 1.0
    np.testing.assert_allclose(segmenter(red), [[0.0, 2.0, 0.0]])
    with pytest.raises(ExplorerError, match="not one score per class"):
        classifier(nn.Flatten(0))(torch.zeros(1, 3, 4, 4))
