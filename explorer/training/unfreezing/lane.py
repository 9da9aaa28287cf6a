"""One training of a classifier: of its head, of its last stages too, or of all from scratch."""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.training.checkpoints import State, arrays_of, restore
from explorer.training.loop import Recipe, optimizer_for, step_seed
from explorer.vision.photo_sets.stages import stage_layers

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from explorer.core.network_info import NetworkInfo
    from explorer.training.heads.body import Body
    from explorer.training.unfreezing.wish import Wish

EXTRACTION, TUNING, SCRATCH = "extraction", "fine-tuning", "from scratch"
LANES = (EXTRACTION, TUNING, SCRATCH)

SHIFT = 8
"""Photos are shifted by up to this fraction (1 / 8) of their side, and mirrored."""


def stages_of(info: NetworkInfo, module: nn.Module, head: str) -> tuple[str, ...]:
    """Names of a network's stages that have weights, in order; at most eight."""
    names = stage_layers(info, head)
    return tuple(n for n in names if any(True for _ in module.get_submodule(n).parameters()))


def trained_names(module: nn.Module, stages: Sequence[str], head: str, count: int) -> list[str]:
    """Parameters from the first of the last `count` stages on; those of the head alone for 0.

    Args:
        module: The classifier.
        stages: See `stages_of`.
        head: Its last layer.
        count: Stages.
    """
    names = [name for name, _ in module.named_parameters()]
    heads = [name for name in names if name.startswith(f"{head}.")]
    if not count or not stages:
        return heads
    first = stages[max(0, len(stages) - count)]
    start = next(at for at, name in enumerate(names) if name.startswith(f"{first}."))
    return list(dict.fromkeys([*names[start:], *heads]))


class Lane:
    """A classifier in training.

    A step is a pure function of the weights before, the seed and its number.

    Args:
        name: One of `LANES`.
        body: The network; it is copied.
        classes: How many.
        wish: The numbers.
        inputs: (N, C, S, S) float32.
        labels: (N,) int64.
    """

    def __init__(
        self, name: str, body: Body, classes: int, wish: Wish, inputs: Tensor, labels: Tensor
    ) -> None:
        self.name, self._wish = name, wish
        self._inputs, self._labels = inputs, labels
        self.module: nn.Module = copy.deepcopy(body.network.module).float().to(inputs.device)
        head = body.head
        devices = [inputs.device] if inputs.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            torch.manual_seed(wish.seed)
            if name == SCRATCH:
                _randomize(self.module)
            last = nn.Linear(body.last.in_features, classes).to(inputs.device)
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
        self.module.set_submodule(head, last)
        stages = stages_of(body.network.info, body.network.module, head)
        count = {EXTRACTION: 0, TUNING: wish.stages, SCRATCH: len(stages)}[name]
        learns = trained_names(self.module, stages, head, count)
        if name == SCRATCH:
            learns = [name for name, _ in self.module.named_parameters()]
        self.module.requires_grad_(False)
        for parameter in learns:
            self.module.get_parameter(parameter).requires_grad_(True)
        body_only = [parameter for parameter in learns if not parameter.startswith(f"{head}.")]
        self._recipe = Recipe(
            epochs=0, batch=wish.batch, peak=wish.scratch_rate if name == SCRATCH else wish.rate,
            warmup=0.1, decay=0.01, clip=5.0, seed=wish.seed, optimizer="adamw",
            slower=dict.fromkeys(body_only, wish.share) if name == TUNING else {},
        )  # fmt: skip
        self._state = State(
            self.module, {}, optimizer_for(self.module, self._recipe), torch.float32
        )
        buffers = [name for name, _ in self.module.named_buffers()] if name == SCRATCH else []
        self._changes = [*learns, *buffers]
        self.parameters = sum(self.module.get_parameter(one).numel() for one in learns)

    @property
    def step(self) -> int:
        """Complete steps."""
        return self._state.step

    @property
    def done(self) -> bool:
        return self._state.step >= self._wish.steps

    def learn(self) -> float:
        """One step; gives its loss."""
        began = time.perf_counter()
        state, wish = self._state, self._wish
        generator = torch.Generator().manual_seed(step_seed(wish.seed, state.step))
        rows = torch.randperm(len(self._labels), generator=generator)[: wish.batch]
        values = varied(self._inputs[rows.to(self._inputs.device)], generator)
        devices = [values.device] if values.device.type == "cuda" else []
        with torch.random.fork_rng(devices), torch.enable_grad():
            torch.manual_seed(step_seed(wish.seed, state.step))  # of dropout
            # A body that keeps its weights keeps the statistics of its normalizations, too.
            self.module.train(self.name == SCRATCH)
            target = self._labels[rows.to(self._labels.device)]
            loss = functional.cross_entropy(self.module(values), target)
            state.optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            learning = [one for one in self.module.parameters() if one.grad is not None]
            nn.utils.clip_grad_norm_(learning, self._recipe.clip)
            rate = self._recipe.rate(state.step / wish.steps)
            for group in state.optimizer.param_groups:
                group["lr"] = rate * group["share"]
            state.optimizer.step()
        state.step += 1
        state.seconds += time.perf_counter() - began
        return float(loss.detach())

    @torch.no_grad()
    def predict(self, values: Tensor) -> NDArray[np.int64]:
        """(N, C, S, S) -> (N,) classes, in evaluation mode."""
        found: NDArray[np.int64] = self.module.eval()(values).argmax(1).cpu().numpy()
        return found

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What `restore` needs, as it was after the last complete step."""
        return arrays_of(self._state, self._changes)

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Resumes from there.

        Raises:
            KeyError: Something is missing.
            ValueError: Something has another shape.
        """
        restore(self._state, self._changes, arrays)


def varied(values: Tensor, generator: torch.Generator) -> Tensor:
    """Photos (N, C, S, S) mirrored and shifted at random; all of them by the same shift."""
    mirrored = torch.rand(len(values), 1, 1, 1, generator=generator) < 0.5
    values = torch.where(mirrored.to(values.device), values.flip(-1), values)
    height, width = values.shape[-2:]
    pad = max(1, min(height, width) // SHIFT)
    padded = functional.pad(values, (pad, pad, pad, pad), mode="reflect")
    y, x = torch.randint(0, 2 * pad + 1, (2,), generator=generator).tolist()
    return padded[..., y : y + height, x : x + width]


def _randomize(module: nn.Module) -> None:
    """New random weights everywhere (He et al. 2015 for convolutions)."""
    for child in module.modules():
        reset = getattr(child, "reset_parameters", None)
        if callable(reset):
            reset()
        if isinstance(child, nn.Conv2d):
            nn.init.kaiming_normal_(child.weight, mode="fan_out", nonlinearity="relu")
