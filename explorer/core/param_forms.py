"""A parameter's value as text (`--set`, copied settings) and as JSON (sessions, metadata).

Both ways back give an equal value; `params_text` and `params_json` do it for all of a view's.
"""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.params import Kind, Parameter, parameters, validated
from explorer.core.reading import read_file
from explorer.core.values import Box, FolderRef, ImageRef, Mask, NetworkRef, Point

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

PNG_TEXT = "png:"
"""Before the base64 of a mask in text; anything else is the path of its file."""

FLAGS = ("difficult", "crowd")
"""Before the corners of a box in text; behind them they could be part of the label."""

MOST_MASK_BYTES = 1 << 26

WANTED: dict[Kind, str] = {
    Kind.SWITCH: "true or false",
    Kind.WHOLE: "a whole number",
    Kind.NUMBER: "a number",
    Kind.WORD: "text",
    Kind.WORDS: "words separated by commas",
    Kind.POINT: "x,y",
    Kind.POINTS: "points x,y separated by semicolons",
    Kind.BOX: "x0,y0,x1,y1",
    Kind.BOXES: "boxes [difficult ][crowd ]x0,y0,x1,y1[,label] separated by semicolons",
    Kind.MASK: "the path of an indexed PNG",
    Kind.IMAGE: "the path of a photo or the name of a sample",
    Kind.NETWORK: "the name of a network: name[@weights]",
    Kind.NETWORKS: "networks name[@weights] separated by semicolons",
    Kind.FOLDER: "the path of a folder",
    Kind.ROWS: 'a JSON list of rows, as [{"name": value, …}, …]',
}
"""By kind: what its text must be."""
assert set(WANTED) == set(Kind)

_SWITCH = {
    "true": True, "1": True, "yes": True, "on": True,
    "false": False, "0": False, "no": False, "off": False,
}  # fmt: skip


# -- text -----------------------------------------------------------------------------------------


def parse(parameter: Parameter, text: str, info: NetworkInfo | None = None) -> Any:
    """The value that `text` stands for.

    Raises:
        ExplorerError: When it is not valid; the sentence names what is.
    """
    if parameter.optional and text.strip().lower() in ("none", ""):
        return None
    try:
        value = _parsed(parameter, text)
    except (KeyError, ValueError, TypeError) as error:
        raise ExplorerError(
            f"{parameter.name}={text} is not valid.", f"It takes {WANTED[parameter.kind]}."
        ) from error
    return validated(parameter, value, info)


def _parsed(parameter: Parameter, text: str) -> Any:
    match parameter.kind:
        case Kind.SWITCH:
            return _SWITCH[text.strip().lower()]
        case Kind.WORDS:
            return tuple(word.strip() for word in text.split(",") if word.strip())
        case Kind.POINT:
            return _point(text)
        case Kind.POINTS:
            return tuple(_point(part) for part in _parts(text))
        case Kind.BOX:
            return _box(text)
        case Kind.BOXES:
            return tuple(_box(part) for part in _parts(text))
        case Kind.MASK:
            return _mask(text)
        case Kind.NETWORK:
            return _network(text)
        case Kind.NETWORKS:
            return tuple(_network(part) for part in _parts(text))
        case Kind.ROWS:
            return value_of(parameter, json.loads(text or "[]"))
        case _:
            return parameter.type(text)


def text_of(parameter: Parameter, value: Any) -> str:
    """What `parse` makes `value` of again."""
    match value:
        case None:
            return "none"
        case bool():
            return str(value).lower()
        case Point(x, y):
            return f"{x!r},{y!r}"
        case Box():
            sides = ",".join(repr(side) for side in (value.x0, value.y0, value.x1, value.y1))
            words = f"{sides},{value.label}" if value.label else sides
            return " ".join([*(flag for flag in FLAGS if getattr(value, flag)), words])
        case Mask(png):
            return PNG_TEXT + base64.b64encode(png).decode("ascii")
        case ImageRef(source):
            return source
        case NetworkRef(name, weights):
            return f"{name}@{weights}" if weights else name
        case FolderRef(path):
            return path
        case tuple() if parameter.kind is Kind.ROWS:
            return json.dumps([_changed(row) for row in value], ensure_ascii=False)
        case tuple():
            between = "," if parameter.kind is Kind.WORDS else ";"
            return between.join(text_of(parameter, entry) for entry in value)
        case _:
            return str(value)


def _changed(row: Any) -> dict[str, Any]:
    """The values of a row that are not its defaults."""
    values = {p: getattr(row, p.name) for p in parameters(type(row))}
    return {p.name: json_of(p, value) for p, value in values.items() if value != p.default}


def params_text(params: Any) -> tuple[str, ...]:
    """``name=value`` of every parameter that is not at its default, for `--set`."""
    return tuple(
        f"{p.name}={text_of(p, getattr(params, p.name))}"
        for p in parameters(type(params))
        if getattr(params, p.name) != p.default
    )


def _parts(text: str) -> list[str]:
    return [part.strip() for part in text.split(";") if part.strip()]


def _point(text: str) -> Point:
    x, y = text.split(",")
    return Point(float(x), float(y))


