"""The parameters of a view: a frozen dataclass whose fields are declared by `param`.

One declaration gives the form, the command line's `--set`, the keyword arguments of the Python door
and what sessions and exports keep.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import MISSING, dataclass, field, fields, replace
from enum import Enum
from math import isfinite
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Union, get_args, get_origin, get_type_hints

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo


@dataclass(frozen=True, slots=True)
class Point:
    """A position in image pixels (x right, y down), written by a click or by hovering."""

    x: float
    y: float

    def __post_init__(self) -> None:
        if not (isfinite(self.x) and isfinite(self.y)):
            raise ValueError(f"a point needs finite coordinates, got {self}")


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle x0, y0, x1, y1 in image pixels with x0 <= x1 and y0 <= y1, written by a drag.

    `label` is the class of a ground-truth box ("" = nobody said).
    """

    x0: float
    y0: float
    x1: float
    y1: float
    label: str = ""

    def __post_init__(self) -> None:
        finite = all(isfinite(side) for side in (self.x0, self.y0, self.x1, self.y1))
        if not (finite and self.x0 <= self.x1 and self.y0 <= self.y1):
            raise ValueError(f"a box needs finite x0 <= x1 and y0 <= y1, got {self}")


class Effect(Enum):
    """What changing a parameter asks for."""

    COMPUTE = "compute"  # the computation starts again
    DRAW = "draw"  # only `draw` runs again, on the result that is there
    STEER = "steer"  # a running computation takes the new value at its next step


class Pick(Enum):
    """How the canvas writes a parameter."""

    NONE = "none"
    CLICK = "click"  # Point | None
    HOVER = "hover"  # Point | None, follows the mouse; use it with Effect.DRAW
    DRAG = "drag"  # Box | None
    SELECT = "select"  # int | None: the key of the selected box of the layer named in `layer`
    TRUTH = (
        "truth"  # tuple[Box, ...]: the photo's ground truth, shared by all views that ask for it
    )


