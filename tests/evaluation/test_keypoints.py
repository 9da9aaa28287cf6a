"""Keypoints of people: COCO's figures against pycocotools, the share of correct ones by hand."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.evaluation.cases import Source
from explorer.evaluation.coco import coco_keypoint_ap
from explorer.evaluation.datasets import open_source
from explorer.evaluation.keypoints.scores import KeypointBoxes
from explorer.evaluation.keypoints.skeletons import (
    SIGMAS,
    Skeletons,
    keypoint_errors,
    places_of,
    sigmas_of,
)
from explorer.evaluation.metrics import Found, Objects
from explorer.evaluation.report import Report
from explorer.evaluation.run import evaluate
from explorer.networks.embedded.lite_keypoints import JOINTS
from explorer.networks.embedded.lite_pose import JOINTS as POSE_JOINTS
from explorer.networks.network import Network
from explorer.views.evaluation.evaluation.view import VIEW, Params
from tests.data import shared_data
from tests.evaluation.sets import RED, picture
from tests.toys import make_network

NAMES = ("nose", "left_shoulder", "right_hip")

Case = tuple[list[Objects], list[Skeletons], list[Found], list[np.ndarray]]


def some_people(rng: np.random.Generator, photos: int) -> Case:
    """People of every size; some in crowds, some without a labeled keypoint, some missed."""
    truth, skeletons, found, points = [], [], [], []
    for _ in range(photos):
        people = int(rng.integers(0, 5))
        corner, sides = rng.uniform(0, 200, (people, 2)), rng.uniform(15, 220, (people, 2))
        boxes = np.concatenate([corner, corner + sides], axis=1)
        crowd = rng.random(people) < 0.15
        truth.append(Objects(boxes, np.ones(people, np.int64), crowd, np.zeros(people, bool)))
        places = corner[:, None] + rng.random((people, 17, 2)) * sides[:, None]
        v = rng.integers(0, 3, (people, 17, 1)) * (rng.random((people, 1, 1)) < 0.85)
        joints = np.concatenate([places * (v > 0), v], axis=2).astype(float)
        skeletons.append(Skeletons(joints, sides.prod(axis=1) * rng.uniform(0.3, 0.7, people)))
        rows = np.flatnonzero(rng.random(people) < 0.85)
        rows = np.concatenate([rows, rows[:1]])  # one is found twice
        near = places[rows] + rng.normal(0, 0.07, (len(rows), 17, 2)) * sides[rows][:, None]
        points.append(np.concatenate([near, np.ones((len(rows), 17, 1))], axis=2))
        scores = rng.random(len(rows))
        found.append(Found(boxes[rows], np.ones(len(rows), np.int64), scores))
    return truth, skeletons, found, points


def as_pycocotools_has_it(case: Case, sigmas: list[float]) -> list[float]:
    """AP, AP50, AP75 and AR from an annotation file and results, put together independently."""
    tools = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    notes: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for photo, (objects, there, answer, own) in enumerate(zip(*case, strict=True)):
        for row, box in enumerate(objects.xyxy):
            notes.append({
                "id": len(notes) + 1, "image_id": photo, "category_id": 1,
                "bbox": [box[0], box[1], box[2] - box[0], box[3] - box[1]],
                "area": there.area[row], "iscrowd": int(objects.crowd[row]),
                "keypoints": list(there.points[row].ravel()),
                "num_keypoints": int(np.count_nonzero(there.points[row, :, 2])),
            })  # fmt: skip
        results += [
            {"image_id": photo, "category_id": 1, "keypoints": list(joints.ravel()), "score": s}
            for joints, s in zip(own, answer.scores, strict=True)
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        known = tools.COCO()
        known.dataset = {
            "info": {}, "images": [{"id": photo} for photo in range(len(case[0]))],
            "annotations": notes, "categories": [{"id": 1, "name": "person"}],
        }  # fmt: skip
        known.createIndex()
        evaluation = COCOeval(known, known.loadRes(results), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(evaluation.stats[place]) for place in (0, 1, 2, 5)]


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_figures_are_those_of_pycocotools(seed: int) -> None:
    case = some_people(np.random.default_rng(seed), 40)
    sigmas = sigmas_of(JOINTS)
    ours = coco_keypoint_ap(*case, sigmas)
    assert ours is not None
    assert 0.05 < ours.ap < 0.95
    assert list(ours) == pytest.approx(as_pycocotools_has_it(case, sigmas), abs=1e-6)


def test_the_constants_are_those_of_pycocotools() -> None:
    params = pytest.importorskip("pycocotools.cocoeval").Params("keypoints")
    assert sigmas_of(JOINTS) == pytest.approx(params.kpt_oks_sigmas.tolist())


def test_keypoints_find_each_other_by_name() -> None:
    # neck and head top have no constant, and COCO's nose, eyes and ears are not there
    assert places_of(POSE_JOINTS, JOINTS) == [16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, -1, -1]
    assert places_of(JOINTS, POSE_JOINTS)[:7] == [-1, -1, -1, -1, -1, 9, 8]
    assert places_of(("neck",), ("neck",)) == [-1]
    assert len(SIGMAS) == 17


def one_person(v: tuple[int, int, int] = (2, 2, 2)) -> Skeletons:
    """A torso of 50 pixels, the nose beside it."""
    places = np.array([[[30, 0], [0, 0], [30, 40]]], float)
    return Skeletons(np.concatenate([places, np.array([v], float)[..., None]], axis=2), np.ones(1))


def correct(skeleton: Skeletons, moved: float, box: tuple[float, ...]) -> float | None:
    there = np.array([[0, 0, 40, 40]], float)
    truth = Objects.plain(there, np.ones(1))
    found = Found(np.array([box], float), np.ones(1, np.int64), np.ones(1))
    points = skeleton.points.copy()
    points[:, 0, 0] += moved
    errors = keypoint_errors(NAMES, [truth], [skeleton], [found], [points])
    assert errors is not None
    return errors.correct()


def test_correct_keypoints_by_hand() -> None:
    box = (0, 0, 40, 38)
    assert correct(one_person(), 9.9, box) == 1  # a fifth of 50 is allowed
    assert correct(one_person(), 10.1, box) == pytest.approx(2 / 3)
    assert correct(one_person((0, 2, 2)), 10.1, box) == 1
    assert correct(one_person((2, 2, 0)), 0, box) is None  # no torso
    assert correct(one_person(), 0, (0, 0, 40, 19)) == 0  # nobody has found the person


class Pointer(nn.Module):
    """Finds the red rectangle: nose and shoulder at its upper corners, the hip at a lower one."""

    def __init__(self) -> None:
        super().__init__()
        self.identity = nn.Identity()

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        ys, xs = torch.nonzero(self.identity(images[0])[0] > 0.5, as_tuple=True)
        x0, y0, x1, y1 = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
        return [{
            "boxes": torch.tensor([[x0, y0, x1, y1]]).float(), "labels": torch.tensor([1]),
            "scores": torch.tensor([0.9]), "keypoints_scores": torch.ones(1, 3),
            "keypoints": torch.tensor([[[x0, y0, 1], [x1, y0, 1], [x0, y1, 1]]]).float(),
        }]  # fmt: skip


def pointer(names: tuple[str, ...] = NAMES) -> Network:
    network = make_network(Pointer(), "detection", classes=("__background__", "person"))
    network.info = replace(network.info, keypoints=names)
    return network


def people_set(root: Path) -> Path:
    """Two people; the second one's hip lies elsewhere. The data have the keypoints backwards."""
    notes = []
    for number, box, hip in ((1, (10, 5, 30, 35), (10, 35)), (2, (20, 10, 50, 30), (40, 30))):
        picture(root / "images" / f"{number}.png", (RED, box))
        x0, y0, x1, y1 = box
        notes.append({
            "id": number, "image_id": number, "category_id": 1, "iscrowd": 0,
            "bbox": [x0, y0, x1 - x0, y1 - y0], "area": (x1 - x0) * (y1 - y0),
            "keypoints": [*hip, 2, x1, y0, 1, x0, y0, 2], "num_keypoints": 3,
        })  # fmt: skip
    names = ["right_hip", "left_shoulder", "nose"]
    path = root / "people.json"
    path.write_text(json.dumps({
        "images": [
            {"id": k, "file_name": f"{k}.png", "width": 60, "height": 40} for k in (1, 2)
        ],
        "annotations": notes, "categories": [{"id": 1, "name": "person", "keypoints": names}],
    }))  # fmt: skip
    return path


