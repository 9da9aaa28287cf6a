"""COCO's figures by the evaluator's own files, and by hand."""

from __future__ import annotations

import contextlib
import io
import json
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.evaluation.coco import Masks, coco_ap, coco_mask_ap50
from explorer.evaluation.metrics import Found, Objects
from tests.evaluation.test_errors import at_random

DOG, CAT = 1, 2


def test_coco_is_what_the_evaluator_says_about_files(tmp_path: Path) -> None:
    """The same numbers as from an annotation file and a result file, written independently."""
    from faster_coco_eval import COCO, COCOeval_faster

    rng = np.random.default_rng(5)
    truth, answers, notes, results = [], [], [], []
    for photo in range(12):
        corner = rng.uniform(0, 60, (5, 2))
        boxes = np.concatenate([corner, corner + rng.uniform(10, 40, (5, 2))], 1)
        labels = rng.integers(1, 4, 5)
        crowd = rng.random(5) < 0.2
        truth.append(Objects(boxes, labels, crowd, np.zeros(5, bool)))
        moved = (boxes + rng.normal(0, 3, boxes.shape)).astype(np.float32)
        scores = rng.random(5).astype(np.float32)
        guesses = np.where(rng.random(5) < 0.8, labels, 2)
        answers.append(Found(moved, guesses, scores))
        for box, label, many in zip(boxes, labels, crowd, strict=True):
            x, y, w, h = box[0], box[1], box[2] - box[0], box[3] - box[1]
            notes.append(
                {"id": len(notes) + 1, "image_id": photo, "category_id": int(label),
                 "bbox": [x, y, w, h], "area": w * h, "iscrowd": int(many)}
            )  # fmt: skip
        for box, label, score in zip(moved.astype(float), guesses, scores, strict=True):
            bbox = [box[0], box[1], box[2] - box[0], box[3] - box[1]]
            results.append(
                {"image_id": photo, "category_id": int(label), "bbox": bbox, "score": float(score)}
            )
    images = [{"id": i, "width": 100, "height": 100, "file_name": f"{i}.jpg"} for i in range(12)]
    categories = [{"id": i, "name": str(i)} for i in (1, 2, 3)]
    (tmp_path / "truth.json").write_text(
        json.dumps({"images": images, "annotations": notes, "categories": categories})
    )
    (tmp_path / "found.json").write_text(json.dumps(results))
    known = COCO(str(tmp_path / "truth.json"))
    theirs = COCOeval_faster(
        known, known.loadRes(str(tmp_path / "found.json")), "bbox", print_function=lambda *_: None
    )
    theirs.evaluate()
    theirs.accumulate()
    theirs.summarize()
    ours = coco_ap(truth, answers)
    assert 0.05 < ours.ap < 0.95
    assert [ours.ap, ours.ap50, ours.ar] == [float(theirs.stats[i]) for i in (0, 1, 8)]
    assert ours.ap == pytest.approx(np.mean([own.ap for own in ours.by_class.values()]))
    assert ours.ap50 == pytest.approx(np.mean([own.ap50 for own in ours.by_class.values()]))


def test_every_figure_is_that_of_pycocotools() -> None:
    """The reference implementation, on objects of every size whose outlines have another area."""
    coco = pytest.importorskip("pycocotools.coco")
    evaluator = pytest.importorskip("pycocotools.cocoeval")
    truth, found = at_random(11)
    truth = [replace(objects, area=0.8 * objects.areas) for objects in truth]
    known = coco.COCO()
    known.dataset = {
        "info": {},
        "images": [{"id": photo} for photo in range(len(truth))],
        "categories": [{"id": label, "name": str(label)} for label in range(1, 6)],
        "annotations": [
            {"image_id": photo, "category_id": int(label), "bbox": box, "area": float(area),
             "iscrowd": int(crowd)}
            for photo, there in enumerate(truth)
            for box, label, area, crowd in zip(
                sides(there.xyxy), there.labels, there.areas, there.crowd, strict=True
            )
        ],
    }  # fmt: skip
    for number, entry in enumerate(known.dataset["annotations"], 1):
        entry["id"] = number
    with contextlib.redirect_stdout(io.StringIO()):
        known.createIndex()
        answers = known.loadRes(
            [
                {"image_id": photo, "category_id": int(label), "bbox": box, "score": float(score)}
                for photo, its in enumerate(found)
                for box, label, score in zip(sides(its.xyxy), its.labels, its.scores, strict=True)
            ]
        )
        theirs = evaluator.COCOeval(known, answers, "bbox")
        theirs.evaluate()
        theirs.accumulate()
        theirs.summarize()
    ours = coco_ap(truth, found)
    precisions, recalls = zip(*ours.by_size.values(), strict=True)
    figures = [ours.ap, ours.ap50, ours.ap75, *precisions, ours.ar1, ours.ar10, ours.ar, *recalls]
    assert figures == pytest.approx(theirs.stats.tolist(), abs=1e-6)
    assert list(ours.by_size) == ["small", "medium", "large"]
    for place, label in enumerate(theirs.params.catIds):
        precision = theirs.eval["precision"][..., place, 0, -1]
        assert ours.by_class[label].ap == pytest.approx(precision.mean(), abs=1e-6)
        assert ours.by_class[label].ap75 == pytest.approx(precision[5].mean(), abs=1e-6)


def sides(xyxy: np.ndarray[Any, Any]) -> list[list[float]]:
    rows: list[list[float]] = np.concatenate([xyxy[:, :2], xyxy[:, 2:] - xyxy[:, :2]], 1).tolist()
    return rows


def halves() -> Masks:
    """A dog in the left half of a picture of 64x64 and a cat in the lower right quarter."""
    masks = np.zeros((2, 64, 64), bool)
    masks[0, :, :32] = True
    masks[1, 32:, 32:] = True
    return Masks(masks, np.array([DOG, CAT]))


def answer(masks: np.ndarray, labels: list[int]) -> Masks:
    return Masks(masks, np.array(labels, np.int64), np.full(len(labels), 0.9))


def test_average_precision_of_masks_by_hand() -> None:
    truth = halves()
    assert coco_mask_ap50([truth], [answer(truth.masks, [DOG, CAT])]) == pytest.approx(1)
    assert coco_mask_ap50([truth], [answer(truth.masks, [CAT, DOG])]) == 0
    # the dog's box, but with 12 of its 32 columns
    thin = truth.masks.copy()
    thin[0, :, 12:] = False
    assert coco_mask_ap50([truth], [answer(thin, [DOG, CAT])]) == pytest.approx(0.5)
    assert coco_mask_ap50([truth], [answer(truth.masks[:0], [])]) == 0


def test_a_hidden_object_is_not_missed() -> None:
    truth = halves()
    hidden = truth.masks.copy()
    hidden[1] = False
    found = [answer(truth.masks[:1], [DOG])]
    assert coco_mask_ap50([truth], found) == pytest.approx(0.5)
    assert coco_mask_ap50([Masks(hidden, truth.labels)], found) == pytest.approx(1)


def test_without_the_package_the_user_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "faster_coco_eval", None)
    truth = halves()
    for figures in (
        lambda: coco_mask_ap50([truth], [answer(truth.masks, [DOG, CAT])]),
        lambda: coco_ap([], []),
    ):
        with pytest.raises(ExplorerError, match="faster-coco-eval") as told:
            figures()
        assert "pip install" in told.value.hint
