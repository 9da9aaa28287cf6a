"""Objectives: functions of a picture and of what the layers of a network answer to it.

An objective names the layers that it reads and makes one number. Objectives are added, subtracted,
multiplied and divided like numbers, with numbers and with each other, so that one loss composes
another: ``channel("mixed4a", 7) - 0.1 * total_variation()``.
"""

from __future__ import annotations

import operator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from explorer.core.errors import ExplorerError
from explorer.vision.synthesis import terms

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor

LOGITS = ""
"""The layer name of a network's own output."""

GUIDE_CELLS = 256
"""So many cells of a guide are compared with each cell of the picture."""


@dataclass(slots=True, eq=False)
class Answers:
    """What an objective may ask for.

    Attributes:
        picture: (N, C, H, W) float32 in [0, 1], as it is, before any transform.
        outputs: What the layers gave for the (transformed) picture, by their names.
        noted: The values of the parts of the objective that have names; filled on the way.
    """

    picture: Tensor
    outputs: Mapping[str, Tensor]
    noted: dict[str, Tensor] = field(default_factory=dict)

    def __call__(self, layer: str) -> Tensor:
        return self.outputs[layer]


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """A number made of a picture and of what layers answer.

    Attributes:
        layers: Those that it reads; none for a prior on the picture alone.
        measure: ``(answers) -> () float32``.
    """

    layers: frozenset[str]
    measure: Callable[[Answers], Tensor]

    def __call__(self, answers: Answers) -> Tensor:
        return self.measure(answers)

    def named(self, name: str) -> Objective:
        """The same, whose value is noted in `Answers.noted` under `name`."""

        def noting(answers: Answers) -> Tensor:
            value = self.measure(answers)
            answers.noted[name] = value.detach()
            return value

        return Objective(self.layers, noting)

    def __add__(self, other: Objective | float) -> Objective:
        return self._with(other, operator.add)

    def __radd__(self, other: float) -> Objective:
        return self._with(other, operator.add)

    def __sub__(self, other: Objective | float) -> Objective:
        return self._with(other, operator.sub)

    def __rsub__(self, other: float) -> Objective:
        return -self + other

    def __mul__(self, other: Objective | float) -> Objective:
        return self._with(other, operator.mul)

    def __rmul__(self, other: float) -> Objective:
        return self._with(other, operator.mul)

    def __truediv__(self, other: Objective | float) -> Objective:
        return self._with(other, operator.truediv)

    def __neg__(self) -> Objective:
        return self * -1.0

    def _with(
        self, other: Objective | float, combine: Callable[[Tensor, Tensor | float], Tensor]
    ) -> Objective:
        if isinstance(other, Objective):
            second = other.measure
            return Objective(
                self.layers | other.layers,
                lambda answers: combine(self.measure(answers), second(answers)),
            )
        return Objective(self.layers, lambda answers: combine(self.measure(answers), other))


def total(objectives: Sequence[Objective]) -> Objective:
    """The sum of one or more."""
    first, *others = objectives
    return sum(others, start=first)


def _of_layer(layer: str, measure: Callable[[Tensor], Tensor]) -> Objective:
    return Objective(frozenset((layer,)), lambda answers: measure(answers(layer).float()))


def _of_picture(measure: Callable[[Tensor], Tensor]) -> Objective:
    return Objective(frozenset(), lambda answers: measure(answers.picture))


# -- what layers answer ---------------------------------------------------------------------------


def energy(layer: str) -> Objective:
    """The mean of all squared activations: whatever the layer sees (Mordvintsev et al. 2015)."""
    return _of_layer(layer, lambda output: output.square().mean())


def channels(layer: str, numbers: Sequence[int]) -> Objective:
    """The mean activation of channels of (N, C, …) (Olah et al. 2017, "Feature Visualization").

    Raises:
        ExplorerError: When it is asked for and the layer has no such channel.
    """

    def measure(output: Tensor) -> Tensor:
        _check_channels(output, numbers)
        return output[:, list(numbers)].mean()

    return _of_layer(layer, measure)


def channel_each(layer: str, numbers: Sequence[int]) -> Objective:
    """One channel for each picture of a batch: the sum over n of the mean of channel numbers[n]."""

    def measure(output: Tensor) -> Tensor:
        picked = _one_each(output, numbers)
        return picked.flatten(1).mean(1).sum() if picked.ndim > 1 else picked.sum()

    return _of_layer(layer, measure)


def neuron(layer: str, number: int, row: int | None = None, column: int | None = None) -> Objective:
    """One cell of a channel of (N, C, h, w), by default the middle one; one value of (N, C).

    The mean over the pictures of a batch.
    """

    def measure(output: Tensor) -> Tensor:
        _check_channels(output, (number,))
        return _cell(output[:, number], row, column).mean()

    return _of_layer(layer, measure)


def neuron_each(layer: str, numbers: Sequence[int]) -> Objective:
    """The middle cell of one channel for each picture of a batch, summed; see `channel_each`."""

    def measure(output: Tensor) -> Tensor:
        return _cell(_one_each(output, numbers), None, None).sum()

    return _of_layer(layer, measure)


def _one_each(output: Tensor, numbers: Sequence[int]) -> Tensor:
    _check_channels(output, numbers)
    rows = torch.arange(len(numbers), device=output.device)
    return output[rows, torch.tensor(list(numbers), device=output.device)]


