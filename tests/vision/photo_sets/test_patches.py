"""The part of a photo that a cell depends on, as a picture."""

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Preprocess
from explorer.vision.photo_sets.patches import (
    deconvnet_picture,
    field_on_photo,
    patch_of,
    signed_picture,
)
from tests.toys import ToyBackbone, make_network, toy_image, toy_network


def test_the_crop_is_the_receptive_field_on_the_photo() -> None:
    """`conv1` takes every second pixel, `conv2` three of its cells: fields of 5 x 5 pixels."""
    network = make_network(ToyBackbone(), "features")
    pixels = toy_image(48, 64).pixels
    patch = patch_of(network, pixels, "conv2", (10, 12), {})
    assert patch.xyxy == (22, 18, 27, 23)
    np.testing.assert_array_equal(patch.crop, pixels[18:23, 22:27])
    np.testing.assert_array_equal(patch.inner, [22, 18, 27, 23])
    assert deconvnet_picture(network, patch, "conv2", 1, (10, 12)).shape == (5, 5, 3)


def test_a_photo_that_is_resized_and_cropped_has_the_field_at_its_place() -> None:
    network = make_network(ToyBackbone(), "features", preprocess=Preprocess(resize=24, crop=24))
    pixels = toy_image(48, 64).pixels  # half its size, then four columns less on both sides
    inner, outer = field_on_photo(network, pixels, network.preprocess(pixels), "conv2", (5, 6), {})
    np.testing.assert_allclose(inner, [10, 8, 15, 13])
    np.testing.assert_allclose(outer, [2 * (10 + 4), 16, 2 * (15 + 4), 26])


def test_fields_of_one_size_are_worked_out_once() -> None:
    network, known = toy_network("detection"), {}
    first = patch_of(network, toy_image(48, 64).pixels, "backbone.conv1", (2, 3), known)
    assert len(known) == 1
    second = patch_of(network, toy_image(48, 64, seed=5).pixels, "backbone.conv1", (2, 3), known)
    assert len(known) == 1
    assert first.xyxy == second.xyxy
    patch_of(network, toy_image(60, 64).pixels, "backbone.conv1", (2, 3), known)
    assert len(known) == 2


def test_a_cell_that_is_not_there_is_a_sentence() -> None:
    network = make_network(ToyBackbone(), "features")
    with pytest.raises(ExplorerError, match="no cell 99, 0"):
        patch_of(network, toy_image().pixels, "conv2", (99, 0), {})


def test_nothing_is_gray_and_the_largest_numbers_are_black_or_white() -> None:
    values = np.zeros((3, 1, 3), np.float32)
    values[:, 0, 1], values[:, 0, 2] = -4.0, 2.0
    np.testing.assert_array_equal(signed_picture(values)[0, :, 0], [128, 0, 191])
    values[0, 0, 0] = 1e-6
    assert signed_picture(values)[0, 0].tolist() == [128, 128, 128]
    np.testing.assert_array_equal(signed_picture(np.zeros((1, 2, 2), np.float32)), 128)
