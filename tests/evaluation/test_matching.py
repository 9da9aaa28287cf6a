from __future__ import annotations

from dataclasses import replace

import pytest

from explorer.core.network_info import NetworkInfo, NetworkSpec
from explorer.evaluation.matching import DataClass, canonical, match
from tests.toys import toy_network


def info(*classes: str, name: str = "toy") -> NetworkInfo:
    return replace(toy_network("classification").info, classes=classes, spec=NetworkSpec(name))


def labels(network: NetworkInfo, *classes: DataClass | str) -> list[int]:
    rows = [DataClass(c) if isinstance(c, str) else c for c in classes]
    return match(rows, network).labels.tolist()


def test_names_are_compared_without_what_means_nothing() -> None:
    network = info("__background__", "N/A", "Teddy Bear", "airplane", "tv")
    assert labels(network, "teddy_bear", "aeroplane", "TVmonitor", "N/A", "zebra") == [
        2, 3, 4, -1, -1
    ]  # fmt: skip
    assert labels(network, "teddy-bear", "background") == [2, 0]
    assert canonical("__background__") == canonical("Background") == "background"


def test_wordnet_ids_go_before_names_and_synsets_come_last() -> None:
    shipped = info(*(f"class {i}" for i in range(200)), name="mini-resnet")
    assert labels(shipped, "n01443537", DataClass("class 7", "n01443537"), "class 7") == [0, 0, 7]
    # A network without ids: the synset's words, for the ids that ship also without a table
    named = info("goldfish", "tench")
    synset = DataClass("n01440764", "n01440764", ("Tinca tinca", "tench"))
    assert labels(named, "n01443537", synset, "n00000000") == [0, 1, -1]


def test_two_classes_of_one_name() -> None:
    assert labels(info("crane", "crane"), "crane") == [0]
    assert labels(info("Cardigan", "cardigan"), "cardigan", "Cardigan", "CARDIGAN") == [1, 0, 0]


def test_only_a_background_in_common_is_nothing_in_common() -> None:
    from explorer.core.errors import ExplorerError

    with pytest.raises(ExplorerError, match="has none"):
        match([DataClass("background"), DataClass("zebra")], info("__background__", "dog"))
