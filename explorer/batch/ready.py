"""What every job with a network does first: load it, and say what decides its results."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.engine.engine import Engine, is_oom

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping, Sequence

    from explorer.networks.network import Network


def spec_of(params: Mapping[str, Any]) -> NetworkSpec:
    """The network that a job's parameters name.

    Raises:
        ExplorerError: They name none.
    """
    try:
        return NetworkSpec(**params["spec"])
    except (KeyError, TypeError) as error:
        raise ExplorerError("The job's network cannot be read.", "Start the job again.") from error


def threads_set(params: Mapping[str, Any]) -> None:
    """Torch's threads as the job wants them, in this process: they decide the last bit."""
    threads = int(params.get("threads", 0))
    if threads > 0 and threads != torch.get_num_threads():
        torch.set_num_threads(threads)


def loaded(spec: NetworkSpec, engine: Engine | None = None) -> Network:
    """The network of `spec`.

    Raises:
        ExplorerError: It cannot be had.
    """
    loading: Generator[Any, Any, Network] = (engine or Engine()).network(spec)
    while True:
        try:
            next(loading)
        except StopIteration as end:
            network: Network = end.value
            return network


def network_settings(network: Network | None) -> dict[str, Any]:
    """What decides the numbers of a network, as JSON has it."""
    found: dict[str, Any] = {"torch": torch.__version__, "threads": torch.get_num_threads()}
    if network is not None:
        info = network.info
        found |= {
            "network": info.spec.name,
            "weights": info.digest,
            "classes": list(info.classes),
            "input": info.input_title,
            "device": network.device.type,
            "precision": info.dtype,
        }
    return found


def out_of_memory_told(compute: Callable[[], Sequence[Any]]) -> Sequence[Any]:
    """What `compute()` gives; out of memory becomes a sentence about the photo.

    Raises:
        ExplorerError: There is not enough memory.
    """
    try:
        return compute()
    except (RuntimeError, MemoryError) as error:
        if not is_oom(error):
            raise
    # Outside the except: the traceback holds the tensors.
    raise ExplorerError("There is not enough memory for it.", "Choose a smaller batch.")


def entry_of(output: Any, number: int) -> Any:
    """One photo's part of the output of a batch, as a batch of one."""
    if isinstance(output, torch.Tensor):
        return output[number : number + 1]
    if isinstance(output, dict):
        return type(output)((key, entry_of(value, number)) for key, value in output.items())
    if isinstance(output, (list, tuple)):
        parts = [entry_of(value, number) for value in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    return output
