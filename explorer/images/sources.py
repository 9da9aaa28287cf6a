"""Where pictures come from: files, folders, drops, web addresses and the gallery. Without Qt."""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import unquote, urlsplit

from explorer.core.errors import Cancelled, ExplorerError
from explorer.images.image import MAX_BYTES, SUFFIXES
from explorer.images.samples import Sample, gallery

if TYPE_CHECKING:
    import http.client
    import urllib.request
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Dropped", "Listing", "Sample", "dropped_urls", "expand", "fetch", "gallery", "natural"]

_DIGITS = re.compile(r"(\d+)")
_HIDDEN_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f]")
_CHUNK = 64 * 1024
_WAIT_SECONDS = 15.0  # for the other side to say anything at all
_TOTAL_SECONDS = 120.0  # for the whole file, however slowly it drips


class Dropped(NamedTuple):
    """What a drop holds: local files and folders, web addresses to be confirmed, and refusals."""

    paths: tuple[Path, ...]
    addresses: tuple[str, ...]
    refused: tuple[str, ...]


class Listing:
    """The pictures of some files and folders, found bit by bit: a model for a filmstrip.

    Nothing is read at first. `read_on` finds the next pictures, so a folder of 100 000 costs its
    names once and no object per file. A file that is met twice is listed once.
    """

    def __init__(
        self, paths: Sequence[str | os.PathLike[str]] = (), *, recursive: bool = False
    ) -> None:
        self._problems: list[str] = []
        self._found = _walk(paths, recursive=recursive, problems=self._problems)
        self._paths: list[str] = []
        self._index: dict[str, int] = {}
        self._complete = False

    def __len__(self) -> int:
        """How many were found so far."""
        return len(self._paths)

    def __getitem__(self, index: int) -> Path:
        """The path at an index from 0; negative ones count from the end of what was found."""
        return Path(self._paths[index])

    def __iter__(self) -> Iterator[Path]:
        """Goes through what was found so far."""
        return map(Path, self._paths)

    @property
    def complete(self) -> bool:
        """Whether everything has been found."""
        return self._complete

    @property
    def problems(self) -> tuple[str, ...]:
        """Sentences about folders that could not be read."""
        return tuple(self._problems)

    def index(self, path: str | os.PathLike[str]) -> int | None:
        """Returns where a file is in the list, or None when it was not found (yet)."""
        return self._index.get(os.path.abspath(path))

    def read_on(self, most: int = 1000) -> int:
        """Finds up to `most` further pictures.

        Returns:
            How many were added; 0 only when the list is complete.
        """
        before = len(self._paths)
        while len(self._paths) - before < most:
            path = next(self._found, None)
            if path is None:
                self._complete = True
                break
            if path not in self._index:
                self._index[path] = len(self._paths)
                self._paths.append(path)
        return len(self._paths) - before


def expand(
    paths: Sequence[str | os.PathLike[str]],
    *,
    recursive: bool = False,
    problems: list[str] | None = None,
) -> Iterator[Path]:
    """Goes through files as they are and through the pictures of folders.

    A file that is named here is passed on whatever it is called, even when it does not exist:
    opening it gives the sentence. In folders, pictures are told by their suffix, sorted as people
    count ("2" before "10"), without hidden ones; links to folders are not followed.

    Args:
        paths: Files and folders.
        recursive: Also the folders inside folders.
        problems: Gets a sentence about every folder that cannot be read.

    Yields:
        Absolute paths. Folders that cannot be read are skipped.
    """
    told = [] if problems is None else problems
    return map(Path, _walk(paths, recursive=recursive, problems=told))


def dropped_urls(urls: Sequence[str]) -> Dropped:
    """Sorts what a drop or a paste brings into what may be opened.

    Only absolute files of this machine are paths: not `file://host/…`, which would make the system
    contact that host, and nothing with a NUL character. http and https addresses are handed back
    for the user to confirm; nothing is fetched here.

    Args:
        urls: URLs as a browser or file manager gives them, or plain absolute paths.

    Returns:
        Each URL in exactly one of the three groups, in order.
    """
    paths: list[Path] = []
    addresses: list[str] = []
    refused: list[str] = []
    for url in urls:
        found = _sorted_url(url.strip())
        if isinstance(found, Path):
            paths.append(found)
        elif isinstance(found, _Refused):
            refused.append(f"{_short(url)} {found}")
        else:
            addresses.append(found)
    return Dropped(tuple(paths), tuple(addresses), tuple(refused))


