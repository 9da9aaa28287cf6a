r"""Formulas in Markdown: `$$ … $$` stands alone, `$ … $` in a line, both in LaTeX.

The window and notebooks set them as mathematics. Everywhere else they are written in plain letters:
\frac{a}{b} as a / b, \ge as ≥, x_i as xᵢ; rows of `aligned` and `cases` one below the other.
"""

from __future__ import annotations

import re
from textwrap import indent
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_CODE = r"^(?:```|~~~).*?^(?:```|~~~)[^\n]*$|^(?: {4}|\t)[^\n]*$|`[^`\n]+`"
_PARTS = re.compile(
    rf"(?P<code>{_CODE})"
    r"|^[ ]{0,3}\$\$(?P<display>.+?)\$\$[ ]*$"
    r"|(?<![\\$\w])\$(?P<inline>[^\s$](?:[^$\n]|\n(?!\n))*?(?<=\S))\$(?![\w$])",
    re.MULTILINE | re.DOTALL,
)

_SIGNS = {
    "ge": "≥", "geq": "≥", "le": "≤", "leq": "≤", "ne": "≠", "neq": "≠", "approx": "≈",
    "times": "×", "cdot": "·", "pm": "±", "sum": "Σ", "prod": "Π", "int": "∫",
    "partial": "∂", "nabla": "∇",
    "infty": "∞", "in": "∈", "cap": "∩", "cup": "∪", "setminus": "∖",
    "to": "→", "rightarrow": "→", "gets": "←",
    "leftarrow": "←", "mapsto": "↦", "dots": "…", "ldots": "…", "cdots": "⋯", "odot": "⊙",
    "ast": "∗", "lVert": "‖", "rVert": "‖", "Vert": "‖", "mid": "|", "lvert": "|",
    "rvert": "|", "forall": "∀",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "sim": "~", "circ": "∘",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Delta": "Δ", "Sigma": "Σ", "Phi": "Φ", "Omega": "Ω", "Lambda": "Λ", "ell": "ℓ",
    "top": "ᵀ", "lt": "<", "gt": ">", "quad": "   ", "qquad": "     ", "left": "", "right": "",
    "displaystyle": "", "limits": "",
}  # fmt: skip
"""By the name of the command. Others are words: max is max."""

_SPACES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "|": "‖"}
_LOWER = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_UPPER = str.maketrans("0123456789+-=()abcdefghijklmnoprstuvwxyzᵀ",
                       "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻᵀ")  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_WRAPPERS = {"mathrm", "text", "mathbf", "mathit", "mathcal", "operatorname", "hat", "bar", "vec",
             "tilde", "mathbb", "overline", "boldsymbol"}  # fmt: skip
_FRACTIONS = {"frac", "tfrac", "dfrac"}
_TOKEN = re.compile(r"\\([a-zA-Z]+|.)|([{}^_&])|([^\\{}^_&]+)", re.DOTALL)

_Token = tuple[str | None, str | None, str | None]


def replaced(markdown: str, display: Callable[[str], str], inline: Callable[[str], str]) -> str:
    """The text with every formula given by one of the functions; code is left alone.

    Args:
        markdown: With formulas in dollar signs.
        display: From the LaTeX of a formula that stands alone to Markdown.
        inline: From the LaTeX of one in a line to Markdown.
    """

    def part(found: re.Match[str]) -> str:
        if found["display"] is not None:
            return display(found["display"].strip())
        return found[0] if found["inline"] is None else inline(found["inline"])

    return _PARTS.sub(part, markdown)


def displayed(markdown: str) -> tuple[str, ...]:
    """The LaTeX of the formulas that stand alone, in their order."""
    found = (part["display"] for part in _PARTS.finditer(markdown))
    return tuple(latex.strip() for latex in found if latex is not None)


def _in_letters(markdown: str) -> str:
    """Every formula in letters, with indices of one kind in the whole text."""
    found: list[str] = []
    replaced(markdown, lambda latex: _noted(found, latex), lambda latex: _noted(found, latex))
    if not found:
        return markdown
    script = _script_for(found)
    text = replaced(
        markdown,
        lambda latex: _set_in(written(latex, script)),
        lambda latex: written(latex, script),
    )
    return re.sub(r"\n{3,}", "\n\n", text)


def _noted(found: list[str], latex: str) -> str:
    found.append(latex)
    return ""


def block(latex: str) -> str:
    """A formula that stands alone as an indented block of Markdown."""
    return _set_in(plain(latex))


def _set_in(letters: str) -> str:
    return "\n" + indent(letters, "    ") + "\n"


def unbroken(letters: str) -> str:
    """What is written of a formula as Markdown that stays on one line and means no markup."""
    joined = re.sub(r"([/−|])(?=\S)", "\\1\u2060", letters.replace(" ", "\u00a0").replace("-", "−"))
    return _MARKDOWN.sub(r"\\\1", joined)


def plain(latex: str) -> str:
    """A formula in plain letters, as well as they can; several lines where it has several rows.

    Its indices are small letters where Unicode has all of them, else all are written a_b.
    """
    return written(latex, _script_for([latex]))


def _script_for(formulas: Iterable[str]) -> Callable[[str, bool], str]:
    small = all("_" not in written(latex, script_of) for latex in formulas)
    return script_of if small else _signed


