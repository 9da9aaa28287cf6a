"""A mask from a box: GrabCut, watershed, the network's own, and one that is edited by hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np

from explorer.core.layers import Board, Boxes, Layer, Masks, Pane, Plot, Table, Text
from explorer.core.params import Box, Effect, Mask, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.images.outlines import run_lengths
from explorer.images.pixels import shrunk
from explorer.saving.masks import IndexedMask
from explorer.views.shared.anchors import BLUE, GREEN, ORANGE, WHITE, same
from explorer.views.shared.common import class_name, percent, photo_of, size_of
from explorer.views.shared.detections import detected
from explorer.views.shared.draw_cache import DrawCache
from explorer.vision.classic.box_masks import (
    BACKGROUND,
    OBJECT,
    enlarged,
    grab_cut,
    watershed,
)
from explorer.vision.detection.boxes import iou_matrix
from explorer.vision.features.segmentation import in_photo, segmentation_of

if TYPE_CHECKING:
    from collections.abc import Generator

    from numpy.typing import NDArray

    from explorer.core.layers import Color, Picture
    from explorer.engine.scene import Scene

    Pixels = NDArray[np.bool_]

EXPLANATION = r"""
Ground-truth masks are drawn fastest from a **box** around the object. Draw one on the photo (the
handles and the arrow keys adjust it); three methods propose a mask:

- **GrabCut** describes the colors inside and outside of the box by two mixtures of Gaussians, and
  finds the cut between object and background with the least energy: unlikely colors cost, and so
  does every border between similar colors. Mixtures and cut take turns for some rounds.

$$ E(\alpha) = \sum_n U(\alpha_n, z_n) + \gamma \!\! \sum_{(m, n) \in C} \! V_{mn} $$

$$ V_{mn} = [\alpha_m \ne \alpha_n] \, \exp(-\beta \| z_m - z_n \|^2) $$

- **Watershed** floods the photo from two basins, the middle of the box and everything outside of
  it; they meet where the colors change most.
- The **network**: of an instance segmentation network the instance whose box has the highest IoU
  with yours, of a semantic one the most frequent class inside the box.

**Editing.** Choose the *Method* to begin with. On the right pane the brush adds pixels of the
object or of the background (E erases strokes, [ and ] change the size), and a *Polygon* adds or
removes an area. Undo (Ctrl+Z) takes back each stroke. *Strokes guide the methods* gives the strokes
to GrabCut and watershed as known pixels: a few of them correct whole regions.

**Reading it.** The table has the intersection over union of any two masks, while you paint:

$$ \mathrm{IoU}(A, B) = \frac{|A \, \cap \, B|}{|A \, \cup \, B|} $$

The edited mask is exported as an indexed PNG or as COCO.

