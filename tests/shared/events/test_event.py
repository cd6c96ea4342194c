"""Events: a written wire name, data that an unknown field or type does not break, a CloudEvents envelope."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.events.catalogue import Catalogue, UnknownType, UnknownVersion
from shared.events.decider import facts_of
from shared.events.envelope import from_wire, to_wire
from shared.events.event import Event, Recorded, Undecodable, encode_data, events_of, wire_name
from tests.shared import toy
from tests.shared.toy import ALICE, CATALOGUE, COMMUNITY, AccountClosed, AccountOpened, Deposited


class PriceSetInEuros(Event, frozen=True, tag="guildhall.toy.price-set.v1"):
    euros: int


class PriceSetInCents(Event, frozen=True, tag="guildhall.toy.price-set.v2"):
    cents: int

    @classmethod
    def upcast(cls, older: PriceSetInEuros) -> PriceSetInCents:
        return cls(older.euros * 100)


class PriceSet(Event, frozen=True, tag="guildhall.toy.price-set.v3"):
    cents: int
    currency: str

    @classmethod
    def upcast(cls, older: PriceSetInCents) -> PriceSet:
        return cls(older.cents, "EUR")


class Renamed(Event, frozen=True, tag="guildhall.toy.renamed.v2"):
    @classmethod
    def upcast(cls, older: PriceSetInEuros) -> Renamed:
        return cls()


RECORD = Recorded(
    service="toy",
    partition=3,
    position=2**40,
    stream=toy.stream(1),
    version=7,
    type="guildhall.toy.deposited.v1",
    id=UUID("0192e4a0-0000-7000-8000-000000000001"),
    community=COMMUNITY,
    actor=None,
    occurred_at=datetime(2011, 8, 17, 20, 18, 56, 507000, tzinfo=UTC),
    recorded_at=datetime(2026, 3, 1, tzinfo=UTC),
    causation=None,
    data=b'{"amount":5}',
)


def test_data_does_not_repeat_the_type_that_stands_beside_it() -> None:
    assert encode_data(Deposited(5)) == b'{"amount":5}'
    assert encode_data(AccountClosed()) == b"{}"


def test_an_event_is_read_as_it_was_written() -> None:
    for event in (AccountOpened(ALICE), Deposited(-3), AccountClosed()):
        assert CATALOGUE.decode(wire_name(type(event)), encode_data(event)) == event


def test_a_field_that_a_reader_does_not_know_is_passed_over() -> None:
    assert CATALOGUE.decode("guildhall.toy.deposited.v1", b'{"amount":5,"currency":"EUR"}') == Deposited(5)


def test_a_type_that_a_reader_does_not_know_is_told_apart_from_data_that_is_broken() -> None:
    with pytest.raises(UnknownType):
        CATALOGUE.decode("guildhall.toy.frozen.v1", b"{}")
    for broken in (b"", b"{", b'{"amount":"5"}', b"\xff", b"[" * 100_000):
        with pytest.raises(Undecodable):
            CATALOGUE.decode("guildhall.toy.deposited.v1", broken)


def test_an_old_version_is_handed_out_as_the_current_one() -> None:
    for catalogue in (Catalogue([PriceSet]), Catalogue([PriceSetInEuros, PriceSet, PriceSetInCents])):
        for name, data in (("v1", b'{"euros":3}'), ("v2", b'{"cents":300}'), ("v3", b'{"cents":300,"currency":"EUR"}')):
            assert catalogue.decode(f"guildhall.toy.price-set.{name}", data) == PriceSet(300, "EUR")


def test_a_reader_of_an_old_version_alone_is_handed_that() -> None:
    old = Catalogue([PriceSetInEuros])
    assert old.decode("guildhall.toy.price-set.v1", b'{"euros":3}') == PriceSetInEuros(3)


def test_a_version_that_a_reader_does_not_know_is_told_apart_from_an_event_that_it_does_not_read() -> None:
    catalogue = Catalogue([PriceSetInCents])
    for version in ("v0", "v3", "v10"):
        assert f"guildhall.toy.price-set.{version}" in catalogue
        with pytest.raises(UnknownVersion):
            catalogue.decode(f"guildhall.toy.price-set.{version}", b"{}")
    assert "guildhall.toy.price.v1" not in catalogue


def test_a_version_follows_one_of_its_own_event() -> None:
    with pytest.raises(TypeError, match=r"renamed.v2 is no newer version of guildhall.toy.price-set.v1"):
        Catalogue([Renamed])


def test_a_catalogue_of_a_module_holds_the_events_that_it_defines() -> None:
    assert set(Catalogue.of(toy).events.values()) == {AccountOpened, Deposited, AccountClosed, toy.NoteWritten}


def test_what_a_function_handles_is_read_off_its_types() -> None:
    assert facts_of(toy.evolve) == (AccountOpened, Deposited, AccountClosed)
    assert events_of(toy.evolve_notes) == (toy.NoteWritten,)

    def takes_words(state: int, event: str) -> int:
        return state + len(event)

    with pytest.raises(TypeError, match="takes_words"):
        events_of(takes_words)


def test_the_envelope_is_cloudevents() -> None:
    envelope = json.loads(to_wire(RECORD))

    assert envelope == {
        "specversion": "1.0",
        "id": "0192e4a0-0000-7000-8000-000000000001",
        "source": "/guildhall/toy",
        "type": "guildhall.toy.deposited.v1",
        "subject": str(toy.stream(1)),
        "time": "2011-08-17T20:18:56.507000Z",
        "datacontenttype": "application/json",
        "dataschema": "urn:guildhall:event:guildhall.toy.deposited.v1",
        "community": str(COMMUNITY),
        "partition": 3,
        "position": 2**40,
        "streamversion": 7,
        "recordedtime": "2026-03-01T00:00:00Z",
        "data": {"amount": 5},
    }


@given(
    actor=st.none() | st.uuids(),
    causation=st.none() | st.uuids(),
    trace=st.none() | st.just("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"),
    importer=st.none() | st.uuids(),
    amount=st.integers(-(2**63), 2**63 - 1),
    occurred_at=st.datetimes(timezones=st.just(UTC)),
)
def test_a_record_survives_the_wire(
    actor: UUID | None,
    causation: UUID | None,
    trace: str | None,
    importer: UUID | None,
    amount: int,
    occurred_at: datetime,
) -> None:
    record = msgspec.structs.replace(
        RECORD,
        actor=actor,
        causation=causation,
        occurred_at=occurred_at,
        data=encode_data(Deposited(amount)),
        traceparent=trace,
        imported_by=importer,
    )

    assert from_wire(to_wire(record)) == record


def test_what_is_no_envelope_is_said_to_be_undecodable() -> None:
    for broken in (b"", b"null", b"{}", to_wire(RECORD)[:-5], b"\xff\xfe"):
        with pytest.raises(Undecodable):
            from_wire(broken)
