"""From an ONNX file to a network that is ready for photos."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from explorer.core.network_info import ASSUMED, LayerInfo, NetworkInfo, unnamed_note
from explorer.core.reading import display_name
from explorer.core.step import Step
from explorer.networks.checkpoints.loading import (
    MIDDLE_LAYERS,
    chosen_names,
    default_layer,
    fitting_names,
    layers_of,
    wrong_count,
)
from explorer.networks.network import Network
from explorer.networks.onnx import answers, cards, inspecting
from explorer.networks.onnx.packages import needed
from explorer.networks.onnx.reading import read
from explorer.networks.onnx.runtime import RuntimeModule

if TYPE_CHECKING:
    from collections.abc import Collection, Generator

    from explorer.core.network_info import NetworkSpec
    from explorer.networks.onnx.answers import Answers, Questions
    from explorer.networks.onnx.cards import Card
    from explorer.networks.onnx.module import OnnxModule

YOLO_SCORE = 0.25
"""From which score YOLO's programs count a detection."""

_fresh: dict[tuple[str, int, int], OnnxModule] = {}
"""The module of the file that was opened last: loading it does not build it again."""


def opened(path: Path, taken: Collection[str], **settings: Any) -> Card:
    """The card of a file: that of the last time, else a new one.

    Args:
        path: The file.
        taken: Names of other networks.
        settings: Fields of `Card` that the user gives, and `decoder`, a form of detections.

    Raises:
        ExplorerError: The file cannot be used; a value is not valid.
    """
    card = looked_at(path)
    decoder = settings.pop("decoder", "")
    if decoder or "task" in settings:
        task = settings.pop("task", "detection" if decoder else card.task)
        card = inspecting.with_task(card, task, decoder)
    if "classes" in settings:
        settings["classes"] = _classes(card, tuple(settings["classes"]))
    return cards.keep(card.changed(**settings), taken)


def answered(path: Path, said: Answers, taken: Collection[str]) -> Card:
    """The card of a file with what the user says of it, which is remembered.

    Raises:
        ExplorerError: The file cannot be used; the names are not as many as the classes.
    """
    return cards.keep(answers.applied(looked_at(path), said), taken)


def questions(path: Path) -> Questions:
    """What is to be asked about a file; nothing is remembered.

    Raises:
        ExplorerError: The file cannot be used.
    """
    return answers.questions(looked_at(path))


def looked_at(path: Path) -> Card:
    """The card of a file: that of the last time, else a new one, which is not kept.

    Raises:
        ExplorerError: The file cannot be used.
    """
    place = Path(os.path.abspath(path.expanduser()))
    needed("onnx"), needed("onnx2torch")
    file = read(place)
    known = cards.of_file(file.digest)
    if known is not None:
        return replace(known, path=str(place))
    card, module = inspecting.inspected(file)
    _fresh.clear()
    _fresh[_state(file.digest, place)] = module
    return card


def _classes(card: Card, names: tuple[str, ...]) -> tuple[str, ...]:
    """Names that the user gives, with a background where it was left out."""
    count = inspecting.class_count(card.task, card.shapes, card.decoding)
    if names and count:
        found = fitting_names(names, count, card.task)
        if not found:
            raise wrong_count("The list of classes", len(names), count, card.task)
        return found
    return inspecting.fitting_classes(names, 0, card.task) or names


def load(
    card: Card, spec: NetworkSpec, device: torch.device, taken: Collection[str]
) -> Generator[Step[None], Any, Network]:
    """The network of a card; one whose file has been exported again gets a new card.

    Raises:
        ExplorerError: The file cannot be used any more.
    """
    place = Path(card.path)
    name, notes = display_name(place), []
    yield Step(None, 0, 2, f"Reading {name}")
    module = _fresh.pop(_state(card.digest, place), None)
    if module is None:
        file = read(place)
        if file.digest != card.digest:
            card = opened(place, taken)
            notes.append(f"{name} has changed since it was last opened: its settings are new.")
            module = _fresh.pop(_state(card.digest, place), None)
        yield Step(None, 1, 2, f"Building {name}")
        if module is None:
            given = inspecting.image_input(file)
            module = inspecting.built(file, given, in_torch=card.in_torch)
    return _network(inspecting.headed(module, card), card, spec, device, tuple(notes))


def _state(digest: str, place: Path) -> tuple[str, int, int]:
    """What a file is while nobody writes to it."""
    try:
        found = place.stat()
    except OSError:
        return digest, 0, 0
    return digest, found.st_mtime_ns, found.st_size


def _network(
    module: OnnxModule, card: Card, spec: NetworkSpec, device: torch.device, notes: tuple[str, ...]
) -> Network:
    name = Path(card.path).name
    remarks = list(notes)
    if isinstance(module, RuntimeModule):
        module.why = card.why or module.why
        remarks.append(
            f"It runs in ONNX Runtime on the CPU, without gradients: PyTorch has no exact form of "
            f"{module.why}."
        )
        device = torch.device("cpu")
    remarks += [remark] if (remark := answers.labels_remark(card)) else []
    if spec.half:
        remarks.append("ONNX files are computed in float32.")
    if card.assumed and (card.classes or card.assumed != ("class names",)):
        remarks.append(_assumed(card))
    classes, unnamed = card.classes, 0
    if spec.classes:
        count = inspecting.class_count(card.task, card.shapes, card.decoding) or len(classes)
        classes = chosen_names(Path(spec.classes), count, card.task)
    if not classes:
        unnamed = inspecting.class_count(card.task, card.shapes, card.decoding)
        remarks += [unnamed_note(unnamed)] if unnamed else []
    module.eval().requires_grad_(False).to(device, torch.float32)
    layers = _layers(module)
    yolo = card.decoding is not None and card.decoding.form.startswith("yolo")
    info = NetworkInfo(
        spec=replace(spec, name=card.name),
        title=Path(card.path).stem,
        task=card.task,
        classes=classes,
        layers=layers,
        state="local",
        weights_title=name,
        device=str(device),
        dtype="float32",
        parameters=card.parameters,
        input_title=card.preprocess.title(),
        notes=tuple(remarks),
        default_layer=_first_shown(layers),
        score_threshold=YOLO_SCORE if yolo else 0.5,
        digester=lambda: card.key,
        unnamed=unnamed,
    )
    return Network(info, module, card.preprocess, device, torch.float32)


def _layers(module: OnnxModule) -> tuple[LayerInfo, ...]:
    """All that run: what only holds others, or serves to interrupt, is no layer of the file."""
    idle = {name for name, part in module.named_modules() if type(part) is nn.Module} | {"poll"}
    return tuple(layer for layer in layers_of(module) if layer.name not in idle)


def _first_shown(layers: tuple[LayerInfo, ...]) -> str:
    """The last layer of a stage in the middle where names are known ones, else a convolution."""
    for stage in MIDDLE_LAYERS:
        inside = [layer.name for layer in layers if f".{stage}." in f".{layer.name}"]
        if inside:
            return inside[-1]
    maps = [layer.name for layer in layers if layer.kind in ("Conv2d", "Conv")]
    return maps[int(0.6 * len(maps))] if maps else default_layer(layers)


def _assumed(card: Card) -> str:
    words = {
        "task": f"the task ({card.task})",
        "preprocessing": f"the preprocessing ({card.preprocess.title()})",
        "class names": "the class names" if card.classes else "",
    }
    *first, last = [words[word] for word in card.assumed if words.get(word)]
    listed = f"{', '.join(first)} and {last}" if first else last
    return f"The file does not say {listed}: {ASSUMED}"
