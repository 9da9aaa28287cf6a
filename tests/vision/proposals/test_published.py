"""The rows of the paper's table as the lecture prints them."""

from __future__ import annotations

import pytest

from explorer.vision.proposals.methods import METHODS
from explorer.vision.proposals.published import GROUPING, NO_DATA, SCORING, TABLE, grade

# method, approach, segments, score, control, seconds, repeatability, recall, detection
PRINTED = """
BING|window scoring|0|1|1|0.2|***|*|·
CPMC|grouping|1|1|1|250|–|**|*
Edge Boxes|window scoring|0|1|1|0.3|**|***|***
Endres|grouping|1|1|1|100|–|***|**
Geodesic|grouping|1|0|1|1|*|***|**
MCG|grouping|1|1|1|30|*|***|***
Objectness|window scoring|0|1|1|3|·|*|·
Rahtu|window scoring|0|1|1|3|·|·|*
Randomized Prim|grouping|1|0|1|1|*|*|**
Rantalankila|grouping|1|0|1|10|**|·|**
Rigor|grouping|1|0|1|10|*|**|**
Selective search|grouping|1|1|1|10|**|***|***
Gaussian||0|0|1|0|·|·|*
Sliding window||0|0|1|0|***|·|·
Superpixels||1|0|0|1|*|·|·
Uniform||0|0|1|0|·|·|·
"""


def test_every_row_is_there_as_printed() -> None:
    rows = [
        "|".join(
            [
                row.name, row.approach,
                *(str(int(mark)) for mark in (row.segments, row.score, row.control)),
                f"{row.seconds:g}", grade(row.repeatability), grade(row.recall),
                grade(row.detection),
            ]
        )
        for row in TABLE
    ]  # fmt: skip
    assert rows == PRINTED.split("\n")[1:-1]


def test_rows_name_methods_that_there_are() -> None:
    ours = [row.ours for row in TABLE if row.ours]
    assert set(ours) <= set(METHODS)
    assert len(set(ours)) == len(ours) == 10
    without = {row.name for row in TABLE if not row.ours}
    assert without == {"CPMC", "Endres", "Geodesic", "MCG", "Rantalankila", "Rigor"}
    assert {row.approach for row in TABLE} == {SCORING, GROUPING, ""}


@pytest.mark.parametrize(("place", "shown"), [(None, NO_DATA), (0, "·"), (3, "***")])
def test_grades(place: int | None, shown: str) -> None:
    assert grade(place) == shown
