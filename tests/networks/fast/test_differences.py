import torch
from torch import tensor

from explorer.networks.fast.differences import difference, relative
from explorer.networks.fast.report import Difference, RuntimeReport


def detections(boxes, scores, labels):
    return [
        {
            "boxes": tensor(boxes, dtype=torch.float32).reshape(-1, 4),
            "scores": tensor(scores, dtype=torch.float32),
            "labels": tensor(labels, dtype=torch.int64),
        }
    ]


def test_detections_are_paired_by_class_and_overlap():
    first = detections(
        [[0, 0, 10, 10], [50, 50, 60, 60], [0, 0, 10, 10]], [0.75, 0.5, 0.25], [1, 1, 2]
    )
    # Another order, one moved by half a pixel, and one that the other has not.
    second = detections(
        [[50, 50, 60, 60.5], [0, 0, 10, 10], [80, 80, 99, 99]], [0.5, 0.625, 0.5], [1, 1, 2]
    )
    assert difference(first, second) == Difference(0.125, 0.5, 2)
    assert difference(first, first) == Difference(0.0, 0.0, 0)
    nothing = detections([], [], [])
    assert difference(first, nothing) == Difference(0.0, 0.0, 3)
    assert difference(nothing, nothing) == Difference(0.0, 0.0, 0)


def test_probabilities_and_plain_numbers():
    first, second = tensor([[0.0, 0.0]]), tensor([[0.0, float(tensor(3.0).log())]])
    assert abs(difference(first, second, softmax=True).scores - 0.25) < 1e-6
    assert difference({"out": tensor([1.0, 2.0])}, {"out": tensor([1.5, 2.0])}) == Difference(0.5)


def test_a_share_of_the_largest_value():
    assert relative([tensor([100.0, 0.0])], [tensor([100.0, 1.0])]) == 0.01
    assert relative([tensor([0.5]), tensor([])], [tensor([0.25]), tensor([])]) == 0.5
    assert relative([tensor([0.0])], [tensor([1e-6])]) < 0.0011


def test_a_report_names_the_runtime_in_use():
    faster = RuntimeReport("chosen", True, 0.04, 0.01)
    slower = RuntimeReport("chosen", False, 0.01, 0.02)
    assert (faster.title, faster.ratio) == ("ONNX Runtime", 4.0)
    assert (slower.title, slower.ratio) == ("PyTorch", 2.0)
    assert RuntimeReport("measuring").ratio == 0.0
