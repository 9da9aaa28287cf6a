"""Networks compared by speed, size and accuracy on this machine, beside published figures."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.annotations.truth import counting
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Pane
from explorer.core.listing import quantity
from explorer.core.params import Box, Effect, FolderRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.render.numbers import number
from explorer.views.evaluation.speed_accuracy import charts
from explorer.views.evaluation.speed_accuracy.measuring import (
    ACCURACIES,
    UNITS,
    Data,
    Measured,
    loading,
    measure,
    others_of,
    with_truth,
)
from explorer.views.shared.anchors import WHITE, passed_layer, passed_words, same, truth_boxes
from explorer.views.shared.common import photo_of, size_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Picture
    from explorer.core.network_info import NetworkInfo
    from explorer.engine.scene import Scene

EXPLANATION = r"""
How fast, how large and how accurate are the networks for a task, on *this* machine and photo? Each
network is loaded, run, and freed before the next one, so the memory of two is never needed.

**Time.** After one run that only warms up, every network runs five times (three if it is slow);
meanwhile nothing else runs. The median run counts; the table has the fastest and the slowest one
too. It begins with the photo's pixels in memory and ends with the final boxes or scores:

$$ \mathrm{FPS} = 1 / t_{\mathrm{median}} $$

**Operations** are counted in one more pass, tensor by tensor: products only, a multiplication and
an addition are two. For a convolution with $k \times k$ kernels from $c$ to $d$ channels and an
output of $h \times w$ cells they are

$$ 2 \, k^2 \, c \, d \, h \, w $$

**Memory** is that of the weights and the largest sum of activations that exist at the same time,
without the workspace of the kernels.

**Accuracy.** Choose a *Data set*, and each network is evaluated on it as in the view *Evaluation*.
Without one, a detector's average precision is measured on the photo alone if it has ground truth.
Else the plot shows what the network's card says, measured on a data set of its own: networks of
different cards are not comparable.

**Reading it.** Up and left is better. Gray points are detectors as published, with mAP on Pascal
VOC 2007 on the GPUs of 2014 to 2016; only their order and distance can be compared with yours. The
tables below list the published figures with paper, table and hardware, and beside them what common
lecture slides give. They contradict each other and the papers: Fast YOLO has 155 FPS in the paper's
table and in some slides, 150 in others; Faster R-CNN has 7 FPS or 5, on different GPUs; some slides
print the mAP of Fast R-CNN for Faster R-CNN, or an error of one network and one crop for that of an
ensemble.

**Sources.** Girshick 2015, *Fast R-CNN*, tables 1 and 4; Ren et al. 2015, *Faster R-CNN*, tables 3
and 5; Redmon et al. 2016, *YOLO*, table 1; Liu et al. 2016, *SSD*, table 7; Redmon and Farhadi
2017, *YOLO9000*, table 3; He et al. 2016, *Deep Residual Learning*, tables 4, 5, 7 and 10;
Russakovsky et al. 2015, *ImageNet Large Scale Visual Recognition Challenge*, section 5; Huang et
al. 2017, *Speed/accuracy trade-offs for modern convolutional object detectors*.
"""

OWN = "the chosen network"


def _detector(_params: Params, info: NetworkInfo | None) -> bool:
    return info is None or info.task == "detection"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    axis: str = param(
        charts.TIME, "Cost", "The horizontal axis of the plot.",
        effect=Effect.DRAW, choices=charts.AXES,
    )  # fmt: skip
    compare: bool = param(
        True, "Other networks", "Measures other networks of the task beside the chosen one."
    )
    others: tuple[str, ...] = param(
        (), "Networks",
        "Whose weights are on this computer; none chosen means all.",
        choices=others_of, when=lambda params, _: params.compare,
    )  # fmt: skip
    folder: FolderRef | None = param(
        None, "Data set",
        "A folder with ground truth, as in Evaluation: on it accuracy is measured.",
    )  # fmt: skip
    photos: int = param(
        50, "Max. photos", "At most this many photos of it, sampled with a fixed seed.",
        low=1, high=5000, log=True, when=lambda params, _: params.folder is not None,
    )  # fmt: skip
    truth: tuple[Box, ...] = param(
        (), "Ground truth",
        "Of the photo: without a data set, average precision is measured on it.",
        effect=Effect.DRAW, pick=Pick.TRUTH,
    )  # fmt: skip
    shown: str = param(
        OWN, "Show", "Whose output the photo shows, and whose stages the bars.",
        effect=Effect.DRAW, choices=lambda info: (OWN, *others_of(info)),
    )  # fmt: skip
    published: bool = param(
        True, "Published detectors", "Draws the detectors of papers in gray.",
        effect=Effect.DRAW,
        when=lambda params, info: params.axis == charts.TIME and _detector(params, info),
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What is measured so far.

    Attributes:
        photo: As a layer.
        info: The chosen network.
        networks: Those that are measured, the chosen one first.
        failed: By name, why a network cannot be measured.
    """

    photo: Picture
    info: NetworkInfo
    networks: tuple[Measured, ...] = ()
    failed: dict[str, str] = field(default_factory=dict)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    info = scene.network.info
    names = (params.others or others_of(info)) if params.compare else ()
    data = Data("" if params.folder is None else params.folder.path, params.photos)
    result = Result(photo_of(scene), info)
    total = UNITS * (1 + len(names))
    yield Step(result, 0, total, info.title)
    for place, name in enumerate((info.spec.name, *names)):
        going = _measured(scene, "" if place == 0 else name, data)
        done, end = UNITS * place, UNITS * (place + 1)
        try:
            while True:
                words = next(going)
                done = min(done + 1, end - 1)
                yield Step(result, done, total, words)
        except StopIteration as stop:
            result = replace(result, networks=(*result.networks, stop.value))
        except ExplorerError as error:
            if place == 0:
                raise
            result = replace(result, failed={**result.failed, name: error.message})
        finally:
            going.close()  # frees the network
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
        yield Step(result, end, total)


