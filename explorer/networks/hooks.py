"""Looking into a forward pass: the only place where hooks are put on a module.

All helpers remove what they added whatever happens inside. But for `replaced`, whose purpose that
is, they return None from every hook, so a network's output is the same with and without them.
"""

from __future__ import annotations

import itertools
import threading
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.core.errors import Cancelled, ExplorerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from torch.utils.hooks import RemovableHandle


@contextmanager
def interruptible(module: nn.Module, cancelled: Callable[[], bool]) -> Iterator[None]:
    """Raises `Cancelled` at the next forward of any sub-module once `cancelled()` is true.

    Only on the thread that entered: another thread using the module is not disturbed. One huge
    operation cannot be interrupted.

    A copy of a sub-module that is made inside the `with` has copies of the hooks: they do nothing
    once it is left.
    """
    owner: int | None = threading.get_ident()

    def check(_module: nn.Module, _inputs: Any) -> None:
        if threading.get_ident() == owner and cancelled():
            raise Cancelled

    handles = []
    try:
        # A TorchScript module refuses hooks; it is then canceled between steps only.
        handles = [
            child.register_forward_pre_hook(check)
            for child in module.modules()
            if not isinstance(child, torch.jit.ScriptModule)
        ]
        yield
    finally:
        owner = None
        for handle in handles:
            handle.remove()


