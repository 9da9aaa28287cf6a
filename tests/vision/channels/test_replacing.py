"""A channel that is set changes the output as it does by hand, and nothing stays behind."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.vision.channels.replacing import channel_axis, channel_set
from tests.toys import ToyConvNet, hook_count, tiny_faster_rcnn

SIZE = (16, 16)


def picture() -> torch.Tensor:
    return torch.rand(1, 3, *SIZE, generator=torch.Generator().manual_seed(2))


@torch.no_grad()
def test_by_hand() -> None:
    net, x = ToyConvNet().eval(), picture()
    whole = net(x)
    maps = net.relu(net.conv2(net.relu(net.conv1(x))))
    for channel, value in ((3, 0.0), (5, 2.5)):
        changed = maps.clone()
        changed[:, channel] = value
        expected = net.fc(changed.mean((2, 3)))
        with channel_set(net, "relu", channel, value, source=SIZE, call=1):
            found = net(x)
        torch.testing.assert_close(found, expected)
        assert not torch.equal(found, whole)
    assert hook_count(net) == 0
    assert torch.equal(net(x), whole)


@torch.no_grad()
def test_only_the_call_that_is_meant() -> None:
    net, x = ToyConvNet().eval(), picture()
    whole = net(x)
    with channel_set(net, "relu", 0, 0.0, source=SIZE, call=7):
        assert torch.equal(net(x), whole)
    first = net.relu(net.conv1(x))
    first[:, 0] = 0.0
    expected = net.fc(net.relu(net.conv2(first)).mean((2, 3)))
    with channel_set(net, "relu", 0, 0.0, source=SIZE, call=0):
        torch.testing.assert_close(net(x), expected)


class Several(nn.Module):
    """A layer whose output holds three tensors, one of them in a dict."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = Inner()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first, rest = self.inner(x)
        return torch.cat([first, rest["a"], rest["b"]], dim=1)


class Inner(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return x, {"a": x + 1, "b": x + 2}


def test_one_tensor_of_several() -> None:
    net, x = Several(), torch.zeros(1, 2)
    with channel_set(net, "inner", 1, 9.0, source=SIZE, part=1):
        assert net(x).tolist() == [[0, 0, 1, 9, 2, 2]]
    with channel_set(net, "inner", 99, 9.0, source=SIZE, part=2):
        assert net(x).tolist() == [[0, 0, 1, 1, 2, 9]], "beyond the last is the last"
    assert x.tolist() == [[0, 0]], "the layer's own output is not written into"


def test_after_a_failure_nothing_stays() -> None:
    net = ToyConvNet().eval()
    with pytest.raises(RuntimeError), channel_set(net, "conv1", 0, 0.0, source=SIZE):
        net(torch.zeros(1, 5, 4, 4))
    assert hook_count(net) == 0
    with (
        pytest.raises(ExplorerError, match="no layer 'nowhere'"),
        channel_set(net, "nowhere", 0, 0.0, source=SIZE),
    ):
        pass


@torch.no_grad()
def test_inside_a_detector() -> None:
    net = tiny_faster_rcnn().eval()
    x = [torch.rand(3, 48, 64, generator=torch.Generator().manual_seed(0))]
    before = net(x)[0]["scores"]
    with channel_set(net, "backbone.conv2", 4, 50.0, source=(48, 64)):
        after = net(x)[0]["scores"]
    assert before.shape != after.shape or not torch.equal(before, after)
    assert torch.equal(net(x)[0]["scores"], before)


@pytest.mark.parametrize(
    ("shape", "axis"),
    [((), 0), ((7,), 0), ((1, 7), 1), ((1, 50, 7), 2), ((1, 7, 6, 8), 1), ((1, 12, 16, 7), 3)],
)
def test_where_the_channels_are(shape: tuple[int, ...], axis: int) -> None:
    assert channel_axis(shape, (12, 16)) == axis
