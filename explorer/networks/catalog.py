"""The one list of networks: embedded ones, those made here, torchvision's, and plug-ins'."""

from __future__ import annotations

import os
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.listing import either
from explorer.core.network_info import CHECKPOINT_SUFFIXES, file_and_part, is_onnx
from explorer.core.step import Step
from explorer.networks import devices, made, plugins, shipped, zoo
from explorer.networks.checkpoints import fitting, inspection, loading, reading, weights
from explorer.networks.entry import NO_WEIGHTS, Entry, WeightsOption
from explorer.networks.external import hf_folder, other_detectors, python_file, timm_models
from explorer.networks.onnx import cards
from explorer.networks.onnx import contents as onnx_contents
from explorer.networks.onnx import loading as onnx

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.network_info import NetworkSpec, Task
    from explorer.core.unavailable import Unavailable
    from explorer.networks.checkpoints.inspection import Inspection
    from explorer.networks.definition import Definition
    from explorer.networks.made import NewNetwork
    from explorer.networks.network import Network
    from explorer.networks.onnx.answers import Answers, Questions
    from explorer.networks.onnx.contents import Contents

__all__ = [
    "NO_WEIGHTS",
    "Entry",
    "WeightsOption",
    "answered",
    "check_asked",
    "default_for",
    "definitions",
    "entries",
    "find",
    "guess",
    "inspect",
    "keep",
    "load",
    "opened",
    "questions",
    "unavailable",
]

_NEAR = 0.6
"""A file that fits no network is compared with one that has this share of its tensors."""


def entries(*, timm: bool = False) -> tuple[Entry, ...]:
    """All networks with the present states of their weights; builds none of them.

    Args:
        timm: With the thousand of timm, where it is installed.
    """
    every = (*definitions(), *timm_models.definitions()) if timm else definitions()
    theirs = tuple(definition.entry.refreshed(weights.state_of) for definition in every)
    return (*theirs, *(card.entry for card in cards.every()))


def opened(path: Path, **settings: Any) -> str:
    """The name of the network in an ONNX file, which is in the catalog from now on.

    Args:
        path: The file.
        settings: Fields of `explorer.networks.onnx.cards.Card`, and `decoder`, a form of
            detections. What is not given is as it was the last time, else what the file suggests.

    Raises:
        ExplorerError: The file cannot be used.
    """
    return onnx.opened(path, _taken(), **settings).name


def questions(path: Path) -> Questions:
    """What is unclear about an ONNX file, with proposals; nothing is remembered of it yet.

    Raises:
        ExplorerError: The file cannot be used.
    """
    return onnx.questions(path)


def answered(path: Path, said: Answers) -> str:
    """As `opened`, with the user's answers.

    Raises:
        ExplorerError: The file cannot be used; the names are not as many as the classes.
    """
    return onnx.answered(path, said, _taken()).name


def unavailable() -> tuple[Unavailable, ...]:
    """What was found among those made here and the plug-ins' and cannot be used, and why."""
    return _survey()[1]


def keep(new: NewNetwork) -> str:
    """Adds a network that was made here; returns its name in the catalog.

    Raises:
        ExplorerError: It cannot be written.
    """
    return made.keep(new, {definition.entry.name for definition in definitions()})


def find(name: str) -> Entry:
    """The entry of that name.

    Raises:
        ExplorerError: When there is none; the sentence names the nearest.
    """
    card = _card(name)
    return _definition(name).entry.refreshed(weights.state_of) if card is None else card.entry


def check_asked(name: str) -> None:
    """Checks the name of a network that the user has given; naming a program agrees to run it.

    Raises:
        ExplorerError: There is no such network; the sentence names the nearest.
    """
    program = python_file.file_and_function(name)
    if program is None:
        find(name)
    else:
        python_file.trust(program[0])


PREFERRED = ("lite-pose", "lite-deeplab")
"""To begin with, although another embedded network of its task comes before it by name."""


