"""Maps are the layer's own numbers, and cells lie on the photo where they should."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from explorer.core.layers import Boxes, Heat, Points, cell_at
from explorer.core.params import ImageRef, Point, resolved
from explorer.engine.references import Opened
from explorer.engine.scene import Scene
from explorer.networks.hooks import captured
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.feature_maps.params import Params
from explorer.views.inside.feature_maps.result import Result
from explorer.views.inside.feature_maps.view import VIEW
from tests.toys import ToyConvNet, make_network, toy_image, toy_network


def plain_network():
    return make_network(ToyConvNet(), "classification", default_layer="conv1")


def result_of(scene: Scene, **changes) -> Result:
    params = resolved(Params(**changes), scene.network.info)
    *_, step = VIEW.compute(scene, params)
    return step.value


def test_by_hand() -> None:
    scene = Scene(plain_network(), toy_image())
    result = result_of(scene, layer="conv1")
    pixels = scene.image.pixels[::2, ::2].astype(np.float32) / 255
    assert result.answer.shape == (1, 3, 24, 32)
    np.testing.assert_allclose(result.answer.values[0], pixels[..., 0], atol=1e-6)
    np.testing.assert_allclose(result.answer.values[1], -pixels[..., 1], atol=1e-6)
    np.testing.assert_allclose(result.answer.values[2], pixels[..., 2] - 0.25, atol=1e-6)
    assert result.statistics.dead.tolist() == [False, True, False]


@pytest.mark.parametrize("layer", ["conv1", "conv2", "relu", "pool", "fc"])
def test_equal_to_the_layers_own_output(layer: str) -> None:
    scene = Scene(toy_network("classification"), toy_image())
    with torch.no_grad(), captured(scene.network.module, [layer]) as records:
        scene.network.module(scene.input())
    own = records[layer][0][0]
    ours = torch.from_numpy(result_of(scene, layer=layer).answer.values)
    assert torch.equal(ours, own.reshape(ours.shape))


def test_a_layer_called_twice() -> None:
    scene = Scene(plain_network(), toy_image())
    first, second = (result_of(scene, layer="relu", call=call) for call in (0, 1))
    assert first.answer.values.shape[0] == 3
    assert second.answer.values.shape[0] == 8
    assert result_of(scene, layer="relu", call=99).answer.call == 1
    board = VIEW.draw(first, Params())
    assert "calls this layer 2 times" in board.notes[0]
    assert board.idle == ("part", "item"), "nothing to choose from"


def test_default_layer_leads_the_choices() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    assert resolved(Params(), scene.network.info).layer == "conv2"
    assert result_of(scene).maps.layer == "conv2"


def test_selection_is_a_channel_wherever_its_tile_is() -> None:
    result = result_of(Scene(plain_network(), toy_image()), layer="conv1")
    for sort in ("index", "mean", "max", "variance"):
        board = VIEW.draw(result, Params(channel=2, sort=sort))
        tiles = board.boxes("tiles")
        assert tiles is not None
        assert sorted(tiles.keys) == [0, 1, 2]
        assert board.tables[0].keys == tiles.keys
        heat = next(x for x in board.pane("image").layers if isinstance(x, Heat))
        assert heat.values is not None
        np.testing.assert_array_equal(heat.values, result.answer.values[2])
        mosaic = next(x for x in board.pane("mosaic").layers if isinstance(x, Heat))
        x0, y0 = tiles.xyxy[tiles.row(2)][:2]
        cell = cell_at(mosaic, x0 + 3.5, y0 + 5.5)
        low, high = result.statistics.low[2], result.statistics.high[2]
        wanted = (result.answer.values[2, 5, 3] - low) / (high - low)
        assert mosaic.values[cell] == pytest.approx(wanted, abs=1e-6)


def test_scales() -> None:
    result = result_of(Scene(plain_network(), toy_image()), layer="conv1")
    heats = {}
    for scale in ("each channel", "shared", "around zero"):
        board = VIEW.draw(result, Params(scale=scale))
        heats[scale] = next(x for x in board.pane("mosaic").layers if isinstance(x, Heat))
    values = result.answer.values
    assert (heats["each channel"].low, heats["each channel"].high) == (0.0, 1.0)
    assert heats["shared"].low == values.min()
    assert heats["shared"].high == values.max()
    assert heats["around zero"].low == -heats["around zero"].high == -abs(values).max()


def test_cells_lie_on_the_photo_behind_a_crop() -> None:
    # 48 x 64 -> 24 x 32 (half), center crop 24 x 24 starts at column 4; conv1 makes 12 x 12 cells.
    network = make_network(
        ToyConvNet(), "classification", preprocess=Preprocess(resize=24, crop=24)
    )
    result = result_of(Scene(network, toy_image(48, 64)), layer="conv1")
    heat = next(x for x in VIEW.draw(result, Params()).pane("image").layers if isinstance(x, Heat))
    assert heat.extent == (8.0, 0.0, 56.0, 48.0)
    board = VIEW.draw(result, Params(at=Point(8 + 4 * 3 + 1, 4 * 5 + 1)))
    cell = board.boxes("cell")
    assert cell is not None
    assert cell.xyxy.tolist() == [[20.0, 20.0, 24.0, 24.0]]
    marks = next(x for x in board.pane("mosaic").layers if isinstance(x, Points))
    assert marks.xy[0].tolist() == [3.5, 5.5]
    vector = next(plot for plot in board.plots if plot.name == "vector")
    np.testing.assert_allclose(vector.curves[0].y, result.answer.values[:, 5, 3])
    assert VIEW.draw(result, Params(at=Point(2.0, 2.0))).boxes("cell") is None


def test_hover_in_the_mosaic_marks_the_photo() -> None:
    result = result_of(Scene(plain_network(), toy_image()), layer="conv1")
    board = VIEW.draw(result, Params(at_map=Point(32 + 3.2, 5.7)))
    cell = board.boxes("cell")
    assert cell is not None
    assert cell.xyxy.tolist() == [[6.0, 10.0, 8.0, 12.0]]
    readout = board.pane("mosaic").readout
    assert readout is not None
    assert readout(32 + 3.2, 5.7).startswith("channel 1, row 5, column 3: ")


def test_a_detectors_padding_moves_the_cells() -> None:
    # 48 x 64 -> short side 64, but the long side stops at 85: 64 x 85, padded to 64 x 96;
    # two strides of 4 make 4 x 6 cells of 16 pixels, and the last one is mostly padding.
    scene = Scene(toy_network("detection"), toy_image(48, 64))
    result = result_of(scene, layer="backbone.conv2")
    assert result.answer.values.shape == (16, 4, 6)
    heat = next(x for x in VIEW.draw(result, Params()).pane("image").layers if isinstance(x, Heat))
    np.testing.assert_allclose(heat.extent, (0, 0, 96 * 64 / 85, 48), rtol=1e-6)
    # The same place by another way: torchvision's own resizing of boxes.
    from torchvision.models.detection.transform import resize_boxes

    box = torch.tensor([[16.0 * 2, 16.0 * 3, 16.0 * 3, 16.0 * 4]])
    back = resize_boxes(box, [64, 85], [48, 64])[0]
    board = VIEW.draw(result, Params(at=Point(*((back[:2] + back[2:]) / 2).tolist())))
    cell = board.boxes("cell")
    assert cell is not None
    np.testing.assert_allclose(cell.xyxy[0], back.numpy(), rtol=1e-5)


def test_inside_a_detectors_head_cells_are_no_places() -> None:
    scene = Scene(toy_network("detection"), toy_image())
    result = result_of(scene, layer="roi_heads.box_head.fc6", item=2)
    assert result.answer.frame is None
    assert result.answer.values.shape[1:] == (1, 1)
    board = VIEW.draw(result, Params(at=Point(3.0, 3.0)))
    assert not [x for x in board.pane("image").layers if isinstance(x, (Heat, Boxes))]
    assert any("Its batch holds" in note for note in board.notes)


def test_data_holds_the_raw_numbers() -> None:
    result = result_of(Scene(plain_network(), toy_image()), layer="conv1")
    found = VIEW.data(result, Params())
    assert found["activation"].dtype == np.float32
    np.testing.assert_array_equal(found["activation"], result.answer.values)
    assert found["extent"] == (0.0, 0.0, 64.0, 48.0)


def test_a_second_photo_is_shown_on_the_same_scale() -> None:
    other = ImageRef("other")
    second = toy_image(30, 40, seed=5)
    scene = Scene(plain_network(), toy_image(), opened=Opened(images={other: second}))
    params = Params(layer="conv1", second=other, channel=0)
    *_, step = VIEW.compute(scene, params)
    board = VIEW.draw(step.value, params)
    assert [pane.name for pane in board.panes] == ["image", "second", "mosaic"]
    assert board.pane("second").size == (40.0, 30.0)
    first, compared = (board.pane(name).layers[1] for name in ("image", "second"))
    assert isinstance(first, Heat)
    assert isinstance(compared, Heat)
    assert (first.low, first.high) == (compared.low, compared.high)
    values = [layer.values for layer in (first, compared)]
    assert first.low == min(float(v.min()) for v in values)
    assert first.high == max(float(v.max()) for v in values)
    alone = Scene(plain_network(), second)
    *_, own = VIEW.compute(alone, Params(layer="conv1"))
    np.testing.assert_array_equal(compared.values, own.value.answer.values[0])
    np.testing.assert_array_equal(
        VIEW.data(step.value, params)["second_activation"], own.value.answer.values
    )
