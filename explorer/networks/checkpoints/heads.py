"""Heads that a user has put in the place of an architecture's last layer.

Only what the file defines without doubt is built: fully connected layers one after the other, batch
norms, and a ReLU in a gap between two of them. Dropout changes nothing at inference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from explorer.networks.checkpoints.signatures import Shape, Signature

_WORDS = ("fc", "head", "classifier", "linear", "logits", "cls", "heads", "last_linear", "output")
"""What a head beside a wrapped trunk is called."""

_DIGITS = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer of a head: a fully connected one of (out, in), or a norm of (n,).

    Attributes:
        name: In the file.
        shape: Of its weight.
        bias: It has one.
        gap: Modules without tensors stand before it.
    """

    name: str
    shape: Shape
    bias: bool
    gap: bool


@dataclass(frozen=True, slots=True)
class OwnHead:
    """A head to be built.

    Attributes:
        place: The module of the architecture that it takes the place of.
        layers: In order.
        native: The layers stand where the architecture has its own, which then keeps what is
            between them.
    """

    place: str
    layers: tuple[Layer, ...]
    native: bool

    @property
    def classes(self) -> int:
        return self.layers[-1].shape[0]

    @property
    def names(self) -> dict[str, str]:
        """The file's names of the layers -> those in the network that `built` changes."""
        if self.native:
            return {layer.name: layer.name for layer in self.layers}
        return {
            layer.name: f"{self.place}.{k}" for layer, k in zip(self.layers, self._at, strict=True)
        }

    @property
    def _at(self) -> list[int]:
        """Where the layers stand in the sequence that is built."""
        found, at = [], 0
        for number, layer in enumerate(self.layers):
            at += bool(number and layer.gap)
            found.append(at)
            at += 1
        return found

    def put_into(self, module: nn.Module) -> None:
        """Changes the network so that it has this head, with random weights."""
        if self.native:
            for layer in self.layers:
                module.set_submodule(layer.name, _made(layer))
            return
        steps: list[nn.Module] = []
        for number, layer in enumerate(self.layers):
            if number and layer.gap:
                steps.append(nn.ReLU())
            steps.append(_made(layer))
        module.set_submodule(self.place, nn.Sequential(*steps))


def _made(layer: Layer) -> nn.Module:
    if len(layer.shape) == 1:
        return nn.BatchNorm1d(layer.shape[0])
    return nn.Linear(layer.shape[1], layer.shape[0], bias=layer.bias)


def own_head(
    state: Mapping[str, Tensor], outside: Mapping[str, Tensor], signature: Signature
) -> OwnHead | None:
    """The head in a file that is not the architecture's own; None when there is none to build.

    Args:
        state: The tensors by the architecture's names, with others that stand among them.
        outside: Those elsewhere in the file.
        signature: Of the architecture.
    """
    place = head_of(signature)
    if place is None or f"{place}.weight" in state:
        return _resized(state, signature, place)
    width = signature.shapes[f"{place}.weight"][1]
    found = head_under(state, f"{place}.", place, width)
    if found is not None:
        return found
    beside = {key.split(".")[0] for key in outside}
    for word in sorted(beside & set(_WORDS), key=_WORDS.index):
        found = head_under(outside, f"{word}.", place, width)
        if found is not None:
            return found
    return _resized(state, signature, place)


def head_of(signature: Signature) -> str | None:
    """The one fully connected layer whose size follows the number of classes."""
    places = {key.rpartition(".")[0] for key in signature.heads}
    place = next(iter(places), "")
    weight = signature.shapes.get(f"{place}.weight", ())
    return place if len(places) == 1 and place and len(weight) == 2 else None


def _resized(
    state: Mapping[str, Tensor], signature: Signature, place: str | None
) -> OwnHead | None:
    """A whole classifier (VGG's three layers) whose layers have other widths, or are others."""
    container = (place or "").rpartition(".")[0]
    own = {key: shape for key, shape in signature.shapes.items() if key.startswith(f"{container}.")}
    if not container or any(len(shape) > 2 for shape in own.values()):
        return None
    there = {key: tuple(t.shape) for key, t in state.items() if key.startswith(f"{container}.")}
    known = {key: shape for key, shape in there.items() if key in own}
    if known == there and all(
        shape == own[key] or key in signature.heads for key, shape in known.items()
    ):
        return None
    first = next(shape for shape in own.values() if len(shape) == 2)
    found = head_under(state, f"{container}.", container, first[1])
    if found is None:
        return None
    native = {layer.name for layer in found.layers} == {key.rpartition(".")[0] for key in own}
    return OwnHead(container, found.layers, native)


def head_under(
    tensors: Mapping[str, Tensor], prefix: str, place: str, width: int
) -> OwnHead | None:
    """The head that the tensors under a name make, one layer after the other.

    Args:
        tensors: By name; only their shapes are used.
        prefix: The name, up to and with its last dot.
        place: Where the head goes in the architecture.
        width: Features that go into its first layer.

    Returns:
        None where they are no such sequence: a kind of layer that is not known, widths that do not
        fit, or more than one place for a ReLU.
    """
    keys = {key for key in tensors if key.startswith(prefix)}
    names = sorted({key.rpartition(".")[0] for key in keys}, key=_natural)
    layers: list[Layer] = []
    before: str | None = None
    for name in names:
        parts = {key.rpartition(".")[2] for key in keys if key.rpartition(".")[0] == name}
        gap = before is None or not _follows(before, name)
        layer = _layer(tensors, name, parts, gap=gap)
        if layer is None or width != layer.shape[-1]:
            return None
        width, before = layer.shape[0], name
        layers.append(layer)
    if not layers or len(layers[-1].shape) != 2 or _unclear(layers):
        return None
    return OwnHead(place, tuple(layers), native=False)


def _layer(tensors: Mapping[str, Tensor], name: str, parts: set[str], *, gap: bool) -> Layer | None:
    weight = tensors.get(f"{name}.weight")
    if weight is None:
        return None
    shape = tuple(weight.shape)
    if len(shape) == 2 and parts <= {"weight", "bias"}:
        return Layer(name, shape, "bias" in parts, gap)
    norm = {"weight", "bias", "running_mean", "running_var"}
    if len(shape) == 1 and norm <= parts <= norm | {"num_batches_tracked"}:
        return Layer(name, shape, bias=True, gap=gap)
    return None


def _unclear(layers: list[Layer]) -> bool:
    """Two gaps between two fully connected layers: the ReLU may stand in either."""
    gaps = 0
    for layer in layers[1:]:
        gaps += layer.gap
        if gaps > 1:
            return True
        if len(layer.shape) == 2:
            gaps = 0
    return False


def _follows(before: str, name: str) -> bool:
    """True when no module can stand between the two in a sequence."""
    (head, _, last), (other, _, next_) = before.rpartition("."), name.rpartition(".")
    return head == other and last.isdecimal() and next_.isdecimal() and int(next_) == int(last) + 1


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (0, part) for part in _DIGITS.split(name)]
