"""Every call of every module is timed in every pass, its parts included."""

import torch

from explorer.vision.graph.timing import Stopwatch
from tests.toys import ToyConvNet, hook_count


def test_all_calls_of_all_passes() -> None:
    module = ToyConvNet().eval()
    watch = Stopwatch(module, torch.device("cpu"))
    for _ in range(3):
        watch.time(lambda: module(torch.rand(1, 3, 16, 16)))
        assert hook_count(module) == 0
    seconds = watch.medians()
    assert watch.passes == 3
    assert set(seconds) == {
        ("", 0), ("conv1", 0), ("relu", 0), ("conv2", 0), ("relu", 1), ("pool", 0), ("fc", 0)
    }  # fmt: skip
    parts = sum(value for (name, _), value in seconds.items() if name)
    assert parts > 0
    assert watch.spent >= seconds["", 0] >= max(v for (n, _), v in seconds.items() if n)
