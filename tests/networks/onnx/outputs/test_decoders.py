"""Outputs of detectors as they are exported, against decodings of a few lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from torch import Tensor
from torchvision.ops import nms

import explorer
from explorer.core.errors import ExplorerError
from explorer.networks import catalog
from explorer.networks.onnx.inspecting import decoding_for
from explorer.networks.onnx.outputs.decoders import (
    Decoding,
    Detector,
    Form,
    candidates,
    likely_form,
)
from tests.networks.onnx_files import model_of, written

if TYPE_CHECKING:
    from pathlib import Path

SIZE = (64, 96)
CELLS = 8 * 12 + 4 * 6 + 2 * 3
CLASSES = 4


def numbers(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


def corners(cx: float, cy: float, w: float, h: float) -> list[float]:
    return [cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2]


def test_yolov5() -> None:
    one = numbers(3 * CELLS, 5 + CLASSES) * np.array([96, 64, 40, 40] + [1] * 5, np.float32)
    boxes, scores, _ = candidates((torch.from_numpy(one),), Decoding("yolov5"), SIZE)
    for row in (0, 17, len(one) - 1):
        assert np.allclose(boxes[row], corners(*one[row, :4]), atol=1e-3)
        assert np.allclose(scores[row], one[row, 4] * one[row, 5:], atol=1e-6)


def test_yolov8() -> None:
    one = numbers(4 + CLASSES, CELLS) * 50
    boxes, scores, _ = candidates((torch.from_numpy(one),), Decoding("yolov8"), SIZE)
    for row in (0, 17, CELLS - 1):
        assert np.allclose(boxes[row], corners(*one[:4, row]), atol=1e-3)
        assert np.allclose(scores[row], one[4:, row])
    fewer = candidates((torch.from_numpy(one),), Decoding("yolov8", classes=2), SIZE)[1]
    assert fewer.shape == (CELLS, 2), "coefficients of masks are no classes"


def test_yolox() -> None:
    one = numbers(CELLS, 5 + CLASSES) * 2 - 0.5
    boxes, scores, _ = candidates((torch.from_numpy(one),), Decoding("yolox"), SIZE)
    row = 0
    for stride in (8, 16, 32):
        for y in range(SIZE[0] // stride):
            for x in range(SIZE[1] // stride):
                cx, cy = (one[row, 0] + x) * stride, (one[row, 1] + y) * stride
                w, h = (np.exp(one[row, k]) * stride for k in (2, 3))
                assert np.allclose(boxes[row], corners(cx, cy, w, h), atol=1e-3)
                assert np.allclose(scores[row], one[row, 4] * one[row, 5:], atol=1e-6)
                row += 1
    assert row == CELLS
    with pytest.raises(ExplorerError, match="do not stand on the cells"):
        candidates((torch.zeros(7, 9),), Decoding("yolox"), SIZE)


def test_end_to_end() -> None:
    one = numbers(20, 6) * 60
    one[:, 5] = np.arange(20) % 3
    boxes, scores, labels = candidates(
        (torch.from_numpy(one),), Decoding("end-to-end", first_label=0), SIZE
    )
    assert labels is not None
    assert np.array_equal(boxes, one[:, :4])
    assert np.array_equal(scores, one[:, 4])
    assert labels.tolist() == [1 + number % 3 for number in range(20)]


def test_ssd() -> None:
    scores, boxes = numbers(30, 5), numbers(30, 4, seed=1)
    given = (torch.from_numpy(scores), torch.from_numpy(boxes))
    placed, likely, _ = candidates(given, Decoding("ssd", unit=True), SIZE)
    assert np.allclose(placed, boxes * np.array([96, 64, 96, 64]), atol=1e-3)
    assert np.array_equal(likely, scores[:, 1:]), "the first column is the background"
    placed = candidates(given, Decoding("ssd", "cxcywh", unit=True), SIZE)[0]
    wanted = [corners(*row) for row in boxes * np.array([96, 64, 96, 64])]
    assert np.allclose(placed, wanted, atol=1e-3)


def test_boxes_that_the_network_has_suppressed() -> None:
    boxes, scores = numbers(6, 4) * 60, numbers(6, seed=1)
    labels = np.array([3, 1, 1, 2, 3, 1], np.int64)
    given = tuple(map(torch.from_numpy, (boxes, scores, labels)))
    (answer,) = Detector(Decoding("boxes", score_floor=0.0))(given, torch.zeros(1, 3, *SIZE))
    order = np.argsort(-scores)
    assert np.allclose(answer["boxes"], boxes[order], atol=1e-3)
    assert np.array_equal(answer["labels"], labels[order])
    assert np.array_equal(answer["scores"], scores[order])


def test_boxes_of_tensorflow() -> None:
    boxes, scores = numbers(1, 6, 4), numbers(1, 6, seed=1)
    labels = np.array([[3, 1, 1, 2, 3, 1]], np.float32)
    names = ("detection_boxes", "detection_classes", "detection_scores", "num_detections")
    decoding = decoding_for("boxes", names, [(1, 6, 4), (1, 6), (1, 6), (1,)])
    assert decoding is not None
    given = tuple(map(torch.from_numpy, (boxes, labels, scores, np.array([6], np.float32))))
    (answer,) = Detector(decoding, names)(given, torch.zeros(1, 3, *SIZE))
    best = int(scores.argmax())
    y0, x0, y1, x1 = boxes[0, best]
    wanted = np.array([x0 * 96, y0 * 64, x1 * 96, y1 * 64])
    assert np.allclose(answer["boxes"][0], wanted, atol=1e-3)
    assert int(answer["labels"][0]) == int(labels[0, best])


def test_detr() -> None:
    logits, boxes = numbers(1, 8, 5) * 6, numbers(1, 8, 4, seed=1)
    given = (torch.from_numpy(logits), torch.from_numpy(boxes))
    (answer,) = Detector(Decoding("detr", score_floor=0.0), ("logits", "pred_boxes"))(
        given, torch.zeros(1, 3, *SIZE)
    )
    parts = np.exp(logits[0]) / np.exp(logits[0]).sum(1, keepdims=True)
    best = int(parts[:, :-1].max(1).argmax())
    assert np.isclose(float(answer["scores"][0]), parts[best, :-1].max(), atol=1e-6)
    assert int(answer["labels"][0]) == int(parts[best, :-1].argmax()) + 1
    wanted = np.clip(corners(*(boxes[0, best] * [96, 64, 96, 64])), 0, [96, 64, 96, 64])
    assert np.allclose(answer["boxes"][0], wanted, atol=1e-3)


def test_suppression_is_per_class() -> None:
    one = torch.from_numpy(numbers(4 + CLASSES, CELLS))
    one[:4] *= torch.tensor([[90.0], [60.0], [50.0], [50.0]])
    decoding = Decoding("yolov8", score_floor=0.3, nms_iou=0.4, most=10_000)
    (answer,) = Detector(decoding)((one[None],), torch.zeros(1, 3, *SIZE))
    wanted: list[tuple[float, int]] = []
    for label in range(CLASSES):
        scores = one[4 + label]
        rows = torch.where(scores > 0.3)[0]
        boxes = torch.tensor([corners(*one[:4, int(row)].tolist()) for row in rows])
        boxes = boxes.clamp(min=0).minimum(torch.tensor([96.0, 64.0, 96.0, 64.0]))
        kept = rows[nms(boxes, scores[rows], 0.4)]
        wanted += [(float(scores[row]), label + 1) for row in kept]
    found = list(zip(answer["scores"].tolist(), answer["labels"].tolist(), strict=True))
    assert found == sorted(wanted, reverse=True)
    assert len(found) < (one[4:] > 0.3).sum()


@pytest.mark.parametrize(
    ("shapes", "names", "form"),
    [
        ([(1, 25200, 85)], ["output0"], "yolov5"),
        ([(1, 84, 8400)], ["output0"], "yolov8"),
        ([(1, 116, 8400), (1, 32, 160, 160)], ["output0", "output1"], "yolov8"),
        ([(1, 8400, 85)], ["output"], "yolox"),
        ([(1, 300, 6)], ["output0"], "end-to-end"),
        ([(1, 3000, 21), (1, 3000, 4)], ["scores", "boxes"], "ssd"),
        ([(7, 4), (7,), (7,)], ["boxes", "scores", "labels"], "boxes"),
        ([(1, 100, 92), (1, 100, 4)], ["logits", "pred_boxes"], "detr"),
        ([(1, 1000)], ["logits"], None),
        ([(1, 21, 64, 96)], ["out"], None),
        ([(1, 197, 768)], ["tokens"], None),
    ],
)
def test_the_form_is_told_by_the_outputs(
    shapes: list[tuple[int, ...]], names: list[str], form: Form | None
) -> None:
    assert likely_form(shapes, names, (640, 640)) == form


def detector(path: Path) -> Path:
    """YOLOv8's output for a 64 x 96 input: one box of class 1 on the left half."""
    answer = np.zeros((1, 4 + CLASSES, CELLS), np.float32)
    answer[0, :4, 5] = [24, 32, 48, 64]
    answer[0, 5, 5] = 0.9
    answer[0, :4, 6] = [25, 32, 48, 64]
    answer[0, 5, 6] = 0.6
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=0),
        helper.make_node("Mul", ["mean", "zero"], ["nothing"]),
        helper.make_node("Add", ["answer", "nothing"], ["output0"]),
    ]
    model = model_of(
        nodes, given={"image": [1, 3, *SIZE]}, made={"output0": [1, 4 + CLASSES, CELLS]},
        constants={"answer": answer, "zero": np.zeros((), np.float32)},
        metadata={"names": "{0: 'a', 1: 'b', 2: 'c', 3: 'd'}", "task": "detect"},
    )  # fmt: skip
    return written(model, path)


