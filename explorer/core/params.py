"""The parameters of a view: a frozen dataclass whose fields are declared by `param`.

One declaration gives the form, the command line's `--set`, the keyword arguments of the Python door
and what sessions and exports keep (`explorer.core.param_forms`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import MISSING, dataclass, field, fields, is_dataclass, replace
from enum import Enum
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, TypeVar, Union, get_args, get_origin, get_type_hints

from explorer.core.errors import ExplorerError
from explorer.core.listing import listed
from explorer.core.values import Box, FolderRef, ImageRef, Mask, NetworkRef, Point

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

T = TypeVar("T")
AnyType = type
"""For classes with a field that is called `type`."""


class Effect(Enum):
    """What changing a parameter asks for."""

    COMPUTE = "compute"  # the computation starts again
    DRAW = "draw"  # only `draw` runs again, on the result that is there
    STEER = "steer"  # a running computation takes the new value at its next step


class Kind(Enum):
    """What a parameter holds. Every kind has an editor, a text form and a JSON form."""

    SWITCH = "switch"  # bool
    WHOLE = "whole number"  # int
    NUMBER = "number"  # float
    WORD = "word"  # str: one of `choices`, or any text
    WORDS = "words"  # tuple[str, ...]: any subset of `choices`, or any words
    POINT = "point"  # Point
    POINTS = "points"  # tuple[Point, ...], in their order
    BOX = "box"  # Box
    BOXES = "boxes"  # tuple[Box, ...]
    MASK = "mask"  # Mask
    IMAGE = "image"  # ImageRef
    NETWORK = "network"  # NetworkRef
    NETWORKS = "networks"  # tuple[NetworkRef, ...]
    FOLDER = "folder"  # FolderRef
    ROWS = "rows"  # tuple[Row, ...], where Row is itself a frozen dataclass of `param` fields


_PLAIN: dict[type, Kind] = {
    bool: Kind.SWITCH, int: Kind.WHOLE, float: Kind.NUMBER, str: Kind.WORD, Point: Kind.POINT,
    Box: Kind.BOX, Mask: Kind.MASK, ImageRef: Kind.IMAGE, NetworkRef: Kind.NETWORK,
    FolderRef: Kind.FOLDER,
}  # fmt: skip
_SEVERAL: dict[type, Kind] = {
    str: Kind.WORDS, Point: Kind.POINTS, Box: Kind.BOXES, NetworkRef: Kind.NETWORKS,
}  # fmt: skip
REFERENCES = frozenset({Kind.IMAGE, Kind.NETWORK, Kind.NETWORKS, Kind.FOLDER})
"""What the engine opens before the computation starts."""


class Pick(Enum):
    """How the canvas writes a parameter."""

    NONE = "none"
    CLICK = "click"  # Point | None
    HOVER = "hover"  # Point | None, follows the mouse; use it with Effect.DRAW
    DRAG = "drag"  # Box | None
    SELECT = "select"  # int | None: the key of the selected box of the layer named in `layer`
    COLLECT = "collect"  # tuple[str, ...]: a Ctrl+click adds such a key, or takes it away
    POINTS = "points"  # tuple[Point, ...]: every click adds one, every one can be dragged
    POLYGON = "polygon"  # the same, drawn as a closed line
    BRUSH = "brush"  # Mask | None, painted
    # The photo's ground truth, shared by all views that ask for it: tuple[Box, ...] for its boxes,
    # Mask | None for its mask, tuple[Point, ...] for its joints.
    TRUTH = "truth"


_PICKS: dict[Pick, frozenset[Kind]] = {
    Pick.NONE: frozenset(Kind),
    Pick.CLICK: frozenset({Kind.POINT}),
    Pick.HOVER: frozenset({Kind.POINT}),
    Pick.DRAG: frozenset({Kind.BOX}),
    Pick.SELECT: frozenset({Kind.WHOLE}),
    Pick.COLLECT: frozenset({Kind.WORDS}),
    Pick.POINTS: frozenset({Kind.POINTS}),
    Pick.POLYGON: frozenset({Kind.POINTS}),
    Pick.BRUSH: frozenset({Kind.MASK}),
    Pick.TRUTH: frozenset({Kind.BOXES, Kind.MASK, Kind.POINTS}),
}
assert set(_PICKS) == set(Pick)

Choices = tuple[str, ...] | Callable[["NetworkInfo"], tuple[str, ...]]
When = Callable[[Any, "NetworkInfo | None"], bool]
"""``(params, info) -> bool``: does the parameter matter with these others and this network?"""

Suggested = Callable[["NetworkInfo | None"], float]
"""``(info) -> number``: what no number means with this network."""


@dataclass(frozen=True, slots=True)
class Meta:
    """What a form needs to know about a parameter beyond its type and default; see `param`."""

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
    section: str = ""
    when: When | None = None
    tasks: frozenset[str] = frozenset()
    most: int | None = None
    suggested: Suggested | None = None
    kept: bool = True

    def options(self, info: NetworkInfo | None) -> tuple[str, ...]:
        """The valid words for this parameter with this network; empty when any word will do."""
        if self.choices is None:
            return ()
        if isinstance(self.choices, tuple):
            return self.choices
        return self.choices(info) if info is not None else ()


def param(
    default: T,
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
    section: str = "",
    when: When | None = None,
    tasks: frozenset[str] = frozenset(),
    most: int | None = None,
    suggested: Suggested | None = None,
    kept: bool = True,
) -> T:
    """A field of a view's frozen `Params` dataclass, or of one of its rows.

    Types: see `Kind`; `| None` where there may be none. The default must have the field's type,
    which mypy checks. An empty default of a word with `choices`, or one that the network lacks,
    means its first choice; an empty subset means all.

    Args:
        default: The value at the start.
        title: A few words, the label in the form.
        help: One or two sentences: what it means and how it changes the result.
        effect: What a change asks for.
        low: Smallest value (numbers).
        high: Largest value (numbers).
        step: Slider step.
        unit: Shown behind the number.
        log: The slider is logarithmic, on both sides of zero where `low` is negative.
        choices: The valid words, or a function of the network that gives them; the labels of a
            mask: the k-th paints index k + 1.
        pick: How the canvas writes it; `pane` names the pane it is taken in ("" = panes of the
            image frame), `layer` the Boxes layer of a selection.
        pane: See `pick`.
        layer: See `pick`.
        advanced: Folded away at first.
        play: The form has a button beside the slider that moves it on by itself, step by step.
        section: The heading that it stands under in the form, with those before and after it that
            have the same one.
        when: ``(params, info) -> bool``: the form shows it only then. `info` is None as long as no
            network is loaded. What is not shown must have no effect on the result.
        tasks: What a chosen network must do; empty = anything.
        most: The largest number of entries of a tuple.
        suggested: Of an optional number: what None stands for with this network. The form shows
            that number, and the user replaces it.
        kept: False = it is a place within one answer, such as a step of it: another photo and
            another session begin with the default.
    """
    meta = Meta(
        title=title, help=help, effect=effect, low=low, high=high, step=step, unit=unit, log=log,
        choices=choices, pick=pick, pane=pane, layer=layer, advanced=advanced, play=play,
        section=section, when=when, tasks=tasks, most=most, suggested=suggested,
        kept=kept,
    )  # fmt: skip
    # What the dataclass sees is a Field; what a reader and mypy see is the type of the default.
    return field(default=default, metadata={"meta": meta})


@dataclass(frozen=True, slots=True)
class Parameter:
    """One field of a Params class, as forms, the command line and tests see it.

    `type` is the plain type without None: bool, int, float, str, tuple or a class of
    `explorer.core.values`; `item` the type of a tuple's entries.
    """

    name: str
    type: type
    optional: bool
    default: Any
    meta: Meta
    kind: Kind
    item: AnyType | None = None

    def applies(self, params: Any, info: NetworkInfo | None) -> bool:
        """Whether it matters with these other parameters and this network."""
        return self.meta.when is None or self.meta.when(params, info)


def parameters(params_type: type) -> tuple[Parameter, ...]:
    """The fields of a view's Params class, in their order; read once: live needs them every frame.

    Raises:
        TypeError: When a field has a type that no form can show, or is not declared by `param`.
    """
    if params_type not in _known:
        _known[params_type] = _read(params_type)
    return _known[params_type]


_known: dict[type, tuple[Parameter, ...]] = {}


def _read(params_type: type) -> tuple[Parameter, ...]:
    hints = get_type_hints(params_type)
    found = []
    for entry in fields(params_type):
        name, hint = f"{params_type.__qualname__}.{entry.name}", hints[entry.name]
        optional = get_origin(hint) in (Union, UnionType) and NoneType in get_args(hint)
        if optional:
            (hint,) = (arg for arg in get_args(hint) if arg is not NoneType)
        kind, item = _kind_of(hint)
        if kind is None:
            raise TypeError(f"{name} has type {hint}, which no form can show")
        if entry.default is MISSING or "meta" not in entry.metadata:
            raise TypeError(f"{name} must be declared with param(...)")
        meta: Meta = entry.metadata["meta"]
        if kind not in _PICKS[meta.pick]:
            raise TypeError(f"{name} has type {hint}, which Pick.{meta.pick.name} does not write")
        if kind in REFERENCES and meta.effect is not Effect.COMPUTE:
            raise TypeError(f"{name} is opened before the computation: its effect is COMPUTE")
        plain = get_origin(hint) or hint
        found.append(Parameter(entry.name, plain, optional, entry.default, meta, kind, item))
    return tuple(found)


def _kind_of(hint: Any) -> tuple[Kind | None, type | None]:
    """The kind that an annotation stands for, and the type of a tuple's entries."""
    if get_origin(hint) is not tuple:
        return _PLAIN.get(hint), None
    item, *rest = get_args(hint)
    if rest != [...]:
        return None, None
    if is_dataclass(item) and item not in _SEVERAL and isinstance(item, type):
        parameters(item)  # its own errors are raised as its own
        return Kind.ROWS, item
    return _SEVERAL.get(item), item


