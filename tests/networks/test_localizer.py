import pytest
import torch

from explorer.networks.embedded import MiniLocalizer, mini_localizer, mini_resnet
from explorer.networks.embedded.localizer import BoxHead

CASES = [
    (body, attach, per_class)
    for body in ("mini_resnet", "mini_vgg")
    for attach in ("conv", "fc")
    for per_class in (False, True)
]


@pytest.mark.parametrize(("body", "attach", "per_class"), CASES)
def test_it_answers_with_the_box_of_the_first_class(body, attach, per_class):
    torch.manual_seed(0)
    network = mini_localizer(7, body=body, attach=attach, per_class=per_class).eval()
    torch.nn.init.normal_(network.head.fc2.weight)  # so that boxes differ
    images = torch.randn(3, 3, 80, 64)
    with torch.no_grad():
        found = network(images)
        assert torch.equal(found["logits"], network.body(images))
    assert found["boxes"].shape == (3, 4)
    assert found["boxes_per_class"].shape == (3, 7, 4)
    assert (found["boxes"] >= 0).all()
    assert (found["boxes"] <= 1).all()
    assert (found["boxes"][:, :2] <= found["boxes"][:, 2:]).all()
    for row, best in enumerate(found["logits"].argmax(1)):
        assert torch.equal(found["boxes"][row], found["boxes_per_class"][row, best])
    alike = (found["boxes_per_class"] == found["boxes_per_class"][:, :1]).all()
    assert bool(alike) is not per_class


def test_four_numbers_are_center_and_size():
    head = BoxHead(3, "fc", 1)
    torch.nn.init.zeros_(head.fc2.weight)
    # sigmoid(0) = 1/2, sigmoid(log 3) = 3/4, sigmoid(-log 3) = 1/4
    third = float(torch.log(torch.tensor(3.0)))
    head.fc2.bias.data = torch.tensor([0.0, -third, third, -third])
    box = head(torch.randn(1, 3))[0, 0]
    assert box.tolist() == pytest.approx([1 / 8, 1 / 8, 7 / 8, 3 / 8])


def test_the_last_map_keeps_places_apart_and_the_vector_does_not():
    torch.manual_seed(0)
    found = torch.randn(1, 8, 5, 5)
    conv, fc = BoxHead(8, "conv", 1).eval(), BoxHead(8, "fc", 1).eval()
    for head in (conv, fc):
        torch.nn.init.normal_(head.fc2.weight)
    mirrored = found.flip(3)
    with torch.no_grad():
        assert not torch.allclose(conv(found), conv(mirrored))
        assert torch.allclose(fc(found.mean((2, 3))), fc(mirrored.mean((2, 3))), atol=1e-6)


def test_the_body_keeps_the_names_of_its_own_file():
    body = mini_resnet(5)
    network = MiniLocalizer(mini_resnet(5), "conv", per_class=True)
    network.body.load_state_dict(body.state_dict())
    own = {k.removeprefix("body.") for k in network.state_dict() if k.startswith("body.")}
    assert own == set(body.state_dict())


def test_all_eight_heads_together_are_small():
    heads = 0
    for body, attach, per_class in CASES:
        network = mini_localizer(body=body, attach=attach, per_class=per_class)
        size = 2 * sum(p.numel() for p in network.head.parameters())
        assert size <= 0.6e6
        heads += size
    assert heads <= 2e6
