"""Numbers and lists in words."""

from __future__ import annotations

import pytest

from explorer.core.listing import duration


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.0031, "3 ms"),
        (0.241, "0.24 s"),
        (12.34, "12.3 s"),
        (59.99, "60.0 s"),
        (125, "2 min 05 s"),
        (3599.4, "59 min 59 s"),
        (3600, "1 h 00 min"),
        (30_630, "8 h 30 min"),
        (400_000, "111 h 06 min"),
    ],
)
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