def validated(parameter: Parameter, value: Any, info: NetworkInfo | None = None) -> Any:
    """`value` itself when the parameter may take it.

    Raises:
        ExplorerError: When it is out of range, not among the choices or has too many entries.
    """
    name, meta = parameter.name, parameter.meta
    if (
        parameter.kind in (Kind.WHOLE, Kind.NUMBER)
        and value is not None
        and meta.low is not None
        and meta.high is not None
        and not meta.low <= value <= meta.high
    ):
        raise ExplorerError(
            f"{name}={value} is out of range.", f"It takes {meta.low:g} to {meta.high:g}."
        )
    if meta.most is not None and isinstance(value, tuple) and len(value) > meta.most:
        raise ExplorerError(f"{name} has {len(value)} entries.", f"It takes {meta.most} at most.")
    if parameter.kind is Kind.ROWS and parameter.item is not None:
        for row in value or ():
            for entry in parameters(parameter.item):
                validated(entry, getattr(row, entry.name), info)
    if (
        parameter.kind in (Kind.WORD, Kind.WORDS)
        and meta.choices is not None
        and (info is not None or isinstance(meta.choices, tuple))
    ):
        valid = meta.options(info)
        words = value if isinstance(value, tuple) else (value,) if value else ()
        for word in words:
            if word not in valid:
                raise ExplorerError(
                    f"{name} has no choice {word!r}.", f"Choose among: {_listed(valid)}."
                )
    return value


