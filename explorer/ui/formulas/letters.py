r"""Formulas in Markdown: `$$ … $$` stands alone, `$ … $` in a line, both in LaTeX.

Where mathematics can be set the window draws them. Everywhere else, and within lines, they are
written in plain letters: \frac{a}{b} as a / b, \ge as ≥, x_i as xᵢ.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

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
    "infty": "∞", "in": "∈", "cap": "∩", "cup": "∪", "to": "→", "rightarrow": "→", "gets": "←",
    "leftarrow": "←", "mapsto": "↦", "dots": "…", "ldots": "…", "cdots": "⋯", "odot": "⊙",
    "ast": "∗", "lVert": "‖", "rVert": "‖", "Vert": "‖", "mid": "|", "lvert": "|",
    "rvert": "|", "forall": "∀",
    "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "sim": "~", "circ": "∘",
    "alpha": "α", "beta": "β", "gamma": "γ", "delta": "δ", "epsilon": "ε", "varepsilon": "ε",
    "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ", "pi": "π", "rho": "ρ",
    "sigma": "σ", "tau": "τ", "phi": "φ", "varphi": "φ", "chi": "χ", "psi": "ψ", "omega": "ω",
    "Delta": "Δ", "Sigma": "Σ", "Phi": "Φ", "Omega": "Ω", "Lambda": "Λ", "ell": "ℓ",
    "quad": "  ", "qquad": "    ", "left": "", "right": "", "displaystyle": "", "limits": "",
}  # fmt: skip
"""By the name of the command. Others are words: max is max."""

_SPACES = {",": " ", ";": " ", ":": " ", "!": "", " ": " ", "\\": "; "}
_LOWER = str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ")
_UPPER = str.maketrans("0123456789+-=()abcdefghijklmnoprstuvwxyz",
                       "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ᵃᵇᶜᵈᵉᶠᵍʰⁱʲᵏˡᵐⁿᵒᵖʳˢᵗᵘᵛʷˣʸᶻ")  # fmt: skip
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~])")
_WRAPPERS = {"mathrm", "text", "mathbf", "mathit", "mathcal", "operatorname", "hat", "bar", "vec",
             "tilde", "mathbb", "overline", "boldsymbol"}  # fmt: skip
_TOKEN = re.compile(r"\\([a-zA-Z]+|.)|([{}^_&])|([^\\{}^_&]+)", re.DOTALL)


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


def readable(markdown: str) -> str:
    """The text with formulas in plain letters: for terminals and for pages without mathematics."""
    return replaced(markdown, lambda latex: f"\n    {plain(latex)}\n", in_line)


def in_line(latex: str) -> str:
    """A formula as Markdown in a line, which does not break within it."""
    text = plain(latex).replace(" ", "\u00a0").replace("-", "−")
    return _MARKDOWN.sub(r"\\\1", text)


def plain(latex: str) -> str:
    """A formula in plain letters, as well as they can."""
    tokens: list[_Token] = [_token(match) for match in _TOKEN.finditer(" ".join(latex.split()))]
    text, _ = _sequence(tokens, 0)
    return re.sub(r"(?<=\S) {2,3}(?=\S)", " ", text).strip()


_Token = tuple[str | None, str | None, str | None]


def _token(found: re.Match[str]) -> _Token:
    return found[1], found[2], found[3]


def _sequence(tokens: list[_Token], at: int) -> tuple[str, int]:
    """The tokens up to the end, or to the brace that closes them."""
    parts: list[str] = []
    while at < len(tokens):
        command, sign, text = tokens[at]
        if sign == "}":
            return "".join(parts), at
        if sign in ("^", "_"):
            script, at = _one(tokens, at + 1)
            parts.append(_script(script, raised=sign == "^"))
            continue
        if sign == "&":
            parts.append(" ")
            at += 1
            continue
        if command is not None or sign == "{":
            found, at = _one(tokens, at)
            parts.append(found)
            continue
        parts.append(text or "")
        at += 1
    return "".join(parts), at


def _one(tokens: list[_Token], at: int) -> tuple[str, int]:
    """One argument: a group, a command with its own, or a single letter."""
    if at >= len(tokens):
        return "", at
    command, sign, text = tokens[at]
    if sign == "{":
        inner, end = _sequence(tokens, at + 1)
        return inner, end + 1
    if command is not None:
        return _command(command, tokens, at + 1)
    if text:  # the rest stays where it is
        first = text.lstrip()[:1]
        tokens[at] = (None, None, text.lstrip()[1:])
        return first, at if tokens[at][2] else at + 1
    return "", at + 1


def _command(name: str, tokens: list[_Token], at: int) -> tuple[str, int]:
    if name in ("frac", "tfrac", "dfrac"):
        above, at = _one(tokens, at)
        below, at = _one(tokens, at)
        return f"{_grouped(above)} / {_grouped(below)}", at
    if name == "sqrt":
        inner, at = _one(tokens, at)
        return f"√{_grouped(inner)}", at
    if name in ("begin", "end"):
        _, at = _one(tokens, at)
        return {"begin": "[", "end": "]"}[name], at
    if name in _WRAPPERS:
        return _one(tokens, at)
    if name in _SIGNS:
        return _SIGNS[name], at
    return _SPACES.get(name, name), at


def _grouped(text: str) -> str:
    return f"({text})" if re.search(r"[\s+\-·/]", text.strip()) else text


def _script(text: str, *, raised: bool) -> str:
    """Small letters where all of them exist, else a sign and brackets."""
    table = _UPPER if raised else _LOWER
    small = text.strip().translate(table)
    if all(ord(letter) in table for letter in text.strip()):
        return small
    sign = "^" if raised else "_"
    return f"{sign}{text}" if len(text) == 1 or text.isalnum() else f"{sign}({text})"
