"""Does an adversarial picture fool other networks, and after JPEG, resizing, blur or noise?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.layers import (
    Board,
    Boxes,
    Grid,
    Layer,
    Masks,
    Pane,
    Picture,
    Plot,
    Table,
    Text,
)
from explorer.core.listing import quantity
from explorer.core.params import Effect, ImageRef, NetworkRef, Pick, param
from explorer.core.step import Step
from explorer.engine.view import Group, View
from explorer.views.shared.common import class_name, percent
from explorer.views.shared.draw_cache import DrawCache
from explorer.views.shared.seen import fed_picture
from explorer.views.shared.synthesis.attacks import paired_bars, targets
from explorer.vision.adversarial.bounded import pgd
from explorer.vision.adversarial.goals import ClassGoal
from explorer.vision.adversarial.pictures import levels
from explorer.vision.adversarial.transfer import (
    KINDS,
    Cell,
    Verdict,
    cell,
    corruptions,
    probabilities,
)
from explorer.vision.features.classifier import Classifier

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from explorer.core.layers import Color, UInt8
    from explorer.core.network_info import NetworkInfo, NetworkSpec
    from explorer.engine.scene import Scene
    from explorer.networks.network import Network

EXPLANATION = r"""
An adversarial picture is made for one network. This view shows whether it also changes the
prediction of **other networks** (it *transfers*), and whether the effect survives when the picture
is **processed**: written as JPEG, made smaller and enlarged again, blurred, or with noise added.

**Reading it.** Columns are networks, the first is the one that the picture was made for. Rows are
corruptions, the first row is the unchanged picture. Each cell has the top class and its
probability. Click a cell: the picture after that corruption and its probabilities are shown.

- *Not fooled*: the same top class as for the clean, unchanged photo.
- *Fooled, target class*: the class that the attack wanted.
- *Fooled, other class*: another one, while the clean photo keeps its class after this corruption.
- *Changed without the attack*: another one, but the corruption alone changes the class of the clean
  photo as well, so the cell says nothing about the attack.

Every network is compared with its own prediction: networks have different classes, and they need
not agree on the photo.

**The picture** is made here by targeted PGD (see *Adversarial example*), or it is a file that you
saved there: then open the original photo and choose the file as *Adversarial picture*. Corruptions
are applied at the size of the picture. A picture that has just the input size of a network is fed
as it is; any other is resized and cropped as that network does with a photo.

Pictures from one network often transfer to networks of the same kind and seldom to others, and
untargeted attacks transfer more often than targeted ones. Perturbations are fine patterns, so
processing that removes fine detail removes the effect first.

