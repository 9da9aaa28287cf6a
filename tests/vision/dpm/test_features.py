"""The HOG cells, against a plain reading of their definition, pixel by pixel."""

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.vision.dpm.features import (
    CHANNELS,
    hog,
    mirrored,
    scale_count,
    scales,
)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).uniform(0, 255, (height, width, 3)).astype(np.float32)


def plain_hog(pixels, cell):
    """Section 6.2 of the paper, one pixel after the other."""
    height, width = pixels.shape[:2]
    rows, columns = height // cell, width // cell
    votes = np.zeros((rows, columns, 18))
    for y in range(1, min(height - 1, rows * cell)):
        for x in range(1, min(width - 1, columns * cell)):
            dx = pixels[y, x + 1] - pixels[y, x - 1]
            dy = pixels[y + 1, x] - pixels[y - 1, x]
            channel = int(np.argmax(dx**2 + dy**2))
            size = np.hypot(dx[channel], dy[channel])
            angle = np.degrees(np.arctan2(dy[channel], dx[channel]))
            sector = round(angle / 20) % 18
            for row in range(rows):
                for column in range(columns):
                    # one at the center of the cell, zero at the centers of its neighbors
                    down = 1 - abs((y + 0.5) / cell - row - 0.5)
                    across = 1 - abs((x + 0.5) / cell - column - 0.5)
                    if down > 0 and across > 0:
                        votes[row, column, sector] += size * down * across
    unsigned = votes[..., :9] + votes[..., 9:]
    energy = (unsigned**2).sum(axis=2)
    found = np.zeros((rows - 2, columns - 2, 31))
    for row in range(1, rows - 1):
        for column in range(1, columns - 1):
            own = found[row - 1, column - 1]
            for number, (down, across) in enumerate([(1, 1), (-1, 1), (1, -1), (-1, -1)]):
                block = [(row, column), (row + down, column), (row, column + across),
                         (row + down, column + across)]  # fmt: skip
                norm = np.sqrt(sum(energy[at] for at in block))
                clipped = np.minimum(votes[row, column] / norm, 0.2)
                own[:18] += clipped / 2
                own[18:27] += np.minimum(unsigned[row, column] / norm, 0.2) / 2
                own[27 + number] = clipped.sum() / np.sqrt(18)
    return found


@pytest.mark.parametrize(("height", "width", "cell"), [(24, 32, 8), (21, 19, 4), (30, 27, 8)])
def test_cells_are_those_of_the_definition(height, width, cell):
    pixels = picture(height, width)
    found = hog(pixels, cell)
    assert found.shape == (height // cell - 2, width // cell - 2, CHANNELS)
    np.testing.assert_allclose(found, plain_hog(pixels, cell), atol=2e-5)


def test_an_even_picture_has_empty_cells():
    assert not hog(np.full((40, 40, 3), 77, np.float32), 8).any()


def test_mirroring_the_cells_is_mirroring_the_picture():
    pixels = picture(40, 48)
    other = hog(np.ascontiguousarray(pixels[:, ::-1]), 8)
    np.testing.assert_allclose(mirrored(hog(pixels, 8)), other, atol=1e-5)
    np.testing.assert_array_equal(mirrored(mirrored(other)), other)


def test_an_octave_below_the_cells_are_half_as_large():
    photo = picture(96, 128).astype(np.uint8)
    found = list(scales(photo, interval=2))
    numbers, totals, levels = zip(*found, strict=True)
    assert numbers == tuple(range(len(found)))
    assert set(totals) == {scale_count(96, 128, 2)} == {len(found)}
    assert levels[0].root.stride == 8
    assert levels[0].fine.stride == 4
    assert levels[0].root.cells.shape == (10, 14, CHANNELS)
    assert levels[0].fine.cells.shape == (22, 30, CHANNELS)
    assert levels[2].fine is levels[0].root
    for scale in levels:
        assert scale.fine.stride == pytest.approx(scale.root.stride / 2)


def test_a_photo_that_is_too_small_is_refused_in_words():
    with pytest.raises(ExplorerError, match="39 x 200 pixels"):
        next(scales(np.zeros((200, 39, 3), np.uint8)))
