"""Weights that a file keeps in parts: what pruning and normalizing a layer have put in their place.

torch's own utilities replace ``NAME`` by tensors from which it is computed at every forward pass.
Here it is computed once, exactly as they do in evaluation:

- `prune`: ``NAME_orig * NAME_mask``;
- `weight_norm`: ``g * v / |v|``, as ``NAME_g`` and ``NAME_v`` or
  ``parametrizations.NAME.original0`` and ``…original1`` (Salimans and Kingma 2016);
- `spectral_norm`: ``W / (u W v)``, as ``NAME_orig``, ``NAME_u`` and ``NAME_v`` or
  ``parametrizations.NAME.original`` with ``…0._u`` and ``…0._v`` (Miyato et al. 2018).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from torch import Tensor

_NEW = re.compile(r"^((?:.*\.)?)parametrizations\.([^.]+)\.(.+)$")
_OLD = re.compile(r"^(.*[^.])_(orig|mask|g|v|u)$")

# The parts by their names in the old and in the new form, and what they make together.
_KINDS = (
    ({"orig", "mask"}, {"original", "0.mask"}, "pruning"),
    ({"g", "v"}, {"original0", "original1"}, "weight norm"),
    ({"orig", "u", "v"}, {"original", "0._u", "0._v"}, "spectral norm"),
)


def put_together(tensors: Mapping[str, Tensor], name: str) -> tuple[dict[str, Tensor], str]:
    """The tensors with every kept-in-parts one computed.

    Args:
        tensors: By name.
        name: The file's, for sentences.

    Returns:
        The tensors under their plain names, and a sentence about it ("" when nothing was to do).

    Raises:
        ExplorerError: A layer is computed in a way that is not known here; it is named.
    """
    found = dict(tensors)
    done: dict[str, list[str]] = {}
    for target, parts in _parts(tensors).items():
        kind = next((k for k in _KINDS if set(parts) in k[:2]), None)
        if kind is None:
            if any("parametrizations." in key for key in parts.values()):
                raise ExplorerError(
                    f"{name} computes {target} from {', '.join(sorted(parts.values()))} in an "
                    "unsupported way.",
                    "Save it with the parametrization removed: "
                    "torch.nn.utils.parametrize.remove_parametrizations.",
                )
            continue  # names that only look like it
        for key in parts.values():
            del found[key]
        found[target] = _computed(kind[2], [tensors[parts[key]] for key in sorted(parts)], target)
        done.setdefault(kind[2], []).append(target)
    words = [f"{len(targets)} by {kind}" for kind, targets in done.items()]
    note = f"Parametrized weights of {name} were computed: {', '.join(words)}." if done else ""
    return found, note


def _parts(names: Iterable[str]) -> dict[str, dict[str, str]]:
    """By the plain name: the part's word and its full name."""
    found: dict[str, dict[str, str]] = {}
    for key in names:
        new, old = _NEW.match(key), _OLD.match(key)
        if new:
            found.setdefault(new[1] + new[2], {})[new[3]] = key
        elif old:
            found.setdefault(old[1], {})[old[2]] = key
    return found


def _computed(kind: str, parts: list[Tensor], target: str) -> Tensor:
    """From the parts in the alphabetical order of their words."""
    try:
        if kind == "pruning":  # mask, orig / 0.mask, original
            return parts[0] * parts[1]
        if kind == "weight norm":  # g, v
            return _with_norm(*parts)
        if len(parts) == 3 and parts[0].ndim > 1:  # orig, u, v
            return _over_sigma(*parts)
        return _over_sigma(parts[2], parts[0], parts[1])  # 0._u, 0._v, original
    except RuntimeError as error:
        raise ExplorerError(
            f"The parts of {target} do not fit together: {error}.", "Save the weights again."
        ) from error


def _with_norm(g: Tensor, v: Tensor) -> Tensor:
    kept = [axis for axis in range(v.ndim) if g.ndim == v.ndim and g.shape[axis] == v.shape[axis]]
    others = [axis for axis in range(v.ndim) if axis not in kept or v.shape[axis] == 1]
    if g.numel() == 1:
        others = list(range(v.ndim))
    norm: Tensor = torch.linalg.vector_norm(v, dim=others, keepdim=True)
    return v * (g / norm)


def _over_sigma(weight: Tensor, u: Tensor, v: Tensor) -> Tensor:
    # The axis that u runs along comes first; transposed convolutions take their second one.
    axis = next((k for k in range(weight.ndim) if weight.shape[k] == u.numel()), 0)
    matrix = weight.transpose(0, axis).reshape(weight.shape[axis], -1) if axis else (
        weight.reshape(weight.shape[0], -1)
    )  # fmt: skip
    sigma: Tensor = torch.dot(u, torch.mv(matrix, v))
    return weight / sigma
