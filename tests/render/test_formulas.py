"""Formulas in plain letters, and what of a text is none."""

from __future__ import annotations

import pytest

from explorer.render.formulas import Explained, displayed, plain, replaced, unbroken


@pytest.mark.parametrize(
    ("latex", "words"),
    [
        (r"\frac{a + b}{c}", "(a + b) / c"),
        (r"t_x = \frac{x - x_a}{w_a}", "tₓ = (x - xₐ) / wₐ"),
        (r"\sum_{i=0}^{n} p_i^2", "Σᵢ₌₀ⁿ pᵢ²"),
        (r"n_{cc}", "n_cc"),
        (r"\max_{j \ge k} p_j", "max_(j ≥ k) p_j"),
        (r"\sqrt{wh}", "√(wh)"),
        (r"t_x + t_y", "t_x + t_y"),
        (r"\frac{P_{11}}{P_{11} + r^2} \, (z - p)", "(P₁₁ / (P₁₁ + r²)) (z - p)"),
        (r"\frac{a}{\exp(b + c)}", "a / exp(b + c)"),
        (r"\frac{\partial L}{\partial x}", "∂L / ∂x"),
        (r"F = \begin{bmatrix} 1 & t \\ 0 & 1 \end{bmatrix}", "F = [1, t; 0, 1]"),
        (r"F P F^\top", "F P Fᵀ"),
        (r"\begin{aligned} x &= a \\ y &= b \end{aligned}", "x = a\ny = b"),
        (
            r"s \gets \begin{cases} s & \text{if } o \lt t \\ 0 & \text{else} \end{cases}",
            "s ←\n    s, if o < t\n    0, else",
        ),
        (r"\left\lfloor 4 + \log_2 k \right\rfloor", "⌊4 + log₂ k⌋"),
        (r"\mathrm{IoU}(A, B)", "IoU(A, B)"),
        (r"\frac12", "1 / 2"),
        ("a_", "a"),
        ("{", ""),
    ],
)
def test_plain_letters(latex: str, words: str) -> None:
    assert plain(latex) == words


def test_in_a_line_nothing_breaks_and_markdown_takes_it_as_it_is() -> None:
    assert unbroken(plain("a * b - c")) == "a\u00a0\\*\u00a0b\u00a0−\u00a0c"


def test_a_slash_and_a_bar_are_no_places_to_break() -> None:
    assert unbroken(plain("a/b - |c|d")) == "a/\u2060b\u00a0−\u00a0\\|\u2060c\\|\u2060d"


def test_a_page_for_a_terminal_has_formulas_in_blocks() -> None:
    text = "One\n\n$$ \\begin{aligned} x &= a \\\\ y &= b \\end{aligned} $$\n\ntwo $x_i$."
    assert Explained(text) == "One\n\n    x = a\n    y = b\n\ntwo xᵢ."
    assert displayed(text) == ("\\begin{aligned} x &= a \\\\ y &= b \\end{aligned}",)


def test_what_is_explained_reads_in_a_terminal_and_in_a_notebook() -> None:
    text = Explained("The $w_i$ of $|x|$.")
    assert text == "The wᵢ of |x|."
    assert repr(text) == str(text)
    assert text._repr_markdown_() == text.markdown == "The $w_i$ of $|x|$."
    assert Explained("Of $w_i$ and $w_y$.") == "Of w_i and w_y.", "indices of one kind"


def test_dollars_of_code_and_of_prices_stay() -> None:
    text = "It costs $5 or $6.\n\n    echo $HOME $x$\n\n`$y$`\n\n```\n$$ a $$\n```\n"
    assert Explained(text) == text


def test_both_kinds_are_found_over_line_ends() -> None:
    found: list[tuple[str, str]] = []

    def taking(kind: str) -> object:
        return lambda latex: found.append((kind, latex)) or "!"

    text = "with $x_i +\ny$ here\n\n$$ a\n= b $$\n\nend"
    assert replaced(text, taking("display"), taking("inline")) == "with ! here\n\n!\n\nend"  # type: ignore[arg-type]
    assert found == [("inline", "x_i +\ny"), ("display", "a\n= b")]
