"""HOG from the gradients to the detector: cells, blocks, the SVM's template, scores over scales."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board
from explorer.core.listing import quantity
from explorer.core.params import Effect, FolderRef, Pick, Point, param
from explorer.core.step import Step
from explorer.engine.view import Group, Needs, View
from explorer.views.classic.hog import charts, panes
from explorer.views.classic.hog.panes import GLYPHS, MAPS
from explorer.views.classic.hog.result import (
    CORNERS,
    Cell,
    Result,
    Window,
    cell_at,
    chosen_window,
    shown_level,
    strongest_cell,
)
from explorer.views.shared.common import photo_of
from explorer.views.shared.hog.templates import template_pane, window_pane
from explorer.vision.hog.detector import best_map, crop, kept, levels, scales_of, windows
from explorer.vision.hog.features import NORMS, PAPER, Settings, cell_means, describe
from explorer.vision.hog.files import template_in
from explorer.vision.hog.template import TEMPLATES

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.engine.scene import Scene
    from explorer.vision.hog.detector import Level
    from explorer.vision.hog.features import Norm
    from explorer.vision.hog.template import Template

EXPLANATION = r"""
**Histograms of oriented gradients** describe a window of the photo by the directions of its edges.
With a linear SVM they were the standard detector of people before convolutional networks.

**Gradients.** At every pixel the differences of its neighbors give a magnitude $m$ and a direction
$\theta$, in the color channel where $m$ is largest. The photo is divided into **cells** of 8 x 8
pixels. A pixel votes for the direction of its gradient, in one of 9 bins of 20°, with the weight
$m$; the vote is divided between the two nearest bins. A glyph shows the histogram of a cell: one
line for each bin, along the edge, as bright as the bin is high.

**Blocks.** The magnitude depends on the light. So the four cells of a **block** are normalized
together; pixels in the middle of the block count more, and a pixel's vote is divided between
neighboring cells. With $v$ for the 36 components of a block, *L2-Hys* is

$$ u = \frac{v}{\|v\|_2 + \epsilon}, \qquad c = \min(u, 0.2), $$

$$ x = \frac{c}{\|c\|_2 + 0.001} $$

with $\epsilon = 3.6$, as in OpenCV. Blocks overlap: most cells are in four of them, each time with
another norm.

**Detector.** A window of 64 x 128 pixels has 7 x 15 blocks, 3,780 components in all. Its score is

$$ s = w^\top x + b $$

The template shows the weights $w$, added up over the blocks of each cell: bright lines of the
positive part are edges that raise the score, those of the negative part lower it. The window is
moved cell by cell over the photo at many scales; of windows that overlap the one with the highest
score is kept.

**Try it.** Click a cell of the glyphs: its gradients, its histogram and the steps of its block's
normalization are shown. Click a detection: the row below shows what every cell of the window adds
to its score, and what it takes from it. The sum of both and the bias are the score. The settings of
the histograms change the glyphs and the cell; the detector keeps those that it was trained with. A
template of your own, trained in the view *HOG training*, is opened under *Own template*. People
must stand upright and be at least 96 pixels high at the largest scale: *Enlarge* finds smaller
ones.

