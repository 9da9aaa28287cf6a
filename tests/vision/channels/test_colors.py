"""Principal components as colors, against a singular value decomposition."""

from __future__ import annotations

import numpy as np
import pytest

from explorer.vision.channels.colors import pca_colors


@pytest.mark.parametrize("shape", [(4, 9, 7), (90, 5, 6)], ids=["few channels", "many channels"])
def test_against_svd(shape: tuple[int, int, int]) -> None:
    maps = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    maps[1] += 5 * np.linspace(0, 1, shape[2])[None]
    found = pca_colors(maps)
    assert found is not None
    rows = maps.reshape(shape[0], -1).T.astype(np.float64)
    rows -= rows.mean(axis=0)
    u, s, vt = np.linalg.svd(rows, full_matrices=False)
    np.testing.assert_allclose(found.ratios, (s**2 / (s**2).sum())[:3], rtol=1e-5)
    for component in range(3):
        sign = np.sign(vt[component][np.abs(vt[component]).argmax()])
        along = sign * u[:, component] * s[component]
        reach = np.abs(np.quantile(along, (0.01, 0.99))).max()
        wanted = 127.5 + 127.5 * (along / reach).clip(-1, 1)
        off = np.abs(found.rgb[..., component].reshape(-1) - wanted)
        assert off.max() <= 1.0


def test_two_kinds_of_cells_have_two_colors() -> None:
    maps = np.zeros((6, 4, 4), np.float32)
    maps[2, :, :2] = 1.0
    found = pca_colors(maps)
    assert found is not None
    assert found.ratios[0] == pytest.approx(1.0)
    left, right = found.rgb[0, 0], found.rgb[0, 3]
    assert left[0] == 255, "its largest weight is positive"
    assert right[0] == 0
    assert (found.rgb[..., 1:] == 128).all()


def test_cells_that_are_alike_or_not_finite_have_no_colors() -> None:
    assert pca_colors(np.ones((3, 2, 2), np.float32)) is None
    assert pca_colors(np.full((3, 2, 2), np.nan, np.float32)) is None
    assert pca_colors(np.ones((3, 1, 1), np.float32)) is None
