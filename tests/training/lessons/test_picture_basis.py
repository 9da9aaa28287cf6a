import json

import numpy as np
import pytest
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.training.lessons import picture_basis
from explorer.training.lessons.registry import Material
from explorer.vision.latent.pca import read_basis


def pictures(folder, count: int, seed: int) -> None:
    """Two colors, mixed at random: two directions of variance."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(seed)
    for number in range(count):
        picture = np.zeros((12, 8, 3), np.uint8)
        picture[:6, :, 0], picture[6:, :, 2] = rng.integers(40, 220, 2)
        Image.fromarray(picture).save(folder / f"{number}.png")


def test_the_lesson_writes_a_basis_and_what_it_keeps_of_others(tmp_path) -> None:
    pictures(tmp_path / "data" / "train", 24, 0)
    pictures(tmp_path / "data" / "validation", 6, 1)
    picture_basis.fit("picture-basis", Material(tmp_path / "data", tmp_path), tmp_path / "out")
    path = tmp_path / "out" / picture_basis.FILE
    basis = read_basis(path)
    assert basis.count == 24, "those for validation are apart"
    assert basis.shape == (12, 8, 3)
    assert len(basis) == 2
    with np.load(path, allow_pickle=False) as file:
        figures = json.loads(str(file["figures"]))
    assert figures == {"variance kept by 2": pytest.approx(1.0, abs=1e-3)}


def test_without_a_folder_for_validation_every_tenth_is_apart(tmp_path) -> None:
    pictures(tmp_path / "data", 20, 0)
    picture_basis.fit("picture-basis", Material(tmp_path / "data", tmp_path), tmp_path / "out")
    assert read_basis(tmp_path / "out" / picture_basis.FILE).count == 18


def test_a_folder_without_pictures(tmp_path) -> None:
    (tmp_path / "data").mkdir()
    with pytest.raises(ExplorerError, match="no pictures"):
        picture_basis.fit("picture-basis", Material(tmp_path / "data", tmp_path), tmp_path / "out")
