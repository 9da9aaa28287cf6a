"""The board: the photo with the target, a pane for each method, curves and a table."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import (
    Board,
    Boxes,
    Curve,
    Heat,
    Layer,
    Masks,
    Pane,
    Plot,
    Table,
    Text,
    class_colors,
    label_colors,
)
from explorer.core.listing import listed
from explorer.views.inside.attribution.params import BOX, CLASS, FOR, REGION, SHARED, UNIT, Params
from explorer.views.shared.common import class_name, color, percent, size_of
from explorer.vision.attribution.faithfulness import area

if TYPE_CHECKING:
    from collections.abc import Callable

    from explorer.core.layers import Color, Float32
    from explorer.views.inside.attribution.result import Map, Result, Subject

ORANGE: Color = (255, 160, 40)
QUANTILE = 0.995
"""Of the known values of a map: single pixels beyond do not decide the scale."""
LINE = 34
"""Letters in a line of a sentence on a pane."""
CURVES = {
    "deletion": ("Deletion", "pixels removed [%]"),
    "insertion": ("Insertion", "pixels put back [%]"),
    "ROAD": ("ROAD", "pixels imputed [%]"),
}


def board(result: Result, params: Params) -> Board:
    """Everything that the view shows."""
    notes = [result.subject.note] if result.subject.note else []
    if result.left_out:
        notes.append(
            f"Too slow for a camera, shown on a still photo only: {listed(result.left_out)}."
        )
    return Board(
        panes=(_photo(result), *(_pane(result, found, params) for found in result.maps)),
        plots=_plots(result),
        tables=(_table(result), *_detections(result)),
        summary=_summary(result),
        notes=tuple(notes),
    )


# -- panes ----------------------------------------------------------------------------------------


def _photo(result: Result) -> Pane:
    subject = result.subject
    layers: list[Layer] = [result.photo]
    found = result.detections
    if found is not None:
        layers.append(result.cache.get("detections", lambda: _offered(result)))
    layers += result.cache.get("target", lambda: _outline(subject, named=True))
    title = f"Target: {words_of(subject)}"
    return Pane("image", size_of(result.photo), tuple(layers), title=title)


def _offered(result: Result) -> Boxes:
    """The detections to choose from; the frame of the target lies over its own."""
    found = result.detections
    assert found is not None
    rows = _rows(result)
    labels = tuple(
        "" if row == result.subject.selected else class_name(result.info.classes, label)
        for row, label in zip(rows, found.labels[rows].tolist(), strict=True)
    )
    return Boxes(
        found.xyxy[rows], label_colors(found.labels[rows]), labels, tuple(rows), width=1.0,
        name="detections",
    )  # fmt: skip


def _rows(result: Result) -> list[int]:
    found = result.detections
    assert found is not None
    shown: list[int] = np.flatnonzero(found.scores >= result.info.score_threshold).tolist()
    selected = result.subject.selected
    if selected is not None and selected not in shown:
        shown.append(selected)
    return shown


def _outline(subject: Subject, *, named: bool) -> list[Layer]:
    if subject.mask is not None:
        return [
            Masks(
                subject.mask, np.array([ORANGE], np.uint8), extent=subject.extent,
                opacity=0.35 if named else 0.0, outline=True, name="target",
            )
        ]  # fmt: skip
    if subject.box is None:
        return []
    label = (words_of(subject),) if named and subject.kind == BOX else ()
    return [
        Boxes(
            subject.box[None], np.array([ORANGE], np.uint8), label,
            width=3.0 if subject.kind == BOX else 1.5, dotted=subject.kind == CLASS,
            selectable=False, name="target",
        )
    ]  # fmt: skip


def _pane(result: Result, found: Map, params: Params) -> Pane:
    layers: list[Layer] = [result.backdrop]
    size = size_of(result.photo)
    if found.values is not None:
        high = _shared_high(result, params) if params.scale == SHARED else _own_high(found, params)
        key = ("heat", high, params.scale, params.sign, params.opacity, params.smooth)
        layers.append(found.cache.get(key, lambda: _heat(found, params, high)))
    if result.subject.kind != CLASS:
        layers += result.cache.get("outline", lambda: _outline(result.subject, named=False))
    if found.failed:
        lines = "\n".join(textwrap.wrap(found.note, LINE))
        layers.append(Text(lines, (size[0] / 2, size[1] / 2), anchor=(0.5, 0.5), name="reason"))
    return Pane(found.method, size, tuple(layers), _title(found), readout=_readout(found))


def _heat(found: Map, params: Params, high: float) -> Heat:
    values = _scaled(found) if params.scale == SHARED else found.values
    assert values is not None
    one_sided = params.sign == FOR
    whole = bool(np.isfinite(values).all())
    return Heat(
        values, 0.0 if one_sided else -high, high, "magma" if one_sided else "coolwarm",
        extent=found.extent, opacity=params.opacity, smooth=params.smooth and whole,
        alpha_by_value=one_sided, unit="x mean" if params.scale == SHARED else "", name="map",
    )  # fmt: skip


def _scaled(found: Map) -> Float32:
    """In parts of the map's own mean magnitude."""

    def make() -> Float32:
        assert found.values is not None
        mean = found.mean
        return found.values / np.float32(mean) if mean > 0 else found.values

    return found.cache.get("scaled", make)


