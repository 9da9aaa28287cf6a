"""The sum that is shown is the network's own output; all forms of a convolution agree."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Text
from explorer.core.params import Point, parameters, resolved
from explorer.engine.scene import Moment, Scene
from explorer.networks.network import Network
from explorer.networks.preprocess import Preprocess
from explorer.views.inside.conv_arithmetic import sliding
from explorer.views.inside.conv_arithmetic.params import (
    EXAMPLE,
    FORMS,
    MATRIX,
    NAILS,
    NEAREST,
    ONE,
    SLIDE,
    SOFTMAX,
    SWITCHES,
    TOEPLITZ,
    TRANSPOSED,
    UNPOOL,
    layers_of,
)
from explorer.views.inside.conv_arithmetic.source import Size
from explorer.views.inside.conv_arithmetic.view import VIEW, Params, Result
from explorer.views.shared.grids.cells import CELL
from tests.toys import MeanClassifier, hook_count, make_network, toy_image, toy_network


class Many(nn.Module):
    """One layer of each kind, the ReLU twice."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 6, 3, stride=2, padding=1)
        self.norm, self.relu = nn.BatchNorm2d(6), nn.ReLU(inplace=True)
        self.depthwise = nn.Conv2d(6, 6, 3, padding=2, dilation=2, groups=6)
        self.pool, self.wide = nn.MaxPool2d(2, ceil_mode=True), nn.Conv2d(6, 20, 1)
        self.mean, self.up = nn.AvgPool2d(2), nn.ConvTranspose2d(6, 4, 4, stride=2, padding=1)
        self.flat, self.end = nn.AdaptiveAvgPool2d(1), nn.Linear(20, 4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.relu(self.norm(self.first(x)))
        x = self.relu(self.depthwise(x))
        self.up(self.mean(x))
        return self.end(self.flat(self.wide(self.pool(x))).flatten(1))


def many(preprocess: Preprocess | None = None) -> Network:
    with torch.random.fork_rng():
        torch.manual_seed(4)
        module = Many()
    return make_network(
        module, "classification", classes=("cat", "dog", "car", "cup"), preprocess=preprocess
    )


def look(network: Network, moment: Moment | None = None, **params: Any) -> tuple[Result, Board]:
    asked = resolved(Params(**params), network.info)
    scene = Scene(network, toy_image(33, 41), moment=moment)
    (step,) = VIEW.compute(scene, asked)
    assert hook_count(network.module) == 0
    return step.value, VIEW.draw(step.value, asked)


def found(network: Network, **params: Any) -> dict[str, Any]:
    asked = resolved(Params(**params), network.info)
    (step,) = VIEW.compute(Scene(network, toy_image(33, 41)), asked)
    assert VIEW.data is not None
    return dict(VIEW.data(step.value, asked))


def boxes(board: Board, name: str) -> list[list[float]]:
    layer = board.boxes(name)
    assert isinstance(layer, Boxes)
    return layer.xyxy.tolist()


def words(board: Board, pane: str) -> list[str]:
    return [layer.text for layer in board.pane(pane).layers if isinstance(layer, Text)]


LAYERS = ("first", "norm", "relu", "depthwise", "pool", "wide", "mean", "up", "flat", "end")


@pytest.mark.parametrize("layer", [*LAYERS, SOFTMAX])
def test_the_sum_is_the_networks_output(layer: str) -> None:
    network = many()
    answer = found(network, layer=layer)
    scene = Scene(network, toy_image(33, 41))
    own = scene.output().softmax(1) if layer == SOFTMAX else scene.records(layer)[layer][0]
    row, column = answer["cell"]
    value = float(own.reshape(*own.shape[:2], *(own.shape[2:] or (1, 1)))[
        0, answer["channel"], row, column
    ])  # fmt: skip
    assert answer["total"] == pytest.approx(value, abs=1e-5)
    assert answer["output"] == pytest.approx(value, abs=1e-6)
    assert layer in layers_of(network.info)


def test_the_first_convolution_comes_first_and_the_output_is_its_largest() -> None:
    network = many()
    result, board = look(network)
    assert result.layer is not None
    assert result.layer.name == "first"
    maps = result.layer.found.values
    assert maps[(result.layer.channel, *result.layer.cell)] == maps[:, 2:15, 2:19].max()
    assert board.summary.endswith("output width (41 + 2 x 1 - 3) / 2 + 1 = 21")
    assert {"red", "green", "blue", "bias", "output"} <= set(words(board, "sum"))
    channel = result.layer.channel
    assert board.pane("image").title == f"Output: channel {channel} of 6"
    _, board = look(network, over="input")
    assert board.pane("image").title == "Input: the photo"
    _, board = look(network, layer="wide", over="input")
    assert board.pane("image").title.startswith("Input: channel ")


def test_a_click_and_the_patch_by_hand() -> None:
    result, board = look(many(), place=Point(9.0, 0.5), channel=2)
    assert result.layer is not None
    # cells are 41 / 21 pixels wide: x = 9 is in column 4, which reads columns 7 to 9 of the input
    assert (result.layer.cell, result.layer.channel) == ((0, 4), 2)
    assert boxes(board, "patch") == [[7, -1, 10, 2]]
    padding = boxes(board, "padding")
    assert len(padding) == 3, "the row above the photo"
    assert {box[1] for box in padding} == {CELL}


def test_a_dilated_kernel_reads_cells_with_gaps() -> None:
    _, board = look(many(), layer="depthwise", place=Point(20.0, 16.0))
    assert len(boxes(board, "patch")) == 9
    assert "9 products" in board.pane("sum").title


def test_the_mouse_shows_another_output_of_the_same_channel() -> None:
    network = many()
    asked = resolved(Params(place=Point(20.0, 16.0)), network.info)
    (step,) = VIEW.compute(Scene(network, toy_image(33, 41)), asked)
    at = Params(place=Point(20.0, 16.0), at=Point(1.0, 1.0))
    board = VIEW.draw(step.value, at)
    layer = step.value.layer
    assert VIEW.data is not None
    answer = VIEW.data(step.value, at)
    assert (answer["cell"], answer["channel"]) == ((0, 0), layer.channel)
    assert answer["total"] == pytest.approx(
        float(layer.found.values[layer.channel, 0, 0]), abs=1e-5
    )
    assert boxes(board, "patch") == [[-1, -1, 2, 2]]
    off = VIEW.draw(step.value, Params(at=Point(-50.0, 1.0)))
    assert off.summary == VIEW.draw(step.value, asked).summary, "off the map: the clicked one"


def test_many_channels_end_in_their_sum() -> None:
    network = many()
    _, board = look(network, layer="end")
    answer = found(network, layer="end")
    shown = words(board, "sum")
    assert "and 12 more channels" in shown
    sums = (answer["values"] * answer["weights"]).sum((1, 2))
    assert (np.diff(np.abs(sums)) <= 0).all()
    rest = board.plots[0].bars[-2]
    assert rest[0] == "and 8 more channels"
    assert rest[1] == pytest.approx(sums[12:].sum())
    _, board = look(network, layer="end", shown=20)
    assert not [word for word in words(board, "sum") if "more" in word]


def test_units_of_a_vector_are_classes_to_click() -> None:
    network = many()
    _, board = look(network, layer="end", channel=3)
    assert board.pane("units").title == "Output: cup"
    units = board.boxes("units")
    assert units is not None
    assert len(units.xyxy) == 4
    assert {"place", "at"} <= set(board.idle)
    readout = board.pane("units").readout
    assert readout is not None
    assert readout(0.5, 0.5).startswith("cat: ")


def test_a_later_call_of_a_layer() -> None:
    network = many()
    scene = Scene(network, toy_image(33, 41))
    first, second = scene.records("relu")["relu"]
    result, _ = look(network, layer="relu", call=1)
    assert result.layer is not None
    assert torch.equal(torch.from_numpy(result.layer.found.values), second[0])
    assert not torch.equal(first, second)


def test_a_film_stays_at_one_place() -> None:
    result, _ = look(many(), moment=Moment(0, 0.0))
    assert result.layer is not None
    assert result.layer.cell == (8, 10)


def test_a_network_without_known_layers_is_told() -> None:
    class Odd(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x: Tensor) -> Tensor:
            return self.end(x)

    with pytest.raises(ExplorerError, match="no layers whose arithmetic is known"):
        look(make_network(Odd(), "features"))


def test_a_convolution_with_a_forward_of_its_own_is_told() -> None:
    class PaddedConv2d(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name of the base class
            return super().forward(functional.pad(input, (2, 2, 2, 2)))

    class ScaledConv2d(nn.Conv2d):
        def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name of the base class
            return 2 * super().forward(input)

    for kind in (PaddedConv2d, ScaledConv2d):
        network = make_network(nn.Sequential(kind(3, 2, 3)), "features")
        with pytest.raises(ExplorerError, match="a way of its own"):
            look(network)


# ---- the kernel at all its positions -------------------------------------------------------------


@pytest.mark.parametrize("place", [Point(20.0, 16.0), Point(0.0, 0.0), Point(40.0, 32.0)])
def test_the_outputs_of_a_depthwise_kernel_are_the_layers(place: Point) -> None:
    network = many()
    result, _ = look(network, show=SLIDE, layer="depthwise", place=place, channel=2)
    part, layer = result.part, result.layer
    assert part is not None
    assert layer is not None
    outputs, reads = sliding.outputs(part)
    row, column = (
        min(max(at - 1, 0), side - 3) for at, side in zip(layer.cell, (17, 21), strict=True)
    )
    own = layer.found.values[2, row : row + 3, column : column + 3]
    bias = float(network.module.depthwise.bias[2])
    np.testing.assert_allclose(outputs + bias, own, atol=1e-5)
    assert (part.dilation, reads.shape) == (2, (3, 3, 3, 3))


def test_the_outputs_of_a_max_pooling_are_the_layers() -> None:
    result, board = look(many(), show=SLIDE, layer="pool", place=Point(40.0, 32.0))
    assert result.part is not None
    assert result.layer is not None
    outputs, _ = sliding.outputs(result.part)
    own = result.layer.found.values[result.layer.channel, -4:, -4:]
    np.testing.assert_array_equal(outputs, own)
    assert "ceil((21 - 2) / 2) + 1 = 11" in board.summary


def test_an_example_is_the_convolution_of_torch() -> None:
    network = many()
    result, board = look(
        network, show=SLIDE, numbers=EXAMPLE, size=6, kernel=2, stride=2, padding=1, dilation=2,
        step=64,
    )  # fmt: skip
    part = result.part
    assert part is not None
    inside = torch.from_numpy(part.given[~part.padded]).view(1, 1, 6, 6)
    kernel = torch.from_numpy(part.kernels[:1, None])
    own = functional.conv2d(inside, kernel, stride=2, padding=1, dilation=2)[0, 0]
    outputs, _ = sliding.outputs(part)
    np.testing.assert_array_equal(outputs, own.numpy())
    assert "floor((6 + 2 x 1 - (2 x (2 - 1) + 1)) / 2) + 1 = 3" in board.summary
    assert board.pane("slide").title == "Step 9 of 9"
    assert board.plots[0].stop == 9
    assert not [pane for pane in board.panes if pane.frame == "image"]


def test_a_step_shows_the_outputs_so_far() -> None:
    network = many()
    asked = {"show": SLIDE, "numbers": EXAMPLE}
    _, board = look(network, **asked, step=5)
    assert board.plots[0].marker == 5
    outputs = [layer for layer in board.pane("slide").layers if layer.name == "output cells"]
    values = outputs[0].values
    assert np.isfinite(values).sum() == 5
    assert f"= {values[1, 1]:.0f} · output width (5 - 3) / 1 + 1 = 3" in board.summary


def test_a_kernel_that_does_not_fit_is_told() -> None:
    with pytest.raises(ExplorerError, match="does not fit into an input of 2 with padding 0"):
        look(many(), show=SLIDE, numbers=EXAMPLE, size=2)


def test_layers_that_slide_nothing_are_told() -> None:
    for layer in ("norm", "end", SOFTMAX):
        with pytest.raises(ExplorerError, match="slides no kernel"):
            look(many(), show=SLIDE, layer=layer)


# ---- matrices ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("layer", ["first", "wide", "mean"])
def test_products_are_the_outputs(form: str, layer: str) -> None:
    result, board = look(many(), show=MATRIX, form=form, layer=layer, step=2)
    part = result.part
    assert part is not None
    outputs, _ = sliding.outputs(part)
    grids = {layer.name: layer for layer in board.pane("matrix").layers}
    product = grids["output cells"].values
    own = product[0] if form != TOEPLITZ else product[:, 0]
    np.testing.assert_allclose(own, outputs.ravel(), atol=1e-5)
    assert board.plots[0].marker == 2


def test_a_maximum_is_no_product() -> None:
    with pytest.raises(ExplorerError, match="max pooling is no product"):
        look(many(), show=MATRIX, layer="pool")


# ---- larger again --------------------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["first", "depthwise", "up", None])
@pytest.mark.parametrize("dimensions", ["2-D", ONE])
def test_stamps_and_matrix_are_the_transposed_convolution(
    layer: str | None, dimensions: str
) -> None:
    network = many()
    asked: dict[str, Any] = {"numbers": EXAMPLE, "stride": 2} if layer is None else {"layer": layer}
    result, board = look(network, show=TRANSPOSED, dimensions=dimensions, **asked)
    larger = result.larger
    assert larger is not None
    assert larger.kernel is not None
    assert larger.matrix is not None
    given = torch.from_numpy(larger.given)[None, None].double()
    kernel = torch.from_numpy(larger.kernel)[None, None].double()
    own = functional.conv_transpose2d(given, kernel, stride=larger.stride)[0, 0].numpy()
    np.testing.assert_allclose(larger.found, own, atol=1e-5)
    product = (larger.matrix @ larger.given.ravel()).reshape(own.shape)
    np.testing.assert_allclose(product, own, atol=1e-5)
    assert (len(larger.given) == 1) == (dimensions == ONE)
    assert "equals the sum of the stamps" in board.summary
    (pane,) = look(network, show=TRANSPOSED, dimensions=dimensions, matrix=True, **asked)[1].panes
    grids = {layer.name: layer for layer in pane.layers}
    np.testing.assert_allclose(grids["output cells"].values[0], own.ravel(), atol=1e-5)


def test_the_kernel_put_down_is_the_layers() -> None:
    network = many()
    result, _ = look(network, show=TRANSPOSED, layer="up", channel=1)
    assert result.larger is not None
    own = network.module.up.weight[:, 1].numpy()
    assert any(np.array_equal(result.larger.kernel, kernel) for kernel in own)
    result, _ = look(network, show=TRANSPOSED, layer="depthwise", channel=3)
    assert result.larger is not None
    assert result.larger.kernel is not None
    assert result.larger.kernel.shape == (5, 5), "zeros between its weights"
    np.testing.assert_array_equal(
        result.larger.kernel[::2, ::2], network.module.depthwise.weight[3, 0].numpy()
    )
    with pytest.raises(ExplorerError, match="no kernel to put down"):
        look(network, show=TRANSPOSED, layer="norm")


def test_stamps_one_after_the_other() -> None:
    network = many()
    asked = resolved(Params(show=TRANSPOSED), network.info)
    (step,) = VIEW.compute(Scene(network, toy_image(33, 41)), asked)
    larger = step.value.larger
    board = VIEW.draw(step.value, Params(show=TRANSPOSED, step=1))
    assert board.pane("found").title.startswith("Sum of 1 stamp:")
    grid = next(layer for layer in board.pane("found").layers if layer.name == "cells")
    np.testing.assert_allclose(grid.values, larger.given[0, 0] * larger.spread[0], atol=1e-7)


@pytest.mark.parametrize("layer", ["first", None])
def test_unpooling(layer: str | None) -> None:
    network = many()
    asked: dict[str, Any] = {"numbers": EXAMPLE} if layer is None else {"layer": layer}
    result, board = look(network, show=UNPOOL, fill=SWITCHES, **asked)
    larger = result.larger
    assert larger is not None
    before = torch.from_numpy(larger.before)[None, None]
    values, switches = functional.max_pool2d(before, 2, return_indices=True)
    own = functional.max_unpool2d(values, switches, 2)[0, 0].numpy()
    np.testing.assert_array_equal(larger.found, own)
    assert {"before", "given", "found"} <= {pane.name for pane in board.panes}
    result, _ = look(network, show=UNPOOL, fill=NEAREST, **asked)
    assert result.larger is not None
    np.testing.assert_array_equal(
        result.larger.found, functional.interpolate(values, scale_factor=2)[0, 0].numpy()
    )
    result, board = look(network, show=UNPOOL, fill=NAILS, **asked)
    assert result.larger is not None
    assert (result.larger.found != 0).sum() <= 4
    assert "75% of them 0" in board.summary


def test_a_map_too_small_to_pool_is_told() -> None:
    with pytest.raises(ExplorerError, match="too few to pool"):
        look(many(), show=UNPOOL, layer="flat")


def test_only_what_matters_is_in_the_form() -> None:
    info = many().info

    def names(**params: Any) -> set[str]:
        asked = resolved(Params(**params), info)
        return {p.name for p in parameters(Params) if p.applies(asked, info)}

    assert {"layer", "place", "shown"} <= names()
    assert not {"size", "step", "numbers"} & names()
    assert {"size", "stride", "step"} <= names(show=SLIDE, numbers=EXAMPLE)
    assert "layer" not in names(show=SLIDE, numbers=EXAMPLE)
    assert "size" not in names(show=UNPOOL, numbers=EXAMPLE)


def test_formulas() -> None:
    assert Size("width", 224, 7, 2, (3, 3), 1).formula == "floor((224 + 2 x 3 - 7) / 2) + 1 = 112"
    assert Size("width", 8, 4, 1, (1, 2), 1).formula == "(8 + 1 + 2 - 4) / 1 + 1 = 8"


def test_linear_layers_alone_do() -> None:
    result, _ = look(make_network(MeanClassifier(), "classification", classes=("r", "g", "b")))
    assert result.layer is not None
    assert result.layer.name in ("pool", "fc")
    result, _ = look(toy_network("features"))
    assert result.layer is not None
    assert result.layer.name == "conv1"
