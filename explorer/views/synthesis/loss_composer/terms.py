"""The terms that a composed objective may have, and what each is made of."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import torch

from explorer.core.errors import ExplorerError
from explorer.core.params import Effect, param
from explorer.views.shared.synthesis.dreams import label_choices, layer_param
from explorer.vision.adversarial.boxes import BoxGoal, require_attackable
from explorer.vision.synthesis import objectives
from explorer.vision.synthesis.objectives import Objective

if TYPE_CHECKING:
    from torch import Tensor, nn

    from explorer.core.network_info import NetworkInfo
    from explorer.vision.synthesis.target import Target

CHANNEL, NEURON, LAYER = "channel", "neuron", "layer"
DIRECTION = "direction of the other photo"
BOX = "class score of the box"
LOGIT, PROBABILITY, SCORES = "class logit", "class probability", "all class scores"
FEATURES, STYLE = "features of the other photo", "style of the style picture"
VARIATION, NORM, ORIGINAL = "total variation", "alpha-norm", "distance to the photo"

SMALL = (FEATURES, STYLE, VARIATION, NORM, ORIGINAL)
"""Terms that are made small; all others are made large."""

_ANY = (CHANNEL, NEURON, LAYER, DIRECTION)
_CLASSIFIER = (LOGIT, PROBABILITY, SCORES)


def kinds(info: NetworkInfo) -> tuple[str, ...]:
    """Those that a network has."""
    classes = _CLASSIFIER if info.task == "classification" else ()
    boxes = (BOX,) if info.task == "detection" else ()
    return (*_ANY, *classes, *boxes, *SMALL)


@dataclass(frozen=True, slots=True)
class Term:
    """One row of the composer."""

    kind: str = param(LAYER, "Term", "What counts.", effect=Effect.STEER, choices=kinds)
    layer: str = layer_param()
    channel: int = param(
        0, "Channel", "Of a channel or neuron.", effect=Effect.STEER, low=0, high=10000
    )
    label: str = param(
        "",
        "Class",
        "Of a class logit or probability, or of the box.",
        effect=Effect.STEER,
        choices=label_choices,
    )
    weight: float = param(
        1.0, "Weight", "Factor of the term; a negative one turns it around.", effect=Effect.STEER,
        low=-1000.0, high=1000.0, step=0.001, log=True,
    )  # fmt: skip


@dataclass(slots=True, eq=False)
class Material:
    """The pictures that terms compare with; what layers give for them is worked out once.

    Attributes:
        target: The network.
        info: Its facts.
        photo: (1, C, H, W) in [0, 1], as large as the picture.
        other: The same of the other photo; None = the photo.
        style: Of any size; None = there is none.
        module: The whole network, for the term of a detector's box.
        box: (4,) xyxy in pixels of the picture; None = there is none.
    """

    target: Target
    info: NetworkInfo
    photo: Tensor
    other: Tensor | None = None
    style: Tensor | None = None
    module: nn.Module | None = None
    box: Tensor | None = None
    _known: dict[tuple[str, str], Tensor] = field(default_factory=dict)

    def objective(self, terms: tuple[Term, ...]) -> Objective:
        """The loss: the sum of all terms, each named by its place and kind.

        Raises:
            ExplorerError: There is no term, or one lacks its picture or its layer.
        """
        if not terms:
            raise ExplorerError("There is no term to optimize.", "Add a term.")
        parts = []
        for number, term in enumerate(terms, 1):
            sign = 1.0 if term.kind in SMALL else -1.0
            found = self._term(term).named(f"{number} {words_of(term)}")
            parts.append(sign * term.weight * found)
        return objectives.total(parts)

    def _term(self, term: Term) -> Objective:
        match term.kind:
            case "channel":
                return objectives.channels(term.layer, (term.channel,))
            case "neuron":
                return objectives.neuron(term.layer, term.channel)
            case "layer":
                return objectives.energy(term.layer)
            case "class logit":
                return objectives.channels(objectives.LOGITS, (self._class(term),))
            case "class probability":
                return objectives.probability(self._class(term))
            case "all class scores":
                return objectives.all_scores()
            case "total variation":
                return objectives.total_variation()
            case "alpha-norm":
                return objectives.alpha_norm()
            case "distance to the photo":
                return objectives.distance(self.photo)
            case "class score of the box":
                return self._boxed(term)
        return self._compared(term)

    def _boxed(self, term: Term) -> Objective:
        """Minus the detector's loss for the box and class, of the picture as it is."""
        if self.box is None or self.module is None:
            raise ExplorerError("There is no box.", "Drag one on the photo under Box.")
        require_attackable(self.module)
        goal = BoxGoal(self.module, self.box, "appear", label=self._class(term))
        return Objective(frozenset(), lambda answers: -goal(answers.picture).loss)

    def _compared(self, term: Term) -> Objective:
        if term.kind == STYLE:
            if self.style is None:
                raise ExplorerError("There is no style picture.", "Choose one under Style picture.")
            return objectives.style_distance(
                term.layer, self._answer("style", self.style, term.layer)
            )
        other = self.photo if self.other is None else self.other
        features = self._answer("other", other, term.layer)
        if term.kind == FEATURES:
            return objectives.feature_distance(term.layer, features)
        mean = features.flatten(2).mean(2)[0] if features.ndim > 2 else features[0]
        return objectives.direction(term.layer, mean)

    def _answer(self, name: str, picture: Tensor, layer: str) -> Tensor:
        if (name, layer) not in self._known:
            with torch.no_grad():
                self._known[name, layer] = self.target.answer(picture, layer).float()
        return self._known[name, layer]

    def _class(self, term: Term) -> int:
        if term.label not in self.info.classes:
            raise ExplorerError("A class term has no class.", "Choose one in its row.")
        return self.info.classes.index(term.label)


def words_of(term: Term) -> str:
    """A few words for curves: what the term is about."""
    match term.kind:
        case "channel" | "neuron":
            return f"{term.layer} {term.kind} {term.channel}"
        case "class logit" | "class probability" | "class score of the box":
            return f"{term.kind} {term.label}"
        case "layer":
            return term.layer
    return term.kind
