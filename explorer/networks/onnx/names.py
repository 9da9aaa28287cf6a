"""Names of modules for the nodes of an ONNX graph.

Exporters write where in the network a node was: torch's older one in the node's name
("/layer1/layer1.0/conv1/Conv"), its newer one in the node's metadata. From both comes the dotted
name that the module had in torch ("layer1.0.conv1") where the node is all that the module did, else
that name with the operator behind it ("layer1.0.Add").
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from torch import nn

if TYPE_CHECKING:
    from collections.abc import Sequence

SCOPES = "pkg.torch.onnx.name_scopes"
"""The metadata of a node in which torch's newer exporter writes where it stood."""

_MOST_PARTS = 32
_MOST_LETTERS = 4000

Path = tuple[str, ...]


def module_names(nodes: Sequence[Any]) -> list[str]:
    """A dotted name for each node, each different, none the beginning of another.

    Args:
        nodes: `onnx.NodeProto`s.
    """
    places = [_place(node) for node in nodes]
    alone = Counter(scope for scope, _ in places)
    inner = {scope[:depth] for scope, _ in places for depth in range(1, len(scope))}
    holders = inner | {scope for scope, count in alone.items() if count > 1 or scope in inner}
    taken: set[Path] = set()
    names = []
    for scope, label in places:
        whole = scope and alone[scope] == 1 and scope not in inner
        path = scope if whole else (*scope, label)
        number = 0
        while path in taken or path in holders or (path in alone and path != scope):
            number += 1
            path = (*scope, f"{label}_{number}")
        taken.add(path)
        names.append(".".join(path))
    return names


def _place(node: Any) -> tuple[Path, str]:
    """Where the node stood, and what it is called there."""
    for entry in node.metadata_props if hasattr(node, "metadata_props") else ():
        if entry.key == SCOPES and len(entry.value) <= _MOST_LETTERS:
            try:
                scopes = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            if isinstance(scopes, list) and len(scopes) > 1 and isinstance(scopes[-2], str):
                return _clean(scopes[-2].split(".")), _clean([node.op_type])[0]
    raw = node.name[:_MOST_LETTERS] or node.op_type
    parts: list[str] = []
    before = ""
    *scope, label = [part for part in raw.split("/") if part] or [node.op_type]
    for part in scope:
        own = part.removeprefix(f"{before}.") if before else part
        parts += own.split(".")
        before = part
    last = _clean(re.split(r"[.:]", label))
    return _clean(parts)[:_MOST_PARTS], "_".join(last) or node.op_type


def _clean(parts: Sequence[str]) -> Path:
    """Without what cannot be the name of a sub-module."""
    kept = (re.sub(r"[^\w\-]", "_", part) for part in parts if part)
    return tuple(f"{part}_" if hasattr(nn.Module, part) or part in _OWN else part for part in kept)


_OWN = frozenset(
    {
        "_computed", "_entered", "_fetch", "_given", "_inner", "_model", "_pass", "_run",
        "_session", "_value", "_weights", "anchors", "bgr", "constants", "fixed_batch", "head",
        "kind", "names", "nhwc", "nodes", "outputs", "plan", "poll", "profiled", "refusal",
        "results", "run", "session", "sizes", "source", "training", "unbatched", "why",
        "score_thresh", "nms_thresh", "detections_per_img",
    }
)  # fmt: skip
"""Attributes of the modules that nodes become parts of."""
