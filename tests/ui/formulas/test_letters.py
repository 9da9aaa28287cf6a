"""Formulas in plain letters, and what of a text is none."""

from __future__ import annotations

import pytest

from explorer.ui.formulas.letters import in_line, plain, readable, replaced


@pytest.mark.parametrize(
    ("latex", "words"),
    [
        (r"\frac{a + b}{c}", "(a + b) / c"),
        (r"t_x = \frac{x - x_a}{w_a}", "tₓ = (x - xₐ) / wₐ"),
        (r"\sum_{i=0}^{n} p_i^2", "Σᵢ₌₀ⁿ pᵢ²"),
        (r"n_{cc}", "n_cc"),
        (r"\max_{j \ge k} p_j", "max_(j ≥ k) pⱼ"),
        (r"\sqrt{wh}", "√wh"),
        (r"\mathrm{IoU}(A, B)", "IoU(A, B)"),
        (r"\frac12", "1 / 2"),
        ("a_", "a"),
        ("{", ""),
    ],
)
def test_plain_letters(latex: str, words: str) -> None:
    assert plain(latex) == words


def test_in_a_line_nothing_breaks_and_markdown_takes_it_as_it_is() -> None:
    assert in_line("a * b - c") == "a\u00a0\\*\u00a0b\u00a0−\u00a0c"


def test_dollars_of_code_and_of_prices_stay() -> None:
    text = "It costs $5 or $6.\n\n    echo $HOME $x$\n\n`$y$`\n\n```\n$$ a $$\n```\n"
    assert readable(text) == text


def test_both_kinds_are_found_over_line_ends() -> None:
    found: list[tuple[str, str]] = []

    def taking(kind: str) -> object:
        return lambda latex: found.append((kind, latex)) or "!"

    text = "with $x_i +\ny$ here\n\n$$ a\n= b $$\n\nend"
    assert replaced(text, taking("display"), taking("inline")) == "with ! here\n\n!\n\nend"  # type: ignore[arg-type]
    assert found == [("inline", "x_i +\ny"), ("display", "a\n= b")]
