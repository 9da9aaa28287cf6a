"""Boxes lie apart, and arrows lead from box to box without crossing another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from explorer.vision.graph import layout
from explorer.vision.graph.folding import folded
from explorer.vision.graph.layout import BOX, Drawn, laid_out, plain_columns, ranked_of
from explorer.vision.graph.recording import recorded
from tests.vision.graph.test_recording import on_meta

CHAIN = [(), *((at,) for at in range(20))]
SHORTCUT = [(), (0,), (1,), (2,), (0, 3), (4,), (4,), (5, 6, 4)]
INCEPTION = [(), *[(0,)] * 3, (1,), (2,), (5,), (0, 3, 4, 6), (7,)]
LOOSE = [(), (), (0,), (1, 2), ()]
GRAPHS = {"one": [()], "chain": CHAIN, "shortcut": SHORTCUT, "inception": INCEPTION, "loose": LOOSE}


def apart(boxes: Any) -> bool:
    low = np.maximum(boxes[:, None, :2], boxes[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], boxes[None, :, 2:])
    touching = (low < high).all(axis=2)
    np.fill_diagonal(touching, val=False)
    return not touching.any()


def check(drawn: Drawn, sources: Sequence[Sequence[int]]) -> None:
    assert apart(drawn.boxes)
    width, height = drawn.size
    assert (drawn.boxes >= 0).all()
    assert (drawn.boxes <= [width, height, width, height]).all()
    edges = {(at, box) for box, before in enumerate(sources) for at in before}
    assert set(drawn.edges) == edges
    for (start, end), path in zip(drawn.edges, drawn.paths, strict=True):
        x0, _, x1, bottom = drawn.boxes[start]
        assert path[0].tolist() == pytest.approx([(x0 + x1) / 2, bottom])
        x0, top, x1, _ = drawn.boxes[end]
        assert path[-1].tolist() == pytest.approx([(x0 + x1) / 2, top])
        for share in np.linspace(0, 1, 21):
            at = path[:-1] + share * (path[1:] - path[:-1])
            for row, (x0, y0, x1, y1) in enumerate(drawn.boxes):
                inside = (at[:, 0] > x0 + 1) & (at[:, 0] < x1 - 1)
                inside &= (at[:, 1] > y0 + 1) & (at[:, 1] < y1 - 1)
                assert not inside.any(), f"{start} to {end} crosses {row}"


@pytest.fixture(params=["library", "plain"])
def layouts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """With the layout library, and without."""
    word: str = request.param
    if word == "library":
        pytest.importorskip("fast_sugiyama")
    else:
        monkeypatch.setattr(layout, "from_edges", None)
    return word


@pytest.mark.parametrize("name", GRAPHS)
def test_nothing_lies_on_another(name: str, layouts: str) -> None:
    check(laid_out(GRAPHS[name]), GRAPHS[name])


def test_a_chain_is_wrapped_into_columns_like_a_text(layouts: str) -> None:
    drawn = laid_out(CHAIN)
    columns = np.unique(drawn.boxes[:, 0])
    assert 3 <= len(columns) <= 6
    assert 1.0 < drawn.size[0] / drawn.size[1] < 2.7
    for left in columns:
        tops = drawn.boxes[drawn.boxes[:, 0] == left, 1]
        assert (np.diff(tops) > BOX[1]).all(), "downward within each column"


def test_ranks_go_down_along_every_edge(layouts: str) -> None:
    for sources in GRAPHS.values():
        ranked = ranked_of(sources)
        for box, before in enumerate(sources):
            assert all(ranked.ranks[at] < ranked.ranks[box] for at in before)
        assert len({*zip(ranked.ranks, ranked.lanes, strict=True)}) == len(sources)


def test_an_edge_over_several_ranks_bends_beside_the_boxes_between() -> None:
    ranked = plain_columns(SHORTCUT)
    assert ranked.ranks == (0, 1, 2, 3, 4, 5, 5, 6)
    assert ranked.bends[0, 4] == ((1, 1.0), (2, 1.0), (3, 1.0))


@pytest.mark.parametrize("name", ["resnet18", pytest.param("googlenet", marks=pytest.mark.slow)])
@pytest.mark.parametrize("most", [24, 60, 200])
def test_torchvision(name: str, most: int, layouts: str) -> None:
    module, picture = on_meta(name)
    graph = recorded(module, lambda: module(picture), [picture])
    sources = [group.sources for group in folded(graph, most)]
    check(laid_out(sources), sources)
