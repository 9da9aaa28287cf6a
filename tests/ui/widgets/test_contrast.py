"""Text can be read: a contrast of 4.5 at least (WCAG 2.2, 1.4.3), in both themes and on plates."""

from __future__ import annotations

import numpy as np
import pytest
from PySide6.QtGui import QColor

from explorer.core.colormaps import CLASS_SETS, class_colors
from explorer.render.labels import ink_on
from explorer.ui.widgets import theme
from explorer.ui.widgets.small_widgets import blend, tone

LEAST = 4.5
GROUNDS = ("window", "base", "raised", "button", "hover", "pressed", "canvas", "soft")


def light(color: QColor) -> float:
    """Relative luminance."""
    share = np.array(color.getRgbF()[:3])
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


def contrast(one: QColor, other: QColor) -> float:
    low, high = sorted((light(one), light(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("shades", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_words_on_every_ground(shades: dict[str, str]) -> None:
    for words in ("text", "muted"):
        for ground in GROUNDS:
            assert contrast(QColor(shades[words]), QColor(shades[ground])) >= LEAST, (words, ground)
    assert contrast(QColor(shades["on_accent"]), QColor(shades["accent"])) >= LEAST
    for ground in ("window", "base", "raised"):
        assert contrast(QColor(shades["link"]), QColor(shades[ground])) >= LEAST


@pytest.mark.parametrize("shades", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_the_focus_is_seen_on_every_ground(shades: dict[str, str]) -> None:
    for ground in (*GROUNDS, "line"):
        assert contrast(QColor(shades["focus"]), QColor(shades[ground])) >= 3.0, ground  # 1.4.11


@pytest.mark.parametrize("shades", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
def test_badges_and_cards(shades: dict[str, str]) -> None:
    palette = theme.palette(shades)
    window, text = QColor(shades["window"]), QColor(shades["text"])
    for kind in ("error", "warning", "good", "info", "quiet"):
        color = tone(kind, palette)
        assert contrast(color, window) >= LEAST
        assert contrast(color, blend(color, window, 0.16)) >= LEAST, kind
        assert contrast(text, blend(color, window, 0.12)) >= LEAST


@pytest.mark.parametrize("name", CLASS_SETS)
def test_labels_on_plates_in_any_color(name: str) -> None:
    plates = [
        *class_colors(256, name).tolist(),
        *np.random.default_rng(0).integers(0, 256, (99, 3)),
    ]
    for plate in plates:
        red, green, blue = (int(part) for part in plate)
        ink = ink_on((red, green, blue))
        assert contrast(QColor(*ink), QColor(red, green, blue)) >= LEAST
