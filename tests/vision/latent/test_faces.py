"""Slopes over the age, files of faces, and a search that holds what is not the age."""

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.vision.latent import pca
from explorer.vision.latent.faces import (
    POSITIONS,
    FaceAxes,
    HeldAge,
    age_slopes,
    axes_of,
    readings,
    slid,
    with_axes,
)
from explorer.vision.latent.search import Search


def plane():
    """Pictures in a plane: pixel 0 is the first axis, pixel 1 the second."""
    mean = np.full(12, 0.5, np.float32)
    components = np.eye(2, 12, dtype=np.float32)
    deviations = np.array([0.1, 0.05], np.float32)
    return pca.Basis((2, 2, 3), mean, components, deviations, deviations, 9)


def test_slopes_are_those_of_the_line_through_adults():
    basis = plane()
    ages = np.array([20, 40, 60, 3])
    faces = np.full((4, 12), 0.5, np.float32)
    faces[:, 0] += 0.002 * (ages - 40)  # a fiftieth of a deviation a year
    faces[3, 0] = 0.9  # a child does not count
    found = age_slopes(basis, faces.reshape(4, 2, 2, 3), ages)
    np.testing.assert_allclose(found, [0.02, 0.0], atol=1e-6)
    with pytest.raises(ExplorerError, match="two ages"):
        age_slopes(basis, faces.reshape(4, 2, 2, 3), np.array([30, 30, 30, 5]))


def test_a_file_says_what_is_known_of_faces(tmp_path):
    basis = plane()
    plain = pca.packed(basis, {})
    assert axes_of(plain, 2) is None
    content = with_axes(plain, FaceAxes(POSITIONS, np.array([0.1, -0.2], np.float32)))
    found = axes_of(content, 2)
    np.testing.assert_array_equal(found.positions, POSITIONS)
    np.testing.assert_allclose(found.slopes, [0.1, -0.2], rtol=1e-6)
    path = tmp_path / pca.FILE
    path.write_bytes(content)
    np.testing.assert_allclose(pca.read_basis(path).deviations, basis.deviations)
    with pytest.raises(ExplorerError, match="face-components"):
        axes_of(content, 3)


def test_sliding_follows_the_slopes_to_the_limit():
    start = np.array([1.0, 0.0], np.float32)
    found = slid(start, np.array([0.1, -0.05, 9], np.float32), 40, 5, 3.0)
    np.testing.assert_allclose(found[:, 0], [1, 2, 3, 3, 3], atol=1e-6)
    np.testing.assert_allclose(found[:, 1], [0, -0.5, -1, -1.5, -2], atol=1e-6)


def linear(picture):
    """Age by coordinates 0 and 1, the gender by 1 alone, points by coordinate 2."""
    p = picture.reshape(-1)
    zero = torch.zeros(())
    points = torch.zeros(1, 5, 2) + 0.5
    return {
        "age": (40 + 10 * p[0] + 10 * p[1])[None],
        "gender": torch.stack([zero, 2 * p[1]])[None],
        "points": points + 0.01 * p[2],
    }


def test_the_objective_is_computed_by_hand():
    held = HeldAge(linear, torch.tensor([0.0, 1.0, 0.0]), 70.0, 0.5)
    value = held(torch.tensor([1.0, 0.5, 2.0]))
    age = ((40 + 10 + 5 - 70) / 10) ** 2
    gender = (1.0 - 2.0) ** 2
    points = 10 * (0.02 / 0.02) ** 2 / 5
    assert float(value) ** 2 == pytest.approx(age + 0.5 * (gender + points), rel=1e-5)
    assert float(held.read[0]["age"][0]) == pytest.approx(55.0)


@pytest.mark.parametrize("hold", [0.0, 3.0])
def test_the_search_reaches_the_age_and_holds_the_rest(hold):
    start = torch.zeros(3)
    held = HeldAge(linear, start, 60.0, hold)
    search = Search(lambda p: p, held, 0.0, start, rate=0.05, decay=0.0)
    for _ in range(200):
        search.advance()
    read = readings(held.read)
    assert read.age[-1] == pytest.approx(60, abs=1.5)
    moved = abs(read.woman[-1] - read.woman[0])
    assert moved < 0.03 if hold else moved > 0.2
    assert read.moved()[0] == 0
