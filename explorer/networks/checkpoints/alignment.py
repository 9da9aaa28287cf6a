"""Finding an architecture's own names in a checkpoint, whatever was put around them.

Wrappers put a word in front of every name (DataParallel's ``module.``, an attribute of a Lightning
module, the number in a Sequential) or inside it; a file may hold the network twice (student and
teacher); profilers add counters. None of these words is known here: what counts is how many names
of the architecture stand behind the same beginning.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING

import torch

from explorer.networks.checkpoints.contents import is_second

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from torch import Tensor

WRAPPERS = frozenset(
    {"module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module", "_forward_module"}
)
"""What parallel training and compilation put inside names."""

COUNTERS = ("total_ops", "total_params", "n_averaged", "num_batches_tracked")
"""Of profilers and of averages: no weights."""

_MOSTLY = 0.8
"""Of the tensors of a file: this share is in two networks of one kind, or it has only one."""

_ALIKE = 0.9
"""Of the names: with this share of the architecture it is another network."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """A checkpoint under an architecture's names.

    Attributes:
        state: The tensors by the architecture's names, with others that stand among them.
        prefix: What stood before the names.
        outside: Tensors that stood elsewhere, by their own names.
        twins: Beginnings of the names of further networks of this architecture.
    """

    state: dict[str, Tensor]
    prefix: str
    outside: dict[str, Tensor]
    twins: tuple[str, ...]


def is_counter(key: str) -> bool:
    return key.rpartition(".")[2] in COUNTERS


def align(tensors: Mapping[str, Tensor], names: Collection[str]) -> Aligned:
    """The tensors that are the architecture's.

    Args:
        tensors: Of a checkpoint.
        names: Of the architecture's tensors.
    """
    known = set(names)
    plain = unwrapped(tensors, known)
    votes = _votes(plain, known)
    if not votes:
        return Aligned(dict(plain), "", {}, ())
    most = max(votes.values())
    rivals = [prefix for prefix, count in votes.items() if count >= _ALIKE * most]
    prefix, *others = sorted(
        rivals, key=lambda found: (is_second(found), -votes[found], len(found))
    )
    state = {
        key.removeprefix(prefix): tensor for key, tensor in plain.items() if key.startswith(prefix)
    }
    twins = [other for other in others if _apart(other, prefix)]
    outside = {
        key: tensor
        for key, tensor in plain.items()
        if not key.startswith(prefix) and not any(key.startswith(twin) for twin in twins)
    }
    for key in known - set(state):  # a head beside a wrapped trunk
        if key in outside:
            state[key] = outside.pop(key)
    different = (twin for twin in twins if not _same(plain, state, twin))
    return Aligned(state, prefix, outside, tuple(twin.rstrip(".") for twin in different))


def unwrapped(tensors: Mapping[str, Tensor], known: Collection[str]) -> dict[str, Tensor]:
    """Without the words of wrappers inside the names, where the architecture has none of them."""
    named = {key: tensor for key, tensor in tensors.items() if isinstance(key, str)}
    if any(WRAPPERS & set(name.split(".")) for name in known):
        return named
    names = {key: ".".join(w for w in key.split(".") if w not in WRAPPERS) for key in named}
    if len(set(names.values())) < len(names):
        return named
    return {names[key]: tensor for key, tensor in named.items()}


def _votes(tensors: Mapping[str, Tensor], known: set[str]) -> Counter[str]:
    votes: Counter[str] = Counter()
    for key in tensors:
        at = 0
        while True:
            if key[at:] in known:
                votes[key[:at]] += 1
            dot = key.find(".", at)
            if dot < 0:
                break
            at = dot + 1
    return votes


def _apart(one: str, other: str) -> bool:
    return bool(one and other) and not (one.startswith(other) or other.startswith(one))


def _same(plain: Mapping[str, Tensor], state: Mapping[str, Tensor], prefix: str) -> bool:
    return all(
        key in state and state[key].shape == tensor.shape and torch.equal(state[key], tensor)
        for name, tensor in plain.items()
        if name.startswith(prefix) and (key := name.removeprefix(prefix)) is not None
    )


def siblings(names: Collection[str], prefix: str) -> list[str]:
    """Other beginnings, as long as `prefix`, behind which the same names stand."""
    depth = prefix.count(".") + 1
    groups: dict[str, set[str]] = {}
    for name in names:
        words = name.split(".")
        groups.setdefault(".".join(words[:depth]), set()).add(".".join(words[depth:]))
    mine = groups.get(prefix, set())
    return [
        other
        for other, behind in groups.items()
        if other != prefix and len(behind & mine) >= _ALIKE * max(len(mine), 1)
    ]


def normalization(tensors: Mapping[str, Tensor]) -> tuple[str, str] | None:
    """The names of three means and three deviations that a wrapper subtracts and divides by."""
    three = {key for key, tensor in tensors.items() if tensor.numel() == 3}
    for key in sorted(three):
        head, _, last = key.rpartition(".")
        if last in ("mean", "new_mean", "_mean", "pixel_mean"):
            start = f"{head}." if head else ""
            other = f"{start}{last.replace('mean', 'std')}"
            if other in three:
                return key, other
    return None


def numbers_of_one(tensors: Mapping[str, Tensor]) -> int:
    """How many numbers the network of a checkpoint has; one that is there twice counts once."""
    total = sum(tensor.numel() for tensor in tensors.values())
    for depth in (1, 2, 3):
        groups: dict[str, dict[str, tuple[int, ...]]] = {}
        for key, tensor in tensors.items():
            words = key.split(".")
            inner = groups.setdefault(".".join(words[:depth]), {})
            inner[".".join(words[depth:])] = tuple(tensor.shape)
        kinds = Counter(frozenset(group.items()) for group in groups.values())
        twin = max(kinds, key=len, default=frozenset())
        if kinds[twin] > 1 and kinds[twin] * len(twin) > _MOSTLY * len(tensors):
            return sum(prod(shape) for _, shape in twin)
    return total
