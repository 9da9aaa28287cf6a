"""CPPN encoding: the genome is a small network that computes a color for every place.

A compositional pattern-producing network takes the coordinates of a pixel and gives its hue,
saturation and value. Its nodes apply different functions, so that symmetry, repetition and smooth
gradients cost few genes. Topology and weights both evolve.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray
    from torch import Tensor

INPUTS = ("x", "y", "r", "1")
"""Coordinates in [-1, 1] from edge to edge, the distance from the center, and a bias."""
OUTPUTS = ("hue", "saturation", "value")
FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "sine": lambda z: torch.sin(z),
    "Gaussian": lambda z: torch.exp(-z.square()),
    "sigmoid": lambda z: torch.sigmoid(z),
    "linear": lambda z: z,
}
MOST_NODES = 40
CHUNK = 4096
"""Pixels that are computed together: their activations fit into the processor's cache."""

_FIRST, _LAST = len(INPUTS), len(OUTPUTS)


@dataclass(frozen=True, slots=True, eq=False)
class Genome:
    """Nodes in an order in which every one depends on earlier ones only.

    The first are the inputs, the last the outputs.

    Attributes:
        functions: (m,) int8, numbers of `FUNCTIONS`; those of the inputs do not matter.
        weights: (m, m) float32, strictly lower triangular: row j holds what node j takes from the
            nodes before it; 0 = no connection.
    """

    functions: NDArray[np.int8]
    weights: NDArray[np.float32]

    def __post_init__(self) -> None:
        nodes = len(self.functions)
        if nodes < _FIRST + _LAST or self.weights.shape != (nodes, nodes):
            raise ValueError(
                f"a CPPN of {nodes} nodes needs ({nodes}, {nodes}) weights, "
                f"got {self.weights.shape}"
            )
        if np.triu(self.weights).any() or self.weights[:_FIRST].any():
            raise ValueError("a node of a CPPN takes values of earlier nodes only, inputs of none")

    @property
    def connections(self) -> int:
        return int(np.count_nonzero(self.weights))


@dataclass(frozen=True, slots=True)
class CppnEncoding:
    """Pictures of any size, smooth at every one.

    Differs from the paper in two points: offspring are mutated only, never crossed, and hidden
    nodes are in the first genomes already, which saves generations.

    Attributes:
        channels: 3, or 1 for a network of gray pictures, which takes the value alone.

    Source: Nguyen, Yosinski and Clune 2015, section 2.3; Stanley 2007, Compositional Pattern
    Producing Networks; Stanley and Miikkulainen 2002 (NEAT: the mutations).
    """

    channels: int = 3

    def random(self, rng: np.random.Generator) -> Genome:
        """A few hidden nodes, each connected to some of the nodes before it."""
        hidden = int(rng.integers(1, 5))
        nodes = _FIRST + hidden + _LAST
        weights = np.zeros((nodes, nodes), np.float32)
        for node in range(_FIRST, nodes):
            before = min(node, _FIRST + hidden)
            taken = rng.random(before) < 0.5
            taken[rng.integers(before)] = True
            weights[node, :before][taken] = rng.normal(0.0, 2.0, int(taken.sum()))
        return Genome(rng.integers(len(FUNCTIONS), size=nodes, dtype=np.int8), weights)

    def mutated(self, genome: Genome, rng: np.random.Generator, generation: int) -> Genome:
        """A copy with other weights and, now and then, another topology."""
        functions, weights = genome.functions.copy(), genome.weights.copy()
        to, came = np.nonzero(weights)
        moved = rng.random(len(to)) < 0.3
        weights[to[moved], came[moved]] += rng.normal(0.0, 0.6, int(moved.sum()))
        if rng.random() < 0.25:
            node = int(rng.integers(_FIRST, len(functions)))
            functions[node] = rng.integers(len(FUNCTIONS))
        if rng.random() < 0.3:
            _connect(weights, rng)
        if rng.random() < 0.1 and len(to):
            cut = int(rng.integers(len(to)))
            weights[to[cut], came[cut]] = 0.0
        if rng.random() < 0.2 and weights.any() and len(functions) < MOST_NODES:
            functions, weights = _split(functions, weights, rng)
        return Genome(functions, weights)

    def pictures(
        self, genomes: Sequence[Genome], size: tuple[int, int], device: torch.device
    ) -> Tensor:
        """(N, channels, H, W) float32 in [0, 1], H and W from `size`."""
        functions, weights = _packed(genomes)
        kinds = torch.from_numpy(functions).to(device)
        flow = torch.from_numpy(weights).to(device)
        places = coordinates(size, device)
        parts = [
            colors(_run(kinds, flow, places[:, start : start + CHUNK]), self.channels)
            for start in range(0, places.shape[1], CHUNK)
        ]
        return torch.cat(parts, 2).view(len(genomes), self.channels, *size)


