"""The score of a box as a function of the input is that of the detection."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from onnx import helper
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.yolo import lite_yolo_v1, lite_yolo_v2
from explorer.networks.onnx.inspecting import built, image_input
from explorer.networks.onnx.outputs.decoders import Decoding, Detector
from explorer.networks.onnx.reading import read
from explorer.vision.attribution.boxes import box_target
from explorer.vision.attribution.gradients import gradients
from tests.networks.onnx_files import model_of, written
from tests.toy_detectors import tiny_detector
from tests.toys import FixedDetector, hook_count, tiny_mask_rcnn

if TYPE_CHECKING:
    from pathlib import Path

    from explorer.networks.onnx.module import OnnxModule


def yolo(version: int) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(version)
        made = (
            lite_yolo_v1(4, side=64, width=8)
            if version == 1
            else lite_yolo_v2(4, priors=((1.0, 1.5), (2.0, 1.0)), side=64, width=8, fine=4)
        )
        nn.init.normal_(made.predictor.weight, std=0.4)
        nn.init.constant_(made.predictor.bias, 0.5)
        # As they begin, the body's maps are nearly 0 and all cells alike.
        for module in made.modules():
            if isinstance(module, nn.BatchNorm2d):
                nn.init.normal_(module.bias, std=0.3)
    return made.eval()


def mask_rcnn() -> nn.Module:
    return tiny_mask_rcnn(4).eval()


MADE = {
    **{kind: partial(tiny_detector, kind) for kind in ("rcnn", "retinanet", "fcos", "ssd")},
    "mask rcnn": mask_rcnn, "yolo v1": partial(yolo, 1), "yolo v2": partial(yolo, 2),
}  # fmt: skip


def photo(height: int = 64, width: int = 64) -> Tensor:
    return torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", MADE)
def test_the_confidence_is_the_score_of_the_detection(kind: str) -> None:
    module = MADE[kind]().requires_grad_(requires_grad=False)
    x = photo(48, 64)
    with torch.no_grad():
        (found,) = module([x[0]])
    assert len(found["scores"]) >= 3
    for row in range(min(6, len(found["scores"]))):
        read = box_target(module, x[0], row)(x)
        assert float(read.confidence[0]) == pytest.approx(float(found["scores"][row]), rel=1e-4)
        assert int(read.label[0]) == int(found["labels"][row])
    assert hook_count(module) == 0
    with pytest.raises(ExplorerError, match="no such detection"):
        box_target(module, x[0], 10_000)


@pytest.mark.parametrize("kind", MADE)
def test_the_gradient_is_that_of_the_score(kind: str) -> None:
    """Along a direction, against the difference of the scores in double precision."""
    module = MADE[kind]().requires_grad_(requires_grad=False).double()
    if kind == "yolo v2":  # its numbers are float32 in any case
        module.priors = module.priors.float()
    x = photo().double()
    target = box_target(module, x[0], 0)
    found, _ = gradients(target, x)
    along = torch.randn(x.shape, generator=torch.Generator().manual_seed(5), dtype=torch.float64)
    step = 1e-4
    with torch.no_grad():
        ends = [float(target(x + sign * step * along).score[0]) for sign in (1, -1)]
    slope = (ends[0] - ends[1]) / (2 * step)
    assert float((found * along).sum()) == pytest.approx(slope, rel=2e-2, abs=1e-3)


@pytest.mark.parametrize("kind", ["rcnn", "ssd", "yolo v2"])
def test_inputs_of_a_batch_do_not_mix(kind: str) -> None:
    module = MADE[kind]().requires_grad_(requires_grad=False)
    x = torch.cat([photo(), 1 - photo()])
    target = box_target(module, x[0], 0)
    both = target(x).score
    for one, score in zip(x, both, strict=True):
        torch.testing.assert_close(target(one[None]).score[0], score, rtol=1e-4, atol=1e-5)


def test_a_detector_that_cannot_be_followed_is_refused_in_words() -> None:
    answer = {
        "boxes": torch.zeros(1, 4),
        "labels": torch.ones(1, dtype=torch.int64),
        "scores": torch.ones(1),
    }
    with pytest.raises(ExplorerError, match="cannot be traced"):
        box_target(FixedDetector(answer), photo()[0], 0)


def detector_of_a_mean(path: Path) -> OnnxModule:
    """YOLOv8's output for 32 x 32: the score of box 3 for class b is the mean of the picture."""
    cells = 4 * 4 + 2 * 2 + 1
    box, place = np.zeros((1, 6, cells), np.float32), np.zeros((1, 6, cells), np.float32)
    box[0, :4, 3] = [16, 16, 20, 20]
    place[0, 5, 3] = 1
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["mean"], axes=[1, 2, 3], keepdims=1),
        helper.make_node("Reshape", ["mean", "shape"], ["one"]),
        helper.make_node("Mul", ["place", "one"], ["score"]),
        helper.make_node("Add", ["score", "box"], ["output0"]),
    ]
    model = model_of(
        nodes, given={"image": ["n", 3, 32, 32]}, made={"output0": ["n", 6, cells]},
        constants={"box": box, "place": place, "shape": np.array([-1, 1, 1])},
    )  # fmt: skip
    file = read(written(model, path))
    module = built(file, image_input(file))
    module.head = Detector(Decoding("yolov8", score_floor=0.1), module.names)
    return module


def test_a_box_of_a_file_has_the_gradient_of_its_score(tmp_path: Path) -> None:
    module = detector_of_a_mean(tmp_path / "mean.onnx")
    image = torch.full((3, 32, 32), 0.25)
    target = box_target(module, image, 0)
    values = torch.stack([image, torch.full_like(image, 0.5)]).requires_grad_()
    found = target(values)
    assert found.label is not None
    assert found.label.tolist() == [2, 2]
    assert torch.allclose(found.confidence, torch.tensor([0.25, 0.5]))
    (gradient,) = torch.autograd.grad(found.score[0], values)
    # d logit(p) / dp = 1 / (p (1 - p)), and dp / dx = 1 / (3 32 32)
    expected = 1 / (0.25 * 0.75) / (3 * 32 * 32)
    assert torch.allclose(gradient[0], torch.full_like(image, expected), rtol=1e-3)
    assert not gradient[1].any()
    with pytest.raises(ExplorerError):
        box_target(module, image, 1)
