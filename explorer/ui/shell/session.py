"""Between the window's state and the plain values of a session file."""

from __future__ import annotations

import base64
import binascii
import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QByteArray

from explorer.core.errors import ExplorerError
from explorer.core.params import Box, Parameter, Pick, Point, parameters, validated

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkSpec
    from explorer.core.settings import NetworkChoice
    from explorer.engine.view import View

log = logging.getLogger(__name__)


def packed(params: Any) -> dict[str, Any]:
    """The parameters that differ from their defaults, as JSON values.

    Without the ground truth: it is the photo's, not the view's.
    """
    return {
        parameter.name: _plain(getattr(params, parameter.name))
        for parameter in parameters(type(params))
        if getattr(params, parameter.name) != parameter.default
        and parameter.meta.pick is not Pick.TRUTH
    }


def unpacked(view: View[Any], values: Mapping[str, Any]) -> Any:
    """Parameters of `view` from whatever in `values` fits; the rest keeps its default."""
    params = view.Params()
    for parameter in parameters(view.Params):
        if parameter.name not in values or parameter.meta.pick is Pick.TRUTH:
            continue
        try:
            value = _typed(parameter, values[parameter.name])
            params = replace(params, **{parameter.name: validated(parameter, value)})
        except (ExplorerError, ValueError, TypeError, KeyError) as error:
            log.warning("%s.%s of the session was dropped: %s", view.name, parameter.name, error)
    return params


def encoded(data: QByteArray) -> str:
    return base64.b64encode(data.data()).decode("ascii")


def decoded(text: str) -> QByteArray:
    """The bytes of `encoded`; empty when the text was damaged."""
    try:
        return QByteArray(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError):
        log.warning("the layout of the session was damaged")
        return QByteArray()


def chosen(spec: NetworkSpec | None) -> NetworkChoice:
    from explorer.core.settings import NetworkChoice

    if spec is None:
        return NetworkChoice()
    return NetworkChoice(spec.name, spec.weights, spec.device, spec.half)


def json_safe(value: Any) -> Any:
    """`value` with tuples as lists; what JSON cannot hold becomes None."""
    if isinstance(value, Mapping):
        return {str(key): json_safe(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_safe(entry) for entry in value]
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return value if value == value and abs(value) != float("inf") else None
    return None


def _plain(value: Any) -> Any:
    match value:
        case Point(x, y):
            return {"point": [x, y]}
        case Box(x0, y0, x1, y1):
            return {"box": [x0, y0, x1, y1]}
        case tuple():
            return list(value)
        case _:
            return value


def _typed(parameter: Parameter, value: Any) -> Any:
    if value is None:
        if not parameter.optional:
            raise TypeError("a value is wanted")
        return None
    if parameter.type is Point:
        return Point(*(float(part) for part in value["point"]))
    if parameter.type is Box:
        x0, y0, x1, y1 = (float(part) for part in value["box"])
        return Box(x0, y0, x1, y1)
    if parameter.type is tuple:
        if not (isinstance(value, list) and all(isinstance(word, str) for word in value)):
            raise TypeError("a list of words is wanted")
        return tuple(value)
    if parameter.type is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if type(value) is not parameter.type:
        raise TypeError(f"{parameter.type.__name__} is wanted, not {type(value).__name__}")
    return value