def _box(text: str) -> Box:
    rest, flags = text.strip(), dict.fromkeys(FLAGS, False)
    for flag in FLAGS:
        flags[flag] = rest.startswith(f"{flag} ")
        rest = rest.removeprefix(f"{flag} ").lstrip()
    x0, y0, x1, y1, *label = (part.strip() for part in rest.split(",", 4))
    return Box(float(x0), float(y0), float(x1), float(y1), "".join(label), **flags)


def _network(text: str) -> NetworkRef:
    name, _, weights = text.strip().partition("@")
    return NetworkRef(name, weights)


def _mask(text: str) -> Mask:
    if text.startswith(PNG_TEXT):
        return _mask_of(text.removeprefix(PNG_TEXT))
    return read_mask(text)


def read_mask(path: str) -> Mask:
    """The mask in a file: an indexed PNG, or any gray picture.

    Raises:
        ExplorerError: It cannot be read or is no mask.
    """
    content = read_file(
        path, limit=MOST_MASK_BYTES, kind="an indexed PNG", smaller="Give a smaller mask."
    )
    try:
        return Mask.read(content)
    except ValueError as error:
        raise ExplorerError(f"{path} is not a mask: {error}.", "Give an indexed PNG.") from error


def _mask_of(words: str) -> Mask:
    try:
        mask = Mask(base64.b64decode(words, validate=True))
    except binascii.Error as error:
        raise ValueError("not base64") from error
    mask.index()  # a damaged file fails here and not where it is drawn
    return mask


# -- JSON -----------------------------------------------------------------------------------------


def json_of(parameter: Parameter, value: Any) -> Any:
    """`value` in what JSON has; `value_of` takes it back."""
    match value:
        case Point():
            return asdict(value)
        case Box():
            return {k: v for k, v in asdict(value).items() if v or k not in FLAGS}
        case Mask(png):
            return {"png": base64.b64encode(png).decode("ascii")}
        case ImageRef(source):
            return {"image": source}
        case NetworkRef(name, weights):
            return {"network": name, "weights": weights}
        case FolderRef(path):
            return {"folder": path}
        case tuple() if parameter.kind is Kind.ROWS:
            return [params_json(row) for row in value]
        case tuple():
            return [json_of(parameter, entry) for entry in value]
        case _:
            return value


def params_json(params: Any) -> dict[str, Any]:
    """All parameters by name, as JSON values."""
    return {p.name: json_of(p, getattr(params, p.name)) for p in parameters(type(params))}


def value_of(parameter: Parameter, plain: Any) -> Any:
    """The value that a JSON value of `json_of` stands for.

    Raises:
        TypeError, ValueError, KeyError: When it is none of this parameter's.
    """
    if plain is None:
        if not parameter.optional:
            raise TypeError("expected a value")
        return None
    if parameter.type is tuple:
        if not isinstance(plain, list):
            raise TypeError("expected a list")
        return tuple(_entry(parameter, entry) for entry in plain)
    return _single(parameter.kind, plain)


def _entry(parameter: Parameter, plain: Any) -> Any:
    if parameter.kind is not Kind.ROWS:
        return _single(_KIND_OF_ENTRY[parameter.kind], plain)
    assert parameter.item is not None
    if not isinstance(plain, dict):
        raise TypeError("expected an object with the row's values")
    known = {entry.name: entry for entry in parameters(parameter.item)}
    for name in plain:
        if name not in known:
            raise ExplorerError(
                f"A row of {parameter.name} has no {name!r}.",
                f"Choose among: {', '.join(known)}.",
            )
    values = {name: value_of(known[name], value) for name, value in plain.items()}
    return replace(parameter.item(), **values)


_KIND_OF_ENTRY = {
    Kind.WORDS: Kind.WORD,
    Kind.POINTS: Kind.POINT,
    Kind.BOXES: Kind.BOX,
    Kind.NETWORKS: Kind.NETWORK,
}


def _single(kind: Kind, plain: Any) -> Any:
    match kind:
        case Kind.POINT:
            return Point(float(plain["x"]), float(plain["y"]))
        case Kind.BOX:
            x0, y0, x1, y1 = (float(plain[side]) for side in ("x0", "y0", "x1", "y1"))
            flags = {flag: bool(plain.get(flag, False)) for flag in FLAGS}
            return Box(x0, y0, x1, y1, str(plain.get("label", "")), **flags)
        case Kind.MASK:
            return _mask_of(str(plain["png"]))
        case Kind.IMAGE:
            return ImageRef(str(plain["image"]))
        case Kind.NETWORK:
            return NetworkRef(str(plain["network"]), str(plain.get("weights", "")))
        case Kind.FOLDER:
            return FolderRef(str(plain["folder"]))
        case Kind.NUMBER if isinstance(plain, int) and not isinstance(plain, bool):
            return float(plain)
    wanted = {Kind.SWITCH: bool, Kind.WHOLE: int, Kind.NUMBER: float, Kind.WORD: str}[kind]
    if type(plain) is not wanted:
        raise TypeError(f"expected {wanted.__name__}, got {type(plain).__name__}")
    return plain