def whole(network: Network, source: Source) -> Report:
    *_, last = evaluate(network, source)
    return last.value


def test_a_folder_of_people(tmp_path: Path) -> None:
    network = pointer()
    source = open_source(people_set(tmp_path), "detection")
    assert "keypoints" in source.offers
    report = whole(network, source)
    assert report.figures["AP"] == pytest.approx(1)
    assert report.figures["PCK@0.2"] == pytest.approx(5 / 6)
    # of the second person two of three keypoints are at no distance, one is far off: OKS 2/3
    assert report.figures["keypoint_AP50"] == pytest.approx(1)
    assert report.figures["keypoint_AP75"] == pytest.approx(51 / 101)
    assert report.headline().startswith("AP 100.0%")


def test_the_photos_may_have_become_smaller(tmp_path: Path) -> None:
    path = people_set(tmp_path)
    picture(tmp_path / "images" / "1.png", (RED, (5, 3, 15, 18)), size=(20, 30))
    report = whole(pointer(), open_source(path, "detection"))
    assert report.figures["PCK@0.2"] == pytest.approx(5 / 6)


def test_a_detector_without_keypoints_is_not_asked_for_any(tmp_path: Path) -> None:
    report = whole(pointer(()), open_source(people_set(tmp_path), "detection"))
    assert "keypoint_AP" not in report.figures
    assert report.figures["AP"] == pytest.approx(1)


