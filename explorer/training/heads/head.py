"""New heads and their training on features that are computed once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.networks.embedded.lite import HEAD, STAGES, TAPS
from explorer.networks.embedded.lite_pose import FirstStage
from explorer.networks.embedded.localizer import BoxHead
from explorer.training.checkpoints import State, arrays_of, restore
from explorer.training.heads.losses import box_loss
from explorer.training.heads.sets import BOTH, BOX, CLASS, JOINTS, SEVERAL
from explorer.training.loop import Recipe, optimizer_for, step_seed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from explorer.networks.embedded.localizer import Attach

OPTIMIZERS = ("AdamW", "SGD")

PARTS = ("class", "box")
"""The parts of the loss; joints count as boxes here."""

NEAR = 0.1
"""A joint is correct within this share of the input's sides."""


@dataclass(frozen=True, slots=True)
class Plan:
    """How heads are trained.

    Attributes:
        kind: One of `sets.KINDS`.
        attach: Where the box head is attached: "conv" or "fc".
        per_class: One box for every class.
        loss: Of boxes, one of `losses.LOSSES`.
        balance: The weight of the box loss beside the softmax loss.
        steps: Of the optimizer.
        batch: Examples of one step.
        rate: The highest learning rate.
        optimizer: One of `OPTIMIZERS`.
        seed: Of the weights and the order of the examples.
    """

    kind: str
    attach: Attach = "conv"
    per_class: bool = False
    loss: str = "L2"
    balance: float = 1.0
    steps: int = 150
    batch: int = 16
    rate: float = 5e-3
    optimizer: str = OPTIMIZERS[0]
    seed: int = 0

    @property
    def has_class(self) -> bool:
        return self.kind in (CLASS, BOTH)

    @property
    def has_boxes(self) -> bool:
        return self.kind in (BOTH, BOX, SEVERAL)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """Of N examples, on the network's device.

    Attributes:
        vectors: (N, D) float32 for classes and for boxes from pooled features; empty where unused.
        maps: Maps for boxes or joints, (N, …) each.
        labels: (N,) int64.
        boxes: (N, B, 4) float32 as fractions of the input.
        points: (N, J, 2) float32 likewise.
    """

    vectors: Tensor
    maps: tuple[Tensor, ...]
    labels: Tensor
    boxes: Tensor
    points: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, rows: Tensor) -> Features:
        """Some of them."""
        return Features(
            self.vectors[rows], tuple(one[rows] for one in self.maps), self.labels[rows],
            self.boxes[rows], self.points[rows],
        )  # fmt: skip


