"""Table 1 of Hosang et al. 2016, row by row, and which method here each row is.

Hosang, Benenson, Dollar & Schiele, "What makes for effective detection proposals?", PAMI 2016 (on
arXiv in 2015), table 1: what every method outputs, its seconds for a photo, and grades from its
experiments on repeatability (section 3), recall (section 4) and detection (section 5).
"""

from __future__ import annotations

from dataclasses import dataclass

SOURCE = "Hosang et al. 2016, table 1"

MOST = 1000
"""Boxes of a method for its grade; the paper plots other numbers as well."""

SCORING, GROUPING = "window scoring", "grouping"

GRADES = ("·", "*", "**", "***")
"""From the poorest to the best, by the paper's caption."""

NO_DATA = "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table.

    Attributes:
        name: Of the method.
        source: Its paper.
        approach: How it makes boxes; "" for the baselines, which have none.
        segments: It outputs segments, not only boxes.
        score: It outputs a score for every box.
        control: The number of boxes can be chosen.
        seconds: For a photo of PASCAL VOC.
        repeatability: A place in `GRADES`; None = no data.
        recall: Likewise.
        detection: Likewise.
        ours: The method here, by its name in `METHODS`; "" where there is none: no package of it
            is maintained.
    """

    name: str
    source: str
    approach: str
    segments: bool
    score: bool
    control: bool
    seconds: float
    repeatability: int | None
    recall: int | None
    detection: int | None
    ours: str = ""


TABLE = (
    Row("BING", "Cheng et al. 2014", SCORING, False, True, True, 0.2, 3, 1, 0, "BING"),
    Row("CPMC", "Carreira & Sminchisescu 2012", GROUPING, True, True, True, 250, None, 2, 1),
    Row("Edge Boxes", "Zitnick & Dollar 2014", SCORING, False, True, True, 0.3, 2, 3, 3,
        "Edge Boxes"),
    Row("Endres", "Endres & Hoiem 2014", GROUPING, True, True, True, 100, None, 3, 2),
    Row("Geodesic", "Krähenbühl & Koltun 2014", GROUPING, True, False, True, 1, 1, 3, 2),
    Row("MCG", "Arbelaez et al. 2014", GROUPING, True, True, True, 30, 1, 3, 3),
    Row("Objectness", "Alexe et al. 2012", SCORING, False, True, True, 3, 0, 1, 0, "objectness"),
    Row("Rahtu", "Rahtu et al. 2011", SCORING, False, True, True, 3, 0, 0, 1, "Rahtu"),
    Row("Randomized Prim", "Manen et al. 2013", GROUPING, True, False, True, 1, 1, 1, 2,
        "Randomized Prim"),
    Row("Rantalankila", "Rantalankila et al. 2014", GROUPING, True, False, True, 10, 2, 0, 2),
    Row("Rigor", "Humayun et al. 2014", GROUPING, True, False, True, 10, 1, 2, 2),
    Row("Selective search", "Uijlings et al. 2013", GROUPING, True, True, True, 10, 2, 3, 3,
        "selective search"),
    Row("Gaussian", "baseline", "", False, False, True, 0, 0, 0, 1, "Gaussian"),
    Row("Sliding window", "baseline", "", False, False, True, 0, 3, 0, 0, "sliding window"),
    Row("Superpixels", "baseline", "", True, False, False, 1, 1, 0, 0, "Felzenszwalb"),
    Row("Uniform", "baseline", "", False, False, True, 0, 0, 0, 0, "uniform"),
)  # fmt: skip


def grade(place: int | None) -> str:
    """As the paper prints it."""
    return NO_DATA if place is None else GRADES[place]
