"""Graphs, statistics and views of whole folders for networks of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explorer.core.params import FolderRef
from explorer.engine.scene import Scene
from explorer.engine.view import View
from explorer.networks.network import Network
from explorer.views.inside.concepts.view import VIEW as CONCEPTS
from explorer.views.inside.layer_statistics.view import VIEW as STATISTICS
from explorer.views.inside.network_graph.view import VIEW as GRAPH
from explorer.views.inside.similar_images.view import VIEW as SIMILAR
from explorer.views.inside.top_patches.view import VIEW as PATCHES
from explorer.views.inside.transfer_probe.view import VIEW as PROBE
from tests.toys import hook_count, toy_image
from tests.views.inside.folders import colored
from tests.views.inside.test_networks import NETWORKS, last_of

FOLDERS: tuple[tuple[View[Any, Any], dict[str, Any]], ...] = (
    (SIMILAR, {}),
    (PATCHES, {"count": 2}),
    (CONCEPTS, {"count": 2}),
    (PROBE, {"most": 2, "scratch": False}),
)


@pytest.fixture(params=NETWORKS)
def network(request: pytest.FixtureRequest) -> Network:
    found: Network = request.param()
    return found


def test_the_graph_and_the_statistics(network: Network) -> None:
    scene = Scene(network, toy_image(96, 128))
    graph = last_of(GRAPH, scene, GRAPH.Params())
    board = GRAPH.draw(graph, GRAPH.Params())
    assert board.panes
    assert network.info.title
    statistics = last_of(STATISTICS, scene, STATISTICS.Params())
    if statistics is not None:
        assert STATISTICS.draw(statistics, STATISTICS.Params()).plots
    assert hook_count(network.module) == 0


def test_folders_of_photos(network: Network, tmp_path: Path) -> None:
    folder = FolderRef(str(colored(tmp_path / "photos", each=3)))
    scene = Scene(network, toy_image(96, 128))
    shown = 0
    for view, more in FOLDERS:
        params = view.Params(folder=folder, **more)
        result = last_of(view, scene, params)
        if result is not None:
            board = view.draw(result, params)
            assert board.panes, view.name
            assert board.summary, view.name
            shown += 1
        assert hook_count(network.module) == 0, view.name
    assert shown >= 2


def test_the_strongest_patches_are_in_order(network: Network, tmp_path: Path) -> None:
    folder = FolderRef(str(colored(tmp_path / "photos", each=2)))
    params = PATCHES.Params(folder=folder, count=4, deconvnet=False)
    result = last_of(PATCHES, Scene(network, toy_image(96, 128)), params)
    if result is not None:
        values = [patch.value for patch in result.patches]
        assert values == sorted(values, reverse=True)
        assert len(result.peaks) == 6
        assert np.isclose(values[0], result.peaks.max(), rtol=1e-3)
