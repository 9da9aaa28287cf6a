"""The losses are what the network itself returns in training mode, and it is not touched."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from explorer.core.errors import ExplorerError
from explorer.networks.preprocess import Frame
from explorer.vision.detection.losses import BACKGROUND, BETWEEN, Judged, losses_of
from tests.toys import FixedDetector, hook_count
from tests.views.test_all_detectors import HEAVY
from tests.vision.test_trace import module_of, picture

BOXES = torch.tensor([[10.0, 8, 50, 44], [30, 20, 78, 58], [2, 30, 20, 50]])
LABELS = torch.tensor([1, 3, 2])
SEED = 5


def reference(
    module: nn.Module, image: Tensor, *, stored: bool = False, labels: Tensor = LABELS
) -> dict[str, Tensor]:
    """The whole module in training mode, as somebody who trains it would call it."""
    module = copy.deepcopy(module).train()
    for part in module.modules():
        if stored and isinstance(part, _BatchNorm):
            part.eval()
    target = {"boxes": BOXES, "labels": labels}
    target["masks"] = torch.zeros(3, *image.shape[1:], dtype=torch.uint8)
    target["keypoints"] = torch.ones(3, 17, 3)
    with torch.random.fork_rng():
        torch.manual_seed(SEED)
        losses: dict[str, Tensor] = module([image], [target])
    return losses


def state(module: nn.Module) -> list[Any]:
    tensors = [value.clone() for value in module.state_dict().values()]
    return [tensors, [part.training for part in module.modules()]]


@pytest.mark.parametrize(
    ("name", "stored"),
    [
        ("toy", False), ("lite-fasterrcnn", False), ("lite-fasterrcnn", True),
        ("fasterrcnn_mobilenet_v3_large_320_fpn", False), ("fasterrcnn_resnet50_fpn", False),
        ("maskrcnn_resnet50_fpn", False), ("retinanet_resnet50_fpn", False),
        ("fcos_resnet50_fpn", False), ("ssdlite320_mobilenet_v3_large", True),
        *(pytest.param(name, False, marks=pytest.mark.slow) for name in HEAVY),
    ],
)  # fmt: skip
def test_equal_to_the_network_in_training_mode(name: str, stored: bool) -> None:
    module, image = module_of(name), picture()
    own = reference(module, image, stored=stored)
    before, generator = state(module), torch.get_rng_state()
    found = losses_of(
        module, image, BOXES, LABELS, seed=SEED, frame=Frame(), stored_statistics=stored
    )
    assert torch.equal(torch.get_rng_state(), generator)
    assert hook_count(module) == 0
    after = state(module)
    assert after[1] == before[1]
    assert all(torch.equal(a, b) for a, b in zip(after[0], before[0], strict=True))
    assert not any(weight.grad is not None for weight in module.parameters())

    wanted = {key: float(value.detach()) for key, value in own.items()}
    for key in ("loss_mask", "loss_keypoint"):
        wanted.pop(key, None)
    assert found.values == wanted
    judged = [found.anchors, *([found.rois] if found.rois else [])]
    terms = [term for part in judged for term in part.terms]
    assert sorted(term.name for term in terms) == sorted(wanted)
    for term in terms:
        assert len(term.rows) == len(term.each)
        assert float(term.each.sum()) / term.over == pytest.approx(term.value, rel=1e-4), term.name
    assert sum(wanted.values()) > 0
    for part in judged:
        assert_judged(part)


def assert_judged(part: Judged) -> None:
    assert len(part.positives) > 0
    assert (part.matches[part.positives] >= 0).all()
    assert (part.matches[part.negatives] == BACKGROUND).all()
    assert ((part.matches >= BETWEEN) & (part.matches < len(BOXES))).all()
    assert set(part.matches[part.positives].tolist()) <= {0, 1, 2}


def test_samples_come_from_the_seed() -> None:
    module, image = module_of("toy"), picture()
    module.rpn.fg_bg_sampler.batch_size_per_image = 16
    picked = [
        losses_of(module, image, BOXES, LABELS, seed=seed, frame=Frame()).anchors.negatives
        for seed in (1, 1, 2)
    ]
    assert torch.equal(picked[0], picked[1])
    assert not torch.equal(picked[0], picked[2])


def test_one_image_is_too_little_for_some_batch_norms() -> None:
    # SSDlite's last map is a single cell: no variance. The sentence says what to do.
    with pytest.raises(ExplorerError, match="batch norm") as raised:
        losses_of(
            module_of("ssdlite320_mobilenet_v3_large"), picture(), BOXES, LABELS, seed=0,
            frame=Frame(),
        )  # fmt: skip
    assert "stored" in raised.value.hint


def test_refused_in_words() -> None:
    with pytest.raises(ExplorerError, match="no ground truth"):
        losses_of(module_of("toy"), picture(), BOXES[:0], LABELS[:0], seed=0, frame=Frame())
    with pytest.raises(ExplorerError, match="not supported"):
        losses_of(FixedDetector({}), picture(), BOXES, LABELS, seed=0, frame=Frame())
