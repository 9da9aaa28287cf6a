"""HOG equals OpenCV's, and sums of it that can be worked out by hand."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from explorer.images.samples import sample
from explorer.vision.hog.features import (
    NORMS,
    PAPER,
    Gradients,
    Settings,
    block_histograms,
    cell_histograms,
    cell_means,
    cell_sums,
    describe,
    gradients,
    normalization,
    normalized,
    votes,
    window_weights,
)


def opencv(pixels: np.ndarray, settings: Settings) -> np.ndarray:
    """cv2.HOGDescriptor's of a whole picture, in our order."""
    cell, side = (settings.cell,) * 2, (settings.cell * settings.block,) * 2
    size = tuple(n // settings.cell * settings.cell for n in pixels.shape[1::-1])
    hog = cv2.HOGDescriptor(
        size, side, cell, cell, settings.bins, 1, -1.0, cv2.HOGDescriptor_L2Hys, 0.2,
        settings.root, 64, settings.signed,
    )  # fmt: skip
    found = hog.compute(np.ascontiguousarray(pixels[: size[1], : size[0], ::-1]))
    across, down = (n // settings.cell - settings.block + 1 for n in size)
    count = settings.block
    return found.reshape(across, down, count, count, settings.bins).transpose(1, 0, 3, 2, 4)


def photo(name: str = "astronaut") -> np.ndarray:
    shown = sample(name)
    assert shown is not None
    return shown.load().pixels


@pytest.mark.parametrize(
    "settings",
    [
        PAPER,
        Settings(signed=True, bins=18),
        Settings(root=False, bins=6),
        Settings(cell=6, block=3),
        Settings(cell=16, block=1),
    ],
)
def test_equals_opencv(settings: Settings) -> None:
    # Whole cells of every size: OpenCV gets no other pixels.
    pixels = np.ascontiguousarray(photo()[40:184, 150:294])
    ours, theirs = describe(pixels, settings), opencv(pixels, settings)
    assert theirs.max() > 0.2
    np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_equals_opencv_where_sides_are_no_whole_cells() -> None:
    pixels = photo("cat")[3:70, 5:150]
    whole = pixels[:64, :144]
    # The gradient at the border would be another one: OpenCV gets the whole cells only.
    np.testing.assert_allclose(describe(whole, PAPER), opencv(pixels, PAPER), atol=1e-3)
    assert describe(pixels, PAPER).shape == (7, 17, 2, 2, 9)


def test_the_gradient_of_a_ramp() -> None:
    ramp = np.repeat(np.arange(0, 60, 3, dtype=np.uint8)[None, :, None], 10, axis=0)
    found = gradients(ramp.repeat(3, axis=2), root=False)
    assert found.magnitude[:, 1:-1].tolist() == np.full((10, 18), 6.0).tolist()
    assert found.magnitude[:, [0, -1]].max() == 0, "mirrored at the border"
    assert found.angle[:, 1:-1].max() == 0
    down = gradients(np.ascontiguousarray(ramp.repeat(3, axis=2).transpose(1, 0, 2)), root=False)
    np.testing.assert_allclose(down.angle[1:-1], np.pi / 2, rtol=1e-6)


def test_the_channel_with_the_largest_gradient_counts() -> None:
    pixels = np.zeros((3, 4, 3), np.uint8)
    pixels[:, 2:, 0] = 10
    pixels[2:, :, 1] = 90
    found = gradients(pixels, root=False)
    assert found.magnitude[0, 1] == 10
    assert found.magnitude[1, 1] == 90


def test_a_vote_is_divided_between_two_bins() -> None:
    angle = np.radians(np.array([[10.0, 20.0, 25.0, -170.0, 0.0]], np.float32))
    found = Gradients(np.full((1, 5), 4, np.float32), angle)
    planes = votes(found, PAPER)[:, 0]
    np.testing.assert_allclose(planes[:, 0], [4, 0, 0, 0, 0, 0, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(planes[:, 1], [2, 2, 0, 0, 0, 0, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(planes[:, 2], [1, 3, 0, 0, 0, 0, 0, 0, 0], atol=1e-5)
    np.testing.assert_allclose(planes[:, 3], planes[:, 0], atol=1e-5)
    np.testing.assert_allclose(planes[:, 4], [2, 0, 0, 0, 0, 0, 0, 0, 2], atol=1e-5)
    signed = votes(found, Settings(bins=18, signed=True))[:, 0, 3]
    assert np.flatnonzero(signed > 1e-4).tolist() == [9]


def test_cells_count_their_own_pixels() -> None:
    magnitude = np.zeros((16, 24), np.float32)
    magnitude[8:, 16:] = 0.5
    found = Gradients(magnitude, np.full((16, 24), np.radians(50), np.float32))
    cells = cell_histograms(found, PAPER)
    assert cells.shape == (2, 3, 9)
    assert cells[1, 2, 2] == pytest.approx(32, rel=1e-5)
    assert cells.sum() == pytest.approx(32, rel=1e-5)


def test_the_weights_of_a_window() -> None:
    weights = window_weights(PAPER)
    assert weights.shape == (2, 16)
    assert weights[0, 3] == pytest.approx((1 - 0.0625) * np.exp(-25 / 32), rel=1e-5)
    assert weights[1, 8] == pytest.approx(0.5625)
    assert weights[0, 12:].max() == 0


def test_a_block_is_the_weighted_sum_of_its_votes() -> None:
    random = np.random.default_rng(0)
    found = Gradients(
        random.random((24, 32), np.float32), random.uniform(-3, 3, (24, 32)).astype(np.float32)
    )
    blocks, planes, weights = block_histograms(found, PAPER), votes(found, PAPER), None
    weights = window_weights(PAPER)
    expected = np.einsum("oij,ki,lj->klo", planes[:, 8:24, 16:32], weights, weights)
    np.testing.assert_allclose(blocks[1, 2], expected, rtol=1e-5, atol=1e-5)


def test_normalization_step_by_step() -> None:
    vector = np.array([3.0, 4.0, 0.0, 0.0], np.float32)
    names, steps = zip(*normalization(vector, "L2-Hys"), strict=True)
    assert names == ("votes", "divided by the L2 norm", "clipped at 0.2", "divided again")
    np.testing.assert_allclose(steps[1], vector / 5.4, rtol=1e-6)
    np.testing.assert_allclose(steps[2], [0.2, 0.2, 0, 0], rtol=1e-6)
    np.testing.assert_allclose(steps[3][:2], 0.2 / (0.2 * np.sqrt(2) + 1e-3), rtol=1e-6)
    np.testing.assert_allclose(normalization(vector, "L1")[-1][1], vector / 7.4, rtol=1e-6)
    roots = normalization(vector, "L1-sqrt")[-1][1]
    np.testing.assert_allclose(roots, np.sqrt(vector / 7.4), rtol=1e-6)
    assert normalization(vector, "none")[-1][1] is vector


@pytest.mark.parametrize("norm", NORMS)
def test_a_flat_picture_has_no_histogram(norm: str) -> None:
    flat = np.full((32, 32, 3), 80, np.uint8)
    assert describe(flat, Settings(norm=norm)).max() == 0  # type: ignore[arg-type]


def test_the_blocks_of_a_cell() -> None:
    blocks = np.zeros((1, 2, 2, 2, 1), np.float32)
    blocks[0, 0, 0, 1], blocks[0, 1, 0, 0] = 1.0, 3.0
    assert cell_sums(blocks)[..., 0].tolist() == [[0, 4, 0], [0, 0, 0]]
    assert cell_means(blocks)[..., 0].tolist() == [[0, 2, 0], [0, 0, 0]]


def test_a_picture_without_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="smaller than a block"):
        describe(np.zeros((8, 40, 3), np.uint8), PAPER)


def test_normalized_keeps_the_shape() -> None:
    blocks = np.ones((2, 3, 2, 2, 9), np.float32)
    found = normalized(blocks, "L2")
    assert found.shape == blocks.shape
    assert found.max() == pytest.approx(1 / (6 + 3.6))
