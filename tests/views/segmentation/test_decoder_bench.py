"""Numbers in the cells are the network's own scores; decoders with all parts are the network."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

from explorer.core.colormaps import APART, cielab, colors_apart
from explorer.core.layers import Boxes, Masks, Text
from explorer.core.params import Mask, Point, parameters, resolved
from explorer.engine.references import Opened
from explorer.engine.scene import Moment, Scene
from explorer.images.image import from_array
from explorer.networks.embedded.segmentation.decoders import lite_unet
from explorer.networks.embedded.segmentation.fcn import lite_fcn
from explorer.networks.embedded.segmentation.pspnet import lite_pspnet
from explorer.networks.network import Network
from explorer.networks.preprocess import SAME_FRAME
from explorer.views.segmentation.decoder_bench.arithmetic import (
    LEARNED,
    METHODS,
    NAILS,
    NEAREST,
    ONES,
    TRANSPOSED,
    UNPOOLING,
    window_at,
)
from explorer.views.segmentation.decoder_bench.maps import ClassMap, colors_of, present_in
from explorer.views.segmentation.decoder_bench.structure import ATROUS, FCN, PYRAMID, UNET
from explorer.views.segmentation.decoder_bench.view import VIEW, Params, methods_of
from explorer.views.shared.grids.cells import CELL
from explorer.vision.dense.grids import CellGrid
from tests.toys import FixedSegmenter, make_network, toy_image, toy_network

NAMES = ("background", "red", "green", "blue", "cup")


def network(make, task_seed: int = 3) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(task_seed)
        return make_network(make(len(NAMES)), "segmentation", classes=NAMES)


def shown(net: Network, params: Params, image=None):
    scene = Scene(net, image or toy_image(80, 112))
    *_, step = VIEW.compute(scene, resolved(params, net.info))
    return scene, step.value


def numbers(board, name: str) -> list[str]:
    return [layer.text for layer in board.pane(name).layers if isinstance(layer, Text)]


@pytest.mark.parametrize("method", METHODS)
def test_numbers_are_scores_of_the_network(method: str) -> None:
    net = network(lite_fcn)
    scene, result = shown(net, Params(method=method, label="green"))
    with torch.no_grad():
        own = net.module.scores(*body_maps_of(net, scene.input()))[2][0, 2]
    found = result.found
    x0, y0, x1, y1 = found.window[0].astype(int)
    given = found.given if found.before is None else found.before
    assert torch.equal(torch.from_numpy(given), own[y0:y1, x0:x1])
    board = VIEW.draw(result, Params(method=method))
    first = f"{given[0, 0]:.3f}"
    assert numbers(board, "given" if found.before is None else "before")[0] == first


def body_maps_of(net: Network, images: Tensor) -> list[Tensor]:
    from explorer.networks.embedded.lite import body_maps

    return body_maps(net.module.body, images, net.module.taps)


def test_unpooling_marks_the_switches() -> None:
    net = network(lite_fcn)
    _, result = shown(net, Params(method=UNPOOLING))
    found = result.found
    before = torch.from_numpy(found.before)[None, None]
    values, indices = functional.max_pool2d(before, 2, return_indices=True)
    assert np.array_equal(found.switches, indices[0, 0].numpy())
    own = functional.max_unpool2d(values, indices, [2, 2], output_size=before.shape)
    assert np.array_equal(found.found, own[0, 0].numpy())
    board = VIEW.draw(result, Params(method=UNPOOLING))
    marks = next(x for x in board.pane("before").layers if x.name == "switches")
    assert isinstance(marks, Boxes)
    rows, columns = np.divmod(found.switches.ravel(), found.before.shape[1])
    assert np.array_equal(marks.xyxy[:, :2] / CELL, np.stack([columns, rows], 1))


def test_the_learned_kernel_is_the_networks_on_its_own_input() -> None:
    net = network(lite_fcn)
    scene, result = shown(net, Params(method=TRANSPOSED, kernel=LEARNED, label="blue"))
    layer = net.module.upscore2
    assert np.array_equal(result.found.kernel, layer.weight[3, 3].numpy())
    with torch.no_grad():
        at32 = net.module.scores(*body_maps_of(net, scene.input()))[0]
        whole = layer(at32)[0, 3]
    assert torch.equal(torch.from_numpy(result.found.score), whole)


def test_ones_count_their_stamps() -> None:
    _, result = shown(network(lite_fcn), Params(method=TRANSPOSED, kernel=ONES, size=3))
    board = VIEW.draw(result, Params(method=TRANSPOSED, kernel=ONES))
    assert "checkerboard" in board.summary
    side = result.found.given.shape[0]
    line = [1, 1, *[2, 1] * (side - 1), 1]
    assert result.found.stamps[0].tolist() == line
    _, even = shown(network(lite_fcn), Params(method=TRANSPOSED, kernel=ONES, size=4))
    assert "checkerboard" not in VIEW.draw(even, Params(method=TRANSPOSED)).summary


def test_the_status_bar_has_the_sum_behind_a_number() -> None:
    _, result = shown(network(lite_fcn), Params(method=NEAREST))
    board = VIEW.draw(result, Params(method=NEAREST))
    value = result.found.given[1, 1]
    words = board.pane("found").readout(3.5 * CELL, 2.5 * CELL)
    assert words == f"row 2, column 3: 1 x {value:.3f} = {value:.3f}"


def test_a_cell_is_followed_to_the_larger_map() -> None:
    _, result = shown(network(lite_fcn), Params(method=NAILS))
    board = VIEW.draw(result, Params(method=NAILS, cell=6))
    put = next(x for x in board.pane("found").layers if x.name.startswith("put"))
    row, column = divmod(6, result.found.given.shape[1])
    expected = np.array([2 * column, 2 * row, 2 * column + 1, 2 * row + 1]) * CELL
    assert put.xyxy.tolist() == [expected.tolist()]


def test_a_click_chooses_the_cells() -> None:
    net = network(lite_fcn)
    _, result = shown(net, Params(method=NEAREST, place=Point(1.0, 1.0)))
    assert result.found.window[0, :2].tolist() == [0, 0]


def test_the_window_lies_over_a_border_of_the_largest_region() -> None:
    shown_classes = np.full((10, 12), -1, np.int32)
    shown_classes[2:8, 2:8] = 3
    shown_classes[9, 11] = 1
    top, left, rows, columns = window_at(shown_classes, 4, None)
    inside = shown_classes[top : top + rows, left : left + columns]
    assert (inside == 3).sum() == 8
    assert window_at(np.full((2, 3), -1, np.int32), 4, None) == (0, 0, 2, 3)


def test_an_fcn_with_and_without_its_skips() -> None:
    net = network(lite_fcn)
    scene, result = shown(net, Params(method=FCN))
    with torch.no_grad():
        own = net.module(scene.input())
    assert np.array_equal(result.found.own.index, own["out"][0].argmax(0).int().numpy())
    assert result.found.shown is result.found.own
    for switches, name in (
        ({"skip8": False}, "out16"),
        ({"skip16": False, "skip8": False}, "out32"),
    ):
        _, part = shown(net, Params(method=FCN, **switches))
        assert np.array_equal(part.found.shown.index, own[name][0].argmax(0).int().numpy())


def test_pixels_that_change_without_a_part() -> None:
    net = network(lite_pspnet)
    _, result = shown(net, Params(part=5))
    assert result.method == PYRAMID, "a network's own structure comes first"
    part = result.found.parts[4]
    assert part.changed == (part.without.index != result.found.own.index).mean()
    board = VIEW.draw(result, Params(part=5))
    masks = next(x for x in board.pane("without").layers if isinstance(x, Masks))
    assert ((masks.index >= 0) == (part.without.index != result.found.own.index)).all()
    assert next(row[1] for row in board.tables[0].rows) == "the map itself"


def test_a_film_has_the_chosen_part_alone() -> None:
    net = network(lite_fcn)
    scene = Scene(net, toy_image(80, 112), moment=Moment(0, 0.0))
    (step,) = VIEW.compute(scene, resolved(Params(part=3), net.info))
    assert (step.done, step.total) == (1, 1)
    assert [part.without is not None for part in step.value.found.parts] == [False, False, True]


def test_the_network_s_own_decoder_comes_first() -> None:
    assert methods_of(network(lite_unet).info)[0] == UNET
    assert UNET in methods_of(network(lite_fcn).info)[1:]
    _, result = shown(network(lite_unet), Params())
    assert len(result.found.parts) == 5


def test_a_decoder_is_borrowed_from_a_network_that_has_one() -> None:
    net, other = toy_network("segmentation"), network(lite_pspnet)
    params = Params(method=PYRAMID)
    applying = {p.name for p in parameters(Params) if p.applies(params, net.info)}
    assert "pspnet" in applying
    assert not {"fcn", "deeplab", "skip16"} & applying
    assert "pspnet" not in {p.name for p in parameters(Params) if p.applies(params, other.info)}
    scene = Scene(net, toy_image(), opened=Opened({params.pspnet: other}))
    *_, step = VIEW.compute(scene, params)
    assert step.value.found.network == other.info.title
    assert ATROUS in methods_of(net.info)


def test_mean_iou_with_a_mask() -> None:
    """The left quarter is red, the truth calls the left half so: IoU 1/2, of the rest 2/3."""
    pixels = np.zeros((8, 16, 3), np.uint8)
    pixels[:, :4, 0] = 255
    net = make_network(FixedSegmenter(), "segmentation", classes=("__background__", "red", "green"))
    params = resolved(Params(method=NEAREST), net.info)
    scene = Scene(net, from_array(pixels, "test"))
    (step,) = VIEW.compute(scene, params)
    truth = np.zeros((8, 16), np.uint8)
    truth[:, :8] = 1
    board = VIEW.draw(step.value, Params(method=NEAREST, truth=Mask.of(truth)))
    expected = (1 / 2 + 8 / 12) / 2
    assert board.pane("classes").title == f"Classes, x1: mIoU {expected:.3f}"
    assert board.tables[0].rows[0][-1] == f"{expected:.3f}"
    truth[:, :4] = 255  # ignored: what is left of red is missed
    board = VIEW.draw(step.value, Params(method=NEAREST, truth=Mask.of(truth)))
    assert board.tables[0].rows[0][-1] == f"{(0 + 8 / 12) / 2:.3f}"
    assert "truth" not in [pane.name for pane in board.panes]
    painting = VIEW.draw(step.value, Params(method=NEAREST, paint=True))
    assert painting.pane("truth").title == "Ground truth"
    small = Mask.of(np.zeros((3, 3), np.uint8))
    assert "not used" in VIEW.draw(step.value, Params(method=NEAREST, truth=small)).notes[0]


def test_a_network_whose_enlargement_is_unknown_is_taken_as_it_is() -> None:
    net = toy_network("segmentation")
    _, result = shown(net, Params(method=NEAREST))
    assert result.found.stride == 1
    summary = VIEW.draw(result, Params(method=NEAREST)).summary
    assert "the scores have the size of the input already" in summary


def test_all_panes_share_colors_that_are_told_apart() -> None:
    place = CellGrid.of(SAME_FRAME, (1, 3), (1, 3))
    names = tuple(map(str, range(80)))
    # class 36 of the standard colors is a lighter version of class 4
    own = ClassMap(np.array([[0, 4, 36]], np.int32), place, names)
    other = ClassMap(np.array([[36, 9, 41]], np.int32), place, names)
    colors = colors_of(present_in(own, other), len(names))
    np.testing.assert_array_equal(colors[[0, 4, 36]], colors_apart([0, 4, 36], 80))
    found = cielab(colors[[0, 4, 36, 9, 41]])
    apart = np.linalg.norm(found[:, None] - found, axis=2) + 1000 * np.eye(5)
    assert apart.min() >= APART
    alone = colors_of(present_in(own), len(names))
    np.testing.assert_array_equal(alone[[0, 4, 36]], colors[[0, 4, 36]], "as in the other panes")
    key = own.key(10.0, colors)[0]
    assert [list(tint) for tint in key.swatches] == [colors[k].tolist() for k in (0, 4, 36)]
    assert own.layer(0.5, colors).colors is colors


def test_panes_of_a_decoder_have_one_set_of_colors() -> None:
    net = network(lite_pspnet)
    _, result = shown(net, Params(part=5))
    board = VIEW.draw(result, Params(part=5))
    drawn = [
        layer.colors for pane in board.panes for layer in pane.layers if isinstance(layer, Masks)
    ]
    assert len(drawn) >= 2
    assert all(np.array_equal(colors, drawn[0]) for colors in drawn)
