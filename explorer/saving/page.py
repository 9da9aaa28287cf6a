"""A board as one web page that needs nothing else: figures and tables inside, no script."""

from __future__ import annotations

import base64
import json
from html import escape
from typing import TYPE_CHECKING, Any

from explorer import __version__
from explorer.core.layers import Board, numeric
from explorer.core.storage.atomic import write_bytes
from explorer.saving.plain_values import plain

if TYPE_CHECKING:
    import os
    from collections.abc import Mapping

    from explorer.core.layers import Pane, Plot, Table

PAGE_SUFFIX = ".html"

_PANE_MM, _PLOT_MM = 160.0, 110.0

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; color: #1b1f24; background: #f4f5f7; margin: 0; }
main { max-width: 1180px; margin: 0 auto; padding: 24px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 17px; margin: 28px 0 8px; }
p { margin: 4px 0; }
p.note { background: #fff3cd; color: #664d03; padding: 8px 12px; border-radius: 6px; }
p.quiet { color: #656d76; }
.figures { display: flex; flex-wrap: wrap; gap: 16px; }
.figures img { background: #fff; border-radius: 8px; max-width: 100%; height: auto; }
.table { overflow: auto; max-height: 560px; background: #fff; border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th { position: sticky; top: 0; background: #fff; box-shadow: 0 1px 0 #d8dee4; text-align: left; }
th, td { padding: 5px 12px; white-space: nowrap; vertical-align: top; }
td:last-child, th:last-child { white-space: normal; }
tr:nth-child(even) td { background: #f6f8fa; }
.number { text-align: right; }
""".strip()


def save_page(
    path: str | os.PathLike[str],
    board: Board,
    metadata: Mapping[str, Any] | None = None,
    *,
    title: str = "",
) -> None:
    """Writes `page_bytes` atomically.

    Raises:
        ExplorerError: The file cannot be written.
    """
    write_bytes(path, page_bytes(board, metadata, title=title))


def page_bytes(
    board: Board, metadata: Mapping[str, Any] | None = None, *, title: str = ""
) -> bytes:
    """The page: title, summary, notes, panes and plots as SVG, and the whole tables.

    Args:
        board: What is shown.
        metadata: Plain values and numpy arrays; they are kept in the page as JSON, unseen.
        title: Of the page.
    """
    heading = title or "Convnet Explorer"
    parts = [f"<h1>{escape(heading)}</h1>"]
    parts += [f'<p class="quiet">{escape(board.summary)}</p>'] if board.summary else []
    parts += [f'<p class="note">{escape(note)}</p>' for note in board.notes]
    figures = [*map(_pane, board.panes), *map(_plot, board.plots)]
    if figures:
        parts += ['<div class="figures">', *figures, "</div>"]
    parts += map(_table, board.tables)
    kept = json.dumps(plain(metadata or {}).value, ensure_ascii=True).replace("</", "<\\/")
    return "\n".join(
        [
            "<!DOCTYPE html>",
            '<html lang="en">',
            "<head>",
            '<meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f'<meta name="generator" content="Convnet Explorer {escape(__version__)}">',
            f"<title>{escape(heading)}</title>",
            f"<style>\n{_STYLE}\n</style>",
            f'<script type="application/json" id="metadata">{kept}</script>',
            "</head>",
            "<body>",
            "<main>",
            *parts,
            "</main>",
            "</body>",
            "</html>",
            "",
        ]
    ).encode("utf-8", "replace")


def _pane(pane: Pane) -> str:
    return _figure(Board((pane,)), pane.title or pane.name, _PANE_MM)


def _plot(plot: Plot) -> str:
    return _figure(Board((), plots=(plot,)), plot.title or plot.name, _PLOT_MM)


def _figure(board: Board, title: str, width: float) -> str:
    """As a picture of its own, so that no two figures share names or letters."""
    from explorer.render.vector.figure import FigureSize, render_figure
    from explorer.render.vector.svg import svg_bytes

    drawing = render_figure(board, FigureSize(width))
    svg = svg_bytes(drawing, title=title, metadata="{}", letters=False)  # a screen has Arial's
    data = base64.b64encode(svg).decode("ascii")
    return f'<img alt="{escape(title)}" src="data:image/svg+xml;base64,{data}">'


def _table(table: Table) -> str:
    from explorer.render.charts import cells_of

    columns = [[row[n] for row in table.rows] for n in range(len(table.columns))]
    marks = [' class="number"' if numeric(column) else "" for column in columns]
    rows = zip(*map(cells_of, columns), strict=True) if table.rows else ()
    head = "".join(
        f"<th{mark}>{escape(title)}</th>" for mark, title in zip(marks, table.columns, strict=True)
    )
    body = "\n".join(
        "<tr>"
        + "".join(f"<td{mark}>{escape(cell)}</td>" for mark, cell in zip(marks, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return (
        f"<h2>{escape(table.title or table.name)}</h2>\n"
        f'<div class="table"><table>\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table></div>"
    )
