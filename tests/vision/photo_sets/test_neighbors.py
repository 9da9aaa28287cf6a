"""Neighbors by the cosine, and the plane and the clusters that they are shown on."""

import numpy as np
import pytest

from explorer.vision.photo_sets.maps import clusters, principal, tsne
from explorer.vision.photo_sets.neighbors import Neighbors


def groups(each: int = 12, channels: int = 20) -> np.ndarray:
    generator = np.random.default_rng(0)
    centers = generator.normal(0, 4, (3, channels))
    return np.concatenate(
        [center + generator.normal(0, 0.3, (each, channels)) for center in centers]
    )


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_the_nearest_have_the_largest_cosine(dtype: type) -> None:
    features = np.random.default_rng(1).normal(size=(200, 16)).astype(dtype)
    query = np.random.default_rng(2).normal(size=16).astype(np.float32)
    given = features.astype(np.float64)
    expected = given @ query / np.linalg.norm(given, axis=1) / np.linalg.norm(query)
    rows, cosines = Neighbors(features).nearest(query, 7)
    np.testing.assert_array_equal(rows, np.argsort(-expected)[:7])
    np.testing.assert_allclose(cosines, np.sort(expected)[::-1][:7], atol=1e-6)


@pytest.mark.parametrize("rank", [3, 200])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_search_in_two_rounds_overlooks_none(dtype: type, rank: int) -> None:
    """With few directions the first round leaves few; with as many as channels it leaves all."""
    generator = np.random.default_rng(rank)
    features = np.maximum(
        generator.normal(size=(900, rank)) @ generator.normal(size=(rank, 200)), 0
    )
    features = features.astype(dtype)
    features[17] = 0
    plain, rounds = Neighbors(features, many=1000), Neighbors(features, many=900)
    for query in (features[5], np.abs(generator.normal(size=200)), np.zeros(200)):
        rows, cosines = plain.nearest(query, 30)
        fast, near = rounds.nearest(query, 30)
        np.testing.assert_allclose(near, cosines, atol=1e-6)
        apart = np.abs(np.diff(cosines)) > 1e-6
        same = np.concatenate([[True], apart]) & np.concatenate([apart, [False]])
        np.testing.assert_array_equal(fast[same], rows[same])


def test_the_length_of_a_vector_does_not_matter_and_zeros_have_no_direction() -> None:
    features = np.array([[1, 0], [30, 30], [0, 0], [-2, 0]], np.float32)
    rows, cosines = Neighbors(features).nearest(np.array([5.0, 0.0], np.float32), 9)
    np.testing.assert_array_equal(rows, [0, 1, 2, 3])
    np.testing.assert_allclose(cosines, [1, np.sqrt(0.5), 0, -1], atol=1e-6)


@pytest.mark.parametrize("shape", [(40, 6), (6, 40)])
def test_principal_components_are_those_of_a_singular_value_decomposition(
    shape: tuple[int, int],
) -> None:
    features = np.random.default_rng(3).normal(size=shape).astype(np.float32)
    units = features / np.linalg.norm(features, axis=1, keepdims=True)
    centered = units - units.mean(axis=0)
    left, values, _ = np.linalg.svd(centered.astype(np.float64), full_matrices=False)
    axes = principal(features, 3)
    found = axes.of(features)
    np.testing.assert_allclose(np.abs(found), np.abs(left[:, :3] * values[:3]), atol=1e-5)
    rows = np.abs(found).argmax(axis=0)
    assert (found[rows, np.arange(3)] > 0).all()


def test_groups_are_clusters_and_neighbors_on_the_plane() -> None:
    coefficients = principal(groups()).of(groups())
    labels = clusters(coefficients, 3)
    assert [len(set(labels[k : k + 12].tolist())) for k in (0, 12, 24)] == [1, 1, 1]
    assert len(set(labels.tolist())) == 3
    placed = tsne(coefficients)
    for row, place in enumerate(placed):
        away = np.linalg.norm(placed - place, axis=1)
        away[row] = np.inf
        assert int(away.argmin()) // 12 == row // 12
    np.testing.assert_array_equal(placed, tsne(coefficients))


def test_the_largest_cluster_is_the_first_one_and_equal_photos_are_one() -> None:
    coefficients = np.array([[9.0, 0]] * 2 + [[0.0, 0]] * 5, np.float32)
    np.testing.assert_array_equal(clusters(coefficients, 2), [1, 1, 0, 0, 0, 0, 0])
    np.testing.assert_array_equal(clusters(np.zeros((4, 2), np.float32), 3), np.zeros(4))


def test_photos_that_are_all_alike_have_no_direction() -> None:
    axes = principal(np.ones((6, 4), np.float32))
    np.testing.assert_array_equal(axes.of(np.ones((6, 4), np.float32)), np.zeros((6, 4)))
