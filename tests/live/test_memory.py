import pickle
from collections import deque
from typing import Any

import numpy as np
import pytest
import torch

from explorer.core.params import Box
from explorer.core.settings import Settings
from explorer.live.memory import frozen, thawed


def test_what_views_remember_comes_back() -> None:
    memory: dict[str, Any] = {
        "tracks": {
            "boxes": [Box(1, 2, 3, 4, "cat")],
            "trail": deque([1.5, 2.5], maxlen=5),
            "means": np.arange(6, dtype=np.float32).reshape(2, 3),
            "score": np.float64(0.25),
            "seen": {1, 2},
        },
        "dream": torch.linspace(0, 1, 7),
    }
    data = frozen(memory)
    assert data is not None
    again = thawed(data)
    assert again["tracks"]["boxes"] == memory["tracks"]["boxes"]
    assert again["tracks"]["trail"] == memory["tracks"]["trail"]
    assert again["tracks"]["trail"].maxlen == 5
    assert again["tracks"]["means"].dtype == np.float32
    assert np.array_equal(again["tracks"]["means"], memory["tracks"]["means"])
    assert again["tracks"]["score"] == 0.25
    assert again["tracks"]["seen"] == {1, 2}
    assert torch.equal(again["dream"], memory["dream"])


def test_an_empty_memory_can_be_kept() -> None:
    data = frozen({})
    assert data is not None
    assert thawed(data) == {}


class Unknown:
    """Not one of the program's dataclasses."""


@pytest.mark.parametrize("value", [Unknown(), print, lambda: 1, torch.nn.Linear(1, 1)])
def test_what_cannot_be_brought_back_is_not_kept(value: Any) -> None:
    assert frozen({"view": value}) is None


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("raise SystemExit('it was run')",)


@pytest.mark.parametrize(
    "data",
    [b"", b"nothing", pickle.dumps({"a": Evil()}), pickle.dumps({"a": Unknown()}), pickle.dumps(3)],
)
def test_bytes_from_elsewhere_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="saved state"):
        thawed(data)


def test_functions_of_the_program_are_refused_too() -> None:
    from explorer.core.storage.atomic import write_bytes

    with pytest.raises(ValueError, match="write_bytes"):
        thawed(pickle.dumps({"a": write_bytes}))


def test_classes_that_no_view_keeps_are_not_brought_back() -> None:
    assert frozen({"tracks": Settings()}) is None
    with pytest.raises(ValueError, match=r"explorer\.core\.settings\.Settings is not brought back"):
        thawed(pickle.dumps({"tracks": Settings()}))
