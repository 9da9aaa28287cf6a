"""Tables and curves refuse what does not fit together."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from explorer.core.layers import Curve, Table


@pytest.mark.parametrize(("wrong", "words"), [
    (lambda: Table("t", ("a", "b"), ((1,),)), "1 entries for 2 columns"),
    (lambda: Table("t", ("a",), ((1,),), keys=(1, 2)), "2 keys for 1 rows"),
    (lambda: Table("t", ("a",), ((1,),), photos=("a", "b")), "2 photos for 1 rows"),
    (lambda: Curve(np.zeros(2), np.zeros(3)), r"1-D like y \(3,\), got shape \(2,\)"),
    (lambda: Curve(np.zeros((2, 2)), np.zeros((2, 2))), "1-D"),
])  # fmt: skip
def test_what_does_not_fit_is_named(wrong: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong()
