"""A network brings the view that shows what it answers."""

from __future__ import annotations

from typing import get_args

import pytest

from explorer import views
from explorer.core.network_info import Task
from explorer.ui.study.choosing import NATURAL, natural_view
from tests.ui.toy_desk import VIEWS


@pytest.mark.parametrize("task", get_args(Task))
def test_every_task_has_its_natural_view(task: Task) -> None:
    found = views.discover()
    view = natural_view(found, task)
    assert view is found[NATURAL[task]]
    assert view.suits(task)
    assert view.live, "it can follow a film, too"


def test_where_it_is_missing_the_first_that_suits_is_taken() -> None:
    found = natural_view(VIEWS, "detection")
    assert found is VIEWS["find"]
    assert natural_view({"dream": VIEWS["dream"]}, "detection", live=True) is None
    assert natural_view(VIEWS, "") is VIEWS["classify"]