class Heads(nn.Module):
    """What is trained: a class head, a box head or a head of joints.

    The class head is given centered vectors of mean length 1; `linear` tells the same layer for
    the vectors as they are. Trained together or alone, a head gets the same weights: they share
    none.

    Args:
        plan: What is trained.
        classes: How many.
        given: The training features.
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, plan: Plan, classes: int, given: Features) -> None:
        super().__init__()
        self.plan, self.count = plan, classes
        self.scores = nn.Linear(given.vectors.shape[1], classes) if plan.has_class else None
        self.box: BoxHead | None = None
        self.joints: FirstStage | None = None
        if plan.has_boxes:
            torch.manual_seed(plan.seed)  # the same with and without a class head
            self.box = BoxHead(HEAD, plan.attach, self._slots(given))
        if plan.kind == JOINTS:
            channels = tuple(STAGES[number].channels for number in TAPS[1:])
            self.joints = FirstStage(given.points.shape[1], channels, (24, 48), 96)  # type: ignore[arg-type]
            with torch.no_grad():  # it begins with the mean pose, which is hard to beat
                self.joints.fc2.bias.copy_(given.points.mean(dim=0).flatten())
        if self.scores is not None:
            nn.init.zeros_(self.scores.weight)
            nn.init.zeros_(self.scores.bias)
            mean = given.vectors.mean(dim=0)
            length = (given.vectors - mean).norm(dim=1).mean()
            self.register_buffer("mean", mean)
            self.register_buffer("scale", 1.0 / length.clamp(min=1e-6))

    def _slots(self, given: Features) -> int:
        if self.plan.kind == SEVERAL:
            return given.boxes.shape[1]
        return self.count if self.plan.per_class else 1

    def logits(self, given: Features) -> Tensor:
        """(N, classes)."""
        assert self.scores is not None
        found: Tensor = self.scores((given.vectors - self.mean) * self.scale)
        return found

    def boxes(self, given: Features) -> Tensor:
        """(N, slots, 4) as fractions of the input, not clipped."""
        assert self.box is not None
        found: Tensor = self.box(given.maps[0] if self.plan.attach == "conv" else given.vectors)
        return found

    def places(self, given: Features) -> Tensor:
        """(N, J, 2) as fractions of the input."""
        assert self.joints is not None
        found: Tensor = self.joints(*given.maps)[0]
        return found

    @torch.no_grad()
    def linear(self) -> nn.Linear:
        """The class head for vectors that are not centered; equal up to rounding."""
        assert self.scores is not None
        weight, bias = self.scores.weight, self.scores.bias
        layer = nn.Linear(weight.shape[1], weight.shape[0])
        layer.weight.copy_(weight * self.scale)
        layer.bias.copy_(bias - (weight * self.scale) @ self.mean)
        return layer


class Trainer:
    """Heads in training: a step is a pure function of the weights before, the seed and its number.

    Args:
        plan: How.
        classes: How many.
        given: Features to train on.
    """

    def __init__(self, plan: Plan, classes: int, given: Features) -> None:
        self.plan, self.step, self._given = plan, 0, given
        devices = [given.labels.device] if given.labels.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(plan.seed)
            self.heads = Heads(plan, classes, given).to(given.labels.device)
        self._recipe = Recipe(
            epochs=0, batch=plan.batch, peak=plan.rate, warmup=0.05, decay=0.01, clip=5.0,
            optimizer=plan.optimizer.lower(), seed=plan.seed,
        )  # fmt: skip
        self._optimizer = optimizer_for(self.heads, self._recipe)

    @property
    def done(self) -> bool:
        return self.step >= self.plan.steps

    def learn(self) -> tuple[float, float]:
        """One step; gives the parts of its loss, see `PARTS`."""
        seed = step_seed(self.plan.seed, self.step)
        order = torch.randperm(len(self._given), generator=torch.Generator().manual_seed(seed))
        given = self._given.rows(order[: self.plan.batch].to(self._given.labels.device))
        devices = [given.labels.device] if given.labels.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.enable_grad():
            torch.manual_seed(seed)  # of dropout
            self.heads.train()
            parts = self._losses(given)
            self._optimizer.zero_grad(set_to_none=True)
            torch.stack(parts).sum().backward()  # type: ignore[no-untyped-call]
            for head in self.heads.children():
                nn.utils.clip_grad_norm_(head.parameters(), self._recipe.clip)
            rate = self._recipe.rate(self.step / self.plan.steps)
            for group in self._optimizer.param_groups:
                group["lr"] = rate * group["share"]
            self._optimizer.step()
        self.step += 1
        return float(parts[0].detach()), float(parts[1].detach())

    def _losses(self, given: Features) -> list[Tensor]:
        plan, heads = self.plan, self.heads
        zero = torch.zeros((), device=given.labels.device)
        classes = boxes = zero
        if plan.has_class:
            classes = functional.cross_entropy(heads.logits(given), given.labels)
        if plan.has_boxes:
            found = heads.boxes(given)
            if plan.kind != SEVERAL:
                rows = torch.arange(len(given), device=found.device)
                slots = given.labels if found.shape[1] > 1 else torch.zeros_like(given.labels)
                found = found[rows, slots][:, None]  # only the box of the true class learns
            boxes = plan.balance * box_loss(plan.loss, found, given.boxes).sum(dim=1).mean()
        if plan.kind == JOINTS:
            difference = heads.places(given) - given.points
            boxes = difference.square().sum(dim=2).sum(dim=1).mean()
        return [classes, boxes]

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `restore` needs, as it was after the last complete step."""
        return arrays_of(self._state(), tuple(self.heads.state_dict()))

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Resumes from there.

        Raises:
            KeyError: Something is missing.
            ValueError: Something has another shape.
        """
        state = self._state()
        restore(state, tuple(self.heads.state_dict()), arrays)
        self.step = state.step

    def _state(self) -> State:
        return State(self.heads, {}, self._optimizer, torch.float32, self.step)

    @torch.no_grad()
    def predict(self, given: Features) -> Predicted:
        """What the heads give for examples, in evaluation mode."""
        heads = self.heads.eval()
        none: Any = torch.zeros(len(given), 0)
        logits = heads.logits(given) if self.plan.has_class else none
        boxes, points = none[..., None].expand(-1, -1, 4), none[..., None].expand(-1, -1, 2)
        if self.plan.has_boxes:
            boxes = heads.boxes(given).clamp(0, 1)
            if self.plan.kind != SEVERAL and boxes.shape[1] > 1:
                chosen = logits.argmax(1) if self.plan.has_class else given.labels
                boxes = boxes[torch.arange(len(boxes), device=boxes.device), chosen][:, None]
        if self.plan.kind == JOINTS:
            points = heads.places(given)
        return Predicted(logits, boxes, points)


@dataclass(frozen=True, slots=True, eq=False)
class Predicted:
    """Of N examples: `logits` (N, K), `boxes` (N, B, 4) and `points` (N, J, 2); or empty."""

    logits: Tensor
    boxes: Tensor
    points: Tensor


def accuracy(found: Predicted, given: Features) -> float:
    """The share of correct classes; NaN without examples or a class head."""
    if not len(given) or not found.logits.shape[1]:
        return float("nan")
    return float((found.logits.argmax(1) == given.labels).float().mean())


def mean_iou(found: Predicted, given: Features) -> float:
    """Of predicted and true boxes; NaN where there are none."""
    if not len(given) or not found.boxes.shape[1]:
        return float("nan")
    return float(pair_iou(found.boxes, given.boxes).mean())


def near(found: Predicted, given: Features) -> float:
    """The share of joints within `NEAR`; NaN where there are none."""
    if not len(given) or not found.points.shape[1]:
        return float("nan")
    return float(((found.points - given.points).norm(dim=2) <= NEAR).float().mean())


def constant(kind: str, given: Features, tests: Features) -> float:
    """The metric of one prediction for all tests, by what is trained.

    The most frequent class, the mean box or the mean joints of the examples trained on.
    """
    count = len(tests)
    if kind in (CLASS, BOTH):
        best = given.labels.bincount().argmax()
        return float((tests.labels == best).float().mean())
    none: Any = torch.zeros(count, 0)
    boxes = given.boxes.mean(dim=0).expand(count, -1, -1)
    points = given.points.mean(dim=0).expand(count, -1, -1)
    found = Predicted(none, boxes, points)
    return near(found, tests) if kind == JOINTS else mean_iou(found, tests)


def pair_iou(boxes: Tensor, others: Tensor) -> Tensor:
    """(..., 4) and (..., 4) xyxy -> (...) IoU of each pair."""
    low = torch.maximum(boxes[..., :2], others[..., :2])
    high = torch.minimum(boxes[..., 2:], others[..., 2:])
    shared = (high - low).clamp(min=0).prod(dim=-1)
    areas = [(one[..., 2:] - one[..., :2]).clamp(min=0).prod(dim=-1) for one in (boxes, others)]
    return shared / (areas[0] + areas[1] - shared).clamp(min=1e-12)
