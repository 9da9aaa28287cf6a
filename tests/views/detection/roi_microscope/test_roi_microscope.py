"""What the microscope shows is what torchvision's operations and the network's own head give."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN, RetinaNet
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, roi_align, roi_pool
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from explorer.core.errors import ExplorerError
from explorer.core.layers import Boxes, Heat
from explorer.core.params import Box
from explorer.engine.scene import Scene
from explorer.engine.stages import head_answer_of, layer_maps_of, pooled_maps_of, trace_of
from explorer.networks.embedded.lite_rcnn import AlignedRoIAlign
from explorer.networks.network import Network
from explorer.views.detection.roi_microscope.params import HEAD, Params
from explorer.views.detection.roi_microscope.view import VIEW, Result
from explorer.vision.trace import TwoStage
from tests.toys import hook_count, make_network, tiny_faster_rcnn, toy_image, toy_network

MINE = Box(9.25, 7.5, 41.75, 38.0)


class SmallFPN(nn.Module):
    """Maps of strides 8 and 16 with a pyramid on them, and a pooled one of stride 32."""

    out_channels = 16

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Sequential(nn.Conv2d(3, 16, 9, stride=8, padding=4), nn.ReLU())
        self.coarse = nn.Sequential(nn.Conv2d(16, 32, 3, stride=2, padding=1), nn.ReLU())
        self.fpn = FeaturePyramidNetwork([16, 32], 16, extra_blocks=LastLevelMaxPool())

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        fine = self.fine(images)
        maps: dict[str, Tensor] = self.fpn(OrderedDict([("0", fine), ("1", self.coarse(fine))]))
        return maps


def pyramid_network(pooling: type[MultiScaleRoIAlign] = MultiScaleRoIAlign) -> Network:
    """A small Faster R-CNN with two pooled levels."""
    with torch.random.fork_rng():
        torch.manual_seed(2)
        module = FasterRCNN(
            SmallFPN(), num_classes=5, min_size=256, max_size=352,
            rpn_anchor_generator=AnchorGenerator(((24,), (64,), (256,)), ((0.5, 1.0, 2.0),) * 3),
            box_roi_pool=pooling(["0", "1"], 5, 2), box_score_thresh=0.0,
            rpn_pre_nms_top_n_test=200,
        )  # fmt: skip
    return make_network(module, "detection", classes=("__background__", "a", "b", "c", "d"))


def one_stage() -> RetinaNet:
    with torch.random.fork_rng():
        torch.manual_seed(2)
        backbone = tiny_faster_rcnn().backbone
        anchors = AnchorGenerator(((16, 32),), ((0.5, 1.0, 2.0),))
        return RetinaNet(backbone, 3, min_size=64, max_size=96, anchor_generator=anchors)


@pytest.fixture(scope="module")
def scene() -> Scene:
    return Scene(pyramid_network(), toy_image(96, 128))


def result_of(scene: Scene, params: Params) -> Result:
    (step,) = VIEW.compute(scene, params)
    return step.value


def test_outputs_are_torchvisions_on_the_networks_own_map(scene: Scene) -> None:
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    for aligned in (False, True):
        params = Params(box=MINE, aligned=aligned, size=5, sampling=0)
        found = VIEW.data(result_of(scene, params), params)
        features = trace.pyramid.features[found["map"]]
        inside = trace.pyramid.frame.boxes(np.array([[9.25, 7.5, 41.75, 38.0]], np.float32))
        rois = torch.cat([torch.zeros(1, 1), torch.from_numpy(inside)], dim=1)
        scale = found["scale"][0]
        own = roi_align(features, rois, 5, scale, 0, aligned)[0]
        np.testing.assert_allclose(found["roi_align"], own, atol=1e-5)
        np.testing.assert_array_equal(found["roi_pool"], roi_pool(features, rois, 5, scale)[0])
        grids = [roi_pool(features, rois, n, scale)[0].flatten(1) for n in (1, 2, 4)]
        np.testing.assert_array_equal(found["spp"][:, 0], torch.cat(grids, dim=1))


@pytest.mark.parametrize(
    ("pooling", "side"), [(MultiScaleRoIAlign, 224), (AlignedRoIAlign, 224), (AlignedRoIAlign, 150)]
)
def test_the_default_is_what_the_network_pools(
    pooling: type[MultiScaleRoIAlign], side: int
) -> None:
    """RoIAlign of the proposals at the network's own size and sampling, levels included."""
    network = pyramid_network(pooling)
    network.module.roi_heads.box_roi_pool.canonical_scale = side
    scene = Scene(network, toy_image(96, 128))
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    maps = pooled_maps_of(scene)
    assert maps.size == (5, 5)
    assert maps.levels == (3, 4)
    levels = set()
    chosen = [torch.where(trace.roi.levels == level)[0][:3] for level in (0, 1)]
    for number in torch.cat(chosen).tolist():
        params = Params(proposal=number + 1, size=5, sampling=maps.sampling)
        result = result_of(scene, params)
        found = VIEW.data(result, params)
        np.testing.assert_allclose(found["roi_align"], trace.roi.pooled[number], atol=2e-4)
        assert result.number == int(trace.roi.levels[number])
        levels.add(result.number)
        np.testing.assert_allclose(
            found["probabilities"], trace.roi.probabilities[number], atol=1e-5
        )
    assert levels == {0, 1}


