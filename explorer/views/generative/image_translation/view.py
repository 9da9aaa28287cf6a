"""One picture becomes another: larger, in color, a map, or a photo of a drawn map."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from explorer.core.layers import Board, Heat, Layer, Pane, Picture, Table, Text, class_colors
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.networks.generative.shipped import not_shipped
from explorer.training.data.map_pairs import CLASSES
from explorer.views.generative.image_translation.maps import (
    drawing,
    empty_land,
    judged,
    shares,
    square,
)
from explorer.views.generative.image_translation.params import (
    BLANK,
    COLORED,
    LARGER,
    MADE,
    TO_MAP,
    TO_PHOTO,
    Params,
)
from explorer.views.generative.image_translation.photos import colored, enlarged
from explorer.views.shared.common import color, percent, photo_of, size_of
from explorer.views.shared.translation.networks import (
    MAPS,
    cut,
    network_of,
    region_frame,
    region_of,
    translated,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from explorer.core.layers import Extent, Float32, UInt8
    from explorer.engine.scene import Scene
    from explorer.views.shared.translation.networks import Region

EXPLANATION = r"""
A network $G$ **translates** a picture $x$ into a picture $G(x)$ of another kind. It is trained on
pairs of $x$ and the picture $y$ that belongs to it.

**4 x larger** and **gray to color** make their pairs from any photo: it is reduced, or its colors
are removed, and the network has to bring back what is missing. So the truth is known, and the
network's result is shown beside it and beside the plain method: bicubic interpolation, and gray.
The figure of the first is the peak signal-to-noise ratio of values from 0 to 1,

$$ \mathrm{PSNR} = -10 \, \log_{10} \, \mathrm{mean} \, (G(x) - y)^2 $$

in dB: 3 dB more are half of the squared error. Drag a *Region* on the photo to zoom in. Colors are
compared in CIELAB by the difference in $a$ and $b$. The network outputs a probability for each of
289 colors; the *Temperature* $T$ decides which one is taken. At 1 it is their mean, which errs
least and is often grayish; near 0 it is the most probable color.

**Photo to map** and **map to photo** are pix2pix. The discriminator $D$ gets a picture beside its
translation, and the generator is trained with both losses:

$$ L_G = - \log D(x, G(x)) + \lambda \, | y - G(x) | $$

with $\lambda = 100$.

*L1 alone* is the same network without the discriminator: where it is unsure, the mean of all
possible maps is best, and thin streets vanish. **PatchGAN**: $D$ has a score for every patch of
34 x 34 pixels; the map shows the probability that a patch is made, not real.

**Paint** streets, parks, water and highways on the map with the brush: the photo follows. While you
paint, the strokes have the colors of the key; *Input* is the map in its own colors, as the network
gets it. [ and ] change the size of the brush, E erases, Ctrl+Z takes back a stroke.

**U-Net.** The *skip connections* carry the maps of the encoder to the decoder. Switch them off one
by one: without those at 1/2 and 1/4 of the side edges get lost, without the others the layout.
*Dropout as noise* is the only randomness that pix2pix has.

**A caution.** What is added is plausible, not what was there: no evidence can be read from it. The
networks for maps have been trained on aerial photos of one city at one scale; of any other photo
they make a map that means nothing.

**Sources.** Isola et al. 2017, *Image-to-Image Translation with Conditional Adversarial Networks*;
Lim et al. 2017, *Enhanced Deep Residual Networks for Single Image Super-Resolution*; Zhang et al.
2016, *Colorful Image Colorization*.
"""

NAMES = {LARGER: "mini-superres", COLORED: "mini-colorize", TO_MAP: MAPS, TO_PHOTO: MAPS}
MIDDLE = 0.5
"""Of the photo's sides, that is enlarged as long as no region was drawn: details can be seen."""