def test_names_and_answers_that_do_not_fit_are_said(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="does not output the keypoints"):
        whole(pointer(("nose",)), open_source(people_set(tmp_path), "detection"))


def test_an_evaluation_goes_on_where_it_stopped() -> None:
    truth, skeletons, found, points = some_people(np.random.default_rng(4), 12)
    score = KeypointBoxes(JOINTS)
    score._truth, score._found = truth, found
    score._skeletons, score._points = skeletons, points
    score._numbers = list(range(12))
    again = KeypointBoxes(JOINTS)
    again.extend(score.arrays())
    assert again.figures(["", "person"]) == score.figures(["", "person"])
    empty = KeypointBoxes(JOINTS)
    empty.extend(KeypointBoxes(JOINTS).arrays())
    assert empty.photos == 0


class Replay(nn.Module):
    """Outputs what it was given, photo after photo."""

    def __init__(self, answers: list[dict[str, Tensor]]) -> None:
        super().__init__()
        self.identity = nn.Identity()
        self.answers = iter(answers)

    def forward(self, images: list[Tensor]) -> list[dict[str, Tensor]]:
        self.identity(images[0])
        return [next(self.answers)]


@pytest.mark.parametrize("spread", [0.02, 0.08])
def test_an_evaluation_of_cocos_own_people_equals_pycocotools(spread: float) -> None:
    """From the annotation file to the figures, with keypoints that lie near the labeled ones."""
    folder = shared_data("coco_person_keypoints")
    if folder is None:
        pytest.skip("the shared test data are not here")
    tools = pytest.importorskip("pycocotools.coco")
    from pycocotools.cocoeval import COCOeval

    path = folder / "test_coco.json"
    content = json.loads(path.read_text())
    rng = np.random.default_rng(7)
    answers, results = [], []
    for image in content["images"]:
        people = [note for note in content["annotations"] if note["image_id"] == image["id"]]
        boxes, points, scores = [], [], []
        for note in people:
            x, y, wide, tall = note["bbox"]
            near = np.array(note["keypoints"], float).reshape(-1, 3)
            near[:, :2] += rng.normal(0, spread, (17, 2)) * max(wide, tall)
            near[:, 2] = 1
            near = near.astype(np.float32)
            score = np.float32(rng.random())
            boxes.append([x, y, x + wide, y + tall])
            points.append(near)
            scores.append(score)
            results.append({
                "image_id": image["id"], "category_id": 1, "score": float(score),
                "keypoints": near.ravel().astype(float).tolist(),
            })  # fmt: skip
        answers.append({
            "boxes": torch.tensor(boxes).float().reshape(-1, 4), "scores": torch.tensor(scores),
            "labels": torch.ones(len(boxes), dtype=torch.int64),
            "keypoints": torch.from_numpy(np.array(points, np.float32).reshape(-1, 17, 3)),
            "keypoints_scores": torch.ones(len(boxes), 17),
        })  # fmt: skip
    with contextlib.redirect_stdout(io.StringIO()):
        known = tools.COCO(str(path))
        reference = COCOeval(known, known.loadRes(results), "keypoints")
        reference.evaluate()
        reference.accumulate()
        reference.summarize()
    network = make_network(Replay(answers), "detection", classes=("__background__", "person"))
    network.info = replace(network.info, keypoints=JOINTS)
    report = whole(network, open_source(path, "detection"))
    keys = ("keypoint_AP", "keypoint_AP50", "keypoint_AP75", "keypoint_AR")
    ours = [report.figures[key] for key in keys]
    assert ours == pytest.approx([reference.stats[place] for place in (0, 1, 2, 5)], abs=1e-6)
    assert 0.01 < ours[0] < 1


