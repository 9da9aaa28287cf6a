"""Attacks on one box of a detector."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torchvision.ops import box_iou

from explorer.core.errors import ExplorerError
from explorer.vision.adversarial.bounded import pgd
from explorer.vision.adversarial.boxes import BoxGoal, require_attackable
from explorer.vision.adversarial.iterates import lasting
from tests.toy_detectors import tiny_detector
from tests.toys import FixedDetector, hook_count

BOX = torch.tensor([10.0, 8.0, 42.0, 40.0])


def photo() -> Tensor:
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("mode", ["vanish", "change", "appear"])
@pytest.mark.parametrize("kind", ["rcnn", "retinanet", "fcos", "ssd"])
def test_the_loss_falls_and_the_output_is_the_detectors_own(kind: str, mode) -> None:
    module = tiny_detector(kind)
    before = {name: value.clone() for name, value in module.state_dict().items()}
    with torch.no_grad():
        (found,) = module([photo()[0]])
    largest = int((found["boxes"][:, 2:] - found["boxes"][:, :2]).prod(1).argmax())
    there = int(found["labels"][largest])
    label = None if mode == "vanish" else there % 3 + 1
    if mode == "appear":
        goal = BoxGoal(module, BOX, mode, label, score=0.05)
    else:
        goal = BoxGoal(module, found["boxes"][largest], mode, label, there, score=0.05)
    seen = list(pgd(goal, photo(), norm="linf", epsilon=0.3, step=0.02, steps=8))
    assert not any(at.problem for at in seen)
    assert seen[-1].objective < seen[0].objective
    with torch.no_grad():
        (own,) = module([seen[-1].picture[0]])
    for key in ("boxes", "labels", "scores"):
        assert torch.equal(seen[-1].evaluation.output[key], own[key]), key
    assert hook_count(module) == 0
    assert torch.is_grad_enabled()
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name


def test_success_is_read_from_the_detections() -> None:
    def reached(mode, label, before, *found: tuple[list[float], int, float]) -> bool:
        goal = BoxGoal(nn.Identity(), BOX, mode, label, before, score=0.5)
        output = {
            "boxes": torch.tensor([box for box, _, _ in found]).reshape(-1, 4),
            "labels": torch.tensor([k for _, k, _ in found], dtype=torch.int64),
            "scores": torch.tensor([score for _, _, score in found]),
        }
        return goal._reached(output)

    here, there = BOX.tolist(), [50.0, 50.0, 60.0, 60.0]
    assert float(box_iou(BOX[None], torch.tensor([there]))) == 0
    assert reached("vanish", None, 1)
    assert reached("vanish", None, 1, (there, 1, 0.9), (here, 1, 0.4))
    assert not reached("vanish", None, 1, (here, 2, 0.6))
    assert reached("change", 2, 1, (here, 2, 0.6))
    assert not reached("change", 2, 1, (here, 2, 0.6), (here, 1, 0.6)), "the old one is there, too"
    assert not reached("change", 2, 1)
    assert reached("change", None, 1, (here, 3, 0.6))
    assert not reached("change", None, 1, (here, 1, 0.6))
    assert reached("appear", 2, None, (here, 2, 0.6), (here, 1, 0.6))
    assert not reached("appear", 2, None, (there, 2, 0.6))
    assert reached("appear", None, None, (here, 3, 0.6))


def test_a_box_whose_candidates_are_gone_has_no_gradient() -> None:
    """Nothing overlaps a box outside of the photo: the loss is 0 and the picture stays."""
    goal = BoxGoal(tiny_detector("rcnn"), torch.tensor([900.0, 900.0, 930.0, 930.0]), "vanish")
    found = lasting(pgd(goal, photo(), norm="linf", epsilon=0.1, step=0.05, steps=2))
    assert found.objective == 0
    assert found.evaluation.reached
    assert torch.equal(found.picture, photo())


def test_other_detectors_are_refused_in_one_sentence() -> None:
    none = {"boxes": torch.zeros(0, 4), "labels": torch.zeros(0), "scores": torch.zeros(0)}
    with pytest.raises(ExplorerError, match="FixedDetector cannot be attacked"):
        require_attackable(FixedDetector(none))
    require_attackable(tiny_detector("rcnn"))
