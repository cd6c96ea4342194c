"""The event classes that a reader understands, in all their versions.

A newer version declares what becomes of the one before it (`Event`), so who takes the newest is given the older ones,
too. What is read in one version is never passed by in another: a version that is not known may mean anything.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Set
from types import ModuleType
from typing import Any

import msgspec

from shared.events.event import Event, Undecodable, events_of, wire_name


class UnknownType(LookupError):
    """A wire name that this reader has no class for."""


class UnknownVersion(UnknownType):
    """A version of an event that this reader reads in others only: it may mean anything, and is not passed by."""


def stem(name: str) -> str:
    """A wire name without its version: what all versions of an event have in common."""
    return name.rpartition(".v")[0] or name


def older_version(event: type[Event]) -> type[Event] | None:
    """The version before it, as its `upcast` declares; None for a first one."""
    declared = vars(event).get("upcast")
    if declared is None:
        return None
    (older,) = events_of(declared.__func__, "older")
    if stem(wire_name(older)) != stem(wire_name(event)):
        raise TypeError(f"{wire_name(event)} is no newer version of {wire_name(older)}")
    return older


class Catalogue:
    """The event classes one reader understands, by wire name, with the older versions that they declare.

    An older version is decoded and handed out as the newest of those given. `handed_out` is, by stem, what that is.
    """

    def __init__(self, events: Iterable[type[Event]]) -> None:
        given = list(events)
        self._upcasts: dict[type[Event], Callable[[Any], Event]] = {}
        found: dict[str, type[Event]] = {}
        for event in given:
            newer = event
            found[wire_name(newer)] = newer
            while (older := older_version(newer)) is not None:
                self._upcasts[older] = vars(newer)["upcast"].__get__(None, newer)
                found[wire_name(older)] = newer = older
        self.events: Mapping[str, type[Event]] = found
        self._decoders = {name: msgspec.json.Decoder(event) for name, event in found.items()}
        newest: dict[str, set[type[Event]]] = {}
        for event in given:
            if event not in self._upcasts:
                newest.setdefault(stem(wire_name(event)), set()).add(event)
        self.handed_out: Mapping[str, Set[type[Event]]] = newest

    @classmethod
    def of(cls, module: ModuleType) -> Catalogue:
        """Every event class that a module defines."""
        return cls(
            member
            for _, member in inspect.getmembers(module, inspect.isclass)
            if issubclass(member, Event) and member is not Event and member.__module__ == module.__name__
        )

    def __contains__(self, name: str) -> bool:
        """Whether it reads that event, in whatever version."""
        return stem(name) in self.handed_out

    def decode(self, name: str, data: bytes | msgspec.Raw) -> Event:
        """The event of that wire name, in its newest version.

        Raises `UnknownType` for a name that is not in the catalogue, `UnknownVersion` where only another version of it
        is, `Undecodable` for data that does not fit it.
        """
        decoder = self._decoders.get(name)
        if decoder is None:
            if name in self:
                raise UnknownVersion(f"{name} is a version that nobody here knows")
            raise UnknownType(name)
        try:
            event: Event = decoder.decode(data)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise Undecodable(f"{name}: {error}") from error
        while (upcast := self._upcasts.get(type(event))) is not None:
            event = upcast(event)
        return event