FRAME = "region"


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """A region of the photo in several forms.

    Attributes:
        photo: The whole photo.
        region: What is translated.
        pictures: With the title of each, in the order of the panes; all of the same part.
        canvas: What is painted on, over `region` of the photo.
        patches: The discriminator's probabilities and where they are on the first picture.
        columns: Of the table.
        rows: Of the table.
        summary: In a line.
        note: What is missing; then there are no pictures.
    """

    photo: Picture
    region: Region
    pictures: tuple[tuple[str, Picture], ...] = ()
    canvas: Picture | None = None
    patches: tuple[Float32, Extent] | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str | int | float, ...], ...] = ()
    summary: str = ""
    note: str = ""


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    pixels = scene.image.pixels
    share = MIDDLE if params.kind == LARGER else 1.0
    region = region_of(pixels, params.box, share, square=params.kind in (TO_MAP, TO_PHOTO))
    begun = Result(photo_of(scene), region)
    name = NAMES[params.kind]
    network: Any = network_of(name)
    if network is None:
        yield Step(
            replace(
                begun,
                summary=f"{name} has no weights",
                note=f"{not_shipped(name)} Choose another translation.",
            )
        )
    elif params.kind == LARGER:
        yield Step(_larger(begun, network, params))
    elif params.kind == COLORED:
        yield Step(_colored(begun, network, params))
    elif params.kind == TO_MAP:
        yield Step(_mapped(begun, network, params, scene))
    else:
        yield Step(_painted(begun, network, params, scene))


def _shown(*pairs: tuple[str, UInt8]) -> tuple[tuple[str, Picture], ...]:
    return tuple((title, Picture(pixels, name=title)) for title, pixels in pairs)


def _larger(begun: Result, network: Any, params: Params) -> Result:
    found = enlarged(network, cut(begun.photo.rgb, begun.region), params.side)
    gain = round(found.made_ratio - found.plain_ratio, 2) + 0.0  # no -0.0
    height, width = found.truth.shape[:2]
    small = Picture(found.small, (0.0, 0.0, float(width), float(height)), name="input")
    rows = (
        ("bicubic", round(found.plain_ratio, 2), 0.0),
        ("network", round(found.made_ratio, 2), gain),
    )
    return replace(
        begun,
        pictures=(
            (f"Input, {found.small.shape[1]} x {found.small.shape[0]}", small),
            *_shown(
                (f"Bicubic, {found.plain_ratio:.2f} dB", found.plain),
                (f"Network, {found.made_ratio:.2f} dB", found.made),
                ("Truth", found.truth),
            ),
        ),
        columns=("method", "PSNR in dB", "over bicubic"),
        rows=rows,
        summary=f"{width} x {height} from {found.small.shape[1]} x {found.small.shape[0]}: "
        f"network {found.made_ratio:.2f} dB, {gain:+.2f} dB over bicubic",
    )


def _colored(begun: Result, network: Any, params: Params) -> Result:
    part = cut(begun.photo.rgb, begun.region)
    found = colored(network, part, params.side, params.temperature)
    return replace(
        begun,
        pictures=_shown(
            ("Input: lightness", found.gray), ("Network", found.made), ("Truth", found.truth)
        ),
        columns=("colors", "RMS error in a, b"),
        rows=(("gray", round(found.gray_error, 2)), ("network", round(found.made_error, 2))),
        summary=f"Error in a, b of CIELAB: network {found.made_error:.1f}, gray "
        f"{found.gray_error:.1f}",
    )


def _mapped(begun: Result, network: Any, params: Params, scene: Scene) -> Result:
    given = square(begun.photo.rgb, begun.region)
    made, plain = (
        translated(each, given, without=params.without, noise=_noise(scene, params))
        for each in (network.to_map, network.to_map_l1)
    )
    counts = [shares(each) for each in (made, plain)]
    return replace(
        begun,
        pictures=_shown(("Map: L1 and GAN", made), ("Map: L1 alone", plain), ("Input", given)),
        patches=judged(network.judges["to_map"], given, made),
        columns=("class", "L1 and GAN", "L1 alone"),
        rows=tuple(
            (name, round(one, 4), round(other, 4))
            for name, one, other in zip(CLASSES, *counts, strict=True)
        ),
        summary=f"Streets: {percent(counts[0][1])} of the map, by L1 alone {percent(counts[1][1])}",
    )


