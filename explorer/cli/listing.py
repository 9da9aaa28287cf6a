"""`explorer list`: the views with their parameters, and the networks with their states."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from explorer.cli.console import say, table

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from explorer.core.params import Parameter
    from explorer.core.unavailable import Unavailable
    from explorer.engine.view import View
    from explorer.networks.entry import Entry

_WEIGHTS = {
    "shipped": "ships with the program",
    "cached": "downloaded",
    "download": "to download",
    "missing": "package not installed",
    "local": "a file",
    "untrained": "UNTRAINED",
}


def add_parser(subparsers: Any) -> argparse.ArgumentParser:
    """Add the sub-command to those of the program."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "list",
        help="views with their parameters, networks with their states",
        description="List the views with their parameters and choices, and the networks with the "
        "states of their weights.",
    )
    parser.add_argument("what", nargs="?", choices=("views", "networks"), help="list only these")
    parser.add_argument(
        "--explain",
        metavar="VIEW",
        help="print the explanation of a view instead: how to read it, its formulas and sources",
    )
    parser.add_argument(
        "--messages",
        action="store_true",
        help="list every text of the program with file and line, for reviewers",
    )
    parser.add_argument("--json", action="store_true", help="JSON output")
    return parser


def run(args: argparse.Namespace) -> int:
    """List; always 0."""
    if args.explain is not None:
        return _explained(args.explain, args.json)
    if args.messages:
        return _messages(args.json)
    views, broken_views = _views() if args.what != "networks" else (None, ())
    networks, broken_networks = _networks() if args.what != "views" else (None, ())
    unavailable = (*broken_views, *broken_networks)
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
        rows = [("name", "task", "weights", "title"), *map(_network_row, networks)]
        parts += ["Networks", table(rows)]
    if unavailable:
        reasons = [(entry.name, entry.origin, entry.reason) for entry in unavailable]
        parts += ["Unavailable", table([("name", "from", "reason"), *reasons])]
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


def _view_text(view: View[Any, Any]) -> str:
    from explorer.core.params import parameters

    rows = [(_takes(p), p.meta.title + _unit(p)) for p in parameters(view.Params)]
    tasks = f" (networks for {' or '.join(sorted(view.tasks))})" if view.tasks else ""
    return f"  {view.name}: {view.summary}{tasks}\n{table(rows, indent=6)}".rstrip()


def _takes(parameter: Parameter) -> str:
    """name=default, with the values it may take."""
    from explorer.engine.question import takes

    meta, default = parameter.meta, parameter.default
    if isinstance(default, tuple):
        shown = ",".join(map(str, default)) or "all"
    elif isinstance(default, bool):
        shown = str(default).lower()
    else:
        shown = "none" if default is None else str(default)
    words = takes(parameter) if parameter.type not in (bool, str) or meta.choices else ""
    return f"{parameter.name}={shown} ({words})" if words else f"{parameter.name}={shown}"


def _unit(parameter: Parameter) -> str:
    return f" [{parameter.meta.unit}]" if parameter.meta.unit else ""


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
