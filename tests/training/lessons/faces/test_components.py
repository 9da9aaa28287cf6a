"""The components of faces are fitted where the faces are."""

import io

import numpy as np
from PIL import Image

from explorer.training.lessons.faces import components
from explorer.training.lessons.registry import Material
from explorer.vision.latent.faces import axes_of
from explorer.vision.latent.pca import read_basis


def test_the_file_has_no_more_components_than_a_fifth_of_the_faces(tmp_path):
    rng, files, offset = np.random.default_rng(0), [], [0]
    for level in np.linspace(40, 200, 24):
        pixels = (level + rng.normal(0, 5, (8, 8, 3))).clip(0, 255).astype(np.uint8)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", lossless=True)
        files.append(np.frombuffer(file.getvalue(), np.uint8))
        offset.append(offset[-1] + len(files[-1]))
    np.savez(
        tmp_path / "utk.npz", webp=np.concatenate(files), offset=np.array(offset),
        split=np.array([0] * 20 + [1] * 4, np.uint8), age=np.arange(20, 44),
    )  # fmt: skip
    components.fit("face-components", Material(tmp_path, tmp_path), tmp_path / "out")
    path = tmp_path / "out" / components.FILE
    basis = read_basis(path)
    assert (basis.count, len(basis), basis.shape) == (20, 4, (8, 8, 3))
    axes = axes_of(path.read_bytes(), len(basis))
    # a year is a level more in every pixel, and that is nearly all of the first component
    brighter = (axes.slopes[0] * basis.deviations[0] * basis.components[0]).mean() * 255
    np.testing.assert_allclose(brighter, 160 / 23, rtol=0.05)
