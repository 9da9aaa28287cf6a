"""An answer is finished in one way: drawing, sides, mark, notes, truth; data and metadata."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image as Pillow

from explorer.annotations.truth import LAYER
from explorer.core.errors import ExplorerError
from explorer.core.layers import Board, Boxes, Pane, Picture, Table, Text
from explorer.core.network_info import NetworkSpec
from explorer.core.params import Pick, param
from explorer.core.values import Box, ImageRef
from explorer.engine.answer import Answer, Ask, Side
from explorer.engine.finish import FinishedAnswer
from explorer.engine.view import Group, View
from explorer.live.slot import Shot
from explorer.saving.export import read_metadata
from tests.toy_views import EVERY_KIND, EveryKind
from tests.toys import toy_image, toy_network


@dataclass(frozen=True, slots=True)
class Params:
    truth: tuple[Box, ...] = param((), "Ground truth", "What is there.", pick=Pick.TRUTH)
    top: int = param(1, "Top", "How many.", low=1, high=9)


def view(name: str = "toy", *, data: bool = True, notes: tuple[str, ...] = ()) -> View[Any, Any]:
    def draw(pixels: Any, params: Any) -> Board:
        height, width = pixels.shape[:2]
        table = Table("found", ("x0", "y0", "x1", "y1", "class"), ((1, 2, 3, 4, "cat"),))
        pane = Pane("image", (width, height), (Picture(pixels),), title=name)
        return Board((pane,), tables=(table,), summary=f"{name} says {params.top}", notes=notes)

    def numbers(pixels: Any, params: Any) -> dict[str, Any]:
        boxes = np.array([[1, 2, 3, 4]], np.float32)
        return {"boxes": boxes, "labels": ["cat"], "mean": float(pixels.mean())}

    return View(
        name, name.title(), Group.OTHER, "S.", "E.", "", Params, lambda *_: iter(()), draw,
        data=numbers if data else None,
    )  # fmt: skip


def answer(
    asked: View[Any, Any] | None = None, *, state: str = "local", params: Any = None
) -> Answer:
    network, image = toy_network("classification"), toy_image()
    info = replace(network.info, state=state, notes=("The file has no names.",))
    image = replace(image, notes=("Turned upright.",), path=Path("/photos/toy file.png"))
    params = params or Params()
    ask = Ask(asked or view(), info.spec, image, params, seed=5)
    return Answer(ask, info, params, image.pixels)


def stamps(board: Board) -> list[int]:
    return [
        sum(isinstance(layer, Text) and layer.text == "UNTRAINED" for layer in pane.layers)
        for pane in board.panes
    ]


def test_notes_come_from_view_network_and_photo_in_this_order() -> None:
    finished = FinishedAnswer(answer(view(notes=("Stopped early.", "Turned upright."))))
    assert finished.notes == ("Stopped early.", "Turned upright.", "The file has no names.")
    assert finished.summary == "toy says 1"
    assert finished.title == "Toy · toy · toy"


def test_random_weights_are_marked_on_every_pane_and_said_first() -> None:
    asked = answer(view(notes=("Stopped early.",)), state="untrained")
    side = Side(view("other"), Params(), asked.result, 0.002)
    board = FinishedAnswer(asked, sides=[side]).board
    assert stamps(board) == [1, 1]
    assert board.notes[0].startswith("UNTRAINED: toy has random weights")
    assert board.notes[1] == "Stopped early."


def test_trained_weights_are_not_marked() -> None:
    assert stamps(FinishedAnswer(answer()).board) == [0]


def test_sides_stand_beside_with_their_problems_and_their_times() -> None:
    asked = answer()
    sides = [
        Side(view("left", notes=("Left note.",)), Params(), asked.result, 0.002),
        Side(view("right"), Params(), None, 0.0, "Right: it does not suit toy."),
    ]
    still = FinishedAnswer(asked, sides=sides)
    assert [pane.name for pane in still.board.panes] == ["image", "left image"]
    assert [pane.title for pane in still.board.panes] == ["Toy · toy", "Left · left"]
    assert still.notes[:2] == ("Left note.", "Right: it does not suit toy.")
    shot = Shot(asked.result, 0, 0.0, 0.0)
    timed = FinishedAnswer(replace(asked, shot=shot, seconds=0.5), sides=sides[:1])
    assert [pane.title for pane in timed.board.panes] == [
        "Toy · 500 ms · toy",
        "Left · 2 ms · left",
    ]
    assert set(still.metadata["beside"]) == {"left", "right"}


def test_sides_are_those_of_the_answer_unless_others_are_given() -> None:
    asked = answer()
    side = Side(view("left"), Params(), asked.result, 0.0)
    assert len(FinishedAnswer(replace(asked, beside=(side,))).board.panes) == 2
    assert len(FinishedAnswer(replace(asked, beside=(side,)), sides=[]).board.panes) == 1


def test_the_ground_truth_is_on_the_board_but_not_on_the_canvas() -> None:
    finished = FinishedAnswer(answer(params=Params(truth=(Box(1, 2, 9, 8, "cat"),))))
    truth = finished.board.boxes(LAYER)
    assert isinstance(truth, Boxes)
    assert truth.xyxy.tolist() == [[1, 2, 9, 8]]
    assert finished.bare.boxes(LAYER) is None
    assert finished.metadata["parameters"]["truth"][0]["label"] == "cat"


def test_a_csv_gets_the_tables_and_the_rest_the_data() -> None:
    finished = FinishedAnswer(answer())
    assert set(finished.data) == set(finished.data_for("a.json")) == {"boxes", "labels", "mean"}
    assert set(finished.data_for("a.CSV")) == {"found"}
    assert set(FinishedAnswer(answer(view(data=False))).data) == {"found"}


def test_what_it_is_drawn_with_is_what_is_described() -> None:
    finished = FinishedAnswer(answer(), Params(top=7))
    assert finished.summary == "toy says 7"
    assert finished.metadata["parameters"]["top"] == 7


def test_the_metadata_says_how_to_make_it_again() -> None:
    known = FinishedAnswer(answer()).metadata
    assert (known["view"], known["seed"]) == ("toy", 5)
    assert known["image"]["digest"] == toy_image().key
    assert known["network"]["task"] == "classification"
    assert known["versions"]["torch"]
    assert known["notes"] == ["The file has no names.", "Turned upright."]
    assert "steered" not in known
    assert FinishedAnswer(replace(answer(), steered=True)).metadata["steered"] is True


def test_boxes_lie_on_the_photo_that_is_named() -> None:
    finished = FinishedAnswer(answer())
    boxes = finished.boxes
    assert boxes is not None
    assert (boxes.xyxy.tolist(), boxes.labels) == ([[1, 2, 3, 4]], ("cat",))
    assert finished.photo_info.name == "toy file.png"
    assert (finished.photo_info.width, finished.photo_info.height) == (64, 48)


def test_pictures_of_everything_and_of_one_pane() -> None:
    finished = FinishedAnswer(answer())
    assert finished.rgb.shape[1:] == (1600, 3)
    assert finished.picture(width=400).shape[1] == 400
    assert finished.picture(pane="image").shape == (48, 64, 3)
    assert max(finished.frame().shape) == 320, "frames of films are not smaller than this"
    with pytest.raises(ExplorerError, match="no pane 'nix'") as caught:
        finished.picture(pane="nix")
    assert caught.value.hint == "Choose among: image."


def test_nothing_is_drawn_twice() -> None:
    drawn = []
    toy = view()
    counting = replace(toy, draw=lambda *args: drawn.append(1) or toy.draw(*args))  # type: ignore[func-returns-value]
    finished = FinishedAnswer(answer(counting))
    for made in (finished.rgb, finished.frame(), finished.data_for("a.csv"), finished.metadata):
        assert len(made) > 0
    assert finished.summary
    assert len(drawn) == 1


@pytest.mark.parametrize(
    "suffix", [".png", ".jpg", ".webp", ".tif", ".svg", ".pdf", ".json", ".csv", ".npz", ".html"]
)
def test_it_is_saved_by_its_suffix(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"a{suffix}"
    FinishedAnswer(answer()).save(place)
    assert place.stat().st_size > 0
    if suffix in (".png", ".tif", ".svg", ".pdf"):
        assert read_metadata(place)["view"] == "toy"


@pytest.mark.parametrize("suffix", [".png", ".svg", ".json", ".csv", ".npz", ".html"])
def test_a_file_of_somebody_else_is_not_replaced(tmp_path: Path, suffix: str) -> None:
    place = tmp_path / f"a{suffix}"
    place.write_bytes(b"days of work")
    finished = FinishedAnswer(answer())
    with pytest.raises(ExplorerError, match="did not write it") as caught:
        finished.save(place)
    assert "overwrite=True" in caught.value.hint
    assert place.read_bytes() == b"days of work"
    finished.save(place, overwrite=True)
    assert place.read_bytes() != b"days of work"
    finished.save(place)  # now it is ours


def test_what_was_read_is_never_replaced(tmp_path: Path) -> None:
    places = [tmp_path / name for name in ("photo.png", "second.png", "weights.png")]
    for place in places:
        place.write_bytes(b"mine")
    photo, second, weights = places
    base = answer(
        replace(EVERY_KIND, draw=view().draw), params=EveryKind(second=ImageRef(str(second)))
    )  # type: ignore[arg-type]
    image = replace(toy_image(), path=photo)
    info = replace(base.info, spec=NetworkSpec("toy", f"{weights}#ema"))  # type: ignore[type-var]
    finished = FinishedAnswer(replace(base, ask=replace(base.ask, image=image), info=info))
    for place in places:
        for save in (finished.save, finished.save_picture):
            with pytest.raises(ExplorerError, match="is one of the inputs"):
                save(place, overwrite=True)
        assert place.read_bytes() == b"mine"


def test_a_figure_is_saved_in_the_size_that_is_asked_for(tmp_path: Path) -> None:
    place = tmp_path / "a.svg"
    finished = FinishedAnswer(answer())
    finished.save(place, width_mm=50.8, font_size=5)
    root = ElementTree.parse(place).getroot()
    assert root.attrib["viewBox"].split()[2] == "144"
    words = [e.text for e in root.iter("{http://www.w3.org/2000/svg}text")]
    assert finished.summary in words
    alone = finished.figure(width_mm=50.8, pane=finished.board.panes[0].name)
    assert alone.height < finished.figure(width_mm=50.8).height
    with pytest.raises(ExplorerError, match="no pane"):
        finished.figure(pane="none")


def test_what_cannot_be_saved_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ExplorerError) as caught:
        FinishedAnswer(answer()).save(tmp_path / "a.xyz")
    assert ".png" in caught.value.hint
    assert ".npz" in caught.value.hint


def test_a_notebook_shows_the_picture_with_its_metadata(tmp_path: Path) -> None:
    finished = FinishedAnswer(answer())
    place = tmp_path / "a.png"
    place.write_bytes(finished._repr_png_())
    with Pillow.open(place) as picture:
        np.testing.assert_array_equal(np.asarray(picture), finished.rgb)
    assert read_metadata(place)["seed"] == 5
    assert repr(finished) == "<FinishedAnswer: Toy · toy · toy: toy says 1>"
