"""Six panes, a column for each objective: its regions above, what the fit gives for all below."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Boxes, Pane
from explorer.views.detection.rcnn_training.samples import HINGE, LOG, OBJECTIVES, SQUARES
from explorer.views.shared.anchors import (
    GRAY,
    GREEN,
    ORANGE,
    RED,
    WHITE,
    same,
    truth_layer,
)
from explorer.views.shared.common import size_of
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.pipelines.region_roles import (
    BACKGROUND,
    IGNORED_ROLE,
    NEAR,
    NEGATIVE_ROLE,
    POSITIVE,
    POSITIVE_ROLE,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Float32, Layer
    from explorer.core.params import Box
    from explorer.views.detection.rcnn_training.fitting import State
    from explorer.views.detection.rcnn_training.result import Result
    from explorer.views.detection.rcnn_training.samples import Samples

COLORS: dict[str, Color] = {LOG: (90, 160, 250), HINGE: (250, 140, 60), SQUARES: (110, 200, 120)}
"""Of the objectives in plots and tables."""

TITLES = {LOG: "Log loss", HINGE: "Hinge loss", SQUARES: "Least squares"}
RULES = {
    LOG: f"IoU >= {POSITIVE:g}",
    HINGE: f"own box; IoU < {BACKGROUND:g}",
    SQUARES: f"IoU >= {NEAR:g}",
}
"""Which regions are positive; of the hinge loss also which are negative."""


def region_panes(result: Result, truth: Sequence[Box]) -> list[Pane]:
    """What trains each objective: positive green, negative red, ignored gray."""
    samples = result.samples
    size = size_of(result.photo)
    if samples is None:
        return [Pane("image", size, (result.photo,), "Proposals are computed")]
    objects = truth_layer(truth)
    if result.example:
        words = (f"{samples.name} (example)",) * len(samples.objects)
        white = same(WHITE, len(samples.objects))
        objects.append(
            Boxes(samples.objects, white, words, width=2.5, selectable=False, name="example")
        )
    panes = []
    for objective in OBJECTIVES:
        layers: list[Layer] = [result.photo, *_role_layers(result, samples, objective), *objects]
        name = "image" if objective == LOG else f"regions of {objective}"
        panes.append(Pane(name, size, tuple(layers), _role_title(samples, objective)))
    return panes


def _role_layers(result: Result, samples: Samples, objective: str) -> list[Boxes]:
    def make() -> list[Boxes]:
        found = []
        for role, tint, width in (
            (IGNORED_ROLE, GRAY, 0.6), (NEGATIVE_ROLE, RED, 0.6), (POSITIVE_ROLE, GREEN, 1.8),
        ):  # fmt: skip
            rows = samples.rows(objective, role)
            if len(rows) and not (objective == SQUARES and role == IGNORED_ROLE):
                found.append(
                    Boxes(
                        samples.boxes[rows], same(tint, len(rows)), keys=tuple(rows.tolist()),
                        width=width, selectable=False, name=ROLE_NAMES[role],
                    )
                )  # fmt: skip
        return found

    return result.cache.get(("roles", objective), make)


ROLE_NAMES = {POSITIVE_ROLE: "positive", NEGATIVE_ROLE: "negative", IGNORED_ROLE: "ignored"}


def _role_title(samples: Samples, objective: str) -> str:
    """Short, since six panes stand beside each other: "Hinge loss: 1 positive, 152 negative"."""
    counts = {role: len(samples.rows(objective, role)) for role in ROLE_NAMES}
    words = f"{TITLES[objective]}: {counts[POSITIVE_ROLE]} positive"
    return words if objective == SQUARES else f"{words}, {counts[NEGATIVE_ROLE]} negative"


def fit_panes(result: Result, top: int) -> list[Pane]:
    """What each fit gives: the proposals with the highest scores, the boxes that are moved."""
    fit, samples = result.fit, result.samples
    if fit is None or samples is None:
        return []
    panes = []
    for objective in OBJECTIVES:
        state = fit.states.get(objective)
        layers: list[Layer] = [result.photo]
        title = f"{TITLES[objective]}: no regions"
        if state is not None and objective == SQUARES:
            layers += _moves(samples, state)
            title = _move_title(samples, state)
        elif state is not None:
            layers.append(_highest(samples, state.output, top, objective))
            title = HEADS[objective].format(samples.name, min(top, int((~samples.own).sum())))
        panes.append(Pane(f"fit of {objective}", size_of(result.photo), tuple(layers), title))
    return panes


HEADS = {LOG: "Softmax: {0}, top {1}", HINGE: "SVM: {0}, top {1}"}


def _highest(
    samples: Samples, scores: NDArray[np.floating[Any]], top: int, objective: str
) -> Boxes:
    """The proposals with the highest scores, the best one on top."""
    proposals = np.flatnonzero(~samples.own)
    rows = proposals[np.argsort(-scores[proposals], kind="stable")[:top]][::-1]
    form = "{:.2f}" if objective == LOG else "{:+.2f}"
    words = tuple(form.format(scores[row]) for row in rows.tolist())
    return Boxes(
        samples.boxes[rows], same(COLORS[objective], len(rows)), words, tuple(rows.tolist()),
        width=2.0, selectable=False, name="highest",
    )  # fmt: skip


def _moves(samples: Samples, state: State) -> list[Boxes]:
    rows = np.flatnonzero((samples.iou >= NEAR) & ~samples.own)
    after = np.asarray(state.output, np.float32)[rows]
    return [
        Boxes(
            samples.boxes[rows], same(ORANGE, len(rows)), width=1.5, dotted=True,
            selectable=False, name="before",
        ),
        Boxes(after, same(GREEN, len(rows)), width=1.5, selectable=False, name="after"),
    ]  # fmt: skip


def _move_title(samples: Samples, state: State) -> str:
    before, after = mean_ious(samples, state, (samples.iou >= NEAR) & ~samples.own)
    if np.isnan(before):
        return "Regressor: no proposal"
    return f"Regressor: IoU {before:.2f} to {after:.2f}"


def mean_ious(samples: Samples, state: State, which: NDArray[np.bool_]) -> tuple[float, float]:
    """The mean IoU of regions with their objects before and after regression; NaN without any."""
    if not which.any():
        return float("nan"), float("nan")
    return float(samples.iou[which].mean()), float(ious_after(samples, state)[which].mean())


def ious_after(samples: Samples, state: State) -> Float32:
    """(N,) of every refined box with the object that its region is nearest to."""
    overlaps = iou_matrix(samples.objects, np.asarray(state.output, np.float32))
    found: Float32 = overlaps[samples.nearest, np.arange(len(samples.boxes))]
    return found
