"""Pose networks on the people of a data set, each in its box."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.evaluation.datasets import open_source
from explorer.evaluation.keypoints.poses import Poses
from explorer.evaluation.report import Report
from explorer.evaluation.run import evaluate
from explorer.networks import catalog
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.training.data.pool import read_lspet
from explorer.training.lessons.lite.pose import correct_joints
from explorer.views.evaluation.evaluation.view import VIEW, Params
from tests.data import shared_data
from tests.evaluation.sets import class_folders, pose_set
from tests.steps import finish
from tests.toys import make_network, toy_network

NAMES = ("left_shoulder", "right_hip")


class Says(nn.Module):
    """Outputs the same places, fractions of the crop, for every crop."""

    def __init__(self, *places: tuple[float, float]) -> None:
        super().__init__()
        self.identity = nn.Identity()
        self.places = torch.tensor(places)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        return {"joints": self.places.expand(len(self.identity(x)), -1, -1)}


def says(*places: tuple[float, float], names: tuple[str, ...] = NAMES) -> Network:
    return make_network(
        Says(*places), "pose", classes=("background", "person"), keypoints=names,
        preprocess=Preprocess(resize=224, crop=224),
    )  # fmt: skip


def whole(network: Network, path: Path) -> Report:
    *_, last = evaluate(network, open_source(path, network.info.task))
    return last.value


def test_correct_keypoints_in_the_boxes_by_hand(tmp_path: Path) -> None:
    """Shoulder and hip lie at (8, 8) and (24, 24) of 32: the torso is 22.6 pixels long."""
    path = pose_set(tmp_path)
    right = whole(says((0.25, 0.25), (0.75, 0.75)), path)
    assert right.figures == {"PCK@0.2": 1.0, "PCK@0.5": 1.0}
    assert right.photos == 2
    # 4.6 pixels are too far for 0.2, 11.2 for no limit but 0.5
    half = whole(says((0.25, 0.25), (0.75 + 4.6 / 32, 0.75)), path)
    assert half.figures == {"PCK@0.2": 0.5, "PCK@0.5": 1.0}
    far = whole(says((0.25 + 11.4 / 32, 0.25), (0.75, 0.75 + 11.2 / 32)), path)
    assert far.figures == {"PCK@0.2": 0.0, "PCK@0.5": 0.5}
    assert far.headline() == "PCK@0.2 0.0%, PCK@0.5 50.0%"


def test_the_view_of_it(tmp_path: Path) -> None:
    report = whole(says((0.25, 0.25), (0.75 + 4.6 / 32, 0.75)), pose_set(tmp_path))
    board = VIEW.draw(report, Params())
    assert [pane.name for pane in board.panes] == ["keypoints"]
    assert [plot.name for plot in board.plots] == ["pck", "by_keypoint"]
    worst = next(table for table in board.tables if table.name == "photos")
    assert worst.photos_view == "pose_regression"
    assert [row[0] for row in worst.rows] == ["p.png, person 1", "p.png, person 2"]
    assert worst.rows[0][1] == pytest.approx(4.6 / np.hypot(16, 16) / 2)
    assert worst.rows[0][2] == "1 of 2"
    assert "2 people" in board.summary


def test_what_cannot_be_evaluated_is_said(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="has none with names"):
        whole(says((0.5, 0.5)), class_folders(tmp_path / "classes"))
    path = pose_set(tmp_path)
    with pytest.raises(ExplorerError, match="does not output the keypoints"):
        whole(says((0.5, 0.5)), path)
    faces = says((0.25, 0.25), (0.75, 0.75), names=("left_eye", "nose"))
    with pytest.raises(ExplorerError, match="have no torso"):
        whole(faces, path)
    with pytest.raises(ExplorerError, match="features"):
        whole(toy_network("features"), path)


def test_an_evaluation_goes_on_where_it_stopped() -> None:

    score = Poses(NAMES)
    score._truth = [np.array([[0.0, 0, 2], [10, 0, 2]])]
    score._found = [np.array([[1.0, 0, 1], [19, 0, 1]])]
    score._numbers = [3]
    again = Poses(NAMES)
    again.extend(score.arrays())
    assert again.photos == 1
    assert again.figures([]) == score.figures([]) == ({"PCK@0.2": 0.5, "PCK@0.5": 0.5}, {})
    assert again.measures().keypoints.photo.tolist() == [3, 3]
    empty = Poses(NAMES)
    empty.extend(Poses(NAMES).arrays())
    assert empty.photos == 0


def test_the_shipped_network_has_the_figures_of_its_lesson() -> None:
    folder = shared_data("lspet")
    if folder is None:
        pytest.skip("the shared test data are not here")
    network, _ = finish(catalog.load(NetworkSpec("lite-pose", device="cpu")))
    source = open_source(folder, "pose")
    photos = read_lspet(folder, "validation", own=True)[:12]
    wanted = correct_joints(network.module, photos)
    names = {photo.path.name for photo in photos}
    cases = [
        case
        for case in source.make("pose", np.ones(len(source.classes), np.int64), network.info)
        if case.path is not None and case.path.name in names
    ]
    some = replace(source, make=lambda *_: cases)
    *_, last = evaluate(network, some)
    for key in ("PCK@0.2", "PCK@0.5"):
        assert last.value.figures[key] == pytest.approx(wanted[key], abs=1e-4)
