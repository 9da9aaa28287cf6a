"""What the settings of a run share: their form in JSON, and their differences in words."""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any, ClassVar, Self

from explorer.core.errors import ExplorerError

if TYPE_CHECKING:
    from collections.abc import Mapping


class Settings:
    """A frozen dataclass of plain values and of tuples of (word, number) pairs, with defaults."""

    __slots__ = ()
    WORDS: ClassVar[Mapping[str, str]] = {}
    """What fields are called for people, where their names do not say it."""

    def plain(self) -> dict[str, Any]:
        """As JSON has it."""
        found = asdict(self)  # type: ignore[call-overload]
        return {
            name: [list(pair) for pair in value] if isinstance(value, tuple) else value
            for name, value in found.items()
        }

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> Self:
        """The inverse of `plain`.

        Raises:
            ExplorerError: These are no settings of this version.
        """
        known = {field.name: field for field in fields(cls)}  # type: ignore[arg-type]
        try:
            values = {name: _like(known[name].default, value) for name, value in plain.items()}
        except (KeyError, TypeError, ValueError) as error:
            raise ExplorerError(
                "The settings of this run cannot be read.", "It is of another version."
            ) from error
        return cls(**values)

    def differences(self, other: Self) -> str:
        """What of `other` is not so here, in words: "rate 0.5, norm off"; "" = nothing."""
        words = []
        for field in fields(self):  # type: ignore[arg-type]
            own, its = getattr(self, field.name), getattr(other, field.name)
            if own != its:
                words.append(f"{self.WORDS.get(field.name, field.name)} {_word(its)}")
        return ", ".join(words)


def _word(value: Any) -> str:
    match value:
        case bool():
            return "on" if value else "off"
        case float():
            return f"{value:g}"
        case tuple():
            return " + ".join(f"{kind} {strength:g}" for kind, strength in value) or "none"
        case _:
            return str(value)


def _like(default: Any, value: Any) -> Any:
    """`value` as the default's type, out of JSON; nothing else is taken."""
    if isinstance(default, tuple):
        return tuple((str(kind), float(strength)) for kind, strength in value)
    if isinstance(default, bool) is not isinstance(value, bool):
        raise TypeError(f"{value!r} is no {type(default).__name__}")
    return type(default)(value)
