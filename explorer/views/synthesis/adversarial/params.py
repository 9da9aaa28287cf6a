"""The form of the view."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from explorer.core.params import Box, Effect, Pick, param
from explorer.views.shared.common import score_threshold
from explorer.views.shared.detection_params import class_choices
from explorer.views.shared.synthesis.attacks import targets

if TYPE_CHECKING:
    from explorer.core.network_info import NetworkInfo

PGD, FGSM, DEEPFOOL = "PGD", "FGSM", "DeepFool"
DESCENT, LBFGS = "gradient descent", "L-BFGS"
LINF, L2 = "linf", "l2"
SQUARED, CROSS_ENTROPY = "squared distance", "cross-entropy"
VANISH, CHANGE, APPEAR = "box vanishes", "box changes class", "new box appears"


def _detects(info: NetworkInfo | None) -> bool:
    return info is not None and info.task == "detection"


def _methods(info: NetworkInfo) -> tuple[str, ...]:
    return tuple(m for m in (PGD, FGSM, DEEPFOOL, DESCENT, LBFGS) if not _left(m, info))


def _left(method: str, info: NetworkInfo) -> bool:
    return method == DEEPFOOL and _detects(info)


def _targets(info: NetworkInfo) -> tuple[str, ...]:
    return targets(class_choices(info) if _detects(info) else info.classes)


def _penalized(params: Params, _info: NetworkInfo | None) -> bool:
    return params.method in (DESCENT, LBFGS)


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    method: str = param(
        PGD, "Method",
        "PGD and FGSM stay within epsilon; DeepFool looks for a small perturbation; gradient "
        "descent and L-BFGS weigh the size of the perturbation (Szegedy et al.).",
        choices=_methods,
    )  # fmt: skip
    goal: str = param(
        VANISH, "Goal", "What happens to one box of the detector.",
        choices=(VANISH, CHANGE, APPEAR), when=lambda _, info: _detects(info),
    )  # fmt: skip
    target: str = param(
        "", "Target class",
        "The class that the network shall predict. Any other class: an untargeted attack.",
        choices=_targets,
        when=lambda params, info: not _detects(info) or params.goal != VANISH,
    )  # fmt: skip
    selected: int | None = param(
        None, "Attacked box",
        "Click a detection in the first pane, or its row; without one, the highest-scoring.",
        pick=Pick.SELECT, layer="detections",
        when=lambda params, info: _detects(info) and params.goal != APPEAR,
    )  # fmt: skip
    box: Box | None = param(
        None, "Place of the new box",
        "Drag a box on the photo; without one, a corner with few detections.",
        pick=Pick.DRAG, when=lambda params, info: _detects(info) and params.goal == APPEAR,
    )  # fmt: skip
    norm: str = param(
        LINF, "Norm",
        "linf: the largest change of a value counts. l2: the Euclidean norm of the whole "
        "perturbation.",
        choices=(LINF, L2), when=lambda params, _: params.method in (PGD, DEEPFOOL),
    )  # fmt: skip
    epsilon: float = param(
        8.0, "Epsilon", "No value of the picture changes by more than this.",
        low=0.25, high=64.0, step=0.25, unit="/ 255", log=True,
        when=lambda params, _: params.method == FGSM
        or (params.method == PGD and params.norm == LINF),
    )  # fmt: skip
    radius: float = param(
        3.0, "Epsilon (l2)", "The largest Euclidean norm, for values from 0 to 1.",
        low=0.05, high=100.0, log=True,
        when=lambda params, _: params.method == PGD and params.norm == L2,
    )  # fmt: skip
    steps: int = param(
        40, "Max. steps", "How many updates; L-BFGS: for each lambda.", low=1, high=500,
        when=lambda params, _: params.method != FGSM,
    )  # fmt: skip
    step: float = param(
        0.1, "Step size", "Length of a step relative to epsilon.",
        low=0.005, high=1.0, log=True, when=lambda params, _: params.method == PGD,
    )  # fmt: skip
    distance: str = param(
        SQUARED, "Distance d",
        "Squared distance of the probabilities to the target (one-hot), as in the lecture, or the "
        "cross-entropy, as in the paper.",
        choices=(SQUARED, CROSS_ENTROPY),
        when=lambda params, info: _penalized(params, info) and not _detects(info),
    )  # fmt: skip
    weight: float = param(
        0.01, "Lambda",
        "Weight of |r|² against the distance; larger values keep the perturbation smaller.",
        low=1e-5, high=100.0, log=True, when=_penalized,
    )  # fmt: skip
    rate: float = param(
        4.0, "Step size (gamma)", "Factor of the gradient in every update.",
        low=0.001, high=1000.0, log=True, when=lambda params, _: params.method == DESCENT,
    )  # fmt: skip
    rounds: int = param(
        4, "Values of lambda",
        "How many lambdas are tried for the smallest perturbation that succeeds; 1: only the given "
        "one.",
        low=1, high=20, when=lambda params, _: params.method == LBFGS,
    )  # fmt: skip
    stop: bool = param(
        False, "Stop at the first success", "Otherwise the loss is decreased to the last step.",
        when=lambda params, _: params.method in (PGD, DESCENT),
    )  # fmt: skip
    gain: int = param(
        16, "Perturbation shown x", "Factor of the perturbation in its pane; gray is no change.",
        effect=Effect.DRAW, low=1, high=255, log=True,
    )  # fmt: skip
    score: float | None = param(
        None, "Min. score",
        "Detections with a lower score do not count. Default: the threshold on the network's card.",
        low=0.0, high=1.0, step=0.01, suggested=score_threshold,
        when=lambda _, info: _detects(info),
    )  # fmt: skip
    boxes: bool = param(
        True, "Boxes over the result", "Off: the result's pane is the bare picture, to be saved.",
        effect=Effect.DRAW, when=lambda _, info: _detects(info),
    )  # fmt: skip
    random_start: bool = param(
        True, "Random start", "Starts at a random point within epsilon, as PGD is published.",
        advanced=True, when=lambda params, _: params.method == PGD,
    )  # fmt: skip
    candidates: int = param(
        10, "Candidate classes", "DeepFool tries the boundaries to the most probable classes only.",
        low=2, high=100, advanced=True, when=lambda params, _: params.method == DEEPFOOL,
    )  # fmt: skip
    overshoot: float = param(
        0.02, "Overshoot", "How far beyond the boundary, relative to the perturbation.",
        low=0.0, high=1.0, step=0.01, advanced=True,
        when=lambda params, _: params.method == DEEPFOOL,
    )  # fmt: skip
