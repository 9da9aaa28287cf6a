"""Reading weights from a file that anybody may have made.

Nothing in a file is executed (`weights_only`), nothing is believed before it was compared with the
size of the file, and whatever a loader raises becomes one sentence. A file is judged by its content
and not by its name. It stays open while it is read, so replacing it meanwhile does no harm, and no
tensor that is handed out looks into it (a file cut short later would kill the process).
"""

from __future__ import annotations

import argparse
import os
import re
import stat
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from explorer.core.errors import ExplorerError
from explorer.networks.checkpoints import pickles

if TYPE_CHECKING:
    from pathlib import Path

NESTS = (
    "state_dict", "model_state_dict", "model_state", "model", "net", "network", "params", "weights",
    "ema", "model_ema", "params_ema", "ema_state_dict", "state_dict_ema", "module", "student",
)  # fmt: skip
"""Where training programs put the weights inside their checkpoints, the most likely first."""

CLASS_LISTS = ("classes", "class_names", "categories", "names", "labels")

PREFIXES = ("module.", "_orig_mod.", "model.", "backbone.", "net.", "network.", "student.")
"""What wrappers put in front of every name."""

_OLD_DENSENET = re.compile(r"^(.*denselayer\d+\.(?:norm|relu|conv))\.([12]\..+)$")

