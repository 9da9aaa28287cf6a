"""What the views of adversarial examples have in common."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Plot, colors_apart
from explorer.views.shared.common import color

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from explorer.core.layers import Color, Float32

ANY = "any other class"
PUBLISHED = "ostrich"
"""The target of figure 5 of Szegedy et al. 2014."""
SHOWN = 3
"""Classes of each set, the most probable first."""
BEFORE: Color = (150, 152, 160)


def targets(names: Sequence[str]) -> tuple[str, ...]:
    """The choices of a target class: the published one if there is such a class, any, then all."""
    first = (PUBLISHED, ANY) if PUBLISHED in names else (ANY,)
    return tuple(dict.fromkeys((*first, *names)))


def paired_bars(
    name: str,
    title: str,
    first: tuple[str, Float32],
    second: tuple[str, Float32],
    class_name: Callable[[int], str],
    more: tuple[int, ...] = (),
) -> Plot:
    """The most probable classes of both, the ones with the highest probability on top.

    Args:
        name: Of the plot.
        title: Of the plot.
        first: A word and its probabilities, (K,) float32; gray bars.
        second: As `first`, in the colors of the classes.
        class_name: Of an index.
        more: Classes that are shown whatever their probability.
    """
    tops = [int(k) for _, shares in (first, second) for k in np.argsort(-shares)[:SHOWN]]
    chosen = dict.fromkeys([*tops, *more])
    highest = np.maximum(first[1], second[1])
    order = sorted(chosen, key=lambda k: -float(highest[k]))
    colors = colors_apart(order, len(highest))
    bars = [
        (f"{class_name(k)}, {word}", float(shares[k]), color(tint) if last else BEFORE)
        for k, tint in zip(order, colors, strict=True)
        for last, (word, shares) in enumerate((first, second))
    ]
    return Plot(name, title, x_label="probability", bars=tuple(bars), bar_range=(0.0, 1.0))
