"""From the form to an attack of `explorer.vision.adversarial`, and back to plain values."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.engine.scene import checked
from explorer.views.shared.common import class_name, score_threshold
from explorer.views.shared.seen import fed_picture, uncropped
from explorer.views.synthesis.adversarial.params import (
    APPEAR,
    CHANGE,
    DEEPFOOL,
    DESCENT,
    FGSM,
    LBFGS,
    LINF,
    SQUARED,
    VANISH,
    Params,
)
from explorer.views.synthesis.adversarial.results import (
    BoxOutput,
    Check,
    ClassOutput,
    Output,
    Result,
    Row,
    put_back,
)
from explorer.vision.adversarial.bounded import fgsm, pgd
from explorer.vision.adversarial.boxes import BoxGoal, Mode, require_attackable
from explorer.vision.adversarial.deepfool import deepfool
from explorer.vision.adversarial.goals import ClassGoal, Goal
from explorer.vision.adversarial.iterates import Norm, evaluated
from explorer.vision.adversarial.penalized import gradient_descent, smallest
from explorer.vision.adversarial.pictures import levels, rounded, sizes
from explorer.vision.detection.detections import detections_of
from explorer.vision.features.classification import softmax
from explorer.vision.features.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from explorer.core.layers import Float32
    from explorer.engine.scene import Scene
    from explorer.vision.adversarial.iterates import Iterate
    from explorer.vision.detection.detections import Detections

MODES: dict[str, Mode] = {VANISH: "vanish", CHANGE: "change", APPEAR: "appear"}
CORNERS = ((0.04, 0.04), (0.62, 0.04), (0.04, 0.62), (0.62, 0.62))
PART = 0.34
"""Of the photo's sides: a new box for which nobody has said where."""