def _cell(maps: Tensor, row: int | None, column: int | None) -> Tensor:
    if maps.ndim != 3:
        return maps
    height, width = maps.shape[1:]
    y = height // 2 if row is None else min(row, height - 1)
    x = width // 2 if column is None else min(column, width - 1)
    return maps[:, y, x]


def direction(layer: str, vector: Tensor) -> Objective:
    """The mean over all cells of the inner product with a (C,) direction of unit length."""
    unit = vector / vector.norm().clamp_min(1e-12)
    return _of_layer(
        layer, lambda output: torch.tensordot(output, unit.to(output), dims=([1], [0])).mean()
    )


def all_scores(layer: str = LOGITS) -> Objective:
    """The mean of all class scores of (N, K) logits, or of the channels of a map."""
    return _of_layer(layer, lambda output: output.mean())


def probability(number: int, layer: str = LOGITS) -> Objective:
    """The logarithm of the softmax probability of a class; (N, K) logits, mean over N."""

    def measure(output: Tensor) -> Tensor:
        _check_channels(output, (number,))
        return F.log_softmax(output, dim=1)[:, number].mean()

    return _of_layer(layer, measure)


def feature_distance(layer: str, features: Tensor) -> Objective:
    """The squared distance to `features` in parts of their squared length.

    Mahendran and Vedaldi 2015, equation 2: 0 where the layer cannot tell the pictures apart, 1 for
    a picture to which it answers with zeros.

    Args:
        layer: Of the network.
        features: (1, C, …) what the layer gave for the photo, as large as for the picture.
    """

    def measure(output: Tensor) -> Tensor:
        wanted = features.to(output)
        return (output - wanted).square().sum() / wanted.square().sum().clamp_min(1e-12)

    return _of_layer(layer, measure)


def guided(layer: str, features: Tensor) -> Objective:
    """The mean over all cells of the largest inner product with a cell of another photo.

    Every cell is drawn toward what it resembles most there (Mordvintsev, Olah and Tyka 2015, the
    notebook of "Inceptionism").

    Args:
        layer: Of the network.
        features: (1, C, h, w) what the layer gives for the other photo; of more than `GUIDE_CELLS`
            cells every n-th one counts.
    """
    cells_there = features.flatten(2)[0]
    chosen = cells_there[:, :: -(-cells_there.shape[1] // GUIDE_CELLS)]

    def measure(output: Tensor) -> Tensor:
        cells, others = output.flatten(2), chosen.to(output)
        return torch.einsum("ncp,cq->npq", cells, others).amax(2).mean()

    return _of_layer(layer, measure)


def style_distance(layer: str, activations: Tensor) -> Objective:
    """`terms.style_loss` to a style picture, in parts of that of a black layer.

    Gatys et al. 2016, equation 4; the division makes layers and networks comparable: 0 is the same
    style, 1 is as far away as no activations at all.

    Args:
        layer: Of the network.
        activations: (1, C, h, w) what the layer gives for the style picture, of any size.
    """

    def measure(output: Tensor) -> Tensor:
        wanted = activations.to(output)
        none = terms.style_loss(torch.zeros_like(wanted), wanted)
        return terms.style_loss(output, wanted) / none.clamp_min(1e-12)

    return _of_layer(layer, measure)


def similarity(layer: str) -> Objective:
    """How alike the pictures of a batch are to a layer, to be subtracted (Olah et al. 2017).

    The mean cosine between the Gram matrices of every two of them; 0 for a single picture.
    """

    def measure(output: Tensor) -> Tensor:
        count = len(output)
        if count < 2:
            return output.sum() * 0.0
        rows = F.normalize(terms.gram(output.flatten(2)[..., None]).flatten(1), dim=1)
        cosines = rows @ rows.T
        return (cosines.sum() - cosines.trace()) / (count * (count - 1))

    return _of_layer(layer, measure)


def _check_channels(output: Tensor, numbers: Sequence[int]) -> None:
    count = output.shape[1] if output.ndim > 1 else 0
    beyond = [number for number in numbers if number >= count]
    if beyond:
        raise ExplorerError(
            f"The layer has {count} channels, so there is no channel {beyond[0]}.",
            f"Choose numbers from 0 to {count - 1}.",
        )


# -- the picture itself ---------------------------------------------------------------------------


def total_variation(beta: float = 2.0) -> Objective:
    """`terms.total_variation` per pixel."""
    return _of_picture(lambda picture: terms.total_variation(picture, beta) / picture[:, 0].numel())


def alpha_norm(alpha: float = 6.0) -> Objective:
    """`terms.alpha_norm` per value, of the picture's distance to mid-gray, 1 at black and white."""
    return _of_picture(
        lambda picture: terms.alpha_norm(2.0 * picture - 1.0, alpha) / picture.numel()
    )


def distance(original: Tensor) -> Objective:
    """The mean squared difference to (1, C, H, W), which is resized to the picture's size."""

    def measure(picture: Tensor) -> Tensor:
        from explorer.vision.synthesis.octaves import resized

        size = (picture.shape[-2], picture.shape[-1])
        return (picture - resized(original.to(picture), size)).square().mean()

    return _of_picture(measure)
