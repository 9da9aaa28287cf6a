"""From a definition and its weights to a network that is ready for photos."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.listing import quantity
from explorer.core.network_info import (
    LayerInfo,
    NetworkInfo,
    file_and_part,
    unnamed_note,
    untrained_note,
)
from explorer.core.step import Step
from explorer.networks import devices, digest
from explorer.networks.checkpoints import fitting, reading, weights
from explorer.networks.checkpoints.class_lists import names_beside, names_in
from explorer.networks.checkpoints.signatures import seeded
from explorer.networks.network import Network

if TYPE_CHECKING:
    from collections.abc import Collection, Generator, Sequence

    import torch
    from torch import nn

    from explorer.core.network_info import NetworkSpec, Task, WeightState
    from explorer.networks.checkpoints.fitting import Fit
    from explorer.networks.definition import Definition, Variant
    from explorer.networks.entry import WeightsOption

MIDDLE_LAYERS = (
    "layer3", "inception4c", "Mixed_6b", "stage3", "features.denseblock3", "trunk_output.block3",
    "blocks.2", "layers.11",
)  # fmt: skip
"""Where shapes are neither edges any more nor whole objects yet, by the names of known families."""

HEADS = (
    ".rpn.",
    ".roi_heads.",
    ".head.",
    ".classifier.",
    ".aux_classifier.",
    ".fc.",
    ".anchor",
    ".extra.",
)
"""What stands behind the trunk of a network."""

ROOTS = ("", "backbone.", "backbone.body.", "body.", "backbone.backbone.")


def untrained(
    definition: Definition, spec: NetworkSpec, device: torch.device
) -> Generator[Step[None], Any, Network]:
    """Random weights, the same every time."""
    entry, variant = definition.entry, definition.assumed
    yield Step(None, 0, 2, f"Building {entry.title}")
    count = entry.num_classes or len(variant.classes)
    module = seeded(definition, num_classes=count)
    notes = [untrained_note(entry.title)]
    option = entry.weights[0] if entry.weights and spec.weights == "" else None
    if option is not None and option.package is not None:
        notes += option.package.missing
    elif option is not None:
        size = f" ({option.megabytes:.0f} MB)" if option.megabytes else ""
        notes.append(
            f"Its weights {option.name} are not on this computer; select them to download{size}."
        )
    yield Step(None, 1, 2, f"Preparing {entry.title}")
    return _network(
        definition,
        spec,
        device,
        module,
        variant,
        entry.task,
        "untrained",
        "random weights",
        tuple(notes),
    )


def from_option(
    definition: Definition, spec: NetworkSpec, device: torch.device, option: WeightsOption
) -> Generator[Step[None], Any, Network]:
    """Named weights; they are downloaded first where they have to be."""
    entry, variant = definition.entry, definition.variants[option.name]
    if option.package is not None:
        path = option.package.verified()
    elif option.url:
        path = yield from weights.download(option.url, megabytes=option.megabytes)
    else:
        path = Path(option.path)
    yield Step(None, 0, 2, f"Reading {path.name}")
    checkpoint = _with_shared(reading.read(path), option)
    checkpoint = replace(checkpoint, tensors=variant.renamed(checkpoint.tensors))
    yield Step(None, 1, 2, f"Building {entry.title}")
    fit = fitting.fit(checkpoint, definition, allow_not_finite=variant.features_only)
    variant.finish(fit.module)
    task: Task = "features" if variant.features_only else entry.task
    state: WeightState = "shipped" if option.state == "shipped" else "cached"
    network = _network(
        definition, spec, device, fit.module, variant, task, state, option.title,
        (*variant.notes, *fit.notes), fit,
    )  # fmt: skip
    network.extras["variant"] = variant.origin or option.name
    return network


def _with_shared(checkpoint: reading.Checkpoint, option: WeightsOption) -> reading.Checkpoint:
    """The tensors of the file together with those that it leaves to other files."""
    tensors = dict(checkpoint.tensors)
    paths = {file for file, _, _ in option.shares}
    files = {path: reading.read(Path(path)).tensors for path in paths}
    for file, here, there in option.shares:
        for name, tensor in files[file].items():
            if name.startswith(there):
                tensors.setdefault(here + name.removeprefix(there), tensor)
    return replace(checkpoint, tensors=tensors)


def from_checkpoint(
    definition: Definition,
    spec: NetworkSpec,
    device: torch.device,
    checkpoint: reading.Checkpoint,
) -> Generator[Step[None], Any, Network]:
    """Weights of a local file on a chosen architecture, with the file's own class count."""
    entry = definition.entry
    yield Step(None, 1, 2, f"Building {entry.title}")
    fit = fitting.fit(checkpoint, definition)
    classes, notes = _class_names(definition, checkpoint, fit, spec)
    variant = replace(closest(definition, fit), classes=classes)
    if classes != definition.assumed.classes:
        variant = replace(variant, class_paths=())
    task: Task = "features" if fit.headless else entry.task
    parts = (*(checkpoint.parts or fit.parts[:1]), *fit.parts[1:])
    title = f"{checkpoint.name}#{parts[0]}" if parts and parts[0] else checkpoint.name
    network = _network(
        definition, spec, device, fit.module, variant, task, "local", title,
        (*checkpoint.notes, *fit.notes, *notes), fit,
    )  # fmt: skip
    file, _ = file_and_part(Path(spec.weights))
    others = tuple(f"{file}#{part}" for part in parts[1:])
    unnamed = 0 if classes or fit.headless else fit.num_classes
    network.info = replace(network.info, others=others, unnamed=unnamed)
    return network