**Sources.** Szegedy et al. 2014, *Intriguing Properties of Neural Networks*, section 4.2 (across
networks); Kurakin, Goodfellow and Bengio 2017, *Adversarial Examples in the Physical World*,
section 4 (corruptions); Liu et al. 2017, *Delving into Transferable Adversarial Examples*.
"""

OTHERS = (NetworkRef("mini-resnet"), NetworkRef("mini-vgg"))
STEP = 0.1
"""Of PGD, relative to epsilon."""

VERDICTS: dict[Verdict, tuple[str, tuple[int, int, int]]] = {
    Verdict.ROBUST: ("not fooled", (176, 220, 190)),
    Verdict.TARGET: ("fooled, target class", (244, 160, 150)),
    Verdict.OTHER: ("fooled, other class", (250, 208, 140)),
    Verdict.CORRUPTED: ("changed without the attack", (206, 208, 214)),
}
assert set(VERDICTS) == set(Verdict)

CELL_WIDTH, CELL_HEIGHT, LEFT, TOP = 190.0, 34.0, 110.0, 34.0
"""Of the matrix, in units of its pane."""
GAP, KEY, LEGEND = 18.0, 40.0, 190.0
INK = (24, 26, 32)
"""Of words on the light colors of the verdicts."""
LINE, MARK = (130, 136, 148), (40, 130, 255)
LONGEST_NAME = 20


def _targets(info: NetworkInfo) -> tuple[str, ...]:
    return targets(info.classes)


def _made_here(params: Params, _info: NetworkInfo | None) -> bool:
    return params.picture is None


@dataclass(frozen=True, slots=True)
class Params:
    """See the help of each."""

    picture: ImageRef | None = param(
        None, "Adversarial picture",
        "A picture saved from Adversarial example, with its original as the photo. Without one, "
        "the photo is attacked here by PGD.",
    )  # fmt: skip
    networks: tuple[NetworkRef, ...] = param(
        OTHERS, "Other networks", "Networks for which the picture was not made.",
        tasks=frozenset({"classification", "localization"}), most=7,
    )  # fmt: skip
    target: str = param(
        "", "Target class", "The class that the attack wants; any other class: untargeted.",
        choices=_targets,
    )  # fmt: skip
    epsilon: float = param(
        8.0, "Epsilon", "No value of the picture changes by more than this.",
        low=0.25, high=64.0, step=0.25, unit="/ 255", log=True, when=_made_here,
    )  # fmt: skip
    steps: int = param(
        40, "Steps of PGD", "How many updates the attack has.", low=1, high=500, when=_made_here
    )  # fmt: skip
    kinds: tuple[str, ...] = param(
        (), "Corruptions", "Kinds of processing; none chosen means all.", choices=KINDS
    )  # fmt: skip
    selected: int | None = param(
        None, "Selected cell", "Whose picture and probabilities are shown.",
        effect=Effect.DRAW, pick=Pick.SELECT, layer="cells", low=0, high=255,
    )  # fmt: skip


@dataclass(frozen=True, slots=True, eq=False)
class Column:
    """One network: its `title`, its `classes`, and its `top` class of the clean photo."""

    title: str
    classes: tuple[str, ...]
    top: int

    def name(self, index: int) -> str:
        return class_name(self.classes, index)


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """The matrix so far.

    Attributes:
        clean: (h, w, 3) uint8, the photo as the first network receives it.
        adversarial: (h, w, 3) uint8.
        pictures: The adversarial picture after each corruption.
        rows: Titles of the corruptions.
        columns: The networks.
        cells: By row and column; those that are missing are not computed yet.
        target: Name of the wanted class; "" = any other one.
        attacked: What made the picture, in a few words.
        note: Why the attack stopped early, or what was done to the given picture.
    """

    clean: UInt8
    adversarial: UInt8
    pictures: tuple[UInt8, ...]
    rows: tuple[str, ...]
    columns: tuple[Column, ...]
    cells: dict[tuple[int, int], Cell]
    target: str
    attacked: str
    note: str = ""
    cache: DrawCache = field(default_factory=DrawCache)

    def cell(self, key: int | None) -> tuple[int, int]:
        """Row and column of a cell's key; the first one where there is no such cell."""
        row, column = divmod(key or 0, len(self.columns))
        return (row, column) if row < len(self.rows) else (0, 0)


def compute(scene: Scene, params: Params) -> Generator[Step[Result], Any, None]:
    networks = _networks(scene, params)
    made = corruptions(params.kinds or KINDS)
    attacks = 0 if params.picture is not None else params.steps + 1
    total = attacks + len(networks) * len(made)
    result = _start(scene, params, networks)
    if params.picture is None:
        for number, (picture, problem) in enumerate(_attacked(scene, params), start=1):
            result = replace(
                result, adversarial=picture, pictures=(picture,), note=problem, cache=DrawCache()
            )
            yield Step(result, number, total, f"PGD, step {number - 1} of {params.steps}")
    pictures: tuple[UInt8, ...] = ()
    for row, corruption in enumerate(made):
        clean = corruption.make(result.clean, scene.seed)
        adversarial = corruption.make(result.adversarial, scene.seed)
        pictures = (*pictures, adversarial)
        for column, network in enumerate(networks):
            found = cell(network, clean, adversarial, result.columns[column].top, result.target)
            cells = {**result.cells, (row, column): found}
            result = replace(result, pictures=pictures, cells=cells, cache=DrawCache())
            done = attacks + row * len(networks) + column + 1
            yield Step(result, done, total, f"{corruption.title}: {network.info.title}")


