"""The matrix: every cell is the network's own answer for the picture after the corruption."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from PIL import Image as Pillow

from explorer.core.layers import Masks, Text
from explorer.core.network_info import NetworkSpec
from explorer.core.params import ImageRef, resolved
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.images.image import open_image
from explorer.views.synthesis.transfer_matrix import OTHERS, VERDICTS, VIEW, Params
from explorer.vision.adversarial.transfer import Verdict, corruptions, probabilities
from tests.toys import toy_image, toy_network

KINDS = ("JPEG", "noise")


def scene_of() -> Scene:
    scene = Scene(toy_network("classification"), toy_image(), seed=5)
    other = toy_network("localization")
    other.info = replace(other.info, spec=NetworkSpec("other"), title="other")
    others = dict.fromkeys(OTHERS, other)
    scene.opened = Opened(others)
    return scene


def run(scene: Scene, **changes):
    values = {"steps": 3, "kinds": KINDS, "target": "dog", "epsilon": 64.0, **changes}
    params = resolved(Params(**values), scene.network.info)
    return params, list(VIEW.compute(scene, params))


def test_cells_are_the_networks_own_answers() -> None:
    scene = scene_of()
    params, steps = run(scene)
    result = steps[-1].value
    made = corruptions(KINDS)
    networks = [scene.network, scene.network_of(OTHERS[0])]
    assert [column.title for column in result.columns] == ["toy", "other"], "each once"
    assert len(result.cells) == len(made) * len(result.columns)
    for (row, column), found in result.cells.items():
        picture = made[row].make(result.adversarial, scene.seed)
        np.testing.assert_array_equal(found.adversarial, probabilities(networks[column], picture))
    data = VIEW.data(result, params)
    assert np.isfinite(data["probability"]).all()
    assert data["corruptions"][0] == "unchanged"


def test_progress_and_partial_boards() -> None:
    params, steps = run(scene_of())
    assert [step.done for step in steps] == list(range(1, steps[-1].total + 1))
    assert steps[0].note == "PGD, step 0 of 3"
    board = VIEW.draw(steps[0].value, params)
    assert not board.plots, "no cell is there yet"
    masks = [layer for layer in board.pane("matrix").layers if isinstance(layer, Masks)]
    assert (masks[0].index == -1).all()
    board = VIEW.draw(steps[-1].value, params)
    masks = [layer for layer in board.pane("matrix").layers if isinstance(layer, Masks)]
    assert masks[0].index.min() >= 0
    assert len(masks[0].colors) == len(Verdict)
    words = [layer.text for layer in board.pane("matrix").layers if isinstance(layer, Text)]
    assert {name for name, _ in VERDICTS.values()} <= set(words), "the legend"
    boxes = board.boxes("cells")
    assert boxes is not None
    assert len(boxes.xyxy) == masks[0].index.size


def test_the_selected_cell_has_its_picture_and_bars() -> None:
    _, steps = run(scene_of())
    result = steps[-1].value
    board = VIEW.draw(result, Params(selected=5))
    assert f"{result.columns[1].title}, {result.rows[2]}" in board.plots[0].title
    far = VIEW.draw(result, Params(selected=200))
    assert "unchanged" in far.plots[0].title
    words = board.pane("matrix").readout
    assert words is not None
    assert result.rows[0] in words(150.0, 50.0)
    assert words(1.0, 1.0) == ""


def test_a_picture_from_a_file(tmp_path) -> None:
    scene = scene_of()
    size = scene.network.preprocess.crop
    pixels = np.random.default_rng(0).integers(0, 256, (size, size, 3)).astype(np.uint8)
    path = tmp_path / "adversarial.png"
    Pillow.fromarray(pixels).save(path)
    ref = ImageRef(str(path))
    scene.opened = Opened(scene.opened.networks, {ref: open_image(path)})
    _, steps = run(scene, picture=ref)
    np.testing.assert_array_equal(steps[-1].value.adversarial, pixels)
    assert "adversarial.png" in VIEW.draw(steps[-1].value, Params()).summary
    assert steps[0].total == 2 * len(corruptions(KINDS)), "nothing is attacked"
    wrong = tmp_path / "wrong.png"
    Pillow.fromarray(pixels[:20]).save(wrong)
    ref = ImageRef(str(wrong))
    scene.opened = Opened(scene.opened.networks, {ref: open_image(wrong)})
    _, steps = run(scene, picture=ref)
    assert steps[-1].value.adversarial.shape == (size, size, 3)
    (note,) = VIEW.draw(steps[-1].value, Params()).notes
    assert note.startswith("The adversarial picture has 32 x 20 pixels and was resized")
