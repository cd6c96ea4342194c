"""Rows as asyncpg gives them: tuples that also know their columns by name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cache
from typing import Any


class Row(tuple[Any, ...]):
    """Base of the row types that `row_type` makes."""

    __slots__ = ()
    names: dict[str, int] = {}  # noqa: RUF012 - set once, for each type of row

    def __getitem__(self, key: Any) -> Any:
        return tuple.__getitem__(self, self.names[key] if isinstance(key, str) else key)

    def keys(self) -> Iterator[str]:
        return iter(self.names)

    def get(self, name: str, default: Any = None) -> Any:
        return self[name] if name in self.names else default


@cache
def row_type(*names: str) -> type[Row]:
    """The type of rows with these columns."""
    return type("Row", (Row,), {"__slots__": (), "names": {name: place for place, name in enumerate(names)}})


def says(sql: str, *words: str) -> bool:
    """Whether a statement says all of these, whatever its line breaks: a guard that it does not say is not kept."""
    text = " ".join(sql.split())
    return all(each in text for each in words)


def reads(meaning: Callable[..., Any]) -> Callable[..., Any]:
    """Marks the meaning of a statement that writes and locks nothing."""
    meaning.only_reads = True  # type: ignore[attr-defined]
    return meaning


def columns(arguments: Sequence[Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The rows of `unnest` over these arrays."""
    return list(zip(*arguments, strict=True))
