"""From words or values to the parameters and the network of a question.

The command line and the Python door ask in the same words and are refused in the same sentences.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.listing import either, listed
from explorer.core.param_forms import WANTED, parse
from explorer.core.params import Kind, inside, parameters, validated
from explorer.core.values import Box, Mask, Point
from explorer.engine.former_words import in_todays_words

if TYPE_CHECKING:
    from collections.abc import Iterable

    from explorer.core.network_info import NetworkInfo
    from explorer.core.params import Parameter
    from explorer.engine.view import View


def check_names(view: View[Any, Any], names: Iterable[str]) -> None:
    """Raises when the view has no parameter of one of those names; the sentence lists its own."""
    known = [parameter.name for parameter in parameters(view.Params)]
    for name in names:
        if name not in known:
            raise ExplorerError(
                f"The view {view.name} has no parameter {name!r}.",
                f"Choose among: {', '.join(known)}." if known else "It has none.",
            )


def params_of(
    view: View[Any, Any], values: Mapping[str, Any], info: NetworkInfo | None = None
) -> Any:
    """The view's `Params` with these values, each as Python has it or as the command line's word.

    Args:
        view: Whose parameters they are.
        values: By the parameters' names; the others keep their defaults.
        info: The network; None leaves words that depend on it unchecked.

    Raises:
        ExplorerError: A wrong name or value; the sentence says what is valid.
    """
    values = in_todays_words(view.name, values)
    check_names(view, values)
    known = {parameter.name: parameter for parameter in parameters(view.Params)}
    return view.Params(**{name: taken(known[name], v, info) for name, v in values.items()})


def taken(parameter: Parameter, value: Any, info: NetworkInfo | None = None) -> Any:
    """`value` as the parameter holds it.

    Numbers of numpy, lists, (x, y), (x0, y0, x1, y1) and index maps are converted; a text is what
    it is on the command line.

    Raises:
        ExplorerError: It is of another kind, out of range or not among the choices.
    """
    if isinstance(value, str) and parameter.kind is not Kind.WORD:
        return parse(parameter, value, info)
    if value is None and parameter.optional:
        return None
    try:
        found = _converted(parameter, value)
    except (TypeError, ValueError) as error:
        raise ExplorerError(
            f"{parameter.name}={value!r} is not valid.", f"It takes {_wanted(parameter)}."
        ) from error
    return validated(parameter, found, info)


def _converted(parameter: Parameter, value: Any) -> Any:
    if parameter.kind is Kind.ROWS:
        assert parameter.item is not None
        return tuple(_row(parameter.item, row) for row in value)
    if parameter.type is tuple:
        if isinstance(value, str) or not isinstance(value, (Sequence, np.ndarray)):
            raise TypeError("expected a list")
        assert parameter.item is not None
        return tuple(_single(parameter.item, entry) for entry in value)
    return _single(parameter.type, value)


def _row(kind: type, value: Any) -> Any:
    """A row of a list from itself or from a mapping of its values."""
    if isinstance(value, kind):
        return value
    if not isinstance(value, Mapping):
        raise TypeError(f"{value!r} is no {kind.__name__}")
    known = {parameter.name: parameter for parameter in parameters(kind)}
    wrong = [name for name in value if name not in known]
    if wrong:
        raise ExplorerError(f"A row has no {wrong[0]!r}.", f"Choose among: {', '.join(known)}.")
    return replace(kind(), **{name: taken(known[name], each) for name, each in value.items()})


def _single(kind: type, value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if type(value) is kind:
        return value
    if kind is float and type(value) is int:
        return float(value)
    if kind is Point:
        x, y = value
        return Point(float(x), float(y))
    if kind is Box:
        x0, y0, x1, y1, *named = value
        label = str(named[0]) if named else ""
        return Box(float(x0), float(y0), float(x1), float(y1), label, *map(bool, named[1:]))
    if kind is Mask:
        return Mask.of(np.asarray(value))
    if isinstance(value, str) and kind not in (bool, int, float):
        return kind(value)
    raise TypeError(f"{value!r} is no {kind.__name__}")


def takes(parameter: Parameter) -> str:
    """What a parameter may be, in a few words: "1 to 50", "x,y", "red, green"."""
    meta = parameter.meta
    if callable(meta.choices):
        return "depends on the network"
    if meta.choices and parameter.kind is not Kind.MASK:
        return listed(meta.choices)
    if meta.low is not None and meta.high is not None:
        return f"{meta.low:g} to {meta.high:g}"
    return WANTED[parameter.kind]


def _wanted(parameter: Parameter) -> str:
    """As `takes`, with what kind of numbers."""
    words, kind = takes(parameter), WANTED[parameter.kind]
    return words if words == kind or parameter.meta.choices else f"{kind}, {words}"


def without_effect(params: Any, names: Iterable[str], info: NetworkInfo | None) -> list[str]:
    """A sentence for every parameter that was set and does not matter with the others."""
    about = f" and {info.title}" if info is not None else ""
    return [
        f"{p.name} has no effect with the other settings{about}."
        for p in parameters(type(params))
        if p.name in names and not p.applies(params, info)
    ]


def placed_inside(params: Any, width: int, height: int) -> tuple[Any, list[str]]:
    """The parameters with every picked place in a picture of that size, and what was done for it.

    Args:
        params: Of a view.
        width: Of the photo or of the film's frames, in pixels.
        height: Likewise.
    """
    found = inside(params, width, height)
    words = []
    for parameter in parameters(type(params)):
        before, after = (getattr(values, parameter.name) for values in (params, found))
        if before != after:
            done = "ignored" if after is None else "moved inside"
            where = f"lies outside the {width} x {height} pixels"
            if isinstance(before, Mask):
                where = f"has {before.width} x {before.height} pixels and not {width} x {height}"
            words.append(f"{parameter.name} {where} and is {done}.")
    return found, words


def default_network(view: View[Any, Any]) -> str:
    """The name of a network that goes with the view and whose weights are here.

    Raises:
        ExplorerError: There is none.
    """
    from explorer.networks import catalog

    if view.begins_with and catalog.find(view.begins_with).at_hand is not None:
        return view.begins_with
    tasks: list[Any] = [view.best] if view.best else sorted(view.tasks) or ["classification"]
    defaults = [catalog.default_for(task) for task in tasks]
    entry = next((entry for entry in defaults if entry is not None), None)
    if entry is None:
        raise ExplorerError(
            f"No network for {either(tasks)} is available.",
            "Choose another one; `explorer list` names them all.",
        )
    return entry.name


def check_suits(view: View[Any, Any], info: NetworkInfo) -> None:
    """Raises when the view does not support networks of that task."""
    if not view.suits(info.task):
        raise ExplorerError(
            f"{view.title} needs a network for {either(sorted(view.tasks))}; "
            f"{info.title} is for {info.task}.",
            "Choose another network.",
        )
