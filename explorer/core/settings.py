"""What the program remembers, as validated JSON: preferences, recent files, shortcuts, the session.

The file is read once at the start and written atomically. Nothing in it is trusted: an unknown
entry or one of the wrong kind is dropped with a line in the log, and a file that does not parse is
kept beside the new one with `.bad` added to its name.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from math import isfinite
from pathlib import Path
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

import platformdirs

from explorer.core.color_sets import COLOR_SETS
from explorer.core.errors import ExplorerError
from explorer.core.storage.atomic import write_bytes

log = logging.getLogger(__name__)

NAME = "convnet-explorer"
MOST_RECENT = 16
MOST_BYTES = 8 * 1024 * 1024
THEMES = ("system", "light", "dark")
COMPARES = ("wipe", "split")
RUNTIMES = ("automatic", "torch")
TEXT_SIZES = (100, 110, 125, 150, 175, 200)
"""In percent of the desktop's own."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Preferences:
    """What the preferences dialog shows.

    Attributes:
        theme: "system", "light" or "dark".
        device: "auto" or a device's name.
        half: Half precision where the network has it.
        seed: For views that draw random numbers.
        restore_session: Bring the last photos, network and view back at the start.
        compare: "wipe" or "split".
        text_size: In percent of the desktop's own, 100 to 200.
        colors: The set of class colors: "standard", "color_blind" or "high_contrast".
        live_runtime: What computes live frames: "automatic" = the fastest, or "torch".
    """

    theme: str = field(default="system", metadata={"among": THEMES})
    device: str = "auto"
    half: bool = False
    seed: int = field(default=0, metadata={"range": (0, 2**31 - 1)})
    restore_session: bool = True
    compare: str = field(default="wipe", metadata={"among": COMPARES})
    text_size: int = field(default=100, metadata={"range": (100, 200)})
    colors: str = field(default="standard", metadata={"among": COLOR_SETS})
    live_runtime: str = field(default="automatic", metadata={"among": RUNTIMES})


@dataclass(frozen=True, slots=True)
class NetworkChoice:
    """The parts of a NetworkSpec that are worth remembering."""

    name: str = ""
    weights: str = ""
    device: str = "auto"
    half: bool = False
    classes: str = ""


@dataclass(frozen=True, slots=True)
class Session:
    """What was open.

    Attributes:
        images: Paths, in the filmstrip's order.
        current: Index into `images`; -1 = none.
        view: The view's name.
        network: The network in use.
        params: By view name: parameter name to plain value.
        canvas: Zoom and pan as the board view gave them.
        geometry: Base64 of the window's geometry.
        docks: Base64 of toolbars and docks.
        truth: By photo: its ground truth, packed as plain values by the window.
        checkpoint_folder: Where the last file of weights was.
        save_folder: Where something was saved last.
    """

    images: tuple[str, ...] = ()
    current: int = field(default=-1, metadata={"range": (-1, 10_000_000)})
    view: str = ""
    network: NetworkChoice = NetworkChoice()
    params: dict[str, Any] = field(default_factory=dict)
    canvas: dict[str, Any] = field(default_factory=dict)
    geometry: str = ""
    docks: str = ""
    truth: dict[str, Any] = field(default_factory=dict)
    checkpoint_folder: str = ""
    save_folder: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything in the file. `shortcuts` maps an action's name to key sequences ("Ctrl+O; O")."""

    preferences: Preferences = Preferences()
    recent: tuple[str, ...] = ()
    shortcuts: dict[str, str] = field(default_factory=dict)
    session: Session = Session()

    def with_recent(self, path: str) -> Settings:
        """The same settings with `path` first among the recent files."""
        rest = tuple(old for old in self.recent if old != path)
        return replace(self, recent=(path, *rest)[:MOST_RECENT])


def config_folder() -> Path:
    """Where the settings file is: EXPLORER_HOME, else the user's configuration folder."""
    home = os.environ.get("EXPLORER_HOME")
    return Path(home) if home else Path(platformdirs.user_config_dir(NAME, appauthor=False))


def log_folder() -> Path:
    """Where logs are: EXPLORER_HOME/logs, else the user's log folder."""
    home = os.environ.get("EXPLORER_HOME")
    return Path(home, "logs") if home else Path(platformdirs.user_log_dir(NAME, appauthor=False))


