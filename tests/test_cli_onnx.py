"""`explorer onnx`, and an ONNX file as --network."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from explorer.__main__ import main
from tests.networks.onnx_files import classifier

if TYPE_CHECKING:
    from pathlib import Path


def shown(capsys: pytest.CaptureFixture[str], *words: object) -> dict[str, object]:
    assert main(["onnx", *map(str, words), "--json"]) == 0
    card: dict[str, object] = json.loads(capsys.readouterr().out)
    return card


def test_what_is_set_is_remembered(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = classifier(tmp_path / "pets.onnx")
    card = shown(capsys, path)
    assert card["task"] == "classification"
    assert card["assumed"] == ["preprocessing", "task", "class names"]
    (tmp_path / "list.txt").write_text("cat\ndog\nhen\n")
    shown(
        capsys, path, "--classes", tmp_path / "list.txt", "--task", "classification",
        "--channels", "BGR", "--fit", "center", "--range", "255",
    )  # fmt: skip
    card = shown(capsys, path)
    assert card["classes"] == ["cat", "dog", "hen"]
    assert card["channel_order"] == "BGR"
    assert card["assumed"] == []
    steps = card["preprocess"]
    assert isinstance(steps, dict)
    assert (steps["resize"], steps["crop"], steps["letterbox"]) == ([32, 32], None, "center")
    assert steps["std"] == [1 / 255] * 3
    assert main(["onnx", str(path)]) == 0
    assert "letterboxed to 32 x 32" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--size", "wide"], "--size wide is not valid"),
        (["--mean", "0.5,0.5,0.5"], "--mean and --std belong together"),
        (["--mean", "1,2", "--std", "1,2"], "--mean 1,2 is not valid"),
        (["--decoder", "magic"], "no form of detections 'magic'"),
        (["--task", "poetry"], "no task 'poetry'"),
    ],
)
def test_a_wrong_value_is_one_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = classifier(tmp_path / "pets.onnx")
    assert main(["onnx", str(path), *words]) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.count("\n") == 1


def test_a_view_is_rendered_with_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = classifier(tmp_path / "pets.onnx"), tmp_path / "a.png"
    (tmp_path / "list.txt").write_text("cat\ndog\nhen\n")
    words = ["render", "classify", "cat", "--network", str(path), "-o", str(out)]
    assert main([*words, "--classes", str(tmp_path / "list.txt")]) == 0
    assert out.is_file()
    assert main([*words[:-1], str(path)]) == 2, "it would replace the network"
    assert path.stat().st_size > 0
    capsys.readouterr()
