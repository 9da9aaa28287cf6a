"""The files of trained weights on this computer, and how they come here.

The folder and the file names are torch's own (`torch.hub.get_dir()`), so what another program has
downloaded is found, and the other way round. A download happens only when a user names the weights.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import os
import re
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Any
from urllib.error import HTTPError, URLError
from urllib.parse import unquote, urlparse
from urllib.request import Request, urlopen

import torch

from explorer.core.errors import ExplorerError
from explorer.core.step import Step

if TYPE_CHECKING:
    from collections.abc import Generator

    from explorer.networks.entry import OptionState

CHUNK = 1 << 18
TIMEOUT = 20.0
_HUB = re.compile(r"https://huggingface\.co/([\w.-]+)/([\w.-]+)/resolve/[\w.-]+/([\w./-]+)")
_HASH = re.compile(r"-([0-9a-f]{8,64})\.[a-z0-9]+$")


def folder() -> Path:
    """Where torch keeps downloaded weights (TORCH_HOME moves it)."""
    return Path(torch.hub.get_dir()) / "checkpoints"


def path_of(url: str) -> Path:
    """Where the file of `url` is, or will be.

    Files of the Hugging Face Hub have the name of their repository here, as all are called alike;
    one that the Hub's own programs have downloaded is found where they keep it.
    """
    hub = _HUB.fullmatch(url)
    if hub is not None:
        owner, repository, file = hub.groups()
        kept = _in_hub_cache(owner, repository, file)
        return kept or folder() / f"{owner}--{repository}{PurePosixPath(file).suffix}"
    name = PurePosixPath(unquote(urlparse(url).path)).name
    if not name:
        raise ValueError(f"{url!r} names no file")
    return folder() / name


def _in_hub_cache(owner: str, repository: str, file: str) -> Path | None:
    """The newest copy of a file in the cache of `huggingface_hub`."""
    home = os.environ.get("HF_HOME") or os.path.expanduser("~/.cache/huggingface")
    root = os.environ.get("HF_HUB_CACHE") or os.path.join(home, "hub")
    snapshots = os.path.join(root, f"models--{owner}--{repository}", "snapshots")
    if not os.path.isdir(snapshots):
        return None
    copies = [path for path in Path(snapshots).glob(f"*/{file}") if os.path.isfile(path)]
    return max(copies, key=lambda path: path.stat().st_mtime, default=None)


def state_of(url: str) -> OptionState:
    """Whether the file of `url` is on this computer."""
    return "cached" if os.path.isfile(path_of(url)) else "download"


def download(
    url: str, *, megabytes: float = 0.0, timeout: float = TIMEOUT
) -> Generator[Step[None], Any, Path]:
    """Fetches `url` into torch's folder; steps tell how far it is, the return value is the file.

    What has come so far is kept as ``NAME.part`` when the generator is closed or the network fails,
    and the next download resumes there where the server can. The checksum in the file's name
    (``-abcdef12.pth``) is compared before the file gets its name.

    Args:
        url: http or https.
        megabytes: Shown until the server has sent the size.
        timeout: Seconds without a byte after which the server counts as silent.

    Raises:
        ExplorerError: No network, no such file, a full disk, a wrong checksum.
    """
    target = path_of(url)
    if os.path.isfile(target):
        return target
    part = target.with_name(f"{target.name}.part")
    _make_folder(target.parent)
    have = part.stat().st_size if os.path.isfile(part) else 0
    size = f" ({megabytes:.0f} MB)" if megabytes else ""
    yield Step(None, 0, 0, f"Requesting {target.name}{size}")
    with closing(_ask(url, have, timeout)) as answer, _open(part, answer.start) as file:
        done, total = answer.start, answer.total
        while chunk := answer.read():
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                raise _disk(part, error) from error
            done += len(chunk)
            yield Step(None, done, total, f"Downloading {target.name}: {_so_far(done, total)}")
    if total and done < total:
        raise ExplorerError(
            f"The download of {target.name} was interrupted after {_so_far(done, total)}.",
            "Try again: it resumes from there.",
        )
    yield Step(None, done, total, f"Checking {target.name}")
    _check(part, target.name)
    os.replace(part, target)
    return target


@dataclass(slots=True, eq=False)
class _Answer:
    """A server's response: the file from byte `start` on, of `total` bytes (0 = not known)."""

    name: str
    body: http.client.HTTPResponse | None
    start: int
    total: int

    def read(self) -> bytes:
        if self.body is None:
            return b""
        try:
            return self.body.read(CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _broken(self.name, error) from error

    def close(self) -> None:
        if self.body is not None:
            self.body.close()


def _ask(url: str, have: int, timeout: float) -> _Answer:
    """Asks for what is missing after `have` bytes; a server that cannot do that sends all again."""
    name = path_of(url).name
    if urlparse(url).scheme not in ("http", "https"):
        raise ExplorerError(f"{url} is not a web address.", "It must begin with https://.")
    headers = {"User-Agent": "convnet-explorer"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        body = urlopen(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        with error:
            complete = _total(error.headers.get("Content-Range", ""))
        if error.code != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE or not have:
            raise ExplorerError(
                f"The server refused {name}: {error.code} {error.reason}.", "Try again later."
            ) from error
        if complete == have:
            return _Answer(name, None, have, have)
        return _ask(url, 0, timeout)  # what is here is no beginning of that file
    except (OSError, http.client.HTTPException) as error:
        raise _broken(name, error) from error
    length = int(body.headers.get("Content-Length") or 0)
    content_range = body.headers.get("Content-Range", "")
    if body.status == HTTPStatus.PARTIAL_CONTENT and content_range.startswith(f"bytes {have}-"):
        return _Answer(name, body, have, _total(content_range) or have + length)
    return _Answer(name, body, 0, length)


def _total(content_range: str) -> int:
    size = content_range.rpartition("/")[2]
    return int(size) if size.isdigit() else 0


def _broken(name: str, error: Exception) -> ExplorerError:
    reason = error.reason if isinstance(error, URLError) else error
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return ExplorerError(
        f"{name} could not be downloaded: {words}.",
        "Check the network connection and try again; the part received so far is kept.",
    )


def _open(part: Path, start: int) -> IO[bytes]:
    try:
        if not start:
            return part.open("wb")
        file = part.open("r+b")
        file.seek(start)
        file.truncate()
    except OSError as error:
        raise _disk(part, error) from error
    return file


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _disk(path, error) from error


def _disk(path: Path, error: OSError) -> ExplorerError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return ExplorerError(
            f"The disk is full: {path.name} does not fit.", f"Free some space in {path.parent}."
        )
    return ExplorerError(
        f"{path} cannot be written: {error.strerror or error}.",
        "Check the permissions of the folder.",
    )


def _check(part: Path, name: str) -> None:
    wanted = _HASH.search(name)
    if wanted is None:
        return
    with part.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if not found.startswith(wanted[1]):
        part.unlink()
        raise ExplorerError(
            f"The downloaded {name} is damaged: its SHA-256 begins with {found[:8]}, "
            f"not {wanted[1][:8]}.",
            "It was removed; download it again.",
        )


def _so_far(done: int, total: int) -> str:
    megabyte = 1e6
    return (
        f"{done / megabyte:.1f} of {total / megabyte:.1f} MB"
        if total
        else f"{done / megabyte:.1f} MB"
    )