def _networks(scene: Scene, params: Params) -> tuple[Network, ...]:
    """The photo's own first; each once."""
    found: dict[NetworkSpec, Network] = {}
    for network in (scene.network, *(scene.network_of(ref) for ref in params.networks)):
        found.setdefault(network.info.spec, network)
    return tuple(found.values())


def _start(scene: Scene, params: Params, networks: tuple[Network, ...]) -> Result:
    clean = levels(fed_picture(scene.network, scene.image.pixels))
    adversarial = clean
    note = ""
    attacked = f"PGD, epsilon {params.epsilon:g}/255"
    if params.picture is not None:
        image = scene.image_of(params.picture)
        adversarial, attacked = image.pixels, image.name
        if adversarial.shape != clean.shape:
            adversarial = levels(fed_picture(scene.network, image.pixels))
            height, width = clean.shape[:2]
            note = (
                f"The adversarial picture has {image.width} x {image.height} pixels and was "
                f"resized and cropped to {width} x {height}, which may destroy the effect."
            )
    columns = []
    for network in networks:
        top = int(probabilities(network, clean).argmax())
        columns.append(Column(network.info.title, network.info.classes, top))
    target = params.target if params.target in scene.network.info.classes else ""
    rows = tuple(corruption.title for corruption in corruptions(params.kinds or KINDS))
    return Result(
        clean, adversarial, (adversarial,), rows, tuple(columns), {}, target, attacked, note
    )  # fmt: skip


def _attacked(scene: Scene, params: Params) -> Generator[tuple[UInt8, str], None, None]:
    """The picture after every update of PGD, rounded to 8 bits, and why it stopped early."""
    network = scene.network
    start, logits = fed_picture(network, scene.image.pixels), Classifier.of(network)
    classes = network.info.classes
    targeted = params.target in classes
    with torch.no_grad():
        label = classes.index(params.target) if targeted else int(logits(start)[0].argmax())
    epsilon = params.epsilon / 255
    attack = pgd(
        ClassGoal(logits, label, targeted), start, norm="linf", epsilon=epsilon,
        step=STEP * epsilon, steps=params.steps, generator=scene.generator(),
    )  # fmt: skip
    for at in attack:
        yield levels(at.picture), at.problem


# -- the drawing ----------------------------------------------------------------------------------


def draw(result: Result, params: Params) -> Board:
    row, column = result.cell(params.selected)
    found = result.cells.get((row, column))
    plots = () if found is None else (_bars(result.columns[column], found, result.rows[row]),)
    return Board(
        panes=(_matrix(result, row, column),), plots=plots,
        tables=(_counts(result), _table(result)), summary=_summary(result),
        notes=(result.note,) if result.note else (),
    )  # fmt: skip


def data(result: Result, params: Params) -> dict[str, Any]:
    """The matrix.

    Keys: `networks` and `corruptions` name columns and rows; `class`, `probability` and `verdict`
    are (rows, columns), "" and NaN where a cell is not computed; `clean` and `adversarial` are the
    pictures, (h, w, 3) uint8.
    """
    shape = (len(result.rows), len(result.columns))
    shares = np.full(shape, np.nan)
    words = [[""] * shape[1] for _ in range(shape[0])]
    verdicts = [[""] * shape[1] for _ in range(shape[0])]
    for (row, column), found in result.cells.items():
        words[row][column], shares[row, column] = _answer(result.columns[column], found)
        verdicts[row][column] = VERDICTS[found.verdict][0]
    return {
        "networks": [column.title for column in result.columns],
        "corruptions": list(result.rows),
        "class": words,
        "probability": shares,
        "verdict": verdicts,
        "clean": result.clean,
        "adversarial": result.adversarial,
    }


