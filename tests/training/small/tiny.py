"""A data set of a few shapes, and a network that learns them in no time."""

from __future__ import annotations

from explorer.training.small.data_set import SIDE, DataSet, Part
from explorer.training.small.recipe import Recipe
from explorer.training.small.shapes import CLASSES, shapes

RECIPE = Recipe(layers=4, width=4, steps=12, batch=8, rate=0.05)


def tiny(development: int = 160, test: int = 40) -> DataSet:
    return DataSet(
        "tiny", CLASSES, Part(*shapes(development, SIDE, 7)), Part(*shapes(test, SIDE, 8))
    )