def _shared_high(result: Result, params: Params) -> float:
    """Between the maps' own: the flattest is not dark and the most concentrated not all bright."""
    shown = [found for found in result.maps if found.values is not None and found.mean > 0]
    highs = [_own_high(found, params) / found.mean for found in shown]
    return float(np.sqrt(min(highs) * max(highs))) if highs else 1.0


def _own_high(found: Map, params: Params) -> float:
    def make() -> float:
        assert found.values is not None
        values = found.values[np.isfinite(found.values)]
        values = values[values > 0] if params.sign == FOR else np.abs(values)
        if not values.size or not values.max() > 0:
            return 1.0
        if values.size < 2000:
            return float(values.max())
        return float(np.quantile(values, QUANTILE)) or float(values.max())

    return found.cache.get(("high", params.sign), make)


def _title(found: Map) -> str:
    title = found.method[0].upper() + found.method[1:]
    if found.total and found.done < found.total:
        return f"{title}: {100 * found.done // found.total}%"
    if found.gap is not None:
        return f"{title}: gap {percent(abs(found.gap))}"
    return title


def _readout(found: Map) -> Callable[[float, float], str]:
    """The map's own number under the mouse, and how it stands to the mean."""

    def words(x: float, y: float) -> str:
        if found.values is None:
            return ""
        x0, y0, x1, y1 = found.extent
        rows, columns = found.values.shape
        row = int(np.floor((y - y0) / (y1 - y0) * rows))
        column = int(np.floor((x - x0) / (x1 - x0) * columns))
        if not (0 <= row < rows and 0 <= column < columns):
            return "outside the network's input"
        value = float(found.values[row, column])
        if not np.isfinite(value):
            return "not known yet"
        mean = found.mean
        times = f", {value / mean:.2f} x mean" if mean > 0 else ""
        return f"{found.method}, row {row}, column {column}: {value:.4g}{times}"

    return words


# -- words ----------------------------------------------------------------------------------------


def words_of(subject: Subject) -> str:
    """The target in words: "this dog, 0.93"."""
    name = subject.name or "the top class"
    if subject.number is None:
        return name
    if subject.kind == BOX:
        return f"this {name}, {subject.number:.2f}"
    if subject.kind == UNIT:
        return f"{name}: {subject.number:.4g}"
    which = "these pixels as " if subject.kind == REGION else ""
    return f"{which}{name}, {percent(subject.number)}"


def _summary(result: Result) -> str:
    words = f"Target: {words_of(result.subject)}"
    running = [found for found in result.maps if found.total and found.done < found.total]
    return f"{words} · {_title(running[0])}" if running else words


def _table(result: Result) -> Table:
    measured = [name for name in CURVES if any(name == measure for measure, _ in result.curves)]
    rows = []
    for found in result.maps:
        values = found.values
        known = values[np.isfinite(values)] if values is not None else np.empty(0, np.float32)
        low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
        areas = tuple(
            round(area(list(result.curves[name, found.method])), 3)
            if (name, found.method) in result.curves
            else ""
            for name in measured
        )
        passes = f"{found.done}" if found.done == found.total else f"{found.done} of {found.total}"
        rows.append(
            (
                found.method,
                passes,
                f"{low:.3g}" if known.size else "",
                f"{high:.3g}" if known.size else "",
                *areas,
                _remark(found),
            )
        )
    columns = ("method", "passes", "smallest", "largest", *(f"{n} AUC" for n in measured), "remark")
    return Table(
        "methods", columns, tuple(rows), title="Methods",
        swatches=tuple(map(_color, range(len(rows)))) if measured else (),
    )  # fmt: skip


def _remark(found: Map) -> str:
    parts = [f"layer {found.layer}"] if found.layer else []
    if found.gap is not None:
        parts.append(f"completeness gap {found.gap:+.2%} of the difference of both ends")
    return "; ".join([*parts, found.note] if found.note else parts)


def _detections(result: Result) -> tuple[Table, ...]:
    found = result.detections
    if found is None:
        return ()
    shown = _rows(result)
    rows = tuple(
        (class_name(result.info.classes, int(found.labels[k])), round(float(found.scores[k]), 3))
        for k in shown
    )
    return (
        Table(
            "detections", ("class", "score"), rows, title="Detections",
            layer="detections", keys=tuple(shown),
        ),
    )  # fmt: skip


# -- curves ---------------------------------------------------------------------------------------


def _plots(result: Result) -> tuple[Plot, ...]:
    order = [found.method for found in result.maps]
    plots = []
    for measure, (title, label) in CURVES.items():
        curves = [
            _curve(method, values, order.index(method), measure)
            for (name, method), values in result.curves.items()
            if name == measure
        ]
        if curves:
            plots.append(Plot(measure, title, label, "confidence", tuple(curves)))
    return tuple(plots)


def _curve(method: str, values: tuple[float, ...], number: int, measure: str) -> Curve:
    from explorer.views.inside.attribution.runs import POINTS

    x = 100.0 * np.arange(len(values), dtype=np.float64) / POINTS[measure]
    return Curve(x, np.array(values, np.float64), method, _color(number))


def _color(number: int) -> Color:
    return color(class_colors(number + 1)[number])
