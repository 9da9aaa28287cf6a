"""What parameters name is opened before a view computes: networks, photos, folders."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image as Pictures

from explorer.core.errors import ExplorerError
from explorer.core.network_info import NetworkSpec
from explorer.core.params import FolderRef, ImageRef, NetworkRef
from explorer.core.runner import Token
from explorer.core.step import Step
from explorer.engine import engine as engine_module
from explorer.engine.answer import Answer, Ask
from explorer.engine.engine import MOST_NETWORKS, Engine
from explorer.engine.references import MOST_NETWORKS as MOST_NAMED
from explorer.engine.references import Photos
from explorer.engine.scene import Scene
from explorer.engine.view import Group, Needs, View
from explorer.live.slot import Shot
from explorer.networks.network import Network
from tests.toy_views import EVERY_KIND, OF_NETWORK, OF_NOTHING, OF_PHOTO, EveryKind, Size, Term
from tests.toys import hook_count, toy_image, toy_network

OWN = NetworkSpec("classification", device="cpu", half=False)


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch) -> list[NetworkSpec]:
    """Names of tasks stand for networks; every load is counted."""
    seen: list[NetworkSpec] = []

    def load(spec: NetworkSpec) -> Generator[Step[None], Any, Network]:
        seen.append(spec)
        yield Step(None, 1, 2, f"reading {spec.name}")
        network = toy_network(spec.name.split("-")[0])
        return replace(network, info=replace(network.info, spec=spec, title=spec.name))

    monkeypatch.setattr(engine_module.catalog, "load", load)
    return seen


def answers(engine: Engine, ask: Ask) -> list[Answer]:
    return [step.value for step in engine.steps(ask, Token()) if step.value.result is not None]


def every(params: EveryKind, engine: Engine | None = None, **more: Any) -> Answer:
    return answers(engine or Engine(), Ask(EVERY_KIND, OWN, toy_image(), params, **more))[-1]


def named(*names: str) -> EveryKind:
    return EveryKind(ensemble=tuple(NetworkRef(name) for name in names))


def test_networks_are_loaded_once_with_their_progress(loads: list[NetworkSpec]) -> None:
    engine, params = Engine(), EveryKind(
        other=NetworkRef("classification-b"), ensemble=(NetworkRef("classification-b"),)
    )  # fmt: skip
    notes = [step.note for step in engine.steps(Ask(EVERY_KIND, OWN, toy_image(), params), Token())]
    assert notes[:2] == ["reading classification", "reading classification-b"]
    titles = every(params, engine).result.titles
    assert titles == ("classification", "classification-b", "classification-b")
    assert [spec.name for spec in loads] == ["classification", "classification-b"]


def test_they_are_used_on_the_device_of_the_question(loads: list[NetworkSpec]) -> None:
    spec = replace(OWN, half=True)
    params = EveryKind(other=NetworkRef("classification-b", "w"))
    answers(Engine(), Ask(EVERY_KIND, spec, toy_image(), params))
    assert loads[1] == NetworkSpec("classification-b", "w", "cpu", half=True)


def test_one_question_keeps_all_its_networks_and_the_next_lets_them_go(
    loads: list[NetworkSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Engine()
    monkeypatch.setattr(engine_module, "MOST_NETWORKS", 2)
    params = named("classification-b", "classification-c", "classification-d")
    assert len(every(params, engine).result.titles) == 4
    assert len(loads) == 4
    every(params, engine)
    assert len(loads) == 4, "none of them had to make room for another"
    every(named("classification-e"), engine)
    every(named("classification-e"), engine)
    assert len(loads) == 5, "two are kept"
    every(params, engine)
    assert len(loads) == 8, "the other three have gone"
    assert MOST_NETWORKS < MOST_NAMED


def test_too_many_networks_are_one_sentence(loads: list[NetworkSpec]) -> None:
    params = named(*(f"classification-{n}" for n in range(MOST_NAMED + 1)))
    with pytest.raises(ExplorerError, match="would need 9 more networks"):
        every(params)


def test_a_network_of_the_wrong_task_is_one_sentence(loads: list[NetworkSpec]) -> None:
    with pytest.raises(ExplorerError, match=r"Other network takes a network for classification"):
        every(EveryKind(other=NetworkRef("detection")))


def test_photos_are_files_or_samples(loads: list[NetworkSpec], tmp_path: Path) -> None:
    path = tmp_path / "gray.png"
    Pictures.fromarray(np.full((4, 6, 3), 90, np.uint8)).save(path)
    engine = Engine()
    params = EveryKind(second=ImageRef(str(path)), terms=(Term(photo=ImageRef("cat")),))
    titles = every(params, engine).result.titles
    assert titles[1] == "mean 90.0"
    assert titles[2].startswith("like ")
    with pytest.raises(ExplorerError, match="does not exist"):
        every(EveryKind(second=ImageRef(str(tmp_path / "no.png"))), engine)


def test_a_photo_is_decoded_once_until_its_file_changes(tmp_path: Path) -> None:
    path, photos = tmp_path / "a.png", Photos()
    Pictures.fromarray(np.zeros((4, 6, 3), np.uint8)).save(path)
    ref = ImageRef(str(path))
    first = photos.get(ref)
    assert photos.get(ref) is first
    Pictures.fromarray(np.full((4, 6, 3), 255, np.uint8)).save(path)
    import os

    os.utime(path, ns=(1, 1))
    assert photos.get(ref).pixels.min() == 255


def test_a_folder_that_is_not_there_is_one_sentence(
    loads: list[NetworkSpec], tmp_path: Path
) -> None:
    every(EveryKind(folder=FolderRef(str(tmp_path))))
    with pytest.raises(ExplorerError, match="Folder: there is no folder"):
        every(EveryKind(folder=FolderRef(str(tmp_path / "gone"))))


def test_what_nobody_named_is_refused() -> None:
    scene = Scene(toy_network("classification"), toy_image())
    with pytest.raises(LookupError, match="no parameter"):
        scene.network_of(NetworkRef("classification"))
    with pytest.raises(LookupError, match="no parameter"):
        scene.image_of(ImageRef("cat"))


@pytest.mark.parametrize("view", [OF_NOTHING, OF_NETWORK, OF_PHOTO], ids=lambda view: view.name)
def test_a_view_gets_what_it_needs_and_no_more(
    view: View[Any, Any], loads: list[NetworkSpec]
) -> None:
    image = toy_image() if view.needs.photo else None
    spec = OWN if view.needs.network else None
    answer = answers(Engine(), Ask(view, spec, image, Size()))[-1]
    assert (answer.info is not None) is view.needs.network
    assert len(loads) == int(view.needs.network)


@pytest.mark.parametrize(
    ("view", "words"), [(OF_NETWORK, "needs a network"), (OF_PHOTO, "needs a photo")]
)
def test_what_is_missing_is_one_sentence(view: View[Any, Any], words: str) -> None:
    with pytest.raises(ExplorerError, match=words):
        answers(Engine(), Ask(view, None, None, Size()))


def test_a_scene_without_network_or_photo_says_so() -> None:
    scene = Scene(None, None)
    with pytest.raises(LookupError, match="no network"):
        _ = scene.network
    with pytest.raises(LookupError, match="no photo"):
        _ = scene.image


def test_a_view_beside_has_its_own_references_and_troubles(loads: list[NetworkSpec]) -> None:
    good = EveryKind(other=NetworkRef("classification-b"))
    bad = EveryKind(other=NetworkRef("detection"))
    beside = ((EVERY_KIND, good), (EVERY_KIND, bad))
    answer = answers(Engine(), Ask(OF_PHOTO, OWN, toy_image(), Size(), beside=beside))[-1]
    first, second = answer.beside
    assert first.result.titles == ("classification", "classification-b")
    assert second.problem.startswith("Every kind: Other network takes")
    alone = answers(Engine(), Ask(OF_PHOTO, None, toy_image(), Size(), beside=beside[:1]))[-1]
    assert alone.beside[0].problem == "Every kind: It needs a network."


def test_frames_are_looked_at_with_the_other_networks_too(loads: list[NetworkSpec]) -> None:
    shots = [Shot(toy_image(seed=n).pixels, n, 0.0, n / 10) for n in range(3)]
    ask = Ask(EVERY_KIND, OWN, toy_image(), EveryKind(other=NetworkRef("classification-b")))
    engine = Engine()
    found = [step.value for step in engine.film(ask, shots, Token()) if step.value.result]
    assert [answer.shot.number for answer in found] == [0, 1, 2]
    assert all(answer.result.titles[1] == "classification-b" for answer in found)
    only = Ask(OF_PHOTO, None, toy_image(), Size())
    assert len([s for s in Engine().film(only, shots, Token()) if s.value.result]) == 3


def test_a_cancel_reaches_the_other_network(loads: list[NetworkSpec]) -> None:
    from explorer.core.errors import Cancelled

    token, seen = Token(), []

    def compute(scene: Scene, params: EveryKind) -> Generator[Step[Any], Any, None]:
        assert params.other is not None
        other = scene.network_of(params.other)
        seen.append(other.module)
        token.cancel()
        other.module(scene.input())
        yield Step(0)

    view = replace(EVERY_KIND, compute=compute)
    params = EveryKind(other=NetworkRef("classification-b"))
    steps = Engine().steps(Ask(view, OWN, toy_image(), params), token)
    with pytest.raises(Cancelled):
        list(steps)
    assert hook_count(seen[0]) == 0


def test_a_view_says_its_group_and_its_needs_right() -> None:
    with pytest.raises(TypeError, match=r"Group\.PREDICTIONS"):
        replace(OF_PHOTO, group="predictions")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs no network"):
        replace(OF_PHOTO, tasks=frozenset({"detection"}))
    with pytest.raises(TypeError, match="needs no photo"):
        replace(OF_NETWORK, live=True)
    assert [group.title for group in Group][:2] == ["Predictions", "Classical methods"]
    assert [need for need in Needs if need.photo and need.network] == [Needs.BOTH]
