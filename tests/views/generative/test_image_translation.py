"""What is shown is what the networks give, and what was painted is what they are given."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch

from explorer.core.params import Box, Mask
from explorer.engine.scene import Scene
from explorer.evaluation.generated.pictures import to_pixels
from explorer.render.board import render_board
from explorer.views.generative.image_translation import view
from explorer.views.generative.image_translation.maps import LEGEND, drawing, judged
from explorer.views.generative.image_translation.params import (
    BASES,
    BLANK,
    COLORED,
    KINDS,
    LARGER,
    MADE,
    TO_MAP,
    TO_PHOTO,
    Params,
)
from explorer.views.generative.image_translation.photos import colored, enlarged
from explorer.views.shared.translation.networks import region_of, tensor_of
from tests.toys import toy_image
from tests.views.generative.translators import OneColor, translator


@pytest.fixture
def shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(view, "network_of", translator)


@pytest.fixture
def scene() -> Scene:
    return Scene(None, toy_image(height=48, width=64), seed=3)


def photo(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3)).astype(np.uint8)


def result_of(scene: Scene, **values: object) -> view.Result:
    (step,) = view.compute(scene, Params(**values))  # type: ignore[arg-type]
    return step.value


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.usefixtures("shipped")
def test_every_translation_is_drawn_with_its_figures(scene: Scene, kind: str) -> None:
    params = Params(kind=kind)
    result = result_of(scene, kind=kind)
    board = view.draw(result, params)
    assert not board.notes
    assert board.summary
    assert len(board.panes) >= 3
    assert board.tables[0].rows
    assert render_board(board).ndim == 3
    assert len(view.data(result, params)["titles"]) == len(result.pictures)


@pytest.mark.parametrize("kind", KINDS)
def test_without_its_weights_a_sentence_says_what_to_do(
    scene: Scene, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "network_of", lambda _: None)
    board = view.draw(result_of(scene, kind=kind), Params(kind=kind))
    (note,) = board.notes
    assert note.startswith(f"The weights of {view.NAMES[kind]} are not in this version")
    assert [pane.name for pane in board.panes] == ["image"]


def test_the_signal_to_noise_ratio_is_that_of_the_pixels() -> None:
    pixels = photo(40, 56)
    network = translator("mini-superres")
    found = enlarged(network, pixels, 256)
    np.testing.assert_array_equal(found.truth, pixels)
    assert found.small.shape == (10, 14, 3)
    values = torch.from_numpy(found.small).permute(2, 0, 1)[None].float() / 255
    made = network(values)[0].permute(1, 2, 0).numpy()
    np.testing.assert_array_equal(found.made, np.round(made.clip(0, 1) * 255).astype(np.uint8))
    inner = (slice(4, -4), slice(4, -4))
    error = np.square(made.clip(0, 1)[inner] - pixels[inner] / 255).mean()
    assert found.made_ratio == pytest.approx(-10 * np.log10(error), abs=1e-4)


def test_a_network_that_adds_nothing_is_bicubic_interpolation() -> None:
    network = type(translator("mini-superres"))(4, 1).eval()
    torch.nn.init.zeros_(network.up[-1].weight)
    found = enlarged(network, photo(32, 48), 32)
    assert found.truth.shape == (20, 32, 3), "reduced, and both sides are multiples of four"
    np.testing.assert_array_equal(found.made, found.plain)
    assert found.made_ratio == pytest.approx(found.plain_ratio, abs=1e-6)


def test_the_lightness_stays_and_the_colors_are_those_of_the_network() -> None:
    pixels = np.full((32, 64, 3), 128, np.uint8)
    found = colored(OneColor(24.0, -12.0), pixels, 64, 1.0)
    lab = cv2.cvtColor(found.made.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    np.testing.assert_allclose(lab[..., 1:].reshape(-1, 2).mean(axis=0), (24, -12), atol=0.6)
    gray = cv2.cvtColor(pixels.astype(np.float32) / 255, cv2.COLOR_RGB2LAB)
    np.testing.assert_allclose(lab[..., 0], gray[..., 0], atol=0.6)
    np.testing.assert_array_equal(found.gray, pixels)
    assert found.gray_error == pytest.approx(0.0, abs=0.05)
    assert found.made_error == pytest.approx(np.sqrt((24**2 + 12**2) / 2), abs=0.1)


@pytest.mark.usefixtures("shipped")
def test_a_map_is_that_of_the_network_without_the_skips_that_are_off(scene: Scene) -> None:
    network = translator("mini-pix2pix-maps")
    result = result_of(scene, kind=TO_MAP, skip1=False, skip3=False)
    (_, made), (_, plain), (_, given) = result.pictures
    for shown, generator in ((made, network.to_map), (plain, network.to_map_l1)):
        expected = to_pixels(generator(tensor_of(given.rgb), without={1, 3}))[0]
        np.testing.assert_array_equal(shown.rgb, expected)
    whole = result_of(scene, kind=TO_MAP)
    assert not np.array_equal(whole.pictures[0][1].rgb, made.rgb)
    scores = network.judges["to_map"](torch.cat([tensor_of(given.rgb), tensor_of(made.rgb)], dim=1))
    assert result.patches is not None
    np.testing.assert_allclose(result.patches[0], 1 - scores[0, 0].sigmoid().numpy(), atol=1e-6)


@pytest.mark.usefixtures("shipped")
def test_dropout_is_another_picture_and_the_same_for_a_seed(scene: Scene) -> None:
    plain, one, other = (
        result_of(scene, kind=TO_MAP, dropout=dropout).pictures[0][1].rgb
        for dropout in (False, True, True)
    )
    np.testing.assert_array_equal(one, other)
    assert not np.array_equal(one, plain)


def test_a_patch_lies_where_the_score_looks() -> None:
    judge = translator("mini-pix2pix-maps").judges["to_map"]
    made = photo(128, 128)
    values, (x0, y0, x1, y1) = judged(judge, made, made)
    assert values.shape == (30, 30)
    pair = torch.cat([tensor_of(made), tensor_of(made)], dim=1).requires_grad_()
    (gradient,) = torch.autograd.grad(judge(pair)[0, 0, 12, 20], pair)
    rows, columns = gradient[0].abs().sum(dim=0).nonzero(as_tuple=True)
    assert int(rows.max() - rows.min()) + 1 == 34
    middle = (int(rows.min() + rows.max()) + 1) / 2, (int(columns.min() + columns.max()) + 1) / 2
    cell = (y1 - y0) / 30, (x1 - x0) / 30
    assert middle == (y0 + 12.5 * cell[0], x0 + 20.5 * cell[1])


def test_strokes_have_the_colors_of_the_legend_where_they_are() -> None:
    base = np.full((128, 128, 3), 7, np.uint8)
    index = np.zeros((64, 96), np.uint8)
    index[0:32, 16:48] = 2  # the upper left quarter of the region
    index[:, 0:16] = 4  # beside it
    found = drawing(base, Mask.of(index), (16, 0, 80, 64), (64, 96))
    assert (found[:64, :64] == LEGEND["street"]).all()
    assert (found[64:] == 7).all()
    assert (found[:, 64:] == 7).all()
    other = drawing(base, Mask.of(index), (16, 0, 80, 64), (96, 64))
    assert other is base, "strokes on another photo are not those of this one"


@pytest.mark.usefixtures("shipped")
def test_the_photo_follows_the_brush(scene: Scene) -> None:
    params = Params(kind=TO_PHOTO, base=BLANK)
    empty = result_of(scene, kind=TO_PHOTO, base=BLANK)
    index = np.zeros((48, 64), np.uint8)
    index[20:28] = 4
    painted = result_of(scene, kind=TO_PHOTO, base=BLANK, strokes=Mask.of(index))
    assert painted.canvas is not None
    assert (painted.canvas.rgb == LEGEND["water"]).all(axis=2).mean() == pytest.approx(8 / 48, 0.05)
    expected = to_pixels(translator("mini-pix2pix-maps").to_photo(tensor_of(painted.canvas.rgb)))[0]
    np.testing.assert_array_equal(painted.pictures[0][1].rgb, expected)
    assert not np.array_equal(expected, empty.pictures[0][1].rgb)
    board = view.draw(painted, replace(params, strokes=Mask.of(index)))
    assert board.pane("drawing").size == board.pane("image").size, "the brush has photo pixels"


@pytest.mark.parametrize("base", BASES)
@pytest.mark.usefixtures("shipped")
def test_what_is_painted_on(scene: Scene, base: str) -> None:
    given = result_of(scene, kind=TO_MAP)
    canvas = result_of(scene, kind=TO_PHOTO, base=base).canvas
    assert canvas is not None
    expected = {
        MADE: given.pictures[0][1].rgb,
        BLANK: np.broadcast_to(np.uint8(LEGEND["land"]), (128, 128, 3)),
    }.get(base, given.pictures[2][1].rgb)
    np.testing.assert_array_equal(canvas.rgb, expected)


@pytest.mark.parametrize(
    ("box", "share", "square", "region"),
    [
        (None, 0.5, False, (50, 25, 150, 75)),
        (None, 1.0, True, (50, 0, 150, 100)),
        (Box(0, 0, 10, 10), 1.0, False, (0, 0, 32, 32)),
        (Box(180, 80, 200, 100), 1.0, True, (168, 68, 200, 100)),
        (Box(20, 10, 120, 70), 1.0, True, (40, 10, 100, 70)),
    ],
)
def test_regions_are_inside_and_not_too_small(
    box: Box | None, share: float, square: bool, region: tuple[int, int, int, int]
) -> None:
    assert region_of(photo(100, 200), box, share, square=square) == region


@pytest.mark.usefixtures("shipped")
def test_a_tiny_photo_is_translated_too() -> None:
    for kind in (LARGER, COLORED, TO_MAP):
        assert result_of(Scene(None, toy_image(height=9, width=70), 0), kind=kind).pictures