def test_why_keypoints_are_not_evaluated_is_said(tmp_path: Path) -> None:
    path = people_set(tmp_path)
    content = json.loads(path.read_text())
    content["annotations"][0]["keypoints"] = [1, 2, 2, 3]
    content["annotations"][1]["keypoints"] += [1, 1, 2]
    path.write_text(json.dumps(content))
    (note,) = [n for n in open_source(path, "detection").notes if "keypoints" in n]
    assert note == (
        "2 objects have keypoints that were ignored: they are not x, y, v for each name "
        "(annotation 1, …)."
    )
    report = whole(pointer(), open_source(path, "detection"))
    assert any("no keypoints with names: only boxes are evaluated" in n for n in report.notes)


def test_keypoints_that_only_one_of_both_has_are_named(tmp_path: Path) -> None:
    path = people_set(tmp_path)
    some = whole(pointer(("nose", "left_shoulder", "left_knee")), open_source(path, "detection"))
    assert any(n.endswith("does not have them: left knee.") for n in some.notes)
    none = whole(pointer(("tail", "paw", "left_knee")), open_source(path, "detection"))
    assert any("none of the network's keypoints (tail, paw, left knee)" in n for n in none.notes)
    assert "keypoint_AP" not in none.figures
    assert not [
        n for n in whole(pointer(), open_source(path, "detection")).notes if "keypoint" in n
    ]


def test_the_view_shows_correct_keypoints(tmp_path: Path) -> None:
    report = whole(pointer(), open_source(people_set(tmp_path), "detection"))
    board = VIEW.draw(report, Params())
    (curve,) = [plot for plot in board.plots if plot.name == "pck"]
    x, y = curve.curves[0].x, curve.curves[0].y
    assert y[np.abs(x - 0.2).argmin()] == pytest.approx(5 / 6)
    (bars,) = [plot for plot in board.plots if plot.name == "by_keypoint"]
    assert [(name, value) for name, value, _ in bars.bars] == [
        ("nose", 1.0), ("left shoulder", 1.0), ("right hip", 0.5),
    ]  # fmt: skip


def test_cocos_own_people() -> None:
    folder = shared_data("coco_person_keypoints")
    if folder is None:
        pytest.skip("the shared test data are not here")
    source = open_source(folder / "test_coco.json", "detection")
    network = pointer(JOINTS)
    (cases,) = [source.make("detection", np.array([1]), network.info)]
    truths = [case.load()[1] for case in cases]
    labeled = [int((t.skeletons.points[..., 2] > 0).sum()) for t in truths if t.skeletons]
    assert len(labeled) == 4
    assert sum(labeled) == 17 + 14 + 15 + 15 + 15 + 12 + 17 + 16 + 16 + 15 + 16 + 13