def _painted(begun: Result, network: Any, params: Params, scene: Scene) -> Result:
    pixels, region = begun.photo.rgb, begun.region
    base = scene.memo(
        ("map to paint on", params.base, region), lambda: _base(network, params, pixels, region)
    )
    canvas = drawing(base, params.strokes, region, pixels.shape[:2])
    made = translated(network.to_photo, canvas, without=params.without, noise=_noise(scene, params))
    counts = shares(canvas)
    x0, y0, x1, y1 = region
    return replace(
        begun,
        pictures=_shown(("Photo of the map", made), ("Input: the map", canvas)),
        canvas=Picture(canvas, (float(x0), float(y0), float(x1), float(y1)), name="map"),
        columns=("class", "of the map"),
        rows=tuple((name, round(share, 4)) for name, share in zip(CLASSES, counts, strict=True)),
        summary=", ".join(
            f"{name} {percent(share)}" for name, share in zip(CLASSES, counts, strict=True)
        ),
    )


def _base(network: Any, params: Params, pixels: UInt8, region: Region) -> UInt8:
    if params.base == BLANK:
        return empty_land()
    part = square(pixels, region)
    return translated(network.to_map, part) if params.base == MADE else part


def _noise(scene: Scene, params: Params) -> Any:
    return scene.generator() if params.dropout else None


def draw(result: Result, params: Params) -> Board:
    size = size_of(result.photo)
    frame = region_frame(result.region)
    panes = [Pane("image", size, (result.photo, frame), title="Photo: drag a region")]
    if result.canvas is not None:
        brushes = tuple(map(color, class_colors(256)[1 : 1 + len(CLASSES)]))
        key = Text("\n".join(CLASSES), (0.0, size[1]), size=9.0, swatches=brushes, name="key")
        layers: tuple[Layer, ...] = (result.photo, result.canvas, key)
        panes.append(Pane("drawing", size, layers, title="Map: paint here"))
    panes += _region_panes(result.pictures)
    if result.patches is not None:
        panes.append(_patches(result))
    table = Table("figures", result.columns, result.rows, title="Figures")
    return Board(
        panes=tuple(panes),
        tables=(table,) if result.rows else (),
        summary=result.summary,
        notes=(result.note,) if result.note else (),
    )


def _region_panes(pictures: Sequence[tuple[str, Picture]]) -> list[Pane]:
    size = size_of(pictures[-1][1]) if pictures else (1.0, 1.0)
    return [
        Pane(f"picture {number}", size, (picture,), title=title, frame=FRAME)
        for number, (title, picture) in enumerate(pictures)
    ]


def _patches(result: Result) -> Pane:
    assert result.patches is not None
    picture = result.pictures[0][1]
    values, extent = result.patches
    heat = Heat(
        values, 0.0, 1.0, colormap="viridis", extent=extent, opacity=0.7, unit="P(made)",
        name="patches",
    )  # fmt: skip
    return Pane("patches", size_of(picture), (picture, heat), title="PatchGAN", frame=FRAME)


def data(result: Result, params: Params) -> dict[str, Any]:
    """The pictures and figures.

    Keys: `region` (4,) x0, y0, x1, y1 in the photo; `titles` and, by number, `picture_0` … (h, w,
    3) uint8; `columns` and `rows` of the table; of a photo's map `patches` (h, w) float32, the
    discriminator's probability that a patch is made.
    """
    found: dict[str, Any] = {
        "region": result.region,
        "titles": [title for title, _ in result.pictures],
        "columns": result.columns,
        "rows": result.rows,
    }
    for number, (_, picture) in enumerate(result.pictures):
        found[f"picture_{number}"] = picture.rgb
    if result.patches is not None:
        found["patches"] = result.patches[0]
    return found


VIEW = View(
    name="image_translation",
    title="Image translation",
    group=Group.GENERATIVE,
    summary="A picture becomes another one: 4 x larger, in color, a map, a photo of your own map.",
    explanation=EXPLANATION,
    reference="Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial Networks",
    Params=Params,
    compute=compute,
    draw=draw,
    needs=Needs.PHOTO,
    data=data,
)
