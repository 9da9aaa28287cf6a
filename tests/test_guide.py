"""The guide: its code works as it is printed, its links lead somewhere, the window shows it."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from PySide6.QtCore import QUrl
from PySide6.QtTest import QTest
from pytestqt.qtbot import QtBot

from explorer.core.resources import resource_path
from tests.networks.installed import install

GUIDE = resource_path("guide")
PAGES = sorted(GUIDE.glob("*.md"))
ROOT = Path(__file__).parents[1]


def blocks(page: str, language: str) -> list[str]:
    """The fenced blocks of a page in one language, in their order."""
    text = (GUIDE / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.M | re.S)


def python(*argv: str, site: Path | None = None, folder: Path | None = None) -> str:
    """What a new process says; it must end well."""
    places = [str(ROOT), *([str(site)] if site is not None else [])]
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, *argv], env=env, cwd=folder, capture_output=True, text=True, timeout=240
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder that stands for site-packages."""
    folder = tmp_path / "site"
    (folder / "my_lab").mkdir(parents=True)
    (folder / "my_lab" / "__init__.py").touch()
    return folder


@pytest.mark.slow
def test_the_view_of_the_guide_keeps_the_contract(site: Path, tmp_path: Path) -> None:
    view, test = blocks("add-a-view.md", "python")
    (points,) = blocks("add-a-view.md", "toml")
    (site / "my_lab" / "input_gradient.py").write_text(view, encoding="utf-8")
    group = "explorer.views"
    ((name, value),) = tomllib.loads(points)["project"]["entry-points"][group].items()
    install(site, {name: value}, group)
    argv = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", name)
    said = python(*argv, str(ROOT / "tests/views/test_contract.py"), site=site, folder=ROOT)
    passed = int(re.search(r"(\d+) passed", said)[1])  # type: ignore[index]
    assert passed >= 8
    python(
        "-m", "explorer", "render", name, "cat", "-o", "g.png", "--data", "g.npz",
        site=site, folder=tmp_path,
    )  # fmt: skip
    assert (tmp_path / "g.png").stat().st_size > 10_000
    place = tmp_path / "test_input_gradient.py"
    assert "explorer.views.inside.input_gradient" in test
    place.write_text(test.replace("explorer.views.inside", "my_lab"), encoding="utf-8")
    said = python("-m", "pytest", "-q", "-p", "no:cacheprovider", str(place), site=site)
    assert "1 passed" in said


def test_the_view_of_the_guide_is_written_as_the_others_are(tmp_path: Path) -> None:
    for number, block in enumerate(blocks("add-a-view.md", "python")):
        place = tmp_path / f"block_{number}.py"
        place.write_text(block, encoding="utf-8")
        # The file that the guide makes is not there, so ruff cannot tell whose it is.
        ours = "lint.isort.known-first-party = ['explorer', 'tests']"
        config = ("--config", str(ROOT / "pyproject.toml"), "--config", ours)
        python("-m", "ruff", "check", *config, str(place))


def test_the_network_of_the_guide_is_in_the_catalog(site: Path) -> None:
    (code,) = blocks("add-a-network.md", "python")
    (points,) = blocks("add-a-network.md", "toml")
    (site / "my_lab" / "explorer.py").write_text(code, encoding="utf-8")
    group = "explorer.networks"
    install(site, tomllib.loads(points)["project"]["entry-points"][group], group)
    ask = "import explorer; print(explorer.look('classify', 'cat', network='lab_net').notes)"
    assert "UNTRAINED" in python("-c", ask, site=site)


