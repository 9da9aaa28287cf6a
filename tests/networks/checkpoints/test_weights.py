from __future__ import annotations

import errno
import hashlib
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pytest

from explorer.core.errors import ExplorerError
from explorer.networks.checkpoints import weights
from tests.steps import finish

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BODY = bytes(range(256)) * 4096  # 1 MiB = four chunks
NAME = f"net-{hashlib.sha256(BODY).hexdigest()[:8]}.pth"


class Server:
    """What the server on this computer does, and what it was asked."""

    def __init__(self) -> None:
        self.ranges = True
        self.body = BODY
        self.cut_after: int | None = None
        self.status = 200
        self.asked: list[str | None] = []
        self.url = ""


@contextmanager
def serving(server: Server) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            server.asked.append(wanted)
            body, start = server.body, 0
            if server.status != 200:
                self.send_error(server.status)
                return
            if wanted and server.ranges:
                start = int(wanted.removeprefix("bytes=").removesuffix("-"))
                if start >= len(body):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(body)}")
                    self.send_header("Content-Length", "0")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
            else:
                self.send_response(200)
            body = body[start:]
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            try:
                self.wfile.write(body[: server.cut_after])
            except OSError:  # the reader has left
                self.close_connection = True

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = False
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    server.url = f"http://127.0.0.1:{http.server_port}/models/{NAME}"
    try:
        yield
    finally:
        http.shutdown()
        thread.join()
        http.server_close()


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    with serving(server):
        yield server


def part_of(url: str) -> Path:
    return weights.path_of(url).with_name(f"{NAME}.part")


def test_download_gives_the_file_with_progress(server: Server, torch_home: Path) -> None:
    assert weights.state_of(server.url) == "download"
    path, steps = finish(weights.download(server.url, megabytes=1))
    assert path == torch_home / "hub" / "checkpoints" / NAME
    assert path.read_bytes() == BODY
    assert weights.state_of(server.url) == "cached"
    assert not part_of(server.url).exists()
    done = [step.done for step in steps]
    assert done == sorted(done)
    assert steps[-1].done == steps[-1].total == len(BODY)
    assert "1 MB" in steps[0].note


def test_what_is_here_is_not_asked_for(server: Server) -> None:
    finish(weights.download(server.url))
    _, steps = finish(weights.download(server.url))
    assert steps == []
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False], ids=["resume", "clean restart"])
def test_cancel_keeps_the_part_and_the_next_goes_on(server: Server, ranges: bool) -> None:
    steps = weights.download(server.url)
    for _ in range(3):
        next(steps)
    steps.close()
    part = part_of(server.url)
    have = part.stat().st_size
    assert have == 2 * weights.CHUNK
    server.ranges = ranges
    path, seen = finish(weights.download(server.url))
    assert path.read_bytes() == BODY
    assert server.asked[-1] == f"bytes={have}-"
    assert seen[1].done == weights.CHUNK + (have if ranges else 0)


def test_cut_connection_keeps_the_part(server: Server) -> None:
    server.cut_after = 300_000
    with pytest.raises(ExplorerError, match=r"was interrupted after 0\.3 of 1\.0 MB"):
        finish(weights.download(server.url))
    assert part_of(server.url).stat().st_size == 300_000
    server.cut_after = None
    path, _ = finish(weights.download(server.url))
    assert path.read_bytes() == BODY


def test_complete_part_needs_no_more_bytes(server: Server) -> None:
    weights.folder().mkdir(parents=True)
    part_of(server.url).write_bytes(BODY)
    path, _ = finish(weights.download(server.url))
    assert path.read_bytes() == BODY


def test_part_longer_than_the_file_starts_again(server: Server) -> None:
    weights.folder().mkdir(parents=True)
    part_of(server.url).write_bytes(BODY + b"more")
    path, _ = finish(weights.download(server.url))
    assert path.read_bytes() == BODY
    assert server.asked == [f"bytes={len(BODY) + 4}-", None]


def test_wrong_checksum_is_refused_and_removed(server: Server) -> None:
    server.body = BODY[:-1] + b"!"
    with pytest.raises(ExplorerError, match="damaged: its SHA-256 begins with"):
        finish(weights.download(server.url))
    assert list(weights.folder().iterdir()) == []


def test_missing_file_on_the_server(server: Server) -> None:
    server.status = 404
    with pytest.raises(ExplorerError, match=r"refused net-.*404"):
        finish(weights.download(server.url))
    assert not part_of(server.url).exists()


def test_offline_is_one_sentence() -> None:
    server = Server()
    with serving(server):
        pass  # the port is free again
    with pytest.raises(ExplorerError, match="could not be downloaded") as caught:
        finish(weights.download(server.url))
    assert "network" in caught.value.hint


def test_full_disk_is_one_sentence(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        def __enter__(self) -> Full:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def write(self, _: bytes) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(weights, "_open", lambda _part, _start: Full())
    with pytest.raises(ExplorerError, match="disk is full"):
        finish(weights.download(server.url))


def test_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "file"))
    with pytest.raises(ExplorerError, match="cannot be written"):
        finish(weights.download(f"http://127.0.0.1:1/{NAME}"))


@pytest.mark.parametrize("url", ["file:///etc/passwd.pth", "ftp://127.0.0.1/a.pth"])
def test_only_the_web_is_asked(url: str) -> None:
    with pytest.raises(ExplorerError, match="not a web address"):
        finish(weights.download(url))
