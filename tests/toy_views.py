"""Views that show what the contract offers: a parameter of every kind, and every kind of need.

`EVERY_KIND` can be installed as a plug-in to look at its form.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import numpy as np

from explorer.core.layers import Board, Pane, Picture, Table
from explorer.core.param_forms import text_of
from explorer.core.params import (
    Box,
    Effect,
    FolderRef,
    ImageRef,
    Kind,
    Mask,
    NetworkRef,
    Pick,
    Point,
    param,
    parameters,
)
from explorer.core.step import Step
from explorer.engine.scene import Scene
from explorer.engine.view import Group, Needs, View

EXPLANATION = """
A view for tests. Its parameters are of every kind that a form can show, and its table says what
they hold, so that a person and a test can see whether what was entered arrived. It computes
nothing: the picture is the photo, with the mean of the second photo where there is one. Nothing of
it ships; whoever writes a view can look here for how each kind is declared.
"""


@dataclass(frozen=True, slots=True)
class Term:
    """One row of a list, with fields of several kinds."""

    kind: str = param("channel", "Kind", "What is maximized.", choices=("channel", "logit", "TV"))
    weight: float = param(1.0, "Weight", "How much it counts.", low=-2.0, high=2.0, step=0.1)
    layer: str = param(
        "", "Layer", "Where.", choices=lambda info: info.layer_names(),
        when=lambda row, _: row.kind == "channel",
    )  # fmt: skip
    photo: ImageRef | None = param(None, "Like", "A photo to come near to.")


@dataclass(frozen=True, slots=True)
class EveryKind:
    """A parameter of every kind."""

    switch: bool = param(True, "Switch", "On or off.", section="Numbers and words")
    whole: int = param(3, "Whole number", "From 1 to 9.", low=1, high=9,
                       section="Numbers and words")  # fmt: skip
    number: float = param(
        0.5, "Number", "From 0 to 1.", low=0.0, high=1.0, effect=Effect.DRAW,
        section="Numbers and words",
    )  # fmt: skip
    text: str = param("", "Text", "Any words.", section="Numbers and words")
    choice: str = param(
        "plain", "Choice", "One word; 'fancy' shows one more setting.", choices=("plain", "fancy"),
        section="Numbers and words",
    )  # fmt: skip
    fancy: int | None = param(
        None, "How fancy", "Only where it is fancy.", low=1, high=5, section="Numbers and words",
        when=lambda params, _: params.choice == "fancy",
    )  # fmt: skip
    subset: tuple[str, ...] = param(
        (), "Layers", "Some layers of the network.", choices=lambda info: info.layer_names(),
        section="Numbers and words",
    )  # fmt: skip
    second: ImageRef | None = param(
        None, "Second photo", "Its mean is shown.", section="Other things"
    )
    other: NetworkRef | None = param(
        None, "Other network", "Its title is shown.", section="Other things",
        tasks=frozenset({"classification"}),
    )  # fmt: skip
    ensemble: tuple[NetworkRef, ...] = param(
        (), "Ensemble", "Their titles are shown.", section="Other things", most=3
    )
    folder: FolderRef | None = param(None, "Folder", "Its name is shown.", section="Other things")
    terms: tuple[Term, ...] = param(
        (Term(),), "Terms", "Rows that are added, removed and reordered.", most=4,
        section="Other things",
    )  # fmt: skip
    mask: Mask | None = param(
        None, "Mask", "Paint it on the photo.", pick=Pick.BRUSH, choices=("keep", "remove"),
        pane="image", section="On the photo",
    )  # fmt: skip
    joints: tuple[Point, ...] = param(
        (), "Joints", "Click them on the copy.", pick=Pick.POINTS, pane="copy", most=17,
        section="On the photo",
    )  # fmt: skip
    outline: tuple[Point, ...] = param(
        (), "Outline", "Typed corners.", section="On the photo", advanced=True
    )
    place: Point | None = param(
        None, "Place", "A click.", pick=Pick.CLICK, pane="other", section="On the photo"
    )
    box: Box | None = param(
        None, "Box", "A drag.", pick=Pick.DRAG, pane="other", section="On the photo"
    )
    truth: tuple[Box, ...] = param(
        (), "Ground truth", "Boxes.", pick=Pick.TRUTH, pane="other", section="On the photo"
    )


assert {p.kind for p in parameters(EveryKind)} == set(Kind)


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """`photo` as a layer, and what the references hold."""

    photo: Picture
    titles: tuple[str, ...]


def _photo(scene: Scene) -> Picture:
    return scene.memo("photo", lambda: Picture(scene.image.pixels, smooth=True))


def _every(scene: Scene, params: EveryKind) -> Generator[Step[Shown], Any, None]:
    titles = [scene.network.info.title]
    if params.other is not None:
        titles.append(scene.network_of(params.other).info.title)
    titles += [scene.network_of(ref).info.title for ref in params.ensemble]
    if params.second is not None:
        titles.append(f"mean {scene.image_of(params.second).pixels.mean():.1f}")
    for term in params.terms:
        if term.photo is not None:
            titles.append(f"like {scene.image_of(term.photo).name}")
    yield Step(Shown(_photo(scene), tuple(titles)))


def _draw_every(result: Shown, params: EveryKind) -> Board:
    height, width = result.photo.rgb.shape[:2]
    rows = tuple((p.name, text_of(p, getattr(params, p.name))[:80]) for p in parameters(EveryKind))
    panes = tuple(
        Pane(name, (width, height), (result.photo,)) for name in ("image", "copy", "other")
    )
    return Board(
        panes,
        tables=(Table("values", ("parameter", "value"), rows, title="Values"),),
        summary=" · ".join(result.titles),
    )


EVERY_KIND = View(
    name="every_kind",
    title="Every kind",
    group=Group.OTHER,
    summary="Parameters of every kind, and what they hold.",
    explanation=EXPLANATION,
    reference="None: a view for tests",
    Params=EveryKind,
    compute=_every,
    draw=_draw_every,
)


@dataclass(frozen=True, slots=True)
class Size:
    """The size of a picture that is made of nothing."""

    side: int = param(32, "Side", "Of the square.", low=8, high=64)


def _square(value: int, side: int) -> Picture:
    ramp = np.arange(side * side, dtype=np.int64).reshape(side, side) * 255 // (side * side)
    return Picture(np.repeat(((ramp + value) % 256)[..., None], 3, 2).astype(np.uint8))


def _draw_square(result: Picture, params: Size) -> Board:
    side = result.rgb.shape[0]
    return Board(
        (Pane("square", (side, side), (result,), frame="square"),),
        summary=f"{result.rgb[0, 0, 0]} of {side}",
    )


def _of_nothing(scene: Scene, params: Size) -> Generator[Step[Picture], Any, None]:
    yield Step(_square(params.side * 2, params.side))


def _of_network(scene: Scene, params: Size) -> Generator[Step[Picture], Any, None]:
    yield Step(_square(scene.network.info.parameters, params.side))


def _of_photo(scene: Scene, params: Size) -> Generator[Step[Picture], Any, None]:
    yield Step(_square(int(scene.image.pixels.mean()), params.side))


def _needing(needs: Needs, compute: Any, name: str) -> View[Size, Picture]:
    return View(
        name=name,
        title=name.replace("_", " ").capitalize(),
        group=Group.OTHER,
        summary=f"It needs {needs.value}.",
        explanation=EXPLANATION,
        reference="None: a view for tests",
        Params=Size,
        compute=compute,
        draw=_draw_square,
        live=needs.photo,
        needs=needs,
    )


OF_NOTHING = _needing(Needs.NEITHER, _of_nothing, "of_nothing")
OF_NETWORK = _needing(Needs.NETWORK, _of_network, "of_network")
OF_PHOTO = _needing(Needs.PHOTO, _of_photo, "of_photo")


@dataclass(frozen=True, slots=True)
class TruthParts:
    """The three parts of a photo's ground truth."""

    boxes: tuple[Box, ...] = param((), "Boxes", "Of the objects.", pick=Pick.TRUTH, pane="image")
    mask: Mask | None = param(None, "Mask", "Of the classes.", pick=Pick.TRUTH, pane="copy")
    joints: tuple[Point, ...] = param((), "Joints", "Of a person.", pick=Pick.TRUTH, pane="copy 2")


def _truth(scene: Scene, params: TruthParts) -> Generator[Step[Shown], Any, None]:
    yield Step(Shown(_photo(scene), ()))


def _draw_truth(result: Shown, params: TruthParts) -> Board:
    height, width = result.photo.rgb.shape[:2]
    panes = tuple(
        Pane(name, (width, height), (result.photo,)) for name in ("image", "copy", "copy 2")
    )
    return Board(panes, summary=f"{len(params.boxes)} boxes, {len(params.joints)} joints")


TRUTH_PARTS = View(
    name="truth_parts",
    title="Truth parts",
    group=Group.OTHER,
    summary="Boxes, mask and joints of the photo.",
    explanation=EXPLANATION,
    reference="None: a view for tests",
    Params=TruthParts,
    compute=_truth,
    draw=_draw_truth,
)


def every_toy() -> tuple[View[Any, Any], ...]:
    return (EVERY_KIND, OF_NOTHING, OF_NETWORK, OF_PHOTO, TRUTH_PARTS)