def test_the_head_is_the_networks_own_call(scene: Scene) -> None:
    trace = trace_of(scene)
    assert isinstance(trace, TwoStage)
    module = scene.network.module
    result = result_of(scene, Params(box=MINE))
    box = torch.from_numpy(result.box)[None]
    with torch.no_grad():
        detections, _ = module.roi_heads(trace.pyramid.features, [box], [trace.pyramid.size])
    (own,) = detections
    assert len(own["labels"]) == 4
    assert result.answer is not None
    sure = torch.from_numpy(result.answer.probabilities)
    refined = torch.from_numpy(result.answer.boxes)
    back = trace.pyramid.frame.inverse()
    for label, score, where in zip(own["labels"], own["scores"], own["boxes"], strict=True):
        assert torch.equal(sure[label], score)
        expected = torch.from_numpy(back.boxes(where[None].numpy()))[0]
        assert torch.equal(refined[label], expected)
    assert hook_count(module) == 0


def test_without_a_channel_the_mean_of_all_is_shown(scene: Scene) -> None:
    result = result_of(scene, Params(box=MINE))
    board = VIEW.draw(result, Params(box=MINE, zoom=False))
    values = result.maps.values[result.number]
    pane = board.pane("map")
    assert f"mean of all {len(values)} channels" in pane.title
    heat = next(layer for layer in pane.layers if isinstance(layer, Heat))
    np.testing.assert_allclose(heat.values, values.mean(axis=0), atol=1e-6)
    assert "channel 2" in VIEW.draw(result, Params(box=MINE, channel=2)).pane("map").title


def test_a_shift_moves_the_box_and_the_marker(scene: Scene) -> None:
    still, moved = Params(box=MINE, channel=3), Params(box=MINE, channel=3, shift=3.5)
    first, second = result_of(scene, still), result_of(scene, moved)
    np.testing.assert_allclose(second.box - first.box, [3.5, 0, 3.5, 0], atol=1e-4)
    boards = VIEW.draw(first, still), VIEW.draw(second, moved)
    plots = [board.plots[0] for board in boards]
    assert plots[1].steers == "shift"
    assert [plot.marker for plot in plots] == [0.0, 3.5]
    for one, other in zip(plots[0].curves, plots[1].curves, strict=True):
        np.testing.assert_array_equal(one.y, other.y)
    # What the curve says at the marker is what the pooled output shows.
    cut_at = VIEW.data(second, moved)["roi_align"]
    align = next(curve for curve in plots[1].curves if curve.label == "RoIAlign")
    at = int(np.abs(align.x - 3.5).argmin())
    assert align.y[at] == pytest.approx(cut_at[3, 3, 3], abs=1e-4)
    pool = next(curve for curve in plots[1].curves if curve.label == "RoIPool")
    assert np.unique(pool.y).size < 8 < np.unique(align.y).size


def test_my_box_goes_before_a_proposal(scene: Scene) -> None:
    both = result_of(scene, Params(box=MINE, proposal=3))
    np.testing.assert_allclose(VIEW.data(both, Params())["box"], [9.25, 7.5, 41.75, 38], atol=1e-4)
    assert both.origin == "your box"
    chosen = result_of(scene, Params(proposal=3))
    assert chosen.chosen == 2
    np.testing.assert_allclose(
        VIEW.data(chosen, Params())["box"], chosen.maps.proposals[2], atol=1e-4
    )


def test_bins_and_places_are_drawn_where_the_map_is_read(scene: Scene) -> None:
    small = Box(30.25, 20.5, 52.0, 40.0)
    params = Params(box=small, method="RoIAlign", aligned=True, zoom=False, size=4)
    result = result_of(scene, params)
    board = VIEW.draw(result, params)
    exact, window = board.boxes("exact"), board.boxes("window")
    assert exact is not None
    assert window is not None
    np.testing.assert_allclose(exact.xyxy, window.xyxy, atol=1e-4)
    snapped = VIEW.draw(result, replace(params, method="RoIPool")).boxes("window")
    assert snapped is not None
    assert (snapped.xyxy == np.round(snapped.xyxy)).all()
    near = VIEW.draw(result, replace(params, zoom=True))
    moved = near.boxes("window")
    heat = next(layer for layer in near.pane("map").layers if isinstance(layer, Heat))
    whole = next(layer for layer in board.pane("map").layers if isinstance(layer, Heat))
    assert moved is not None
    assert heat.extent is not None
    # The same place of both windows lies on the same value of the map.
    for (x, y), (u, v) in zip(moved.xyxy.reshape(2, 2), window.xyxy.reshape(2, 2), strict=True):
        row, column = int(y - heat.extent[1]), int(x - heat.extent[0])
        assert heat.values[row, column] == whole.values[int(v), int(u)]