def default_for(task: Task) -> Entry | None:
    """The network to begin with: one whose weights are here, the embedded ones first."""
    here = [entry for entry in entries() if entry.task == task and entry.at_hand is not None]
    here.sort(key=lambda entry: entry.name not in PREFERRED)
    return here[0] if here else None


def guess(path: Path) -> tuple[str, ...]:
    """Names of the networks whose weights may be in a file, the best first; () when none fits.

    Raises:
        ExplorerError: When the file cannot be read as weights.
    """
    if is_onnx(path):
        return (opened(path),)
    return _names_of(reading.read(path))


def inspect(path: Path) -> Inspection | Contents:
    """What is in a file of weights, and which networks it may be of; what is in an ONNX file.

    Raises:
        ExplorerError: When the file cannot be read as weights, or as a network.
    """
    if is_onnx(path):
        return onnx_contents.contents(path)
    every = (*definitions(), *other_detectors.definitions())
    return inspection.inspect(path, every, timm_models.definitions())


def _names_of(checkpoint: reading.Checkpoint) -> tuple[str, ...]:
    """See `guess`. Published architectures go before those that only a checkpoint makes.

    Of timm's networks only the one that the file names is tried, if any.
    """
    every = definitions()
    if any("fpn." in name for name in checkpoint.tensors):
        every = (*every, *other_detectors.definitions())
    found = fitting.guess_architecture(checkpoint, every)
    made = {each.entry.name for each in other_detectors.definitions()}
    found = tuple(name for name in found if name not in made) or found
    if found or not checkpoint.architecture:
        return found
    name = timm_models.PREFIX + checkpoint.architecture.partition(".")[0]
    named = [each for each in timm_models.definitions() if each.entry.name == name]
    return fitting.guess_architecture(checkpoint, named)


