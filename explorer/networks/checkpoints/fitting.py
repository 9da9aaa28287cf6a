"""Bringing a checkpoint and an architecture together."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from explorer.core.errors import ExplorerError
from explorer.core.network_info import other_networks
from explorer.networks.checkpoints.alignment import is_counter, numbers_of_one, unwrapped
from explorer.networks.checkpoints.planning import (
    Match,
    Plan,
    compare,
    end_without_weights,
    planned,
)
from explorer.networks.checkpoints.reading import Checkpoint, not_finite
from explorer.networks.checkpoints.signatures import (
    Memoryless,
    counted,
    integers_of,
    seeded,
    shapes_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from explorer.networks.definition import Definition

LEAST_SHARE = 0.95
"""Of the tensors: with fewer that agree a file is not taken for an architecture's."""

_LEAST_TRUNK = 0.03
"""Of the numbers of a network: what is left of a VGG with another head."""


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A module that carries a checkpoint's weights.

    Attributes:
        module: In training mode, float32, on the CPU.
        num_classes: As found in the checkpoint.
        share: Part of the tensors, of the network or of the file, that found their place.
        headless: The last layers were not in the file and are removed: it gives features.
        channels: Of the input.
        arguments: What the checkpoint has about the architecture.
        scale: Mean and deviation by which the file's own normalization takes pixels from 0 to 1.
        notes: Sentences for the user.
        parts: As in `Checkpoint`, where the names tell the networks of the file apart.
    """

    module: nn.Module
    num_classes: int
    share: float
    headless: bool = False
    channels: int = 3
    arguments: Mapping[str, Any] | None = None
    scale: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()


def fit(checkpoint: Checkpoint, definition: Definition, *, allow_not_finite: bool = False) -> Fit:
    """Builds the architecture with the checkpoint's class count and loads its weights.

    No layer keeps random weights: what the file does not have is either known without it (a bias
    that was left out is 0) or is taken off the end of the network, which then gives features.

    Args:
        checkpoint: As `reading.read` gives it.
        definition: What to build.
        allow_not_finite: For published weights whose head is known to be empty.

    Raises:
        ExplorerError: A layer has no weights in the file or others than the network's, which is
            named; or the weights hold NaN or infinity.
    """
    title, name = definition.entry.title, checkpoint.name
    plan = planned(checkpoint, definition)
    state, match = plan.state, plan.match
    cut = () if definition.entry.task == "detection" else end_without_weights(match, plan.expected)
    absent = tuple(key for key in match.missing if not (cut and key.startswith(cut)))
    strange = tuple(key for key in plan.inside if not (cut and key.startswith(cut)))
    if (absent or match.shapes or strange) and not _renamed(definition, plan):
        raise _refusal(name, title, replace(match, missing=absent, unknown=strange))
    if not allow_not_finite and (bad := not_finite({key: state[key] for key in match.good})):
        raise ExplorerError(
            f"{name} is damaged or from a diverged training: {_listed(bad)} "
            f"{'holds' if len(bad) == 1 else 'hold'} NaN or infinity.",
            "Choose an earlier checkpoint.",
        )
    module = seeded(definition, num_classes=plan.classes, **plan.arguments)
    if plan.channels == 1:
        make_gray(module)
    if plan.head is not None:
        plan.head.put_into(module)
    for place in {key.rpartition(".")[0] for key in match.missing if cut and key.startswith(cut)}:
        module.set_submodule(place, nn.Identity())
    left = _load(module, state, checkpoint, title)
    if left.missing or left.shapes:
        raise _refusal(name, title, left)
    notes = (*definition.told(plan.arguments), *_notes(checkpoint, title, plan, cut))
    return Fit(
        module, plan.classes, left.share, bool(cut), plan.channels, plan.arguments, plan.scale,
        notes, (plan.prefix, *plan.twins) if plan.twins else (),
    )  # fmt: skip


def _notes(checkpoint: Checkpoint, title: str, plan: Plan, cut: tuple[str, ...]) -> tuple[str, ...]:
    name, head = checkpoint.name, plan.head
    notes = []
    if plan.twins:
        notes.append(other_networks(name, plan.twins))
    if head is not None:
        between = any(layer.gap for layer in head.layers[1:]) and not head.native
        assumed = " with ReLU between them" if between else ""
        layers = "1 layer" if len(head.layers) == 1 else f"{len(head.layers)} layers{assumed}"
        notes.append(f"{name} has a custom head in place of {head.place}: {layers}.")
    if plan.scale is not None:
        notes.append(f"{name} has its own pixel normalization.")
    if plan.filled:
        notes.append(f"{name} has no bias for {_listed(plan.filled)}: 0 is used.")
    if cut:
        parts = f"{name} has no head for {title}" if len(cut) == 1 else (
            f"{name} has no weights for the last layers of {title} "
            f"({_listed([layer[:-1] for layer in cut])})"
        )  # fmt: skip
        others = (*plan.inside, *plan.unused)
        own = f"; what it has instead is not supported ({_listed(others)})" if others else ""
        notes.append(f"{parts}{own}: only its features are used.")
    elif plan.unused:
        count = len(plan.unused)
        words = f"1 tensor of {name} belongs" if count == 1 else f"{count} tensors of {name} belong"
        notes.append(f"{words} to no layer of {title}: {_listed(plan.unused)}.")
    return tuple(notes)


def guess_architecture(
    checkpoint: Checkpoint, definitions: Iterable[Definition], *, least: float = LEAST_SHARE
) -> tuple[str, ...]:
    """Names of the entries that the checkpoint fits best, to at least `least` of the tensors.

    Several names fit equally well: the tensors alone do not tell (the two Faster R-CNNs on
    MobileNetV3).
    """
    fits = compared(checkpoint, definitions, least=least)
    best = max((plan.match.share for _, plan in fits), default=0.0)
    return tuple(found.entry.name for found, plan in fits if plan.match.share == best)


def compared(
    checkpoint: Checkpoint, definitions: Iterable[Definition], *, least: float
) -> list[tuple[Definition, Plan]]:
    """The checkpoint laid beside the architectures of about its size.

    Args:
        checkpoint: As `reading.read` gives it.
        definitions: Of these.
        least: Share of the tensors that must agree.
    """
    numbers, names = numbers_of_one(checkpoint.tensors), unwrapped(checkpoint.tensors, ())
    near = sorted(definitions, key=lambda found: abs(found.entry.parameters - numbers))
    fits: list[tuple[Definition, Plan]] = []
    exact = 0
    for definition in near:
        size = definition.entry.parameters
        if exact and size != exact:
            break  # only an architecture of the very same size can be as good
        # A head of another class count and auxiliary heads change the size, the trunk does not.
        if size and not _LEAST_TRUNK * size <= numbers <= 2.0 * size:
            continue
        if not _plausible(definition.entry.name, names):
            continue
        plan = planned(checkpoint, definition)
        if plan.match.share >= least:
            fits.append((definition, plan))
        if plan.match.share == 1 and size:
            exact = size
    return fits


def make_gray(module: nn.Module) -> None:
    """Gives the first convolution one input channel."""
    for parent in module.modules():
        for name, child in parent.named_children():
            if isinstance(child, nn.Conv2d):
                if child.in_channels != 3:
                    raise ValueError(f"the first convolution has {child.in_channels} channels")
                setattr(parent, name, _one_channel(child))
                return


def _one_channel(conv: nn.Conv2d) -> nn.Conv2d:
    options: dict[str, Any] = {
        name: getattr(conv, name)
        for name in ("kernel_size", "stride", "padding", "dilation", "padding_mode")
    }
    gray = nn.Conv2d(1, conv.out_channels, bias=conv.bias is not None, **options)
    with torch.no_grad():
        gray.weight.copy_(conv.weight.sum(dim=1, keepdim=True))
        if conv.bias is not None and gray.bias is not None:
            gray.bias.copy_(conv.bias)
    return gray


def _renamed(definition: Definition, plan: Plan) -> bool:
    """True when torchvision's loading hooks know the file's older names (RPN, RetinaNet …)."""
    if plan.head is not None or plan.channels == 1:
        return False
    with Memoryless():
        module = seeded(definition, num_classes=plan.classes, **plan.arguments)
    meta = {key: torch.empty(tensor.shape, device="meta") for key, tensor in plan.state.items()}
    try:
        result = module.load_state_dict(meta, strict=False, assign=True)
    except (RuntimeError, ValueError):
        return False
    return not any(not is_counter(key) for key in (*result.missing_keys, *result.unexpected_keys))


def _load(module: nn.Module, state: dict[str, Tensor], checkpoint: Checkpoint, title: str) -> Match:
    """Copies what fits; returns what did not."""
    own = counted(module)
    match = compare(state, shapes_of(own), integers_of(own))
    wrong = {key for key in state if key in own and key not in match.good}
    usable = _Versioned({key: tensor for key, tensor in state.items() if key not in wrong})
    usable._metadata = _versions(module, checkpoint.versions)
    try:
        result = module.load_state_dict(usable, strict=False)
    except (RuntimeError, ValueError) as error:
        raise ExplorerError(
            f"{checkpoint.name} does not fit {title}: {_last_line(error)}.",
            "Choose the network that it was trained with.",
        ) from error
    built = integers_of(own)  # tables of indices, which the architecture itself makes
    missing = tuple(
        key for key in result.missing_keys if not is_counter(key) and key not in {*wrong, *built}
    )
    unknown = tuple(key for key in result.unexpected_keys if not is_counter(key))
    good = frozenset(own) - set(missing) - wrong
    return Match(good, missing, unknown, match.shapes, match.hint)


class _Versioned(dict[str, Tensor]):
    _metadata: dict[str, Any]


def _versions(module: nn.Module, versions: Mapping[str, Any] | None) -> dict[str, Any]:
    found = {
        key: dict(value)
        for key, value in (versions or {}).items()
        if isinstance(key, str) and isinstance(value, Mapping)
    }
    # MNASNet refuses a state that does not say its version; files other than torch's own never do.
    found.setdefault("", {"version": module._version})
    return found


def _refusal(name: str, title: str, match: Match) -> ExplorerError:
    # All that is there fits: it is this network, and a part was not saved.
    only_missing = match.good and match.missing and not (match.unknown or match.shapes)
    hint = (
        "Save the whole state dict: model.state_dict()."
        if only_missing and match.share >= LEAST_SHARE
        else "Choose the network that it was trained with."
    )
    return ExplorerError(
        f"{name} does not fit {title}: {_mismatches(match)}; {percent(match.share)} of the "
        "tensors match.",
        match.hint or hint,
    )


def _mismatches(match: Match) -> str:
    parts = []
    if match.missing:
        parts.append(f"{len(match.missing)} missing ({_listed(match.missing)})")
    if match.unknown:
        parts.append(f"{len(match.unknown)} unknown ({_listed(match.unknown)})")
    if match.shapes:
        parts.append(f"{len(match.shapes)} of another shape or type ({_listed(match.shapes, 2)})")
    return ", ".join(parts) or "it is empty"


def percent(share: float) -> str:
    """Rounded down: what is not complete is never called 100%."""
    return f"{int(share * 1000) / 10:g}%"


def _listed(words: Iterable[str], most: int = 3) -> str:
    words = [word if len(word) <= 160 else f"{word[:159]}…" for word in words]
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown}, …"


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip().rstrip(".")


# A part of a tensor's name that these families always have: others need not even be built.
_MARKS = (
    (re.compile(r"^(fasterrcnn|maskrcnn|keypointrcnn)"), "roi_heads."),
    (re.compile(r"^(retinanet|fcos|ssd)"), "head."),
    (re.compile(r"^(fcn|deeplabv3)_"), "classifier.4."),
    (re.compile(r"^lraspp"), "classifier.low_classifier."),
    (re.compile(r"^(resnet|resnext|wide_resnet)"), "layer4."),
    (re.compile(r"^densenet"), "denseblock4."),
    (re.compile(r"^squeezenet"), ".squeeze."),
    (re.compile(r"^googlenet"), "inception4a."),
    (re.compile(r"^inception_v3"), "Mixed_6a."),
    (re.compile(r"^regnet"), "trunk_output."),
    (re.compile(r"^shufflenet"), "stage4."),
    (re.compile(r"^vit_"), "encoder_layer_0."),
    (re.compile(r"^swin"), ".attn."),
    (re.compile(r"^maxvit"), "blocks."),
    (re.compile(r"^mnasnet"), "layers."),
    (re.compile(r"^(vgg|alexnet)"), "features.0."),
    (re.compile(r"^convnext"), "layer_scale"),
)


def _plausible(name: str, keys: Iterable[str]) -> bool:
    for family, mark in _MARKS:
        if family.match(name):
            return any(mark in key for key in keys)
    return True
