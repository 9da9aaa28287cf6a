"""A checkpoint laid beside an architecture: what agrees, before anything is built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from explorer.networks.checkpoints.alignment import align, is_counter, normalization
from explorer.networks.checkpoints.heads import OwnHead, own_head
from explorer.networks.checkpoints.signatures import Shape, Signature, shapes_of, signature_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from explorer.networks.checkpoints.reading import Checkpoint
    from explorer.networks.definition import Definition

MOST_CUT = 0.4
"""Of the tensors: this share may be missing at the end of a network that gives features."""


@dataclass(frozen=True, slots=True, eq=False)
class Match:
    """How the names and shapes of a state agree with a signature.

    `shapes` are sentences about tensors that do not fit, `hint` tells why they cannot be made to.
    """

    good: frozenset[str]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    shapes: tuple[str, ...]
    hint: str = ""

    @property
    def share(self) -> float:
        good = len(self.good)
        ours = good + len(self.missing) + len(self.shapes)
        theirs = good + len(self.unknown) + len(self.shapes)
        return good / max(ours, theirs, 1)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """A checkpoint laid beside an architecture, before anything is built.

    Attributes:
        state: The tensors by the architecture's names.
        expected: Its names and shapes with the file's class count.
        match: How the two agree.
        inside: Names in `state` that belong to layers that the architecture does not have.
        unused: Names of further tensors of the file that belong to none of its layers.
        classes: The class count.
        channels: Of the input.
        arguments: What the file has about the architecture.
        head: Of the user, in the place of the architecture's last layer.
        scale: (mean, std) that the file's own normalization has.
        twins: Further networks in the file, by the beginnings of their names.
        prefix: Of the names of this one.
        filled: Layers that were trained without a bias.
    """

    state: dict[str, Tensor]
    expected: dict[str, Shape]
    match: Match
    inside: tuple[str, ...]
    unused: tuple[str, ...]
    classes: int
    channels: int
    arguments: dict[str, Any]
    head: OwnHead | None
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None
    twins: tuple[str, ...]
    prefix: str
    filled: tuple[str, ...]


def planned(checkpoint: Checkpoint, definition: Definition) -> Plan:
    plain = signature_of(definition, definition.arguments({}))
    found = align(checkpoint.tensors, plain.shapes)
    arguments = definition.arguments(found.state)
    if arguments and checkpoint.sidecar:
        arguments = {**arguments, **definition.settings(checkpoint.sidecar)}
    signature = signature_of(definition, arguments)
    state, outside = dict(found.state), dict(found.outside)
    head = (
        own_head(state, outside, signature) if definition.entry.task == "classification" else None
    )
    count = _class_count(state, signature) if head is None else head.classes
    count = count or definition.entry.num_classes or len(definition.assumed.classes)
    expected = _expected(signature, count)
    channels = _gray_stem(state, expected)
    if head is not None:
        _rename_head(head, state, outside, expected)
    rest = {key: tensor for key, tensor in state.items() if key not in expected}
    scale, used = _scale_in({**outside, **rest})
    filled = _fill(state, expected)
    match = compare(state, expected, signature.integers)
    parts = {key.split(".")[0] for key in expected}
    unknown = [key for key in match.unknown if key not in used]
    inside = tuple(key for key in unknown if key.split(".")[0] in parts)
    others = (*(key for key in unknown if key not in inside), *outside)
    unused = tuple(key for key in others if key not in used and not is_counter(key))
    return Plan(
        state, expected, match, inside, unused, count, channels, arguments, head, scale,
        found.twins, found.prefix.rstrip("."), filled,
    )  # fmt: skip


def _rename_head(
    head: OwnHead,
    state: dict[str, Tensor],
    outside: dict[str, Tensor],
    expected: dict[str, Shape],
) -> None:
    """Moves the head's tensors to the names that they will have, here and in what is expected."""
    for key in [key for key in expected if key.startswith(f"{head.place}.")]:
        del expected[key]
    moved = {}
    for old, new in head.names.items():
        for tensors in (state, outside):
            for key in [key for key in tensors if key.rpartition(".")[0] == old]:
                moved[f"{new}.{key.rpartition('.')[2]}"] = tensors.pop(key)
    state.update(moved)
    expected.update(
        shapes_of({key: tensor for key, tensor in moved.items() if not is_counter(key)})
    )