def load(spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
    """Brings a network into memory; the generator's return value is the network.

    The steps tell what is going on; closing the generator between them cancels. Nothing is
    downloaded unless `spec.weights` names weights that have to be. With an empty `spec.name` the
    network is guessed from the file.

    Raises:
        ExplorerError: Unknown name, weights or device; a file that cannot be used.
    """
    device = devices.resolve(spec.device)
    if is_onnx(spec.name or spec.weights) and not _card(spec.name):
        yield Step(None, 0, 2, f"Reading {Path(spec.name or spec.weights).name}")
        spec = replace(spec, name=opened(Path(spec.name or spec.weights)), weights="")
    card = _card(spec.name)
    if card is not None:
        return (yield from onnx.load(card, spec, device, _taken()))
    if python_file.file_and_function(spec.name):
        return (yield from python_file.load(spec, device))
    if not spec.name and os.path.isdir(Path(spec.weights).expanduser()):
        return (yield from hf_folder.load(spec, device))
    if not spec.name:
        definition, checkpoint = yield from _guessed(spec)
        spec = replace(spec, name=definition.entry.name)
        return (yield from loading.from_checkpoint(definition, spec, device, checkpoint))
    definition = _definition(spec.name)
    entry = definition.entry.refreshed(weights.state_of)
    if spec.weights == NO_WEIGHTS:
        return (yield from loading.untrained(definition, spec, device))
    option = _option(entry, spec.weights)
    if option is not None:
        return (yield from loading.from_option(definition, spec, device, option))
    if not spec.weights:
        return (yield from loading.untrained(definition, spec, device))
    yield Step(None, 0, 2, f"Reading {Path(spec.weights).name}")
    checkpoint = reading.read(Path(spec.weights).expanduser())
    try:
        return (yield from loading.from_checkpoint(definition, spec, device, checkpoint))
    except ExplorerError as error:
        raise _with_another(error, checkpoint, entry) from error


def _with_another(
    error: ExplorerError, checkpoint: reading.Checkpoint, asked: Entry
) -> ExplorerError:
    """`error`, or a sentence with the network that the file is of, where that is another one."""
    if any(asked.name == each.entry.name for each in other_detectors.definitions()):
        return error  # nothing but this file makes one of them
    every = definitions()
    names = fitting.guess_architecture(checkpoint, every)
    if not names or asked.name in names:
        return error
    titles = {found.entry.name: found.entry.title for found in every}
    looks = " or ".join(f"{titles[name]} ({name})" for name in names[:2])
    return ExplorerError(
        f"{checkpoint.name} does not fit {asked.title}.",
        f"It looks like {looks}: use that?",
        instead=names,
    )


def _guessed(
    spec: NetworkSpec,
) -> Generator[Step[None], Any, tuple[Definition, reading.Checkpoint]]:
    path = Path(spec.weights).expanduser()
    yield Step(None, 0, 3, f"Reading {path.name}")
    checkpoint = reading.read(path)
    yield Step(None, 1, 3, f"Identifying the network of {path.name}")
    names = _names_of(checkpoint)
    if len(names) > 1:
        raise ExplorerError(
            f"{checkpoint.name} matches {' and '.join(names)} equally well.",
            "Choose the one that it was trained with.",
            instead=names,
        )
    if not names:  # fitting it to the nearest one tells what differs
        names = fitting.guess_architecture(checkpoint, definitions(), least=_NEAR)
    if not names:
        raise ExplorerError(
            f"{checkpoint.name} matches no network of the catalog.",
            "Choose its network to see which tensors differ.",
        )
    return _definition(names[0]), checkpoint


def _option(entry: Entry, asked: str) -> WeightsOption | None:
    """The weights that `asked` names; None = random ones ("") or the path of a file.

    Raises:
        ExplorerError: When it is neither a name nor looks like a file.
    """
    if not asked:
        return entry.at_hand
    named = {option.name.lower(): option for option in entry.weights}
    if asked.lower() in named:
        return named[asked.lower()]
    path, _ = file_and_part(Path(asked).expanduser())
    if path.suffix.lower() in CHECKPOINT_SUFFIXES or len(path.parts) > 1 or os.path.exists(path):
        return None
    valid = ", ".join([*(option.name for option in entry.weights), NO_WEIGHTS])
    raise ExplorerError(
        f"{entry.name} has no weights {asked!r}.",
        f"Choose among: {valid}; or give the path of a checkpoint.",
    )


def _definition(name: str) -> Definition:
    every = (*definitions(), *other_detectors.definitions())
    if name.startswith(timm_models.PREFIX):
        every = timm_models.definitions()
    known = {definition.entry.name: definition for definition in every}
    if name in known:
        return known[name]
    if not known:
        raise ExplorerError(
            f"{name} is a network of timm, which is not installed.",
            'Install it: pip install "convnet-explorer[timm]"',
        )
    near = get_close_matches(name, known, n=3, cutoff=0.5)
    raise ExplorerError(
        f"There is no network {name!r}.",
        f"Did you mean {either(near)}?" if near else "`explorer list` names them all.",
    )


def _card(name: str) -> cards.Card | None:
    return next((card for card in cards.every() if card.name == name), None) if name else None


def _taken() -> set[str]:
    return {definition.entry.name for definition in definitions()}


def definitions() -> tuple[Definition, ...]:
    """How every network is built and where its weights are; builds none of them."""
    return _survey()[0]


def _survey() -> tuple[tuple[Definition, ...], tuple[Unavailable, ...]]:
    ours, theirs = shipped.definitions(), zoo.definitions()
    known = {definition.entry.name: definition for definition in (*ours, *theirs)}
    plugged, refused = plugins.survey(known)
    known.update((definition.entry.name, definition) for definition in plugged)
    known.update((definition.entry.name, definition) for definition in shipped.unlisted())
    own, broken = made.survey(known)
    return (*ours, *own, *theirs, *plugged), (*broken, *refused)
