"""Runs of ONNX Runtime that are ended while they compute."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from explorer.core.errors import Cancelled
from explorer.networks.onnx.session import RunFailedError, opened, run


def endless(times: int) -> bytes:
    """Adds 1 to its input so many times."""
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["going"], ["still"]),
            helper.make_node("Add", ["x", "one"], ["y"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("number", TensorProto.INT64, []),
            helper.make_tensor_value_info("going", TensorProto.BOOL, []),
            helper.make_tensor_value_info("x", TensorProto.FLOAT, [1]),
        ],
        [
            helper.make_tensor_value_info("still", TensorProto.BOOL, []),
            helper.make_tensor_value_info("y", TensorProto.FLOAT, [1]),
        ],
        [numpy_helper.from_array(np.ones(1, np.float32), "one")],
    )
    graph = helper.make_graph(
        [helper.make_node("Loop", ["times", "go", "image"], ["sum"], body=body)],
        "endless",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1])],
        [helper.make_tensor_value_info("sum", TensorProto.FLOAT, [1])],
        [
            numpy_helper.from_array(np.array(times, np.int64), "times"),
            numpy_helper.from_array(np.array(True), "go"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return model.SerializeToString()


GIVEN = {"image": np.zeros(1, np.float32)}


def test_a_run_that_would_take_years_is_ended() -> None:
    session, asked = opened(endless(2**60)), []

    def poll() -> None:
        asked.append(1)
        if len(asked) == 3:
            raise Cancelled

    with pytest.raises(Cancelled):
        run(session, ["sum"], GIVEN, poll)
    assert len(asked) == 3


@pytest.mark.parametrize("poll", [None, lambda: None])
def test_a_run_to_its_end(poll: object) -> None:
    session = opened(endless(5), spinning=False)
    (found,) = run(session, ["sum"], GIVEN, poll)  # type: ignore[arg-type]
    assert found.tolist() == [5.0]


@pytest.mark.parametrize("poll", [None, lambda: None])
def test_what_does_not_fit_is_said_in_a_line(poll: object) -> None:
    session = opened(endless(5))
    with pytest.raises(RunFailedError) as caught:
        run(session, ["sum"], {"image": np.zeros((2, 2), np.float32)}, poll)  # type: ignore[arg-type]
    assert "\n" not in str(caught.value)
    assert "rank" in str(caught.value)
