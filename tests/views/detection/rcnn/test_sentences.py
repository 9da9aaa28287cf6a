"""The move of a regressor in words, by hand."""

from __future__ import annotations

import pytest

from explorer.views.detection.rcnn.sentences import faults, rows, verdict


@pytest.mark.parametrize(
    ("deltas", "words"),
    [
        ((0.0, 0.0, 0.0, 0.0), "it fits"),
        ((-0.15, 0.0, 0.0, 0.0), "too far right"),
        ((0.0, 0.0, 0.0, 0.15), "too short"),
        ((0.1, 0.0, -0.2, 0.0), "too far left, too wide"),
        ((0.0, 0.3, 0.3, -0.3), "too high, too narrow, too tall"),
        ((0.019, -0.019, 0.019, -0.019), "it fits"),
        ((0.0, -0.02, 0.0, 0.0), "too low"),
    ],
)
def test_what_is_wrong_with_the_proposal(deltas: tuple[float, ...], words: str) -> None:
    assert verdict(deltas) == words
    assert len(faults(deltas)) == (0 if words == "it fits" else words.count(",") + 1)


def test_numbers_words_and_pixels() -> None:
    found = rows((0.12, -0.05, -0.2, 0.0), (100.0, 40.0))
    assert found == (
        ("t_x", 0.12, "too far left: move right by 12% of the width", 12.0),
        ("t_y", -0.05, "too low: move up by 5% of the height", -2.0),
        ("t_w", -0.2, "too wide: width x 0.82", -18.1),  # exp(-0.2) = 0.8187
        ("t_h", 0.0, "fits", 0.0),
    )


def test_a_huge_number_grows_the_box_no_further_than_the_decoding() -> None:
    assert rows((0, 0, 99.0, 0), (10.0, 10.0))[2][3] == pytest.approx(615.0)  # 62.5 times
