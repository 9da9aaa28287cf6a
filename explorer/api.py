"""The Python interface: run any view on any photo from a script or a notebook, without a window.

    import explorer

    answer = explorer.look("classify", "cat.jpg", network="efficientnet-lite0", top=3)
    answer.summary, answer.data, answer.rgb
    answer.save("cat.png")

Names are those of the command line: the same views, networks, parameters and seeds give the same
numbers. Calls from several threads run one after the other.
"""

from __future__ import annotations

import os
import threading
import warnings
from collections import deque
from contextlib import nullcontext
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import PIL.Image

from explorer.annotations.truth import truth_in, truth_names
from explorer.core import params as declared
from explorer.core.errors import ExplorerError
from explorer.core.listing import Listing
from explorer.core.network_info import NetworkSpec, file_and_part
from explorer.core.values import Box, Point
from explorer.engine.finish import FinishedAnswer
from explorer.engine.former_words import in_todays_words
from explorer.engine.progress import for_scripts
from explorer.engine.question import (
    default_network,
    params_of,
    placed_inside,
    takes,
    without_effect,
)
from explorer.images.image import Image, from_array, from_pillow, open_image
from explorer.images.samples import sample
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.render.formulas import Explained

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Mapping, Sequence

    from torch import nn

    from explorer.core.network_info import NetworkInfo, Task
    from explorer.core.params import Parameter
    from explorer.core.step import Step
    from explorer.engine.engine import Engine
    from explorer.engine.progress import Shows
    from explorer.engine.view import View

__all__ = [
    "Box",
    "ExplorerError",
    "FinishedAnswer",
    "Network",
    "Point",
    "Preprocess",
    "explain",
    "load",
    "look",
    "parameters",
    "photo",
    "steps",
]

_lock = threading.RLock()


# -- asking ---------------------------------------------------------------------------------------


def look(
    view: str,
    photo: Any = None,
    *,
    network: str | Network | nn.Module | None = None,
    seed: int = 0,
    device: str = "auto",
    **params: Any,
) -> FinishedAnswer:
    """Runs a view on a photo and returns the final answer.

    Args:
        view: A name from `views()`.
        photo: The path of a file, the name of a sample ("cat"), a Pillow image, what `photo`
            returned, or an array (H, W, 3) uint8 RGB. None for a view that needs no photo.
        network: A name from `networks()`, what `load` returned, or any `nn.Module`, which is used
            where it is and restored afterwards: training mode, gradients and device. None = one
            that ships with the program and suits the view.
        seed: Initializes the random numbers: equal calls give equal results.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" …, for a network that is named.
        **params: Of the view, see `parameters(view)`. Positions are in pixels of the photo, x to
            the right and y down: (x, y), or (x0, y0, x1, y1) for a box, (x0, y0, x1, y1, "cat") for
            one of the ground truth, which may also be the path of a file of annotations.

    Returns:
        The answer: `data` has the values, `board` the drawing, `rgb` its picture, and
        `save(path)` writes any of them. A notebook displays the picture.

    Raises:
        ExplorerError: A wrong name, value or file; the message says what is valid.
    """
    answers = steps(view, photo, network=network, seed=seed, device=device, **params)
    last = deque(answers, maxlen=1)
    if not last:
        raise ExplorerError(f"The view {view} gave no result.", "Choose another photo.")
    return last[0]


def steps(
    view: str,
    photo: Any = None,
    *,
    network: str | Network | nn.Module | None = None,
    seed: int = 0,
    device: str = "auto",
    **params: Any,
) -> Iterator[FinishedAnswer]:
    """As `look`, but yields every step: `done` of `total`; the last one is the final answer.

    Leaving the loop early ends the computation; no hook stays on the network.

    Yields:
        Answers so far, each complete in itself.

    Raises:
        ExplorerError: As `look`; for a wrong name or value before the first step.
    """
    from explorer.views import find

    found = find(view)
    params = in_todays_words(found.name, params)
    params, file = _without_truth_file(found, params)
    params_of(found, params)  # errors that need no network are raised before one is loaded
    image = _image(found, photo)
    if file is not None and "boxes" in truth_names(found.Params):  # needs no network
        params |= _truth_in(found, file, image, None)
        file = None
    engine, chosen = _network(found, network, device)
    return _stepping(engine, found, chosen, image, params, seed, file)


