"""What each filter adds to the score of a placement, and the detections."""

from __future__ import annotations

from typing import TYPE_CHECKING

from explorer.core.layers import Plot, Table
from explorer.views.classic.dpm.panes import part_colors
from explorer.views.shared.anchors import BLUE, GRAY, ORANGE
from explorer.views.shared.common import color

if TYPE_CHECKING:
    from explorer.core.layers import Color
    from explorer.views.classic.dpm.search import Chosen
    from explorer.views.classic.dpm.source import Filters
    from explorer.vision.dpm.matching import Hypotheses


def bars(picked: Chosen) -> Plot:
    """The score as a sum: root, each part less its cost, bias."""
    colors = part_colors(len(picked.parts))
    rows: list[tuple[str, float, Color]] = [("root", picked.root_response, BLUE)]
    for number, part in enumerate(picked.parts):
        rows.append((f"part {number + 1}", part.response - part.cost, color(colors[number])))
    rows += [("bias", picked.component.bias, GRAY), ("score", picked.score, ORANGE)]
    return Plot("sum", "What adds up to the score", bars=tuple(rows))


def parts(picked: Chosen) -> Table:
    colors = part_colors(len(picked.parts))
    rows = tuple(
        (
            number + 1, part.dx, part.dy, round(part.response, 4), round(part.cost, 4),
            round(part.response - part.cost, 4),
        )
        for number, part in enumerate(picked.parts)
    )  # fmt: skip
    return Table(
        "parts", ("part", "dx", "dy", "response", "cost", "adds"), rows,
        title="Parts, displacements in cells of 4 px", swatches=tuple(map(color, colors)),
    )  # fmt: skip


def detections(shown: Hypotheses, filters: Filters) -> Table:
    rows = tuple(
        (
            filters.classes[at[0]], round(float(score), 4), int(at[0]) + 1, int(at[1]) + 1,
            *(round(float(side), 1) for side in box),
        )
        for score, box, at in zip(shown.scores, shown.boxes, shown.places, strict=True)
    )  # fmt: skip
    columns = ("class", "score", "component", "scale", "x0", "y0", "x1", "y1")
    return Table(
        "detections", columns, rows, title="Detections", layer="detections",
        keys=tuple(range(len(rows))),
    )  # fmt: skip
