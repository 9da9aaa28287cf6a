"""What a pickle would build, found without building it: the storages that it claims.

A symbolic run of the opcodes with the standard library's own table of what each takes from the
stack and puts on it. Constants are kept, everything that would be made is forgotten.
"""

from __future__ import annotations

import pickletools
from dataclasses import dataclass
from pickle import UnpicklingError
from typing import Any

__all__ = ["Scan", "Storage", "UnpicklingError", "scan"]

_BYTES = {
    "Double": 8, "Float": 4, "Half": 2, "BFloat16": 2, "Long": 8, "Int": 4, "Short": 2, "Char": 1,
    "Byte": 1, "Bool": 1, "ComplexDouble": 16, "ComplexFloat": 8, "Untyped": 1,
}  # fmt: skip

_MARK = object()
_TUPLES = {"TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "EMPTY_TUPLE"}
_PUTS = {"PUT", "BINPUT", "LONG_BINPUT"}
_GETS = {"GET", "BINGET", "LONG_BINGET"}
_NAMES = {"GLOBAL", "INST"}


@dataclass(frozen=True, slots=True)
class Storage:
    """A storage named by a pickle: its record in the file and how many bytes it claims there."""

    key: str
    bytes: int


@dataclass(frozen=True, slots=True)
class Scan:
    """What a pickle names: its storages, and the classes and functions as dotted words."""

    storages: tuple[Storage, ...]
    names: frozenset[str]


def scan(program: bytes) -> Scan:
    """Reads a pickle's opcodes without executing any.

    Raises:
        ValueError: When it is no pickle.
        UnpicklingError: When its stack runs empty.
    """
    stack: list[Any] = []
    memo: dict[Any, Any] = {}
    storages: list[Storage] = []
    names: set[str] = set()
    argument: Any
    for opcode, argument, _ in pickletools.genops(program):
        name = opcode.name
        if name in _PUTS:
            memo[argument] = stack[-1] if stack else None
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1] if stack else None
        elif name in _GETS:
            stack.append(memo.get(argument))
        elif name in _NAMES:
            words = str(argument).replace(" ", ".", 1)
            names.add(words)
            if name == "INST":
                _pop_to_mark(stack)
            stack.append(words)
        elif name == "MARK":
            stack.append(_MARK)
        else:
            taken = _take(stack, opcode)
            if name == "BINPERSID":
                storage = _storage(taken[-1])
                if storage is not None:
                    storages.append(storage)
            if name == "STACK_GLOBAL":
                words = f"{taken[0]}.{taken[1]}"
                names.add(words)
                stack.append(words)
            elif name in _TUPLES:
                stack.append(tuple(taken))
            elif name == "DUP":
                stack += taken * 2
            else:
                value = argument if not opcode.stack_before else None
                stack += [value] * len(opcode.stack_after)
    return Scan(tuple(storages), frozenset(names))


def _take(stack: list[Any], opcode: pickletools.OpcodeInfo) -> list[Any]:
    before = opcode.stack_before
    if pickletools.markobject in before:
        inside = _pop_to_mark(stack)
        below = before.index(pickletools.markobject)
        return _pop(stack, below) + inside
    return _pop(stack, len(before))


def _pop(stack: list[Any], count: int) -> list[Any]:
    if count > len(stack):
        raise UnpicklingError("its stack runs empty")
    taken = stack[len(stack) - count :]
    del stack[len(stack) - count :]
    return taken


def _pop_to_mark(stack: list[Any]) -> list[Any]:
    taken: list[Any] = []
    while stack:
        value = stack.pop()
        if value is _MARK:
            return taken[::-1]
        taken.append(value)
    raise UnpicklingError("its stack runs empty")


def _storage(identity: Any) -> Storage | None:
    # ("storage", class, record, location, number of elements)
    match identity:
        case ("storage", str(kind), str(key), _, int(count), *_):
            width = _BYTES.get(kind.rpartition(".")[2].removesuffix("Storage"), 1)
            return Storage(key, count * width)
    return None
