"""Distances of unit vectors, and clusters at a threshold."""

import numpy as np
import torch

from explorer.networks.faces.embedding import FaceEmbedding
from explorer.vision.faces.comparison import distances, embeddings, persons, tree


def around(degrees):
    angles = np.radians(np.array(degrees, float))
    return np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)


def test_the_distance_is_one_minus_the_cosine():
    found = distances(around([0]), around([0, 60, 90, 180]))
    np.testing.assert_allclose(found, [[0, 0.5, 1, 2]], atol=1e-6)


def test_faces_within_the_threshold_are_one_person():
    vectors = around([90, 0, 95, 200, 92, 4])
    grown = tree(vectors)
    assert persons(grown, 6, 0.1).tolist() == [0, 1, 0, 2, 0, 1]
    assert persons(grown, 6, 2.0).tolist() == [0] * 6
    assert sorted(persons(grown, 6, 0.0).tolist()) == list(range(6))


def test_one_face_and_none():
    assert persons(tree(around([5])), 1, 0.5).tolist() == [0]
    assert persons(tree(around([])), 0, 0.5).tolist() == []


def test_embeddings_are_those_of_the_network():
    torch.manual_seed(0)
    network = FaceEmbedding().eval()
    faces = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 1)).astype(np.uint8)
    faces = np.repeat(faces, 3, axis=3)
    found = embeddings(network, faces)
    given = torch.from_numpy(faces[..., 0])[:, None]
    with torch.no_grad():
        np.testing.assert_allclose(found, network(given).numpy(), atol=1e-6)
    assert embeddings(network, faces[:0]).shape == (0, 128)
