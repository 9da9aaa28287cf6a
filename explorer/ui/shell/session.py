"""Between the window's state and the plain values of a session file."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.param_forms import json_of, value_of
from explorer.core.params import Pick, parameters, validated
from explorer.engine.former_words import in_todays_words

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkSpec
    from explorer.core.params import Parameter
    from explorer.core.settings import NetworkChoice
    from explorer.engine.view import View

log = logging.getLogger(__name__)


def packed(params: Any) -> dict[str, Any]:
    """The parameters that differ from their defaults, as JSON values.

    Without the ground truth, which is the photo's, and without places within one answer.
    """
    return {
        parameter.name: json_of(parameter, getattr(params, parameter.name))
        for parameter in parameters(type(params))
        if getattr(params, parameter.name) != parameter.default and _kept(parameter)
    }


def _kept(parameter: Parameter) -> bool:
    return parameter.meta.kept and parameter.meta.pick is not Pick.TRUTH


def unpacked(view: View[Any, Any], values: Mapping[str, Any]) -> Any:
    """Parameters of `view` from whatever in `values` fits; the rest keeps its default."""
    params, values = view.Params(), in_todays_words(view.name, values)
    for parameter in parameters(view.Params):
        if parameter.name not in values or not _kept(parameter):
            continue
        try:
            value = value_of(parameter, values[parameter.name])
            params = replace(params, **{parameter.name: validated(parameter, value)})
        except (ExplorerError, ValueError, TypeError, KeyError) as error:
            log.warning("%s.%s of the session was dropped: %s", view.name, parameter.name, error)
    return params


def chosen(spec: NetworkSpec | None) -> NetworkChoice:
    from explorer.core.settings import NetworkChoice

    if spec is None:
        return NetworkChoice()
    return NetworkChoice(spec.name, spec.weights, spec.device, spec.half, spec.classes)


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
