"""A run remembers its moments, goes back to them, and survives what cannot be answered."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.errors import ExplorerError
from explorer.views.shared.synthesis.growth import (
    KEPT,
    Grown,
    Kept,
    Run,
    columns_of,
    history_pane,
    loss_plot,
    sheet_of,
    sheet_tiling,
)
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.images import Pixels
from explorer.vision.synthesis.optimizers import NormalizedDescent
from explorer.vision.synthesis.synthesis import Synthesis
from explorer.vision.synthesis.target import Target
from tests.toys import ToyConvNet, make_network


def a_run(*, rewinds: bool = False) -> Run:
    network = make_network(ToyConvNet(), "classification")
    picture = torch.full((1, 3, 8, 12), 0.5)
    red = objectives.channels("conv1", (0,)).named("red")
    return Run(
        Synthesis(Pixels(picture), Target.of(network), -red, NormalizedDescent(0.001)),
        rewinds=rewinds,
    )


def test_moments_are_spread_over_the_run() -> None:
    run = a_run()
    for _ in range(100):
        run.step()
    grown = run.grown()
    steps = [moment.step for moment in grown.kept]
    assert steps[0] == 0
    assert steps[-1] == 100 == len(grown.losses) == len(grown.parts["red"])
    assert len(steps) <= KEPT + 1
    assert max(np.diff(steps)) <= 16
    assert grown.at(100).step == 100
    assert grown.at(0).step == 0
    assert abs(grown.at(50).step - 50) <= 8
    np.testing.assert_array_equal(grown.at(100).rgb, grown.rgb)


def test_going_back_goes_on_from_there() -> None:
    run = a_run(rewinds=True)
    for _ in range(10):
        run.step()
    before = run.grown()
    run.rewind(50)
    assert run.steps == 5
    np.testing.assert_array_equal(run.grown().rgb, before.kept[5].rgb)
    run.step()
    assert run.steps == 6
    np.testing.assert_allclose(run.grown().losses, before.losses[:6])


def test_an_objective_that_cannot_be_answered_gives_way() -> None:
    run = a_run()
    run.step()
    good = run.synthesis.objective
    run.synthesis.objective = objectives.energy("nothing")
    run.step()
    assert "no layer 'nothing'" in run.problem
    assert run.synthesis.objective is good
    assert run.steps == 2
    fresh = a_run()
    fresh.synthesis.objective = objectives.energy("nothing")
    with pytest.raises(ExplorerError, match="no layer"):
        fresh.step()


def test_numbers_that_are_none_stop_a_run() -> None:
    run = a_run()
    run.step()
    run.synthesis.objective = objectives.channels("conv1", (0,)) / 0.0
    run.step()
    assert run.stopped
    assert "Stopped at step 2" in run.grown().problem
    assert len(run.grown().losses) == 1


def test_several_pictures_lie_in_a_sheet() -> None:
    assert [columns_of(count) for count in (1, 2, 4, 5, 9, 16)] == [1, 2, 2, 3, 3, 4]
    pictures = torch.stack([torch.full((3, 6, 8), k / 10) for k in range(5)])
    sheet = sheet_of(pictures)
    tiling = sheet_tiling(5, sheet)
    for tile in range(5):
        x, y = tiling.corner(tile)
        assert sheet[y, x, 0] == sheet[y + 5, x + 7, 0] == int(25.5 * tile + 0.5)
    assert sheet_of(pictures[:1]).shape == (6, 8, 3)


def test_what_is_drawn() -> None:
    run = a_run()
    for _ in range(20):
        run.step()
    pane = history_pane(run.grown(), most=4)
    words = [layer.text for layer in pane.layers[1:]]
    assert words[0] == "0"
    assert words[-1] == "20"
    plot = loss_plot(run.grown(), title="Loss", y_label="loss", sign=-1.0)
    (curve,) = plot.curves
    np.testing.assert_allclose(curve.y, run.grown().parts["red"])


def test_zero_has_no_place_on_a_logarithmic_axis() -> None:
    """The first content distance of a painting that begins with its photo is one of rounding."""
    losses = np.array([2e-13, 0.5])
    parts = {"content": np.array([1e-12, 0.25]), "style": np.array([1.0, 0.5])}
    rgb = np.zeros((4, 4, 3), np.uint8)
    grown = Grown(rgb, losses, parts, (Kept(2, rgb),))
    plot = loss_plot(grown, title="Loss", y_label="loss", log=True)
    rows = [curve.y.tolist() for curve in plot.curves]
    assert np.isnan([rows[0][0], rows[1][0]]).all()
    assert [rows[0][1], rows[1][1], *rows[2]] == [0.5, 0.25, 1.0, 0.5]
    plain = loss_plot(grown, title="Loss", y_label="loss")
    assert plain.curves[1].y[0] == 1e-12
