"""Filters survive their file, and a file with anything else is refused in words."""

import io
import json
import pickle

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.vision.dpm.models import META, Part, mirrored_component, packed, read_models
from tests.vision.dpm.toy import toy_component, toy_model


def rewritten(path, change):
    """The toy's file with something changed in its table of contents or its arrays."""
    with np.load(io.BytesIO(packed([toy_model()], np.float32))) as file:
        arrays = dict(file)
    meta = json.loads(arrays[META].tobytes())
    change(meta, arrays)
    if META in arrays:
        arrays[META] = np.frombuffer(json.dumps(meta).encode(), np.uint8)
    np.savez(path, **arrays)


def test_a_model_comes_back_as_it_was(tmp_path):
    path = tmp_path / "filters.npz"
    model = toy_model()
    path.write_bytes(packed([model], np.float32))
    (found,) = read_models(path).values()
    assert (found.name, found.threshold) == (model.name, model.threshold)
    assert found.largest == (4, 5)
    for one, other in zip(found.components, model.components, strict=True):
        np.testing.assert_array_equal(one.root, other.root)
        assert (one.bias, one.box) == (other.bias, other.box)
        for mine, its in zip(one.parts, other.parts, strict=True):
            np.testing.assert_array_equal(mine.filter, its.filter)
            assert (mine.anchor, mine.cost) == (its.anchor, its.cost)


def test_the_cost_counts_displacements_from_the_anchor():
    part = Part(np.zeros((2, 2, 31), np.float32), (0, 0), (0.5, -1.0, 0.25, 2.0))
    assert part.cost_of(0, 0) == 0
    assert part.cost_of(2, -1) == 0.5 * 2 + 1.0 + 0.25 * 4 + 2.0


def test_mirroring_twice_changes_nothing():
    one = toy_component(3)
    other = mirrored_component(mirrored_component(one))
    np.testing.assert_array_equal(one.root, other.root)
    assert [part.anchor for part in one.parts] == [part.anchor for part in other.parts]
    assert [part.cost for part in one.parts] == [part.cost for part in other.parts]
    # 3 cells are 6 of the parts': a part of 2 at 0 is at 4 in the mirror
    assert mirrored_component(one).parts[0].anchor == (4, 3)


BROKEN = {
    "nothing in it": lambda meta, arrays: arrays.clear(),
    "no class": lambda meta, arrays: meta.clear(),
    "no component": lambda meta, arrays: meta["toy"].update(components=[]),
    "no threshold": lambda meta, arrays: meta["toy"].pop("score_threshold"),
    "no root filter": lambda meta, arrays: arrays.pop("toy/0/root"),
    "27 channels": lambda meta, arrays: arrays.update(
        {"toy/0/root": np.zeros((3, 3, 27), np.float32)}
    ),
    "not finite": lambda meta, arrays: arrays.update(
        {"toy/0/part0": np.full((3, 3, 31), np.nan, np.float32)}
    ),
    "whole numbers": lambda meta, arrays: arrays.update(
        {"toy/0/root": np.zeros((3, 3, 31), np.int32)}
    ),
    "a huge filter": lambda meta, arrays: arrays.update(
        {"toy/0/root": np.zeros((500, 3, 31), np.float32)}
    ),
    "a part that costs nothing": lambda meta, arrays: meta["toy"]["components"][0]["parts"][
        0
    ].update(dxx=0.0),
    "an anchor far away": lambda meta, arrays: meta["toy"]["components"][0]["parts"][0].update(
        Vx=1e6
    ),
    "a box without an area": lambda meta, arrays: meta["toy"]["components"][0].update(
        box=[1, 0, 0, 1]
    ),
    "a list for a class": lambda meta, arrays: meta.update(toy=[1, 2]),
}


@pytest.mark.parametrize("change", BROKEN.values(), ids=BROKEN.keys())
def test_what_is_no_model_is_refused(tmp_path, change):
    path = tmp_path / "filters.npz"
    rewritten(path, change)
    with pytest.raises(ExplorerError, match=r"filters\.npz has no"):
        read_models(path)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"<xml/>", pickle.dumps({"root": 1})], ids=str
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "filters.npz"
    path.write_bytes(content)
    with pytest.raises(ExplorerError):
        read_models(path)


def test_a_pickle_within_is_not_opened(tmp_path):
    path = tmp_path / "filters.npz"
    np.savez(path, **{META: np.array([{"a": 1}], object)})
    with pytest.raises(ExplorerError, match="no filters"):
        read_models(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ExplorerError, match="nowhere"):
        read_models(tmp_path / "nowhere.npz")