Choices = tuple[str, ...] | Callable[["NetworkInfo"], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Meta:
    """What a form needs to know about a parameter beyond its type and default."""

    title: str
    help: str
    effect: Effect = Effect.COMPUTE
    low: float | None = None
    high: float | None = None
    step: float | None = None
    unit: str = ""
    log: bool = False
    choices: Choices | None = None
    pick: Pick = Pick.NONE
    pane: str = ""
    layer: str = ""
    advanced: bool = False
    play: bool = False

    def options(self, info: NetworkInfo) -> tuple[str, ...]:
        """The valid words for this parameter with this network; empty when any word will do."""
        if self.choices is None:
            return ()
        return self.choices if isinstance(self.choices, tuple) else self.choices(info)


def param(
    default: Any,
    title: str,
    help: str,  # noqa: A002 - the field's own word in argparse and here
    *,
    effect: Effect = Effect.COMPUTE,
    low: float | None = None,
    high: float | None = None,
    step: float | None = None,
    unit: str = "",
    log: bool = False,
    choices: Choices | None = None,
    pick: Pick = Pick.NONE,
    pane: str = "",
    layer: str = "",
    advanced: bool = False,
    play: bool = False,
) -> Any:
    """A field of a view's frozen `Params` dataclass.

    Types: bool, int, float (with `low` and `high`), str (with `choices`, fixed or from the
    network: an empty default or one that the network lacks means its first choice), tuple[str,
    ...] (any subset of `choices`; empty = all), Point | None, Box | None and int | None for picks,
    tuple[Box, ...] for ground truth.

    Args:
        default: The value at the start.
        title: A few words, the label in the form.
        help: One or two sentences: what it means and what it does to the answer.
        effect: What a change asks for.
        low: Smallest value (numbers).
        high: Largest value (numbers).
        step: Slider step.
        unit: Shown behind the number.
        log: The slider is logarithmic.
        choices: The valid words, or a function of the network that gives them.
        pick: How the canvas writes it; `pane` names the pane it is taken in ("" = panes of the
            image frame), `layer` the Boxes layer of a selection.
        pane: See `pick`.
        layer: See `pick`.
        advanced: Folded away at first.
        play: The form has a button beside the slider that moves it on by itself, step by step.
    """
    meta = Meta(
        title, help, effect, low, high, step, unit, log, choices, pick, pane, layer, advanced, play
    )
    return field(default=default, metadata={"meta": meta})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a Params class, as forms, the command line and tests see it."""

    name: str
    type: type  # bool, int, float, str, tuple, Point or Box
    optional: bool
    default: Any
    meta: Meta


def parameters(params_type: type) -> tuple[Parameter, ...]:
    """The fields of a view's Params class, in their order; read once, for live asks every frame."""
    if params_type not in _known:
        _known[params_type] = _read(params_type)
    return _known[params_type]


_known: dict[type, tuple[Parameter, ...]] = {}


def _read(params_type: type) -> tuple[Parameter, ...]:
    hints = get_type_hints(params_type)
    found = []
    for entry in fields(params_type):
        hint = hints[entry.name]
        optional = get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
        if optional:
            (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
        plain = get_origin(hint) or hint
        if plain not in (bool, int, float, str, tuple, Point, Box):
            raise TypeError(
                f"{params_type.__qualname__}.{entry.name} has type {hint}, which no form can show"
            )
        if entry.default is MISSING or "meta" not in entry.metadata:
            raise TypeError(
                f"{params_type.__qualname__}.{entry.name} must be declared with param(...)"
            )
        found.append(Parameter(entry.name, plain, optional, entry.default, entry.metadata["meta"]))
    return tuple(found)


def parse(parameter: Parameter, text: str, info: NetworkInfo | None = None) -> Any:
    """The value that `text` stands for (command line, sessions).

    Raises:
        ExplorerError: When it is not valid; the sentence names what is.
    """
    name = parameter.name
    if parameter.optional and text.lower() in ("none", ""):
        return None
    try:
        if parameter.type is bool:
            value: Any = {
                "true": True,
                "1": True,
                "yes": True,
                "on": True,
                "false": False,
                "0": False,
                "no": False,
                "off": False,
            }[text.lower()]
        elif parameter.meta.pick is Pick.TRUTH:
            value = tuple(_box(part) for part in text.split(";") if part.strip())
        elif parameter.type is tuple:
            value = tuple(word.strip() for word in text.split(",") if word.strip())
        elif parameter.type is Box:
            value = _box(text)
        elif parameter.type is Point:
            value = Point(*(float(part) for part in text.split(",")))
        else:
            value = parameter.type(text)
    except (KeyError, ValueError, TypeError) as error:
        wanted = {
            bool: "true or false",
            int: "a whole number",
            float: "a number",
            Point: "x,y",
            Box: "x0,y0,x1,y1",
        }
        hint = wanted.get(parameter.type, "text")
        if parameter.meta.pick is Pick.TRUTH:
            hint = "boxes as x0,y0,x1,y1 or x0,y0,x1,y1,label with ; between them"
        raise ExplorerError(f"{name}={text} is not valid.", f"It takes {hint}.") from error
    return validated(parameter, value, info)


def _box(text: str) -> Box:
    x0, y0, x1, y1, *label = (part.strip() for part in text.split(",", 4))
    return Box(float(x0), float(y0), float(x1), float(y1), *label)


def validated(parameter: Parameter, value: Any, info: NetworkInfo | None = None) -> Any:
    """`value` itself when the parameter may take it.

    Raises:
        ExplorerError: When it is out of range or not among the choices.
    """
    name, meta = parameter.name, parameter.meta
    if (
        parameter.type in (int, float)
        and value is not None
        and meta.low is not None
        and meta.high is not None
        and not meta.low <= value <= meta.high
    ):
        raise ExplorerError(
            f"{name}={value} is out of range.", f"It takes {meta.low:g} to {meta.high:g}."
        )
    if (
        parameter.type in (str, tuple)
        and meta.pick is not Pick.TRUTH
        and meta.choices is not None
        and (info is not None or isinstance(meta.choices, tuple))
    ):
        valid = meta.choices if isinstance(meta.choices, tuple) else meta.choices(info)  # type: ignore[arg-type]
        words = value if isinstance(value, tuple) else (value,) if value else ()
        for word in words:
            if word not in valid:
                raise ExplorerError(
                    f"{name} has no choice {word!r}.", f"Choose among: {_listed(valid)}."
                )
    return value


def _listed(words: Sequence[str], most: int = 24) -> str:
    shown = ", ".join(words[:most])
    return shown if len(words) <= most else f"{shown}, … ({len(words)} in all)"


def resolved(params: Any, info: NetworkInfo) -> Any:
    """`params` with every choice that this network lacks replaced by the network's first one.

    Switching the network must not break a view: a layer name of the old one falls back.
    """
    changes: dict[str, Any] = {}
    for parameter in parameters(type(params)):
        if parameter.meta.choices is None:
            continue
        valid = parameter.meta.options(info)
        value = getattr(params, parameter.name)
        if parameter.type is str and value not in valid and valid:
            changes[parameter.name] = parameter.default if parameter.default in valid else valid[0]
        elif parameter.type is tuple and any(word not in valid for word in value):
            changes[parameter.name] = tuple(word for word in value if word in valid)
    return replace(params, **changes) if changes else params


def inside(params: Any, width: int, height: int) -> Any:
    """`params` with every place that was picked moved into a photo of `width` x `height` pixels.

    Another photo must not leave a click where nothing is. A box that lies outside becomes None.
    """
    changes: dict[str, Any] = {}
    for parameter in parameters(type(params)):
        value = near = getattr(params, parameter.name)
        if parameter.meta.pick is Pick.CLICK and isinstance(value, Point):
            # The middle of the last pixel: the photo's own edge belongs to no pixel any more.
            near = Point(min(max(value.x, 0.0), width - 0.5), min(max(value.y, 0.0), height - 0.5))
        elif parameter.meta.pick is Pick.DRAG and isinstance(value, Box):
            x0, x1 = (min(max(x, 0.0), float(width)) for x in (value.x0, value.x1))
            y0, y1 = (min(max(y, 0.0), float(height)) for y in (value.y0, value.y1))
            near = replace(value, x0=x0, y0=y0, x1=x1, y1=y1) if x0 < x1 and y0 < y1 else None
        if near != value:
            changes[parameter.name] = near
    return replace(params, **changes) if changes else params


def effect_of(before: Any, after: Any) -> Effect | None:
    """The strongest effect among the parameters that differ; None when none does."""
    changed = {
        p.meta.effect
        for p in parameters(type(after))
        if getattr(before, p.name) != getattr(after, p.name)
    }
    return next(
        (effect for effect in (Effect.COMPUTE, Effect.STEER, Effect.DRAW) if effect in changed),
        None,
    )
