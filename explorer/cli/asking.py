"""What rendering photos and rendering films ask in the same words."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from explorer.cli.words import Progress
    from explorer.core.layers import Board, Pane
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.engine import Answer, Engine
    from explorer.engine.view import View

PICTURE_WIDTH = 1600
STEPS_FPS = 12.0


def check_numbers(args: argparse.Namespace) -> None:
    """Those that no view and no network decide."""
    if args.width is not None and not 160 <= args.width <= 16_000:
        raise ExplorerError(f"--width {args.width} is out of range.", "It takes 160 to 16000.")
    if args.fps is not None and not 0.1 <= args.fps <= 120:
        raise ExplorerError(f"--fps {args.fps:g} is out of range.", "It takes 0.1 to 120.")


def is_folder(out: str) -> bool:
    """True when a file for each photo or film goes there."""
    return out.endswith("/") or Path(out).is_dir()


def settings(entries: Sequence[str], view: View[Any, Any]) -> dict[str, str]:
    """The words of --set by name; what needs no network to be checked is checked here."""
    from explorer.core.param_forms import parse
    from explorer.core.params import parameters

    known = {parameter.name: parameter for parameter in parameters(view.Params)}
    texts = {}
    for entry in entries:
        name, sign, text = entry.partition("=")
        if not sign:
            raise ExplorerError(f"--set {entry} is not valid.", "It takes name=value.")
        if name not in known:
            raise ExplorerError(
                f"The view {view.name} has no parameter {name!r}.",
                f"Choose among: {', '.join(known)}.",
            )
        parse(known[name], text)
        texts[name] = text
    return texts


def params_of(view: View[Any, Any], texts: dict[str, str], info: NetworkInfo | None) -> Any:
    """The parameters that those words stand for."""
    from explorer.core.param_forms import parse
    from explorer.core.params import parameters

    known = {parameter.name: parameter for parameter in parameters(view.Params)}
    return view.Params(**{name: parse(known[name], text, info) for name, text in texts.items()})


def without_effect(params: Any, texts: dict[str, str], info: NetworkInfo | None) -> list[str]:
    """A sentence for every parameter that was set and does not matter with the others."""
    from explorer.core.params import parameters

    about = f" and {info.title}" if info is not None else ""
    return [
        f"{p.name} does not apply to the other settings{about}: it changes nothing."
        for p in parameters(type(params))
        if p.name in texts and not p.applies(params, info)
    ]


def placed_inside(params: Any, width: int, height: int) -> tuple[Any, list[str]]:
    """The parameters with every picked place in a picture of that size, and what was done for it.

    Args:
        params: Of a view.
        width: Of the photo or of the film's frames, in pixels.
        height: Likewise.
    """
    from explorer.core.params import inside, parameters

    found = inside(params, width, height)
    words = []
    for parameter in parameters(type(params)):
        before, after = (getattr(values, parameter.name) for values in (params, found))
        if before != after:
            done = "left out" if after is None else "moved inside"
            words.append(
                f"{parameter.name} lies outside of the {width} x {height} pixels and is {done}."
            )
    return found, words


def spec_of(args: argparse.Namespace, view: View[Any, Any]) -> NetworkSpec | None:
    """The network that is asked for, or the one that ships for the view's task.

    None for a view that needs none.
    """
    if not view.needs.network:
        if args.network or args.weights:
            raise ExplorerError(
                f"The view {view.name} needs no network.", "Leave --network and --weights out."
            )
        return None
    from explorer.core.network_info import NetworkSpec
    from explorer.networks import catalogue

    name = args.network
    if name is None and args.weights and args.weights != catalogue.NO_WEIGHTS:
        name = ""  # the catalogue looks into the file
    elif name is None:
        tasks = sorted(view.tasks) or ["classification"]
        defaults = [catalogue.default_for(task) for task in tasks]  # type: ignore[arg-type]
        entry = next((entry for entry in defaults if entry is not None), None)
        if entry is None:
            raise ExplorerError(
                f"No network for {' or '.join(tasks)} is at hand.",
                "Choose one with --network; `explorer list` names them all.",
            )
        name = entry.name
    if name:
        catalogue.find(name)
    return NetworkSpec(name, args.weights, args.device, args.half)


def loaded(
    engine: Engine, spec: NetworkSpec | None, view: View[Any, Any], progress: Progress
) -> NetworkInfo | None:
    """Loads the network; one that does not go with the view is a sentence."""
    if spec is None:
        return None
    info = _loaded(engine, spec, progress)
    if not view.suits(info.task):
        raise ExplorerError(
            f"{view.title} needs a network for {' or '.join(sorted(view.tasks))}; "
            f"{info.title} does {info.task}.",
            "`explorer list` names the networks with what they do.",
        )
    return info


def _loaded(engine: Engine, spec: NetworkSpec, progress: Progress) -> NetworkInfo:
    loading = engine.network(spec)
    try:
        while True:
            step = next(loading)
            progress.show(spec.name, step.done, step.total, step.note)
    except StopIteration as end:
        info: NetworkInfo = end.value.info
        return info
    finally:
        progress.clear()


def board_of(answer: Answer) -> Board:
    """What is drawn of an answer, with everything that has to be said about it."""
    from explorer.annotations.truth import truth_of, with_truth
    from explorer.core.layers import UNTRAINED, stamped

    board = answer.ask.view.draw(answer.result, answer.params)
    board = with_truth(board, truth_of(answer.params))
    info, image = answer.info, answer.ask.image
    of_network = info.notes if info is not None else ()
    of_photo = image.notes if image is not None else ()
    notes = dict.fromkeys((*of_network, *of_photo, *board.notes))
    board = replace(board, notes=tuple(notes))
    return stamped(board, UNTRAINED) if info is not None and info.untrained else board


def pane_of(board: Board, name: str | None, title: str) -> Pane:
    """The pane `name`, by default the first one, of the view `title`."""
    if name is None and board.panes:
        return board.panes[0]
    for pane in board.panes:
        if pane.name == name:
            return pane
    names = ", ".join(pane.name for pane in board.panes) or "none"
    raise ExplorerError(f"{title} has no pane {name!r}.", f"There are: {names}.")
