"""Questions as Python: what is printed asks the same."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from explorer import views
from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.params import parameters
from explorer.core.values import Box, Point
from explorer.engine.question import params_of
from explorer.engine.script import script
from explorer.images.samples import gallery, name_of, sample
from tests.toys import toy_image

SPEC = NetworkSpec("mini-resnet")


def asked(view: str, words: str) -> dict[str, Any]:
    """The keyword arguments of the only call of `look` in a script."""
    taken: dict[str, Any] = {}

    class Door:
        @staticmethod
        def look(name: str, photo: Any = None, **more: Any) -> Any:
            taken.update(more, view=name, photo=photo)
            return type("Answer", (), {"summary": "", "save": lambda self, path: None})()

        @staticmethod
        def load(*args: Any, **more: Any) -> Any:
            return ("loaded", args, more)

        @staticmethod
        def photo(*args: Any, **more: Any) -> Any:
            return ("photo", args, more)

    exec(words.replace("import explorer", ""), {"explorer": Door})
    assert taken["view"] == view
    return taken


def test_only_what_was_changed_is_written() -> None:
    view = views.find("classify")
    cat = sample("cat")
    assert cat is not None
    words = script(view, SPEC, [(cat.load(), view.Params())])
    assert words == (
        'import explorer\n\nanswer = explorer.look("classify", "cat", network="mini-resnet")\n'
        "print(answer.summary)\n"
    )


def test_every_parameter_comes_back_as_it_was(tmp_path: Path) -> None:
    view = views.find("roi_microscope")
    params = view.Params(box=Box(1.25, 2.5, 30.0, 41.0), shift=0.25, head=False)
    image = replace(toy_image(), path=tmp_path / 'a "photo".png')
    taken = asked(view.name, script(view, SPEC, [(image, params)], seed=7))
    known = {parameter.name for parameter in parameters(view.Params)}
    given = {name: value for name, value in taken.items() if name in known}
    assert params_of(view, given) == params
    assert taken["seed"] == 7
    assert taken["photo"] == str(tmp_path / 'a "photo".png')


def test_weights_device_and_half_are_loaded_once() -> None:
    view = views.find("classify")
    spec = NetworkSpec("resnet18", "none", "cpu", half=True)
    shapes = toy_image()
    photos = [(replace(shapes, path=Path(f"/p/{name}.png")), view.Params()) for name in "ab"]
    words = script(view, spec, photos, outs=[["a.png"], ["b.json"]])
    assert words.count("explorer.load(") == 1
    assert words.count("network=network") == 2
    assert 'answer.save("a.png")' in words
    taken = asked(view.name, words)
    more = {"weights": "none", "device": "cpu", "half": True}
    assert taken["network"] == ("loaded", ("resnet18",), more)


def test_a_page_of_a_file_is_named() -> None:
    view = views.find("classify")
    image = replace(toy_image(), path=Path("/p/pages.tif"), frame=3, frames=9)
    taken = asked(view.name, script(view, SPEC, [(image, view.Params())]))
    assert taken["photo"] == ("photo", ("/p/pages.tif",), {"frame": 3})


def test_a_photo_without_a_file_is_a_sentence() -> None:
    view = views.find("classify")
    with pytest.raises(ExplorerError, match="is not a file"):
        script(view, SPEC, [(toy_image(), view.Params())])


def test_what_was_steered_is_said() -> None:
    view = views.find("classify")
    cat = sample("cat")
    assert cat is not None
    assert "# Parameters were changed" in script(
        view, SPEC, [(cat.load(), view.Params())], steered=True
    )


def test_pictures_of_the_gallery_know_their_names(tmp_path: Path) -> None:
    for each in gallery():
        assert name_of(each.load()) == each.name
    assert name_of(toy_image()) == ""
    assert name_of(replace(toy_image(), path=tmp_path / "chelsea.png")) == ""


def test_points_are_tuples() -> None:
    view = views.find("feature_maps")
    params = view.Params(at=Point(1.5, 2.0))
    image = replace(toy_image(), path=Path("/p/a.png"))
    assert "at=(1.5, 2.0)" in script(view, SPEC, [(image, params)])
