import torch

from explorer.networks.embedded import mini_vgg
from explorer.networks.embedded.segmentation.segnet import MiniSegNet


@torch.no_grad()
def test_its_encoder_is_the_body_and_keeps_the_switches():
    network, vgg = MiniSegNet(3).eval(), mini_vgg().eval()
    network.features.load_state_dict(vgg.features.state_dict())
    images = torch.rand(1, 3, 37, 50)
    found, switches = network.encoded(images)
    assert torch.equal(found, vgg.features(images))
    assert [s.size for s in switches] == [(37, 50), (18, 25), (9, 12), (4, 6)]
    # the largest values are where the switches say
    before = vgg.features[:2](images)
    largest, first = vgg.features[2](before), switches[0].indices
    assert torch.equal(before.flatten(2).gather(2, first.flatten(2)).view_as(first), largest)


@torch.no_grad()
def test_the_scores_depend_on_the_switches():
    torch.manual_seed(0)
    network = MiniSegNet(3).eval()
    x, switches = network.encoded(torch.rand(1, 3, 32, 32))
    scores = network.scores(x, switches)
    assert scores.shape == (1, 3, 32, 32)
    _, other = network.encoded(torch.rand(1, 3, 32, 32))
    assert not torch.allclose(network.scores(x, other), scores)
