"""What most views need."""

from __future__ import annotations

import pytest

from explorer.views.shared.common import percent


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.0%"), (0.0002, "<0.1%"), (0.0005, "0.1%"), (0.123456, "12.3%"), (1.0, "100.0%")],
)
def test_a_small_share_is_not_called_none(share: float, words: str) -> None:
    assert percent(share) == words
