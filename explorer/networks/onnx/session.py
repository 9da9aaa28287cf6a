"""Sessions of ONNX Runtime on the CPU, and runs of them that can be ended."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import torch

from explorer.networks.onnx.packages import needed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

POLL_SECONDS = 0.05
"""So often a run asks whether it is still wanted."""

_FATAL_ONLY = 4


class RunFailedError(Exception):
    """ONNX Runtime cannot compute it; in one line."""


def opened(model: bytes, *, spinning: bool = True) -> Any:
    """An `InferenceSession` with as many threads as torch uses.

    Args:
        model: An ONNX file whose tensors are inside.
        spinning: Its threads wait for the next operation without giving up their core. Where torch
            computes between two runs, they would be in its way.

    Raises:
        Exception: Of one of ONNX Runtime's own classes: it does not accept the model.
    """
    runtime = needed("onnxruntime")
    options = runtime.SessionOptions()
    options.log_severity_level = _FATAL_ONLY
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "1" if spinning else "0")
    return runtime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def run(
    session: Any,
    names: Sequence[str],
    given: Mapping[str, Any],
    poll: Callable[[], object] | None,
) -> list[Any]:
    """The outputs of those names; the run ends at once when `poll` raises, and so does this.

    Args:
        session: Of `opened`.
        names: Of outputs.
        given: Arrays by the names of inputs.
        poll: Called on this thread again and again while ONNX Runtime computes on another one;
            None = it computes on this one, and nothing can end it.

    Raises:
        RunFailedError: ONNX Runtime cannot compute it. What `poll` raises comes as it is.
    """
    if poll is not None:
        poll()
    options = needed("onnxruntime").RunOptions()
    options.log_severity_level = _FATAL_ONLY
    answer: list[Any] = []
    problem: list[Exception] = []

    def compute() -> None:
        try:
            answer.extend(session.run(list(names), dict(given), options))
        # ONNX Runtime raises classes of its own for everything, and it must not end here.
        except Exception as error:  # noqa: BLE001
            problem.append(error)

    if poll is None:
        compute()
    else:
        _watched(compute, poll, options)
    if problem:
        raise RunFailedError(first_line(problem[0])) from problem[0]
    return answer


def _watched(compute: Callable[[], None], poll: Callable[[], object], options: Any) -> None:
    worker = threading.Thread(target=compute, name="onnxruntime")
    worker.start()
    try:
        while worker.is_alive():
            worker.join(POLL_SECONDS)
            if worker.is_alive():
                poll()
    except BaseException:
        options.terminate = True
        raise
    finally:
        worker.join()


def first_line(error: BaseException) -> str:
    """What ONNX Runtime says, in one line without its codes."""
    text = str(error).rpartition(" : ")[2] or str(error)
    line = next((one.strip() for one in text.splitlines() if one.strip()), type(error).__name__)
    return line.rstrip(".")[:160]
