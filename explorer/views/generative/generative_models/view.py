"""A variational autoencoder and an autoregressive network at work on a face, beside a GAN."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch

from explorer.core.layers import Board, Boxes, Heat, Pane, Picture, Table
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.evaluation.generated.pictures import diversity, sharpness, to_pixels
from explorer.networks.generative import shipped
from explorer.networks.generative.autoencoder import LATENT, SIDE
from explorer.networks.generative.pixel_cnn import SIDE as PIXEL_SIDE
from explorer.views.generative.generative_models import parts
from explorer.views.generative.generative_models.params import (
    COMPLETION,
    FAMILIES,
    INTERPOLATION,
    RECONSTRUCTION,
    Params,
)
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.learning.charts import blank_pane
from explorer.views.shared.sheets import Sheet, sheet_pane
from explorer.vision.latent.completion import completing

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.core.layers import Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.networks.generative.autoencoder import FaceAutoencoder
    from explorer.networks.generative.pixel_cnn import PixelNetwork
    from explorer.networks.generative.shipped import Shipped

EXPLANATION = r"""
Three families of networks make pictures, here trained on the same small photos of faces. A **GAN**
turns random numbers into pictures; *GAN training* and *Latent space* show it. The other two are
below.

**A variational autoencoder** (VAE) has an encoder that gives a normal distribution of latents for a
picture, and a decoder that gives a distribution of pictures for a latent. It is trained on a bound
of the likelihood: how well the picture is decoded, and how far its latents are from random ones.

$$ \begin{aligned} -\log p(x) \le \; & \mathrm{E}_{q} \left[ -\log p(x|z) \right] \\
& + \mathrm{KL}(q(z|x) \, \| \, p(z)) \end{aligned} $$

*Reconstruction* decodes the mean latent of your face. It is soft: the decoder gives the mean of
all pictures that a latent may stand for. *Interpolation* goes in equal steps from one latent to
another; the row below mixes the pixels instead, which gives two faces at once. The *latent plane*
changes two of the 96 numbers of your latent from -3 to 3, in the frame your own picture.

**An autoregressive network** gives the distribution of a pixel from those above it and to its left,
so the likelihood of a picture is a product, and known exactly:

$$ p(x) = \prod_i p(x_i \, | \, x_1 \ldots x_{i-1}) $$

*Completion* keeps the upper part of your photo, in 32 x 32 pixels, and draws the others one by one,
four times with other random numbers. The map shows how many bits each pixel of the photo takes: the
network did not expect the bright ones.

*Three families* stand beside each other. **Sharpness** is the mean difference of neighboring
pixels; **diversity** the difference of two samples, as a measure of how much of the data is
covered. **Likelihood** is in bits for each value of a pixel, 8 for a network that knows nothing;
that of a VAE is an upper bound. A GAN has none: it gives samples, no probability of a picture. The
networks have pictures of different sizes, so compare each with the real ones of its size.

The samples show no person. The networks were trained on few faces of little variety: another
person, hat or pose comes back as a face that they know.

**Sources.** Kingma and Welling 2014; Oord et al. 2016, *PixelCNN*; Salimans et al. 2017,
*PixelCNN++*; Karras et al. 2020, *StyleGAN2*.
"""

VAE, PIXELS, GAN = "mini-vae-faces", "mini-pixel-faces", "mini-gan-faces"
COMPLETIONS, SAMPLES, DRAWN = 4, 36, 4
"""Pictures that are completed at once; samples of each family, and of the autoregressive one."""
PER_STEP = 16
"""Pixels that are drawn between two results."""
MOST_BITS = 24.0
"""Of a pixel with three values in the map: those of a network that knows nothing."""
BETTER = {
    GAN: "none: it gives samples, no probability",
    VAE: "upper bound",
    PIXELS: "exact",
}


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What was made.

    Attributes:
        show: The parameter of that name.
        missing: The network that is not there; "" = it is.
        sheets: What is shown.
        bits: (R, R) float32 of every pixel of the photo, beside a completion.
        frame: The picture of the latent plane with a frame around it; -1 = none.
        rows: Of the table of families, in the order of its columns.
        numbers: Figures by name, such as the bits per value of a reconstruction.
        notes: Sentences about the face.
    """

    show: str
    missing: str = ""
    sheets: tuple[Sheet, ...] = ()
    bits: Float32 | None = None
    frame: int = -1
    rows: tuple[tuple[str | float, ...], ...] = ()
    numbers: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    cache: DrawCache = field(default_factory=DrawCache)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    if params.show == FAMILIES:
        yield from _families(scene, params)
        return
    name = PIXELS if params.show == COMPLETION else VAE
    if name not in shipped.names():
        yield Step(Result(params.show, name))
    elif params.show == COMPLETION:
        yield from _completion(scene, params, cast("PixelNetwork", _loaded(scene, name).module))
    else:
        network = cast("FaceAutoencoder", _loaded(scene, name).module)
        yield Step(_with_autoencoder(scene, params, network))


