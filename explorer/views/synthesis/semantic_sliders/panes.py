"""What is drawn: the three pictures, what the components do, the path of the search, charts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import cv2
import numpy as np

from explorer.core.layers import Boxes, Curve, Pane, Picture, Plot, Table, Text
from explorer.views.shared.common import CROP_COLOR, percent, size_of
from explorer.views.shared.draw_cache import DrawCache

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Extent, Float32, Layer, UInt8
    from explorer.views.synthesis.semantic_sliders.source import Source
    from explorer.vision.latent.faces import Readings
    from explorer.vision.latent.pca import Basis

GAP, CAPTION = 0.06, 0.26
"""Between pictures, and for the words below one, in parts of its longer side."""
SHOWN_DEVIATIONS = 2.0
MOST_ON_PATH = 10
FINE = 128
"""Pictures are enlarged to about this many pixels: bilinear steps of 25 would be seen."""
DARK: Color = (22, 22, 26)
WHITE: Color = (240, 240, 240)
ORANGE: Color = (255, 160, 40)
BLUE: Color = (90, 160, 250)
GREEN: Color = (96, 214, 130)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """A search so far.

    Attributes:
        coefficients: (s, j) float32 after 0, 1, … steps, in standard deviations.
        outputs: (s,) float64 there: the log odds of the class, or the output of a regression.
        name: Of the class; "" = a regression.
        target: What the output should be.
        unit: Of the output of a regression.
    """

    coefficients: Float32
    outputs: NDArray[np.float64]
    name: str
    target: float
    unit: str = ""

    @property
    def values(self) -> NDArray[np.float64]:
        """(s,) what is shown: the probability of the class, or the output of a regression."""
        return 1.0 / (1.0 + np.exp(-self.outputs)) if self.name else self.outputs

    def words(self, row: int) -> str:
        value = float(self.values[row])
        if self.name:
            return percent(value)
        return f"{value:.0f} {self.unit}" if self.unit else f"{value:.4g}"


@dataclass(frozen=True, slots=True, eq=False)
class Aging:
    """What a network reads on the way of a search for an age, and on the straight way beside it.

    Attributes:
        read: Of the pictures of the search, one for each of its steps.
        slid: (n, j) float32 coefficients along the regressed slopes, from the same start.
        slid_read: Of their pictures.
    """

    read: Readings
    slid: Float32
    slid_read: Readings


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """What there is so far.

    Attributes:
        photo: The photo.
        note: What is being done.
        source: Where the components come from; None = they are not there yet, nor is what follows.
        part: (H, W, C) float32 in [0, 1], the region of the photo.
        box: Where it lies, in the photo's pixels.
        projected: (k,) float32, all its coefficients in standard deviations.
        start: (j,) float32, where the sliders and the search start: j components are used.
        detail: (H, W, C) float32, what is added to every picture.
        walk: The search.
        aging: Of a search for an age, what was read on the way.
    """

    photo: Picture
    note: str
    source: Source | None = None
    part: Float32 = field(default_factory=lambda: np.zeros((1, 1, 1), np.float32))
    box: Extent = (0.0, 0.0, 1.0, 1.0)
    projected: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    start: Float32 = field(default_factory=lambda: np.zeros(0, np.float32))
    detail: Float32 = field(default_factory=lambda: np.zeros((1, 1, 1), np.float32))
    walk: Walk | None = None
    aging: Aging | None = None
    cache: DrawCache = field(default_factory=lambda: DrawCache(12))

    @property
    def moment(self) -> int:
        """How far the search is, for what is drawn of it: all its steps share the cache."""
        return 0 if self.walk is None else len(self.walk.outputs)


def picture_of(basis: Basis, coefficients: Float32, detail: Float32 | float = 0.0) -> UInt8:
    """(H, W, 3) uint8 of coefficients in standard deviations."""
    return levels(basis.picture(coefficients) + detail)


def levels(picture: Float32) -> UInt8:
    """(H, W, C) numbers, black 0 and white 1 -> (h, w, 3) uint8, small ones enlarged smoothly."""
    factor = max(1, FINE // max(picture.shape[:2]))
    if factor > 1:
        size = (picture.shape[1] * factor, picture.shape[0] * factor)
        fine = cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC)
        picture = fine.reshape(size[1], size[0], -1).astype(np.float32)
    rounded = (picture.clip(0.0, 1.0) * 255.0).round().astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(rounded, (*picture.shape[:2], 3)))


def rebuilt(result: Result, basis: Basis) -> Float32:
    """(H, W, C) the region made of the components that are used."""
    return basis.picture(result.projected[: len(result.start)])


def error_of(result: Result, basis: Basis) -> float:
    """Root of the mean squared difference of the region and its reconstruction, in levels."""
    return float(np.sqrt(np.square(rebuilt(result, basis) - result.part).mean()) * 255.0)


def changed(result: Result, sliders: Float32) -> Float32:
    """(j,) the coefficients of the large picture."""
    base = result.start if result.walk is None else result.walk.coefficients[-1]
    found = base.copy()
    found[: len(sliders)] += sliders
    return found


def image(result: Result) -> Pane:
    """The photo and its region."""
    layers: tuple[Layer, ...] = (result.photo,)
    if result.source is not None:
        region = Boxes(
            np.array([result.box], np.float32), np.array([CROP_COLOR], np.uint8), dotted=True,
            selectable=False, name="region",
        )  # fmt: skip
        layers = (result.photo, region)
    return Pane("image", size_of(result.photo), layers, title="Photo and its region")


def pictures(result: Result, basis: Basis, sliders: Float32) -> Pane:
    """The changed picture large; beside it the region, and the same rebuilt from its components."""
    height, width = basis.shape[:2]
    unit = float(max(height, width))
    gap, caption = GAP * unit, 0.09 * height
    high = (height - 2 * caption - gap) / 2
    left, right = width + gap, width + gap + high * width / height
    second = high + caption + gap
    return Pane(
        "pictures",
        (right, float(height)),
        (
            _dark(result, right, height),
            _shown(
                result.cache.get(
                    ("changed", result.moment, sliders.tobytes()),
                    lambda: picture_of(basis, changed(result, sliders), result.detail),
                ),
                (0.0, 0.0, float(width), float(height)),
                "changed",
            ),
            _shown(
                result.cache.get("region", lambda: levels(result.part)),
                (left, 0.0, right, high),
                "region",
            ),
            _words("region", left, high),
            _shown(
                result.cache.get("rebuilt", lambda: levels(rebuilt(result, basis))),
                (left, second, right, second + high),
                "reconstruction",
            ),
            _words("rebuilt", left, second + high),
        ),
        title=_title(result, sliders),
        frame="pictures",
    )


def _title(result: Result, sliders: Float32) -> str:
    if result.walk is not None:
        words = result.walk.words(-1)
        name = result.walk.name or ("age" if result.aging is not None else "output")
        return f"Search: {name} {words}" + (", and sliders" if sliders.any() else "")
    return "Changed by the sliders" if sliders.any() else "Picture of the coefficients"


def components(result: Result, basis: Basis, count: int) -> Pane:
    """What each of the first `count` components does: two deviations down and up from the mean."""
    height, width = levels(basis.mean.reshape(basis.shape)).shape[:2]
    unit = max(height, width)
    gap, caption = max(1, round(GAP * unit)), max(1, round(CAPTION * unit))
    step = (2 * width + 2 * gap, height + caption + gap)
    across = min(count, 2 if width > 0.75 * height else 4)
    size = (across * step[0] - 2 * gap, -(-count // across) * step[1] - gap)
    corners = [(place % across * step[0], place // across * step[1]) for place in range(count)]

    def mosaic() -> Picture:
        whole = np.full((size[1], size[0], 3), DARK, np.uint8)
        for place, (x, y) in enumerate(corners):
            along = np.zeros(count, np.float32)
            for side, sign in enumerate((-1.0, 1.0)):
                along[place] = sign * SHOWN_DEVIATIONS
                left = x + side * width
                whole[y : y + height, left : left + width] = picture_of(basis, along)
        return Picture(whole, smooth=True, name="mosaic")

    words = [
        _words(f"{place + 1}: {percent(float(basis.ratios[place]))}", x, y + height)
        for place, (x, y) in enumerate(corners)
    ]
    return Pane(
        "components",
        (float(size[0]), float(size[1])),
        (result.cache.get("components", mosaic), *words),
        title="Components: -2 and +2 deviations",
        frame="components",
    )


def path(result: Result, basis: Basis, walk: Walk) -> Pane:
    """The pictures of the search from its start to where it is."""
    rows = _some(len(walk.outputs))
    words = [f"step {row}\n{walk.words(row)}" for row in rows]
    along = walk.coefficients[rows]
    return _strip(result, basis, along, words, ("path", "Path of the search", result.moment))


def slide(result: Result, basis: Basis, aging: Aging) -> Pane:
    """The pictures along the regressed slopes, and the ages that are read from them."""
    rows = _some(len(aging.slid))
    words = [f"{aging.slid_read.age[row]:.0f} years" for row in rows]
    title = "Sliding along the mean change with age"
    return _strip(result, basis, aging.slid[rows], words, ("slide", title, 0))


def _some(count: int) -> list[int]:
    """Rows that are shown, the first and the last among them."""
    found: list[int] = np.unique(
        np.linspace(0, count - 1, MOST_ON_PATH).round().astype(int)
    ).tolist()
    return found


def _strip(
    result: Result, basis: Basis, along: Float32, words: Sequence[str], name: tuple[str, str, int]
) -> Pane:
    """Pictures of coefficients side by side; `name` of the pane, its title, how far it is."""
    height, width = levels(basis.mean.reshape(basis.shape)).shape[:2]
    unit = max(height, width)
    gap, caption = max(1, round(GAP * unit)), max(1, round(1.5 * CAPTION * unit))
    across = MOST_ON_PATH * (width + gap) - gap

    def strip() -> Picture:
        whole = np.full((height + caption, across, 3), DARK, np.uint8)
        for place, row in enumerate(along):
            left = place * (width + gap)
            whole[:height, left : left + width] = picture_of(basis, row, result.detail)
        return Picture(whole, smooth=True, name="strip")

    captions = [_words(word, place * (width + gap), height) for place, word in enumerate(words)]
    return Pane(
        name[0],
        (float(across), float(height + caption)),
        (result.cache.get((name[0], name[2]), strip), *captions),
        title=name[1],
        frame=name[0],
    )


def _shown(rgb: UInt8, extent: Extent, name: str) -> Picture:
    return Picture(rgb, extent=extent, smooth=True, name=name)


def _dark(result: Result, width: float, height: float) -> Picture:
    dark = result.cache.get("dark", lambda: np.full((1, 1, 3), DARK, np.uint8))
    return Picture(dark, extent=(0.0, 0.0, width, float(height)), name="backdrop")


def _words(words: str, x: float, y: float) -> Text:
    return Text(words, (float(x), float(y)), color=WHITE, size=9.0, plate=False, name="caption")


def variance(basis: Basis, count: int) -> Plot:
    """The part of the variance that the first components explain; its marker is `components`."""
    numbers = np.arange(1.0, len(basis) + 1)
    kept = Curve(numbers, basis.ratios.astype(np.float64).cumsum(), "first components", BLUE)
    each = Curve(numbers, basis.ratios.astype(np.float64), "each component", ORANGE)
    return Plot(
        "variance", "Explained variance", "components", "fraction", curves=(kept, each),
        marker=float(count), steers="components", stop=float(len(basis)),
    )  # fmt: skip


def search_plots(walk: Walk) -> tuple[Plot, ...]:
    """The objective and the output at every step."""
    steps = np.arange(len(walk.outputs), dtype=np.float64)
    distance = Curve(steps, (walk.outputs - walk.target) ** 2, "distance", ORANGE)
    output = Curve(steps, walk.values, "output", GREEN)
    title = f"Probability of {walk.name}" if walk.name else f"Output, target {walk.target:g}"
    word = "probability" if walk.name else "output"
    return (
        Plot("objective", "Squared distance from the target", "step", "", curves=(distance,)),
        Plot("output", title, "step", word, curves=(output,)),
    )


def aging_plots(walk: Walk, aging: Aging) -> tuple[Plot, ...]:
    """Age, gender and points of both ways; the straight one is as long as the search so far."""
    steps = np.arange(len(walk.outputs), dtype=np.float64)
    straight = np.linspace(0, max(1, len(steps) - 1), len(aging.slid))
    parts = (
        ("age", f"Age, target {walk.target:.0f}", "years", aging.read.age, aging.slid_read.age),
        ("gender", "Probability of the class woman", "probability", aging.read.woman,
         aging.slid_read.woman),
        ("points", "Mean shift of the five points", "distances of the eyes", aging.read.moved(),
         aging.slid_read.moved()),
    )  # fmt: skip
    return tuple(
        Plot(
            name, title, "step", unit,
            curves=(Curve(steps, own, "search", GREEN), Curve(straight, beside, "slope", ORANGE)),
        )
        for name, title, unit, own, beside in parts
    )  # fmt: skip


def table(result: Result, basis: Basis, sliders: Sequence[float]) -> Table:
    """The first components with their part of the variance and their coefficients."""
    kept = basis.ratios.cumsum()
    rows = tuple(
        (
            place + 1, round(float(basis.ratios[place]), 4), round(float(kept[place]), 4),
            round(float(result.projected[place]), 3),
            round(float(sliders[place]) if place < len(sliders) else 0.0, 3),
        )
        for place in range(len(basis))
    )  # fmt: skip
    columns = ("component", "variance", "cumulative", "photo (deviations)", "slider")
    return Table("components", columns, rows, title="Components")
