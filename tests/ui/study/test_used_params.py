"""With which parameters a view begins: those of the photo, else those used last."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from explorer.core.params import param
from explorer.engine.view import Group, View
from explorer.images.image import Image, from_array
from explorer.ui.study.used_params import UsedParams
from explorer.ui.truth.photo_truth import PhotoTruth


@dataclass(frozen=True, slots=True)
class Params:
    count: int = param(3, "Count", "How many.", low=1, high=9)
    step: int = param(0, "Step", "Of one answer.", low=0, high=9, kept=False)


def nothing(*_: object) -> Any:
    raise NotImplementedError


VIEW = View("v", "V", Group.OTHER, "S.", "E.", "R", Params, nothing, nothing)


def photo(name: str) -> Image:
    return from_array(np.full((6, 8, 3), len(name), np.uint8), name)


@pytest.fixture
def used() -> UsedParams:
    return UsedParams(PhotoTruth())


def test_a_place_within_one_answer_stays_with_its_photo(used: UsedParams) -> None:
    first, second = photo("a.png"), photo("another.png")
    used.put(VIEW, first, Params(5, step=4))
    assert used.of(VIEW, second) == Params(5)
    used.put(VIEW, second, Params(6))
    assert used.of(VIEW, first) == Params(5, step=4)


def test_while_frames_are_followed_nothing_begins_again(used: UsedParams) -> None:
    used.put(VIEW, photo("frame 1"), Params(5, step=4))
    assert used.of(VIEW, photo("frame number 2"), live=True) == Params(5, step=4)
