"""Every text of the program that a user may read: `explorer list --messages`.

Two sources are put together: the program's own code, read without running it, and what the views
and networks that are installed declare. Who reviews the wording, or translates it, has one list.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import explorer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from explorer.core.params import Meta
    from explorer.engine.view import View

ROOT = Path(explorer.__file__).parent

_SILENT = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
"""Methods of a logger: the log is for us."""

_TAKEN = frozenset({"engine/former_words.py"})
"""Files whose words are understood and never shown."""

_WORDS = {
    "tr": "label", "QT_NOOP": "label", "Command": "label", "Item": "label", "title": "label",
    "label": "label", "Choice": "label", "setText": "label", "setTitle": "label",
    "setToolTip": "help", "setAccessibleName": "label", "help": "help", "summary": "summary",
    "explanation": "explanation", "description": "help", "epilog": "help", "note": "note",
    "unit": "unit", "section": "label", "x_label": "axis", "y_label": "axis", "heading": "label",
    "param": "label", "counted": "label", "Table": "heading", "Plot": "label", "Curve": "label",
    "Pane": "label", "Text": "label", "hint": "error", "reason": "error", "caption": "label",
    "Series": "label", "Bars": "label", "ExplorerError": "error", "Step": "note",
    "complain": "error", "say": "note",
}  # fmt: skip
"""Functions and keyword arguments that take words: of these a single word is listed, too."""

_PROSE = re.compile(r"[A-Za-z]{2,}[^A-Za-z]* [^A-Za-z]*[A-Za-z]|\{\S* [a-z]{2,}|[a-z]{2,} \{")
_NO_PROSE = re.compile(r"\{[^{}]*:[^{}]*;|^[\w.]+==|^<svg|%\(\w+\)s")
"""Style sheets, requirements, pictures, log formats."""


@dataclass(frozen=True, slots=True)
class Message:
    """One text, and where it stands.

    Attributes:
        text: As it is written; what is put in stands in braces.
        kind: "label", "help", "summary", "explanation", "note", "error", "heading", "axis", "unit"
            or "text".
        places: "views/predictions/classify.py:40" in the program; "network mini-vgg" for what a
            card or a plug-in declares.
    """

    text: str
    kind: str
    places: tuple[str, ...]


def messages() -> list[Message]:
    """Every text once, in the order of the files; then what only a declaration has."""
    found: dict[str, tuple[str, list[str]]] = {}
    for text, kind, place in (*_in_sources(), *_declared_views(), *_declared_networks()):
        text = text.strip()
        if text in found:
            if place not in found[text][1] and ":" in place:
                found[text][1].append(place)
        elif any(map(str.isalpha, text)):
            found[text] = kind, [place]
    return [Message(text, kind, tuple(places)) for text, (kind, places) in found.items()]


# -- what stands in the code ----------------------------------------------------------------------


@cache
def _in_sources() -> tuple[tuple[str, str, str], ...]:
    found: list[tuple[str, str, str]] = []
    for path in sorted(ROOT.rglob("*.py")):
        place = path.relative_to(ROOT).as_posix()
        if place in _TAKEN:
            continue
        reader = _Reader()
        reader.visit(ast.parse(path.read_text(encoding="utf-8")))
        found += ((text, kind, f"{place}:{line}") for text, kind, line in reader.found)
    return tuple(found)


class _Reader(ast.NodeVisitor):
    """Collects the words of one module; `found` holds text, kind and line."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str, int]] = []
        self._kind = ""

    def visit_Expr(self, node: ast.Expr) -> None:
        if not isinstance(node.value, ast.Constant):  # a docstring
            self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> None:
        name = _name(node.func)
        if isinstance(node.func, ast.Attribute) and name in _SILENT and _is_log(node.func.value):
            return
        if name in ("compile", "getattr", "setattr", "hasattr", "import_module", "field_named"):
            return
        self.visit(node.func)
        for argument in node.args:
            self._visit_as(argument, _WORDS.get(name, ""))
        for keyword in node.keywords:
            kind = _WORDS.get(keyword.arg or "", "")
            self._visit_as(keyword.value, kind)

    def visit_Raise(self, node: ast.Raise) -> None:
        # Errors of other kinds are defects: they are for us.
        if isinstance(node.exc, ast.Call) and _name(node.exc.func) in (
            "TypeError",
            "AssertionError",
        ):
            return
        self.generic_visit(node)

    def visit_Assert(self, node: ast.Assert) -> None:
        """For us."""

    def visit_Subscript(self, node: ast.Subscript) -> None:
        self.visit(node.value)  # a key or a type is no text

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self._visit_as(node.value, "")

    def visit_arg(self, node: ast.arg) -> None:
        """The annotation is no text."""

    def visit_FunctionDef(self, node: ast.FunctionDef) -> None:
        for part in (*node.args.defaults, *node.body):
            self._visit_as(part, "")

    def visit_Compare(self, node: ast.Compare) -> None:
        """What is compared is no text."""

    def visit_JoinedStr(self, node: ast.JoinedStr) -> None:
        self._take("".join(map(_part, node.values)), node.lineno)
        for value in node.values:
            if isinstance(value, ast.FormattedValue):
                self._visit_as(value.value, self._kind)

    def visit_Constant(self, node: ast.Constant) -> None:
        if isinstance(node.value, str):
            self._take(node.value, node.lineno)

    def _visit_as(self, node: ast.AST, kind: str) -> None:
        before, self._kind = self._kind, kind
        self.visit(node)
        self._kind = before

    def _take(self, text: str, line: int) -> None:
        prose = _PROSE.search(text) and not _NO_PROSE.search(text)
        if prose or (
            self._kind and re.search(r"[A-Za-z]{2}|%", text) and not _NO_PROSE.search(text)
        ):
            self.found.append(
                (text, self._kind or ("explanation" if "\n\n" in text else "text"), line)
            )