def _stepping(
    engine: Engine,
    view: View[Any, Any],
    chosen: NetworkSpec | Network | None,
    image: Image | None,
    values: dict[str, Any],
    seed: int,
    truth: Path | None,
) -> Generator[FinishedAnswer, None, None]:
    from explorer.core.runner import Token
    from explorer.engine.answer import Ask
    from explorer.networks.given import at_rest

    bar = for_scripts()
    try:
        network = chosen
        if isinstance(chosen, NetworkSpec):
            network = _driven(engine.network(chosen), bar)
        info = network.info if isinstance(network, Network) else None
        if truth is not None:
            values |= _truth_in(view, truth, image, info)
        params = params_of(view, values, info)
        said = without_effect(params, values, info)
        if image is not None:
            params, moved = placed_inside(params, image.width, image.height)
            said += [f"{image.name}: {words}" for words in moved]
        for words in said:
            warnings.warn(words, stacklevel=3)
        ask = Ask(view, info.spec if info is not None else None, image, params, seed)
        answers = engine.steps(ask, Token())
        # A network that is named is the program's own; any other is only borrowed.
        borrowed = chosen.module if isinstance(chosen, Network) else None
        rest = nullcontext if borrowed is None else partial(at_rest, borrowed)
        try:
            while True:
                with _lock, rest():
                    step = next(answers, None)
                if step is None:
                    return
                bar.show(view.title, step.done, step.total, step.note)
                if step.value.result is not None:
                    yield FinishedAnswer(
                        step.value, done=step.done, total=step.total, note=step.note
                    )
        finally:
            with _lock, rest():
                answers.close()
    finally:
        bar.clear()


# -- what there is --------------------------------------------------------------------------------


def parameters(view: str) -> Listing[Parameter]:
    """The parameters of a view for `look` and `steps`, by name: default, valid values, meaning.

    Raises:
        ExplorerError: There is no such view; the message names the most similar.
    """
    from explorer.views import find

    def words(parameter: Parameter) -> str:
        meta = parameter.meta
        unit = f" {meta.unit}" if meta.unit else ""
        return f"{parameter.default!r} ({takes(parameter)}{unit})  {meta.help}"

    found = find(view)
    return Listing(((entry.name, entry) for entry in declared.parameters(found.Params)), words)


def explain(view: str) -> Explained:
    """What a view shows, how to read it, its formulas and their sources.

    Returns:
        The text, formulas in plain letters; a notebook sets them as mathematics. Its `markdown` has
        them in LaTeX between dollar signs.

    Raises:
        ExplorerError: There is no such view; the message names the most similar.
    """
    from explorer.views import find

    found = find(view)
    return Explained(f"# {found.title}\n\n{found.explanation.strip()}\n")


def photo(path: str | os.PathLike[str], *, frame: int = 0) -> Image:
    """A photo for `look` and `steps`: upright (H, W, 3) uint8 RGB in `pixels`, read-only.

    Args:
        path: A file, or the name of a sample ("cat") if there is no file of that name.
        frame: Which frame of an animation or page of a file, counted from 0.

    Raises:
        ExplorerError: It cannot be read; the message says why.
    """
    known = sample(str(path)) if not os.path.exists(path) else None
    return known.load() if known is not None else open_image(path, frame=frame)


def load(
    network: str | nn.Module = "",
    *,
    weights: str | os.PathLike[str] = "",
    device: str = "auto",
    half: bool = False,
    task: Task | None = None,
    classes: Sequence[str] | str | os.PathLike[str] = (),
    preprocess: Preprocess | None = None,
) -> Network:
    """A network for `look` and `steps`: one of the catalog with any weights, or your own module.

    Args:
        network: A name from `networks()`; "" = identified by the checkpoint; or an `nn.Module`.
        weights: A name of its weights ("IMAGENET1K_V2" is downloaded if it is not on disk),
            "none" for random weights, or the path of a checkpoint; "" = the best on disk.
        device: "auto", "cpu", "cuda", "cuda:1", "mps" …
        half: Half precision where the network has it.
        task: Of a module: "classification", "detection", "segmentation", "localization",
            "pose" or "features"; by default inferred from its output.
        classes: Of a module or a checkpoint: names by index; a detector's index 0 is the
            background. For a checkpoint also the path of a list of them, as `--classes` takes it.
        preprocess: Of a module: the preprocessing of photos; by default ImageNet's.

    Returns:
        The network: `module` computes, `info` describes it. Changes made to `module` afterwards
        take effect in the next call.

    Raises:
        ExplorerError: Unknown name or weights; a file that does not fit; a module that accepts no
            picture.
    """
    if not isinstance(network, str):
        from explorer.networks.given import from_module

        if weights or half or device != "auto":
            raise ExplorerError(
                "A module has its own weights, precision and device.",
                "Change them on the module itself: load_state_dict(), half(), to().",
            )
        if isinstance(classes, (str, os.PathLike)):
            from explorer.networks.checkpoints.class_lists import names_in

            classes = names_in(Path(classes))
        return from_module(network, task=task, classes=classes, preprocess=preprocess)
    named = bool(classes) and not os.path.isfile(file_and_part(Path(weights).expanduser())[0])
    if task is not None or preprocess is not None or named:
        raise ExplorerError(
            f"The task, classes and preprocessing of the network {network!r} are fixed.",
            "Give them only with a module of your own, and classes with a checkpoint.",
        )
    from explorer.networks import catalog

    is_file = isinstance(classes, (str, os.PathLike))
    spec = NetworkSpec(network, str(weights), device, half, str(classes) if is_file else "")
    bar = for_scripts()
    try:
        found = _driven(catalog.load(spec), bar)
    finally:
        bar.clear()
    if classes and not isinstance(classes, (str, os.PathLike)):
        from explorer.networks.checkpoints.loading import renamed_classes

        found.info = renamed_classes(found.info, tuple(map(str, classes)))
    return found


