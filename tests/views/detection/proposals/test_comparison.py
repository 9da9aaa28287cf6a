"""The table has every published row, and what stands beside it is an independent count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torchvision.ops import box_iou

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, FolderRef
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.evaluation.metrics import Found, Objects, voc_ap
from explorer.views.detection.proposals.comparison import MEASURED, compared, figures, truth_of
from explorer.views.detection.proposals.params import ALL, Params, Result
from explorer.views.detection.proposals.table import COLUMNS, NO_PACKAGE
from explorer.views.detection.proposals.view import VIEW
from explorer.views.shared.regions.proposals import RPN, again
from explorer.vision.detection.corruptions import CHANGES
from explorer.vision.proposals.methods import propose
from explorer.vision.proposals.published import TABLE
from tests.evaluation.sets import RED, picture
from tests.toys import toy_image, toy_network, toy_single_stage_network

TRUTH = (Box(16, 12, 32, 24, "cat"), Box(1, 4, 30, 40, "dog"), Box(30, 10, 60, 40, "zebra"))
PARAMS = Params(compare=ALL, repeat=False, truth=TRUTH)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(toy_network("detection"), toy_image(), seed=5)


@pytest.fixture(scope="module")
def steps(scene: Scene) -> list[Step[Result]]:
    return list(VIEW.compute(scene, PARAMS))


def row(board: Any, name: str) -> dict[str, Any]:
    (table,) = board.tables
    (found,) = (each for each in table.rows if each[0] == name)
    cells = list(zip(table.columns, found, strict=True))
    return dict(cells) | {"repeatability": found[table.columns.index("repeatability, paper") + 1]}


def test_every_method_comes_by_itself(steps: list[Step[Result]]) -> None:
    assert [step.done for step in steps[:-1]] == list(range(2 * len(MEASURED) + 1))
    assert {step.total for step in steps} == {2 * len(MEASURED)}
    first, last = (VIEW.draw(step.value, PARAMS) for step in (steps[0], steps[-1]))
    assert [r[0] for r in first.tables[0].rows] == [r[0] for r in last.tables[0].rows]
    assert row(first, "BING")["s, here"] == ""
    assert row(last, "BING")["s, here"] != ""
    assert f"{len(MEASURED)} of {len(MEASURED)} methods" in last.summary


def test_rows_of_the_paper_and_what_has_no_package(steps: list[Step[Result]]) -> None:
    board = VIEW.draw(steps[-1].value, PARAMS)
    names = [each[0] for each in board.tables[0].rows]
    assert names[: len(TABLE)] == [each.name for each in TABLE]
    cpmc = row(board, "CPMC")
    assert (cpmc["s, paper"], cpmc["repeatability, paper"], cpmc["recall, paper"]) == (
        "250", "–", "**",
    )  # fmt: skip
    assert cpmc["AR, here"] == cpmc["AP50, here"] == cpmc["s, here"] == ""
    assert NO_PACKAGE in cpmc["source"]
    assert row(board, "Edge Boxes")["detection, paper"] == "***"
    assert len(COLUMNS) == 14


def test_average_recall_by_another_count(steps: list[Step[Result]]) -> None:
    boxes = propose("k-means boxes", toy_image().pixels, 1000, seed=5).boxes
    wanted = torch.tensor([[b.x0, b.y0, b.x1, b.y1] for b in TRUTH])
    best = box_iou(wanted, torch.from_numpy(boxes)).max(dim=1).values.numpy()
    expected = 2 * np.maximum(best - 0.5, 0).mean()
    board = VIEW.draw(steps[-1].value, PARAMS)
    assert row(board, "K-means boxes")["AR, here"] == f"{expected:.2f}"
    found = VIEW.data(steps[-1].value, PARAMS)
    at = found["table_methods"].index("K-means boxes")
    assert found["table_recall"][at] == pytest.approx(expected, abs=1e-6)
    assert found["published_seconds"][found["table_methods"].index("MCG")] == 30


def test_with_its_own_proposals_the_head_is_the_network(
    scene: Scene, steps: list[Step[Result]]
) -> None:
    (own,) = scene.output()
    known = steps[-1].value.comparison
    assert known is not None
    (sample,) = known.samples
    found = sample.runs[RPN].detections
    assert found is not None
    np.testing.assert_allclose(found.xyxy, scene.frame.inverse().boxes(own["boxes"].numpy()),
                               atol=1e-2)  # fmt: skip
    np.testing.assert_allclose(found.scores, own["scores"].numpy(), atol=1e-4)
    # the detector has no zebra: it counts for recall only
    truth = Objects.plain(np.array([[16, 12, 32, 24], [1, 4, 30, 40]]), np.array([1, 2]))
    answer = Found(found.xyxy, found.labels, found.scores)
    classes = voc_ap([truth], [answer])
    expected = np.mean([entry.every_point for entry in classes.values()])
    assert figures(known, TRUTH)[RPN].precision == pytest.approx(expected)


def test_labels_are_the_detectors() -> None:
    info = toy_network("detection").info
    boxes = (*TRUTH, Box(0, 0, 9, 9), Box(0, 0, 5, 5, "dog", crowd=True))
    found = truth_of(boxes, info)
    assert found.labels.tolist() == [1, 2, -1, -1, 2]
    assert found.passed.tolist() == [False] * 4 + [True]
    assert truth_of((Box(0, 0, 9, 9, "zebra"),), info).labels.tolist() == [-1]


def test_repeatability_is_the_mean_over_the_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("k-means boxes", "Felzenszwalb")
    monkeypatch.setattr("explorer.views.detection.proposals.comparison.MEASURED", few)
    own = Scene(toy_network("detection"), toy_image(), seed=5)
    *_, last = compared(own, own.network, None, 1, repeat=True)
    scores = [again(own, few[1], change, 2, 1000).score for change in CHANGES]
    found = figures(last.value, ())
    assert found[few[1]].repeatability == pytest.approx(np.nanmean(scores))
    assert found[few[0]].repeatability > 0.8  # nothing but the cut of a turned photo changes it
    assert np.isnan(found[few[1]].recall)
    assert np.isnan(found[few[1]].precision)


def voc_set(root: Path) -> Path:
    for name, word in (("a", "cat"), ("b", "zebra")):
        picture(root / "JPEGImages" / f"{name}.png", (RED, (5, 5, 25, 25)))
        place = root / "Annotations" / f"{name}.xml"
        place.parent.mkdir(exist_ok=True)
        place.write_text(
            f"<annotation><filename>{name}.png</filename><object><name>{word}</name><bndbox>"
            "<xmin>6</xmin><ymin>6</ymin><xmax>25</xmax><ymax>25</ymax></bndbox></object>"
            "</annotation>"
        )
    return root


def test_a_data_set_is_measured_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("k-means boxes", "sliding window")
    monkeypatch.setattr("explorer.views.detection.proposals.comparison.MEASURED", few)
    own = Scene(toy_network("detection"), toy_image())
    folder = FolderRef(str(voc_set(tmp_path / "set")))
    steps = list(compared(own, own.network, folder, 500, repeat=False))
    assert [step.done for step in steps] == [0, 1, 2, 3, 4, 5, 6, 7, 8, 8]
    assert steps[6].note.startswith("photo 2 of 2: ")
    known = steps[-1].value
    assert [sample.truth.labels.tolist() for sample in known.samples] == [[1], [-1]]
    assert "lacks 1 class" in known.notes[0]
    wanted = torch.tensor([[5.0, 5, 25, 25]])
    best = [
        box_iou(wanted, torch.from_numpy(sample.runs[few[0]].found.boxes)).max()
        for sample in known.samples
    ]
    expected = 2 * np.maximum(np.array(best) - 0.5, 0).mean()
    assert figures(known, TRUTH)[few[0]].recall == pytest.approx(expected, abs=1e-6)
    again_ = list(compared(own, own.network, folder, 500, repeat=False))
    assert len(again_) == 2
    assert again_[-1].value.samples[1].runs[few[1]] is known.samples[1].runs[few[1]]
    assert len(list(compared(own, own.network, folder, 1, repeat=False))[-1].value.samples) == 1


def test_what_was_stopped_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    few = ("k-means boxes", "sliding window", "Gaussian")
    monkeypatch.setattr("explorer.views.detection.proposals.comparison.MEASURED", few)
    own = Scene(toy_network("detection"), toy_image())
    begun = compared(own, own.network, None, 1, repeat=False)
    for _ in range(3):
        step = next(begun)
    begun.close()
    rest = list(compared(own, own.network, None, 1, repeat=False))
    assert step.done == 2
    assert [each.done for each in rest] == [0, 3, 4, 5, 6, 6]


def test_a_detector_without_a_second_stage_is_refused(scene: Scene) -> None:
    with pytest.raises(ExplorerError, match="not a two-stage detector"):
        next(compared(scene, toy_single_stage_network(), None, 1, repeat=False))


def test_a_folder_without_boxes_is_refused(scene: Scene, tmp_path: Path) -> None:
    for name in ("cat", "dog"):
        picture(tmp_path / name / "a.png", (RED, (5, 5, 25, 25)))
    with pytest.raises(ExplorerError, match="no ground-truth boxes"):
        next(compared(scene, scene.network, FolderRef(str(tmp_path)), 1, repeat=False))
