"""Bringing a checkpoint and an architecture together.

How many classes a network has is read from the checkpoint: the architecture is built twice without
memory (on torch's meta device) with different class counts, which shows what tensors follow the
count and how. So nothing here knows the name of any network's head.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from explorer.core.errors import ExplorerError
from explorer.networks.checkpoints.reading import PREFIXES, Checkpoint, not_finite, stripped

if TYPE_CHECKING:
    from collections.abc import Iterable

    from explorer.networks.definition import Definition

LEAST_SHARE = 0.95
"""Below this share of fitting tensors a network would be mostly random."""

Shape = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Head:
    """A tensor that follows the class count: its size in `axis` is slope * classes + offset."""

    axis: int
    slope: int
    offset: int

    def classes(self, shape: Shape) -> int | None:
        """The class count that gives `shape`, when a whole number does."""
        if self.axis >= len(shape):
            return None
        count, rest = divmod(shape[self.axis] - self.offset, self.slope)
        return count if rest == 0 and count >= 1 else None


@dataclass(frozen=True, slots=True, eq=False)
class Signature:
    """Names and shapes of an architecture's tensors, counters left out.

    `integers` names those that hold indices instead of weights (Swin's relative positions).
    """

    shapes: Mapping[str, Shape]
    heads: Mapping[str, Head]
    integers: frozenset[str]


@dataclass(frozen=True, slots=True, eq=False)
class Fit:
    """A module that carries a checkpoint's weights.

    Attributes:
        module: In training mode, float32, on the CPU.
        num_classes: As found in the checkpoint.
        share: Part of the tensors, of the network or of the file, that found their place.
        headless: Nothing of the head was in the file: only the features are trained.
        channels: Of the input.
        arguments: What the checkpoint told about the architecture.
        notes: Sentences for the user.
    """

    module: nn.Module
    num_classes: int
    share: float
    headless: bool = False
    channels: int = 3
    arguments: Mapping[str, Any] | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class _Match:
    """How the names and shapes of a state agree with a signature."""

    good: frozenset[str]
    missing: tuple[str, ...]
    unknown: tuple[str, ...]
    shapes: tuple[str, ...]

    @property
    def share(self) -> float:
        good = len(self.good)
        ours = good + len(self.missing) + len(self.shapes)
        theirs = good + len(self.unknown) + len(self.shapes)
        return good / max(ours, theirs, 1)


class _Shapes(TorchFunctionMode):
    """Parameters get no memory. Arithmetic on real numbers (RegNet's block widths) still works."""

    def __torch_function__(
        self, func: Any, _types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        if func in (torch.empty, torch.zeros, torch.ones):
            kwargs["device"] = "meta"
        return func(*args, **kwargs)


def fit(checkpoint: Checkpoint, definition: Definition, *, allow_not_finite: bool = False) -> Fit:
    """Builds the architecture with the checkpoint's class count and loads its weights.

    Args:
        checkpoint: As `checkpoints.read` gives it.
        definition: What to build.
        allow_not_finite: For published weights whose head is known to be empty.

    Raises:
        ExplorerError: When less than 95 % of the tensors fit, or the weights hold NaN or infinity.
    """
    title, name = definition.entry.title, checkpoint.name
    state, arguments, signature = _aligned(checkpoint, definition)
    notes: tuple[str, ...] = ()
    classes = _class_count(state, signature)
    headless = bool(signature.heads) and not any(key in state for key in signature.heads)
    count = classes or definition.entry.num_classes or len(definition.assumed.classes)
    expected = _expected(signature, count)
    channels = _grey_stem(state, expected)
    match = _compare(state, expected, signature.integers)
    if match.share < LEAST_SHARE and not _renamed(definition, state, count, arguments):
        raise _refusal(name, title, match)
    if not allow_not_finite and (bad := not_finite({key: state[key] for key in match.good})):
        raise ExplorerError(
            f"{name} is damaged or from a diverged training: {_listed(bad)} "
            f"{'holds' if len(bad) == 1 else 'hold'} NaN or infinity.",
            "Choose an earlier checkpoint.",
        )
    module = seeded(definition, num_classes=count, **arguments)
    if channels == 1:
        make_grey(module)
    left = _load(module, state, checkpoint, title)
    if left.share < LEAST_SHARE:
        raise _refusal(name, title, left)
    if left.share < 1:
        notes += (
            f"{name} matches {title} in {_percent(left.share)} of the tensors: "
            f"{_mismatches(left)}.",
        )
    if headless:
        notes += (f"{name} has no head for {title}: only the backbone is trained.",)
    return Fit(module, count, left.share, headless, channels, arguments, notes)


def seeded(
    definition: Definition, *, num_classes: int, seed: int = 0, **arguments: Any
) -> nn.Module:
    """The module with random weights from `seed`; torch's own generator is left as it was."""
    generator = torch.default_generator
    before = generator.get_state()
    try:
        generator.manual_seed(seed)
        return definition.make(num_classes=num_classes, **arguments)
    finally:
        generator.set_state(before)


def guess_architecture(
    checkpoint: Checkpoint, definitions: Iterable[Definition]
) -> tuple[str, ...]:
    """Names of the entries that the checkpoint fits to at least 95 %, the best first.

    Several names mean that the tensors alone do not tell (the two Faster R-CNNs on MobileNetV3).
    """
    numbers = sum(tensor.numel() for tensor in checkpoint.tensors.values())
    near = sorted(definitions, key=lambda found: abs(found.entry.parameters - numbers))
    fits: list[tuple[float, str]] = []
    exact = 0
    for definition in near:
        size = definition.entry.parameters
        if exact and size != exact:
            break  # only an architecture of the very same size can be as good
        # A head of another class count and auxiliary heads change the size, the trunk does not.
        if size and not 0.3 * size <= numbers <= 2.0 * size:
            continue
        if not _plausible(definition.entry.name, checkpoint.tensors):
            continue
        state, _, signature = _aligned(checkpoint, definition)
        count = _class_count(state, signature) or definition.entry.num_classes
        expected = _expected(signature, count)
        _grey_stem(state, expected)
        share = _compare(state, expected, signature.integers).share
        if share >= LEAST_SHARE:
            fits.append((share, definition.entry.name))
        if share == 1 and size:
            exact = size
    return tuple(name for _, name in sorted(fits, key=lambda fit: -fit[0]))


def signature_of(definition: Definition, arguments: Mapping[str, Any]) -> Signature:
    """Names and shapes of the architecture built with `arguments`, kept for the next time."""
    return _signature(definition, tuple(sorted(arguments.items())))


@lru_cache(maxsize=512)
def _signature(definition: Definition, arguments: tuple[tuple[str, Any], ...]) -> Signature:
    few, many = 3, 5
    small = _tensors(definition, few, dict(arguments))
    large = _tensors(definition, many, dict(arguments))
    heads = {}
    for key, tensor in small.items():
        for axis, (a, b) in enumerate(zip(tensor.shape, large[key].shape, strict=True)):
            if a != b:
                slope = (b - a) // (many - few)
                heads[key] = Head(axis, slope, a - slope * few)
    return Signature(_shapes(small), heads, _integers(small))


def _tensors(definition: Definition, count: int, arguments: dict[str, Any]) -> dict[str, Tensor]:
    with _Shapes():
        return _counted(seeded(definition, num_classes=count, **arguments))


def _counted(module: nn.Module) -> dict[str, Tensor]:
    return {key: value for key, value in module.state_dict().items() if not _is_counter(key)}


def _shapes(tensors: Mapping[str, Tensor]) -> dict[str, Shape]:
    return {key: tuple(tensor.shape) for key, tensor in tensors.items()}


def _integers(tensors: Mapping[str, Tensor]) -> frozenset[str]:
    return frozenset(key for key, tensor in tensors.items() if not tensor.is_floating_point())


def _aligned(
    checkpoint: Checkpoint, definition: Definition
) -> tuple[dict[str, Tensor], dict[str, Any], Signature]:
    """The state under the architecture's own names, and what it says about the architecture."""
    plain = signature_of(definition, definition.arguments({}))
    states = [dict(checkpoint.tensors)]
    for _ in range(3):
        prefix = next((word for word in PREFIXES if _most_have(states[-1], word)), None)
        if prefix is None:
            break
        states.append(stripped(states[-1], prefix))
    best = max(states, key=lambda state: sum(key in plain.shapes for key in state))
    arguments = definition.arguments(best)
    return best, arguments, signature_of(definition, arguments)


def _most_have(state: Mapping[str, Tensor], prefix: str) -> bool:
    return sum(key.startswith(prefix) for key in state) > len(state) / 2


def _class_count(state: Mapping[str, Tensor], signature: Signature) -> int | None:
    for key, head in signature.heads.items():
        if key in state and (count := head.classes(tuple(state[key].shape))) is not None:
            return count
    return None


def _expected(signature: Signature, count: int) -> dict[str, Shape]:
    shapes = dict(signature.shapes)
    for key, head in signature.heads.items():
        shape = list(shapes[key])
        shape[head.axis] = head.slope * count + head.offset
        shapes[key] = tuple(shape)
    return shapes


def _grey_stem(state: Mapping[str, Tensor], expected: dict[str, Shape]) -> int:
    """1 when the file's first convolution takes one channel (then so does `expected`), else 3."""
    for key, shape in expected.items():
        if len(shape) == 4:
            if (
                shape[1] == 3
                and key in state
                and tuple(state[key].shape) == (shape[0], 1, *shape[2:])
            ):
                expected[key] = (shape[0], 1, *shape[2:])
                return 1
            break
    return 3


def make_grey(module: nn.Module) -> None:
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
    grey = nn.Conv2d(1, conv.out_channels, bias=conv.bias is not None, **options)
    with torch.no_grad():
        grey.weight.copy_(conv.weight.sum(dim=1, keepdim=True))
        if conv.bias is not None and grey.bias is not None:
            grey.bias.copy_(conv.bias)
    return grey


def _compare(
    state: Mapping[str, Tensor], expected: Mapping[str, Shape], integers: frozenset[str]
) -> _Match:
    good, shapes = set(), []
    for key, wanted in expected.items():
        if key not in state:
            continue
        tensor = state[key]
        if tuple(tensor.shape) == wanted and tensor.is_floating_point() == (key not in integers):
            good.add(key)
        elif tuple(tensor.shape) == wanted:
            shapes.append(f"{key} holds {str(tensor.dtype).removeprefix('torch.')}")
        else:
            shapes.append(f"{key} is {_size(tensor.shape)}, the network expects {_size(wanted)}")
    missing = tuple(key for key in expected if key not in state)
    unknown = tuple(key for key in state if key not in expected and not _is_counter(key))
    return _Match(frozenset(good), missing, unknown, tuple(shapes))


def _renamed(
    definition: Definition, state: Mapping[str, Tensor], count: int, arguments: Mapping[str, Any]
) -> bool:
    """True when torchvision's loading hooks know the file's older names (RPN, RetinaNet …)."""
    with _Shapes():
        module = seeded(definition, num_classes=count, **arguments)
    own = module.state_dict()
    meta = {key: torch.empty(tensor.shape, device="meta") for key, tensor in state.items()}
    try:
        result = module.load_state_dict(meta, strict=False, assign=True)
    except (RuntimeError, ValueError):
        return False
    missing = [key for key in result.missing_keys if not _is_counter(key)]
    return (len(missing) + len(result.unexpected_keys)) / max(len(own), 1) <= 1 - LEAST_SHARE


def _load(
    module: nn.Module, state: dict[str, Tensor], checkpoint: Checkpoint, title: str
) -> _Match:
    """Copies what fits; tells what did not."""
    own = _counted(module)
    match = _compare(state, _shapes(own), _integers(own))
    wrong = {key for key in state if key in own and key not in match.good}
    usable = _Versioned({key: tensor for key, tensor in state.items() if key not in wrong})
    usable._metadata = _versions(module, checkpoint.versions)
    try:
        result = module.load_state_dict(usable, strict=False)
    except (RuntimeError, ValueError) as error:
        raise ExplorerError(
            f"{checkpoint.name} does not fit {title}: {_last_line(error)}."
        ) from error
    missing = tuple(key for key in result.missing_keys if not _is_counter(key) and key not in wrong)
    unknown = tuple(key for key in result.unexpected_keys if not _is_counter(key))
    good = frozenset(own) - set(missing) - wrong
    return _Match(good, missing, unknown, match.shapes)


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


def _refusal(name: str, title: str, match: _Match) -> ExplorerError:
    return ExplorerError(
        f"{name} does not fit {title}: only {_percent(match.share)} of the tensors match; "
        f"{_mismatches(match)}.",
        "Choose the network that it was trained with.",
    )


def _mismatches(match: _Match) -> str:
    parts = []
    if match.missing:
        parts.append(f"{len(match.missing)} missing ({_listed(match.missing)})")
    if match.unknown:
        parts.append(f"{len(match.unknown)} unknown ({_listed(match.unknown)})")
    if match.shapes:
        parts.append(f"{len(match.shapes)} of another shape or type ({_listed(match.shapes, 2)})")
    return ", ".join(parts) or "it is empty"


def _percent(share: float) -> str:
    return f"{int(share * 1000) / 10:g}%"


def _listed(words: Iterable[str], most: int = 3) -> str:
    words = [word if len(word) <= 90 else f"{word[:89]}…" for word in words]
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown}, …"


def _last_line(error: Exception) -> str:
    return str(error).strip().splitlines()[-1].strip().rstrip(".")


def _size(shape: Iterable[int]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _is_counter(key: str) -> bool:
    return key.endswith("num_batches_tracked")


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
    (re.compile(r"^(vgg|alexnet)"), "classifier.6."),
    (re.compile(r"^convnext"), "layer_scale"),
)


def _plausible(name: str, tensors: Mapping[str, Tensor]) -> bool:
    for family, mark in _MARKS:
        if family.match(name):
            return any(mark in key for key in tensors)
    return True
