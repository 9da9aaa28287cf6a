"""A template that was written is read again as it was; nothing else is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.saving.data import save_data
from explorer.vision.hog.features import Settings
from explorer.vision.hog.files import read_template, template_in, written
from explorer.vision.hog.template import Template


def template() -> Template:
    weights = np.random.default_rng(0).normal(size=(4, 3, 3, 3, 6)).astype(np.float32)
    return Template(weights, -0.25, Settings(6, 3, 6, signed=True, root=False, norm="L1-sqrt"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cross.npz"
    save_data(path, {"cells": (6, 5), **written(template())}, {"view": "hog_training"})
    return path


def test_it_is_read_as_it_was(file: Path) -> None:
    found, own = read_template(file), template()
    np.testing.assert_array_equal(found.weights, own.weights)
    assert (found.bias, found.settings) == (own.bias, own.settings)
    assert found.size == (36, 30)
    assert read_template(file) is found


def test_a_folder_may_hold_other_tables(file: Path) -> None:
    np.savez(file.parent / "a.npz", numbers=np.arange(3))
    name, found = template_in(file.parent)
    assert name == "cross"
    assert found.bias == -0.25


@pytest.mark.parametrize(
    "change",
    [
        {"norm": "L9"},
        {"cell": 0},
        {"bins": 7},
        {"bias": np.nan},
        {"weights": np.zeros((4, 3, 3, 3, 6), np.float32)},
        {"weights": np.ones((80, 3, 3, 3, 6), np.float32)},
        {"weights": np.array([{"a": 1}], object)},
    ],
)
def test_numbers_that_make_no_template_are_refused(tmp_path: Path, change) -> None:
    path = tmp_path / "other.npz"
    np.savez(path, **{**written(template()), **change})
    with pytest.raises(ExplorerError, match=r"other\.npz has no HOG template in it"):
        read_template(path)


def test_other_files_and_folders_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="There is no npz file in"):
        template_in(tmp_path)
    with pytest.raises(ExplorerError, match="does not exist"):
        template_in(tmp_path / "none.npz")
    (tmp_path / "a.npz").write_bytes(b"PK but no archive")
    with pytest.raises(ExplorerError, match=r"a\.npz has no HOG template") as caught:
        template_in(tmp_path)
    assert "HOG training" in caught.value.hint