def test_every_tile_shows_its_method(scene: Scene) -> None:
    params = Params(box=MINE, channel=3, size=4, cell=2 * 1000 + 6)
    result = result_of(scene, params)
    board = VIEW.draw(result, params)
    found = VIEW.data(result, params)
    tiles = {layer.name: layer for layer in board.pane("pooled").layers if isinstance(layer, Heat)}
    for name, key in (("RoIPool", "roi_pool"), ("RoIWarp", "roi_warp"), ("RoIAlign", "roi_align")):
        np.testing.assert_allclose(tiles[name].values, found[key][3], atol=1e-6)
    delta = found["roi_align"][3] - found["roi_pool"][3]
    np.testing.assert_allclose(tiles["difference"].values, delta, atol=1e-6)
    assert tiles["SPP 1"].values[0, 0] == found["spp"][3, 0, 0]
    assert "bin 2, 3" in board.plots[0].title
    cells = board.boxes("cells")
    assert isinstance(cells, Boxes)
    extent = tiles["RoIAlign"].extent
    row = cells.row(2 * 1000)
    assert extent is not None
    assert row is not None
    np.testing.assert_allclose(cells.xyxy[row, :2], extent[:2], atol=1e-6)


def test_a_layer_of_a_classifier() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    params = Params(layer="conv1")
    result = result_of(scene, params)
    assert result.answer is None
    board = VIEW.draw(result, params)
    assert board.summary.startswith("The middle of the photo")
    features = torch.from_numpy(result.maps.values[0])[None]
    cells = result.maps.cells(result.box, 0)
    rois = torch.cat([torch.zeros(1, 1), torch.from_numpy(cells)[None]], dim=1)
    own = roi_align(features, rois, 7, 1.0, 2)[0]
    np.testing.assert_allclose(VIEW.data(result, params)["roi_align"], own, atol=1e-5)
    # conv1 has stride 2 on the 32 x 32 crop of the photo whose short side is 32.
    assert result.maps.scales[0] == pytest.approx((0.5, 0.5))


def test_features_are_worked_out_once(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    classifier = Scene(toy_network("classification"), toy_image())
    layer_maps_of(classifier, "conv2")
    pooled_maps_of(scene)

    def refuse(*_: object) -> None:
        raise AssertionError("the network runs again")

    monkeypatch.setattr(scene.network.module.backbone, "forward", refuse)
    monkeypatch.setattr(classifier.network.module, "forward", refuse)
    result_of(scene, Params(box=Box(1, 2, 30, 40)))
    result_of(classifier, Params(layer="conv2", box=Box(1, 2, 30, 40)))


def test_networks_without_a_second_stage_fall_back_to_a_layer() -> None:
    network = make_network(one_stage(), "detection", default_layer="backbone.conv2")
    scene = Scene(network, toy_image())
    for params in (Params(), Params(layer=HEAD)):
        result = result_of(scene, params)
        assert "The layer backbone.conv2 is shown" in VIEW.draw(result, params).notes[0]
    with pytest.raises(ExplorerError, match="no RoI pooling"):
        head_answer_of(scene, np.zeros(4, np.float32))
    with pytest.raises(ExplorerError, match="no layer"):
        result_of(scene, Params(layer="nowhere"))


@pytest.mark.parametrize("method", ["RoIPool", "RoIAlign"])
@pytest.mark.parametrize("backward", ["chosen bin", "all bins"])
def test_the_gradient_is_autograds(scene: Scene, method: str, backward: str) -> None:
    """Of the same bins of the box and of the proposals on its map, added up."""
    params = Params(
        box=MINE, method=method, backward=backward, added=4, size=5, cell=7, channel=2, aligned=True
    )
    result = result_of(scene, params)
    maps, number = result.maps, result.number
    feature = torch.from_numpy(maps.values[number][2].copy())[None, None].requires_grad_()
    inside = maps.frame.boxes(maps.proposals)
    same = [box for box in inside if maps.level(box)[0] == number][:4]
    rois = torch.from_numpy(np.stack([result.box, *same]))
    rows = torch.cat([torch.zeros(len(rois), 1), rois], dim=1)
    scale = maps.scales[number][0]
    if method == "RoIPool":
        pooled = roi_pool(feature, rows, 5, scale)
    else:
        pooled = roi_align(feature, rows, 5, scale, 2, True)
    total = pooled[:, 0, 1, 2].sum() if backward == "chosen bin" else pooled.sum()
    (own,) = torch.autograd.grad(total, feature)
    found = VIEW.data(result, params)["gradient"]
    np.testing.assert_allclose(found, own[0, 0], atol=1e-4)
    board = VIEW.draw(result, params)
    heat = next(x for x in board.pane("backward").layers if isinstance(x, Heat))
    assert heat.high == pytest.approx(float(own.max()), abs=1e-4)
    assert method in board.pane("backward").title


def test_the_gradient_is_shown_on_request_only(scene: Scene) -> None:
    result = result_of(scene, Params(box=MINE))
    assert "backward" not in [pane.name for pane in VIEW.draw(result, Params(box=MINE)).panes]
    spp = Params(box=MINE, method="SPP", backward="all bins")
    assert "backward" not in [pane.name for pane in VIEW.draw(result, spp).panes]
    assert "gradient" not in VIEW.data(result, spp)
