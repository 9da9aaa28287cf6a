"""Without pairs: to the other domain and back, and what the two losses of CycleGAN compare."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from explorer.core.layers import Board, Heat, Pane, Picture, Table
from explorer.core.params import Box, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.networks.generative.shipped import not_shipped
from explorer.views.shared.common import photo_of, size_of
from explorer.views.shared.translation.networks import (
    CYCLE,
    SIDE,
    cut,
    network_of,
    region_frame,
    region_of,
    resized,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.views.shared.translation.networks import Region

EXPLANATION = r"""
CycleGAN learns to translate between two domains $A$ and $B$ from two sets of pictures that **do not
belong together in pairs**: here aerial photos and maps. There are two generators, $G$ from $A$ to
$B$ and $F$ from $B$ to $A$, and a discriminator for each domain.

The discriminators alone only ask that $G(x)$ is like any map. The **cycle loss** asks that the way
back leads to where it began, so that the map must contain what is in the photo:

$$ L_\mathrm{cycle} = | F(G(x)) - x | $$

The **identity loss** asks that a generator leaves alone what already belongs to its own domain:

$$ L_\mathrm{identity} = | F(x) - x | $$

**Reading it.** *A*, *B* and *A again* are the photo, its translation and the way back. The two maps
on the right show both losses for every pixel, as the mean over the colors of the absolute
difference, in levels of 255. A loop that comes back well proves nothing about the map: a generator
can hide in small differences of color what its partner needs, and streets may be drawn where none
are.

*Way* turns the direction: choose a map as the photo for it. The networks take a square of
128 x 128 pixels; drag a *Region* to choose it. They have been trained on one city at one scale.

**Source.** Zhu et al. 2017, *Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial
Networks*, sections 3.1, 3.2 and 5.2.
"""

THERE, BACK = "photo, map, photo", "map, photo, map"
WAYS = {THERE: ("Photo", "Map"), BACK: ("Map", "Photo")}
FRAME = "region"
FULL = 128.0
"""Difference in levels of 255 that is shown in the brightest color."""


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    way: str = param(
        THERE, "Way", "The domain to begin with; the photo is taken as a picture of it.",
        choices=tuple(WAYS),
    )  # fmt: skip
    box: Box | None = param(
        None, "Region", "The part of the photo that is translated, the largest square in the box "
        "that you drag. By default the one in the middle.",
        pick=Pick.DRAG, pane="image",
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A square of the photo on its way; without the network there is a note and nothing else.

    Attributes:
        photo: The whole photo.
        region: What is translated.
        pictures: At the beginning, in the other domain, back again, and from the generator that
            leads to its own domain, (SIDE, SIDE, 3) each.
        cycle: (SIDE, SIDE) float32, the mean absolute difference of the third to the first, of 255.
        identity: The same of the fourth.
        note: What is missing.
    """

    photo: Picture
    region: Region
    pictures: tuple[Picture, ...] = ()
    cycle: Float32 | None = None
    identity: Float32 | None = None
    note: str = ""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    photo = photo_of(scene)
    region = region_of(photo.rgb, params.box, 1.0, square=True)
    networks: Any = network_of(CYCLE)
    if networks is None:
        yield Step(
            Result(
                photo, region, note=f"{not_shipped(CYCLE)} Image translation has networks that are."
            )
        )
        return
    there, back = networks.to_map, networks.to_photo
    if params.way == BACK:
        there, back = back, there
    given = resized(cut(photo.rgb, region), SIDE, SIDE)
    other = translated(there, given)
    again, same = translated(back, other), translated(back, given)
    names = ("A", "B", "A again", "identity")
    pictures = zip(names, (given, other, again, same), strict=True)
    shown = tuple(Picture(pixels, name=name) for name, pixels in pictures)
    yield Step(Result(photo, region, shown, difference(again, given), difference(same, given)))


def difference(one: UInt8, other: UInt8) -> Float32:
    """(H, W) float32: the mean over the colors of the absolute difference, of 255."""
    apart: Float32 = np.abs(one.astype(np.float32) - other.astype(np.float32)).mean(axis=2)
    return apart


def draw(result: Result, params: Params) -> Board:
    frame = region_frame(result.region)
    panes = [
        Pane("image", size_of(result.photo), (result.photo, frame), title="Photo: drag a region")
    ]
    if result.cycle is None or result.identity is None:
        return Board(panes=tuple(panes), summary=f"{CYCLE} has no weights", notes=(result.note,))
    first, second = WAYS[params.way]
    titles = (f"A: {first.lower()}", f"B: {second.lower()}", "A again", "A to A")
    panes += [
        Pane(picture.name, size_of(picture), (picture,), title=title, frame=FRAME)
        for title, picture in zip(titles, result.pictures, strict=True)
    ]
    losses = (("cycle", "Cycle loss", result.cycle), ("loss", "Identity loss", result.identity))
    panes += [
        Pane(
            name, (float(SIDE), float(SIDE)),
            (Heat(values, 0.0, FULL, unit="of 255", name=name),), title=title, frame=FRAME,
        )
        for name, title, values in losses
    ]  # fmt: skip
    rows = tuple((title, round(float(values.mean()), 2)) for _, title, values in losses)
    cycle, identity = (float(values.mean()) for _, _, values in losses)
    return Board(
        panes=tuple(panes),
        tables=(Table("losses", ("loss", "mean difference, of 255"), rows, title="Losses"),),
        summary=f"{first} to {second.lower()} and back: cycle loss {cycle:.1f}, identity loss "
        f"{identity:.1f} of 255",
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """The pictures and losses; empty without the network.

    Keys: `region` (4,) x0, y0, x1, y1 in the photo; `given`, `translated`, `again`, `identity`
    (128, 128, 3) uint8; `cycle_loss` and `identity_loss` (128, 128) float32, of 255.
    """
    if result.cycle is None or result.identity is None:
        return {}
    names = ("given", "translated", "again", "identity")
    found: dict[str, Any] = {
        name: picture.rgb for name, picture in zip(names, result.pictures, strict=True)
    }
    return found | {
        "region": result.region,
        "cycle_loss": result.cycle,
        "identity_loss": result.identity,
    }


VIEW = View(
    name="cycle_translation",
    title="Cycle translation",
    group=Group.GENERATIVE,
    summary="CycleGAN: a photo becomes a map and a photo again; both losses as pictures.",
    explanation=EXPLANATION,
    reference="Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent "
    "Adversarial Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    needs=Needs.PHOTO,
    data=data,
)
