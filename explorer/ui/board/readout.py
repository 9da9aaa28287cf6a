"""The words about one position of a pane, for the status bar."""

from __future__ import annotations

import math

import numpy as np

from explorer.core.layers import Heat, Masks, Pane, Picture, cell_at


def number(value: float) -> str:
    """A number as short as it can be read."""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "−∞")
    size = abs(value)
    if size != 0 and (size < 1e-3 or size >= 1e6):
        return f"{value:.2e}"
    return f"{value:.4g}" if size < 1000 else f"{value:,.0f}"


def readout(pane: Pane, x: float, y: float) -> str:
    """The pane's own words, or the values of its topmost arrays at a position; "" outside of it."""
    if not (0 <= x < pane.size[0] and 0 <= y < pane.size[1]):
        return ""
    parts = [f"x {math.floor(x)}  y {math.floor(y)}"]
    if pane.readout is not None:
        said = pane.readout(x, y)
        return "   ".join([*parts, said] if said else parts)
    seen: set[type] = set()
    for layer in reversed(pane.layers):
        if not isinstance(layer, Picture | Heat | Masks) or type(layer) in seen:
            continue
        cell = cell_at(layer, x, y)
        if cell is None:
            continue
        if isinstance(layer, Picture):
            seen.add(Picture)
            red, green, blue = (int(c) for c in layer.rgb[cell])
            parts.append(f"rgb {red} {green} {blue}")
        elif isinstance(layer, Heat):
            seen.add(Heat)
            value = float(layer.values[cell])
            if not np.isnan(value):
                unit = f" {layer.unit}" if layer.unit else ""
                parts.append(f"{layer.name} {number(value)}{unit}")
        else:
            seen.add(Masks)
            index = int(layer.index[cell])
            if 0 <= index < len(layer.colors):
                parts.append(layer.names[index] if layer.names else f"{layer.name} {index}")
    return "   ".join(parts)
