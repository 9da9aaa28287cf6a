"""Latent space on a tiny generator: one that was kept by GAN training, and one that ships."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.params import FolderRef, ImageRef
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.evaluation.generated.pictures import to_pixels
from explorer.images.image import open_image
from explorer.networks.generative import shipped
from explorer.networks.generative.shipped import Shipped
from explorer.networks.generative.style_gan import StyleGenerator
from explorer.training.adversarial import learner as learning
from explorer.training.adversarial.learner import GanLearner
from explorer.training.adversarial.recipe import GAN_RUNS, GanRecipe
from explorer.training.adversarial.sources import Pictures
from explorer.training.small.runs import Run
from explorer.views.generative.latent_space import source
from explorer.views.generative.latent_space.params import (
    CORNERS,
    MIXING,
    PROJECTION,
    RESOLUTIONS,
    SHOWS,
    WALK,
    Params,
)
from explorer.views.generative.latent_space.view import VIEW, Result, draw
from explorer.vision.latent.walks import latent

WIDTHS = {4: 8, 8: 6, 16: 5, 32: 4}


@pytest.fixture
def generator(monkeypatch: pytest.MonkeyPatch) -> StyleGenerator:
    """As if it shipped."""
    torch.manual_seed(0)
    made = StyleGenerator(WIDTHS, size=16).eval().requires_grad_(requires_grad=False)
    made.mean_style.normal_(std=0.1)  # type: ignore[operator]
    monkeypatch.setattr(shipped, "names", lambda: (source.NAME,))
    monkeypatch.setattr(shipped, "load", lambda name: Shipped(made, {"title": "Tiny"}))
    return made


def last(params: Params, scene: Scene | None = None) -> tuple[Result, Board]:
    *_, step = VIEW.compute(scene or Scene(None, None, 3), params)
    return step.value, draw(step.value, params)


def test_samples_are_the_generators_own_pictures(generator: StyleGenerator) -> None:
    result, board = last(Params(first=5, truncation=1.0))
    z = torch.cat([latent(5 + number, 3, 16) for number in range(24)])
    apart = result.sheets[0].pictures.astype(int) - to_pixels(generator(z))
    assert np.abs(apart).max() <= 1, "but for rounding of the truncation"
    mean, _ = last(Params(truncation=0.0))
    assert (mean.sheets[0].pictures == mean.sheets[0].pictures[0]).all(), "all are the mean style's"
    assert "Tiny" in board.summary


def test_a_walk_begins_and_ends_with_the_samples(generator: StyleGenerator) -> None:
    params = Params(WALK, first=2, second=7, truncation=1.0)
    result, board = last(params)
    z = torch.cat([latent(number, 3, 16) for number in (2, 7)])
    ends = result.sheets[0].pictures[[0, -1]].astype(int)
    assert np.abs(ends - to_pixels(generator(z))).max() <= 1
    assert result.lengths[20] < min(result.lengths[0], result.lengths[-1])
    assert [plot.name for plot in board.plots] == ["speed", "length"]
    moved = draw(result, replace(params, place=100))
    assert "100%" in moved.pane("here").title


def test_shares_add_up_to_the_picture(generator: StyleGenerator) -> None:
    result, _ = last(Params(RESOLUTIONS, first=4, truncation=1.0))
    whole, alone = result.sheets
    assert whole.labels == ("4 x 4", "8 x 8", "16 x 16", "32 x 32")
    apart = whole.pictures[-1:].astype(int) - to_pixels(generator(latent(4, 3, 16)))
    assert np.abs(apart).max() <= 1
    assert len(alone.pictures) == 4
    assert len(np.unique(whole.pictures[0].reshape(-1, 3), axis=0)) <= 16, "4 x 4 squares"


@pytest.mark.parametrize("show", [CORNERS, MIXING])
@pytest.mark.usefixtures("generator")
def test_sheets_of_many_pictures(show: str) -> None:
    for switch in (0, 2, 5):
        result, board = last(Params(show, switch=switch))
        (sheet,) = result.sheets
        assert len(sheet.pictures) == {CORNERS: 36, MIXING: 30}[show]
        assert board.panes[0].title
    if show == MIXING:  # beyond the last resolution nothing comes from above
        rows = sheet.pictures.reshape(5, 6, *sheet.pictures.shape[1:])
        assert (rows[1:, 1:] == rows[1:, :1]).all()


@pytest.mark.usefixtures("generator")
def test_a_photo_is_projected(tmp_path: Path) -> None:
    path = tmp_path / "own.png"
    cv2.imwrite(str(path), np.full((40, 60, 3), 200, np.uint8))
    params = Params(PROJECTION, own=ImageRef(str(path)), steps=12)
    scene = Scene(None, None, 3)
    scene.opened = Opened({}, {ImageRef(str(path)): open_image(path)})
    steps = list(VIEW.compute(scene, params))
    assert [step.done for step in steps] == [5, 10, 12]
    distances = steps[-1].value.distances
    assert distances[-1] < distances[0]
    assert (steps[-1].value.sheets[0].pictures[0] == 200).all()
    _, board = last(Params(PROJECTION))
    assert board.summary == "Choose a photo to project."


def test_a_kept_run_gives_its_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (learning, source):
        monkeypatch.setattr(module, "WIDTHS", WIDTHS)
    own = GanLearner(Pictures("noise", np.zeros((4, 32, 32, 3), np.uint8)), GanRecipe(True), 0)
    kept: dict[str, Any] = {"seed": 0, "data": "noise", "digest": "d", "classes": (), "step": 7}
    GAN_RUNS.write(Run("points", GanRecipe(), **kept), {"w": torch.ones(1)})
    GAN_RUNS.write(Run("a", GanRecipe(True), **kept), own.state())
    result, board = last(Params(truncation=1.0))
    assert "trained on noise, step 7" in board.summary
    assert isinstance(own.generator, StyleGenerator)
    with torch.no_grad():
        expected = to_pixels(own.generator(latent(0, 3, learning.LATENT)))
    assert np.abs(result.sheets[0].pictures[:1].astype(int) - expected).max() <= 1
    with pytest.raises(ExplorerError, match="made points"):
        last(Params(run=FolderRef(str(GAN_RUNS.folder() / "points"))))


@pytest.mark.parametrize("show", SHOWS)
def test_without_a_generator_it_says_what_to_do(show: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shipped, "names", tuple)
    _, board = last(Params(show))
    assert "train one with GAN training" in board.notes[0]