def _answer(column: Column, found: Cell) -> tuple[str, float]:
    top = int(found.adversarial.argmax())
    return column.name(top), float(found.adversarial[top])


def _matrix(result: Result, row: int, column: int) -> Pane:
    """The matrix, and at its right the two pictures of the selected row."""
    right, below = _matrix_size(result)
    size = (max(right + GAP + _side(below), LEGEND * len(Verdict)), below + KEY)
    base: list[Layer] = result.cache.get("matrix", lambda: _matrix_layers(result, size))
    box = np.array([_cell_box(row, column)], np.float32)
    mark = Boxes(box, np.array([MARK], np.uint8), width=3.0, selectable=False, name="selected")
    return Pane(
        "matrix", size, (*base, *_pictures(result, row, right + GAP, below), mark),
        title="Top class by corruption and network", frame="matrix", readout=_readout(result),
        drawing=True,
    )  # fmt: skip


def _matrix_size(result: Result) -> tuple[float, float]:
    return LEFT + len(result.columns) * CELL_WIDTH, TOP + len(result.rows) * CELL_HEIGHT


def _side(height: float) -> float:
    """Of the pictures: two of them, one above the other, with their titles."""
    return max(height / 2 - TOP, 60.0)


def _pictures(result: Result, row: int, x: float, height: float) -> list[Layer]:
    """The clean photo and the adversarial picture after the corruption of the row."""
    shown = result.pictures[min(row, len(result.pictures) - 1)]
    side = _side(height)
    rows, columns = result.clean.shape[:2]
    wide, high = (side * length / max(rows, columns) for length in (columns, rows))
    layers: list[Layer] = []
    for number, (title, pixels) in enumerate((
        ("Clean", result.clean), (f"Adversarial, {result.rows[row]}", shown)
    )):  # fmt: skip
        top = number * height / 2
        box = (x, top + TOP, x + wide, top + TOP + high)
        picture = result.cache.get((title, box), partial(Picture, pixels, box, name=title))
        layers += [picture, _word(title, (x, top + 8.0))]
    return layers


def _matrix_layers(result: Result, size: tuple[float, float]) -> list[Layer]:
    rows, columns = len(result.rows), len(result.columns)
    index = np.full((rows, columns), -1, np.int32)
    for place, found in result.cells.items():
        index[place] = found.verdict
    inner = (LEFT, TOP, *_matrix_size(result))
    colors = np.array([VERDICTS[v][1] for v in Verdict], np.uint8)
    boxes = np.array([_cell_box(i, j) for i in range(rows) for j in range(columns)], np.float32)
    layers: list[Layer] = [
        Masks(
            index, colors, extent=inner, opacity=1.0, outline=False, name="verdicts",
        ),
        Grid(
            (LEFT + CELL_WIDTH * np.arange(columns + 1)).astype(np.float32),
            (TOP + CELL_HEIGHT * np.arange(rows + 1)).astype(np.float32),
            inner, color=LINE, width=1.0, opacity=1.0, name="lines",
        ),
        Boxes(boxes, np.zeros((len(boxes), 3), np.uint8), width=0.0, name="cells"),
    ]  # fmt: skip
    for j, network in enumerate(result.columns):
        layers.append(_word(_short(network.title), (LEFT + j * CELL_WIDTH + 6, 8.0)))
    for i, title in enumerate(result.rows):
        layers.append(_word(title, (6.0, TOP + i * CELL_HEIGHT + 8)))
    for v in Verdict:
        words, shade = VERDICTS[v]
        x, y = 6.0 + v * LEGEND, size[1] - KEY / 2
        swatch = np.full((1, 1, 3), shade, np.uint8)
        layers.append(Picture(swatch, extent=(x, y - 8, x + 16, y + 8), name="swatch"))
        layers.append(_word(words, (x + 20, y - 9)))
    for (i, j), found in result.cells.items():
        name, share = _answer(result.columns[j], found)
        at = (LEFT + j * CELL_WIDTH + 6, TOP + i * CELL_HEIGHT + 8)
        layers.append(_word(f"{_short(name)} {percent(share)}", at, INK))
    return layers


