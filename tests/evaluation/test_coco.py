"""COCO's figures by the evaluator's own files, and by hand."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.evaluation.coco import Masks, coco_ap, coco_mask_ap50
from explorer.evaluation.metrics import Found, Objects

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
