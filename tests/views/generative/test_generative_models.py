"""The families on tiny networks with random weights, as if they shipped."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.layers import Board, Heat
from explorer.core.params import Box, ImageRef
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.evaluation.generated.pictures import to_pixels
from explorer.images.image import from_array
from explorer.images.sources import gallery
from explorer.networks.faces.mtcnn import load_cascade
from explorer.networks.generative import shipped
from explorer.networks.generative.autoencoder import LATENT, FaceAutoencoder
from explorer.networks.generative.pixel_cnn import PixelNetwork, pixel_bits
from explorer.networks.generative.shipped import Shipped
from explorer.networks.generative.style_gan import StyleGenerator
from explorer.views.generative.generative_models import parts
from explorer.views.generative.generative_models import view as module
from explorer.views.generative.generative_models.params import (
    COMPLETION,
    FAMILIES,
    INTERPOLATION,
    PLANE,
    RECONSTRUCTION,
    SHOWS,
    Params,
)
from explorer.views.generative.generative_models.view import GAN, PIXELS, VAE, VIEW, Result, draw
from explorer.vision.faces.cascade import Settings, found_faces
from explorer.vision.latent.faces import POSITIONS
from tests.networks.faces.installed_faces import needs_mtcnn
from tests.toys import toy_image


@pytest.fixture
def networks(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    torch.manual_seed(0)
    found = {
        GAN: StyleGenerator({4: 6, 8: 4}, size=8),
        VAE: FaceAutoencoder(),
        PIXELS: PixelNetwork(width=4, layers=1),
    }
    cards = {GAN: {"sharpness of real faces": 7.5}, VAE: {"bits per value (upper bound)": 4.25},
             PIXELS: {"bits per value": 3.5}}  # fmt: skip
    for each in found.values():
        each.eval().requires_grad_(requires_grad=False)
    monkeypatch.setattr(shipped, "names", lambda: tuple(found))
    monkeypatch.setattr(
        shipped, "load", lambda name: Shipped(found[name], {"title": name, "metrics": cards[name]})
    )
    return found


def scene() -> Scene:
    return Scene(None, toy_image(), 3)


def last(params: Params, given: Scene | None = None) -> tuple[Result, Board]:
    *_, step = VIEW.compute(given or scene(), params)
    return step.value, draw(step.value, params)


def test_a_reconstruction_is_the_networks_own_and_so_are_its_bits(networks: dict[str, Any]) -> None:
    result, board = last(Params())
    own = parts.square_of(toy_image().pixels, None, 64)
    given = parts.tensor_of(own)
    made = networks[VAE](given)
    np.testing.assert_array_equal(result.sheets[0].pictures[1:], to_pixels(made))
    torch.manual_seed(3)
    values, latent = networks[VAE].bound(given)
    expected = float(values + latent) / given.numel()
    assert result.numbers["bits per value"] == pytest.approx(expected, rel=1e-5)
    assert "bits per value" in board.summary


def test_the_face_is_the_square_around_its_box() -> None:
    pixels = np.zeros((40, 60, 3), np.uint8)
    pixels[10:30, 30:50] = 200
    assert (parts.square_of(pixels, Box(30, 10, 50, 30), 8) == 200).all()
    assert parts.square_of(pixels, Box(-90, -90, -80, -80), 8).shape == (1, 8, 8, 3)
    assert parts.square_of(pixels, Box(5, 5, 5, 5), 8).shape == (1, 8, 8, 3)


@needs_mtcnn
def test_a_face_that_is_found_is_aligned_and_else_it_is_the_middle() -> None:
    astronaut = next(sample for sample in gallery() if sample.name == "astronaut").load().pixels
    face, notes = parts.own_face(astronaut, None, 64)
    faces = found_faces(load_cascade(), face[0], Settings(smallest=20.0))
    assert len(faces) == 1
    assert np.abs(faces.points[0] / 64 - POSITIONS).max() < 0.08
    assert notes == ()
    middle, (note,) = parts.own_face(toy_image().pixels, None, 64)
    np.testing.assert_array_equal(middle, parts.square_of(toy_image().pixels, None, 64))
    assert "No face was found" in note
    assert parts.own_face(astronaut, Box(0, 0, 50, 50), 64)[1] == ()


def test_an_interpolation_ends_at_both_photos(networks: dict[str, Any]) -> None:
    other = np.full((30, 30, 3), 128, np.uint8)
    given = scene()
    given.opened = Opened({}, {ImageRef("b.png"): from_array(other, "b")})
    result, _ = last(Params(INTERPOLATION, other=ImageRef("b.png")), given)
    latents, pixels = (sheet.pictures for sheet in result.sheets)
    np.testing.assert_array_equal(pixels[-1], 128)
    end = networks[VAE](parts.tensor_of(np.full((1, 64, 64, 3), 128, np.uint8)))
    assert np.abs(latents[-1:].astype(int) - to_pixels(end)).max() <= 1
    alone, _ = last(Params(INTERPOLATION))
    assert len(alone.sheets[0].pictures) == parts.STATIONS


def test_the_plane_changes_two_numbers_of_the_latent(networks: dict[str, Any]) -> None:
    network = networks[VAE]
    own = parts.square_of(toy_image().pixels, None, 64)
    latent = network.encode(parts.tensor_of(own))[0]
    order = parts.strongest(network, latent)
    assert sorted(order) == list(range(LATENT))
    result, board = last(Params(PLANE, across=1, down=3))
    latent[:, order[0]], latent[:, order[2]] = 3.0, -3.0
    corner = parts.decoded(network, latent)
    assert np.abs(result.sheets[0].pictures[8:9].astype(int) - corner).max() <= 1
    frame = board.boxes("your latent")
    assert frame is not None
    x0, y0, x1, y1 = frame.xyxy[0] / board.panes[0].size[0]
    assert (x0 + x1) / 2 == pytest.approx(0.5)
    assert (y0 + y1) / 2 == pytest.approx(0.5)


def test_a_completion_keeps_the_upper_part_and_shows_the_bits(
    networks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PER_STEP", 64)
    steps = list(VIEW.compute(scene(), Params(COMPLETION, known=75)))
    assert [(step.done, step.total) for step in steps] == [
        (0, 256), (64, 256), (128, 256), (192, 256), (256, 256),
    ]  # fmt: skip
    result = steps[-1].value
    own, *made = result.sheets[0].pictures
    assert all((picture[:24] == own[:24]).all() for picture in made)
    assert all((picture[24:] != 0).any() for picture in made)
    given = parts.tensor_of(own[None])
    np.testing.assert_allclose(
        result.bits, pixel_bits(networks[PIXELS](given), given)[0], rtol=1e-5
    )
    board = draw(result, Params(COMPLETION))
    assert isinstance(board.pane("bits").layers[0], Heat)


def test_three_families_stand_beside_each_other(
    networks: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PIXEL_SIDE", 6)
    result, board = last(Params(FAMILIES))
    assert [pane.name for pane in board.panes] == [GAN, VAE, PIXELS]
    (table,) = board.tables
    rows = {row[0]: row for row in table.rows}
    assert rows[GAN][2] == 7.5
    assert (rows[VAE][5], rows[PIXELS][5]) == (4.25, 3.5)
    assert rows[GAN][5:] == ("", "none: it gives samples, no probability")
    assert rows[PIXELS][1] != ""
    del networks[PIXELS]
    two, _ = last(Params(FAMILIES))
    assert len(two.rows) == 2
    np.testing.assert_array_equal(two.sheets[0].pictures, result.sheets[0].pictures)


@pytest.mark.parametrize("show", SHOWS)
def test_without_its_network_it_says_what_to_do(show: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "names", tuple)
    _, board = last(Params(show))
    assert "not in this version of the program" in board.notes[0]
    assert show != RECONSTRUCTION or VAE in board.notes[0]
