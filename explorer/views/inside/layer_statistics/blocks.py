"""Residual blocks: the size of F(x) beside x, and the prediction without a block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Plot, Table
from explorer.core.step import Step
from explorer.networks.hooks import tensors_in
from explorer.views.shared.common import class_name, percent
from explorer.views.shared.grids.matrix import BLUE, ORANGE, matrix_pane
from explorer.vision.features.classification import logits_of, softmax
from explorer.vision.statistics.residual import residuals_of, without_branch

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from numpy.typing import NDArray

    from explorer.core.layers import Float32, Pane
    from explorer.engine.scene import Scene
    from explorer.views.inside.layer_statistics.params import Params
    from explorer.vision.statistics.residual import Residual

MOST_CLASSES = 5


@dataclass(frozen=True, slots=True, eq=False)
class BlockResult:
    """Of a network with R residual blocks.

    Attributes:
        blocks: All of them.
        classes: Names of the rows of `answers`; empty for a network without class scores.
        whole: (K,) probabilities of the complete network.
        answers: (R, K) probabilities without each block; NaN = not computed yet.
        tops: The top class without each block, and its probability.
        changes: (R,) relative L2 change of the whole output; NaN = another number of outputs.
    """

    blocks: tuple[Residual, ...]
    classes: tuple[str, ...]
    whole: Float32
    answers: Float32
    tops: tuple[tuple[str, float], ...]
    changes: NDArray[np.float64]


def steps(scene: Scene, params: Params) -> Generator[Step[BlockResult], Any, None]:
    module, given = scene.network.module, scene.input()
    blocks = tuple(residuals_of(module, lambda: scene.call(given)))
    if not blocks:
        raise ExplorerError(
            "This network has no residual blocks.",
            "Choose a network with shortcuts, such as efficientnet-lite0 or a ResNet.",
        )
    output = scene.output()
    probabilities = _probabilities(output)
    order = np.argsort(-probabilities, kind="stable")[:MOST_CLASSES]
    names = tuple(class_name(scene.network.info.classes, int(at)) for at in order)
    answers = np.full((len(blocks), len(order)), np.nan, np.float32)
    changes = np.full(len(blocks), np.nan)
    tops: list[tuple[str, float]] = []
    for number in range(len(blocks)):
        other = without_branch(module, lambda: scene.call(given), number)
        found = _probabilities(other)
        if len(found):
            top = int(found.argmax())
            tops.append((class_name(scene.network.info.classes, top), float(found[top])))
            answers[number] = found[order]
        changes[number] = _change(output, other)
        result = BlockResult(
            blocks, names, probabilities[order], answers.copy(), tuple(tops), changes.copy()
        )
        yield Step(result, number + 1, len(blocks), blocks[number].path)


def _probabilities(output: Any) -> Float32:
    """(K,), empty for a network without class scores."""
    try:
        return softmax(logits_of(output))
    except ExplorerError:
        return np.zeros(0, np.float32)


def _change(before: Any, after: Any) -> float:
    pairs = [tensors_in(before), tensors_in(after)]
    shapes = [[tuple(each.shape) for each in found] for found in pairs]
    if shapes[0] != shapes[1]:  # other boxes
        return float("nan")
    one, two = (torch.cat([t.double().flatten() for t in found]) for found in pairs)
    size = float(one.norm())
    return float((two - one).norm()) / size if size > 0 else 0.0


def board(result: BlockResult, params: Params) -> Board:
    names = [f"{block.path or 'network'}" for block in result.blocks]
    ratios = [block.ratio for block in result.blocks]
    plots = [
        Plot(
            "sizes", "Size of F(x) beside x", "|F(x)| / |x|",
            bars=tuple((name, ratio, BLUE) for name, ratio in zip(names, ratios, strict=True)),
        )
    ]  # fmt: skip
    if result.classes:
        kept = result.answers[:, 0]
        plots.append(
            Plot(
                "removed", f"Probability of {result.classes[0]} without a block", "%",
                bars=tuple(
                    (name, 100 * float(value), ORANGE)
                    for name, value in zip(names, kept, strict=True)
                    if np.isfinite(value)
                ),
                bar_range=(0.0, 100.0),
            )
        )  # fmt: skip
    return Board(
        (_pane(result, names, words=params.names),), tuple(plots), (_table(result, names),),
        summary=_summary(result, names),
    )  # fmt: skip


def _pane(result: BlockResult, names: Sequence[str], *, words: bool) -> Pane:
    """A column for each block: the probabilities without it; the first is the complete network."""
    columns = ["complete", *(str(block.number + 1) for block in result.blocks)]
    if result.classes:
        values = np.concatenate([result.whole[:, None], result.answers.T], axis=1)
        rows = list(result.classes)
        scale, unit = (0.0, float(np.nanmax(values, initial=0.0)) or 1.0), "probability"
    else:
        values = np.append(0.0, result.changes).astype(np.float32)[None]
        rows = ["change of the output"]
        scale, unit = (0.0, max(1.0, float(np.nanmax(values, initial=0.0)))), "relative change"

    def readout(row: int, column: int) -> str:
        where = "complete network" if column == 0 else f"without F(x) of {names[column - 1]}"
        return f"{rows[row]}, {where}: {values[row, column]:.3g}"

    return matrix_pane(
        "answers", "One block removed: x instead of x + F(x)",
        np.ascontiguousarray(values, dtype=np.float32), rows, columns, scale=scale, unit=unit,
        words=words, readout=readout, size=(1000.0, 320.0),
    )  # fmt: skip


def _table(result: BlockResult, names: Sequence[str]) -> Table:
    rows = []
    for block, name, change in zip(result.blocks, names, result.changes, strict=True):
        top, value = (
            result.tops[block.number] if block.number < len(result.tops) else ("", float("nan"))
        )
        rows.append(
            (
                block.number + 1, name, block.kind, float(f"{block.x:.4g}"),
                float(f"{block.branch:.4g}"), round(block.ratio, 3), round(block.cosine, 3), top,
                round(value, 4) if np.isfinite(value) else "",
                round(float(change), 4) if np.isfinite(change) else "",
            )
        )  # fmt: skip
    columns = (
        "#", "block", "type", "|x|", "|F(x)|", "ratio", "cosine", "top class without it",
        "probability", "change",
    )  # fmt: skip
    return Table("blocks", columns, tuple(rows), title="Residual blocks")


def _summary(result: BlockResult, names: Sequence[str]) -> str:
    words = [f"{len(result.blocks)} residual blocks"]
    words.append(f"median |F(x)| / |x| {np.median([b.ratio for b in result.blocks]):.2f}")
    if result.classes:
        words.append(f"{result.classes[0]} {percent(float(result.whole[0]))}")
        if np.isfinite(result.answers[:, 0]).any():
            worst = int(np.nanargmin(result.answers[:, 0]))
            words.append(f"without {names[worst]} {percent(float(result.answers[worst, 0]))}")
    return " · ".join(words)


def data(result: BlockResult) -> dict[str, Any]:
    return {
        "blocks": [block.path for block in result.blocks],
        "x": np.array([block.x for block in result.blocks]),
        "branch": np.array([block.branch for block in result.blocks]),
        "cosine": np.array([block.cosine for block in result.blocks]),
        "classes": list(result.classes),
        "probabilities": result.whole,
        "without": result.answers,
        "change": result.changes,
    }