def test_a_detector_finds_boxes_on_the_photo(tmp_path: Path) -> None:
    path = detector(tmp_path / "yolov8n.onnx")
    photo = np.zeros((128, 128, 3), np.uint8)
    data = explorer.look("detections", photo, network=str(path)).data
    assert data["classes"] == ("__background__", "a", "b", "c", "d")
    assert data["labels"].tolist() == [2]
    assert np.allclose(data["scores"], [0.9], atol=1e-6)
    # The photo is 64 x 64 in the middle of 96 x 64: 16 pixels of gray on both sides.
    assert np.allclose(data["boxes"], [[-32, 0, 64, 128]], atol=1e-3)


def test_the_suppression_is_shown(tmp_path: Path) -> None:
    path = detector(tmp_path / "yolov8n.onnx")
    answer = explorer.look("nms", np.zeros((128, 128, 3), np.uint8), network=str(path))
    assert answer.summary


def test_another_form_can_be_given(tmp_path: Path) -> None:
    path = detector(tmp_path / "net.onnx")
    with pytest.raises(ExplorerError, match="no form of detections 'yolo9000'"):
        explorer.load(str(path), decoder="yolo9000")
    network = explorer.load(str(path), task="features")
    assert isinstance(network.module(torch.zeros(1, 3, *SIZE)), Tensor)
    network = explorer.load(str(path), decoder="yolov8")
    assert len(network.module(torch.zeros(1, 3, *SIZE))[0]["boxes"]) == 1
    assert catalog.find(network.info.spec.name).task == "detection"
    assert onnx.load(str(path)).graph.output[0].name == "output0"