def _word(text: str, at: tuple[float, float], color: Color | None = None) -> Text:
    return Text(text, at, color=color, size=9.0, plate=False)


def _short(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _cell_box(row: int, column: int) -> tuple[float, float, float, float]:
    x, y = LEFT + column * CELL_WIDTH, TOP + row * CELL_HEIGHT
    return x, y, x + CELL_WIDTH, y + CELL_HEIGHT


def _readout(result: Result) -> Callable[[float, float], str]:
    def words(x: float, y: float) -> str:
        place = int((y - TOP) // CELL_HEIGHT), int((x - LEFT) // CELL_WIDTH)
        found = result.cells.get(place)
        if found is None:
            return ""
        column = result.columns[place[1]]
        name, share = _answer(column, found)
        verdict = VERDICTS[found.verdict][0]
        return f"{column.title}, {result.rows[place[0]]}: {name} {percent(share)}, {verdict}"

    return words


def _bars(column: Column, found: Cell, corruption: str) -> Plot:
    """The clean and the adversarial picture of the selected cell, class by class."""
    title = f"Probabilities, clean and adversarial: {column.title}, {corruption}"
    return paired_bars(
        "cell", title, ("clean", found.clean), ("adversarial", found.adversarial), column.name
    )


def _counts(result: Result) -> Table:
    """How many corruptions each network is fooled under."""
    rows: list[tuple[str | int | float, ...]] = []
    for j, column in enumerate(result.columns):
        found = [cell.verdict for (_, k), cell in result.cells.items() if k == j]
        rows.append((column.title, column.name(column.top), *(found.count(v) for v in Verdict)))
    return Table(
        "counts", ("network", "clean", *(VERDICTS[v][0] for v in Verdict)), tuple(rows),
        title="Cells of each network",
    )  # fmt: skip


def _table(result: Result) -> Table:
    """The matrix in words."""
    rows = []
    for i, title in enumerate(result.rows):
        words = []
        for j, column in enumerate(result.columns):
            found = result.cells.get((i, j))
            name, share = ("", 0.0) if found is None else _answer(column, found)
            words.append(f"{name} {percent(share)}" if name else "")
        rows.append((title, *words))
    columns = ("corruption", *(column.title for column in result.columns))
    return Table("matrix", columns, tuple(rows), title="Top classes")


def _summary(result: Result) -> str:
    first = [found for (row, _), found in result.cells.items() if row == 0]
    target = f"to {result.target}" if result.target else "untargeted"
    words = f"{result.attacked}, {target}"
    if len(first) < len(result.columns):
        return words
    fooled = (Verdict.TARGET, Verdict.OTHER)
    now = sum(found.verdict in fooled for found in first)
    every = sum(found.verdict in fooled for found in result.cells.values())
    return (
        f"{words} · fools {now} of {quantity(len(first), 'network')} unchanged · "
        f"{every} of {quantity(len(result.cells), 'cell')}"
    )


VIEW = View(
    name="transfer_matrix",
    title="Adversarial transfer",
    group=Group.SYNTHESIS,
    summary="One adversarial picture, several networks, and after JPEG, resizing, blur and noise.",
    explanation=EXPLANATION,
    reference="Szegedy et al. 2014, Intriguing Properties of Neural Networks, section 4.2",
    Params=Params,
    compute=compute,
    draw=draw,
    tasks=frozenset({"classification", "localization"}),
    data=data,
    live=False,
)
