import torch

from explorer.networks.faces.age import OLDEST, FaceAge
from explorer.networks.faces.embedding import FaceEmbedding, standardized


def test_a_face_and_its_mirror_image_are_one():
    torch.manual_seed(0)
    network = FaceEmbedding().eval()
    faces = torch.rand(2, 1, 64, 64) * 255
    with torch.no_grad():
        found = network(faces)
        mirrored = network(faces.flip(3))
    torch.testing.assert_close(found, mirrored, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(2))


def test_light_and_contrast_do_not_matter():
    faces = torch.rand(1, 1, 64, 64) * 100
    first = standardized(faces)
    assert abs(float(first.mean())) < 1e-5
    brighter = standardized(faces + 50)
    torch.testing.assert_close(first, brighter, rtol=1e-4, atol=1e-4)


def test_the_age_is_the_mean_of_its_distribution():
    network = FaceAge().eval()
    with torch.no_grad():
        network.age.weight.zero_()
        network.age.bias.fill_(-100.0)
        network.age.bias[20] = network.age.bias[40] = 0.0
        found = network(torch.rand(3, 3, 64, 64))
    torch.testing.assert_close(found["age"], torch.full((3,), 30.0))
    assert found["age_logits"].shape == (3, OLDEST + 1)
    assert found["gender"].shape == (3, 2)
    assert found["points"].shape == (3, 5, 2)
    assert float((found["points"] - 0.5).abs().max()) < 0.3
