"""What a source lists, under which names, in which order, and what cannot be listed."""

from __future__ import annotations

import io
import json
import os
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image
import pytest

from explorer.batch.opening import open_photo
from explorer.batch.photos import Photo, photos_of, safe_parts
from explorer.core.errors import ExplorerError


def picture(shade: int) -> bytes:
    file = io.BytesIO()
    PIL.Image.fromarray(np.full((4, 6, 3), shade, np.uint8)).save(file, "PNG")
    return file.getvalue()


def put(place: Path, shade: int = 9) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(picture(shade))
    return place


def shard(place: Path, shades: dict[str, int]) -> Path:
    with tarfile.open(place, "w") as archive:
        for name, shade in shades.items():
            for suffix, data in ((".png", picture(shade)), (".json", b"{}")):
                member = tarfile.TarInfo(f"{name}{suffix}")
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
    return place


def names(*words: object) -> list[str]:
    return [photo.name for photo in photos_of([str(word) for word in words])]


def shade_of(photo: Photo) -> int:
    return int(open_photo(photo).pixels[0, 0, 0])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b/10.png", "b/2.png", "a.png", "B.png", "b/c/x.PNG", ".hidden/h.png"):
        put(tmp_path / "photos" / name)
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    return tmp_path / "photos"


def test_a_folder_is_listed_in_a_fixed_order_with_its_subfolders(folder: Path) -> None:
    assert names(folder) == ["a.png", "B.png", "b/2.png", "b/10.png", "b/c/x.PNG"]
    assert names(f"{folder}/") == names(folder)


def test_patterns(folder: Path) -> None:
    assert names(folder / "*.png") == ["a.png", "B.png"]
    assert names(folder / "b" / "[0-9].png") == ["2.png"]
    assert names(folder / "**" / "*") == ["a.png", "B.png", "b/2.png", "b/10.png", "b/c/x.PNG"]
    assert names(folder / "**" / "?.PNG") == ["b/c/x.PNG"]
    assert names(folder / "*" / "*.png") == ["b/2.png", "b/10.png"]


def test_several_sources_keep_their_photos_apart(folder: Path, tmp_path: Path) -> None:
    other = put(tmp_path / "other" / "photos" / "a.png").parent
    found = names(folder, other, folder / "a.png")
    assert len(set(found)) == 7
    assert found[0] == "photos/a.png"
    assert found[-2:] == ["photos-2/a.png", "a.png"]


def test_a_list_of_paths_counts_from_its_own_folder(folder: Path, tmp_path: Path) -> None:
    place = tmp_path / "list.txt"
    raw = os.fsencode(folder / "a.png")
    place.write_bytes(b"photos/b/2.png\n\n" + raw + b"\r\nphotos/\xff.png\n")
    first, second, third = photos_of([str(place)])
    assert (first.name, Path(first.address)) == ("photos/b/2.png", folder / "b/2.png")
    assert second.address == str(folder / "a.png")
    assert os.fsencode(third.name) == b"photos/\xff.png"
    assert shade_of(first) == 9


def test_a_coco_file_gives_its_own_numbers(folder: Path, tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "b/2.png"}, {"id": "k", "file_name": "a.png"}, {"id": 1}]
    place = folder / "instances.json"
    place.write_text(json.dumps({"images": images, "annotations": []}))
    found = list(photos_of([str(place)]))
    assert [(photo.name, photo.id) for photo in found] == [("b/2.png", 7), ("a.png", "k")]
    assert shade_of(found[0]) == 9
    place.write_text('{"annotations": []}')
    with pytest.raises(ExplorerError, match="is not a COCO file"):
        list(photos_of([str(place)]))


def test_shards_are_read_where_their_photos_lie(tmp_path: Path) -> None:
    shard(tmp_path / "s-00.tar", {"x/1": 10, "x/0": 20})
    shard(tmp_path / "s-01.tar", {"1": 30})
    found = list(photos_of([str(tmp_path / "s-{00..01}.tar")]))
    assert [photo.name for photo in found] == ["s-00/x/1.png", "s-00/x/0.png", "s-01/1.png"]
    assert [shade_of(photo) for photo in found] == [10, 20, 30]
    assert names(tmp_path / "s-01.tar") == ["1.png"]
    data = (tmp_path / "s-01.tar").read_bytes()
    (tmp_path / "s-01.tar").write_bytes(data[: found[2].offset + 9])
    with pytest.raises(ExplorerError, match="cut short"):
        open_photo(found[2])
    (tmp_path / "no.tar").write_bytes(b"no tar at all")
    with pytest.raises(ExplorerError, match="is not an uncompressed tar file"):
        names(tmp_path / "no.tar")


def test_an_address_of_fsspec(tmp_path: Path) -> None:
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/b/2.png", picture(5))
    memory.pipe("/bucket/a.png", picture(6))
    memory.pipe("/bucket/s.tar", shard(tmp_path / "s.tar", {"k": 7}).read_bytes())
    memory.pipe("/bucket/list.txt", b"b/2.png\nmemory://bucket/a.png\n")
    found = list(photos_of(["memory://bucket"]))
    assert [photo.name for photo in found] == ["a.png", "b/2.png"]
    assert [shade_of(photo) for photo in found] == [6, 5]
    assert names("memory://bucket/*.png") == ["a.png"]
    (member,) = photos_of(["memory://bucket/s.tar"])
    assert (member.name, shade_of(member)) == ("k.png", 7)
    assert [shade_of(photo) for photo in photos_of(["memory://bucket/list.txt"])] == [5, 6]


def test_what_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    for word in ("nowhere", "no.txt", "no.tar", "no.json"):
        with pytest.raises(ExplorerError, match="does not exist"):
            names(tmp_path / word)
    with pytest.raises(ExplorerError, match=r"convnet-explorer\[cluster\]"):
        names("nosuchprotocol://bucket")


def test_a_folder_that_cannot_be_read_is_told_and_passed_over(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.scandir

    def scandir(path: Any = ".") -> Any:
        if str(path).endswith("/b"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    for source in (folder, folder / "**" / "*"):
        problems: list[str] = []
        found = [photo.name for photo in photos_of([str(source)], problems)]
        assert found == ["a.png", "B.png"]
        (sentence,) = problems
        assert "cannot be read: Permission denied" in sentence


def test_a_photo_that_changes_while_it_is_read(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from explorer.batch import opening

    (photo,) = photos_of([str(folder / "a.png")])
    real = opening.read_file

    def read(path: Any, **more: Any) -> bytes:
        data = real(path, **more)
        Path(path).write_bytes(data + b"more")
        return data

    monkeypatch.setattr(opening, "read_file", read)
    with pytest.raises(ExplorerError, match="was changed while it was read"):
        open_photo(photo)


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a/b.jpg", ("a", "b.jpg")), ("../../a.jpg", ("a.jpg",)), ("/etc/a", ("etc", "a")),
        ("C:\\data\\a.jpg", ("data", "a.jpg")), ("./a/../b", ("a", "b")), ("..", ("unnamed",)),
    ],
)  # fmt: skip
def test_names_stay_below_the_folder_of_the_result(name: str, parts: tuple[str, ...]) -> None:
    assert safe_parts(name) == parts
