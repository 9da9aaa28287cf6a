"""Reading weights from a file that anybody may have made.

Nothing in a file is executed (`weights_only`), nothing is believed before it was compared with the
size of the file, and whatever a loader raises becomes one sentence. A file is judged by its content
and not by its name. It stays open while it is read, so replacing it meanwhile does no harm, and no
tensor that is handed out looks into it (a file cut short later would kill the process).
"""

from __future__ import annotations

import json
import os
import re
import stat
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import safetensors
import safetensors.torch
import torch
from torch import Tensor

from explorer.core.errors import ExplorerError
from explorer.core.network_info import file_and_part, other_networks
from explorer.core.reading import read_file
from explorer.networks.checkpoints import contents, pickles
from explorer.networks.checkpoints.alignment import siblings, unwrapped
from explorer.networks.checkpoints.derived import put_together
from explorer.networks.checkpoints.eight_bit import unpacked
from explorer.networks.checkpoints.harmless import allowed, allowed_names

if TYPE_CHECKING:
    from pathlib import Path

SAFE_PROTOCOL = 2
"""Of pickles: torch's reader that runs nothing knows no later one."""

_MOST_SIDECAR = 1 << 20
_MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"
"""Near the beginning of what torch.save has written without a zip archive."""

_NUMBERS = frozenset(
    {
        "F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "I64",
        "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL", "C64",
    }
)  # fmt: skip
"""Of safetensors. The scales of blocks (F8_E8M0) and halves of bytes (F4) are no weights alone."""

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
        parts: Where the networks of the file stand, the one that was read first; empty when it
            has one.
        architecture: What the file calls its architecture; "" where it does not.
        sidecar: What a JSON file of the same name beside it says; empty without one.
    """

    name: str
    tensors: Mapping[str, Tensor]
    versions: Mapping[str, Any] | None = None
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    parts: tuple[str, ...] = ()
    architecture: str = ""
    sidecar: Mapping[str, Any] = field(default_factory=dict)


def read(path: Path) -> Checkpoint:
    """The tensors of a .pth, .pt, .ckpt or .safetensors file, told apart by content.

    Where a file holds several networks the one that was trained is taken, not an average or a
    teacher; ``FILE#PART`` names another one.

    Raises:
        ExplorerError: Whatever is wrong with it, in one sentence.
    """
    path, part = file_and_part(path)
    with _opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        content = _content(file, size, path.name)
    every = found = contents.places(content)
    if part:
        found = [place for place in found if part in (place.name, *place.path)] or [
            contents.Place((part,), inner, 0)
            for place in found
            if (inner := below(unwrapped(place.tensors, ()), f"{part}."))
        ]
    if any("_packed_params" in key for key in contents.keys(content)):
        raise _quantized(path.name)
    if not found:
        raise _without_weights(content, path.name, part)
    place = found[0]
    tensors, derived = put_together(unpacked(_cleaned(place.tensors, path.name)), path.name)
    versions = getattr(place.tensors, "_metadata", None)
    notes = [f"The weights were found under {place.name!r} in {path.name}."] if place.path else []
    alike = [
        other.name
        for other in every
        if other is not place and other.numbers * 2 >= place.numbers and other.path
    ]
    if alike and not part:
        notes.append(other_networks(path.name, alike))
    if place not in every:  # a beginning of names, of which the file may have more
        alike = [
            other
            for inner in every
            for other in siblings(unwrapped(inner.tensors, ()), part)
        ]  # fmt: skip
    return Checkpoint(
        name=path.name,
        tensors=tensors,
        versions=versions if isinstance(versions, Mapping) else None,
        classes=contents.class_names(content),
        notes=(*notes, *([derived] if derived else [])),
        parts=(place.name, *alike) if alike else (),
        architecture=contents.architecture(content),
        sidecar=_sidecar(path),
    )


def _sidecar(path: Path) -> Mapping[str, Any]:
    """The mapping in the .json file beside the weights; one that is none is ignored."""
    beside = path.with_suffix(".json")
    try:
        found = json.loads(read_file(beside, limit=_MOST_SIDECAR, kind="JSON", smaller=""))
    except (ExplorerError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def below(state: Mapping[Any, Any], prefix: str) -> dict[str, Any]:
    """What stands under `prefix`, without it."""
    return {
        key.removeprefix(prefix): value
        for key, value in state.items()
        if isinstance(key, str) and key.startswith(prefix)
    }


def _without_weights(content: Any, name: str, part: str) -> ExplorerError:
    keys = [str(key) for key in content] if isinstance(content, Mapping) else []
    if part:
        return ExplorerError(
            f"{name} has no part {part!r} with weights.", f"Its keys are {_listed(keys, 8)}."
        )
    inside = f"only {_listed(keys, 6)}" if keys else f"a {type(content).__name__}"
    return ExplorerError(
        f"{name} contains no weights, but {inside}.",
        "It must contain a state dict, a mapping from names to tensors.",
    )


def not_finite(tensors: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Names of the tensors in which a NaN or an infinity is."""
    return tuple(
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    )


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
        raise ExplorerError(
            f"{path.name or path} cannot be opened: {words}.", "Check its permissions and the disk."
        ) from error
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ExplorerError(
            f"{path.name or path} is not a regular file.", "Choose a PyTorch or safetensors file."
        )
    return os.fdopen(descriptor, "rb")


