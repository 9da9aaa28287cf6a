import pytest
import torch
from torch import nn

from explorer.networks.fast import convolution as fast_convolution
from explorer.networks.fast.convolution import PackedConv2d, available, pack


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3, "padding": 1},
        {"kernel_size": 1, "bias": False},
        {"kernel_size": 3, "stride": 2, "padding": (1, 0)},
        {"kernel_size": 3, "dilation": 2, "groups": 8, "padding": 2},
        {"kernel_size": (1, 5), "groups": 2},
    ],
)
@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_packed_convolutions_answer_the_same(options, memory_format):
    torch.manual_seed(0)
    layer = nn.Conv2d(8, 16, **options).eval()
    values = [torch.randn(1, 8, side, 17).to(memory_format=memory_format) for side in (12, 20)]
    with torch.no_grad():
        wanted = [layer(value) for value in values]
        pack(nn.Sequential(layer))
        assert type(layer) is PackedConv2d
        for _ in range(2):
            for value, expected in zip(values, wanted, strict=True):
                assert torch.allclose(layer(value), expected, atol=1e-5)


def test_a_batch_of_regions_is_not_packed_for_its_number():
    layer = nn.Conv2d(4, 4, 1)
    pack(layer)
    with torch.no_grad():
        for count in (1, 3, 5):
            assert layer(torch.rand(count, 4, 6, 6)).shape == (count, 4, 6, 6)
    assert len(layer.kept) == 1


def test_few_sizes_are_kept(monkeypatch):
    layer = nn.Conv2d(4, 4, 3)
    pack(layer)
    monkeypatch.setattr(fast_convolution, "MOST_BYTES", 2 * layer.weight.nbytes)
    with torch.no_grad():
        for side in (5, 6, 7, 5):
            layer(torch.rand(1, 4, side, side))
    assert [shape[2] for shape in layer.kept] == [7, 5]
    monkeypatch.setattr(fast_convolution, "MOST_BYTES", 0)
    with torch.no_grad():
        layer(torch.rand(1, 4, 9, 9))
    assert len(layer.kept) == 1


def test_other_layers_stay_as_they_are():
    class Own(nn.Conv2d):
        pass

    layers = [
        nn.Conv2d(4, 4, 3, padding="same"),
        nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect"),
        nn.Conv2d(4, 4, 3, dtype=torch.float64),
        Own(4, 4, 3),
        nn.Linear(4, 4),
    ]
    before = [type(layer) for layer in layers]
    pack(nn.ModuleList(layers))
    assert [type(layer) for layer in layers] == before


def test_without_the_operators_nothing_is_packed(monkeypatch, caplog):
    def missing(self, shape):
        raise AttributeError("no such operator")

    monkeypatch.setattr(PackedConv2d, "rearranged", missing)
    available.cache_clear()
    try:
        layer = nn.Conv2d(4, 4, 3)
        with caplog.at_level("INFO"):
            pack(layer)
        assert type(layer) is nn.Conv2d
        assert "no such operator" in caplog.text
    finally:
        available.cache_clear()


def test_wrong_answers_are_not_used(monkeypatch):
    right = PackedConv2d.rearranged
    monkeypatch.setattr(PackedConv2d, "rearranged", lambda self, shape: right(self, shape) * 2)
    available.cache_clear()
    try:
        assert not available()
    finally:
        available.cache_clear()
