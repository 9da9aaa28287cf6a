"""A report is one page that a browser can show without anything else."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from explorer.core.layers import Board, Curve, Pane, Picture, Plot, Table
from explorer.saving.export import save_page


class Reader(HTMLParser):
    """The tags that open, the cells of tables, and the texts of notes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in ("meta", "img"):
            self.open.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, "every tag is closed by its own"

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] in ("td", "th"):
            self.cells.append(data)


def board() -> Board:
    line = np.linspace(0, 1, 5)
    return Board(
        (Pane("image", (8.0, 6.0), (Picture(np.zeros((6, 8, 3), np.uint8)),), title="A <pane>"),),
        plots=(Plot("curve", "Precision & recall", "recall", "precision", (Curve(line, line),)),),
        tables=(
            Table("rows", ("class", "AP", "objects"), (("<b>dog</b>", 0.5, 1200), ("cat", "", 3)),
                  title="By class"),
            Table("none", ("class",), ()),
        ),
        summary="AP 50.0%",
        notes=("Two & three.",),
    )  # fmt: skip


def test_a_page_has_everything_of_the_board_and_loads_nothing(tmp_path: Path) -> None:
    place = tmp_path / "out.html"
    save_page(place, board(), {"view": "</script><b>"}, title="A & B")
    text = place.read_text(encoding="utf-8")
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    head = ["class", "AP", "objects"]
    assert reader.cells == [*head, "<b>dog</b>", "0.5", "1,200", "cat", "3", "class"]
    assert "<title>A &amp; B</title>" in text
    assert "Two &amp; three." in text
    assert len(reader.links) == 2
    for link in reader.links:
        kind, _, data = link.partition(",")
        assert kind == "data:image/svg+xml;base64"
        assert ElementTree.fromstring(base64.b64decode(data)).tag.endswith("svg")
    found = re.search(r'id="metadata">(.*?)</script>', text)
    assert found is not None
    assert json.loads(found[1]) == {"view": "</script><b>"}
    assert "http" not in re.sub(r"base64,[^\"]*", "", text)


def test_a_page_of_nothing_is_a_page(tmp_path: Path) -> None:
    place = tmp_path / "out.html"
    save_page(place, Board(()))
    assert "<h1>Convnet Explorer</h1>" in place.read_text()
