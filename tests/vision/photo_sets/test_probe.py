"""A linear classifier on features, a small network from scratch, features of several layers."""

import numpy as np
import pytest
import torch

from explorer.networks.hooks import captured
from explorer.vision.photo_sets.probe import counts_per_class, drawn, linear_predictions, scratch
from explorer.vision.photo_sets.stages import pooled_features, stage_layers
from tests.toys import hook_count, toy_image, toy_network


def test_what_a_plane_separates_is_separated_whatever_the_scale() -> None:
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1, 2], 8)
    features = (generator.normal(0, 0.2, (24, 5)) + np.eye(3, 5)[labels] * 3).astype(np.float32)
    rows = drawn(labels, 3, generator)
    assert np.bincount(labels[rows]).tolist() == [3, 3, 3]
    for scale in (1e-3, 1.0, 1e4):
        scaled = features * np.float32(scale)
        found = linear_predictions(scaled[rows], labels[rows], scaled)
        np.testing.assert_array_equal(found, labels)


def test_classes_that_are_no_different_are_not_told_apart() -> None:
    generator = np.random.default_rng(1)
    features = generator.normal(size=(200, 4)).astype(np.float32)
    labels = generator.integers(0, 2, 200)
    found = linear_predictions(features[:100], labels[:100], features[100:])
    assert abs((found == labels[100:]).mean() - 0.5) < 0.2


@pytest.mark.parametrize(
    ("fewest", "counts"), [(1, (1,)), (2, (1, 2)), (12, (1, 3, 6, 12)), (20, (1, 3, 6, 12, 20))]
)
def test_counts_end_with_all_photos(fewest: int, counts: tuple[int, ...]) -> None:
    assert counts_per_class(fewest) == counts


def test_the_small_network_learns_two_colors_and_is_the_same_every_time() -> None:
    pictures = torch.zeros(8, 3, 32, 32)
    pictures[:4, 0], pictures[4:, 2] = 1.0, 1.0
    labels = [0] * 4 + [1] * 4
    before = torch.random.get_rng_state()
    runs = [list(scratch(pictures, labels, pictures, seed=1, steps=20)) for _ in range(2)]
    assert torch.equal(before, torch.random.get_rng_state())
    assert [state.step for state in runs[0]] == [10, 20]
    np.testing.assert_array_equal(runs[0][-1].predictions, labels)
    np.testing.assert_array_equal(runs[0][-1].predictions, runs[1][-1].predictions)
    assert runs[0][-1].parameters == 3 * 16 * 9 + 16 * 32 * 9 + 32 * 64 * 9 + 2 * 112 + 65 * 2


def test_features_of_several_layers_are_their_means() -> None:
    network = toy_network("classification")
    layers = stage_layers(network.info, "fc")
    assert layers == ("conv1", "conv2", "pool")
    inputs = [network.preprocess(toy_image(seed=seed).pixels) for seed in range(3)]
    found = pooled_features(network, layers, inputs)
    assert hook_count(network.module) == 0
    with torch.no_grad(), captured(network.module, layers) as records:
        network.module(torch.cat(inputs))
    for layer in layers:
        expected = records[layer][0].flatten(2).mean(2)
        np.testing.assert_allclose(found[layer], expected, atol=1e-6)


def test_a_detector_is_asked_photo_by_photo() -> None:
    network = toy_network("detection")
    layers = stage_layers(network.info)
    found = pooled_features(network, layers, [network.preprocess(toy_image().pixels)])
    assert found
    assert all(len(values) == 1 for values in found.values())
