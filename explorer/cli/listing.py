"""`explorer list`: the views with their parameters, and the networks with their states."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from explorer.cli.console import columns, say, table, wrapped
from explorer.core.errors import ExplorerError
from explorer.core.listing import either

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from explorer.core.params import Parameter
    from explorer.core.unavailable import Unavailable
    from explorer.engine.view import View
    from explorer.networks.entry import Entry

_WEIGHTS = {
    "shipped": "shipped",
    "cached": "on disk",
    "download": "download",
    "missing": "not installed",
    "local": "local file",
    "untrained": "UNTRAINED",
}
"""By state of the weights: the words of the window's network panel."""


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "list",
        help="list the views with their parameters, and the networks",
        description="List the views with their parameters and valid values, and the networks with "
        "the state of their weights.",
    )
    parser.add_argument(
        "what", nargs="?", choices=("views", "networks", "timm"),
        help="list only these; timm: the networks of timm, where it is installed",
    )  # fmt: skip
    parser.add_argument(
        "--explain",
        metavar="VIEW",
        help="print the explanation of a view instead: how to read it, its formulas and sources",
    )
    parser.add_argument(
        "--messages",
        action="store_true",
        help="list every text of the program with its place in the source",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser


def run(args: argparse.Namespace) -> int:
    """List; always 0."""
    if args.explain is not None:
        return _explained(args.explain, args.json)
    if args.messages:
        return _messages(args.json)
    views, networks = None, None
    unavailable: tuple[Unavailable, ...] = ()
    if args.what in (None, "views"):
        views, broken = _views()
        unavailable = tuple(broken)
    if args.what in (None, "networks"):
        networks, broken = _networks()
        unavailable = (*unavailable, *broken)
    if args.what == "timm":
        networks = _timm()
    if args.json:
        listed: dict[str, Any] = {}
        if views is not None:
            listed["views"] = [_view(view) for view in views]
        if networks is not None:
            listed["networks"] = [_network(entry) for entry in networks]
        listed["unavailable"] = [asdict(entry) for entry in unavailable]
        say(json.dumps(listed, ensure_ascii=False, indent=1))
        return 0
    parts = []
    if views is not None:
        parts += ["Views", *(_view_text(view) for view in views)]
    if networks is not None:
        parts += ["Networks", _network_text(networks)]
    if unavailable:
        reasons = [(entry.name, entry.origin, entry.reason) for entry in unavailable]
        parts += ["Unavailable", table([("name", "from", "reason"), *reasons], width=columns())]
    say("\n\n".join(parts))
    return 0


def _explained(name: str, as_json: bool) -> int:
    from explorer.api import explain

    text = explain(name)
    say(json.dumps({"markdown": text.markdown}, ensure_ascii=False) if as_json else text.rstrip())
    return 0


def _messages(as_json: bool) -> int:
    from explorer.cli import messages

    found = messages.messages()
    if as_json:
        say(json.dumps([asdict(message) for message in found], ensure_ascii=False, indent=1))
    else:
        say(messages.as_text(found))
    return 0


def _views() -> tuple[list[View[Any, Any]], Sequence[Unavailable]]:
    from explorer import views

    found = views.survey()
    return [found.views[name] for name in sorted(found.views)], found.unavailable


def _networks() -> tuple[tuple[Entry, ...], Sequence[Unavailable]]:
    from explorer.networks import catalog

    return catalog.entries(), catalog.unavailable()


def _timm() -> tuple[Entry, ...]:
    """The networks of timm.

    Raises:
        ExplorerError: timm is not installed.
    """
    from explorer.networks import catalog
    from explorer.networks.external import timm_models

    if not timm_models.installed():
        raise ExplorerError(
            "timm is not installed.", 'Install it: pip install "convnet-explorer[timm]"'
        )
    return tuple(entry for entry in catalog.entries(timm=True) if entry.family == "timm")


_LONGEST = 40
"""Of a parameter with its default, in the column beside its meaning."""


def _view_text(view: View[Any, Any]) -> str:
    from explorer.core.params import parameters

    width = columns()
    rows = [(_default(p), _meaning(p)) for p in parameters(view.Params)]
    tasks = f" Networks: {either(sorted(view.tasks))}." if view.tasks else ""
    head = wrapped(f"{view.name}: {view.summary}{tasks}", width, first="  ", rest="    ")
    return f"{head}\n{table(rows, indent=6, width=width, most=_LONGEST)}".rstrip()


def _default(parameter: Parameter) -> str:
    """name=default, as --set takes it."""
    from explorer.core.param_forms import text_of

    default = parameter.default
    if isinstance(default, tuple) and not default:
        return f"{parameter.name}={'all' if parameter.meta.choices else 'none'}"
    return f"{parameter.name}={text_of(parameter, default)}"


def _meaning(parameter: Parameter) -> str:
    """Its title, with unit and valid values: "Scale, px: 8 to 512"."""
    from explorer.engine.question import takes

    meta = parameter.meta
    title = f"{meta.title}, {meta.unit}" if meta.unit else meta.title
    words = takes(parameter) if parameter.type not in (bool, str) or meta.choices else ""
    return f"{title}: {words}" if words else title


def _network_text(networks: Sequence[Entry]) -> str:
    """A line for each; without the titles where the terminal has no room for them."""
    rows: list[tuple[str, ...]] = [("name", "task", "weights", "title")]
    rows += map(_network_row, networks)
    text, width = table(rows), columns()
    if width is not None and max(map(len, text.splitlines())) > width:
        text = table([row[:-1] for row in rows])
    return text


def _network_row(entry: Entry) -> tuple[str, str, str, str]:
    weights = "made here" if entry.family == "made" else _WEIGHTS[entry.state]
    if entry.state == "download" and entry.weights[0].megabytes:
        weights += f" ({entry.weights[0].megabytes:.0f} MB)"
    return (entry.name, entry.task, weights, entry.title)


def _view(view: View[Any, Any]) -> dict[str, Any]:
    from explorer.core.params import parameters
    from explorer.saving.plain_values import plain

    return {
        "name": view.name,
        "title": view.title,
        "group": view.group.value,
        "needs": view.needs.name.lower(),
        "summary": view.summary,
        "explanation": view.explanation.strip(),
        "reference": view.reference,
        "tasks": sorted(view.tasks),
        "film": view.film,
        "actions": [
            {"name": action.name, "title": action.title, "help": action.help}
            for action in view.actions
        ],
        "parameters": [
            {
                "name": p.name,
                "title": p.meta.title,
                "help": p.meta.help,
                "type": p.type.__name__.lower(),
                "default": plain(p.default).value,
                "low": p.meta.low,
                "high": p.meta.high,
                "unit": p.meta.unit,
                "choices": "of the network" if callable(p.meta.choices) else p.meta.choices,
                "effect": p.meta.effect.value,
            }
            for p in parameters(view.Params)
        ],
    }


def _network(entry: Entry) -> dict[str, Any]:
    return {
        "name": entry.name,
        "title": entry.title,
        "task": entry.task,
        "family": entry.family,
        "summary": entry.summary,
        "state": entry.state,
        "parameters": entry.parameters,
        "weights": [
            {
                "name": option.name,
                "title": option.title,
                "state": option.state,
                "megabytes": round(option.megabytes, 1),
                "metrics": dict(option.metrics),
                "classes": option.categories,
            }
            for option in entry.weights
        ],
    }
