import pytest
import torch

from explorer.networks.embedded import LiteLocalizer, lite_fasterrcnn, lite_localizer
from explorer.networks.embedded.localizer import BoxHead

CASES = [(attach, per_class) for attach in ("conv", "fc") for per_class in (False, True)]


@pytest.mark.parametrize(("attach", "per_class"), CASES)
def test_it_answers_with_the_box_of_the_first_class(attach, per_class):
    torch.manual_seed(0)
    network = lite_localizer(7, attach=attach, per_class=per_class).eval()
    torch.nn.init.normal_(network.head.fc2.weight)  # so that boxes differ
    images = torch.randn(3, 3, 96, 64)
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


@pytest.mark.parametrize("attach", ["conv", "fc"])
def test_the_head_gets_what_the_layer_it_names_computes(attach):
    network = lite_localizer(3, attach=attach).eval()
    seen = {}

    def keep(name):
        return lambda _module, given, made: seen.update({name: (given[0].clone(), made.clone())})

    network.get_submodule(network.attached_to).register_forward_hook(keep("layer"))
    network.head.register_forward_hook(keep("head"))
    with torch.no_grad():
        network(torch.randn(1, 3, 64, 64))
    assert torch.equal(seen["head"][0].flatten(), seen["layer"][1].flatten())


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
    conv, fc = BoxHead(8, "conv", 1, grid=5).eval(), BoxHead(8, "fc", 1).eval()
    for head in (conv, fc):
        torch.nn.init.normal_(head.fc2.weight)
    mirrored = found.flip(3)
    with torch.no_grad():
        assert not torch.allclose(conv(found), conv(mirrored))
        assert torch.allclose(fc(found.mean((2, 3))), fc(mirrored.mean((2, 3))), atol=1e-6)


def test_the_body_is_that_of_the_detector():
    network = LiteLocalizer(3, "conv", per_class=True)
    body = lite_fasterrcnn(3).backbone.body.state_dict()
    network.body.load_state_dict({**network.body.state_dict(), **body})
    assert body.keys() <= network.body.state_dict().keys()


def test_all_four_heads_with_one_classifier_are_small():
    sizes = 0
    for number, (attach, per_class) in enumerate(CASES):
        network = lite_localizer(20, attach=attach, per_class=per_class)
        own = [network.head, *([] if number else [network.body.conv_head, network.body.classifier])]
        sizes += 2 * sum(p.numel() for part in own for p in part.parameters())
    assert sizes <= 2.5e6