def _network(
    definition: Definition,
    spec: NetworkSpec,
    device: torch.device,
    module: nn.Module,
    variant: Variant,
    task: Task,
    state: WeightState,
    weights_title: str,
    notes: tuple[str, ...],
    fit: Fit | None = None,
) -> Network:
    definition.finish(module)
    dtype, remark = devices.dtype_for(device, task, spec.half)
    module.eval().requires_grad_(False)
    try:
        module.to(device, dtype)
    except RuntimeError as error:
        if "memory" in str(error).lower():
            raise ExplorerError(
                f"{definition.entry.title} does not fit into the memory of {device}.",
                "Choose the CPU or a smaller network.",
            ) from error
        raise
    preprocess = variant.preprocess
    if fit is not None and fit.scale is not None:
        preprocess = replace(preprocess, mean=fit.scale[0], std=fit.scale[1])
    if fit is not None and fit.channels == 1:
        preprocess = _gray(preprocess)
    layers = layers_of(module)
    info = NetworkInfo(
        spec=spec,
        title=definition.entry.title,
        task=task,
        classes=variant.classes,
        layers=layers,
        state=state,
        weights_title=weights_title,
        device=str(device),
        dtype=str(dtype).removeprefix("torch."),
        parameters=sum(parameter.numel() for parameter in module.parameters()),
        input_title=preprocess.title(),
        class_paths=variant.class_paths,
        notes=(*notes, *((remark,) if remark else ())),
        default_layer=variant.default_layer or default_layer(layers),
        keypoints=variant.keypoints,
        score_threshold=variant.score_threshold,
        digester=digest.lazily(module),
    )
    network = Network(info, module, preprocess, device, dtype)
    network.extras["architecture"] = definition.architecture or definition.entry.name
    return network


def layers_of(module: nn.Module) -> tuple[LayerInfo, ...]:
    """All named modules in definition order, the root left out."""
    return tuple(
        LayerInfo(
            name=name,
            kind=type(child).__name__,
            depth=name.count("."),
            leaf=next(child.children(), None) is None,
            parameters=sum(parameter.numel() for parameter in child.parameters()),
        )
        for name, child in module.named_modules()
        if name
    )


def default_layer(layers: tuple[LayerInfo, ...]) -> str:
    """A layer in the middle of the network that gives maps."""
    names = {layer.name for layer in layers}
    for root in ROOTS:
        for name in MIDDLE_LAYERS:
            if root + name in names and not _is_early(root + name, names):
                return root + name
    steps = _longest_sequence(layers)
    if steps:
        return steps[int(0.6 * len(steps))]
    convolutions = [layer.name for layer in layers if layer.kind == "Conv2d"]
    if convolutions:
        return convolutions[int(0.6 * len(convolutions))]
    return layers[0].name if layers else ""


def _is_early(name: str, names: Collection[str]) -> bool:
    """A numbered layer that has by far more behind it than before it: `blocks.2` of twelve."""
    parent, _, last = name.rpartition(".")
    return last.isdigit() and f"{parent}.{2 * int(last) + 4}" in names