**Sources.** Rother, Kolmogorov and Blake 2004, *GrabCut*, section 3; Meyer 1992, *Color image
segmentation* (watershed by flooding); He et al. 2017, *Mask R-CNN*.
"""

GRAB_CUT, WATERSHED, NETWORK, NOTHING = "GrabCut", "watershed", "network", "nothing"
EDITED, LOADED = "edited", "from the file"
ADDS, REMOVES = "adds", "removes"
COLORS: dict[str, Color] = {
    GRAB_CUT: GREEN, WATERSHED: BLUE, NETWORK: ORANGE, EDITED: (255, 60, 170), LOADED: WHITE,
}  # fmt: skip
DRAW_A_BOX = "Draw a box around an object: the middle of the photo is used until then."


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    box: Box | None = param(
        None, "Box", "Draw it around the object; arrow keys move it, with Ctrl they resize it.",
        pick=Pick.DRAG, pane="image",
    )  # fmt: skip
    method: str = param(
        GRAB_CUT, "Method", "The mask that the editing begins with.",
        effect=Effect.DRAW, choices=(GRAB_CUT, WATERSHED, NETWORK, NOTHING),
    )  # fmt: skip
    strokes: Mask | None = param(
        None, "Brush", "Adds pixels of the object or of the background to the mask.",
        pick=Pick.BRUSH, pane="result", choices=("object", "background"),
    )  # fmt: skip
    polygon: tuple[Point, ...] = param(
        (), "Polygon", "An area that is added to the mask, or removed from it.",
        effect=Effect.DRAW, pick=Pick.POLYGON, pane="result", most=500,
    )  # fmt: skip
    polygon_does: str = param(
        ADDS, "The polygon", "Whether its area is added to the mask or removed.",
        effect=Effect.DRAW, choices=(ADDS, REMOVES), when=lambda params, _: bool(params.polygon),
    )  # fmt: skip
    guided: bool = param(
        False, "Strokes guide the methods",
        "GrabCut and watershed take the strokes as pixels that are known.",
    )  # fmt: skip
    other: Mask | None = param(
        None, "Compare with", "Another mask of the photo, from a file: its IoU is in the table.",
        effect=Effect.DRAW,
    )  # fmt: skip
    opacity: float = param(
        0.5, "Opacity", "Opacity of the edited mask over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0,
    )  # fmt: skip
    rounds: int = param(
        5, "Rounds of GrabCut", "How often colors and cut take turns.", low=1, high=20,
        advanced=True,
    )  # fmt: skip
    core: float = param(
        0.4, "Core of watershed",
        "The part of the box's sides, around its middle, that is the object's basin.",
        low=0.05, high=0.95, step=0.05, advanced=True,
    )  # fmt: skip
    size: int = param(
        512, "Working size", "Longer side of the photo for GrabCut and watershed.",
        low=64, high=2048, step=32, unit="px", log=True, advanced=True,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The masks by name, (H, W) bool in the photo's pixels, for `box` (4,) xyxy.

    `found` says what the network's mask is of; `label` is its class.
    """

    photo: Picture
    box: NDArray[np.float32]
    masks: dict[str, Pixels]
    found: str
    label: str
    drawn: bool
    cache: DrawCache = field(default_factory=lambda: DrawCache(8))

    @property
    def size(self) -> tuple[int, int]:
        """Height and width of the photo."""
        return self.photo.rgb.shape[0], self.photo.rgb.shape[1]


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    photo = photo_of(scene)
    height, width = photo.rgb.shape[:2]
    box = _box(params.box, width, height)
    own, found, label = scene.memo(("own mask", box), lambda: _own_mask(scene, box))
    masks = {} if own is None else {NETWORK: own}

    def step(done: int, total: int) -> Step[Result]:
        shown = np.array(box, np.float32)
        made = Result(photo, shown, dict(masks), found, label, params.box is not None)
        return Step(made, done, total)

    hints = _hints(params, (height, width)) if params.guided else None
    key = ("box masks", box, params.rounds, params.core, params.size)
    kept: dict[str, Pixels] = scene.memo(key, dict)
    if hints is None and kept:
        masks |= kept
        yield step(1, 1)
        return
    small = shrunk(photo.rgb, params.size)
    share = small.shape[1] / width, small.shape[0] / height
    inside = (box[0] * share[0], box[1] * share[1], box[2] * share[0], box[3] * share[1])
    near = None if hints is None else _shrunk(hints, small.shape[:2])
    size, total = (height, width), params.rounds + 1
    masks[WATERSHED] = enlarged(watershed(small, inside, params.core, near), size)
    for done, mask in enumerate(grab_cut(small, inside, params.rounds, near), 2):
        masks[GRAB_CUT] = enlarged(mask, size)
        if done < total:
            yield step(done, total)
    if hints is None:
        kept.update({name: masks[name] for name in (GRAB_CUT, WATERSHED)})
    yield step(total, total)


def _box(box: Box | None, width: int, height: int) -> tuple[float, float, float, float]:
    """The drawn box; before there is one, or where it has no area, the middle of the photo."""
    if box is None or box.x1 - box.x0 < 1 or box.y1 - box.y0 < 1:
        return 0.25 * width, 0.25 * height, 0.75 * width, 0.75 * height
    return box.x0, box.y0, box.x1, box.y1


def _hints(params: Params, size: tuple[int, int]) -> NDArray[np.uint8] | None:
    """(H, W) what the strokes say; None without any."""
    strokes = params.strokes
    if strokes is None or (strokes.height, strokes.width) != size:
        return None
    return strokes.index()


def _shrunk(hints: NDArray[np.uint8], size: tuple[int, ...]) -> NDArray[np.uint8]:
    found = cv2.resize(hints, (size[1], size[0]), interpolation=cv2.INTER_NEAREST)
    return np.asarray(found, np.uint8)