**Sources.** Dalal and Triggs 2005, *Histograms of Oriented Gradients for Human Detection*, sections
3 to 6; figure 6 shows the template and a weighted window. The weights of 48 x 96 pixels are those
of Enzweiler and Gavrila 2009, *Monocular Pedestrian Detection*. Both come with OpenCV.
"""

HISTOGRAMS, DETECTOR = "Histograms", "Detector"


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    template: str = param(
        next(iter(TEMPLATES)), "Template", "The linear SVM that scores the windows.",
        choices=tuple(TEMPLATES), section=DETECTOR, when=lambda params, _: params.trained is None,
    )  # fmt: skip
    trained: FolderRef | None = param(
        None, "Own template",
        "A template that the view HOG training wrote (Export, its data as npz): the file, or its "
        "folder. Empty: one of OpenCV's.",
        section=DETECTOR,
    )  # fmt: skip
    score: float = param(
        0.3, "Score >=", "Windows with a lower score are not shown. The SVM's boundary is at 0.",
        effect=Effect.DRAW, low=-2.0, high=5.0, step=0.05, section=DETECTOR,
    )  # fmt: skip
    window: int | None = param(
        None, "Window", "Click a detection or its row. By default the highest-scoring one.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="windows", low=0, high=100_000,
        section=DETECTOR, kept=False,
    )  # fmt: skip
    iou: float = param(
        0.3, "NMS IoU",
        "A window is suppressed if its IoU with a higher-scoring one is above this.",
        effect=Effect.DRAW, low=0.0, high=1.0, step=0.05, section=DETECTOR,
    )  # fmt: skip
    enlarged: float = param(
        1.0, "Enlarge", "Enlarges the photo first, to find smaller people.",
        low=1.0, high=4.0, step=0.25, section=DETECTOR,
    )  # fmt: skip
    map: str = param(
        MAPS[0], "Score map", "The highest score of all scales at each place, or one scale.",
        effect=Effect.DRAW, choices=MAPS, section=DETECTOR,
    )  # fmt: skip
    scale: int = param(
        0, "Scale",
        "The scale that is shown: 0 = that of the chosen window, 1 = the largest picture.",
        effect=Effect.DRAW, low=0, high=60, play=True, section=DETECTOR, kept=False,
    )  # fmt: skip
    at: Point | None = param(
        None, "Cell",
        "Click a cell of the glyphs. By default the one that adds most to the window's score.",
        effect=Effect.DRAW, pick=Pick.CLICK, pane="hog", section=HISTOGRAMS,
    )  # fmt: skip
    corner: str = param(
        CORNERS[0], "Block", "Which of the blocks around the cell is shown.",
        effect=Effect.DRAW, choices=CORNERS, section=HISTOGRAMS,
    )  # fmt: skip
    show: str = param(
        GLYPHS[0], "Glyphs", "The mean over the blocks of a cell, or its votes before them.",
        effect=Effect.DRAW, choices=GLYPHS, section=HISTOGRAMS,
    )  # fmt: skip
    bins: int = param(
        PAPER.bins, "Bins", "Directions that are told apart.", low=2, high=18, section=HISTOGRAMS
    )
    norm: str = param(
        PAPER.norm, "Normalization", "How a block is normalized (section 6.4 of the paper).",
        choices=NORMS, section=HISTOGRAMS,
    )  # fmt: skip
    cell: int = param(
        PAPER.cell, "Cell", "Side of a cell.", low=4, high=24, unit="px", advanced=True,
        section=HISTOGRAMS,
    )  # fmt: skip
    block: int = param(
        PAPER.block, "Cells per block", "Side of a block.", low=1, high=4, advanced=True,
        section=HISTOGRAMS,
    )  # fmt: skip
    signed: bool = param(
        PAPER.signed, "Signed directions",
        "Bins over 360°: dark to light is not the same as light to dark.",
        advanced=True, section=HISTOGRAMS,
    )  # fmt: skip
    root: bool = param(
        PAPER.root, "Square root first", "Takes the square root of the pixels first.",
        advanced=True, section=HISTOGRAMS,
    )  # fmt: skip
    opacity: float = param(
        0.6, "Opacity", "Opacity of the score map over the photo.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True, section=DETECTOR,
    )  # fmt: skip
    behind: float = param(
        0.2, "Photo behind the glyphs", "How much of the photo is seen behind the glyphs.",
        effect=Effect.DRAW, low=0.0, high=1.0, advanced=True, section=HISTOGRAMS,
    )  # fmt: skip
    ratio: float = param(
        1.1, "Ratio of scales", "A smaller ratio gives more scales and takes longer.",
        low=1.05, high=2.0, step=0.05, advanced=True, section=DETECTOR,
    )  # fmt: skip
    border: int = param(
        2, "Border", "Cells added around the photo, for people who touch its border.",
        low=0, high=4, unit="cells", advanced=True, section=DETECTOR,
    )  # fmt: skip
    side: int = param(
        640, "Max. side", "A larger photo is resized first.",
        low=128, high=2048, step=32, unit="px", advanced=True, section=DETECTOR,
    )  # fmt: skip


def settings_of(params: Params) -> Settings:
    """Of the histograms that are looked at."""
    norm = cast("Norm", params.norm)
    return Settings(params.cell, params.block, params.bins, params.signed, params.root, norm)


def chosen_template(params: Params) -> tuple[str, Template]:
    """The name for people, and the template.

    Raises:
        ExplorerError: The file of the user has none.
    """
    if params.trained is None:
        return params.template, TEMPLATES[params.template]()
    return template_in(Path(params.trained.path))


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    name, template = chosen_template(params)
    settings = settings_of(params)
    if settings.cell * settings.block > min(template.size):
        raise ExplorerError(
            f"A block of {settings.block} x {settings.block} cells of {settings.cell} pixels is "
            f"wider than a window of {template.size[1]} pixels.",
            "Choose smaller cells or fewer cells per block.",
        )
    pixels, border = scene.image.pixels, params.border * template.settings.cell
    scales = scales_of(
        pixels.shape[:2], template.size, step=params.ratio, longest=params.side,
        enlarged=params.enlarged, border=border,
    )  # fmt: skip
    # The smallest picture first: it takes a moment, and the largest is ready when the rest is.
    found: list[Level] = []
    own: list[Any] = []
    pending = levels(pixels, template, scales[::-1], border)
    for done, level in enumerate(pending, start=1):
        found.insert(0, level)
        same = settings == template.settings
        own.insert(0, level.blocks if same else describe(level.picture.pixels, settings))
        if done in (1, len(scales)) or done % 4 == 0:
            yield Step(
                _result(scene, name, template, settings, found, own, len(scales)),
                done, len(scales), f"{quantity(done, 'scale')} of {len(scales)}",
            )  # fmt: skip


def _result(
    scene: Scene,
    name: str,
    template: Template,
    settings: Settings,
    found: list[Level],
    own: list[Any],
    total: int,
) -> Result:
    best = best_map(found, template, scene.image.pixels.shape[:2])
    return Result(
        photo_of(scene), name, template, tuple(found), settings, tuple(own),
        windows(found, template, -np.inf), best, len(found), total,
    )  # fmt: skip


def _cell(result: Result, window: Window, level: int, params: Params) -> Cell:
    at = params.at
    place = strongest_cell(result, window) if at is None else (at.x, at.y)
    return result.cache.get(
        ("cell", level, place, params.corner),
        lambda: cell_at(result, level, place, params.corner),
    )


def draw(result: Result, params: Params) -> Board:
    window = chosen_window(result, params.window)
    level = shown_level(result, window, params.scale)
    rows = result.cache.get(
        ("kept", params.score, params.iou), lambda: kept(result.windows, params.score, params.iou)
    )
    cell = _cell(result, window, level, params)
    template = result.template
    crop_pixels = crop(result.levels[window.level].picture, template, window.row, window.column)
    key = ("window", window.key)
    shown = (
        panes.detections(result, rows, window, len(rows)),
        panes.glyphs(result, level, cell, window, show=params.show, behind=params.behind),
        panes.score_map(result, level, window, show=params.map, opacity=params.opacity),
        result.cache.get(
            "template", lambda: template_pane(template, template.cells, template.settings.cell)
        ),
        result.cache.get(
            key,
            lambda: window_pane(
                crop_pixels, window.blocks, cell_means(window.blocks), template,
                f"Window {window.key + 1}: score {window.score:.2f}",
            ),
        ),
        result.cache.get(("block", cell), lambda: panes.block_pane(result, cell)),
    )  # fmt: skip
    height, width = template.size
    words = [
        f"{quantity(len(rows), 'window')} with score >= {params.score:.2f}",
        f"highest score {float(result.windows.scores[0]):.2f}",
        f"{quantity(sum(own.scores.size for own in result.levels), 'window')} of {width} x "
        f"{height} at {quantity(len(result.levels), 'scale')}",
    ]
    notes = []
    if not len(rows) and result.done == result.total:
        notes.append(
            f"No window has a score of {params.score:.2f}. Open a photo of people who stand "
            "upright, choose a lower score, or enlarge the photo."
        )
    return Board(
        panes=shown,
        plots=(
            charts.cell_bars(result.settings, cell),
            charts.block_curves(cell),
            charts.level_curve(result, level),
        ),
        tables=(
            charts.window_table(result, rows, window),
            charts.block_table(result.settings, cell),
        ),
        summary=" · ".join(words),
        notes=tuple(notes),
    )


def data(result: Result, params: Params) -> dict[str, Any]:
    """Windows, the chosen one, the cell, and the histograms of the scale that is shown.

    Keys: `boxes` (N, 4) float32 in the photo's pixels and `scores` (N,) float32 of the windows that
    are left; `window` (4,) and `window_score` of the chosen one, `contributions` (rows, columns,
    bins) float32 what its cells add to the score without `bias`; `weights` (rows, columns, block,
    block, bins) float32 of the template; `blocks` (rows, columns, block, block, bins) float32 of
    the scale that is shown; `cell` (row, column), `cell_votes` (bins,) float32 and `block_steps`
    (steps, components) float32 of the cell.
    """
    window = chosen_window(result, params.window)
    level = shown_level(result, window, params.scale)
    rows = kept(result.windows, params.score, params.iou)
    cell = _cell(result, window, level, params)
    return {
        "boxes": result.windows.xyxy[rows],
        "scores": result.windows.scores[rows],
        "window": window.xyxy,
        "window_score": window.score,
        "contributions": result.template.contributions(window.blocks),
        "bias": result.template.bias,
        "weights": result.template.weights,
        "blocks": result.blocks[level],
        "cell": (cell.row, cell.column),
        "cell_votes": cell.histogram,
        "block_steps": np.stack([values for _, values in cell.steps]),
    }


VIEW = View(
    name="hog",
    title="HOG and SVM",
    group=Group.CLASSIC,
    summary="Histograms of oriented gradients, cell by cell, and the detector of people on them.",
    explanation=EXPLANATION,
    reference="Dalal and Triggs 2005, Histograms of Oriented Gradients for Human Detection",
    Params=Params,
    compute=compute,
    draw=draw,
    data=data,
    needs=Needs.PHOTO,
)