def _longest_sequence(layers: tuple[LayerInfo, ...]) -> list[str]:
    """The numbered children of the part of the trunk that holds most of its weights."""
    steps: dict[str, list[LayerInfo]] = {}
    for layer in layers:
        parent, _, last = layer.name.rpartition(".")
        if last.isdigit() and not any(word in f".{parent}." for word in HEADS):
            steps.setdefault(parent, []).append(layer)
    long = [found for found in steps.values() if len(found) >= 5]
    best = max(long, key=lambda found: sum(layer.parameters for layer in found), default=[])
    return [layer.name for layer in best]


def _class_names(
    definition: Definition, checkpoint: reading.Checkpoint, fit: Fit, spec: NetworkSpec
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names for the class count that was found, and a sentence about where they come from.

    Raises:
        ExplorerError: The list that was chosen cannot be read or has another number of names.
    """
    if fit.headless:
        return (), ()
    count, own, task = fit.num_classes, checkpoint.classes, definition.entry.task
    if spec.classes:
        return chosen_names(Path(spec.classes), count, task), ()
    found = fitting_names(own, count, task)
    if found:
        return found, ()
    file, _ = file_and_part(Path(spec.weights).expanduser())
    for beside in names_beside(file):
        found = fitting_names(beside.names, count, task)
        if found:
            return found, (f"The class names are those in {beside.file}.",)
    if own:
        return (), (
            f"The file names {quantity(len(own), 'class', 'classes')}, but its head has {count}: "
            "the names are not used.",
        )
    for variant in (definition.assumed, *definition.variants.values()):
        if len(variant.classes) == count:
            return variant.classes, (
                f"The file has no names for its {count} classes; those of the published weights "
                f"are used: {definition.entry.title}.",
            )
    return (), (unnamed_note(count),)


def fitting_names(names: Sequence[str], count: int, task: Task) -> tuple[str, ...]:
    """`names` for `count` classes, with a background where it was left out; () if they do not."""
    if len(names) == count:
        return tuple(names)
    if task in ("detection", "segmentation") and len(names) == count - 1:
        return ("__background__", *names)
    return ()


def chosen_names(path: Path, count: int, task: Task) -> tuple[str, ...]:
    """The names in a list that the user chose.

    Raises:
        ExplorerError: It cannot be read or has another number of names.
    """
    names = names_in(path.expanduser())
    found = fitting_names(names, count, task)
    if not found:
        raise wrong_count(path.name, len(names), count, task)
    return found


def renamed_classes(info: NetworkInfo, names: tuple[str, ...]) -> NetworkInfo:
    """`info` of a checkpoint with other names for its classes.

    Raises:
        ExplorerError: They are not as many as the classes.
    """
    count = len(info.classes) or info.unnamed
    found = fitting_names(names, count, info.task)
    if not found:
        raise wrong_count("The list of classes", len(names), count, info.task)
    notes = tuple(note for note in info.notes if note != unnamed_note(info.unnamed))
    return replace(info, classes=found, class_paths=(), notes=notes, unnamed=0, renamed=True)


def wrong_count(what: str, names: int, count: int, task: Task) -> ExplorerError:
    """The sentence for names that are not as many as the classes."""
    more = " (the background is optional)" if task in ("detection", "segmentation") else ""
    return ExplorerError(
        f"{what} has {quantity(names, 'name')}, but the network has "
        f"{quantity(count, 'class', 'classes')}{more}.",
        "Give a name for each class, in the order of their numbers.",
    )


def closest(definition: Definition, fit: Fit) -> Variant:
    """The published preprocessing that suits the input size that the checkpoint was made for."""
    size = (fit.arguments or {}).get("image_size")
    if size is None:
        return definition.assumed
    for variant in (definition.assumed, *definition.variants.values()):
        if variant.preprocess.crop == size:
            return replace(definition.assumed, preprocess=variant.preprocess)
    preprocess = replace(definition.assumed.preprocess, resize=size, crop=size)
    return replace(definition.assumed, preprocess=preprocess)


def _gray(preprocess: Any) -> Any:
    mean, std = preprocess.mean, preprocess.std
    return replace(
        preprocess,
        channels=1,
        mean=None if mean is None else (sum(mean) / len(mean),),
        std=None if std is None else (sum(std) / len(std),),
    )
