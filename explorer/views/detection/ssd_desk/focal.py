"""How much of the loss the hard background gets, by the focal weight."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from explorer.core.layers import Curve, Plot, class_colors
from explorer.views.shared.common import color

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from explorer.core.layers import Float32

GAMMAS = (0.0, 0.5, 1.0, 2.0)
POINTS = 101


def losses(p: Float32, gamma: float) -> NDArray[np.float64]:
    """(N,) -p^gamma log(1 - p): the focal loss of background with the probability p of the class.

    Lin et al. 2017, equation 4, without alpha.
    """
    wide = np.clip(p.astype(np.float64), 0.0, 1.0 - 1e-7)
    found: NDArray[np.float64] = -(wide**gamma) * np.log1p(-wide)
    return found


def shares(p: Float32, gamma: float) -> NDArray[np.float64]:
    """(POINTS,) share of the whole loss in the easiest 0, 1, … 100 % of the background."""
    each = np.sort(losses(p, gamma))
    total = np.concatenate([[0.0], np.cumsum(each)])
    where = np.linspace(0, len(each), POINTS)
    found: NDArray[np.float64] = np.interp(where, np.arange(len(total)), total)
    return found / max(float(total[-1]), 1e-12)


def plot(p: Float32, gamma: float) -> Plot:
    """The curves of some gammas and of the chosen one; figure 4 of the paper for this photo."""
    chosen = sorted({*GAMMAS, gamma})
    x = np.linspace(0.0, 1.0, POINTS)
    tints = class_colors(len(chosen))
    curves = tuple(
        Curve(x, shares(p, each), f"gamma {each:g}{' (cross-entropy)' if each == 0 else ''}",
              color(tint))
        for each, tint in zip(chosen, tints, strict=True)
    )  # fmt: skip
    return Plot(
        "focal", "Background: share of the loss, easiest first", "fraction of the background",
        "share of the loss", curves,
    )  # fmt: skip