def _loaded(scene: Scene, name: str) -> Shipped:
    return scene.memo(("shipped", name), lambda: shipped.load(name))


def _with_autoencoder(scene: Scene, params: Params, network: FaceAutoencoder) -> Result:
    own, notes = parts.own_face(scene.image.pixels, params.face, SIDE)
    if params.show == RECONSTRUCTION:
        found = parts.reconstruction(network, own, scene.seed)
        apart = np.abs(own.astype(np.float32) - found.made)
        sheet = Sheet(
            "reconstruction", "Photo and reconstruction", np.concatenate([own, found.made]), 2,
            ("photo", "reconstruction"),
        )  # fmt: skip
        numbers = {
            "bits per value": found.values + found.latent,
            "of these for the latent": found.latent,
            "mean error (of 255)": float(apart.mean()),
        }
        return Result(
            params.show, sheets=(sheet,), bits=apart[0].mean(axis=2), numbers=numbers, notes=notes
        )
    if params.show == INTERPOLATION:
        other = None
        if params.other is not None:
            other, more = parts.own_face(scene.image_of(params.other).pixels, None, SIDE)
            notes += tuple(note for note in more if note not in notes)
        made, mixed = parts.interpolation(network, own, other, scene.generator())
        labels = tuple(f"{part:.0%}" for part in np.linspace(0, 1, len(made)))
        return Result(
            params.show,
            sheets=(
                Sheet("latents", "Between the latents", made, 5, labels),
                Sheet("pixels", "Between the pixels", mixed, 5, labels),
            ),
            notes=notes,
        )
    plane = parts.latent_plane(network, own, params.across, params.down)
    title = f"Latents {params.across} (across) and {params.down} (down), -3 to 3"
    sheet = Sheet("latent plane", title, plane, parts.SIDES)
    return Result(params.show, sheets=(sheet,), frame=len(plane) // 2, notes=notes)


def _completion(
    scene: Scene, params: Params, network: PixelNetwork
) -> Generator[Step[Result], Any, None]:
    own, notes = parts.own_face(scene.image.pixels, params.face, PIXEL_SIDE)
    bits = parts.bits_of(network, own)
    first = round(params.known / 100 * PIXEL_SIDE)
    pictures = parts.tensor_of(own).repeat(COMPLETIONS, 1, 1, 1)
    pictures[:, :, first:] = -1
    numbers = {"bits per value": float(bits.mean()) / 3}
    drawn, total = 0, (PIXEL_SIDE - first) * PIXEL_SIDE
    labels = ("photo", *(f"completion {number + 1}" for number in range(COMPLETIONS)))

    def result() -> Result:
        made = np.concatenate([own, to_pixels(pictures)])
        title = f"{drawn} of {total} pixels drawn" if drawn < total else "Completed"
        sheet = Sheet("completions", title, made, 3, labels)
        return Result(params.show, sheets=(sheet,), bits=bits, numbers=numbers, notes=notes)

    yield Step(result(), 0, total)
    random = scene.generator()
    for drawn, _ in enumerate(completing(network, pictures, first, random, params.temperature), 1):
        if drawn % PER_STEP == 0 or drawn == total:
            yield Step(result(), drawn, total, f"{drawn} of {total} pixels")


def _families(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    there = [name for name in (GAN, VAE, PIXELS) if name in shipped.names()]
    if not there:
        yield Step(Result(params.show, "the networks of faces"))
        return
    sheets: list[Sheet] = []
    rows: list[tuple[str | float, ...]] = []
    random = scene.generator()
    for name in there:
        loaded = _loaded(scene, name)
        if name != PIXELS:
            made = _samples(loaded.module, name, random)
            sheets.append(Sheet(name, str(loaded.card["title"]), made, 6))
            rows.append(_row(loaded, name, sharpness(made), diversity(made)))
            continue
        pictures = torch.full((DRAWN, 3, PIXEL_SIDE, PIXEL_SIDE), -1.0)
        network = cast("PixelNetwork", loaded.module)
        total = PIXEL_SIDE * PIXEL_SIDE
        before = tuple(sheets)
        for number, _ in enumerate(completing(network, pictures, 0, random, params.temperature), 1):
            if number % PER_STEP and number != total:
                continue
            made = to_pixels(pictures)
            done = number == total
            sheet = Sheet(name, str(loaded.card["title"]), made, 2)
            row = _row(
                loaded, name, sharpness(made) if done else "", diversity(made) if done else ""
            )
            yield Step(
                Result(params.show, sheets=(*before, sheet), rows=(*rows, row)), number, total,
                f"pixel {number} of {total}",
            )  # fmt: skip
        return
    yield Step(Result(params.show, sheets=tuple(sheets), rows=tuple(rows)))


@torch.no_grad()
def _samples(module: Any, name: str, random: torch.Generator) -> UInt8:
    size = module.size if name == GAN else LATENT
    latents = torch.randn(SAMPLES, size, generator=random)
    return to_pixels(module(latents)) if name == GAN else parts.decoded(module, latents)


def _row(loaded: Shipped, name: str, sharp: float | str, diverse: float | str) -> tuple[Any, ...]:
    known = parts.figures(loaded.card)
    bits = next((value for key, value in known.items() if key.startswith("bits per value")), "")

    def shown(value: float | str | None) -> float | str:
        return round(value, 2) if isinstance(value, float) else value or ""

    return (
        str(loaded.card["title"]), shown(sharp), shown(known.get("sharpness of real faces")),
        shown(diverse), shown(known.get("diversity of real faces")), shown(bits), BETTER[name],
    )  # fmt: skip


def draw(result: Result, params: Params) -> Board:
    if result.missing:
        words = f"{shipped.not_shipped(result.missing)} Choose what another network shows."
        pane = blank_pane("samples", result.show, f"{result.missing} is not there")
        return Board((pane,), summary=words, notes=(words,))
    summary = " · ".join(
        [result.show, *(f"{name} {value:.3g}" for name, value in result.numbers.items())]
    )
    panes = result.cache.get("panes", lambda: _panes(result))
    return Board(panes, tables=_tables(result), summary=summary, notes=result.notes)


def _panes(result: Result) -> tuple[Pane, ...]:
    found = [sheet_pane(sheet) for sheet in result.sheets]
    if result.bits is not None:
        completion = result.show == COMPLETION
        high = MOST_BITS if completion else 255.0
        heat = Heat(
            result.bits, 0.0, high, colormap="magma", extent=(0.0, 0.0, 640.0, 640.0),
            unit="bits" if completion else "of 255", name="bits" if completion else "error",
        )  # fmt: skip
        title = "Bits of the photo's pixels" if completion else "Difference"
        found.append(Pane(heat.name, (640.0, 640.0), (heat,), title=title, frame=heat.name))
    if result.frame >= 0:
        found = [_framed(found[0], result.frame)]
    return tuple(found)


def _framed(pane: Pane, place: int) -> Pane:
    """A frame around a picture of a square sheet: the plane goes through the photo's own latent."""
    (picture,) = (layer for layer in pane.layers if isinstance(layer, Picture))
    side = pane.size[0] / parts.SIDES
    row, column = divmod(place, parts.SIDES)
    box = np.array([(column, row, column + 1, row + 1)], np.float32) * side
    frame = Boxes(
        box, np.array([(255, 160, 40)], np.uint8), width=3.0, selectable=False, name="your latent"
    )
    return Pane(
        pane.name, pane.size, (picture, frame), title=pane.title, frame=pane.frame,
        readout=pane.readout,
    )  # fmt: skip


def _tables(result: Result) -> tuple[Table, ...]:
    if not result.rows:
        return ()
    columns = (
        "network", "sharpness", "of real faces", "diversity", "of real faces ", "bits per value",
        "likelihood",
    )  # fmt: skip
    return (Table("families", columns, result.rows, title="Three families"),)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The pictures, under the names of their panes: (N, R, R, 3) uint8; the figures by name.

    Also `bits` (32, 32) float32 of a completion, or the mean difference (64, 64) of a
    reconstruction.
    """
    found: dict[str, Any] = {sheet.name: sheet.pictures for sheet in result.sheets}
    found |= result.numbers
    if result.bits is not None:
        found["bits" if result.show == COMPLETION else "difference"] = result.bits
    return found


VIEW = View(
    name="generative_models",
    title="VAE and autoregressive",
    group=Group.GENERATIVE,
    summary="Reconstructs, interpolates and completes your own face; three families beside each "
    "other.",
    explanation=EXPLANATION,
    reference="Kingma and Welling 2014, Auto-Encoding Variational Bayes",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    live=False,
    film=True,
    needs=Needs.PHOTO,
)