def _own_mask(
    scene: Scene, box: tuple[float, float, float, float]
) -> tuple[Pixels | None, str, str]:
    """The network's mask of what is in the box, in words what it is, and its class."""
    info, size = scene.network.info, scene.image.pixels.shape[:2]
    if info.task == "segmentation":
        height, width = scene.input().shape[-2:]
        found = scene.memo("segmentation", lambda: segmentation_of(scene.output(), (height, width)))
        classes = in_photo(found.classes, scene.frame, size)
        x0, y0, x1, y1 = (round(side) for side in box)
        inside = np.zeros(size, np.bool_)
        inside[max(y0, 0) : max(y1, y0 + 1), max(x0, 0) : max(x1, x0 + 1)] = True
        counts = np.bincount(classes[inside & (classes > 0)], minlength=2)
        if not counts.any():
            return None, "The network predicts no class but the background in the box.", ""
        name = class_name(info.classes, int(counts.argmax()))
        return inside & (classes == counts.argmax()), f"{name}, inside the box", name
    answer = detected(scene)
    if answer.found.masks is None:
        return None, f"{info.title} outputs no masks; choose lite-maskrcnn for one.", ""
    if not len(answer.found):
        return None, "The network detects nothing in this photo.", ""
    overlap = iou_matrix(np.array([box], np.float32), answer.found.xyxy)[0]
    best = int(overlap.argmax())
    if overlap[best] <= 0:
        return None, "The network detects nothing in the box.", ""
    name = class_name(info.classes, int(answer.found.labels[best]))
    reaching = (answer.found.masks[best] >= 128).astype(np.int32)
    words = f"{name} {answer.found.scores[best]:.2f}, box IoU {overlap[best]:.2f}"
    return in_photo(reaching, scene.frame, size) > 0, words, name


def draw(result: Result, params: Params) -> Board:
    edited = _edited(result, params)
    every = {**result.masks, EDITED: edited}
    notes = () if result.drawn else (DRAW_A_BOX,)
    if params.other is not None:
        if (params.other.height, params.other.width) == result.size:
            every[LOADED] = params.other.index() > 0
        else:
            notes = (*notes, "The mask to compare with has another size than the photo.")
    if NETWORK not in result.masks:
        notes = (*notes, result.found)
    return Board(
        panes=(_outlines_pane(result), _result_pane(result, params, edited)),
        plots=(_areas(every, result.size),),
        tables=(_table(every),),
        summary=_summary(every, result),
        notes=notes,
    )


def _edited(result: Result, params: Params) -> Pixels:
    """The method's mask, then the polygon, then the strokes."""
    return result.cache.get(("edited", _edits(params)), lambda: _edit(result, params))


def _edits(params: Params) -> tuple[object, ...]:
    """All that the edited mask depends on."""
    return params.method, params.polygon, params.polygon_does, params.strokes


def _edit(result: Result, params: Params) -> Pixels:
    none = np.zeros(result.size, np.bool_)
    mask = result.masks.get(params.method, none).copy()
    if len(params.polygon) > 2:
        area = none.astype(np.uint8)
        # Corners of pixels to sixteenths; a pixel counts from its center on.
        corners = [[(p.x - 0.5) * 16, (p.y - 0.5) * 16] for p in params.polygon]
        cv2.fillPoly(area, [np.array(corners).round().astype(np.int32)], (1,), shift=4)
        mask[area > 0] = params.polygon_does == ADDS
    strokes = _hints(params, result.size)
    if strokes is not None:
        mask[strokes == OBJECT] = True
        mask[strokes == BACKGROUND] = False
    return mask


def _outlines_pane(result: Result) -> Pane:
    size = size_of(result.photo)
    layers: list[Layer] = [result.photo]
    for name, mask in result.masks.items():
        index = result.cache.get(("index", name), lambda mask=mask: _index(mask))  # type: ignore[misc]
        tint = np.array([COLORS[name]], np.uint8)
        layers.append(Masks(index, tint, (name,), opacity=0.0, name=name))
    if not result.drawn:
        layers.append(
            Boxes(
                result.box[None], same(WHITE, 1), width=2.0, dotted=True, selectable=False,
                name="box",
            )
        )  # fmt: skip
    words = [f"{name}: {result.found}" if name == NETWORK else name for name in result.masks]
    tints = tuple(COLORS[name] for name in result.masks)
    layers.append(Text("\n".join(words), (0.0, size[1]), size=9.0, swatches=tints, name="key"))
    return Pane("image", size, tuple(layers), title="Box and proposed masks")


