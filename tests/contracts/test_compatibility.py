"""A change to a published event is refused unless old and new readers both survive it."""

from __future__ import annotations

import json
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Annotated
from uuid import UUID

import msgspec
import pytest

from deploy.contracts.compatibility import breaks
from deploy.contracts.events import data_schema, sample
from deploy.contracts.history import broken_promises
from shared.events.catalogue import Catalogue
from shared.events.envelope import from_wire
from shared.events.event import Event, Text

TAG = "guildhall.toy.thread-opened.v1"
PATH = f"contracts/events/{TAG}.schema.json"


class Published(Event, frozen=True, tag=TAG):
    """Somebody opened a thread."""

    thread_id: UUID
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    tags: tuple[str, ...]
    text: Text | None = None


class WithOptional(Event, frozen=True, tag=TAG):
    thread_id: UUID
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    tags: tuple[str, ...]
    text: Text | None = None
    pinned: bool = False


class WithRequired(Event, frozen=True, tag=TAG):
    thread_id: UUID
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    tags: tuple[str, ...]
    pinned: bool
    text: Text | None = None


class Without(Event, frozen=True, tag=TAG):
    thread_id: UUID
    tags: tuple[str, ...]
    text: Text | None = None


class OfAnotherType(Event, frozen=True, tag=TAG):
    thread_id: str
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    tags: tuple[int, ...]
    text: Text | None = None


class Nullable(Event, frozen=True, tag=TAG):
    thread_id: UUID | None
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    tags: tuple[str, ...]
    text: Text | None = None


class NoLongerRequired(Event, frozen=True, tag=TAG):
    thread_id: UUID
    at: Annotated[datetime, msgspec.Meta(tz=True)]
    tags: tuple[str, ...] = ()
    text: Text | None = None


def test_the_same_schema_breaks_nothing() -> None:
    assert breaks(data_schema(Published), data_schema(Published)) == []


def test_an_added_optional_field_breaks_nothing() -> None:
    assert breaks(data_schema(Published), data_schema(WithOptional)) == []


@pytest.mark.parametrize(
    ("changed", "fields"),
    [
        (WithRequired, ["data.pinned"]),
        (Without, ["data.at"]),
        (OfAnotherType, ["data.thread_id", "data.tags[]"]),
        (Nullable, ["data.thread_id"]),
        (NoLongerRequired, ["data.tags"]),
    ],
)
def test_every_other_change_is_named_with_its_field(changed: type[Event], fields: list[str]) -> None:
    found = breaks(data_schema(Published), data_schema(changed))

    assert [problem.split()[0] for problem in found] == fields


def test_a_change_inside_a_part_that_events_share_is_found() -> None:
    old, new = data_schema(Published), data_schema(Published)
    new["$defs"]["Text"]["properties"].pop("length")

    assert [problem.split()[0] for problem in breaks(old, new)] == ["data.text.length"]


@pytest.fixture
def repository(servers: None, tmp_path: Path) -> Path:
    """A repository in which the event has been published."""
    schema = tmp_path / PATH
    schema.parent.mkdir(parents=True)
    schema.write_text(json.dumps(data_schema(Published)))
    who = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "Publish"]):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    return tmp_path


def test_what_was_committed_binds_what_comes_after(repository: Path) -> None:
    assert broken_promises(repository, {PATH: data_schema(WithOptional)}) == []
    (problem,) = broken_promises(repository, {PATH: data_schema(Without)})
    assert "data.at was removed" in problem


def test_an_event_that_was_published_may_not_disappear(repository: Path) -> None:
    (problem,) = broken_promises(repository, {})

    assert problem.startswith(PATH)


def test_a_sample_is_a_message_that_todays_code_reads() -> None:
    record = from_wire(sample("toy", Published))
    event = Catalogue([Published]).decode(record.type, record.data)

    assert isinstance(event, Published)
    assert sample("toy", Published) == sample("toy", Published)
