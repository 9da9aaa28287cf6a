"""A network that a function in a Python file builds: ``my.py:build``.

Using it runs the file's code, with all that the user may do. So it is used only where somebody has
said so: whoever names it on the command line or in Python has; the window asks, once for each
content of the file. What was agreed to is kept by the file's SHA-256 in the data folder.

The function takes no arguments and returns an `nn.Module` or a `networks.plugins.Plugin`, which
says more (classes, preprocessing, a file of weights). The file's own folder is importable while it
runs.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import sys
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from torch import nn

from explorer.core.errors import ExplorerError
from explorer.core.listing import either
from explorer.core.reading import read_file
from explorer.core.settings import data_folder
from explorer.core.step import Step
from explorer.core.storage.atomic import write_bytes
from explorer.networks import plugins
from explorer.networks.checkpoints import loading, reading, weights
from explorer.networks.checkpoints.alignment import is_counter
from explorer.networks.given import from_module

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

    import torch

    from explorer.core.network_info import NetworkSpec
    from explorer.networks.network import Network

_NAME = re.compile(r"(.+\.py):([A-Za-z_]\w*)", re.DOTALL)
_TRUSTED = "trusted-programs.json"
_MOST_BYTES = 1 << 20
USUAL = ("build", "network", "model", "get_model", "make", "create_model")
"""Names of functions that build a network, the likeliest first."""


def file_and_function(name: str) -> tuple[Path, str] | None:
    """What a network's name means: a Python file and its function; None for any other name."""
    found = _NAME.fullmatch(name)
    return (Path(found[1]).expanduser(), found[2]) if found else None


def functions(path: Path) -> tuple[str, ...]:
    """The functions of a file that can be called without arguments, `USUAL` names first.

    The file is parsed, not run.

    Raises:
        ExplorerError: It cannot be read, or is no Python.
    """
    try:
        tree = ast.parse(_source(path), path.name)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise ExplorerError(
            f"{path.name} is no Python program: {error}.", "Choose another file."
        ) from error
    found = [
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and len(node.args.posonlyargs) + len(node.args.args) == len(node.args.defaults)
        and all(default is not None for default in node.args.kw_defaults)
        and not node.name.startswith("_")
    ]
    return tuple(sorted(found, key=lambda name: USUAL.index(name) if name in USUAL else len(USUAL)))


def trust(path: Path) -> None:
    """From now on this user agrees to run the file as it is now.

    Raises:
        ExplorerError: It cannot be read, or that cannot be kept.
    """
    known = _trusted()
    digest = _digest(_source(path))
    if digest in known:
        return
    target = data_folder() / _TRUSTED
    target.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(target, json.dumps({**known, digest: str(path.absolute())}, indent=1).encode())


def is_trusted(path: Path) -> bool:
    """The user has agreed to run the file as it is now.

    Raises:
        ExplorerError: It cannot be read.
    """
    return _digest(_source(path)) in _trusted()


def load(spec: NetworkSpec, device: torch.device) -> Generator[Step[None], Any, Network]:
    """Runs the file and calls its function; the return value is the network.

    `spec.weights` may be a file of weights for it, with the module's own names.

    Raises:
        ExplorerError: The user has not agreed, the code fails, or it gives no network.
    """
    named = file_and_function(spec.name)
    assert named is not None, "the catalog has looked"
    path, function = named
    source = _source(path)
    if _digest(source) not in _trusted():
        refusal = ExplorerError(
            f"{path.name} is a program: to use its network, its code has to run.",
            "It can do whatever you can do: run it only if you trust whoever wrote it.",
        )
        refusal.about = "program"
        raise refusal
    yield Step(None, 0, 2, f"Running {path.name}")
    made = _built(path, function, source)
    yield Step(None, 1, 2, f"Preparing the network of {path.name}")
    if isinstance(made, plugins.Plugin):
        return (yield from _of_plugin(made, spec, device))
    if spec.weights:
        _fill(made, spec)
    network = from_module(made.eval().requires_grad_(False).to(device))
    state = "local" if spec.weights else "as the program made them"
    title = f"{type(made).__name__} of {path.name}"
    network.info = replace(network.info, spec=spec, title=title, weights_title=state)
    return network


def _of_plugin(
    plugin: plugins.Plugin, spec: NetworkSpec, device: torch.device
) -> Generator[Step[None], Any, Network]:
    definition = plugins.definition(plugin)
    option = definition.entry.refreshed(weights.state_of).at_hand
    if spec.weights:
        checkpoint = reading.read(Path(spec.weights).expanduser())
        return (yield from loading.from_checkpoint(definition, spec, device, checkpoint))
    if option is not None:
        return (yield from loading.from_option(definition, spec, device, option))
    return (yield from loading.untrained(definition, spec, device))


def _fill(module: nn.Module, spec: NetworkSpec) -> None:
    checkpoint = reading.read(Path(spec.weights).expanduser())
    own = {name for name in module.state_dict() if not is_counter(name)}
    missing = sorted(own - set(checkpoint.tensors))
    if missing:
        raise ExplorerError(
            f"{checkpoint.name} has no weights for {missing[0]} and {len(missing) - 1} more "
            "tensors." if len(missing) > 1 else f"{checkpoint.name} has no {missing[0]}.",
            "Save them with the module's own names: torch.save(module.state_dict(), file).",
        )  # fmt: skip
    try:
        module.load_state_dict({name: checkpoint.tensors[name] for name in own}, strict=False)
    except RuntimeError as error:
        line = str(error).strip().splitlines()[-1].strip()
        raise ExplorerError(
            f"{checkpoint.name} does not fit {type(module).__name__}: {line}",
            "Choose the weights of this very network.",
        ) from error


def _built(path: Path, function: str, source: bytes) -> Any:
    """What the function gives: a module or a plug-in's description."""
    module = ModuleType(path.stem)
    module.__file__ = str(path)
    try:
        with _importable(path.absolute().parent):
            # Compiled from the bytes that were agreed to: the file may change meanwhile.
            exec(compile(source, str(path), "exec"), module.__dict__)
            make = getattr(module, function, None)
            if not callable(make):
                raise ExplorerError(
                    f"{path.name} has no function {function}.", _suggestion(path) or "Name another."
                )
            made = make()
    except ExplorerError:
        raise
    # The user's code: whatever it raises, SystemExit too, must leave the program standing.
    except (Exception, SystemExit) as error:
        words = str(error).strip() or type(error).__name__
        raise ExplorerError(
            f"{path.name} failed: {type(error).__name__}: {words.splitlines()[0]}",
            f"Call {function}() yourself to see where.",
        ) from error
    if not isinstance(made, (nn.Module, plugins.Plugin)):
        raise ExplorerError(
            f"{function} of {path.name} returns a {type(made).__name__}.",
            "It must return an nn.Module or an explorer Plugin.",
        )
    return made


def _suggestion(path: Path) -> str:
    found = functions(path)[:3]
    return f"Did you mean {either([f'{path}:{name}' for name in found])}?" if found else ""


@contextmanager
def _importable(folder: Path) -> Iterator[None]:
    """Modules beside the file can be imported by it."""
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def _source(path: Path) -> bytes:
    return read_file(
        path, limit=_MOST_BYTES, kind="a Python file", smaller="Import the rest from it."
    )


def _digest(source: bytes) -> str:
    return hashlib.sha256(source).hexdigest()


def _trusted() -> dict[str, str]:
    try:
        found = json.loads((data_folder() / _TRUSTED).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}
