"""What the card of the part models says, and a small part of it computed again."""

import json

import numpy as np
import pytest

from explorer.core.resources import resource_path
from explorer.training.lessons.dpm.lesson import CARD, FILE, best_score
from explorer.training.lessons.dpm.objects import PLANS, person_examples
from explorer.views.classic.dpm.source import SHIPPED
from explorer.vision.dpm.models import read_models
from tests.data import shared_data

SCORE = 0.0
"""In the middle of the margin."""


@pytest.fixture(scope="module")
def models():
    return read_models(resource_path("dpm", FILE))


@pytest.fixture(scope="module")
def card():
    return json.loads(resource_path("dpm", CARD).read_text(encoding="utf-8"))


def test_the_file_is_small_and_has_the_classes_of_the_view(models, card):
    size = resource_path("dpm", FILE).stat().st_size
    assert size == card["bytes"] <= 400_000
    assert tuple(models) == SHIPPED == tuple(plan.label for plan in PLANS)
    for name, model in models.items():
        assert len(model.components) == card["metrics"][name]["components"]
        assert all(component.parts for component in model.components)


def test_parts_find_more_than_the_root_filter_alone(card):
    for name, figures in card["metrics"].items():
        assert figures["AP"] > figures["AP of the root filter alone"] > 0, name


def test_people_of_held_out_crops_score_high(models):
    folder = shared_data("inria-persons")
    if folder is None:
        pytest.skip("the shared test data are not here")
    crops = person_examples(folder, "validation", lambda paths: paths[::20])
    scores = np.array([best_score(models["person"], crop) for crop in crops])
    assert (scores > SCORE).mean() > 0.8
