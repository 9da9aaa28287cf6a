"""Who replaces whom, and that an evolution finds what it is rewarded for."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from explorer.vision.evolution.cppn import CppnEncoding
from explorer.vision.evolution.direct import DirectEncoding
from explorer.vision.evolution.populations import Evolution, Fittest, Individual, MapElites

CPU = torch.device("cpu")


def individual(name: str) -> Individual[Any]:
    nothing = np.zeros((1, 1, 3), np.uint8)
    return Individual(name, nothing, np.zeros(1, np.intp), np.zeros(1, np.float32), 0)


def names(population: Any) -> list[str | None]:
    return [None if member is None else member.genome for member in population.members]


def offer(population: Any, young: list[Individual[Any]], *rows: tuple[float, ...]) -> int:
    """Logits that stand for these probabilities."""
    given = np.array(rows, np.float32)
    return population.offer(young, given, np.log(given + np.float32(1e-12)))


def test_an_offspring_replaces_the_elites_of_every_class_where_it_scores_higher() -> None:
    elites: MapElites[str] = MapElites(3)
    a, b, c = map(individual, "abc")
    assert offer(elites, [a, b], (0.7, 0.2, 0.1), (0.1, 0.3, 0.6)) == 3
    assert names(elites) == ["a", "b", "b"]
    assert offer(elites, [c], (0.1, 0.3, 0.6)) == 0, "an equal score replaces nothing"
    assert offer(elites, [c], (0.8, 0.1, 0.61)) == 2
    assert names(elites) == ["c", "b", "c"]
    np.testing.assert_allclose(elites.scores, [0.8, 0.3, 0.61])


def test_parents_are_those_that_can_gain() -> None:
    elites: MapElites[str] = MapElites(3)
    a, b, c = map(individual, "abc")
    offer(elites, [a, b, c], (1.0, 0.0, 0.0), (0.0, 0.5, 0.0), (0.0, 0.0, 1e-9))
    drawn = [parent.genome for parent in elites.parents(200, np.random.default_rng(0))]
    assert drawn.count("b") > 190
    every = elites.parents(300_000, np.random.default_rng(0))
    assert {parent.genome for parent in every} == {"a", "b", "c"}


def test_the_fittest_of_one_class_stay_in_their_order() -> None:
    best: Fittest[str] = Fittest(1, 3)
    a, b, c, d = map(individual, "abcd")
    assert offer(best, [a, b], (0.8, 0.2), (0.6, 0.4)) == 2
    assert names(best) == ["b", "a", None]
    assert offer(best, [c, d], (0.5, 0.5), (0.9, 0.1)) == 1
    assert names(best) == ["c", "b", "a"]
    assert offer(best, [d], (0.9, 0.1)) == 0
    np.testing.assert_allclose(best.scores, [0.5, 0.4, 0.2])
    winners = {parent.genome for parent in best.parents(50, np.random.default_rng(0))}
    assert winners <= {"a", "b", "c"}
    assert "c" in winners


def test_the_logit_decides_in_one_class() -> None:
    best: Fittest[str] = Fittest(0, 2)
    blank, loud = map(individual, ("blank", "loud"))
    logits = np.array([[0.0, 0.0], [5.0, 9.0]], np.float32)
    best.offer([blank, loud], torch.from_numpy(logits).softmax(1).numpy(), logits)
    assert names(best) == ["loud", "blank"]
    np.testing.assert_allclose(best.scores, [0.018, 0.5], atol=1e-3)


def redness(pictures: Tensor) -> np.ndarray:
    """Two classes: how red a picture is on the left, and the rest."""
    left, right = pictures.chunk(2, dim=3)
    red = (left[:, 0].mean((1, 2)) + 1 - right[:, 0].mean((1, 2))) / 2
    return torch.stack([red, 1 - red], 1).numpy()


@pytest.mark.parametrize("encoding", [DirectEncoding(8), CppnEncoding()])
@pytest.mark.parametrize("population", [MapElites, Fittest])
def test_an_evolution_finds_what_it_is_rewarded_for(encoding: Any, population: Any) -> None:
    def run(seed: int) -> tuple[Any, list[float], list[Tensor]]:
        given: list[Tensor] = []

        def judge(pictures: Tensor) -> np.ndarray:
            given.append(pictures.clone())
            return np.log(redness(pictures) + 1e-9)

        people = MapElites(2) if population is MapElites else Fittest(0, 6)
        evolution = Evolution(encoding, people, judge, (16, 16), CPU, np.random.default_rng(seed))
        heights = []
        for _ in range(40):
            evolution.advance(12)
            heights.append(float(people.scores[0]))
        assert evolution.generation == 40
        return people, heights, given

    people, heights, given = run(0)
    assert (np.diff(heights) >= 0).all()
    assert heights[-1] > heights[0] + 0.05
    best = people.members[0]
    shown = torch.from_numpy(best.picture).permute(2, 0, 1)[None].float() / 255
    assert redness(shown)[0, 0] == pytest.approx(heights[-1], abs=1e-6), "8 bits are what is judged"
    assert best.shares[0] == pytest.approx(max(heights[-1], 1 - heights[-1]), abs=1e-6)
    for pictures in given:
        assert torch.equal(pictures, (pictures * 255).round() / 255)
    again, same, _ = run(0)
    assert same == heights
    np.testing.assert_array_equal(again.members[0].picture, best.picture)
    other, _, _ = run(1)
    assert (other.members[0].picture != best.picture).any()