class Attack:
    """One attack on one photo; lives on the runner's thread."""

    def __init__(self, scene: Scene, params: Params) -> None:
        self._scene, self._params = scene, params
        network = scene.network
        self._start = fed_picture(network, scene.image.pixels)
        self._original = levels(self._start)
        around, self._corner = uncropped(network, scene.image.pixels)
        self._around = levels(around)
        self._detects = network.info.task == "detection"
        self._rounds: dict[int, list[Row]] = {}
        self.goal, self._output = self._box() if self._detects else self._class()

    @property
    def total(self) -> int:
        """Steps at most, with the last one for the checks."""
        params = self._params
        if params.method == LBFGS:
            return params.rounds * (params.steps + 1) + (params.rounds > 1) + 1
        return (1 if params.method == FGSM else params.steps) + 2

    def results(self) -> Iterator[tuple[Result, str]]:
        """One for every update, each with a note, and a last one with its checks."""
        result: Result | None = None
        picture = self._start
        for number, weight, at in self._iterates():
            picture = at.picture
            result = self._result(number, at, weight)
            note = f"step {at.step} of {self._params.steps}"
            if self._params.method == LBFGS and self._params.rounds > 1:
                note = f"lambda {weight:.3g} ({number + 1} of {self._params.rounds}), {note}"
            yield result, note
        assert result is not None
        yield result.checked(self._checks(picture)), "checked as 8 bits"

    # -- the goal ---------------------------------------------------------------------------------

    def _class(self) -> tuple[Goal, Output]:
        network, params = self._scene.network, self._params
        logits = Classifier.of(network)
        with torch.no_grad():
            before = checked(logits(self._start))[0]
        label = int(before.argmax())
        classes = network.info.classes
        target = classes.index(params.target) if params.target in classes else None
        squared = params.method in (DESCENT, LBFGS) and params.distance == SQUARED
        goal = ClassGoal(
            logits, label if target is None else target, target is not None,
            "squared" if squared else "cross-entropy",
        )  # fmt: skip
        plain = before.float().cpu().numpy().copy()
        return goal, ClassOutput(classes, plain, plain, label, target)

    def _box(self) -> tuple[Goal, Output]:
        network, params = self._scene.network, self._params
        require_attackable(network.module)
        classes = network.info.classes
        label = classes.index(params.target) if params.target in classes else None
        before = self._detections(self._scene.output()[0])
        score = score_threshold(network.info) if params.score is None else params.score
        row: int | None = None
        if params.goal == APPEAR:
            box = self._new_box(before)
        else:
            row = self._attacked(before)
            box = before.xyxy[row]
            if params.goal == CHANGE and label == int(before.labels[row]):
                raise ExplorerError(
                    f"The box is a {class_name(classes, label)} already.",
                    "Choose another target class, or another box.",
                )
        lowered = row is not None and float(before.scores[row]) < score
        if row is not None and lowered:
            score = float(before.scores[row]) / 2
        output = BoxOutput(classes, before, before, box, row, params.goal, label, score, lowered)
        goal = BoxGoal(
            network.module,
            torch.from_numpy(self._scene.frame.boxes(box[None])[0]).to(network.device),
            MODES[params.goal],
            label,
            None if row is None else int(before.labels[row]),
            score,
        )
        return goal, output

    def _attacked(self, before: Detections) -> int:
        if not len(before):
            raise ExplorerError(
                "There is no detection on this photo to attack.",
                "Choose another photo, or let a new box appear.",
            )
        selected = self._params.selected
        return selected if selected is not None and 0 <= selected < len(before) else 0

    def _new_box(self, before: Detections) -> Float32:
        """The one that was drawn, or a corner of the photo where there is least."""
        drawn = self._params.box
        if drawn is not None:
            if drawn.x1 - drawn.x0 < 1 or drawn.y1 - drawn.y0 < 1:
                raise ExplorerError("The box is smaller than a pixel.", "Draw a larger one.")
            return np.array([drawn.x0, drawn.y0, drawn.x1, drawn.y1], np.float32)
        height, width = self._scene.image.pixels.shape[:2]
        corners = [(x * width, y * height) for x, y in CORNERS]
        boxes = [
            np.array([x, y, x + PART * width, y + PART * height], np.float32) for x, y in corners
        ]
        kept = before.xyxy[before.scores >= 0.3]

        def covered(box: Float32) -> float:
            low, high = np.maximum(kept[:, :2], box[:2]), np.minimum(kept[:, 2:], box[2:])
            return float((high - low).clip(0).prod(axis=1).sum())

        return min(boxes, key=covered)

    # -- the way ----------------------------------------------------------------------------------

    def _iterates(self) -> Iterator[tuple[int, float, Iterate]]:
        params, start = self._params, self._start
        if params.method == LBFGS:
            yield from smallest(
                self.goal, start, weight=params.weight, steps=params.steps, rounds=params.rounds
            )
            return
        weight = params.weight if params.method == DESCENT else 0.0
        for at in self._single():
            yield 0, weight, at

    def _single(self) -> Iterator[Iterate]:
        params, start = self._params, self._start
        norm: Norm = "linf" if params.norm == LINF else "l2"
        if params.method == FGSM:
            return fgsm(self.goal, start, epsilon=params.epsilon / 255)
        if params.method == DESCENT:
            return gradient_descent(
                self.goal, start, weight=params.weight, rate=params.rate, steps=params.steps,
                stop=params.stop,
            )  # fmt: skip
        if params.method == DEEPFOOL:
            assert isinstance(self.goal, ClassGoal)
            return deepfool(
                self.goal, start, norm=norm, steps=params.steps, candidates=params.candidates,
                overshoot=params.overshoot,
            )  # fmt: skip
        epsilon = params.epsilon / 255 if norm == "linf" else params.radius
        return pgd(
            self.goal, start, norm=norm, epsilon=epsilon, step=params.step * epsilon,
            steps=params.steps, stop=params.stop,
            generator=self._scene.generator() if params.random_start else None,
        )  # fmt: skip

    # -- what it gave -----------------------------------------------------------------------------

    def _result(self, number: int, at: Iterate, weight: float) -> Result:
        change = at.picture - self._start
        output = self._after(at.evaluation.output)
        words, now, wanted = self._row_words(output)
        found = sizes(change)
        row = Row(
            at.step, float(at.evaluation.loss), at.penalty, at.slope, found.linf * 255, found.l2,
            now, wanted, words, at.evaluation.reached, weight,
        )  # fmt: skip
        rows = self._rounds.setdefault(number, [])
        # The best of several lambdas comes once more at the end: its round up to there.
        rows[:] = [*(earlier for earlier in rows if earlier.step < at.step), row]
        height, width = self._original.shape[:2]
        if self._detects:
            shown, frame = self._scene.image.pixels, "image"
            extent = self._scene.frame.inverse().extent(float(width), float(height))
        else:
            shown, frame = self._around, "resized"
            top, left = self._corner
            extent = (float(left), float(top), float(left + width), float(top + height))
        size = (float(shown.shape[1]), float(shown.shape[0]))
        return Result(
            self._original, levels(at.picture), self._around, self._corner,
            change[0].permute(1, 2, 0).float().cpu().numpy().copy(), extent, size, frame, output,
            tuple(rows), tuple(done[-1] for done in self._rounds.values()), problem=at.problem,
            update=self._update(weight),
        )  # fmt: skip

    def _after(self, found: Any) -> Output:
        if isinstance(self._output, ClassOutput):
            return replace(self._output, after=found.float().cpu().numpy().copy())
        return replace(self._output, after=self._detections(found))

    def _row_words(self, output: Output) -> tuple[str, float, float]:
        """What is there now, the probability of what was there, that of what is wanted."""
        if isinstance(output, ClassOutput):
            shares = softmax(output.after)
            aim = output.top if output.target is None else output.target
            return output.name(output.top), float(shares[output.label]), float(shares[aim])
        now, wanted = (output.highest(output.after, wanted=flag) for flag in (False, True))
        return output.at_place(output.after)[0], now, wanted

    def _update(self, weight: float) -> str:
        """The rule of the method with its numbers, in plain letters."""
        params = self._params
        if params.method == DESCENT:
            return f"r ← r − {params.rate:g} (∂d/∂r + 2 · {weight:g} r)"
        if params.method == LBFGS:
            return f"minimize d + {weight:.3g} |r|², L-BFGS with bounds"
        if params.method == DEEPFOOL:
            return "r ← r + the way to the nearest linearized boundary"
        if params.method == FGSM:
            return f"r = −{params.epsilon:g}/255 sign(∂L/∂x)"
        if params.norm == LINF:
            length = params.step * params.epsilon
            return f"r ← clip(r − {length:g}/255 sign(∂L/∂x), ±{params.epsilon:g}/255)"
        return f"r ← r − {params.step * params.radius:g} g / |g|, then |r| <= {params.radius:g}"

    def _detections(self, found: Any) -> Detections:
        height, width = self._start.shape[-2:]
        return detections_of([found], self._scene.frame, (height, width))

    # -- afterwards -------------------------------------------------------------------------------

    def _checks(self, picture: Tensor) -> tuple[Check, ...]:
        """The result as it is, as 8 bits, and as a photo that is opened anew."""
        file = rounded(picture)
        height, width = picture.shape[-2:]
        found = [
            self._check(f"as computed, {width} x {height} pixels", picture),
            self._check("as an 8-bit PNG, fed directly", file),
        ]
        photo = put_back(self._around, levels(picture), self._corner)
        again = fed_picture(self._scene.network, photo)
        found.append(self._check("saved as a PNG and opened as a photo", again))
        return tuple(found)

    def _check(self, what: str, picture: Tensor) -> Check:
        at = evaluated(self.goal, picture)
        output = self._after(at.output)
        if isinstance(output, ClassOutput):
            share = float(softmax(output.after)[output.top])
            return Check(what, output.name(output.top), share, at.reached)
        words, score = output.at_place(output.after)
        return Check(what, words.rpartition(" ")[0] if score else words, score, at.reached)