def _name(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
    return ""


def _is_log(node: ast.expr) -> bool:
    return _name(node) in ("log", "logging", "logger")


def _part(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.FormattedValue(value=value, format_spec=form):
            spec = "".join(map(_part, form.values)) if isinstance(form, ast.JoinedStr) else ""
            return f"{{{ast.unparse(value)}{':' if spec else ''}{spec}}}"
    return ""


# -- what is declared -----------------------------------------------------------------------------


def _declared_views() -> Iterator[tuple[str, str, str]]:
    from explorer import views

    for name, view in sorted(views.discover().items()):
        yield from ((text, kind, f"view {name}") for text, kind in _of_view(view) if text)


def _of_view(view: View[Any, Any]) -> Iterator[tuple[str, str]]:
    from explorer.core.params import parameters

    yield from ((view.title, "label"), (view.group.title, "label"), (view.summary, "summary"))
    yield from ((view.explanation, "explanation"), (view.reference, "reference"))
    for action in view.actions:
        yield from ((action.title, "label"), (action.help, "help"))
    for parameter in parameters(view.Params):
        yield from _of_parameter(parameter.meta)


def _of_parameter(meta: Meta) -> Iterator[tuple[str, str]]:
    yield from ((meta.title, "label"), (meta.help, "help"), (meta.section, "label"))
    yield meta.unit, "unit"
    if isinstance(meta.choices, tuple):
        yield from ((choice, "choice") for choice in meta.choices)


def _declared_networks() -> Iterator[tuple[str, str, str]]:
    from explorer.networks import catalog

    for entry in catalog.entries():
        place = f"network {entry.name}"
        yield from ((text, "network", place) for text in (entry.title, entry.summary) if text)
        yield from ((option.title, "network", place) for option in entry.weights)


def as_text(found: Sequence[Message]) -> str:
    """The list for a reader: place and text, the lines of a longer text set in."""
    lines = []
    for message in found:
        more = f" (+{len(message.places) - 1})" if len(message.places) > 1 else ""
        text = message.text.replace("\n", "\n    ")
        lines.append(f"{message.places[0]}{more} [{message.kind}]\n    {text}")
    return "\n".join(lines)