def _listed(words: Sequence[str], most: int = 24) -> str:
    shown = listed(words[:most])
    return shown if len(words) <= most else f"{shown}, … ({len(words)} in all)"


def resolved(params: Any, info: NetworkInfo | None) -> Any:
    """`params` with every choice that this network lacks replaced by the network's first one.

    Switching the network must not break a view: a layer name of the old one falls back. Without a
    network nothing is replaced.
    """
    if info is None:
        return params
    changes: dict[str, Any] = {}
    for parameter in parameters(type(params)):
        value = getattr(params, parameter.name)
        if parameter.kind is Kind.ROWS:
            rows = tuple(resolved(row, info) for row in value)
            if rows != value:
                changes[parameter.name] = rows
        if parameter.meta.choices is None:
            continue
        valid = parameter.meta.options(info)
        if parameter.kind is Kind.WORD and value not in valid and valid:
            changes[parameter.name] = parameter.default if parameter.default in valid else valid[0]
        elif parameter.kind is Kind.WORDS and any(word not in valid for word in value):
            changes[parameter.name] = tuple(word for word in value if word in valid)
    return replace(params, **changes) if changes else params


def inside(params: Any, width: int, height: int) -> Any:
    """`params` with every place that was picked moved into a photo of `width` x `height` pixels.

    Another photo must not leave a click where nothing is. A box that lies outside becomes None, and
    so does a mask of another size.
    """
    changes: dict[str, Any] = {}
    for parameter in parameters(type(params)):
        value = near = getattr(params, parameter.name)
        match parameter.meta.pick, value:
            case Pick.CLICK, Point():
                near = _in(value, width, height)
            case ((Pick.POINTS | Pick.POLYGON), tuple()):
                near = tuple(_in(point, width, height) for point in value)
            case Pick.DRAG, Box():
                x0, x1 = (min(max(x, 0.0), float(width)) for x in (value.x0, value.x1))
                y0, y1 = (min(max(y, 0.0), float(height)) for y in (value.y0, value.y1))
                near = None
                if x0 < x1 and y0 < y1:
                    near = replace(value, x0=x0, y0=y0, x1=x1, y1=y1)
            case Pick.BRUSH, Mask():
                near = value if (value.width, value.height) == (width, height) else None
            case _:
                pass
        if near != value:
            changes[parameter.name] = near
    return replace(params, **changes) if changes else params


