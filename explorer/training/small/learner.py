"""One training of a small network, step by step.

What a step draws at random (its batch, augmentation, dropout) depends on the seed and on the number
of the step alone. So a training that was stopped goes on exactly as if it had not been.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from math import isfinite
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from explorer.networks.embedded.small_net import SmallNet, Switches
from explorer.training.small.augmentation import augmented
from explorer.training.small.network import draw_weights
from explorer.training.small.recipe import optimizer_for
from explorer.training.small.state import restore, state_of
from explorer.vision.statistics.layers import flow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from explorer.training.small.data_set import DataSet, Part
    from explorer.training.small.recipe import Recipe
    from explorer.vision.statistics.layers import LayerFlow

CHUNK = 256
"""Pictures that are classified together."""
PROBE = 32
"""Pictures of the training that activations and gradients are measured on."""

_WEIGHTS, _BATCHES, _STEP = range(3)


@dataclass(frozen=True, slots=True)
class Taken:
    """What one step did: on its batch, before the weights changed."""

    loss: float
    accuracy: float
    norm: float  # of the whole gradient, before clipping
    rate: float


@dataclass(frozen=True, slots=True, eq=False)
class Score:
    """On pictures that were not in the batch. `probabilities` are (N, classes) float32."""

    loss: float
    accuracy: float
    probabilities: NDArray[np.float32]


class Learner:
    """A network, its optimizer and its data.

    Args:
        data: What to train on.
        recipe: Read anew at every step: see `change`.
        seed: Of the weights, batches, augmentation and dropout.
        block: Which one is the validation block.
        device: Where it computes.
        network: By default a new one.
    """

    def __init__(
        self,
        data: DataSet,
        recipe: Recipe,
        seed: int,
        *,
        block: int = 0,
        device: torch.device | None = None,
        network: nn.Module | None = None,
    ) -> None:
        self.recipe = recipe
        self.step = 0
        self._seed = seed
        self.device = device or torch.device("cpu")
        train, validation = data.split(block)
        self._train, self._validation = self._on_device(train), self._on_device(validation)
        self._switches = Switches(recipe.norm, recipe.shortcuts)
        if network is None:
            network = SmallNet(len(data.classes), recipe.layers, recipe.width, self._switches)
            draw_weights(network, recipe.initialization, self._generator(_WEIGHTS, 0))
        self.network = network.to(self.device)
        self._optimizer = optimizer_for(recipe, self.network.parameters())
        self._order: tuple[int, Tensor] = (-1, torch.empty(0))

    # -- training -------------------------------------------------------------------------------

    def train_step(self) -> Taken:
        """One batch."""
        recipe = self.recipe
        random = self._generator(_STEP, self.step)
        rows = self._rows(recipe.batch)
        x, labels = self._train[0][rows], self._train[1][rows]
        x = prepared(augmented(x, recipe.augmentation, random))
        rate = recipe.rate_at(self.step)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        self.network.train()
        with torch.enable_grad():
            logits = self._logits(x, random)
            loss = F.cross_entropy(logits, labels)
            self._optimizer.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
        norm = self._clip()
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.step += 1
        right = (logits.detach().argmax(dim=1) == labels).float().mean()
        return Taken(float(loss.detach()), float(right), norm, rate)

    def _logits(self, x: Tensor, random: torch.Generator) -> Tensor:
        keep = self.recipe.keep
        if keep < 1 and isinstance(self.network, SmallNet):
            drawn = torch.rand(len(x), self.network.width, generator=random) < keep
            mask = drawn.to(x) / max(keep, 1e-6)
            masked: Tensor = self.network(x, mask)
            return masked
        logits: Tensor = self.network(x)
        return logits

    def _clip(self) -> float:
        """Clips the gradient as the recipe says; its norm before that."""
        weights = [weight for weight in self.network.parameters() if weight.grad is not None]
        norm = nn.utils.get_total_norm([w.grad for w in weights if w.grad is not None])
        if self.recipe.clipping == "by norm":
            nn.utils.clip_grads_with_norm_(weights, self.recipe.limit, norm)
        elif self.recipe.clipping == "by value":
            nn.utils.clip_grad_value_(weights, self.recipe.limit)
        return float(norm)

    def change(self, recipe: Recipe) -> None:
        """Uses `recipe` from the next step on.

        Another optimizer begins with no memory; another initialization draws all weights again.
        Layers and width stay as they are.
        """
        before, self.recipe = self.recipe, recipe
        self._switches.norm, self._switches.shortcuts = recipe.norm, recipe.shortcuts
        if recipe.initialization != before.initialization:
            self.draw_again()
        elif recipe.optimizer != before.optimizer:
            self._optimizer = optimizer_for(recipe, self.network.parameters())
        for group in self._optimizer.param_groups:
            group["weight_decay"] = recipe.decay

    def draw_again(self) -> None:
        """All weights anew; the optimizer begins with no memory."""
        draw_weights(self.network, self.recipe.initialization, self._generator(_WEIGHTS, self.step))
        self._optimizer = optimizer_for(self.recipe, self.network.parameters())

    # -- measuring ------------------------------------------------------------------------------

    def score(self, module: nn.Module | None = None) -> Score:
        """On the validation block, of the network or of another one."""
        return scored(module or self.network, *self._validation)

    def flow(self) -> list[LayerFlow]:
        """Activations and gradients of every layer on a fixed part of the training pictures.

        As in a training step: with the statistics of the batch, without dropout. The network stays
        as it is.
        """
        twin = copy.deepcopy(self.network).train()
        x, labels = prepared(self._train[0][:PROBE]), self._train[1][:PROBE]
        layers, _ = flow(twin, lambda: twin(x), lambda logits: F.cross_entropy(logits, labels))
        return layers

    # -- stopping and going on ------------------------------------------------------------------

    def state(self) -> dict[str, Tensor]:
        """All tensors that the next step depends on; the rest is the recipe, the seed, `step`."""
        return state_of(self.network, self._optimizer)

    def restore(self, state: Mapping[str, Tensor], step: int) -> None:
        """Goes back to a `state` of a learner with the same recipe, data and seed.

        Raises:
            RuntimeError: It is of another network.
        """
        restore(self.network, self._optimizer, state)
        self.step = step

    # -- parts ----------------------------------------------------------------------------------

    def refresh_norms(self, module: nn.Module) -> None:
        """Sets the running statistics of a module's batch norms to those of the training pictures.

        Averaged weights need it: the average of running statistics is not theirs (Izmailov et al.
        2018, section 3.2).
        """
        refresh_norms(module, self._train[0])

    def _rows(self, batch: int) -> Tensor:
        """The batch of this step: each epoch is another order of all pictures."""
        count = len(self._train[1])
        batch = min(batch, count)
        first = self.step * batch
        places = torch.arange(first, first + batch)
        epochs = places // count
        rows = torch.empty(batch, dtype=torch.int64)
        for epoch in sorted(set(epochs.tolist())):
            if self._order[0] != epoch:
                order = torch.randperm(count, generator=self._generator(_BATCHES, epoch))
                self._order = epoch, order
            inside = epochs == epoch
            rows[inside] = self._order[1][places[inside] % count]
        return rows.to(self.device)

    def _generator(self, purpose: int, number: int) -> torch.Generator:
        words = np.random.SeedSequence([self._seed, purpose, number]).generate_state(2)
        return torch.Generator().manual_seed(int(words[0]) << 31 | int(words[1]) >> 1)

    def _on_device(self, part: Part) -> tuple[Tensor, Tensor]:
        return tensors_of(part, self.device)


def tensors_of(part: Part, device: torch.device) -> tuple[Tensor, Tensor]:
    """(N, 3, h, w) float32 in [0, 1], and (N,) int64."""
    pictures = torch.from_numpy(part.pictures).permute(0, 3, 1, 2).float().div_(255)
    return pictures.contiguous().to(device), torch.from_numpy(part.labels).to(device)


def prepared(x: Tensor) -> Tensor:
    """What a network is given: pictures in [0, 1] around zero."""
    return (x - 0.5) * 4


@torch.no_grad()
def scored(module: nn.Module, pictures: Tensor, labels: Tensor) -> Score:
    """In evaluation mode; the module's own mode is restored."""
    mode = module.training
    module.eval()
    try:
        logits = torch.cat([module(prepared(part)) for part in torch.split(pictures, CHUNK)])
    finally:
        module.train(mode)
    loss = float(F.cross_entropy(logits, labels))
    right = float((logits.argmax(dim=1) == labels).float().mean())
    return Score(loss, right, logits.softmax(dim=1).cpu().numpy())


@torch.no_grad()
def refresh_norms(module: nn.Module, pictures: Tensor) -> None:
    """See `Learner.refresh_norms`; `pictures` are (N, 3, h, w) in [0, 1]."""
    norms = [child for child in module.modules() if isinstance(child, nn.BatchNorm2d)]
    before = [norm.momentum for norm in norms]
    mode = module.training
    try:
        for norm in norms:
            norm.reset_running_stats()
            norm.momentum = None  # the plain mean over all batches
        module.train()
        for part in torch.split(pictures, CHUNK):
            module(prepared(part))
    finally:
        for norm, momentum in zip(norms, before, strict=True):
            norm.momentum = momentum
        module.train(mode)


def diverged(taken: Taken) -> bool:
    """The numbers have left the range of float32: nothing that follows could help."""
    return not isfinite(taken.loss) or not isfinite(taken.norm)
