"""The state of a network and of its optimizer as named tensors, for the file of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor, nn


def state_of(
    network: nn.Module, optimizer: torch.optim.Optimizer, prefix: str = ""
) -> dict[str, Tensor]:
    """Copies, on the CPU, under names that begin with `prefix`."""
    state = {f"{prefix}network.{k}": v.detach().cpu() for k, v in network.state_dict().items()}
    for number, entries in optimizer.state_dict()["state"].items():
        for key, value in entries.items():
            if value is not None:
                state[f"{prefix}optimizer.{number}.{key}"] = torch.as_tensor(value).cpu()
    return {name: tensor.contiguous().clone() for name, tensor in state.items()}


def restore(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: Mapping[str, Tensor],
    prefix: str = "",
) -> None:
    """Goes back to what `state_of` gave.

    Raises:
        RuntimeError: It is of another network.
    """
    start = f"{prefix}network."
    own = {k.removeprefix(start): v for k, v in state.items() if k.startswith(start)}
    network.load_state_dict(own)
    memory: dict[int, dict[str, Any]] = {}
    start = f"{prefix}optimizer."
    for name, value in state.items():
        if name.startswith(start):
            number, key = name.removeprefix(start).split(".")
            memory.setdefault(int(number), {})[key] = value
    content = optimizer.state_dict()
    optimizer.load_state_dict({**content, "state": memory})