def _result_pane(result: Result, params: Params, edited: Pixels) -> Pane:
    size = size_of(result.photo)
    index = result.cache.get(("edited index", _edits(params)), lambda: _index(edited))
    tint = np.array([COLORS[EDITED]], np.uint8)
    mask = Masks(index, tint, (EDITED,), opacity=params.opacity, name="edited")
    return Pane("result", size, (result.photo, mask), title=f"Edited, from {params.method}")


def _index(mask: Pixels) -> NDArray[np.int32]:
    return np.where(mask, np.int32(0), np.int32(-1))


def mask_iou(one: Pixels, other: Pixels) -> float:
    """Intersection over union; two empty masks have 1."""
    union = int((one | other).sum())
    return float((one & other).sum() / union) if union else 1.0


def _table(every: dict[str, Pixels]) -> Table:
    rows: tuple[tuple[str | float, ...], ...] = tuple(
        (name, int(mask.sum()), *(round(mask_iou(mask, other), 3) for other in every.values()))
        for name, mask in every.items()
    )
    columns = ("mask", "pixels", *(f"IoU, {name}" for name in every))
    swatches = tuple(COLORS[name] for name in every)
    return Table("masks", columns, rows, title="IoU of any two masks", swatches=swatches)


def _areas(every: dict[str, Pixels], size: tuple[int, int]) -> Plot:
    whole = size[0] * size[1]
    bars = tuple((name, mask.sum() / whole, COLORS[name]) for name, mask in every.items())
    return Plot("areas", "Area of the photo", bars=bars, bar_range=(0.0, 1.0))


def _summary(every: dict[str, Pixels], result: Result) -> str:
    edited = every[EDITED]
    words = f"Edited mask: {edited.sum():,} pixels ({percent(float(edited.mean()))})"
    rivals = [name for name in (NETWORK, GRAB_CUT, WATERSHED, LOADED) if name in every]
    for name in rivals[:2]:
        words += f", IoU {mask_iou(edited, every[name]):.2f} with {name}"
    return words


def data(result: Result, params: Params) -> dict[str, Any]:
    """The edited mask, and how far all agree.

    Keys: `boxes` (1, 4) xyxy around the edited mask in the photo's pixels (empty without a pixel),
    `labels` its class by the network or "object", `segmentations` its run lengths, `mask` (H, W)
    bool; `names` of all masks and `iou` (N, N) of any two, `box` (4,) that was drawn.
    """
    edited = _edited(result, params)
    every = {**result.masks, EDITED: edited}
    ys, xs = np.flatnonzero(edited.any(axis=1)), np.flatnonzero(edited.any(axis=0))
    there = len(ys) > 0
    corners = [[xs[0], ys[0], xs[-1] + 1, ys[-1] + 1]] if there else []
    return {
        "boxes": np.array(corners, np.float32).reshape(-1, 4),
        "labels": (result.label or "object",) if there else (),
        "segmentations": [run_lengths(edited)] if there else [],
        "mask": edited,
        "names": tuple(every),
        "iou": np.array([[mask_iou(a, b) for b in every.values()] for a in every.values()]),
        "box": result.box,
    }


def mask(result: Result, params: Params) -> IndexedMask:
    """The edited mask: 1 is the object."""
    name = result.label or "object"
    return IndexedMask(_edited(result, params).astype(np.uint8), {0: "background", 1: name})


VIEW = View(
    name="mask_from_box",
    title="Box to mask",
    group=Group.SEGMENTATION,
    summary="Draw a box: GrabCut, watershed and the network propose a mask, which can be edited.",
    explanation=EXPLANATION,
    reference="Rother, Kolmogorov and Blake 2004, GrabCut",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"detection", "segmentation"}),
    begins_with="lite-maskrcnn",
    data=data,
    mask=mask,
    live=False,
)
