"""Networks are as deep as their names say."""

import pytest

from explorer.vision.graph.depth import depths_of, reference
from tests.vision.graph.test_folding import residual
from tests.vision.graph.test_recording import graph_of


@pytest.mark.parametrize(
    ("name", "depth", "shortcuts"),
    [
        ("AlexNet", 8, 0),
        ("VGG-19", 19, 0),
        ("Plain-34", 34, 0),
        ("ResNet-34", 34, 16),
        pytest.param("GoogLeNet", 22, 0, marks=pytest.mark.slow),
        pytest.param("ResNet-152", 152, 50, marks=pytest.mark.slow),
    ],
)
def test_references(name: str, depth: int, shortcuts: int) -> None:
    found = depths_of(reference(name))
    assert found.total == depth
    assert len(found.shortcuts) == shortcuts
    assert all(end - start >= 1 for start, end in found.shortcuts)


def test_a_shortcut_passes_by_the_layers_of_its_block() -> None:
    found = depths_of(graph_of(residual()))
    assert found.total == 5
    assert found.shortcuts == ((1, 3), (3, 5))
