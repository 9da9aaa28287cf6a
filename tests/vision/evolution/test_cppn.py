"""Networks that draw, against a plain evaluation node by node."""

import colorsys
import math

import numpy as np
import pytest
import torch

from explorer.vision.evolution.cppn import (
    FUNCTIONS,
    INPUTS,
    MOST_NODES,
    OUTPUTS,
    CppnEncoding,
    Genome,
    colors,
    coordinates,
)

CPU = torch.device("cpu")
KINDS = list(FUNCTIONS)
LINEAR, GAUSSIAN = KINDS.index("linear"), KINDS.index("Gaussian")


def evolved(seed: int, mutations: int) -> Genome:
    rng = np.random.default_rng(seed)
    encoding = CppnEncoding()
    genome = encoding.random(rng)
    for _ in range(mutations):
        genome = encoding.mutated(genome, rng, 0)
    return genome


def by_hand(genome: Genome, x: float, y: float) -> tuple[float, float, float]:
    """Red, green and blue at one place, with Python's own mathematics."""
    plain = {
        "sine": math.sin,
        "Gaussian": lambda z: math.exp(-z * z),
        "sigmoid": lambda z: 1 / (1 + math.exp(-z)),
        "linear": lambda z: z,
    }
    values = [x, y, math.hypot(x, y), 1.0]
    for node in range(len(INPUTS), len(genome.functions)):
        before = sum(float(w) * v for w, v in zip(genome.weights[node], values, strict=False))
        values.append(plain[KINDS[genome.functions[node]]](before))
    hue, saturation, value = values[-3:]
    return colorsys.hsv_to_rgb(hue % 1.0, min(abs(saturation), 1), min(abs(value), 1))


def test_two_networks_by_hand() -> None:
    nodes = len(INPUTS) + len(OUTPUTS)
    slope = np.zeros((nodes, nodes), np.float32)
    slope[6, 0] = 1.0  # value = x, gray
    rings = np.zeros((nodes + 1, nodes + 1), np.float32)
    rings[4, 2], rings[7, 4] = 2.0, 1.0  # value = exp(-(2 r)^2) through a hidden node
    hidden = np.full(nodes + 1, LINEAR, np.int8)
    hidden[4] = GAUSSIAN
    flat, ring = CppnEncoding().pictures(
        [Genome(np.full(nodes, LINEAR, np.int8), slope), Genome(hidden, rings)], (4, 8), CPU
    )
    x, y, r, one = coordinates((4, 8), CPU)
    assert x[:8].tolist() == pytest.approx([column / 4 - 0.875 for column in range(8)])
    assert y[::8].tolist() == pytest.approx([-0.75, -0.25, 0.25, 0.75])
    assert (one == 1).all()
    for channel in range(3):
        np.testing.assert_allclose(flat[channel].flatten(), x.abs(), atol=1e-6)
        np.testing.assert_allclose(ring[channel].flatten(), torch.exp(-4 * r**2), atol=1e-6)


def test_colors_are_those_of_python() -> None:
    outputs = torch.rand(2, 3, 50, generator=torch.Generator().manual_seed(0)) * 4 - 2
    found = colors(outputs)
    for row in range(2):
        for place in range(50):
            hue, saturation, value = outputs[row, :, place].tolist()
            expected = colorsys.hsv_to_rgb(hue % 1, min(abs(saturation), 1), min(abs(value), 1))
            assert found[row, :, place].tolist() == pytest.approx(expected, abs=1e-5)
    gray = colors(outputs, 1)
    assert torch.equal(gray[:, 0], outputs[:, 2].abs().clamp(max=1))


def test_evolved_networks_equal_their_plain_evaluation_whatever_the_batch() -> None:
    genomes = [evolved(seed, mutations) for seed, mutations in enumerate((0, 5, 40, 120))]
    assert len({len(genome.functions) for genome in genomes}) > 2
    size = (70, 90)  # more pixels than are computed together
    batch = CppnEncoding().pictures(genomes, size, CPU)
    assert batch.shape == (4, 3, *size)
    for genome, picture in zip(genomes, batch, strict=True):
        (alone,) = CppnEncoding().pictures([genome], size, CPU)
        np.testing.assert_allclose(alone, picture, atol=1e-4)
        for row, column in ((0, 0), (35, 45), (69, 3)):
            x, y = (2 * column + 1) / 90 - 1, (2 * row + 1) / 70 - 1
            expected = by_hand(genome, x, y)
            assert picture[:, row, column].tolist() == pytest.approx(expected, abs=2e-3)


def test_mutations_keep_a_network_without_circles() -> None:
    rng = np.random.default_rng(1)
    encoding = CppnEncoding()
    genome = encoding.random(rng)
    counts = set()
    for generation in range(600):  # a genome with a circle refuses to be made
        parent = genome.weights.copy()
        child = encoding.mutated(genome, rng, generation)
        np.testing.assert_array_equal(genome.weights, parent)
        genome = child
        counts.add(len(genome.functions))
        assert not genome.weights[:, -len(OUTPUTS) :].any(), "outputs give nothing"
    assert max(counts) == MOST_NODES
    assert genome.connections > 0


def test_the_same_seed_is_the_same_network() -> None:
    first, same, other = (evolved(seed, 30) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first.weights, same.weights)
    np.testing.assert_array_equal(first.functions, same.functions)
    assert first.weights.shape != other.weights.shape or (first.weights != other.weights).any()


def test_a_wrong_shape_and_a_circle_are_refused() -> None:
    with pytest.raises(ValueError, match="needs"):
        Genome(np.zeros(7, np.int8), np.zeros((6, 7), np.float32))
    circle = np.zeros((7, 7), np.float32)
    circle[5, 6] = 1.0
    with pytest.raises(ValueError, match="earlier nodes only"):
        Genome(np.zeros(7, np.int8), circle)
