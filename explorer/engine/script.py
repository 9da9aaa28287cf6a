"""A question as a Python script that asks it again: "Copy as Python" and `render --as-python`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from explorer.core.errors import ExplorerError
from explorer.core.network_info import GIVEN
from explorer.core.param_forms import text_of
from explorer.core.params import Kind, parameters
from explorer.core.values import Box, Point
from explorer.images.samples import name_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from explorer.core.network_info import NetworkSpec
    from explorer.core.params import Parameter
    from explorer.engine.view import View
    from explorer.images.image import Image

INDENT = "    "


def script(
    view: View[Any, Any],
    spec: NetworkSpec | None,
    photos: Sequence[tuple[Image | None, Any]],
    *,
    seed: int = 0,
    outs: Sequence[Sequence[str]] = (),
    steered: bool = False,
    classes: Sequence[str] = (),
) -> str:
    """Runs without the window and gives the very same numbers on the same computer.

    Args:
        view: What is asked.
        spec: Of which network; None for a view that needs none.
        photos: Each with the view's parameters for it; None for a view that needs none.
        seed: For random numbers.
        outs: For every photo the files that its answer is saved to.
        steered: Parameters were changed while it ran; a comment says what that means.
        classes: The names that the network's classes were given by hand.

    Raises:
        ExplorerError: A photo that is neither a file nor one of the gallery, or a module that no
            script can load.
    """
    lines = ["import explorer", ""]
    if steered:
        lines += [
            "# Parameters were changed while this ran: with the last ones from the start,",
            "# the result differs.",
        ]
    about: list[str] = []
    if spec is not None and (spec.weights or spec.half or not spec.name):
        lines.append(
            _call("network = explorer.load", _loading(spec, classes))
        )  # once for all the photos
        about = ["network=network"]
    elif spec is not None:
        about = [f"network={_quoted(spec.name)}"]
        about += [f"device={_quoted(spec.device)}"] if spec.device != "auto" else []
    if seed:
        about.append(f"seed={seed}")
    for number, (image, params) in enumerate(photos):
        words = [_quoted(view.name), *([photo_words(image)] if image is not None else []), *about]
        words += _changed(params)
        lines.append(_call("answer = explorer.look", words))
        saved = outs[number] if number < len(outs) else ()
        lines += [f"answer.save({_quoted(out)})" for out in saved]
        if not saved:
            lines.append("print(answer.summary)")
    return "\n".join(lines) + "\n"


def photo_words(image: Image) -> str:
    """The photo as an argument of `look`.

    Raises:
        ExplorerError: It is neither a file nor one of the gallery.
    """
    name = name_of(image)
    if name:
        return _quoted(name)
    if image.path is None:
        raise ExplorerError(
            f"{image.name} is not a file, so no script can open it.", "Save the photo first."
        )
    path = _quoted(str(Path(image.path).absolute()))
    return path if image.frame == 0 else f"explorer.photo({path}, frame={image.frame})"


def _loading(spec: NetworkSpec, classes: Sequence[str]) -> list[str]:
    if spec.weights == GIVEN:
        raise ExplorerError(
            f"{spec.name} was given as a module, so no script can load it.",
            "Save its weights, and load that file as a checkpoint of a network.",
        )
    words = [_quoted(spec.name)] if spec.name else []
    words += [f"weights={_quoted(spec.weights)}"] if spec.weights else []
    words += [f"classes={_quoted(spec.classes)}"] if spec.classes else []
    words += [f"classes=[{', '.join(map(_quoted, classes))}]"] if classes else []
    words += [f"device={_quoted(spec.device)}"] if spec.device != "auto" else []
    return [*words, "half=True"] if spec.half else words


def _changed(params: Any) -> list[str]:
    """`name=value` for every parameter that differs from its default."""
    return [
        f"{parameter.name}={_value(parameter, getattr(params, parameter.name))}"
        for parameter in parameters(type(params))
        if getattr(params, parameter.name) != parameter.default
    ]


def _value(parameter: Parameter, value: Any) -> str:
    """Python that `look` takes for `value`: places as tuples, masks and references as text."""
    match value:
        case Point(x, y):
            return repr((x, y))
        case Box(x0, y0, x1, y1, label, difficult, crowd):
            flags = (difficult, crowd) if crowd else (difficult,) if difficult else ()
            named = (label, *flags) if flags or label else ()
            return repr((x0, y0, x1, y1, *named))
        case str():
            return _quoted(value)
        case None | bool() | int() | float():
            return repr(value)
        case tuple() if parameter.kind in (Kind.WORDS, Kind.POINTS, Kind.BOXES):
            return f"[{', '.join(_value(parameter, entry) for entry in value)}]"
        case _:
            return _quoted(text_of(parameter, value))


def _quoted(word: str) -> str:
    """A Python string, between double quotes where that needs no escapes."""
    plain = repr(word)
    return f'"{word}"' if plain == f"'{word}'" and '"' not in word else plain


def _call(function: str, arguments: Sequence[str]) -> str:
    """On one line where it fits, else an argument a line."""
    line = f"{function}({', '.join(arguments)})"
    if len(line) <= 88:
        return line
    inside = "".join(f"{INDENT}{argument},\n" for argument in arguments)
    return f"{function}(\n{inside})"