def _content(file: IO[bytes], size: int, name: str) -> Any:
    head = file.read(64)
    file.seek(0)
    if not head:
        raise ExplorerError(f"{name} is empty.", "Copy or download it again.")
    try:
        if head.startswith(b"PK"):
            return _read_zip(file, size, name)
        if _is_safetensors(head, size):
            return _read_safetensors(file, name)
        for magic, what in _FORMATS:
            if head.lower().startswith(magic.lower()):
                raise ExplorerError(f"{name} is {what}.", "Choose a PyTorch or safetensors file.")
        if not head.startswith(b"\x80"):
            raise ExplorerError(
                f"{name} is not a file of PyTorch weights.",
                "It must be a .pth, .pt or .safetensors file with a state dict.",
            )
        if _MAGIC not in head:
            raise ExplorerError(
                f"{name} is a pickle that was not written by torch.save.",
                "Save the weights alone: torch.save(model.state_dict(), file).",
            )
        return _load(file, name)
    except ExplorerError:
        raise
    except MemoryError as error:
        raise ExplorerError(
            f"There is not enough memory to read {name}.", "Close other programs and try again."
        ) from error
    # A damaged file makes the readers raise almost anything (KeyError, UnicodeDecodeError,
    # RuntimeError, RecursionError …), and none of it is a defect of ours.
    except Exception as error:
        raise ExplorerError(
            f"{name} is damaged: {_first_line(error)}.", "Copy or download it again."
        ) from error


def _read_zip(file: IO[bytes], size: int, name: str) -> Any:
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ExplorerError(
            f"{name} is damaged: it is truncated or altered.", "Copy or download it again."
        ) from error
    entries = archive.infolist()
    names = [entry.filename for entry in entries]
    # Programs first: their code is compressed where torch writes it.
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
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        raise ExplorerError(
            f"{name} is a compressed archive, which torch never writes.",
            "Unpack it and choose the weights inside.",
        )
    if sum(entry.file_size for entry in entries) > size:
        raise ExplorerError(
            f"{name} is damaged: it declares more data than its size.", "Copy or download it again."
        )
    if len(set(names)) != len(names):
        raise ExplorerError(
            f"{name} is damaged: it has two entries with one name.", "Copy or download it again."
        )
    programs = [entry for entry in entries if entry.filename.endswith("/data.pkl")]
    if len(programs) != 1:
        raise ExplorerError(
            f"{name} is a zip archive without PyTorch weights.",
            "Choose a PyTorch or safetensors file.",
        )
    root = programs[0].filename.removesuffix("data.pkl")
    sizes = {entry.filename.removeprefix(f"{root}data/"): entry.file_size for entry in entries}
    _check_storages(archive.read(programs[0]), sizes, name)
    file.seek(0)
    return _load(file, name)


def _check_storages(program: bytes, sizes: Mapping[str, int], name: str) -> None:
    # Older torch versions believe the size in the pickle and read beyond the record.
    for storage in pickles.scan(program).storages:
        if storage.bytes > sizes.get(storage.key, -1):
            raise ExplorerError(
                f"{name} is damaged: a tensor declares {storage.bytes} bytes where the file has "
                f"{max(sizes.get(storage.key, 0), 0)}.",
                "Copy or download it again.",
            )


def _load(file: IO[bytes], name: str) -> Any:
    try:
        with torch.serialization.safe_globals(allowed()), warnings.catch_warnings():
            # Its words about the pickle's protocol are replaced below.
            warnings.simplefilter("ignore", UserWarning)
            return torch.load(file, map_location="cpu", weights_only=True, mmap=False)
    except pickles.UnpicklingError as error:
        protocol = _protocol(file)
        if protocol > SAFE_PROTOCOL:
            raise ExplorerError(
                f"{name} was saved with pickle_protocol={protocol}, which cannot be read without "
                "running code.",
                "Save it again without that argument: torch.save(model.state_dict(), file).",
            ) from error
        found = _foreign_classes(file, str(error))
        if found:
            raise ExplorerError(
                f"{name} contains Python objects ({_listed(found)}); loading them could run "
                "arbitrary code.",
                "Save the weights alone: torch.save(model.state_dict(), file).",
            ) from error
        raise