@contextmanager
def captured(
    module: nn.Module,
    layers: Sequence[str],
    *,
    convert: Callable[[Tensor], Tensor] | None = None,
    keep_graph: bool = False,
) -> Iterator[dict[str, list[Any]]]:
    """Records the outputs of the named layers of every forward inside the `with`.

    Args:
        module: The network.
        layers: Dotted names of sub-modules; "" is the module itself.
        convert: Applied to every tensor in the hook; default is a detached clone, since a following
            in-place ReLU would change the record.
        keep_graph: Clone without detaching, to differentiate through the record.

    Yields:
        ``{layer: [record of call 0, record of call 1, …]}``: a module called several times in one
        forward gives several records. A record has the structure of the output (tensors, lists,
        tuples, dicts); anything that is not a tensor is kept as it is.

    Raises:
        ExplorerError: When the network has no such layer.
    """
    found = {name: _named(module, name) for name in layers}
    records: dict[str, list[Any]] = {name: [] for name in layers}
    keep = convert or (Tensor.clone if keep_graph else lambda tensor: tensor.detach().clone())

    def recorder(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
            records[name].append(map_tensors(output, keep))

        return record

    handles = []
    try:
        for name in layers:
            handles.append(found[name].register_forward_hook(recorder(name)))
        yield records
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def replaced(module: nn.Module, changes: Mapping[str, Callable[[Any, int], Any]]) -> Iterator[None]:
    """Inside the `with` named layers give what is made of their output.

    Args:
        module: The network.
        changes: By the dotted name of a layer ``(output, call) -> output``; calls of the layer are
            counted from 0. It must not write into the output: what follows may need it unchanged.

    Raises:
        ExplorerError: When the network has no such layer.
    """

    def changer(change: Callable[[Any, int], Any]) -> Callable[[nn.Module, Any, Any], Any]:
        calls = itertools.count()
        return lambda _module, _inputs, output: change(output, next(calls))

    handles: list[RemovableHandle] = []
    try:
        for name, change in changes.items():
            handles.append(_named(module, name).register_forward_hook(changer(change)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def rerouted(
    module: nn.Module, changes: Mapping[str, Callable[[Tensor], Tensor]]
) -> AbstractContextManager[None]:
    """As `replaced`, with ``tensor -> tensor`` for every tensor of an output, at every call.

    A clone leaves the network's output as it is, and whoever made it has the record from before an
    in-place operation, with its graph.
    """

    def mapped(change: Callable[[Tensor], Tensor]) -> Callable[[Any, int], Any]:
        return lambda output, _call: map_tensors(output, change)

    return replaced(module, {name: mapped(change) for name, change in changes.items()})


@contextmanager
def observed(
    module: nn.Module,
    before: Callable[[str, nn.Module, tuple[Any, ...]], None],
    after: Callable[[str, nn.Module, tuple[Any, ...], Any], None],
) -> Iterator[None]:
    """Calls `before` and `after` around every forward of the module and of its sub-modules.

    Args:
        module: The network; a TorchScript part of it refuses hooks and is not observed.
        before: ``(name, module, inputs)`` with positional and keyword inputs in one tuple; the
            name is dotted, "" = the module itself.
        after: ``(name, module, inputs, output)``, unless the forward raises.
    """

    def hooks_of(name: str) -> tuple[Callable[..., None], Callable[..., None]]:
        def enter(child: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
            before(name, child, (*inputs, *named.values()))

        def leave(
            child: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any], output: Any
        ) -> None:
            after(name, child, (*inputs, *named.values()), output)

        return enter, leave

    handles: list[RemovableHandle] = []
    try:
        for name, child in module.named_modules():
            if not isinstance(child, torch.jit.ScriptModule):
                enter, leave = hooks_of(name)
                handles.append(child.register_forward_pre_hook(enter, with_kwargs=True))
                handles.append(child.register_forward_hook(leave, with_kwargs=True))
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Reached(Exception):
    def __init__(self, value: Any) -> None:
        super().__init__()
        self.value = value


def output_until(module: nn.Module, layer: str, run: Callable[[], object]) -> Any:
    """The named layer's output while `run()` runs the module, which stops right there.

    Nothing behind the layer is computed, so the output needs no clone and keeps its graph.

    Args:
        module: The network, or the part of it that `run` calls.
        layer: Dotted name of a sub-module; of several calls the first one counts.
        run: Calls `module`.

    Raises:
        ExplorerError: When there is no such layer, or `run` does not come past it.
    """

    def stop(_module: nn.Module, _inputs: Any, output: Any) -> None:
        raise _Reached(output)

    return _reached(_named(module, layer).register_forward_hook(stop), layer, run)


def outputs_until(
    module: nn.Module, layers: Sequence[str], run: Callable[[], object]
) -> dict[str, Any]:
    """What several layers answer while `run()` runs the module, which stops at the last of them.

    The outputs keep their graph. All but the last are cloned, since what follows may work in place.

    Args:
        module: The network, or the part of it that `run` calls.
        layers: Dotted names of sub-modules, "" = the module itself; of several calls of a layer the
            first one counts.
        run: Calls `module`.

    Raises:
        ExplorerError: When there is no such layer, or `run` does not come past it.
    """
    wanted = dict.fromkeys(layers)
    found: dict[str, Any] = {}

    def recorder(name: str) -> Callable[[nn.Module, Any, Any], None]:
        def record(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if name in found:
                return
            if len(found) == len(wanted) - 1:
                raise _Reached(output)
            found[name] = map_tensors(output, Tensor.clone)

        return record

    handles = []
    try:
        for name in wanted:
            handles.append(_named(module, name).register_forward_hook(recorder(name)))
        run()
    except _Reached as reached:
        (last,) = wanted.keys() - found.keys()
        return {**found, last: reached.value}
    finally:
        for handle in handles:
            handle.remove()
    missing = next((name for name in wanted if name not in found), "")
    raise ExplorerError(
        f"The layer {missing!r} is not used for this input.", "Choose another layer."
    )


def input_until(module: nn.Module, layer: str, run: Callable[[], object], *, call: int = 0) -> Any:
    """What the named layer is given, its first argument, while `run()` runs the module.

    The layer itself does not run any more at that `call`, counted from 0; beyond the last = the
    last. Otherwise as `output_until`.
    """
    before: list[Any] = []  # earlier calls, of which only the last is kept

    def stop(_module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]) -> None:
        value = next(iter((*inputs, *named.values())), None)
        if len(before) == call:
            raise _Reached(value)
        if before:
            before[-1] = None
        before.append(map_tensors(value, Tensor.clone))

    handle = _named(module, layer).register_forward_pre_hook(stop, with_kwargs=True)
    try:
        return _reached(handle, layer, run)
    except ExplorerError:
        if not before:
            raise
        return before[-1]


def _named(module: nn.Module, layer: str) -> nn.Module:
    try:
        return module.get_submodule(layer)
    except AttributeError:
        raise ExplorerError(
            f"This network has no layer {layer!r}.", "Choose a layer from its list."
        ) from None


def _reached(handle: RemovableHandle, layer: str, run: Callable[[], object]) -> Any:
    try:
        run()
    except _Reached as reached:
        return reached.value
    finally:
        handle.remove()
    raise ExplorerError(f"The layer {layer!r} is not used for this input.", "Choose another layer.")


def map_tensors(value: Any, change: Callable[[Tensor], Tensor], depth: int = 6) -> Any:
    """`value` with `change` applied to every tensor in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        return change(value)
    if depth == 0:
        return value
    if isinstance(value, dict):
        return {key: map_tensors(entry, change, depth - 1) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        entries = [map_tensors(entry, change, depth - 1) for entry in value]
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return type(value)(*entries)
        return type(value)(entries) if type(value) in (list, tuple) else entries
    return value


def tensors_in(value: Any, depth: int = 6) -> list[Tensor]:
    """All tensors in nested lists, tuples and dicts, in order (bounded depth)."""
    found: list[Tensor] = []
    map_tensors(value, lambda tensor: found.append(tensor) or tensor, depth)  # type: ignore[func-returns-value]
    return found
