"""Where pictures come from: folders of any size, drops, downloads, the gallery."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from explorer.core.errors import Cancelled, ExplorerError
from explorer.images import sources
from explorer.images.sources import Listing, dropped_urls, expand, fetch, gallery

if TYPE_CHECKING:
    from collections.abc import Iterator


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def names(found: Iterator[Path], folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in found]


# Files and folders


def test_folders_are_sorted_as_people_count(tmp_path: Path) -> None:
    touch(tmp_path, "b10.png", "b2.JPG", "B1.jpeg", "a.webp", "notes.txt", ".hidden.png", "_7.tif")
    assert names(expand([tmp_path]), tmp_path) == [
        "_7.tif",
        "a.webp",
        "B1.jpeg",
        "b2.JPG",
        "b10.png",
    ]


def test_named_files_are_passed_on_whatever_they_are(tmp_path: Path) -> None:
    touch(tmp_path, "notes.txt")
    given = [tmp_path / "notes.txt", tmp_path / "gone.png", Path(os.devnull)]
    assert list(expand(given)) == given


def test_relative_paths_become_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.png")
    monkeypatch.chdir(tmp_path)
    assert list(expand(["a.png", "."])) == [tmp_path / "a.png"] * 2


def test_recursion_is_asked_for_and_ends(tmp_path: Path) -> None:
    touch(tmp_path, "z.png", "sub2/b.png", "sub10/c.png", "sub2/deep/d.png", ".git/e.png")
    (tmp_path / "sub2/loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self.png").symlink_to(tmp_path / "self.png")
    (tmp_path / "folder.png").mkdir()
    assert names(expand([tmp_path]), tmp_path) == ["z.png"]
    assert names(expand([tmp_path], recursive=True), tmp_path) == [
        "z.png",
        "sub2/b.png",
        "sub2/deep/d.png",
        "sub10/c.png",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_pipes_in_folders_are_no_pictures(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    assert list(expand([tmp_path])) == []


def test_listing_grows_bit_by_bit(tmp_path: Path) -> None:
    touch(tmp_path, *(f"{i}.png" for i in range(25)))
    listing = Listing([tmp_path / "3.png", tmp_path])
    assert (len(listing), listing.complete) == (0, False)
    assert listing.read_on(10) == 10
    assert len(listing) == 10
    assert listing[0] == tmp_path / "3.png"
    assert listing[1] == tmp_path / "0.png"
    assert listing.index(tmp_path / "24.png") is None
    assert listing.read_on(100) == 15
    assert listing.complete
    assert listing.read_on() == 0
    assert listing.index(tmp_path / "24.png") == 24
    assert listing[-1] == list(listing)[24] == tmp_path / "24.png"
    with pytest.raises(IndexError):
        listing[25]
    assert listing.problems == ()
    empty = Listing()
    assert empty.read_on() == 0
    assert empty.complete


def test_a_folder_of_100_000(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        def __init__(self, name: str) -> None:
            self.name = name

        def is_file(self) -> bool:
            return True

    @contextmanager
    def scandir(_: object) -> Iterator[Iterator[Entry]]:
        yield (Entry(f"img{i}.jpg") for i in reversed(range(100_000)))

    monkeypatch.setattr(os, "scandir", scandir)
    listing = Listing([tmp_path])
    assert listing.read_on(50) == 50
    assert [path.name for path in listing][48:] == ["img48.jpg", "img49.jpg"]
    while not listing.complete:
        listing.read_on(5000)
    assert len(listing) == 100_000
    assert listing[99_999].name == "img99999.jpg"
    assert listing.index(tmp_path / "img777.jpg") == 777


def test_unreadable_folders_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "good/a.png", "locked/b.png")
    scandir = os.scandir

    def locked(path: str) -> os.ScandirIterator[str]:  # type: ignore[name-defined]
        if path.endswith("locked"):
            raise PermissionError(13, "Permission denied")
        return scandir(path)

    monkeypatch.setattr(os, "scandir", locked)
    listing = Listing([tmp_path / "locked", tmp_path / "good"])
    listing.read_on()
    assert [path.name for path in listing] == ["a.png"]
    (problem,) = listing.problems
    assert problem.endswith("locked cannot be read: Permission denied.")


# Drops


@pytest.mark.skipif(os.name == "nt", reason="paths of another kind")
@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("file:///home/me/a%20b.png", "/home/me/a b.png"),
        ("file://localhost/home/me/x.png", "/home/me/x.png"),
        ("FILE:///x.png", "/x.png"),
        ("file:/x.png", "/x.png"),
        ("/plain/path.png", "/plain/path.png"),
        ("file:///what%3F%23.png", "/what?#.png"),
        ("file:///what?#.png", "/what?#.png"),
        ("file:///caf%C3%A9.png", "/café.png"),
        ("file:///caf%E9.png", os.fsdecode(b"/caf\xe9.png")),
        ("file:///x.png\r\n", "/x.png"),
    ],
)
def test_local_files(url: str, path: str) -> None:
    assert dropped_urls([url]) == ((Path(path),), (), ())


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("file://server/share/x.png", "another machine"),
        ("file:////server/share/x.png", "another machine"),
        ("file:///%2Fserver/x.png", "another machine"),
        ("file:///a%00.png", "NUL"),
        ("/a\0.png", "NUL"),
        ("file:x.png", "absolute"),
        ("file:", "absolute"),
        ("x.png", "neither"),
        ("", "neither"),
        ("ftp://host/x.png", "neither"),
        ("javascript:alert(1)", "neither"),
        ("data:image/png;base64,AAAA", "neither"),
        ("smb://host/x.png", "neither"),
        ("https://", "not an address"),
        ("https://a b/x.png", "not an address"),
        ("http://host:port/x", "not an address"),
        ("http://[::1/x", "not an address"),
        ("https://bank.example@evil.example/x.png", "looks like a host"),
    ],
)
def test_refused_urls(url: str, reason: str) -> None:
    paths, addresses, refused = dropped_urls([url])
    assert (paths, addresses) == ((), ())
    assert reason in refused[0]
    assert refused[0].isprintable()


def test_addresses_are_handed_back_and_the_order_is_kept() -> None:
    urls = ["https://a.example/x.png?y=1#z", "file:///1.png", "HTTP://b.example/", "x", "/2.png"]
    found = dropped_urls(urls)
    assert found.addresses == (urls[0], urls[2])
    assert [path.name for path in found.paths] == ["1.png", "2.png"]
    assert len(found.refused) == 1
    assert len(dropped_urls(["gopher://" + "x" * 5000]).refused[0]) < 140


# Downloads


class Page(BaseHTTPRequestHandler):
    """A small site with one page per kind of trouble."""

    def do_GET(self) -> None:
        body = b"x" * 100_000
        match self.path:
            case "/plain":
                self.answer(200, body, {"Content-Length": str(len(body))})
            case "/unannounced":
                self.answer(200, body, {})
            case "/short":
                self.answer(200, body, {"Content-Length": str(len(body) + 5)})
            case "/lies":
                self.answer(200, body, {"Content-Length": "many"})
            case "/html":
                self.answer(200, b"<html>", {"Content-Type": "text/html; charset=utf-8"})
            case "/moved":
                self.answer(302, b"", {"Location": "/plain"})
            case "/to-file":
                self.answer(302, b"", {"Location": f"file://{Path(__file__).as_posix()}"})
            case "/to-ftp":
                self.answer(302, b"", {"Location": "ftp://127.0.0.1/x"})
            case "/round":
                self.answer(302, b"", {"Location": "/round"})
            case "/garbage":
                self.wfile.write(b"this is no HTTP\r\n\r\n")
            case _:
                self.answer(404, b"", {})

    def answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


class Site(ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        pass  # the other side hung up: that is what the tests do


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Site(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("page", ["/plain", "/unannounced", "/moved", "/lies"])
def test_fetch(site: str, page: str) -> None:
    steps: list[tuple[int, int | None]] = []
    data = fetch(site + page, progress=lambda done, total: steps.append((done, total)))
    assert data == b"x" * 100_000
    assert steps[-1][0] == 100_000
    assert {total for _, total in steps} == {100_000 if page in ("/plain", "/moved") else None}


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("/gone", "404"),
        ("/short", "ended early"),
        ("/html", "web page"),
        ("/garbage", "cannot be reached"),
        ("/round", "answered 302"),
        ("/to-file", "answered 302"),
        ("/to-ftp", "cannot be reached"),
    ],
)
def test_fetch_says_what_went_wrong(site: str, page: str, words: str) -> None:
    with pytest.raises(ExplorerError) as caught:
        fetch(site + page)
    assert words in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("page", ["/plain", "/unannounced"])
def test_fetch_has_a_limit(site: str, page: str) -> None:
    assert len(fetch(site + page, limit_bytes=100_000)) == 100_000
    with pytest.raises(ExplorerError, match="larger than"):
        fetch(site + page, limit_bytes=99_999)


def test_fetch_is_cancelled(site: str) -> None:
    answers = iter([False, True])
    with pytest.raises(Cancelled):
        fetch(site + "/plain", cancelled=lambda: next(answers))


def test_fetch_without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    with monkeypatch.context() as patch:
        patch.setenv("no_proxy", "*")
        patch.setattr(socket, "getaddrinfo", unknown)
        with pytest.raises(ExplorerError, match=r"pictures\.example cannot be reached") as caught:
            fetch("http://pictures.example/cat.png")
    assert "offline" in caught.value.hint
    with socket.socket() as closed:  # a port that nobody listens on
        closed.bind(("127.0.0.1", 0))
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        with pytest.raises(ExplorerError, match="cannot be reached"):
            fetch(f"http://127.0.0.1:{closed.getsockname()[1]}/x")


def test_fetch_gives_up(site: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_TOTAL_SECONDS", -1.0)
    with pytest.raises(ExplorerError, match="too slow"):
        fetch(site + "/plain")
    with socket.socket() as silent:  # takes the call and says nothing
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setattr(sources, "_WAIT_SECONDS", 0.05)
        with pytest.raises(ExplorerError, match="does not answer"):
            fetch(f"http://127.0.0.1:{silent.getsockname()[1]}/x")


@pytest.mark.parametrize("address", ["file:///etc/hosts", "/etc/hosts", "ftp://x/y", "data:,x", ""])
def test_fetch_takes_web_addresses_only(address: str) -> None:
    with pytest.raises(ExplorerError, match="cannot be fetched"):
        fetch(address)


# The gallery


def test_gallery_is_there_and_always_the_same() -> None:
    samples = gallery()
    assert len({sample.name for sample in samples}) == len(samples)
    assert {"cat", "astronaut", "coffee", "shapes", "gratings", "crowd", "page"} <= {
        sample.name for sample in samples
    }
    for sample in samples:
        assert sample.title
        assert sample.credit
        found = sample.load()
        assert min(found.width, found.height) >= 300
        assert float(found.pixels.std()) > 10
        assert found.key == sample.load().key


def test_crowd_overlaps_and_shapes_do_not_touch_the_rim() -> None:
    scenes = {sample.name: sample for sample in gallery()}
    shapes = scenes["shapes"].load().pixels.astype(int)
    rim = np.concatenate([shapes[:, 0], shapes[:, -1]])
    assert np.ptp(rim, axis=1).max() < 30  # the pale backdrop alone
    gray = scenes["gratings"].load().pixels
    assert np.array_equal(gray[..., 0], gray[..., 2])


def test_without_scikit_image_the_scenes_remain(monkeypatch: pytest.MonkeyPatch) -> None:
    from explorer.images import samples

    monkeypatch.setattr(samples, "find_spec", lambda _: None)
    assert {sample.credit for sample in gallery()} == {"Generated by Convnet Explorer"}


def test_nothing_heavy_is_imported() -> None:
    code = (
        "import sys; from explorer.images.sources import gallery; [s.load() for s in gallery()];"
        "heavy = {'torch', 'PySide6', 'skimage', 'pooch', 'scipy'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