def test_the_python_page_runs_from_top_to_bottom(tmp_path: Path) -> None:
    script = tmp_path / "page.py"
    script.write_text("\n".join(blocks("python.md", "python")), encoding="utf-8")
    said = python(str(script), folder=tmp_path)
    assert "has no parameter 'topp'" in said
    assert "torch.Size" in said or "(128, 8, 8)" in said
    assert (tmp_path / "dream.png").is_file()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_link_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    assert links, "every page leads on"
    for link in links:
        assert link.startswith("https://") or (GUIDE / link.partition("#")[0]).is_file(), link


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_files_and_modules_that_are_named_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for path in re.findall(r"`((?:explorer|tests|resources)/[\w/.]+\.\w+)`", text):
        made = "input_gradient" in path
        assert made or (ROOT / path).exists(), path
    for name in re.findall(r"`explorer\.((?:\w+\.)+\w+)`", text):
        place = ROOT / "explorer" / Path(*name.split("."))
        holder = place.parent.with_suffix(".py")  # of what is defined in a module
        defined = holder.is_file() and re.search(rf"\b{place.name}\b", holder.read_text("utf-8"))
        assert place.is_dir() or place.with_suffix(".py").is_file() or defined, name


def test_the_window_shows_every_page_and_follows_links(qtbot: QtBot) -> None:
    from PySide6.QtWidgets import QWidget

    from explorer.ui.dialogs.guide import PAGES as SHOWN
    from explorer.ui.dialogs.guide import GuideWindow

    assert sorted(SHOWN) == [page.stem for page in PAGES]
    owner = QWidget()
    qtbot.addWidget(owner)
    window = GuideWindow(owner)
    window.show_page("add-a-view")
    assert window.page.toPlainText().startswith("Add a view")
    window.page.follow(QUrl("glossary.md"))
    assert window.page.toPlainText().startswith("Glossary")
    assert window.pages.currentItem().text() == "Glossary"
    window.page.follow(QUrl("architecture.md#threads"))
    assert window.page.verticalScrollBar().value() > 0
    assert window.pages.currentItem().text() == "How it is built"
    window.back.click()
    assert window.pages.currentItem().text() == "Glossary"
    window.close()


def test_a_formula_of_a_page_is_mathematics(qtbot: QtBot, tmp_path: Path) -> None:
    from PySide6.QtGui import QGuiApplication

    from explorer.ui.dialogs.guide import Page

    (tmp_path / "page.md").write_text(
        "# A page\n\nThe $w_i$ here.\n\n$$ x = \\frac{a}{b} $$\n\n```\n$$ y $$\n```\n"
    )
    page = Page()
    qtbot.addWidget(page)
    page.resize(500, 400)
    page.show()
    page.open(QUrl.fromLocalFile(str(tmp_path / "page.md")))

    def images() -> list[str]:
        found, block = [], page.document().begin()
        while block.isValid():
            shape = block.begin().fragment().charFormat().toImageFormat()
            if block.text() and shape.isValid() and shape.width() > 0:
                found.append(shape.name())
            block = block.next()
        return found

    qtbot.waitUntil(lambda: len(images()) == 1)
    page.selectAll()
    page.copy()
    copied = QGuiApplication.clipboard().text()
    assert "The wᵢ here." in copied
    assert "\nx = a / b\n" in copied
    assert "$$ y $$" in copied, "code stays as it is"


def test_the_guide_needs_no_mouse(qtbot: QtBot) -> None:
    from PySide6.QtCore import Qt
    from PySide6.QtWidgets import QWidget

    from explorer.ui.dialogs.guide import GuideWindow

    owner = QWidget()
    qtbot.addWidget(owner)
    window = GuideWindow(owner)
    with qtbot.waitActive(window):
        window.show_page("python")
    window.pages.setFocus()
    QTest.keyClick(window.pages, Qt.Key.Key_Down)
    assert window.page.toPlainText().startswith("Glossary")
    QTest.keyClick(window.pages, Qt.Key.Key_Left, Qt.KeyboardModifier.AltModifier)
    qtbot.waitUntil(lambda: window.page.toPlainText().startswith("Python"))
    window.page.setFocus()
    QTest.keyClick(window.page, Qt.Key.Key_Tab)
    assert window.page.textCursor().charFormat().anchorHref(), "Tab stands on the first link"
    QTest.keyClick(window.page, Qt.Key.Key_Return)
    assert not window.page.toPlainText().startswith("Python")
    QTest.keyClick(window, Qt.Key.Key_Escape)
    assert not window.isVisible()
