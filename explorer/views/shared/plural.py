"""Names of classes after a number: "1 dog", "2 dogs", "3 buildings or structures"."""

from __future__ import annotations

import re

_LINKS = re.compile(r"(, | or | and )")
_ODD = {
    "child": "children", "fish": "fish", "foot": "feet", "goose": "geese", "man": "men",
    "mouse": "mice", "ox": "oxen", "person": "people", "sheep": "sheep", "tooth": "teeth",
    "woman": "women",
}  # fmt: skip
_UNCOUNTED = frozenset(
    {"aircraft", "bison", "broccoli", "clothing", "deer", "food", "fruit", "furniture"}
)


def plural(name: str, count: int) -> str:
    """`name` as it stands behind `count`; names that end in no small letter stay as they are."""
    if count == 1:
        return name
    return "".join(
        part if _LINKS.fullmatch(part) else _several(part) for part in _LINKS.split(name)
    )


def _several(words: str) -> str:
    before, space, last = words.rpartition(" ")
    return f"{before}{space}{_plural_of(last)}"


def _plural_of(word: str) -> str:
    if word in _ODD:
        return _ODD[word]
    if word in _UNCOUNTED or not re.search(r"[a-z]$", word):
        return word
    if re.search(r"([^aeiou]y)$", word):
        return f"{word[:-1]}ies"
    if re.search(r"(kni|wi|li|shel|lea|loa|cal|wol)fe?$", word):
        return re.sub(r"fe?$", "ves", word)
    if re.search(r"(ss|us|x|z|ch|sh)$", word):
        return f"{word}es"
    return word if word.endswith("s") else f"{word}s"
