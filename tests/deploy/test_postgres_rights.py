"""PostgreSQL asks who one is: each pair of role and database is tried by a real client, and over TLS where asked."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import asyncpg
import pytest

from deploy.local.certificates import Certificates
from deploy.local.home import Home
from deploy.local.postgres import Postgres
from deploy.operations.cli.console import load_all
from deploy.operations.databases import databases
from shared.db import create_engine, driver
from shared.settings import Settings
from tests.deploy.test_embedded import some_ports

SERVICES = ("member", "content", "engagement", "feedback", "projection")
DATABASES = [f"guildhall_{name}" for name in SERVICES]


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