def coordinates(size: tuple[int, int], device: torch.device) -> Tensor:
    """(4, H W) float32: `INPUTS` at the center of every pixel."""
    height, width = size
    y = (torch.arange(height, device=device, dtype=torch.float32) * 2 + 1) / height - 1
    x = (torch.arange(width, device=device, dtype=torch.float32) * 2 + 1) / width - 1
    ys, xs = (grid.flatten() for grid in torch.meshgrid(y, x, indexing="ij"))
    return torch.stack([xs, ys, torch.hypot(xs, ys), torch.ones_like(xs)])


def colors(outputs: Tensor, channels: int = 3) -> Tensor:
    """Hue, saturation and value -> colors.

    The hue goes round: only its fractional part counts. Of saturation and value the magnitude
    counts, up to 1.

    Args:
        outputs: (N, 3, P), any finite numbers.
        channels: 3 = red, green and blue; 1 = the value alone.

    Returns:
        (N, channels, P) in [0, 1].
    """
    value = outputs[:, 2:].abs().clamp(max=1.0)
    if channels == 1:
        return value
    hue, saturation = outputs[:, :1], outputs[:, 1:2].abs().clamp(max=1.0)
    # Each color is full in a third of the circle and falls off linearly to both sides.
    thirds = torch.tensor([0.0, 2.0, 1.0], device=outputs.device).view(1, 3, 1) / 3.0
    away = ((hue + thirds) % 1.0 * 6.0 - 3.0).abs() - 1.0
    return value * (1.0 - saturation * (1.0 - away.clamp(0.0, 1.0)))


def _run(kinds: Tensor, weights: Tensor, places: Tensor) -> Tensor:
    """(N, 3, P) outputs of N packed networks at (4, P) places, node by node for all at once."""
    count, nodes = kinds.shape
    values = places.new_zeros(count, nodes, places.shape[1])
    values[:, :_FIRST] = places
    for node in range(_FIRST, nodes):
        before = torch.bmm(weights[:, node : node + 1, :node], values[:, :node])[:, 0]
        for kind, function in enumerate(FUNCTIONS.values()):
            rows = (kinds[:, node] == kind).nonzero()[:, 0]
            if len(rows):
                values[rows, node] = function(before[rows])
    return values[:, -_LAST:]


def _packed(genomes: Sequence[Genome]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """(N, M) functions and (N, M, M) weights: smaller networks get hidden nodes that nobody uses.

    The number of such a node's function is -1, so that it is not computed.
    """
    most = max(len(genome.functions) for genome in genomes)
    functions = np.full((len(genomes), most), -1, np.int8)
    weights = np.zeros((len(genomes), most, most), np.float32)
    for row, genome in enumerate(genomes):
        inner = len(genome.functions) - _LAST
        at = np.r_[0:inner, most - _LAST : most]
        functions[row, at] = genome.functions
        weights[row][np.ix_(at, at)] = genome.weights
    return functions, weights


def _connect(weights: NDArray[np.float32], rng: np.random.Generator) -> None:
    """A new weight between two nodes; one that is there is drawn anew. Outputs give nothing."""
    to = int(rng.integers(_FIRST, len(weights)))
    came = int(rng.integers(min(to, len(weights) - _LAST)))
    weights[to, came] = rng.normal(0.0, 1.5)


def _split(
    functions: NDArray[np.int8], weights: NDArray[np.float32], rng: np.random.Generator
) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """A new node in the middle of a connection; what it takes has a weight of 1."""
    connections = np.argwhere(weights)
    to, came = (int(end) for end in connections[rng.integers(len(connections))])
    place = int(rng.integers(max(came + 1, _FIRST), min(to, len(weights) - _LAST) + 1))
    functions = np.insert(functions, place, rng.integers(len(FUNCTIONS)))
    weight, weights[to, came] = weights[to, came], 0.0
    weights = np.insert(np.insert(weights, place, 0.0, axis=0), place, 0.0, axis=1)
    weights[place, came] = 1.0
    weights[to + 1, place] = weight
    return functions, weights
