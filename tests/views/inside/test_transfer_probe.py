"""A linear classifier on features: what they separate it separates, and no more."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from explorer.core.errors import ExplorerError
from explorer.core.params import FolderRef
from explorer.training.data.class_photos import MOST_TEST, SAMPLES, classes_of, first
from explorer.views.inside.transfer_probe.view import VIEW
from tests.evaluation.sets import filled
from tests.views.inside.folders import CLASSES, colored, looked, means


def test_colors_are_told_apart_from_one_photo_each(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=6)
    steps, board, params = looked(VIEW, means(), None, folder, scratch=False)
    result = steps[-1].value
    assert result.names == tuple(sorted(CLASSES))
    assert len(result.tests) == 6
    found = VIEW.data(result, params)
    assert found["counts"].tolist() == [1, 3, 4]
    np.testing.assert_array_equal(found["accuracy"][found["layers"].index("pool")], [1, 1, 1])
    np.testing.assert_array_equal(result.predicted, result.labels)
    assert np.isnan(found["from_scratch"]).all()
    assert "100.0%" in board.summary
    assert [plot.name for plot in board.plots] == ["layers", "counts"]


def test_no_photo_is_both_trained_on_and_tested(tmp_path: Path) -> None:
    folder = FolderRef(str(colored(tmp_path / "photos", each=9)))
    classes = classes_of(folder, 4, seed=0)
    assert classes.fewest == 4
    train, test = {e.path for e in classes.train}, {e.path for e in classes.test}
    assert (len(train), len(test)) == (12, 9)
    assert not train & test
    for example in (*classes.train, *classes.test):
        assert Path(example.path).parent.name == classes.names[example.label]
    again = classes_of(folder, 4, seed=0)
    assert [e.path for e in again.train] == [e.path for e in classes.train]
    assert [e.path for e in classes_of(folder, 4, seed=1).train] != [e.path for e in classes.train]
    assert MOST_TEST >= 3


def test_crops_of_the_samples_do_not_overlap_between_training_and_test() -> None:
    classes = classes_of(None, 3, seed=0)
    assert len(classes.names) == SAMPLES
    assert classes.fewest == 3
    for example in (*classes.train, *classes.test):
        crop = example.load()
        assert crop.dtype == np.uint8
        np.testing.assert_array_equal(crop[..., 0], crop[..., 2])


def test_from_scratch_is_compared_with_the_same_photos(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=4)
    steps, board, params = looked(VIEW, means(), None, folder, most=2)
    found = VIEW.data(steps[-1].value, params)
    assert found["counts"].tolist() == [1, 2]
    assert np.isfinite(found["from_scratch"]).all()
    assert board.tables[0].rows[-1][0] == "from scratch"
    assert "from scratch" in board.summary


@pytest.mark.parametrize("names", [(), ("a",), ("a", "b")])
def test_a_folder_without_classes_is_one_sentence(names: tuple[str, ...], tmp_path: Path) -> None:
    for name in names:
        filled(tmp_path / name / "only.png", (1, 2, 3))
    filled(tmp_path / "beside.png", (1, 2, 3))
    with pytest.raises(ExplorerError, match="no two folders") as raised:
        looked(VIEW, means(), None, tmp_path)
    assert "a folder of photos for every class" in raised.value.hint


def test_photos_that_cannot_be_read_stay_out(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=6)
    for path in sorted((folder / "red").iterdir())[:2]:
        path.write_bytes(b"none")
    steps, board, _ = looked(VIEW, means(), None, folder, scratch=False)
    assert board.notes
    assert steps[-1].value.train + len(steps[-1].value.tests) == 16


def test_a_first_result_comes_before_all_photos_are_read(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=12)
    steps, _, params = looked(VIEW, means(), None, folder, scratch=False)
    early = next(step for step in steps if step.value.best)
    assert (len(early.value.tests), early.value.train) == (6, 3), "of 12 and 24"
    assert (early.value.predicted >= 0).all()
    assert VIEW.draw(early.value, params).panes[0].title.startswith("6 of 12 test photos, by ")
    assert VIEW.draw(steps[-1].value, params).panes[0].title.startswith("12 test photos, by ")


def test_progress_rises_to_its_end(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=4)
    steps, _, _ = looked(VIEW, means(), None, folder, most=1)
    done = [step.done for step in steps]
    assert {step.total for step in steps} == {steps[-1].total}
    assert done == sorted(done)
    assert len(set(done)) >= len(done) - 1
    assert done[-1] == steps[-1].total
    assert done[-2] == done[-1] - 1, "the work is counted as it was planned"


def test_the_best_layer_is_the_last_of_the_best(tmp_path: Path) -> None:
    folder = colored(tmp_path / "photos", each=6)
    steps, _, _ = looked(VIEW, means(), None, folder, scratch=False)
    for step in steps:
        result = step.value
        complete = result.best and all(
            result.count in result.per_count.get(layer, {}) for layer in result.layers
        )
        if complete and len(result.tests) == result.planned:
            accuracy = [result.per_count[layer][result.count] for layer in result.layers]
            best = len(accuracy) - 1 - int(np.argmax(accuracy[::-1]))
            assert result.best == result.layers[best]


def test_the_first_photos_are_those_of_every_class() -> None:
    classes = classes_of(None, 3, seed=0)
    chosen = first(classes.train, 2)
    assert [example.label for example in chosen] == [k for k in range(SAMPLES) for _ in range(2)]
    assert all(example in classes.train for example in chosen)