def cache_folder() -> Path:
    """For what can be computed again: EXPLORER_HOME/cache, else the user's cache folder."""
    home = os.environ.get("EXPLORER_HOME")
    return Path(home, "cache") if home else Path(platformdirs.user_cache_dir(NAME, appauthor=False))


def data_folder() -> Path:
    """For what must not be lost: EXPLORER_HOME/data, else the user's data folder."""
    home = os.environ.get("EXPLORER_HOME")
    return Path(home, "data") if home else Path(platformdirs.user_data_dir(NAME, appauthor=False))


def settings_path() -> Path:
    return config_folder() / "settings.json"


def load(path: Path | None = None) -> Settings:
    """The settings on disk; the defaults for whatever is missing or wrong. Never raises."""
    path = path or settings_path()
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path} is larger than {MOST_BYTES} bytes")
        data = json.loads(path.read_text("utf-8"))
        if not isinstance(data, dict):
            raise TypeError(f"{path} holds {type(data).__name__}, not an object")
    except FileNotFoundError:
        return Settings()
    except (OSError, ValueError, TypeError, RecursionError) as error:
        log.warning("the settings could not be read and start afresh: %s", error)
        _keep_bad(path)
        return Settings()
    return _checked(Settings, data, "settings")


def save(settings: Settings, path: Path | None = None) -> None:
    """Writes `settings` so that either the old or the new file is whole.

    Raises:
        OSError: When the disk refuses; the old file is then untouched.
    """
    path = path or settings_path()
    path.parent.mkdir(parents=True, exist_ok=True)
    # In ASCII: a file name that is no UTF-8 has letters that no other encoding can write.
    text = json.dumps(asdict(settings), indent=1, allow_nan=False)
    try:
        write_bytes(path, text.encode("ascii"))
    except ExplorerError as error:  # an optional file: it is logged, not shown to the user
        raise OSError(error.message) from error


def reset(path: Path | None = None) -> None:
    """Starts afresh; the old file is kept beside with `.bad` added to its name."""
    path = path or settings_path()
    if os.path.exists(path):
        _keep_bad(path)
        path.unlink(missing_ok=True)


def _keep_bad(path: Path) -> None:
    try:
        if os.path.isfile(path):
            os.replace(path, path.with_name(path.name + ".bad"))
    except OSError as error:
        log.warning("the unreadable settings could not be put aside: %s", error)


def _checked(kind: type[T], data: dict[str, Any], where: str) -> T:
    """An instance of the dataclass `kind` from whatever in `data` fits it."""
    hints = get_type_hints(kind)
    good: dict[str, Any] = {}
    known = {entry.name: entry for entry in fields(kind)}  # type: ignore[arg-type]
    for name, value in data.items():
        if name not in known:
            log.warning("%s.%s is unknown and was dropped", where, name)
            continue
        try:
            good[name] = _fitted(hints[name], value, f"{where}.{name}")
            _limited(known[name].metadata, good[name])
        except (ValueError, TypeError) as error:
            good.pop(name, None)
            log.warning("%s.%s was dropped: %s", where, name, error)
    return kind(**good)


def _fitted(hint: Any, value: Any, where: str) -> Any:
    if is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, dict):
            raise TypeError(f"expected an object, got {type(value).__name__}")
        return _checked(hint, value, where)
    origin = get_origin(hint)
    if origin is tuple:
        item = get_args(hint)[0]
        if not isinstance(value, list):
            raise TypeError(f"expected a list, got {type(value).__name__}")
        return tuple(entry for entry in value if isinstance(entry, item))
    if origin is dict:
        if not isinstance(value, dict):
            raise TypeError(f"expected an object, got {type(value).__name__}")
        item = get_args(hint)[1]
        return {k: v for k, v in value.items() if item is Any or isinstance(v, item)}
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if type(value) is not hint:
        raise TypeError(f"expected {hint.__name__}, got {type(value).__name__}")
    if hint is float and not isfinite(value):
        raise ValueError("expected a finite number")
    return value


def _limited(metadata: Any, value: Any) -> None:
    if "among" in metadata and value not in metadata["among"]:
        raise ValueError(f"{value!r} is not among {', '.join(metadata['among'])}")
    if "range" in metadata:
        low, high = metadata["range"]
        if not low <= value <= high:
            raise ValueError(f"{value!r} is not within {low} to {high}")
