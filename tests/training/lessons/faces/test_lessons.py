import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from explorer.training.data.face_sets import FaceSet
from explorer.training.lessons.faces import age, embedding

CPU = torch.device("cpu")


def face_set(**known):
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (6, 64, 64, 3), dtype=np.uint8)
    return FaceSet(pixels, {name: np.array(values) for name, values in known.items()})


def test_the_margin_lowers_the_right_persons_cosine_alone():
    torch.manual_seed(0)
    model = embedding.Identities(4).eval()
    faces = torch.rand(2, 1, 64, 64) * 255
    persons = torch.tensor([1, 3])
    with torch.no_grad():
        plain = model.margin_logits(faces, persons, 0.0)
        lowered = model.margin_logits(faces, persons, 0.3)
    off = torch.zeros(2, 4)
    off[0, 1] = off[1, 3] = embedding.SCALE * 0.3
    torch.testing.assert_close(plain - lowered, off, rtol=1e-4, atol=1e-4)
    assert float(plain.abs().max()) <= embedding.SCALE * 1.0001


def test_persons_of_the_file_become_classes():
    faces = face_set(person=[7, 7, 12, 40, 40, 40])
    task = embedding.IdentityTask(faces=faces, recipe=replace(embedding.RECIPE, batch=4))
    assert task.persons.tolist() == [0, 0, 1, 2, 2, 2]
    loss = task.losses(task.build().train(), 0, 1.0, CPU)["persons"]
    assert float(loss.detach()) > math.log(3) / 2


def test_faces_without_points_teach_ages_alone():
    faces = face_set(age=[1, 20, 30, 40, 50, 100], gender=[0, 1, 0, 1, 0, 1])
    points = np.full((6, 5, 2), np.nan, np.float32)
    task = age.AgeTask(faces=faces, points=points, recipe=replace(age.RECIPE, batch=4))
    losses = task.losses(task.build().train(), 0, 0.0, CPU)
    assert float(losses["points"].detach()) == 0
    assert float(losses["age"].detach()) > 3
    assert all(bool(value.isfinite()) for value in losses.values())


def test_pairs_are_read(tmp_path):
    path = tmp_path / "pairs.tsv"
    path.write_text("first\tsecond\tsame\n3\t5\t1\n4\t9\t0\n")
    assert embedding.read_pairs(path).tolist() == [[3, 5, 1], [4, 9, 0]]


@pytest.mark.parametrize("seed", range(3))
def test_a_varied_face_keeps_its_size(seed):
    face = face_set().pixels[0, ..., 0]
    found = embedding.varied(face, np.random.default_rng(seed))
    assert found.shape == face.shape
    assert found.dtype == np.uint8
