"""PostgreSQL 18 from its wheel: durable (fsync on), on the loopback only, with passwords of this installation.

Each database belongs to a role of its own name, and nobody else may connect to it; `guildhall`, the operator's, is a
member of all of them and acts as the owner of the database that it is in. This build speaks no TLS.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import asyncpg

from deploy.local import paths, problems
from deploy.local.component import Component, Launch, tail
from deploy.local.home import Home
from deploy.local.identity import end, identity
from deploy.local.ports import LOOPBACK
from deploy.local.unroot import launcher, way_for

SETTINGS = {
    "listen_addresses": LOOPBACK,
    "unix_socket_directories": "",  # no socket: its path has a length limit, and folders can be deep
    "max_connections": "200",
    "shared_buffers": "256MB",
    "fsync": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_line_prefix": "%m [%p] %d ",
    "jit": "off",
    # What a segment of the write-ahead log had is gone with it, instead of staying in a file kept for its room.
    "wal_recycle": "off",
    # A client that vanished, or a frozen one, gives its locks back within seconds.
    "tcp_keepalives_idle": "5",
    "tcp_keepalives_interval": "2",
    "tcp_keepalives_count": "3",
    "tcp_user_timeout": "10000",
}

SUPERUSER, OPERATOR = "postgres", "guildhall"
LET_IN = f"grant connect on database postgres to {OPERATOR}"  # from where it makes databases


class Postgres(Component):
    """A server of its own in `home/postgres`; usable apart from `guildhall up`."""

    name = "postgres"
    title = "PostgreSQL"

    def __init__(self, home: Home, port: int, settings: Mapping[str, str] | None = None) -> None:
        super().__init__(home)
        self.port = port
        self.settings = {**SETTINGS, **(settings or {})}
        self.folder = home.root / "postgres"
        self.data = self.folder / "data"
        self.stop_signal = signal.SIGINT
        self._way: str | None = None

    def dsn(self, database: str = "postgres", role: str = OPERATOR) -> str:
        return f"postgresql://{role}:{self._password(role)}@{LOOPBACK}:{self.port}/{database}"

    def _password(self, role: str) -> str:
        return self.home.secret(f"postgres-{role}")  # hex digits: safe inside an address and a literal

    def prepare(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._way = way_for(self.folder, paths.postgres_bin() / "postgres")
        if not self.data.exists():
            self._initialise()
        lines = [f"{key} = '{value}'\n" for key, value in {**self.settings, "port": str(self.port)}.items()]
        self._own(self.home.write("postgres/data/guildhall.conf", "".join(lines)))

    def _initialise(self) -> None:
        # Made beside and renamed: a start that is killed half-way leaves no half database.
        fresh, password = self.folder / "data.new", self.folder / "password"
        shutil.rmtree(fresh, ignore_errors=True)
        self._own(self.home.write("postgres/password", self.home.secret("postgres-postgres")))
        command = [str(paths.postgres_bin() / "initdb"), "-D", str(fresh), "-U", "postgres", "-A", "scram-sha-256"]
        command += [f"--pwfile={password}", "-E", "UTF8", "--locale=C", "--no-instructions"]
        made = subprocess.run(  # noqa: S603
            [*launcher(f"--way={self._way}"), *command], capture_output=True, text=True, cwd=self.folder, timeout=300
        )
        password.unlink()
        with self.home.append(self.name) as log:
            log.write((made.stdout + made.stderr).encode())
        if made.returncode != 0:
            raise problems.died_at_start("PostgreSQL's initdb", self.log, tail(self.log, 6))
        with (fresh / "postgresql.conf").open("a") as conf:
            conf.write("\ninclude 'guildhall.conf'\n")
        self._own(Path(fresh / "guildhall.conf"), create=True)
        os.replace(fresh, self.data)

    def _own(self, path: Path, *, create: bool = False) -> None:
        """Files we write must be readable by the user PostgreSQL runs as: the owner of its folder."""
        if create:
            path.touch(mode=0o600)
        owner = self.folder.stat()
        if path.stat().st_uid != owner.st_uid:
            os.chown(path, owner.st_uid, owner.st_gid)

    def launch(self) -> Launch:
        if self._way is None:
            self.prepare()
        assert self._way is not None
        self._clear_stale_pid()
        return Launch(
            [str(paths.postgres_bin() / "postgres"), "-D", str(self.data)],
            {"LC_ALL": "C"},
            stop_signal=signal.SIGINT,  # "fast": sessions are ended, the checkpoint is written
            way=self._way,
        )

    def _clear_stale_pid(self) -> None:
        """After kill -9 postmaster.pid may name a zombie or another program, and PostgreSQL would not start.

        The file is PostgreSQL's guard against a second server beside the sessions of a first, so it goes
        only when no process works in the data folder any more; each of PostgreSQL's does.
        """
        file = self.data / "postmaster.pid"
        if not file.exists() or not Path("/proc/self/cwd").exists():
            return
        until = time.monotonic() + self.stop_deadline
        while (users := working_in(self.data)) and time.monotonic() < until:
            for pid in users:
                if (alive := identity(pid)) and "postgres" in _program(pid) and _is_leader(file, pid):
                    end(pid, alive, signal.SIGINT, self.stop_deadline)
            time.sleep(0.05)
        if not users:
            file.unlink(missing_ok=True)

    def ready(self) -> bool:
        if self.pid is None:
            return False
        asked = subprocess.run(  # noqa: S603
            [str(paths.postgres_bin() / "pg_isready"), "-q", "-h", LOOPBACK, "-p", str(self.port), "-t", "1"],
            env={**os.environ, "PGDATABASE": "postgres"},
        )
        return asked.returncode == 0

    async def create(self, databases: list[str]) -> None:
        """The operator's role, which may create databases but is no superuser; databases, each with its owner.

        A database from before there were owners is given to its own, with all that is in it.
        """
        connection = await asyncpg.connect(self.dsn(role=SUPERUSER), timeout=10)
        try:
            present = {row[0] for row in await connection.fetch("select datname from pg_database")}
            await self._role(connection, OPERATOR, "createdb")
            await connection.execute(f"revoke all on database postgres, template1 from public; {LET_IN}")
            for name in databases:
                await self._role(connection, name, "")
                await connection.execute(f"grant {name} to {OPERATOR}")
                made = f"create database {name} owner {name}"
                await connection.execute(made if name not in present else f"alter database {name} owner to {name}")
                await connection.execute(f"revoke all on database {name} from public")
                # What the operator makes there, by a migration or a rebuild, is the owner's.
                await connection.execute(f"alter role {OPERATOR} in database {name} set role = '{name}'")
            # Not before no database is the operator's any more: those would all be given to the first.
            for name in databases:
                await self._give_away(name)
        finally:
            await connection.close()

    async def _role(self, connection: asyncpg.Connection[asyncpg.Record], name: str, may: str) -> None:
        if not await connection.fetchval("select 1 from pg_roles where rolname = $1", name):
            await connection.execute(f"create role {name} login")
        await connection.execute(f"alter role {name} login {may} password '{self._password(name)}'")

    async def _give_away(self, database: str) -> None:
        inside = await asyncpg.connect(self.dsn(database, SUPERUSER), timeout=10)
        try:
            await inside.execute(f"reassign owned by {OPERATOR} to {database}")
        finally:
            await inside.close()


def working_in(folder: Path) -> list[int]:
    """Processes whose working folder this is (Linux)."""
    found, target = [], str(folder.resolve())
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if os.readlink(entry / "cwd") == target:
                found.append(int(entry.name))
    return found


def _program(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text()
    return ""


def _is_leader(file: Path, pid: int) -> bool:
    """The server itself, not one of its sessions: the one the file names."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(file.read_text().splitlines()[0]) == pid
    return False
