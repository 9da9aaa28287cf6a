"""The dense part of a network in ONNX Runtime, at one input size."""

from __future__ import annotations

import io
import logging
import time
import warnings
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.networks.fast import kept
from explorer.networks.fast.dense import Flat, built
from explorer.networks.fast.differences import relative
from explorer.networks.onnx.session import RunFailedError, first_line, opened, run

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.storage.disk_cache import Entry
    from explorer.networks.fast.dense import DensePart
    from explorer.networks.fast.kept import Decision

log = logging.getLogger(__name__)

OPSET = 17
TOLERANCE = 1e-3
"""Largest difference from torch's numbers at which ONNX Runtime is used; see `relative`."""

LONG_SECONDS = 0.1
"""A run that takes longer is done on a thread of its own, so that it can be ended."""


class UnusableError(Exception):
    """Why ONNX Runtime cannot compute a network, in the middle of a sentence."""


class InRuntime:
    """Computes a dense part in ONNX Runtime; where that fails, once and for all in torch.

    Attributes:
        model: The exported part.
        poll: Hooks on it are called now and then during a long run.
        problem: What went wrong; "" = nothing.
    """

    def __init__(self, model: bytes, session: Any, form: Any, part: DensePart) -> None:
        self.model = model
        self.poll: nn.Module = nn.Identity()
        self.problem = ""
        self._session, self._form, self._part = session, form, part
        (entry,) = session.get_inputs()
        self._entry, self._shape = entry.name, tuple(entry.shape)
        self._names = [output.name for output in session.get_outputs()]
        self._seconds = 0.0

    def __call__(self, images: Tensor) -> Any:
        if not self.problem and tuple(images.shape) == self._shape:
            try:
                return built(self._form, self.tensors(images))
            except UnusableError as error:
                self.problem = str(error)
        return self._part(images)

    def tensors(self, images: Tensor) -> list[Tensor]:
        """The part's tensors for (1, C, H, W) of the size it was exported for.

        Raises:
            UnusableError: ONNX Runtime cannot compute them.
        """
        began = time.perf_counter()
        given = {self._entry: images.detach().contiguous().numpy()}
        poll = self._ask if self._seconds > LONG_SECONDS else None
        try:
            arrays = run(self._session, self._names, given, poll)
        except RunFailedError as error:
            raise UnusableError(str(error)) from error
        self._seconds = time.perf_counter() - began
        return [torch.from_numpy(array) for array in arrays]

    def _ask(self) -> None:
        self.poll(torch.empty(0))


def prepared(
    own: DensePart, part: DensePart, images: Tensor, entry: Entry, wanted: Callable[[], bool]
) -> tuple[InRuntime | None, Decision | None]:
    """The part in ONNX Runtime, and what is known of its speed; None, a decision = it is slower.

    What is kept on disk is used if it gives the right numbers.

    Args:
        own: A copy of the part for this thread; see `dense.alone`.
        part: The part itself, which takes over when ONNX Runtime fails.
        images: (1, C, H, W): an example.
        entry: Where the decision is kept.
        wanted: Asked between the steps.

    Raises:
        UnusableError: ONNX Runtime cannot be used for it.
    """
    decision = kept.read(entry)
    if decision is not None and not decision.faster:
        return None, decision
    flat = Flat(own).eval()
    with torch.no_grad():
        expected = list(flat(images))
        if decision is not None:
            try:
                found = _session(decision.model, flat, part)
                _check(found, images, expected)
            except UnusableError as error:
                log.warning("%s is damaged and made again: %s", entry.path, error)
            else:
                return found, decision
        if not wanted():
            raise UnusableError("it is no longer needed")
        found = _session(exported(flat, images), flat, part)
        _check(found, images, expected)
    return found, None


def exported(flat: Flat, images: Tensor) -> bytes:
    """The part as an ONNX file for inputs of this size.

    Raises:
        UnusableError: torch cannot export it.
    """
    file: Any = io.BytesIO()  # a file in memory is taken, if not by the annotations
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # shapes that become constants are what is wanted
        try:
            # The exporter that traces: it needs a second where the other one needs ten.
            torch.onnx.export(
                flat, (images,), file, dynamo=False, opset_version=OPSET, do_constant_folding=False
            )
        # It raises whatever an operator's conversion raises.
        except Exception as error:
            raise UnusableError(f"PyTorch cannot export it: {first_line(error)}") from error
    model: bytes = file.getvalue()
    return model


def _session(model: bytes, flat: Flat, part: DensePart) -> InRuntime:
    try:
        session = opened(model, spinning=False)
    # Its own classes of errors, for a model that cannot be right or that it does not know.
    except Exception as error:
        raise UnusableError(first_line(error)) from error
    return InRuntime(model, session, flat.form, part)


def _check(found: InRuntime, images: Tensor, expected: list[Tensor]) -> None:
    tensors = found.tensors(images)
    if [t.shape for t in tensors] != [t.shape for t in expected]:
        raise UnusableError("its outputs have other shapes than those of PyTorch")
    apart = relative(expected, tensors)
    if not apart <= TOLERANCE:  # nor NaN
        raise UnusableError(f"its outputs differ from those of PyTorch by {apart:.2g}")