def script_of(text: str, raised: bool) -> str:
    """An index or a power in small letters, where Unicode has them all; else behind a sign."""
    table = _UPPER if raised else _LOWER
    if all(ord(letter) in table for letter in text):
        return text.translate(table)
    sign = "^" if raised else "_"
    return f"{sign}{text}" if len(text) == 1 or text.isalnum() else f"{sign}({text})"


def _signed(text: str, raised: bool) -> str:
    """As `script_of`, but no index in small letters."""
    if raised:
        return script_of(text, raised)
    return f"_{text}" if len(text) == 1 or text.isalnum() else f"_({text})"


class Explained(str):
    """A text in plain letters; a notebook shows the Markdown it was made of, with mathematics."""

    markdown: str
    __slots__ = ("markdown",)

    def __new__(cls, markdown: str) -> Explained:
        text = super().__new__(cls, _in_letters(markdown))
        text.markdown = markdown
        return text

    def __repr__(self) -> str:
        return str(self)

    def _repr_markdown_(self) -> str:
        return self.markdown


def written(latex: str, script: Callable[[str, bool], str]) -> str:
    """A formula in letters.

    Args:
        latex: Its source.
        script: How an index (False) or a power (True) is written.
    """
    tokens: list[_Token] = [
        (found[1], found[2], found[3]) for found in _TOKEN.finditer(" ".join(latex.split()))
    ]
    text, _ = _Writer(tokens, script).sequence(0)
    text = re.sub(r"(?<=\S) {2,3}(?=\S)", " ", re.sub(r"(?<=[\[⌊⌈(]) +| +(?=[\]⌋⌉);,])", "", text))
    text = re.sub(r"‖ *([^‖]*?) *‖", r"‖\1‖", text)
    lines = [line for line in text.split("\n") if line.strip()]
    set_in = ("    " if line.startswith("    ") else "" for line in lines)
    return "\n".join(
        space + line.strip() for space, line in zip(set_in, lines, strict=True)
    ).strip()


class _Writer:
    """Goes through the tokens of one formula: a command, a sign, or other text in each."""

    def __init__(self, tokens: list[_Token], script: Callable[[str, bool], str]) -> None:
        self.tokens = tokens
        self.script = script
        self.rows = [" "]
        """Between two rows, of the environments that are open."""
        self.cells = [""]
        """Between two cells of a row."""

    def sequence(self, at: int) -> tuple[str, int]:
        """The tokens up to the end, or to the brace that closes them."""
        parts: list[str] = []
        fractions: list[int] = []
        while at < len(self.tokens):
            command, sign, text = self.tokens[at]
            if sign == "}":
                break
            if sign in ("^", "_"):
                inner, at = self.one(at + 1)
                parts.append(self.script(inner.strip(), sign == "^"))
            elif sign == "&":
                parts.append(self.cells[-1])
                at += 1
            elif command is not None or sign == "{":
                if command in _FRACTIONS:
                    fractions.append(len(parts))
                inner, at = self.one(at)
                parts.append(inner)
            else:
                parts.append(text or "")
                at += 1
        for place in fractions:  # before another factor it would take it under its line
            if re.match(r"[ ]*[\w(\[{|‖√∇∂]", "".join(parts[place + 1 :])):
                parts[place] = f"({parts[place]})"
        return "".join(parts), at

    def one(self, at: int) -> tuple[str, int]:
        """One argument: a group, a command with its own, or a single letter."""
        if at >= len(self.tokens):
            return "", at
        command, sign, text = self.tokens[at]
        if sign == "{":
            inner, end = self.sequence(at + 1)
            return inner, end + 1
        if command is not None:
            return self.command(command, at + 1)
        if text:  # the rest stays where it is
            first = text.lstrip()[:1]
            self.tokens[at] = (None, None, text.lstrip()[1:])
            return first, at if self.tokens[at][2] else at + 1
        return "", at + 1

    def command(self, name: str, at: int) -> tuple[str, int]:
        if name in _FRACTIONS:
            above, at = self.one(at)
            below, at = self.one(at)
            return f"{_grouped(above)} / {_grouped(below)}", at
        if name == "sqrt":
            inner, at = self.one(at)
            return f"√{inner if len(inner) == 1 else f'({inner})'}", at
        if name in ("begin", "end"):
            kind, at = self.one(at)
            return self.environment(name, kind), at
        if name == "\\":
            return self.rows[-1], at
        if name in _WRAPPERS:
            return self.one(at)
        if name in ("partial", "nabla") and at < len(self.tokens):  # close to what follows
            command, sign, text = self.tokens[at]
            self.tokens[at] = command, sign, (text or "").lstrip() or None
        if name in _SIGNS:
            return _SIGNS[name], at
        return _SPACES.get(name, name), at

    def environment(self, name: str, kind: str) -> str:
        matrix = kind.endswith("matrix")
        if name == "begin":
            self.rows.append("; " if matrix else "\n    " if kind == "cases" else "\n")
            self.cells.append(", " if matrix or kind == "cases" else "")
            return "[" if matrix else "\n    " if kind == "cases" else ""
        self.rows.pop()
        self.cells.pop()
        return "]" if matrix else ""


def _grouped(text: str) -> str:
    """In brackets, unless it is one thing already."""
    text = outside = text.strip()
    found = 1
    while found:
        outside, found = re.subn(r"\([^()]*\)|\|[^|]*\||‖[^‖]*‖", "", outside)
    return f"({text})" if re.search(r"[\s+\-·/]", outside) else text
