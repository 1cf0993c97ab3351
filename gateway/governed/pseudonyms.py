"""Reversible pseudonyms: placeholders go out in place of personal values, and come back as values.

`【姓名1】` stands for one value throughout a request, wherever it is written. Nothing is kept: the
table lives as long as the request. Knows no grade.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import orjson

from zhengwu.pii.finding import KIND_NAMES, Finding

Detects = Callable[[str], Sequence[Finding]]
_STANDS = re.compile(r"【[^【】]{1,12}?\d{1,4}】")
NAMED = frozenset({"model", "type", "role", "tool_choice", "finish_reason"})
"""Fields whose words are the wire's own and are never replaced."""


@dataclass(frozen=True)
class Pseudonyms:
    """The placeholders of one request and the values they stand for."""

    values: Mapping[str, str]

    def restored(self, text: str) -> str:
        """`text` with every placeholder of ours as its value."""
        return _STANDS.sub(lambda found: self.values.get(found[0], found[0]), text)

    def restored_json(self, text: str) -> str:
        """The same inside a text that is JSON, where values are written as JSON writes them."""

        def value(found: re.Match[str]) -> str:
            known = self.values.get(_unescaped(found[0]))
            return found[0] if known is None else orjson.dumps(known).decode()[1:-1]

        return _STANDS_IN_JSON.sub(value, text)


_STANDS_IN_JSON = re.compile(
    r"(?:【|\\u3010)(?:[^【】\\\"]|\\u[0-9a-fA-F]{4}){1,12}?\d{1,4}(?:】|\\u3011)", re.IGNORECASE
)


def _unescaped(text: str) -> str:
    return re.sub(r"\\u([0-9a-fA-F]{4})", lambda sign: chr(int(sign[1], 16)), text)


def pseudonymised(body: object, detects: Detects) -> tuple[object, Pseudonyms]:
    """The body with every value that is found in one of its strings as a placeholder."""
    taken = frozenset(_STANDS.findall(orjson.dumps(body).decode()))
    naming = _Naming(detects, taken)
    return naming.replaced(body), Pseudonyms(naming.values())


class _Naming:
    """Gives each value its placeholder, the same one wherever the value stands."""

    def __init__(self, detects: Detects, taken: frozenset[str]) -> None:
        self._detects = detects
        self._taken = taken
        self._names: dict[tuple[str, str], str] = {}
        self._counts: dict[str, int] = {}

    def values(self) -> dict[str, str]:
        """What each placeholder stands for."""
        return {name: value for (_, value), name in self._names.items()}

    def replaced(self, value: object) -> object:
        """A JSON value with placeholders; keys and numbers stay as they are."""
        if isinstance(value, str):
            return self._text(value)
        if isinstance(value, list):
            return [self.replaced(item) for item in cast("list[object]", value)]
        if isinstance(value, dict):
            fields = cast("dict[str, object]", value)
            return {
                key: item if key in NAMED and isinstance(item, str) else self.replaced(item)
                for key, item in fields.items()
            }
        return value

    def _text(self, text: str) -> str:
        found = sorted(self._detects(text), key=lambda each: each.start)
        parts: list[str] = []
        at = 0
        for each in found:
            parts += [text[at : each.start], self._name(each.kind, text[each.start : each.end])]
            at = each.end
        return "".join([*parts, text[at:]])

    def _name(self, kind: str, value: str) -> str:
        if (kind, value) not in self._names:
            self._names[kind, value] = self._next(KIND_NAMES.get(kind, "信息"))
        return self._names[kind, value]

    def _next(self, word: str) -> str:
        while True:
            self._counts[word] = self._counts.get(word, 0) + 1
            name = f"【{word}{self._counts[word]}】"
            if name not in self._taken:
                return name
