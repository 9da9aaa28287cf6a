"""What a training writes to resume from, and how it is read."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from explorer.core.errors import ExplorerError
from explorer.core.reading import unreadable
from explorer.networks.checkpoints.eight_bit import unpacked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from numpy.typing import NDArray
    from torch import Tensor, nn

CHECKPOINT = "checkpoint.pt"

_KEYS = frozenset({"model", "average", "optimizer", "step", "dtype"})
_OLD_KEYS = {"optimiser": "optimizer"}


def part_of(weights: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The weights of one part of a network, without the part's name."""
    return {k.removeprefix(prefix): v for k, v in weights.items() if k.startswith(prefix)}


@dataclass(slots=True, eq=False)
class State:
    """All that a checkpoint holds."""

    model: nn.Module
    average: dict[str, Tensor]
    optimizer: torch.optim.Optimizer
    dtype: torch.dtype
    step: int = 0
    seconds: float = 0.0

    def progress(self, minutes: float, total: int) -> float:
        """The part of the training that is done, in [0, 1].

        Args:
            minutes: After which it ends whatever its steps; 0 = no limit.
            total: Steps.
        """
        spent = self.seconds / (60 * minutes) if minutes else 0.0
        return min(1.0, max(self.step / total, spent))


def arrays_of(state: State, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """A state as plain arrays, which `restore` takes back; see `core.storage.checkpoint`.

    Args:
        state: After a complete step.
        names: Of the weights and buffers that change in the training.
    """
    found, weights = {}, state.model.state_dict()
    for name in names:
        found[f"weight.{name}"] = _plain(weights[name])
        if name in state.average:
            found[f"average.{name}"] = _plain(state.average[name])
    for number, moments in state.optimizer.state_dict()["state"].items():
        for kind, value in moments.items():
            found[f"optimizer.{number}.{kind}"] = _plain(torch.as_tensor(value))
    found["clock"] = np.array([state.step, state.seconds], np.float64)
    return found


def restore(state: State, names: Sequence[str], arrays: Mapping[str, NDArray[Any]]) -> None:
    """Resumes from what `arrays_of` gave for the same names.

    Raises:
        KeyError: Something is missing.
        ValueError: Something has another shape.
    """
    weights = state.model.state_dict()
    given = {name: _like(arrays[f"weight.{name}"], weights[name]) for name in names}
    averages = {
        name: _like(arrays[f"average.{name}"], weights[name])
        for name in names
        if name in state.average
    }
    moments: dict[int, dict[str, Tensor]] = {}
    for key, value in arrays.items():
        kind, _, rest = key.partition(".")
        if kind == "optimizer":
            number, _, part = rest.partition(".")
            moments.setdefault(int(number), {})[part] = torch.from_numpy(np.array(value))
    step, seconds = arrays["clock"].tolist()
    whole = state.optimizer.state_dict()
    state.optimizer.load_state_dict({**whole, "state": moments})
    with torch.no_grad():
        for name in names:
            weights[name].copy_(given[name])
            if name in averages:
                state.average[name].copy_(averages[name])
    state.step, state.seconds = int(step), float(seconds)


def _plain(value: Tensor) -> NDArray[Any]:
    return value.detach().float().cpu().numpy().copy()


def _like(values: NDArray[Any], tensor: Tensor) -> Tensor:
    if tuple(values.shape) != tuple(tensor.shape):
        raise ValueError(f"expected {tuple(tensor.shape)}, got {values.shape}")
    return torch.from_numpy(np.array(values)).to(tensor)


def save_checkpoint(state: State, path: Path) -> None:
    """Write to a file beside it, then rename: whatever happens, `path` is a whole checkpoint."""
    content = {
        "model": state.model.state_dict(),
        "average": state.average,
        "optimizer": state.optimizer.state_dict(),
        "step": state.step,
        "seconds": state.seconds,
        "dtype": str(state.dtype).removeprefix("torch."),
    }
    partial = path.with_suffix(".partial")
    with partial.open("wb") as file:
        torch.save(content, file)
        file.flush()
        os.fsync(file.fileno())
    partial.replace(path)


def load_checkpoint(state: State, path: Path) -> None:
    """Fill `state` from a file that `save_checkpoint` wrote, in this release or the last.

    Raises:
        ExplorerError: It is no such file, or of another network or optimizer.
    """
    content = read_checkpoint(path)
    try:
        state.model.load_state_dict(content["model"])
        for name, value in content["average"].items():
            state.average[name].copy_(value)
        state.optimizer.load_state_dict(content["optimizer"])
    except (RuntimeError, KeyError, ValueError) as error:
        raise ExplorerError(
            f"The checkpoint {path} belongs to another network or recipe.",
            "Start over with --fresh or choose another --out.",
        ) from error
    state.step = int(content["step"])
    state.seconds = float(content.get("seconds", 0.0))
    state.dtype = getattr(torch, content["dtype"])


def load_average(path: Path) -> tuple[dict[str, Tensor], int]:
    """The averaged weights in a checkpoint and the step they are from.

    Raises:
        ExplorerError: It is no checkpoint of a training.
    """
    content = read_checkpoint(path)
    return content["average"], int(content["step"])


def read_weights(path: Path) -> dict[str, Tensor]:
    """The averaged weights of a checkpoint, or those of a .safetensors file in float32.

    Raises:
        ExplorerError: It is neither.
    """
    if path.suffix == ".safetensors":
        try:
            return {name: value.float() for name, value in unpacked(load_file(path)).items()}
        except (OSError, SafetensorError) as error:
            raise ExplorerError(
                f"{path} cannot be read as weights.", "Give a .safetensors file or a checkpoint."
            ) from error
    return load_average(path)[0]


def read_checkpoint(path: Path) -> dict[str, Any]:
    """What `save_checkpoint` wrote; the last release had other keys.

    Raises:
        ExplorerError: It cannot be read, or is something else.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
        found = {_OLD_KEYS.get(key, key): value for key, value in content.items()}
        if set(found) >= _KEYS:
            return found
    except OSError as error:
        raise unreadable(path, error) from error
    except Exception as error:  # whatever a loader raises about bytes that are none of its own
        raise _no_checkpoint(path) from error
    raise _no_checkpoint(path)


def _no_checkpoint(path: Path) -> ExplorerError:
    return ExplorerError(
        f"{path} is not a checkpoint of a training.",
        "Choose another folder, or start over there with --fresh --overwrite.",
    )
