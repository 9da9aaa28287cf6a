"""Themes: readable, complete, and every icon follows."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon, QPalette
from PySide6.QtWidgets import QApplication, QMainWindow, QPushButton

from explorer.core.resources import resource_path
from explorer.ui.shell.actions import COMMANDS
from explorer.ui.widgets import theme

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytestqt.qtbot import QtBot

NAMES = sorted(path.stem for path in resource_path("icons").glob("*.svg") if path.stem != "app")


@pytest.fixture(autouse=True)
def light_again(qapp: QApplication) -> Iterator[None]:
    theme.apply(qapp, "light")
    yield
    theme.apply(qapp, "light")


def luminance(color: QColor) -> float:
    def linear(c: float) -> float:
        return c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4

    return (
        0.2126 * linear(color.redF())
        + 0.7152 * linear(color.greenF())
        + 0.0722 * linear(color.blueF())
    )


def contrast(a: QColor, b: QColor) -> float:
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("shades", [theme.LIGHT, theme.DARK], ids=["light", "dark"])
@pytest.mark.parametrize(
    ("front", "back"),
    [
        ("text", "window"),
        ("text", "base"),
        ("text", "button"),
        ("muted", "window"),
        ("on_accent", "accent"),
    ],
)
def test_words_can_be_read(shades: dict[str, str], front: str, back: str) -> None:
    least = 3.0 if front == "on_accent" else 4.5
    assert contrast(QColor(shades[front]), QColor(shades[back])) >= least


def test_both_themes_have_the_same_shades() -> None:
    assert theme.LIGHT.keys() == theme.DARK.keys()


@pytest.mark.parametrize("name", ["light", "dark"])
def test_apply_sets_the_palette(qapp: QApplication, name: str) -> None:
    theme.apply(qapp, name)
    assert theme.is_dark() == (name == "dark")
    window = qapp.palette().color(QPalette.ColorRole.Window)
    assert (window.lightnessF() < 0.5) == (name == "dark")
    assert theme.colors()["window"] in qapp.styleSheet().lower()


def test_system_follows_the_desktop(qapp: QApplication, monkeypatch: pytest.MonkeyPatch) -> None:
    class Hints:
        def __init__(self, scheme: Qt.ColorScheme) -> None:
            self.scheme = scheme

        def colorScheme(self) -> Qt.ColorScheme:
            return self.scheme

    for scheme, want in (
        (Qt.ColorScheme.Dark, "dark"),
        (Qt.ColorScheme.Light, "light"),
        (Qt.ColorScheme.Unknown, "light"),
    ):
        hints = Hints(scheme)
        with monkeypatch.context() as patch:
            patch.setattr(theme.QGuiApplication, "styleHints", lambda hints=hints: hints)
            assert theme.resolved("system") == want


@pytest.mark.parametrize("name", NAMES)
def test_every_icon_is_drawn_in_the_color_of_the_text(qapp: QApplication, name: str) -> None:
    for which in ("light", "dark"):
        theme.apply(qapp, which)
        image = theme.icon(name).pixmap(QSize(24, 24)).toImage()
        want = QColor(theme.colors()["text"])
        inked = [
            image.pixelColor(x, y)
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() > 190
        ]
        assert inked, f"{name} draws nothing"
        assert all(abs(color.lightness() - want.lightness()) < 8 for color in inked)


def test_every_command_has_a_drawing() -> None:
    assert {command.icon for command in COMMANDS} <= set(NAMES)


def test_an_unknown_icon_is_empty_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert theme.icon("no-such-drawing").isNull()
    assert "no-such-drawing" in caplog.text


def test_buttons_and_actions_get_new_icons_with_the_theme(qapp: QApplication, qtbot: QtBot) -> None:
    window = QMainWindow()
    qtbot.addWidget(window)
    button = QPushButton(theme.icon("open"), "")
    window.setCentralWidget(button)
    action = window.addToolBar("tools").addAction(theme.icon("fit"), "fit")
    plain = QIcon()
    theme.apply(qapp, "dark")

    def lightness(icon: QIcon) -> int:
        image = icon.pixmap(QSize(24, 24)).toImage()
        return max(
            image.pixelColor(x, y).lightness()
            for x in range(image.width())
            for y in range(image.height())
            if image.pixelColor(x, y).alpha() == 255
        )

    assert lightness(button.icon()) > 180
    assert lightness(action.icon()) > 180
    assert plain.isNull()


def test_icons_are_crisp_at_every_scale(
    qapp: QApplication, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(theme, "pixel_ratio", lambda: 2.0)
    pixmap = theme.icon("open").pixmap(QSize(20, 20), 2.0)
    assert pixmap.width() == 40
    assert pixmap.devicePixelRatio() == 2.0


def test_the_program_has_an_icon(qapp: QApplication) -> None:
    assert not theme.app_icon().isNull()
    assert resource_path("convnet-explorer.desktop").read_text().startswith("[Desktop Entry]")