def begun(params: Any) -> Any:
    """`params` with every place within one answer at its default; see `kept` of `param`."""
    changes = {
        parameter.name: parameter.default
        for parameter in parameters(type(params))
        if not parameter.meta.kept and getattr(params, parameter.name) != parameter.default
    }
    return replace(params, **changes) if changes else params


def _in(point: Point, width: int, height: int) -> Point:
    # The middle of the last pixel: the photo's own edge belongs to no pixel any more.
    x, y = min(max(point.x, 0.0), width - 0.5), min(max(point.y, 0.0), height - 0.5)
    return point if (x, y) == (point.x, point.y) else Point(x, y)


def references(
    params: Any, info: NetworkInfo | None
) -> Iterator[tuple[Parameter, ImageRef | NetworkRef | FolderRef]]:
    """Every photo, network and folder that `params` name, those of their rows too.

    Parameters that do not apply name nothing.
    """
    for parameter in parameters(type(params)):
        value = getattr(params, parameter.name)
        if not parameter.applies(params, info):
            continue
        if parameter.kind is Kind.ROWS:
            for row in value:
                yield from references(row, info)
        elif parameter.kind in REFERENCES and value is not None:
            several = value if isinstance(value, tuple) else (value,)
            yield from ((parameter, ref) for ref in several)


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


__all__ = [
    "Box",
    "Choices",
    "Effect",
    "FolderRef",
    "ImageRef",
    "Kind",
    "Mask",
    "Meta",
    "NetworkRef",
    "Parameter",
    "Pick",
    "Point",
    "begun",
    "effect_of",
    "inside",
    "param",
    "parameters",
    "references",
    "resolved",
    "validated",
]