def _scale_in(
    tensors: Mapping[str, Tensor],
) -> tuple[tuple[tuple[float, ...], tuple[float, ...]] | None, tuple[str, ...]]:
    """(mean, std) of a normalization inside the file for pixels from 0 to 1, and their names."""
    names = normalization(tensors)
    if names is None:
        return None, ()
    mean, std = (tensors[name].reshape(3).double() for name in names)
    if not (bool(torch.isfinite(mean).all()) and bool((std > 0).all())):
        return None, ()
    unit = 255.0 if float(mean.max()) > 1 else 1.0  # for pixels from 0 to 255
    return (tuple((mean / unit).tolist()), tuple((std / unit).tolist())), names


def _fill(state: dict[str, Tensor], expected: Mapping[str, Shape]) -> tuple[str, ...]:
    """Gives layers that were trained without a bias one of 0; their names."""
    layers = []
    for key, shape in expected.items():
        layer, _, last = key.rpartition(".")
        weight = state.get(f"{layer}.weight")
        if key not in state and last == "bias" and weight is not None and weight.ndim > 1:
            state[key] = torch.zeros(shape)
            layers.append(layer)
    return tuple(layers)


def end_without_weights(match: Match, expected: Mapping[str, Shape]) -> tuple[str, ...]:
    """The last layers, when the file has all but them; () else."""
    if not match.missing:
        return ()
    layers = list(dict.fromkeys(key.rpartition(".")[0] for key in expected))
    without = {key.rpartition(".")[0] for key in match.missing}
    last = layers[len(layers) - len(without) :]
    whole = all(key in match.missing for key in expected if key.rpartition(".")[0] in without)
    if set(last) != without or not whole or len(match.missing) > MOST_CUT * len(expected):
        return ()
    return tuple(f"{layer}." for layer in last)


def _class_count(state: Mapping[str, Tensor], signature: Signature) -> int | None:
    for key, head in signature.heads.items():
        if key in state and (count := head.classes(tuple(state[key].shape))) is not None:
            return count
    return None


def _expected(signature: Signature, count: int) -> dict[str, Shape]:
    shapes = dict(signature.shapes)
    for key, head in signature.heads.items():
        shape = list(shapes[key])
        shape[head.axis] = head.slope * count + head.offset
        shapes[key] = tuple(shape)
    return shapes


def _gray_stem(state: Mapping[str, Tensor], expected: dict[str, Shape]) -> int:
    """1 when the file's first convolution takes one channel (then so does `expected`), else 3."""
    for key, shape in expected.items():
        if len(shape) == 4:
            if (
                shape[1] == 3
                and key in state
                and tuple(state[key].shape) == (shape[0], 1, *shape[2:])
            ):
                expected[key] = (shape[0], 1, *shape[2:])
                return 1
            break
    return 3


def compare(
    state: Mapping[str, Tensor], expected: Mapping[str, Shape], integers: frozenset[str]
) -> Match:
    good, shapes, hint = set(), [], ""
    for key, wanted in expected.items():
        if key not in state:
            continue
        tensor = state[key]
        if tuple(tensor.shape) == wanted and tensor.is_floating_point() == (key not in integers):
            good.add(key)
        elif tuple(tensor.shape) == wanted:
            shapes.append(f"{key} holds {str(tensor.dtype).removeprefix('torch.')}")
        else:
            words, why = _unlike(key, tuple(tensor.shape), wanted)
            shapes.append(words)
            hint = hint or why
    missing = tuple(key for key in expected if key not in state and key not in integers)
    unknown = tuple(key for key in state if key not in expected and not is_counter(key))
    return Match(frozenset(good), missing, unknown, tuple(shapes), hint)


def _unlike(key: str, found: Shape, wanted: Shape) -> tuple[str, str]:
    """How a tensor differs, and a hint where the file cannot tell enough to make it fit."""
    words = f"{key} is {_size(found)}, the network expects {_size(wanted)}"
    if len(found) == len(wanted) == 4 and found[1] != wanted[1] == 3:
        return (
            f"{words}: it takes {found[1]} channels instead of 3",
            "A photo has 3 channels; the meaning of the others is not in the file.",
        )
    if key == "rpn.head.cls_logits.weight" and found[1:] == wanted[1:]:
        return (
            f"{words}: it has {found[0]} anchors per cell instead of {wanted[0]}",
            "The sizes and aspect ratios of its anchors are not in the file.",
        )
    return words, ""


def _size(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"
