"""A photo's face in a basis of faces, and the two ways to another age."""

import numpy as np
import pytest
import torch
from torch import nn

from explorer.core.errors import ExplorerError
from explorer.core.params import FolderRef
from explorer.engine.scene import Scene
from explorer.images.image import from_array
from explorer.networks.faces.mtcnn import kept_cascade
from explorer.networks.generative import shipped
from explorer.views.synthesis.semantic_sliders import aging
from explorer.views.synthesis.semantic_sliders.view import AGE, VIEW, Params
from explorer.vision.faces.cascade import Settings, found_faces
from explorer.vision.latent import pca
from explorer.vision.latent.faces import POSITIONS, FaceAxes, with_axes
from tests.networks.faces.installed_faces import needs_mtcnn
from tests.toys import toy_image, toy_network


@pytest.fixture
def folder(tmp_path) -> FolderRef:
    """A basis of 16 x 16 pictures whose slopes make the first component larger with age."""
    rng = np.random.default_rng(0)
    basis = pca.fit(rng.random((12, 16, 16, 3), np.float32), 4)
    slopes = np.array([0.05, 0, 0, 0], np.float32)
    content = with_axes(pca.packed(basis, {}), FaceAxes(POSITIONS, slopes))
    (tmp_path / pca.FILE).write_bytes(content)
    return FolderRef(str(tmp_path))


class Mean(nn.Module):
    """The age is 100 times the mean of all pixels; the gender is that of red minus green."""

    def forward(self, faces: torch.Tensor) -> dict[str, torch.Tensor]:
        level = faces.mean((2, 3))
        return {
            "age": 100 * level.mean(1),
            "gender": torch.stack([level[:, 1], level[:, 0]], 1),
            "points": torch.full((len(faces), 5, 2), 0.5) + torch.arange(10).view(1, 5, 2) / 100,
        }


def scene(pixels=None) -> Scene:
    image = toy_image() if pixels is None else from_array(pixels, "photo")
    return Scene(toy_network("classification"), image)


def last(where, **changes):
    (*_, step) = VIEW.compute(where, Params(**changes))
    return step.value


@needs_mtcnn
def test_the_face_of_the_photo_is_aligned(folder):
    pixels = np.ascontiguousarray(pytest.importorskip("skimage.data").astronaut()[20:220, 120:340])
    result = last(scene(pixels), folder=folder)
    faces = found_faces(kept_cascade(), pixels, Settings())
    np.testing.assert_allclose(result.box, faces.boxes[0], atol=1e-3)
    assert result.part.shape == (16, 16, 3)
    assert result.source.notes == ()
    assert "12 faces: " in VIEW.draw(result, Params()).summary


@needs_mtcnn
def test_without_a_face_the_middle_is_taken_and_said(folder):
    result = last(scene(), folder=folder)
    assert result.box == (8.0, 0.0, 56.0, 48.0)
    assert "No face was found" in VIEW.draw(result, Params()).notes[0]


def test_both_ways_are_read_by_the_network(folder, monkeypatch):
    monkeypatch.setattr(aging, "age_network", Mean)
    changes = {"folder": folder, "search": True, "aim": AGE, "years": 54.0, "steps": 30}
    result = last(scene(), decay=0.0, hold=0.0, **changes)
    walk, found = result.walk, result.aging
    assert walk.coefficients.shape == (31, 4)
    assert abs(walk.outputs[-1] - 54) < abs(walk.outputs[0] - 54)
    basis = result.source.basis
    for row in (0, 30):
        picture = basis.picture(walk.coefficients[row]).clip(0, 1)
        assert found.read.age[row] == pytest.approx(100 * picture.mean(), abs=0.3)
    assert (np.diff(found.slid[:, 0]) * (54 - found.slid_read.age[0]) >= 0).all()
    np.testing.assert_array_equal(found.slid[:, 1], found.slid[0, 1])
    board = VIEW.draw(result, Params(**changes))
    assert [pane.name for pane in board.panes][-2:] == ["path", "slide"]
    assert {"age", "gender", "points"} <= {plot.name for plot in board.plots}
    assert "years" in board.summary
    data = VIEW.data(result, Params(**changes))
    assert data["points"].shape == (31, 5, 2)
    assert data["slope_age"].shape == (aging.SLIDES,)


def test_what_is_missing_is_said(folder, tmp_path, monkeypatch):
    with pytest.raises(ExplorerError, match="needs a basis of faces"):
        last(scene(), search=True, aim=AGE)
    aging.age_network.cache_clear()
    monkeypatch.setattr(shipped, "names", lambda: ())
    with pytest.raises(ExplorerError, match="mini-face-age, the network that reads ages"):
        last(scene(), folder=folder, search=True, aim=AGE)
