"""Which values of a test are tried by hand only."""

from typing import Any

import pytest


def by_hand(*values: Any) -> list[Any]:
    """The values as parameters of a test that is marked slow for them."""
    return [pytest.param(value, marks=pytest.mark.slow) for value in values]
