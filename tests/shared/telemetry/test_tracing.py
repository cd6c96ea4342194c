"""One trace goes from the request through log and topic to the read model; without an endpoint there is none."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from itertools import count
from uuid import uuid4

import pytest

from shared.commands.commands import Commands
from shared.db import create_engine
from shared.events.envelope import from_wire
from shared.kafka.topics import ensure_topics
from shared.log.postgres import PostgresLog
from shared.projections.read_model import ReadModel
from shared.projections.runner import ProjectionRunner
from shared.relay.relay import Relay
from shared.settings import Settings
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.source import BEGINNING, Message
from shared.tables import service_metadata
from shared.telemetry import tracing
from tests.conftest import FreshDatabase
from tests.doubles.log import MemoryLog
from tests.doubles.view_store import MemoryReadModelStore
from tests.otlp import Receiver, receiving
from tests.patience import is_done_within
from tests.shared.issuer import write_key_set
from tests.shared.sources import ScriptedSource
from tests.shared.subscription.topic_feed import delete_topic
from tests.shared.toy import ACCOUNT, ACT, CATALOGUE, open_account, stream
from tests.shared.toy_api import toy_api
from tests.shared.toy_service import LIST, SERVICE, fold

SETTINGS = Settings()


@pytest.fixture
def receiver(servers: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Tracing is on, and this takes the spans."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "50")
    with receiving() as found:
        assert tracing.set_up_tracing(SETTINGS.model_copy(update={"otlp_endpoint": found.endpoint}), "toy")
        try:
            yield found
        finally:
            tracing.close_tracing()


async def open_one(log: MemoryLog | PostgresLog, number: int = 1) -> str | None:
    """Open an account; the trace that its event carries."""
    await Commands(log, CATALOGUE).execute(ACCOUNT, stream(number), open_account, act=ACT)
    (record,) = await log.load(stream(number))
    return record.traceparent


async def test_without_an_endpoint_nothing_is_traced() -> None:
    assert not tracing.set_up_tracing(SETTINGS, "toy")
    assert tracing.provider() is None
    assert await open_one(MemoryLog("toy")) is None
    assert tracing.trace_ids() == {}


@pytest.mark.usefixtures("servers")
def test_a_process_without_an_endpoint_loads_no_sdk() -> None:
    program = "import shared.service.serve, sys; sys.exit(any(m.startswith('opentelemetry.sdk') for m in sys.modules))"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


async def test_an_event_carries_the_append_that_wrote_it(receiver: Receiver) -> None:
    carried = await open_one(MemoryLog("toy"))

    tracing.close_tracing()
    (append,) = receiver.spans
    assert carried is not None
    assert carried.startswith(f"00-{append.trace}-{append.id}-")
    assert (append.service, append.name, append.attributes) == ("toy", "append", {"guildhall.service": "toy"})


async def test_what_nobody_did_carries_no_trace_and_makes_no_span(receiver: Receiver) -> None:
    log, anonymous = MemoryLog("toy"), replace(ACT, actor=None)

    await Commands(log, CATALOGUE).execute(ACCOUNT, stream(1), open_account, act=anonymous)
    await Commands(log, CATALOGUE).execute(ACCOUNT, stream(2), open_account, act=replace(anonymous, causation=uuid4()))
    tracing.close_tracing()

    (alone,), (caused,) = await log.load(stream(1)), await log.load(stream(2))
    assert alone.traceparent is None
    assert caused.traceparent is not None
    assert len(receiver.spans) == 1


def test_a_line_in_the_log_names_the_trace_it_belongs_to(receiver: Receiver) -> None:
    outside = tracing.trace_ids()
    with tracing.appending("toy") as carried:
        inside = tracing.trace_ids()

    assert outside == {}
    assert carried is not None
    assert carried.startswith(f"00-{inside['trace_id']}-{inside['span_id']}-")


@pytest.mark.usefixtures("servers")
async def test_what_the_sampler_leaves_out_carries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with receiving() as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.endpoint)
        assert tracing.set_up_tracing(SETTINGS, "toy")
        assert await open_one(MemoryLog("toy")) is None
        tracing.close_tracing()

    assert found.spans == []


async def test_a_request_is_the_beginning_and_what_was_typed_stays_out(
    receiver: Receiver, fresh_database: FreshDatabase, tmp_path_factory: pytest.TempPathFactory
) -> None:
    jwks = write_key_set(tmp_path_factory.mktemp("issuer"))
    async with fresh_database(SERVICE.metadata) as settings, toy_api(settings, jwks) as api:
        await api.community("square")
        await api.standing("square", "alice")
        with api.caught_up():
            answer = await api.call("POST", "/v1/communities/square/accounts", headers={"idempotency-key": "words"})
            assert (await api.client.get("/livez")).status_code == 200
    tracing.close_tracing()

    assert answer.status_code == 201
    request, append = sorted(receiver.spans, key=lambda span: span.began)
    assert (append.name, append.parent, append.trace) == ("append", request.id, request.trace)
    assert request.attributes["http.route"] == "/v1/communities/{community}/accounts"
    assert "square" not in str(request)
    assert "words" not in str(request)


@asynccontextmanager
async def relayed(fresh_database: FreshDatabase) -> AsyncIterator[tuple[Settings, PostgresLog]]:
    """A log with a topic of its own, and a relay between them."""
    service = f"toy{uuid4().hex[:8]}"
    async with fresh_database(service_metadata(facts=True)) as settings:
        await ensure_topics(settings, [service])
        engine = create_engine(settings, service)
        log = PostgresLog(engine, service, settings.partitions)
        await log.start()
        relay = Relay(log, engine, settings)
        running = asyncio.create_task(relay.run())
        try:
            yield settings, log
        finally:
            running.cancel()
            await asyncio.wait([running])
            await log.close()
            await engine.dispose()
            await delete_topic(settings, service)


async def test_the_trace_goes_on_to_the_topic_and_into_the_view(
    receiver: Receiver, fresh_database: FreshDatabase
) -> None:
    async with relayed(fresh_database) as (settings, log):
        carried = await open_one(log)
        source = KafkaSource(settings, log.service)
        await source.start(dict.fromkeys(range(settings.partitions), BEGINNING))
        async with asyncio.timeout(20):
            while not (messages := await source.read(10, 1.0)):
                pass
        await source.close()
    assert messages[0].value is not None
    record = from_wire(messages[0].value)
    scripted = ScriptedSource("toy", [[] for _ in range(settings.partitions)])
    scripted.messages[record.partition] = [Message(record.partition, None, None, record)]
    reader = ProjectionRunner([ReadModel("accounts", (LIST,), fold)], [scripted], MemoryReadModelStore())
    reading = asyncio.create_task(reader.run())
    await asyncio.to_thread(receiver.wait_for, {"append", "relay", "project"})
    reading.cancel()
    await asyncio.wait([reading])

    assert record.traceparent == carried
    append, relay, project = sorted(receiver.spans, key=lambda span: span.began)
    assert (append.name, relay.name, project.name) == ("append", "relay", "project")
    assert {relay.parent, project.parent} == {append.id}
    assert {relay.trace, project.trace} == {append.trace}
    assert (relay.kind, project.kind) == (4, 5)  # producer and consumer
    assert project.attributes["guildhall.views"] == "accounts"


async def test_a_receiver_that_is_away_holds_nothing_up() -> None:
    assert tracing.set_up_tracing(SETTINGS.model_copy(update={"otlp_endpoint": "http://127.0.0.1:1"}), "toy")
    log = MemoryLog("toy")
    numbers = count(1)

    async def append() -> None:
        assert await open_one(log, next(numbers)) is not None

    await is_done_within(0.5, append)
    began = time.monotonic()
    tracing.close_tracing()

    assert time.monotonic() - began < 9


async def test_what_is_no_trace_makes_no_span(receiver: Receiver) -> None:
    log = MemoryLog("toy")
    await open_one(log)
    (record,) = await log.load(stream(1))
    broken = record.__class__(
        **{name: getattr(record, name) for name in record.__struct_fields__} | {"traceparent": "?"}
    )

    tracing.carried("relay", [broken], time.time_ns())
    tracing.close_tracing()

    assert [span.name for span in receiver.spans] == ["append"]