def _measured(scene: Scene, name: str, data: Data) -> Generator[str, Any, Measured]:
    """The chosen network, or the one called `name`, which is loaded and freed again."""
    network = scene.network
    if name:
        network = yield from loading(scene.network.info.spec, name)
    title = network.info.title
    going = measure(scene, network, data)
    while True:
        try:
            words = next(going)
        except StopIteration as end:
            found: Measured = end.value
            return found
        yield f"{title}: {words}"


def draw(result: Result, params: Params) -> Board:
    networks, task = _networks(result, params), result.info.task
    published = params.published and params.axis == charts.TIME and task == "detection"
    panes = [charts.scatter(networks, params.axis, task, published=published)]
    names = [result.info.spec.name, *(one.info.spec.name for one in networks[1:])]
    wanted = names[0] if params.shown == OWN else params.shown
    at = names.index(wanted) if wanted in names else 0
    if networks:
        panes.append(_with_truth(charts.photo_pane(result.photo, networks[at]), params.truth))
    else:
        panes.append(Pane("image", size_of(result.photo), (result.photo,), title="Photo"))
    tables = charts.published_tables(task)
    if networks:
        tables = (charts.measured_table(networks, task), charts.stages_table(networks), *tables)
    plots = [charts.time_bars(networks), charts.stage_bars(networks, at)] if networks else []
    if task in ("classification", "localization"):
        plots.append(charts.error_bars())
    return Board(
        tuple(panes), plots=tuple(plots), tables=tables,
        summary=_summary(networks, task) + passed_words(params.truth),
        notes=_notes(result, networks, wanted, names),
    )  # fmt: skip


def _networks(result: Result, params: Params) -> tuple[Measured, ...]:
    """Those that are measured, with the AP on the photo where it has ground truth."""
    truth = params.truth if counting(params.truth) else ()
    return tuple(with_truth(one, truth) for one in result.networks)


def _with_truth(pane: Pane, truth: tuple[Box, ...]) -> Pane:
    own = counting(truth)
    boxes = truth_boxes(own)
    layer = Boxes(boxes, same(WHITE, len(own)), width=1.0, selectable=False, name="ground truth")
    more = [*([layer] if own else []), *passed_layer(truth)]
    return replace(pane, layers=(*pane.layers, *more))


def _summary(networks: tuple[Measured, ...], task: str) -> str:
    if not networks:
        return "Nothing is measured yet."
    fastest = min(networks, key=lambda one: one.seconds)
    words = [
        f"{quantity(len(networks), 'network')} measured",
        f"fastest {fastest.info.title}, {number(charts.rounded(1000 * fastest.seconds))} ms, "
        f"{number(charts.rounded(fastest.fps))} FPS",
    ]
    key = ACCURACIES[task][0]
    known = [one for one in networks if key in one.figures]
    if known:
        best = max(known, key=lambda one: one.figures[key])
        words.append(
            f"highest {key} {best.info.title}, {100 * best.figures[key]:.1f}% on {best.on}"
        )
    return " · ".join(words)


def _notes(
    result: Result, networks: tuple[Measured, ...], wanted: str, names: list[str]
) -> tuple[str, ...]:
    notes = [f"{name}: {why}" for name, why in result.failed.items()]
    notes += [f"{one.info.title}: {one.note}" for one in networks if one.note]
    if networks and wanted not in names:
        notes.append(f"{wanted} is not measured.")
    shown = [one.accuracy for one in networks if one.accuracy is not None]
    if any(not here for _, here in shown):
        which = (
            "Points marked as card have" if any(here for _, here in shown) else "All points have"
        )
        notes.append(
            f"{which} the accuracy of the network's card, each measured on a data set of its own. "
            "Choose a data set to measure all networks on the same photos."
        )
    return tuple(dict.fromkeys(notes))


def data(result: Result, params: Params) -> dict[str, Any]:
    """What does not change from run to run; times are in the table.

    Keys: `networks` the catalog's names, `parameters`, `flops`, `weight_bytes` and
    `activation_bytes` (N,) int64, and for every metric of the task `METRIC` (N,) float64, measured
    here, NaN = not measured, and `METRIC_card`, of the networks' cards.
    """
    networks = _networks(result, params)
    answer: dict[str, Any] = {"networks": [one.info.spec.name for one in networks]}
    for name, values in (
        ("parameters", [one.cost.parameters for one in networks]),
        ("flops", [one.cost.flops for one in networks]),
        ("weight_bytes", [one.cost.weights for one in networks]),
        ("activation_bytes", [one.cost.activations for one in networks]),
    ):
        answer[name] = np.array(values, np.int64)
    for key in ACCURACIES[result.info.task]:
        answer[key] = np.array([one.figures.get(key, np.nan) for one in networks])
        answer[f"{key}_card"] = np.array([one.card.get(key, np.nan) for one in networks])
    return answer


VIEW = View(
    name="speed_accuracy",
    title="Speed and accuracy",
    group=Group.EVALUATION,
    summary="Time, memory, operations and accuracy of several networks, beside published figures.",
    explanation=EXPLANATION,
    reference="Huang et al. 2017, Speed/accuracy trade-offs for modern convolutional object "
    "detectors",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization", "detection", "segmentation", "pose"}),
    data=data,
    live=False,
)
