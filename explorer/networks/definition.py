"""How a catalog entry becomes a module: the part that the window never holds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from explorer.core.network_info import SCORE_THRESHOLD

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from torch import Tensor, nn

    from explorer.networks.entry import Entry
    from explorer.networks.preprocess import Preprocess


class Make(Protocol):
    """Builds the module with random weights."""

    def __call__(self, *, num_classes: int, **arguments: Any) -> nn.Module: ...


def no_arguments(_state: Mapping[str, Tensor] | None) -> dict[str, Any]:
    """For an architecture without options."""
    return {}


def no_settings(_sidecar: Mapping[str, Any]) -> dict[str, Any]:
    """For an architecture about which a file beside a checkpoint says nothing."""
    return {}


def nothing_told(_arguments: Mapping[str, Any]) -> tuple[str, ...]:
    """For an architecture with nothing to be inferred."""
    return ()


def same_names(tensors: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """For files that call the tensors as the module does."""
    return tensors


def as_it_is(_module: nn.Module) -> None:
    """For a module that is ready once its weights are loaded."""


@dataclass(frozen=True, slots=True, eq=False)
class Variant:
    """What comes with one set of weights.

    Attributes:
        classes: Names by index.
        preprocess: The weights' own.
        keypoints: Names of the points of a keypoint detector.
        class_paths: See `NetworkInfo.class_paths`.
        features_only: The file has no trained head.
        renamed: From the tensors under the names of the file to those of the module.
        finish: A last touch to a module that carries these weights.
        notes: Sentences for the user.
        default_layer: The layer shown first; empty = found by rule.
        score_threshold: See `NetworkInfo.score_threshold`.
        origin: The published weights whose finishing touches it carries, when it goes by another
            name.
    """

    classes: tuple[str, ...]
    preprocess: Preprocess
    keypoints: tuple[str, ...] = ()
    class_paths: tuple[tuple[str, ...], ...] = ()
    features_only: bool = False
    renamed: Callable[[Mapping[str, Tensor]], Mapping[str, Tensor]] = same_names
    finish: Callable[[nn.Module], None] = as_it_is
    notes: tuple[str, ...] = ()
    default_layer: str = ""
    score_threshold: float = SCORE_THRESHOLD
    origin: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """An entry and how to build it.

    Attributes:
        entry: What is listed.
        make: Builds the module.
        assumed: What holds for random weights and for a file without its own.
        variants: By the name of the weights.
        arguments: What the tensors of a checkpoint (None = no checkpoint) say about the options of
            the architecture, as keyword arguments of `make` with hashable values.
        finish: A last touch to every module after its weights are in place.
        architecture: The entry that `make` belongs to, when it is another one.
        settings: What a JSON file beside a checkpoint says about them, where it does.
        told: Sentences about the arguments that a checkpoint gave.
    """

    entry: Entry
    make: Make
    assumed: Variant
    variants: Mapping[str, Variant] = field(default_factory=dict)
    arguments: Callable[[Mapping[str, Tensor] | None], dict[str, Any]] = no_arguments
    finish: Callable[[nn.Module], None] = as_it_is
    architecture: str = ""
    settings: Callable[[Mapping[str, Any]], dict[str, Any]] = no_settings
    told: Callable[[Mapping[str, Any]], tuple[str, ...]] = nothing_told
