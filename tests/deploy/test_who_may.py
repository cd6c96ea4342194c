"""Kafka and PostgreSQL ask who one is: each pair of principal and thing is tried by a real client, over TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition, errors
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from pydantic import ValidationError

from deploy.local.certificates import Certificates
from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from deploy.operations import rights as handing_out
from deploy.operations.cli.console import load_all
from deploy.operations.databases import databases
from deploy.operations.rights import Right, hand_out, rights
from shared.db import create_engine, driver
from shared.kafka.connection import connection
from shared.kafka.principals import ADMIN, OPERATOR, PARTNER, everybody, principal
from shared.kafka.topics import TopicProblem, ensure_topics, heads_topic_of, topic_of
from shared.settings import Settings
from tests.deploy.test_embedded import some_ports

SERVICES = ("member", "content", "engagement", "feedback", "projection")
OWNERS = SERVICES[:4]
DATABASES = [f"guildhall_{name}" for name in SERVICES]
READS = {
    "member": {"member"},
    "content": {"content", "member"},
    "engagement": {"engagement", "content", "member"},
    "feedback": {"feedback", "member"},
    "projection": set(OWNERS),
}
"""By service, whose topics it reads; written by hand, and held against what the broker lets through."""


@pytest.fixture(scope="module")
async def kafka(servers: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Kafka]:
    home = Home(tmp_path_factory.mktemp("kafka")).open()
    given = some_ports("k", "c")
    broker = Kafka(home, given["k"], given["c"], users=everybody(SERVICES), tls=Certificates.of(home))
    try:
        broker.start()
        broker.wait_ready()
        settings = signed_in(broker, ADMIN)
        await ensure_topics(settings, OWNERS)
        await hand_out(settings, load_all(None))
        async with producing(broker, ADMIN) as producer:
            for owner in OWNERS:
                await producer.send_and_wait(topic_of(owner), b"first", partition=0)
        yield broker
    finally:
        broker.stop()


def signed_in(broker: Kafka, user: str, **changes: str) -> Settings:
    given = {name.removeprefix("GUILDHALL_").lower(): value for name, value in broker.signed_in(user).items()}
    return Settings.model_validate({**given, **changes})


@asynccontextmanager
async def producing(broker: Kafka, user: str) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(**connection(signed_in(broker, user)), request_timeout_ms=5000) as producer:
        yield producer


@asynccontextmanager
async def reading(broker: Kafka, user: str, **more: Any) -> AsyncIterator[AIOKafkaConsumer]:
    given = connection(signed_in(broker, user))
    async with AIOKafkaConsumer(**given, auto_offset_reset="earliest", request_timeout_ms=5000, **more) as consumer:
        yield consumer


@asynccontextmanager
async def administering(broker: Kafka, user: str) -> AsyncIterator[Any]:
    admin = AIOKafkaAdminClient(**connection(signed_in(broker, user)))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def may(attempt: Awaitable[object]) -> bool:
    try:
        async with asyncio.timeout(10):
            await attempt
    except (errors.TopicAuthorizationFailedError, errors.GroupAuthorizationFailedError):
        return False
    return True


async def write(broker: Kafka, user: str, owner: str) -> None:
    async with producing(broker, user) as producer:
        await producer.send_and_wait(topic_of(owner), b"record", partition=1)


async def read(broker: Kafka, user: str, owner: str) -> None:
    async with administering(broker, user) as admin:  # a consumer that may not see a topic waits for it for ever
        [topic] = await admin.describe_topics([topic_of(owner)])
        if (raised := errors.for_code(topic["error_code"])) is not errors.NoError:
            raise raised
    async with reading(broker, user) as consumer:
        consumer.assign([TopicPartition(topic_of(owner), 0)])
        assert (await consumer.getone()).value == b"first"


async def read_in_group(broker: Kafka, user: str, group: str) -> None:
    async with reading(broker, user, group_id=group) as consumer:
        consumer.subscribe([topic_of("content")])
        assert await consumer.getone()


async def make(broker: Kafka, user: str, topic: str) -> None:
    async with administering(broker, user) as admin:
        answer = await admin.create_topics([NewTopic(topic, 1, 1)])
        if (raised := errors.for_code(answer.topic_errors[0][1])) is not errors.NoError:
            raise raised


async def delete(broker: Kafka, user: str, topic: str) -> None:
    async with administering(broker, user) as admin:
        answer = await admin.delete_topics([topic])
        if (raised := errors.for_code(answer.topic_error_codes[0][1])) is not errors.NoError:
            raise raised


@pytest.mark.parametrize(("user", "owner"), list(product(everybody(SERVICES)[1:], OWNERS)))
async def test_a_relay_alone_writes_its_topic(kafka: Kafka, user: str, owner: str) -> None:
    assert await may(write(kafka, user, owner)) == (user == principal(owner))


@pytest.mark.parametrize(("service", "owner"), list(product(SERVICES, OWNERS)))
async def test_a_service_reads_what_it_subscribes_to(kafka: Kafka, service: str, owner: str) -> None:
    assert await may(read(kafka, principal(service), owner)) == (owner in READS[service])


@pytest.mark.parametrize(("user", "owner"), list(product((OPERATOR, PARTNER), OWNERS)))
async def test_operators_and_partners_read_every_topic(kafka: Kafka, user: str, owner: str) -> None:
    assert await may(read(kafka, user, owner))


@pytest.mark.parametrize(
    ("user", "group", "allowed"),
    [
        (principal("projection"), "guildhall-projection-actions", True),
        (principal("projection"), "guildhall-content-x", False),
        (principal("content"), "guildhall-projection-actions", False),
        (principal("content"), "guildhall-content-x", False),
        (PARTNER, "partner-warehouse", True),
        (PARTNER, "guildhall-projection-actions", False),
        (OPERATOR, "guildhall-projection-actions", False),
    ],
)
async def test_a_group_is_joined_by_its_own(kafka: Kafka, user: str, group: str, allowed: bool) -> None:
    assert await may(read_in_group(kafka, user, group)) == allowed


@pytest.mark.parametrize("user", everybody(SERVICES)[1:])
async def test_operators_alone_make_and_delete_topics_and_only_ours(kafka: Kafka, user: str) -> None:
    ours, other = f"guildhall.{user}.v1", f"other-{user}"

    assert await may(make(kafka, user, ours)) == (user == OPERATOR)
    assert not await may(make(kafka, user, other))
    if user == OPERATOR:
        assert await may(delete(kafka, user, ours))
    else:
        assert not await may(delete(kafka, user, topic_of("feedback")))


@pytest.mark.parametrize("user", everybody(SERVICES)[1:])
async def test_nobody_gives_rights_to_themselves(kafka: Kafka, user: str) -> None:
    with pytest.raises(TopicProblem, match="ClusterAuthorizationFailed"):
        await hand_out(signed_in(kafka, user), load_all(None))


@pytest.mark.parametrize(
    "changes",
    [
        {"kafka_security_protocol": "PLAINTEXT"},
        {"kafka_security_protocol": "SASL_PLAINTEXT"},
        {"kafka_security_protocol": "SSL"},
        {"kafka_sasl_password": "guessed"},
        {"kafka_sasl_username": "nobody"},
        {"kafka_sasl_mechanism": "PLAIN"},
        {"kafka_sasl_mechanism": "SCRAM-SHA-256"},
        {"kafka_ssl_ca_location": ""},
    ],
    ids=str,
)
async def test_who_does_not_say_who_they_are_is_not_let_in(kafka: Kafka, changes: dict[str, str]) -> None:
    given = connection(signed_in(kafka, ADMIN, **changes))
    client = AIOKafkaConsumer(**given, request_timeout_ms=2000)
    with pytest.raises((errors.KafkaError, ssl.SSLError, TimeoutError)):
        await asyncio.wait_for(client.start(), 8)
    await client.stop()


async def test_the_controllers_port_asks_too(kafka: Kafka) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", kafka.controller_port)
    writer.write(b"\x00\x00\x00\x0a\x00\x03\x00\x01\x00\x00\x00\x01\xff\xff")  # metadata, without a word of who asks
    async with asyncio.timeout(5):
        assert len(await reader.read(5)) < 8  # an alert of TLS, or nothing
    writer.close()


async def test_rights_that_nothing_declares_are_taken_away_and_those_that_are_missing_come_back(
    kafka: Kafka, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, services = signed_in(kafka, ADMIN), load_all(None)
    wanted = rights(services)
    lost = {right for right in wanted if right.principal == principal("feedback") and right.name == topic_of("member")}
    given = {
        Right(PARTNER, "topic", topic_of("member"), False, "write"),
        Right(PARTNER, "topic", "guildhall.", True, "all"),
        Right(OPERATOR, "cluster", "kafka-cluster", False, "alter"),
    }
    assert await hand_out(settings, services) == (set(), set())

    monkeypatch.setattr(handing_out, "rights", lambda _: (wanted - lost) | given)
    assert await hand_out(settings, services) == (given, lost)
    assert not await may(read(kafka, principal("feedback"), "member"))
    assert await may(write(kafka, PARTNER, "member"))
    monkeypatch.undo()

    assert await hand_out(settings, services) == (lost, given)
    assert await may(read(kafka, principal("feedback"), "member"))
    assert not await may(write(kafka, PARTNER, "member"))


def test_what_is_allowed_is_read_off_the_declarations() -> None:
    found = {(r.principal, r.name) for r in rights(load_all(None)) if r.resource == "topic" and r.operation == "read"}

    expected = {
        (principal(s), name_of(owner))
        for s, owners in READS.items()
        for owner in owners
        for name_of in (topic_of, heads_topic_of)
    }
    assert found == expected | {(OPERATOR, "guildhall."), (PARTNER, "guildhall.")}


def test_signing_in_asks_for_a_name() -> None:
    with pytest.raises(ValidationError, match="kafka_sasl_username is empty"):
        Settings(kafka_security_protocol="SASL_SSL")


def test_a_setting_may_lie_in_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "KAFKA_SASL_PASSWORD": "one\n",
        "RECORD_SECRET": "two",
        "DATABASE_URL": "postgresql://x/y",
    }.items():
        (tmp_path / name).write_text(value)
        monkeypatch.setenv(f"GUILDHALL_{name}_FILE", str(tmp_path / name))
    settings = Settings()

    assert settings.kafka_sasl_password.get_secret_value() == "one"
    assert settings.record_secrets == [b"two"]
    assert settings.database_url == "postgresql://x/y"
    monkeypatch.setenv("GUILDHALL_RECORD_SECRET", "three")
    assert Settings().record_secrets == [b"three"]


def test_secrets_are_readable_by_their_owner_alone_and_on_no_command_line(kafka: Kafka) -> None:
    root = kafka.home.root
    files = [*(root / "secrets").iterdir(), root / "kafka" / "server.properties", root / "certificates" / "server.key"]

    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o600"}
    assert not (root / "kafka" / "format").exists()
    assert kafka.pid is not None
    told = Path(f"/proc/{kafka.pid}/cmdline").read_bytes() + Path(f"/proc/{kafka.pid}/environ").read_bytes()
    assert not any(kafka.password(user).encode() in told for user in kafka.users)


@pytest.mark.usefixtures("servers")
async def test_a_broker_from_before_there_were_users_is_made_anew_and_the_old_one_lies_beside_it(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path).open()
    given = some_ports("k", "c")
    before = Kafka(home, given["k"], given["c"])
    before.prepare()
    marked = (home.root / "kafka" / "formatted").read_text()
    (home.root / "kafka" / "formatted").write_text(marked.partition("\n")[0])  # as it was written then
    before.prepare()
    assert not (before.folder / "data.before").exists()
    after = Kafka(home, given["k"], given["c"], users=everybody(SERVICES))
    after.prepare()
    after.prepare()
    changed = (after.folder / "formatted").read_text()
    (home.root / "secrets" / f"kafka-{PARTNER}").unlink()
    after.prepare()

    assert (after.folder / "data.before").is_dir()
    assert (after.folder / "formatted").read_text() != changed
    try:
        after.start()
        after.wait_ready()
        await ensure_topics(signed_in(after, ADMIN), OWNERS)
        async with reading(after, PARTNER) as consumer:
            assert await consumer.topics() == set()  # it is let in, and there is nothing that it may see yet
    finally:
        after.stop()


@pytest.fixture(scope="module")
async def postgres(servers: None, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Postgres]:
    home = Home(tmp_path_factory.mktemp("postgres")).open()
    server = Postgres(home, some_ports("p")["p"])
    try:
        server.start()
        server.wait_ready()
        root = await asyncpg.connect(server.dsn(role="postgres"))
        # As it was before there were owners: all is the operator's.
        await root.execute(f"create role guildhall login createdb password '{home.secret('postgres-guildhall')}'")
        await root.execute("create database guildhall_member owner guildhall")
        await root.close()
        old = await asyncpg.connect(server.dsn("guildhall_member"))
        await old.execute("create table kept as select 42 as answer; create sequence numbers")
        await old.close()
        for _ in range(2):
            await server.create(DATABASES)
        yield server
    finally:
        server.stop()


@pytest.mark.parametrize(("role", "database"), list(product(DATABASES, [*DATABASES, "postgres", "template1"])))
async def test_a_services_role_reaches_its_own_database(postgres: Postgres, role: str, database: str) -> None:
    try:
        reached = await asyncpg.connect(postgres.dsn(database, role))
        await reached.close()
    except asyncpg.InsufficientPrivilegeError:
        assert role != database
    else:
        assert role == database


async def test_what_was_there_before_is_given_to_the_owner(postgres: Postgres) -> None:
    own = await asyncpg.connect(postgres.dsn("guildhall_member", "guildhall_member"))

    assert await own.fetchval("select answer from kept") == 42
    await own.execute("alter table kept add column more int; drop sequence numbers")
    assert await own.fetchval("select count(*) from pg_class where relowner = 'guildhall'::regrole") == 0
    assert (
        await own.fetchval("select rolsuper or rolcreatedb or rolcreaterole from pg_roles where rolname = user")
        is False
    )
    await own.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_what_the_operator_makes_is_the_owners(postgres: Postgres, service: str) -> None:
    operator = await asyncpg.connect(postgres.dsn(f"guildhall_{service}"))
    await operator.execute("create table made_by_a_migration (n int)")
    owner = await operator.fetchval("select tableowner from pg_tables where tablename = 'made_by_a_migration'")
    await operator.close()

    assert owner == f"guildhall_{service}"


async def test_a_wrong_password_is_not_let_in(postgres: Postgres) -> None:
    right = postgres.home.secret("postgres-guildhall_content")
    for wrong in (right[:-1] + ("0" if right[-1] != "0" else "1"), postgres.home.secret("postgres-guildhall_member")):
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(postgres.dsn("guildhall_content", "guildhall_content").replace(right, wrong))


async def test_a_changed_password_counts_after_the_next_start(postgres: Postgres) -> None:
    old = postgres.dsn("guildhall_feedback", "guildhall_feedback")
    (postgres.home.root / "secrets" / "postgres-guildhall_feedback").unlink()
    await postgres.create(["guildhall_feedback"])

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(old)
    await (await asyncpg.connect(postgres.dsn("guildhall_feedback", "guildhall_feedback"))).close()


@dataclass
class Encrypted:
    """TLS before a PostgreSQL that speaks none, begun as PostgreSQL does; `sessions` counts those encrypted."""

    upstream: int
    certificates: Certificates
    sessions: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readexactly(8) == b"\0\0\0\x08\x04\xd2\x16\x2f"  # SSLRequest
        writer.write(b"S")
        await writer.drain()
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(self.certificates.certificate, self.certificates.key)
        with suppress(ssl.SSLError, OSError):
            await writer.start_tls(context)
            self.sessions += 1
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.upstream)
            await asyncio.gather(_pass_on(reader, up_writer), _pass_on(up_reader, writer))


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError, ssl.SSLError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()


@pytest.fixture
async def encrypted(postgres: Postgres) -> AsyncIterator[tuple[Encrypted, str]]:
    """The proxy, and the address of a service by way of it, without what says whom to believe."""
    proxy = Encrypted(postgres.port, Certificates.of(postgres.home))
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    yield proxy, postgres.dsn("guildhall_{service}").replace(f":{postgres.port}/", f":{port}/")
    server.close()


async def test_services_and_operators_speak_tls_where_the_address_says_so(encrypted: tuple[Encrypted, str]) -> None:
    proxy, dsn = encrypted
    settings = Settings(database_url=f"{dsn}?sslmode=verify-full&sslrootcert={proxy.certificates.authority}")

    engine = create_engine(settings, "member")
    async with driver(engine) as one:
        assert await one.fetchval("select current_database()") == "guildhall_member"
    await engine.dispose()
    assert proxy.sessions == 1
    async with databases(settings, load_all(["content"])) as found:
        assert await found.open["content"].fetchval("select current_database()") == "guildhall_content"
    assert proxy.sessions == 2


async def test_a_server_under_another_authority_is_not_believed(
    encrypted: tuple[Encrypted, str], tmp_path: Path
) -> None:
    proxy, dsn = encrypted
    stranger = Certificates.of(Home(tmp_path).open()).authority
    settings = Settings(database_url=f"{dsn}?sslmode=verify-full&sslrootcert={stranger}")

    engine = create_engine(settings, "member")
    with pytest.raises(ssl.SSLCertVerificationError):
        async with driver(engine):
            pass
    await engine.dispose()
    async with databases(settings, load_all(["content"])) as found:
        assert "certificate verify failed" in found.away["content"]
    assert proxy.sessions == 0
