"""What rendering photos and rendering films read from their arguments in the same way."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from explorer.cli.console import Progress
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.engine import Engine
    from explorer.engine.view import View

STEPS_FPS = 12.0


def check_numbers(args: argparse.Namespace) -> None:
    """Those that no view and no network decide."""
    if args.width is not None and not 160 <= args.width <= 16_000:
        raise ExplorerError(f"--width {args.width} is out of range.", "It takes 160 to 16000.")
    if args.fps is not None and not 0.1 <= args.fps <= 120:
        raise ExplorerError(f"--fps {args.fps:g} is out of range.", "It takes 0.1 to 120.")
    _check_figure(args)


def _check_figure(args: argparse.Namespace) -> None:
    """A figure is measured in millimeters and points, a picture in pixels."""
    from explorer.saving.figures import is_figure

    figure = bool(args.out) and is_figure(args.out)
    if figure and args.width is not None:
        raise ExplorerError("--width does not apply to figures.", "Give --width-mm.")
    if figure:
        from explorer.render.vector.figure import FigureSize

        FigureSize(**figure_size(args))
    elif args.width_mm is not None or args.font_size is not None:
        raise ExplorerError(
            "--width-mm and --font-size apply to figures only.",
            "Give -o a name ending in .svg or .pdf.",
        )


def figure_size(args: argparse.Namespace) -> dict[str, float]:
    """What is asked of the size of a figure."""
    asked = {"width_mm": args.width_mm, "font_size": args.font_size}
    return {name: value for name, value in asked.items() if value is not None}


def settings(entries: Sequence[str], view: View[Any, Any]) -> dict[str, str]:
    """The words of --set by name; what needs no network to be checked is checked here."""
    from explorer.engine.former_words import in_todays_words
    from explorer.engine.question import check_names, params_of

    texts: dict[str, str] = {}
    for entry in entries:
        name, sign, text = entry.partition("=")
        if not sign:
            raise ExplorerError(f"--set {entry} is not valid.", "It takes name=value.")
        texts[name] = text
    texts = in_todays_words(view.name, texts)
    check_names(view, texts)
    params_of(view, texts)
    return texts


def files_of_settings(texts: Mapping[str, str], view: View[Any, Any]) -> list[Path]:
    """The files and folders that --set names."""
    from explorer.core.param_forms import PNG_TEXT
    from explorer.core.params import Kind, parameters
    from explorer.engine.question import params_of
    from explorer.engine.references import named_places

    masks = [
        Path(texts[parameter.name])
        for parameter in parameters(view.Params)
        if parameter.kind is Kind.MASK and parameter.name in texts
    ]  # of a mask only what is in the file is kept
    return [
        *named_places(params_of(view, texts)),
        *(path for path in masks if not str(path).startswith(PNG_TEXT)),
    ]


def network_name(args: argparse.Namespace) -> str | None:
    """The value of --network; None without it."""
    name: str | None = args.network
    if name == "":
        raise ExplorerError("--network is empty.", "`explorer list` names the networks.")
    return name


def network_files(args: argparse.Namespace) -> list[Path]:
    """The files that --weights and --classes name."""
    lists = [Path(os.path.expanduser(args.classes))] if args.classes else []
    return [path for path in (weights_file(args), *lists) if path is not None]


CLASSES_HELP = (
    "the class names of a checkpoint: a text file with a name on each line, a data.yaml or a "
    "COCO .json"
)


def class_list(args: argparse.Namespace) -> str:
    """The file that --classes names; "" without it."""
    from explorer.cli.paths import existing

    if args.classes is None:
        return ""
    if not weights_file(args) or not os.path.isfile(weights_file(args) or ""):
        raise ExplorerError(
            "--classes applies to a checkpoint only.", "Give its path with --weights."
        )
    return str(existing(args.classes, "--classes").absolute())


def weights_file(args: argparse.Namespace) -> Path | None:
    """The file that --weights names, where it is one."""
    from explorer.core.network_info import file_and_part

    return file_and_part(Path(os.path.expanduser(args.weights)))[0] if args.weights else None


def spec_of(args: argparse.Namespace, view: View[Any, Any]) -> NetworkSpec | None:
    """The network that is asked for, or the one that ships for the view's task.

    None for a view that needs none.
    """
    if not view.needs.network:
        if args.network or args.weights or args.classes:
            raise ExplorerError(
                f"The view {view.name} needs no network.", "Leave --network and --weights out."
            )
        return None
    from explorer.core.network_info import NetworkSpec
    from explorer.engine.question import default_network
    from explorer.networks import catalog

    name = network_name(args)
    if name is None and args.weights and args.weights != catalog.NO_WEIGHTS:
        name = ""  # the catalog looks into the file
    elif name is None:
        name = default_network(view)
    if name:
        catalog.check_asked(name)
    return NetworkSpec(name, args.weights, args.device, args.half, class_list(args))


def loaded(
    engine: Engine, spec: NetworkSpec | None, view: View[Any, Any], progress: Progress
) -> NetworkInfo | None:
    """Loads the network; one that does not go with the view is a sentence."""
    from explorer.engine.question import check_suits

    if spec is None:
        return None
    loading = engine.network(spec)
    try:
        while True:
            step = next(loading)
            progress.show(spec.name, step.done, step.total, step.note)
    except StopIteration as end:
        info: NetworkInfo = end.value.info
    finally:
        progress.clear()
    check_suits(view, info)
    return info
