"""R-CNN with random SVMs on a small classifier, in the place of the one that ships."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from explorer.networks.embedded.lite import efficientnet_lite0
from explorer.networks.network import Network
from explorer.vision.race import networks
from tests.toys import make_network

CLASSES = ("cat", "dog", "car")


def use_random_svms(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SVMs of random numbers for three classes and squares of 32 pixels, as a file."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, size in (("heads", 1280), ("pyramid", 1600)):
        arrays |= {
            f"{part}.svm_weight": rng.normal(0, 0.05, (3, size)).astype(np.float16),
            f"{part}.svm_bias": np.zeros(3, np.float16),
            f"{part}.reg_weight": rng.normal(0, 0.001, (1, 4, 1280)).astype(np.float16),
            f"{part}.reg_bias": np.zeros((1, 4), np.float16),
        }
    arrays["head.weight"] = rng.normal(0, 0.1, (1280, 320, 1, 1)).astype(np.float16)
    arrays["head.bias"] = np.zeros(1280, np.float16)
    path = folder / networks.REGION_SVMS
    save_file(arrays, path, {"card": json.dumps({"classes": list(CLASSES), "side": 32})})
    where = networks.resource_path

    def resource_path(*parts: str) -> Path:
        return path if parts[-1] == networks.REGION_SVMS else where(*parts)

    monkeypatch.setattr(networks, "resource_path", resource_path)


def small_body() -> Network:
    """The classifier of R-CNN with random weights."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return make_network(efficientnet_lite0(4), "classification", name="small")


def untrained(network: Network) -> Network:
    """The same without weights to trust."""
    return replace(network, info=replace(network.info, state="untrained"))
