import io

import numpy as np
import pytest
import torch
from PIL import Image

from explorer.core.errors import ExplorerError
from explorer.networks.embedded.face_points import MIRRORED, SIDE
from explorer.training.data.faces import Faces, drawn_face, read_faces
from explorer.training.lessons.face_points import point_errors, task
from explorer.training.lessons.registry import Material

PLACES = np.array([[20, 20], [44, 20], [32, 34], [24, 48], [40, 48]], np.float32)
COLORS = ((250, 0, 0), (0, 250, 0), (0, 0, 250), (250, 250, 0), (0, 250, 250))


def face(moved=(0, 0)):
    """A gray picture with a disk in a color of its own at every point, and the points."""
    y, x = np.mgrid[0:SIDE, 0:SIDE] + 0.5
    pixels = np.full((SIDE, SIDE, 3), 90, np.uint8)
    places = PLACES + np.array(moved, np.float32)
    for place, color in zip(places, COLORS, strict=True):
        pixels[np.hypot(x - place[0], y - place[1]) < 3] = color
    return pixels, places / SIDE


def write_faces(folder, count=8):
    """`count` faces, every fourth of them held out, one without points."""
    folder.mkdir()
    files, offset, points = [], [0], []
    for number in range(count):
        pixels, places = face((number % 3, number % 2))
        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "WEBP", lossless=True)
        files.append(np.frombuffer(buffer.getvalue(), np.uint8))
        offset.append(offset[-1] + len(files[-1]))
        points.append(places)
    points[0] = np.full((5, 2), np.nan)
    split = np.array([number % 4 == 3 for number in range(count)], np.uint8)
    np.savez(folder / "some.npz", webp=np.concatenate(files), offset=offset, split=split)
    np.savez(folder / "some_points.npz", points=np.array(points, np.float32))
    return folder


def test_faces_with_points_are_read(tmp_path):
    folder = write_faces(tmp_path / "faces")
    learned, held_out = read_faces(folder, 0), read_faces(folder, 1)
    assert (len(learned), len(held_out)) == (5, 2)
    pixels, places = face((1, 1))
    np.testing.assert_array_equal(learned.pixels[0], pixels)
    np.testing.assert_allclose(learned.points[0], places, rtol=1e-6)


def test_what_is_no_set_of_faces_is_said(tmp_path):
    with pytest.raises(ExplorerError, match="no faces with points"):
        read_faces(tmp_path, 0)
    folder = write_faces(tmp_path / "faces")
    np.savez(folder / "some_points.npz", points=np.zeros((3, 5, 2), np.float32))
    with pytest.raises(ExplorerError, match="for 8 faces"):
        read_faces(folder, 0)
    (folder / "some_points.npz").write_bytes(b"nothing")
    with pytest.raises(ExplorerError, match="not archives of faces"):
        read_faces(folder, 0)


@pytest.mark.parametrize("seed", range(12))
def test_points_move_with_the_picture(seed, monkeypatch):
    monkeypatch.setattr("explorer.training.data.faces._worn", lambda pixels, _: pixels)
    monkeypatch.setattr("explorer.training.data.faces.recolored_pixels", lambda pixels, _: pixels)
    pixels, places = face()
    found, moved = drawn_face(pixels, places, np.random.default_rng(seed))
    colors = np.array(COLORS)
    # mirrored, the disk of the left eye is the right one's
    flipped = found[tuple((moved[0, ::-1] * SIDE).astype(int))][1] > 150
    wanted = colors[list(MIRRORED)] if flipped else colors
    for place, color in zip(moved, wanted, strict=True):
        column, row = (place * SIDE).astype(int)
        if 2 < column < SIDE - 3 and 2 < row < SIDE - 3:
            assert np.abs(found[row, column].astype(int) - color).max() < 60


def test_a_training_lowers_the_error(tmp_path):
    folder = write_faces(tmp_path / "faces", 16)
    material = Material(folder, tmp_path, epochs=20)
    lesson = task("lite-face-points", material)
    torch.manual_seed(0)
    model = lesson.build()
    before = point_errors(model.eval(), read_faces(folder, 1))
    losses = []
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), 3e-3)
    for step in range(12):
        loss = sum(lesson.losses(model, step, 0.0, torch.device("cpu")).values())
        losses.append(float(loss.detach()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert losses[-1] < losses[0] / 1.5
    assert set(before) == {"NME", "NME of stage 1", "failure rate at 0.1", "NME by point"}


def test_the_error_by_hand():
    class Fixed(torch.nn.Module):
        """Outputs the points of the face as it was given, after a first stage that lies lower."""

        def forward(self, crops):
            places = torch.from_numpy(PLACES / SIDE).expand(len(crops), -1, -1)
            return {"stages": torch.stack([places + torch.tensor([0.0, 0.2]), places])}

    pixels, places = face()
    faces = Faces(pixels[None], places[None].astype(np.float32))
    found = point_errors(Fixed(), faces, seed=3)
    rng = np.random.default_rng(3)
    _, moved = drawn_face(pixels, places, rng, plain=True)
    off = np.linalg.norm(moved - PLACES / SIDE, axis=1) / np.linalg.norm(moved[0] - moved[1])
    assert found["NME"] == pytest.approx(off.mean(), abs=1e-4)
    assert found["NME by point"]["nose"] == pytest.approx(off[2], abs=1e-4)
    assert found["NME of stage 1"] > found["NME"]