_FORMATS = (
    (b"\xff\xd8\xff", "a JPEG picture"),
    (b"\x89PNG", "a PNG picture"),
    (b"GIF8", "a GIF picture"),
    (b"%PDF", "a PDF document"),
    (b"\x89HDF", "an HDF5 file, as Keras writes it"),
    (b"\x93NUMPY", "a numpy array"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"GGUF", "a GGUF file"),
    (b"\x7fELF", "a program"),
    (b"MZ", "a program"),
    (b"version https://git-lfs", "a Git LFS pointer, not the weights themselves"),
    (b"<", "a web page"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Checkpoint:
    """The tensors of a file, on the CPU.

    Attributes:
        name: The file's name, for people.
        tensors: By name, in memory of the process (none is mapped from the file). Every floating
            type has become float32.
        versions: torch's record of the modules' versions, which some networks need.
        classes: Names of the classes where the file lists them.
        notes: Sentences for the user.
    """

    name: str
    tensors: Mapping[str, Tensor]
    versions: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def read(path: Path) -> Checkpoint:
    """The tensors of a .pth, .pt, .ckpt or .safetensors file, told apart by content.

    Raises:
        ExplorerError: Whatever is wrong with it, in one sentence.
    """
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        content, notes = _content(file, size, path.name)
    found = _find_tensors(content)
    if found is None:
        raise ExplorerError(
            f"{path.name} contains no weights.",
            "It must contain a state dict, a mapping from names to tensors.",
        )
    tensors, where = found
    if where:
        notes = (*notes, f"The weights were found under {where!r} in {path.name}.")
    versions = getattr(tensors, "_metadata", None)
    return Checkpoint(
        name=path.name,
        tensors=_cleaned(tensors, path.name),
        versions=versions if isinstance(versions, Mapping) else None,
        classes=_class_names(content),
        notes=notes,
    )


def not_finite(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of the tensors in which a NaN or an infinity is."""
    return tuple(
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    )


def stripped(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """`state` with `prefix` removed from the names that have it."""
    return {name.removeprefix(prefix): value for name, value in state.items()}


def modern_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """`state` with names that torchvision has given up (DenseNet's) in their present form."""
    return {_OLD_DENSENET.sub(r"\1\2", name): tensor for name, tensor in state.items()}


def _opened(path: Path) -> IO[bytes]:
    try:
        # Without O_NONBLOCK a pipe without a writer would hang here.
        descriptor = os.open(
            path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        )
    except (OSError, ValueError) as error:
        words = getattr(error, "strerror", None) or str(error)
        raise ExplorerError(f"{path.name or path} cannot be opened: {words}.") from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ExplorerError(f"{path.name or path} is not a regular file.")
    return os.fdopen(descriptor, "rb")


def _content(file: IO[bytes], size: int, name: str) -> tuple[Any, tuple[str, ...]]:
    head = file.read(64)
    file.seek(0)
    if not head:
        raise ExplorerError(f"{name} is empty.")
    try:
        if head.startswith(b"PK"):
            return _read_zip(file, size, name), ()
        if _is_safetensors(head, size):
            return _read_safetensors(file)
        for magic, what in _FORMATS:
            if head.lower().startswith(magic.lower()):
                raise ExplorerError(f"{name} is {what}.", "Choose a PyTorch or safetensors file.")
        if not head.startswith(b"\x80"):
            raise ExplorerError(
                f"{name} is not a file of PyTorch weights.",
                "It must be a .pth, .pt or .safetensors file with a state dict.",
            )
        return _load(file, name), ()
    except ExplorerError:
        raise
    except MemoryError as error:
        raise ExplorerError(f"There is not enough memory to read {name}.") from error
    # A damaged file makes the readers raise almost anything (KeyError, UnicodeDecodeError,
    # RuntimeError, RecursionError …), and none of it is a defect of ours.
    except Exception as error:
        raise ExplorerError(f"{name} is damaged: {_first_line(error)}.") from error


def _read_zip(file: IO[bytes], size: int, name: str) -> Any:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ExplorerError(
            f"{name} is damaged: it is truncated or altered.", "Copy or download it again."
        ) from error
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    for entry in entries:
        if entry.compress_type != zipfile.ZIP_STORED:
            raise ExplorerError(
                f"{name} is a compressed archive, which torch never writes.",
                "Unpack it and choose the weights inside.",
            )
    if sum(entry.file_size for entry in entries) > size:
        raise ExplorerError(f"{name} is damaged: it declares more data than its size.")
    if len(set(names)) != len(names):
        raise ExplorerError(f"{name} is damaged: it has two entries with one name.")
    if any("/code/" in entry or entry.endswith("constants.pkl") for entry in names):
        raise ExplorerError(
            f"{name} is a TorchScript program; loading it would run code from the file.",
            "Save the weights alone: torch.save(model.state_dict(), file).",
        )
    if any(
        "archive_format" in entry
        or entry.endswith((".pt2", "serialized_exported_program.json", "models/model.json"))
        for entry in names
    ):
        raise ExplorerError(
            f"{name} is a program exported with torch.export, not weights.",
            "Save the weights alone: torch.save(model.state_dict(), file).",
        )
    programs = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(programs) != 1:
        raise ExplorerError(f"{name} is a zip archive without PyTorch weights.")
    root = programs[0].filename.removesuffix("data.pkl")
    sizes = {entry.filename.removeprefix(f"{root}data/"): entry.file_size for entry in entries}
    _check_storages(archive.read(programs[0]), sizes, name)
    file.seek(0)
    return _load(file, name)


def _check_storages(program: bytes, sizes: Mapping[str, int], name: str) -> None:
    # Older torch versions trust the size that the pickle claims and read beyond the record.
    for storage in pickles.scan(program).storages:
        if storage.bytes > sizes.get(storage.key, -1):
            raise ExplorerError(
                f"{name} is damaged: a tensor declares {storage.bytes} bytes where the file has "
                f"{max(sizes.get(storage.key, 0), 0)}."
            )


def _load(file: IO[bytes], name: str) -> Any:
    try:
        # Training programs keep their arguments beside the weights; a namespace only holds values.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except pickles.UnpicklingError as error:
        found = _foreign_classes(file, str(error))
        if not found:
            raise
        raise ExplorerError(
            f"{name} contains Python objects ({_listed(found)}); loading them could run "
            "arbitrary code.",
            "Save the weights alone: torch.save(model.state_dict(), file).",
        ) from error


def _foreign_classes(file: IO[bytes], message: str) -> list[str]:
    """The classes and functions in a pickle that `weights_only` refuses."""
    file.seek(0)
    found: set[str] = set()
    if zipfile.is_zipfile(file):
        file.seek(0)
        found = set(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    found |= set(re.findall(r"GLOBAL ([\w.]+) was not an allowed", message))
    return sorted(found - {"argparse.Namespace"})


def _is_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < size


def _read_safetensors(file: IO[bytes]) -> tuple[Any, tuple[str, ...]]:
    # From bytes, not from the path: that would map the file into memory.
    return safetensors.torch.load(file.read()), ()


def _find_tensors(content: Any, depth: int = 3) -> tuple[Mapping[Any, Any], str] | None:
    """The mapping that holds the weights, and the dotted place where it was."""
    if not isinstance(content, Mapping):
        return None
    if any(isinstance(value, Tensor) for value in content.values()) and not any(
        isinstance(content.get(nest), Mapping) for nest in NESTS
    ):
        return content, ""
    if depth:
        for nest in NESTS:
            inner = _find_tensors(content.get(nest), depth - 1)
            if inner is not None:
                return inner[0], f"{nest}.{inner[1]}".rstrip(".")
    return None


def _cleaned(tensors: Mapping[Any, Any], name: str) -> dict[str, Tensor]:
    clean: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if not (isinstance(key, str) and isinstance(value, Tensor)):
            continue  # counters and settings beside the weights
        clean[key] = _plain(value.detach(), key, name)
    return modern_names(clean)


def _plain(tensor: Tensor, key: str, name: str) -> Tensor:
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise ExplorerError(f"{name} cannot be used: {_short(key)} is a {tensor.layout} tensor.")
    if tensor.is_quantized:
        raise ExplorerError(
            f"{name} contains quantized weights, which are not supported.",
            "Choose the float weights of this network.",
        )
    if tensor.is_complex():
        raise ExplorerError(f"{name} cannot be used: {_short(key)} holds complex numbers.")
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ExplorerError(
            f"{name} is damaged: {_short(key)} declares {tensor.numel()} values where "
            f"{tensor.untyped_storage().nbytes()} bytes are stored."
        )
    if tensor.is_floating_point() and tensor.dtype != torch.float32:
        return tensor.float()
    return tensor


def _class_names(content: Any) -> tuple[str, ...]:
    if not isinstance(content, Mapping):
        return ()
    for place in (
        content,
        content.get("meta"),
        content.get("args"),
        content.get("hyper_parameters"),
    ):
        for key in CLASS_LISTS:
            names = place.get(key) if isinstance(place, Mapping) else None
            if isinstance(names, Mapping) and all(isinstance(index, int) for index in names):
                names = [names[index] for index in sorted(names)]
            if (
                isinstance(names, (list, tuple))
                and names
                and all(isinstance(n, str) for n in names)
            ):
                return tuple(names)
    index = content.get("class_to_idx")
    if isinstance(index, Mapping) and sorted(map(str, index.values())) == sorted(
        map(str, range(len(index)))
    ):
        return tuple(sorted(map(str, index), key=lambda word: int(index[word])))
    return ()


def _first_line(error: BaseException) -> str:
    text = str(error).strip()
    line = text.splitlines()[0] if text else type(error).__name__
    return _short(line.rstrip("."), 120)


def _short(text: str, most: int = 60) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _listed(words: list[str], most: int = 4) -> str:
    shown = ", ".join(_short(word) for word in words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"
