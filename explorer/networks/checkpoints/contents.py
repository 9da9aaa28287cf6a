"""What training programs keep in a checkpoint: where the weights are, and the names of the classes.

A checkpoint is any nesting of mappings and lists. No program is special: a state dict is a
mapping of names to tensors, and a list of classes is one under a name for it.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

NESTS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "params", "weights",
    "ema", "model_ema", "params_ema", "ema_state_dict", "state_dict_ema", "module", "student",
)  # fmt: skip
"""Where training programs put the weights inside their checkpoints, the most likely first."""

SECOND = (
    "ema", "teacher", "target", "momentum", "averaged", "average", "swa", "encoder_k", "key", "old",
    "discriminator", "critic", "attacker",
)  # fmt: skip
"""Words of the network that is kept beside the one that was trained."""

CLASS_LISTS = (
    "classes", "class_names", "categories", "names", "labels", "id2label", "idx_to_class",
    "index_to_class", "idx2class", "idx2label", "class_to_idx", "label2id", "class2idx",
    "label_names", "target_names", "thing_classes", "label_map",
)  # fmt: skip

_NO_WEIGHTS = ("optim", "sched", "scaler", "exp_avg", "grad", "rng", "lr_", "hook_msgs")
"""Parts of keys under which tensors are no weights."""

_DEEPEST = 6
_MOST_PLACES = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A mapping of names to tensors inside a checkpoint.

    Attributes:
        path: The keys that lead there.
        tensors: The mapping itself, with whatever else is in it.
        numbers: How many the tensors hold.
    """

    path: tuple[str, ...]
    tensors: Mapping[Any, Any]
    numbers: int

    @property
    def name(self) -> str:
        return ".".join(self.path)

    @property
    def rank(self) -> tuple[bool, int, int]:
        """The smaller, the likelier the weights of the trained network."""
        words = [word.casefold() for word in self.path]
        other = len(NESTS) + bool(words)
        known = min((NESTS.index(word) for word in words if word in NESTS), default=other)
        return is_second(self.name), known, -self.numbers


def is_second(name: str) -> bool:
    """True for the name of a network that is kept beside the one that was trained."""
    words = name.casefold().replace("_", ".").split(".")
    return any(word in words or word in name.casefold().split(".") for word in SECOND)


def places(content: Any) -> list[Place]:
    """The state dicts in a checkpoint, the likeliest first.

    Those that hold less than a hundredth of the numbers of the largest one are none (losses,
    metrics, prototypes).
    """
    found = list(_places(content, ()))
    most = max((place.numbers for place in found), default=0)
    large = [place for place in found if place.numbers * 100 >= most]
    return sorted(large, key=lambda place: place.rank)


def _places(content: Any, path: tuple[str, ...]) -> Iterator[Place]:
    entries = _entries(content)
    own = {k: value for k, value in entries.items() if isinstance(k, str) and _is_weights(value)}
    if any(value.ndim for value in own.values()) and isinstance(content, Mapping):
        numbers = sum(value.numel() if isinstance(value, Tensor) else value.size
                      for value in own.values())  # fmt: skip
        yield Place(path, content, numbers)
    if len(path) >= _DEEPEST or len(entries) > _MOST_PLACES:
        return
    for key, value in entries.items():
        word = str(key)
        if word == "state" and "param_groups" in entries:
            continue  # an optimizer's
        if isinstance(value, (Mapping, list, tuple, argparse.Namespace)) and not any(
            part in word.casefold() for part in _NO_WEIGHTS
        ):
            yield from _places(value, (*path, word))


def _entries(content: Any) -> Mapping[Any, Any]:
    if isinstance(content, Mapping):
        return content
    if isinstance(content, argparse.Namespace):
        return vars(content)
    if isinstance(content, (list, tuple)) and len(content) <= 64:
        return dict(enumerate(content))
    return {}


def _is_weights(value: Any) -> bool:
    return isinstance(value, Tensor) or (
        isinstance(value, np.ndarray) and value.dtype.kind in "fiub" and value.ndim > 0
    )


def keys(content: Any, depth: int = 0) -> Iterator[str]:
    """The names of everything in a checkpoint."""
    entries = _entries(content)
    if depth > _DEEPEST or len(entries) > _MOST_PLACES:
        return
    for key, value in entries.items():
        yield str(key)
        yield from keys(value, depth + 1)


def as_tensor(value: Any) -> Tensor:
    """A tensor in a state dict, or an array that stands for one."""
    if isinstance(value, Tensor):
        return value.detach()
    return torch.from_numpy(np.ascontiguousarray(value))


# -- architecture

ARCHITECTURE = ("arch", "architecture", "model_name")
_LONGEST_WORD = 128


def architecture(content: Any) -> str:
    """The name of the architecture, where a training program wrote it down; "" without any.

    It is looked for beside the weights and in the mappings there (timm's and PyTorch's own training
    programs write ``arch``).
    """
    entries = _entries(content) if not isinstance(content, (list, tuple)) else {}
    inner = (vars(v) if isinstance(v, argparse.Namespace) else v for v in entries.values())
    for place in (entries, *(each for each in inner if isinstance(each, Mapping))):
        for key in ARCHITECTURE:
            word = place.get(key)
            if isinstance(word, str) and 0 < len(word) <= _LONGEST_WORD:
                return word
    return ""


# -- classes


def class_names(content: Any) -> tuple[str, ...]:
    """The names of the classes by index, wherever a checkpoint lists them; () without any.

    A list, or a mapping from numbers to names or back; the numbers may be text. A number that is
    left out is "N/A".
    """
    return next(_class_names(content, 0), ())


def _class_names(content: Any, depth: int) -> Iterator[tuple[str, ...]]:
    entries = _entries(content) if not isinstance(content, (list, tuple)) else {}
    words = {key.casefold(): value for key, value in entries.items() if isinstance(key, str)}
    for key in CLASS_LISTS:
        names = _listed(words.get(key))
        if names:
            yield names
    if depth < _DEEPEST and len(entries) <= _MOST_PLACES:
        for value in entries.values():
            if isinstance(value, (Mapping, argparse.Namespace)):
                yield from _class_names(value, depth + 1)


def _listed(found: Any) -> tuple[str, ...]:
    if isinstance(found, str):
        found = _from_text(found)
    if isinstance(found, np.ndarray):
        found = found.tolist()
    if isinstance(found, (list, tuple)):
        if found and all(isinstance(entry, Mapping) and "name" in entry for entry in found):
            found = [entry["name"] for entry in found]
        return tuple(found) if all(isinstance(name, str) for name in found) else ()
    if not isinstance(found, Mapping):
        return ()
    by_number = {_index(key): value for key, value in found.items()}
    if not all(isinstance(name, str) and key is not None for key, name in by_number.items()):
        by_number = {_index(value): key for key, value in found.items()}
    if not by_number or len(by_number) < len(found) or max(map(_known, by_number)) > 100_000:
        return ()
    numbers = sorted(map(_known, by_number))
    if numbers[0] not in (0, 1) or not all(isinstance(name, str) for name in by_number.values()):
        return ()
    return tuple(by_number.get(k, "N/A") for k in range(numbers[0], numbers[-1] + 1))


def _from_text(text: str) -> Any:
    """JSON (the metadata of safetensors), or words between commas."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        words = [word.strip() for word in text.split(",")]
        return words if len(words) > 1 and all(words) else None


def _index(value: Any) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, np.integer)):
        return int(value)
    return int(value) if isinstance(value, str) and value.isdecimal() and len(value) < 8 else None


def _known(number: int | None) -> int:
    return 10**9 if number is None else number
