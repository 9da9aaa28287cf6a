"""Principal components against numpy's singular value decomposition and a line by hand."""

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.vision.latent import pca


def pictures(count: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.random((count, 4, 5, 3), np.float32)


def test_points_on_a_line() -> None:
    # (0, 0), (0.3, 0.4) and (0.6, 0.8): one direction (0.6, 0.8), distances -0.5, 0, 0.5
    line = np.array([[0.0, 0.0], [0.3, 0.4], [0.6, 0.8]], np.float32).reshape(3, 1, 2, 1)
    basis = pca.fit(line, 5)
    assert len(basis) == 1, "no more than the rank"
    assert basis.shape == (1, 2, 1)
    assert basis.count == 3
    np.testing.assert_allclose(basis.mean, [0.3, 0.4], atol=1e-6)
    np.testing.assert_allclose(basis.components, [[0.6, 0.8]], atol=1e-6)
    np.testing.assert_allclose(basis.deviations, [0.5], atol=1e-6)
    np.testing.assert_allclose(basis.ratios, [1.0], atol=1e-6)
    np.testing.assert_allclose(basis.coefficients(line[2]), [1.0], atol=1e-5)
    np.testing.assert_allclose(basis.picture(np.array([-1.0], np.float32)), line[0], atol=1e-6)


@pytest.mark.parametrize("count", [12, 200])
def test_equals_the_singular_value_decomposition(count: int) -> None:
    given = pictures(count)
    basis = pca.fit(given, 8)
    rows = given.reshape(count, -1).astype(np.float64)
    _, values, vectors = np.linalg.svd(rows - rows.mean(0), full_matrices=False)
    np.testing.assert_allclose(basis.deviations, values[:8] / np.sqrt(count - 1), rtol=1e-4)
    np.testing.assert_allclose(basis.ratios, values[:8] ** 2 / (values**2).sum(), rtol=1e-4)
    np.testing.assert_allclose(np.abs((basis.components * vectors[:8]).sum(1)), 1.0, atol=1e-4)
    np.testing.assert_allclose(basis.components @ basis.components.T, np.eye(8), atol=1e-5)
    largest = np.abs(basis.components).argmax(1)
    assert (basis.components[np.arange(8), largest] > 0).all()


def test_all_components_rebuild_a_picture_and_fewer_come_close() -> None:
    given = pictures(12)
    basis = pca.fit(given, 64)
    assert len(basis) == 11, "centered pictures have one direction less"
    whole = basis.coefficients(given[3])
    np.testing.assert_allclose(basis.picture(whole), given[3], atol=1e-5)
    errors = [np.square(basis.picture(whole[:k]) - given[3]).sum() for k in range(12)]
    assert (np.diff(errors) <= 1e-9).all()
    np.testing.assert_allclose(basis.picture(whole[:0]), basis.mean.reshape(4, 5, 3))


def test_coefficients_of_the_pictures_have_deviation_one() -> None:
    given = pictures(40)
    basis = pca.fit(given, 6)
    found = np.stack([basis.coefficients(picture) for picture in given])
    np.testing.assert_allclose(found.mean(0), 0.0, atol=1e-4)
    np.testing.assert_allclose(found.std(0, ddof=1), 1.0, rtol=1e-3)


def test_explained_variance_of_its_own_pictures_is_that_of_the_ratios() -> None:
    given = pictures(30)
    basis = pca.fit(given, 10)
    np.testing.assert_allclose(pca.explained(basis, given), basis.ratios.cumsum(), rtol=1e-4)
    assert pca.explained(basis, pictures(30, seed=1))[-1] < basis.ratios.sum()


def test_equal_pictures_have_no_components() -> None:
    for given in (np.repeat(pictures(1), 5, axis=0), pictures(1)):
        with pytest.raises(ExplorerError, match="at least two different pictures"):
            pca.fit(given, 4)


def test_a_file_is_read_as_it_was_written(tmp_path) -> None:
    basis = pca.fit(pictures(30), 6)
    path = tmp_path / pca.FILE
    path.write_bytes(pca.packed(basis, {"variance kept by 6": 0.5}))
    read = pca.read_basis(path)
    assert (read.shape, read.count, len(read)) == (basis.shape, 30, 6)
    np.testing.assert_allclose(read.mean, basis.mean, atol=0.5 / 255 + 1e-6)
    np.testing.assert_array_equal(read.deviations, basis.deviations)
    np.testing.assert_allclose((read.components * basis.components).sum(1), 1.0, atol=1e-3)
    np.testing.assert_allclose(np.linalg.norm(read.components, axis=1), 1.0, atol=1e-6)


def test_other_files_are_refused(tmp_path) -> None:
    path = tmp_path / pca.FILE
    for content in (b"", b"no archive", pca.packed(pca.fit(pictures(9), 3), {})[:200]):
        path.write_bytes(content)
        with pytest.raises(ExplorerError, match="not a basis"):
            pca.read_basis(path)
    np.savez(path, mean=np.zeros(3))
    with pytest.raises(ExplorerError, match="not a basis"):
        pca.read_basis(path)


def test_wrong_shapes_are_named() -> None:
    basis = pca.fit(pictures(9), 3)
    with pytest.raises(ValueError, match=r"\(4, 5, 3\)"):
        basis.coefficients(np.zeros((5, 4, 3), np.float32))
    with pytest.raises(ValueError, match="components"):
        pca.Basis((2, 2, 1), basis.mean, basis.components, basis.deviations, basis.ratios, 9)