def fetch(
    address: str,
    *,
    limit_bytes: int = MAX_BYTES,
    progress: Callable[[int, int | None], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> bytes:
    """Downloads an address that the user has confirmed.

    Args:
        address: http or https; redirections stay within these.
        limit_bytes: More is refused, by the announced size or while it arrives.
        progress: Called with the bytes so far and the announced size, if any.
        cancelled: Asked before every piece.

    Returns:
        The bytes, unchecked: `explorer.images.image.decode_image` checks them.

    Raises:
        ExplorerError: No such address, no connection, too large, too slow, or not a file.
        Cancelled: `cancelled` returned True.
    """
    kind = _sorted_url(address.strip())
    if isinstance(kind, (Path, _Refused)):
        raise ExplorerError(
            f"{_short(address)} cannot be fetched.", "Only http and https addresses are supported."
        )
    # Slow to import, and rarely needed: the window is painted before.
    import http.client
    import urllib.error
    import urllib.request

    host = urlsplit(kind).hostname or kind
    request = urllib.request.Request(kind, headers={"User-Agent": "convnet-explorer"})
    try:
        with _opener().open(request, timeout=_WAIT_SECONDS) as response:
            return _received(response, host, limit_bytes, progress, cancelled)
    except urllib.error.HTTPError as error:
        with error:  # it holds the connection
            raise ExplorerError(
                f"{host} answered {error.code} ({error.reason or 'no reason given'}).",
                "Check the address in a browser.",
            ) from None
    except TimeoutError as error:
        raise ExplorerError(f"{host} does not answer.", "Try again later.") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        # URLError is an OSError; ValueError: an address that urllib cannot take apart.
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise ExplorerError(f"{host} does not answer.", "Try again later.") from error
        raise ExplorerError(
            f"{host} cannot be reached: {getattr(reason, 'strerror', None) or reason}.",
            "Check the address and the network connection; local pictures work offline.",
        ) from error


def _received(
    response: http.client.HTTPResponse,
    host: str,
    limit: int,
    progress: Callable[[int, int | None], None] | None,
    cancelled: Callable[[], bool] | None,
) -> bytes:
    length = response.headers.get("Content-Length", "")
    total = int(length) if length.isascii() and length.isdigit() and len(length) < 19 else None
    if total is not None and total > limit:
        raise _too_large(host, limit)
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise ExplorerError(
            f"The address at {host} is a web page, not a picture.",
            "Drop the picture itself, or copy its own address.",
        )
    parts: list[bytes] = []
    done = 0
    end = time.monotonic() + _TOTAL_SECONDS
    while True:
        if cancelled is not None and cancelled():
            raise Cancelled
        if time.monotonic() > end:
            raise ExplorerError(
                f"The download from {host} is too slow.", "Save the picture with a browser."
            )
        part = response.read1(_CHUNK)  # what has arrived, so that a cancel is never far
        if not part:
            break
        done += len(part)
        if done > limit:
            raise _too_large(host, limit)
        parts.append(part)
        if progress is not None:
            progress(done, total)
    if total is not None and done < total:
        raise ExplorerError(f"The download from {host} ended early.", "Try again.")
    return b"".join(parts)


def _too_large(host: str, limit: int) -> ExplorerError:
    return ExplorerError(
        f"The file at {host} is larger than {limit / 1e6:.0f} MB.", "Save a smaller version of it."
    )


def _opener() -> urllib.request.OpenerDirector:
    """Knows http, https and proxies; unlike urllib's own, neither file, ftp nor data."""
    import urllib.request

    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(),
        urllib.request.HTTPRedirectHandler(),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ):
        opener.add_handler(handler)
    return opener


class _Refused(str):
    """The rest of a sentence that begins with the URL."""

    __slots__ = ()


def _sorted_url(url: str) -> Path | str | _Refused:
    if "\0" in url or "%00" in url:
        return _Refused("contains a NUL character.")
    if url[:5].lower() == "file:":
        return _local_file(url[5:])
    if os.path.isabs(url):
        return Path(url)
    try:
        parts = urlsplit(url)
        host = parts.hostname
        parts.port  # noqa: B018 - raises for a port that is no number
    except ValueError:
        return _Refused("is not an address.")
    if parts.scheme not in ("http", "https"):
        return _Refused("is neither a local file nor a web address.")
    if not host or _HIDDEN_IN_ADDRESS.search(url):
        return _Refused("is not an address.")
    if parts.username is not None or parts.password is not None:
        return _Refused("has a user name that looks like a host.")  # https://bank.example@other/
    return url


def _local_file(rest: str) -> Path | _Refused:
    """Judges what follows `file:`. After the host all is path: "?" and "#" are letters."""
    if rest.startswith("//"):
        host, slash, tail = rest[2:].partition("/")
        if host.lower() not in ("", "localhost"):
            return _Refused("is on another machine.")
        rest = slash + tail
    # surrogateescape: a name that is not UTF-8 comes back as the bytes it has on disk
    path = unquote(rest, errors="surrogateescape")
    if os.name == "nt":
        path = path.lstrip("/").replace("/", "\\") if re.match(r"/*[A-Za-z]:", path) else path
    if path.startswith(("//", "\\\\")):
        return _Refused("is on another machine.")
    if not os.path.isabs(path):
        return _Refused("is not an absolute path.")
    return Path(path)


def _short(url: str) -> str:
    shown = url.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")
    return shown if len(shown) <= 80 else f"{shown[:77]}…"


def _walk(
    paths: Sequence[str | os.PathLike[str]], *, recursive: bool, problems: list[str]
) -> Iterator[str]:
    for given in paths:
        path = os.path.abspath(given)
        if not os.path.isdir(path):
            yield path
            continue
        waiting = [path]  # a stack of its own: folders can be nested deeper than Python recurses
        while waiting:
            folder = waiting.pop()
            try:
                files, folders = _entries(folder)
            except OSError as error:
                problems.append(f"{_short(folder)} cannot be read: {error.strerror or error}.")
                continue
            yield from (os.path.join(folder, name) for name in files)
            if recursive:
                waiting.extend(os.path.join(folder, name) for name in reversed(folders))


def _entries(folder: str) -> tuple[list[str], list[str]]:
    """The pictures and the folders in a folder, each as people sort them."""
    files: list[str] = []
    folders: list[str] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith("."):
                continue
            try:
                if os.path.splitext(entry.name)[1].lower() in SUFFIXES and entry.is_file():
                    files.append(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.append(entry.name)
            except OSError:
                continue  # a link to itself, or gone meanwhile: one entry, not the whole folder
    return sorted(files, key=natural), sorted(folders, key=natural)


def natural(name: str) -> tuple[list[str | int], str]:
    """The key by which people sort names: "2" before "10"."""
    parts = _DIGITS.split(name.casefold())
    # Text and numbers alternate, so that like is always compared with like.
    return [int(part) if i % 2 else part for i, part in enumerate(parts)], name