def _protocol(file: IO[bytes]) -> int:
    """The protocol of the pickle, 0 where it is not known."""
    file.seek(0)
    head = file.read(2)
    if head == b"PK":
        with zipfile.ZipFile(file) as archive:
            root = next((n for n in archive.namelist() if n.endswith("/data.pkl")), None)
            head = archive.read(root)[:2] if root is not None else b""
    return head[1] if head[:1] == b"\x80" and len(head) > 1 else 0


def _foreign_classes(file: IO[bytes], message: str) -> list[str]:
    """The classes and functions in a pickle that `weights_only` refuses."""
    file.seek(0)
    found: set[str] = set()
    if zipfile.is_zipfile(file):
        file.seek(0)
        found = set(torch.serialization.get_unsafe_globals_in_checkpoint(file))
    found |= set(re.findall(r"GLOBAL ([\w.]+) was not an allowed", message))
    return sorted(found - set(allowed_names()))


def _is_safetensors(head: bytes, size: int) -> bool:
    return len(head) > 8 and head[8:9] == b"{" and 2 <= int.from_bytes(head[:8], "little") < size


def _read_safetensors(file: IO[bytes], name: str) -> Any:
    data = file.read()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    about = header.pop("__metadata__", {})
    for key, entry in header.items():
        if entry["dtype"] not in _NUMBERS:
            raise ExplorerError(
                f"{name} cannot be used: {_short(key)} is stored as {_short(entry['dtype'])}, "
                "which is not a supported number type for weights.",
                "Choose a file with float weights.",
            )
    # From bytes, not from the path: that would map the file into memory.
    return {**about, **safetensors.torch.load(data)}


def _cleaned(tensors: Mapping[Any, Any], name: str) -> dict[str, Tensor]:
    clean: dict[str, Tensor] = {}
    for key, value in tensors.items():
        if isinstance(key, str) and isinstance(value, (Tensor, np.ndarray)):
            clean[key] = _plain(contents.as_tensor(value), key, name)
        # the rest are counters and settings beside the weights
    return modern_names(clean)


def _quantized(name: str) -> ExplorerError:
    return ExplorerError(
        f"{name} contains quantized weights, which are not supported.",
        "Choose the float weights of this network.",
    )


def _plain(tensor: Tensor, key: str, name: str) -> Tensor:
    if tensor.device.type == "meta":
        raise ExplorerError(
            f"{name} contains no values: {_short(key)} was saved from the meta device.",
            "Save the weights after materializing and training the network.",
        )
    if tensor.layout != torch.strided or tensor.device.type != "cpu":
        raise ExplorerError(
            f"{name} cannot be used: {_short(key)} is a {tensor.layout} tensor.",
            "Save the weights as dense float tensors.",
        )
    if tensor.is_quantized:
        raise _quantized(name)
    if "float8_e8m0" in str(tensor.dtype) or "float4" in str(tensor.dtype):
        raise ExplorerError(
            f"{name} cannot be used: {_short(key)} is stored as {str(tensor.dtype)[6:]}, which "
            "is not a supported number type for weights.",
            "Choose a file with float weights.",
        )
    if tensor.is_complex():
        raise ExplorerError(
            f"{name} cannot be used: {_short(key)} holds complex numbers.",
            "Save the weights as dense float tensors.",
        )
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        raise ExplorerError(
            f"{name} is damaged: {_short(key)} declares {tensor.numel()} values where "
            f"{tensor.untyped_storage().nbytes()} bytes are stored.",
            "Copy or download it again.",
        )
    if tensor.is_floating_point() and tensor.dtype != torch.float32:
        return tensor.float()
    return tensor


def _first_line(error: BaseException) -> str:
    # torch explains first how to switch its safety off.
    text = str(error).rpartition("WeightsUnpickler error:")[2].strip()
    line = text.splitlines()[0] if text else type(error).__name__
    return _short(line.rstrip("."), 120)


def _short(text: str, most: int = 60) -> str:
    text = "".join(letter if letter.isprintable() else "?" for letter in text)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def _listed(words: list[str], most: int = 4) -> str:
    shown = ", ".join(_short(word) for word in words[:most])
    return shown if len(words) <= most else f"{shown} and {len(words) - most} more"
