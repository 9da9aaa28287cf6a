"""The pictures of a small training: drawn, of a folder, of an npz, and what is refused."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import PIL.Image
import pytest

from explorer.core.errors import ExplorerError
from explorer.training.small.data_set import BLOCKS, LEAST, SIDE, DataSet, opened
from explorer.training.small.shapes import CLASSES, shapes
from tests.training.small.tiny import tiny


def read(folder: Path) -> DataSet:
    steps = opened(folder)
    while True:
        try:
            next(steps)
        except StopIteration as found:
            data: DataSet = found.value
            return data


def photos(folder: Path, count: int, color: tuple[int, int, int]) -> None:
    folder.mkdir(parents=True)
    for number in range(count):
        picture = PIL.Image.new("RGB", (40, 30), color)
        picture.putpixel((0, 0), (number, 0, 0))
        picture.save(folder / f"{number}.png")


def test_shapes_are_the_same_for_a_seed_and_as_many_of_each_class() -> None:
    pictures, labels = shapes(32, 24, 5)
    again, labels_again = shapes(32, 24, 5)
    np.testing.assert_array_equal(pictures, again)
    np.testing.assert_array_equal(labels, labels_again)
    assert pictures.shape == (32, 24, 24, 3)
    assert np.bincount(labels).tolist() == [4] * len(CLASSES)
    assert not np.array_equal(pictures, shapes(32, 24, 6)[0])


def test_the_blocks_part_the_pictures_and_each_class() -> None:
    data = tiny(development=80)
    seen = []
    for block in range(BLOCKS):
        train, validation = data.split(block)
        assert len(train) + len(validation) == 80
        assert np.bincount(validation.labels).tolist() == [2] * len(CLASSES)
        seen += [picture.tobytes() for picture in validation.pictures]
    assert sorted(seen) == sorted(picture.tobytes() for picture in data.development.pictures)


def test_a_folder_of_classes(tmp_path: Path) -> None:
    photos(tmp_path / "red", 12, (250, 10, 10))
    photos(tmp_path / "blue", 10, (10, 10, 250))
    (tmp_path / "red" / "bad.jpg").write_bytes(b"no photo")
    data = read(tmp_path)
    assert data.classes == ("blue", "red")
    assert len(data.development) + len(data.test) == 22
    assert data.test.pictures.shape[1:] == (SIDE, SIDE, 3)
    for part in (data.development, data.test):
        red = part.pictures[..., 0].mean(axis=(1, 2)) > 128
        np.testing.assert_array_equal(red, part.labels == 1)
    (problem,) = data.problems
    assert problem.startswith("1 photo was skipped.")


def test_an_npz_of_photos(tmp_path: Path) -> None:
    files = []
    for number in range(24):
        file = io.BytesIO()
        PIL.Image.new("RGB", (16, 16), (0, 200 if number % 2 else 20, 0)).save(file, "JPEG")
        files.append(file.getvalue())
    offset = np.cumsum([0, *map(len, files)])
    np.savez(
        tmp_path / "val.npz", jpeg=np.frombuffer(b"".join(files), np.uint8), offset=offset,
        label=np.arange(24) % 2 * 3, box=np.zeros((24, 4), np.int64),
    )  # fmt: skip
    (tmp_path / "classes.tsv").write_text("a\tdark\nb\tb\nc\tc\nd\tgreen, lush\n")
    for place in (tmp_path, tmp_path / "val.npz"):
        data = read(place)
        assert data.classes == ("dark", "green")
        green = data.development.pictures[..., 1].mean(axis=(1, 2)) > 100
        np.testing.assert_array_equal(green, data.development.labels == 1)


def nothing(root: Path) -> None:
    (root / "empty").mkdir()


def one_class(root: Path) -> None:
    photos(root / "red", 12, (250, 0, 0))


def one_photo(root: Path) -> None:
    photos(root / "red", 12, (250, 0, 0))
    photos(root / "blue", 1, (0, 0, 250))


def unreadable(root: Path) -> None:
    for name in ("red", "blue"):
        (root / name).mkdir()
        for number in range(LEAST):
            (root / name / f"{number}.jpg").write_bytes(b"no photo")


@pytest.mark.parametrize(
    ("made", "words"),
    [
        (nothing, "has no subfolders with photos."),
        (one_class, "There is one class only, red."),
        (one_photo, "The class blue has 1 photo, and 10 are needed."),
        (unreadable, "can be read."),
    ],
)
def test_what_cannot_be_trained_with_is_one_sentence(
    made: Callable[[Path], None], words: str, tmp_path: Path
) -> None:
    made(tmp_path)
    with pytest.raises(ExplorerError) as refused:
        read(tmp_path)
    assert words in refused.value.message
    assert refused.value.hint


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError, match="cannot be read"):
        read(tmp_path / "none")
