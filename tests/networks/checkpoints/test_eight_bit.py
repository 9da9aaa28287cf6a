import torch
from safetensors.torch import save_file

from explorer.networks.checkpoints import reading
from explorer.networks.checkpoints.eight_bit import LARGEST, packed, unpacked


def test_every_value_is_within_half_a_step_of_its_channel(tmp_path):
    torch.manual_seed(0)
    kernel = torch.randn(16, 32, 3, 3) * torch.logspace(-3, 2, 16).view(-1, 1, 1, 1)
    kernel[3] = 0
    small = torch.randn(4, 4)
    weights = {"conv.weight": kernel, "conv.bias": torch.randn(16), "small": small.half()}
    stored = packed(weights)
    assert stored["conv.weight"].dtype == torch.int8
    assert stored["small"].dtype == torch.float16
    save_file(stored, tmp_path / "w.safetensors")
    found = reading.read(tmp_path / "w.safetensors").tensors
    assert set(found) == set(weights)
    step = kernel.flatten(1).abs().amax(dim=1) / LARGEST
    off = (found["conv.weight"] - kernel).flatten(1).abs().amax(dim=1)
    assert (off <= 0.5001 * step).all()
    assert torch.equal(found["conv.weight"][3], kernel[3])
    assert torch.equal(found["conv.bias"], weights["conv.bias"])


def test_what_only_looks_like_it_is_left_alone():
    tensors = {
        "a": torch.zeros(4, 2, dtype=torch.int8),
        "b": torch.ones(4, 2),
        "b.scale": torch.ones(4),
        "c": torch.zeros(4, 2, dtype=torch.int8),
        "c.scale": torch.ones(3),
    }
    assert unpacked(tensors) == tensors