# -- inside ---------------------------------------------------------------------------------------


def _network(
    view: View[Any, Any], network: str | Network | nn.Module | None, device: str
) -> tuple[Engine, NetworkSpec | Network | None]:
    """Who answers, and of which network; none for a view that needs none."""
    from explorer.engine.engine import Engine
    from explorer.networks import catalog

    if not view.needs.network:
        if network is not None:
            raise ExplorerError(f"The view {view.name} needs no network.", "Leave it out.")
        return _shared(), None
    if network is None or isinstance(network, str):
        name = network or default_network(view)
        catalog.check_asked(name)
        return _shared(), NetworkSpec(name, device=device)
    found = network if isinstance(network, Network) else load(network)
    if device not in ("auto", str(found.device)):
        raise ExplorerError(
            f"This network is on {found.device}, not on {device}.",
            "Move it first, or leave device out.",
        )
    engine = Engine()  # nothing is remembered of it: it may be another one next time
    engine.keep(found)
    return engine, found


@cache
def _shared() -> Engine:
    """Answers all questions that name their network, and keeps what it has loaded."""
    from explorer.engine.engine import Engine

    return Engine()


def _driven(loading: Generator[Step[None], Any, Network], bar: Shows) -> Network:
    """Loads to the end, with a bar."""
    try:
        while True:
            with _lock:
                step = next(loading)
            bar.show("Loading", step.done, step.total, step.note)
    except StopIteration as end:
        network: Network = end.value
        return network
    finally:
        loading.close()


def _without_truth_file(
    view: View[Any, Any], params: Mapping[str, Any]
) -> tuple[dict[str, Any], Path | None]:
    """The parameters, and the file that is given in the place of the ground truth."""
    name = next(iter(truth_names(view.Params).values()), "")
    value = params.get(name)
    named = isinstance(value, os.PathLike) or (isinstance(value, str) and os.path.isfile(value))
    if value is None or not named:
        return dict(params), None
    return {key: kept for key, kept in params.items() if key != name}, Path(value)


def _truth_in(
    view: View[Any, Any], file: Path, image: Image | None, info: NetworkInfo | None
) -> dict[str, Any]:
    """What a file of annotations has for the photo, as the view's parameter."""
    if image is None:
        return {}
    values, notes = truth_in(view.Params(), file, image, info)
    for words in notes:
        warnings.warn(f"{image.name}: {words}", stacklevel=4)
    return values


def _image(view: View[Any, Any], given: Any) -> Image | None:
    """Whatever `look` takes for a photo; none for a view that needs none."""
    if given is None and not view.needs.photo:
        return None
    if not view.needs.photo:
        raise ExplorerError(f"The view {view.name} needs no photo.", "Leave it out.")
    if isinstance(given, Image):
        return given
    if isinstance(given, (str, os.PathLike)):
        return photo(given)
    if isinstance(given, PIL.Image.Image):
        return from_pillow(given)
    if isinstance(given, np.ndarray):
        try:
            return from_array(given, "array")
        except ValueError as error:
            raise ExplorerError(
                f"This is not a photo: {error}.", "Give an array (H, W, 3) uint8."
            ) from error
    if given is None:
        raise ExplorerError(
            f"The view {view.name} needs a photo.", "Give a path, an image or an array."
        )
    raise ExplorerError(
        f"An object of type {type(given).__name__} is not a photo.",
        "Give a path, a Pillow image or an array (H, W, 3) uint8.",
    )
