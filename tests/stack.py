"""One PostgreSQL and one Kafka per test session: given by the environment, else in Docker, else embedded.

All workers of a session share them. A holder process owns them; every user holds a shared lock on one file,
and when the holder gets that lock for itself, the last user is gone, however it went, and it stops.
"""

from __future__ import annotations

import contextlib
import fcntl
import importlib
import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
POSTGRES_IMAGE, KAFKA_IMAGE = "postgres:18", "apache/kafka:4.4.0"
START_DEADLINE = 300.0  # the first session ever downloads the broker


@dataclass(frozen=True)
class Stack:
    """Addresses: a DSN whose role may create databases (`…/postgres`), and the bootstrap server."""

    postgres_dsn: str
    kafka: str

    def database(self, name: str) -> str:
        """The DSN of another database of the same server."""
        return f"{self.postgres_dsn.rpartition('/')[0]}/{name}"


_current: list[Stack] = []


def stack() -> Stack:
    """The stack of the session that is open in this process."""
    assert _current, "no stack_session is open"
    return _current[-1]


@contextlib.contextmanager
def stack_session(postgres: Mapping[str, str] | None = None) -> Iterator[Stack]:
    """The session's stack; `postgres` overrides server settings (fsync stays on unless it is named there).

    Settings count for the one who starts the stack, so workers of a session give the same.
    """
    given = os.environ.get("GUILDHALL_TEST_POSTGRES"), os.environ.get("GUILDHALL_TEST_KAFKA")
    if given[0] and given[1]:
        _current.append(Stack(given[0], given[1]))
        try:
            yield _current[-1]
        finally:
            _current.pop()
        return
    with _shared(_folder(), dict(postgres or {})) as found:
        _current.append(found)
        try:
            yield found
        finally:
            _current.pop()


def _folder() -> Path:
    """One per session: xdist gives its workers a common name, a run without it is its own."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID") or f"{os.getpid()}-{time.time_ns():x}"
    return Path(tempfile.gettempdir()) / f"guildhall-tests-{os.getuid()}-{run}"


@contextlib.contextmanager
def _shared(folder: Path, settings: dict[str, str]) -> Iterator[Stack]:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found_at = folder.lstat()  # the name can be guessed, and everybody may make it
    assert stat.S_ISDIR(found_at.st_mode), f"{folder} is no folder"
    assert (found_at.st_uid, found_at.st_mode & 0o077) == (os.geteuid(), 0), f"{folder} is not ours alone"
    with open(folder / "users", "a") as users:
        with open(folder / "starting", "a") as starting:
            fcntl.flock(starting, fcntl.LOCK_EX)
            fcntl.flock(users, fcntl.LOCK_SH)  # from here on the holder stays
            found = _read(folder) or _start(folder, settings)
        try:
            yield found
        finally:
            fcntl.flock(users, fcntl.LOCK_UN)


def _read(folder: Path) -> Stack | None:
    try:
        return Stack(**json.loads((folder / "stack.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None


def _start(folder: Path, settings: dict[str, str]) -> Stack:
    log = folder / "holder.log"
    with log.open("ab") as output:
        holder = subprocess.Popen(
            # By its module: by its file, `shared` would be the folder beside it.
            [sys.executable, "-m", "tests.stack", str(folder), json.dumps(settings)],
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            start_new_session=True,
        )
    until = time.monotonic() + START_DEADLINE
    while (found := _read(folder)) is None:
        if holder.poll() is not None or time.monotonic() > until:
            holder.kill()
            raise RuntimeError(f"The test stack did not start:\n{log.read_text()[-2000:]}")
        time.sleep(0.05)
    holder.returncode = 0  # it outlives this process on purpose; no warning about that
    return found


def _hold(folder: Path, settings: dict[str, str]) -> None:
    """Start the servers, publish their addresses, stop them when nobody uses them any more."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with contextlib.ExitStack() as cleanup:
        cleanup.callback(shutil.rmtree, folder, ignore_errors=True)
        found = _in_docker(cleanup) or _embedded(folder, settings, cleanup)
        cleanup.callback((folder / "stack.json").unlink, missing_ok=True)
        fresh = folder / ".stack.json"
        fresh.write_text(json.dumps(asdict(found)))
        os.replace(fresh, folder / "stack.json")
        with open(folder / "users", "a") as users:
            while True:
                with contextlib.suppress(BlockingIOError):
                    fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    # Before the lock is given back: who comes next must start a new stack.
                    (folder / "stack.json").unlink()
                    return
                time.sleep(0.2)


def _embedded(folder: Path, settings: dict[str, str], cleanup: contextlib.ExitStack) -> Stack:
    from deploy.local import ports
    from deploy.local.home import Home
    from deploy.local.kafka import Kafka
    from deploy.local.postgres import Postgres

    home = Home.at(folder / "home").open()
    given = ports.assign(["postgres", "kafka", "controller"], random.randrange(20000, 29000), {})
    postgres = Postgres(home, given["postgres"], settings)
    kafka = Kafka(home, given["kafka"], given["controller"])
    for server in (kafka, postgres):
        cleanup.callback(server.stop)
        server.start()
    for server in (postgres, kafka):
        server.wait_ready()
    kafka.snapshot()
    return Stack(postgres.dsn(role="postgres"), kafka.address)


def _in_docker(cleanup: contextlib.ExitStack) -> Stack | None:
    """Containers, when a Docker engine answers and has, or can get, both images."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # the holder cleans up itself
    try:
        docker: Any = importlib.import_module("docker")  # untyped, and not always there
        from testcontainers.core.container import DockerContainer
        from testcontainers.core.waiting_utils import wait_for_logs

        client = docker.from_env(timeout=5)
        client.ping()
        for image in (POSTGRES_IMAGE, KAFKA_IMAGE):
            try:
                client.images.get(image)
            except docker.errors.ImageNotFound:
                client.images.pull(image)
    except Exception as error:  # whatever Docker lacks, the embedded stack does not need
        sys.stderr.write(f"no Docker: {error}\n")
        return None
    from deploy.local import ports

    base = random.randrange(20000, 29000)
    given = ports.assign(["postgres", "kafka"], base, {})
    postgres = DockerContainer(POSTGRES_IMAGE).with_env("POSTGRES_PASSWORD", "test")
    postgres = postgres.with_bind_ports(5432, given["postgres"]).with_command("postgres -c max_connections=200")
    kafka = DockerContainer(KAFKA_IMAGE).with_bind_ports(9092, given["kafka"])
    for key, value in {
        "KAFKA_NODE_ID": "1",
        "KAFKA_PROCESS_ROLES": "broker,controller",
        "KAFKA_LISTENERS": "PLAINTEXT://:9092,CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://127.0.0.1:{given['kafka']}",
        "KAFKA_CONTROLLER_LISTENER_NAMES": "CONTROLLER",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_CONTROLLER_QUORUM_VOTERS": "1@localhost:9093",
        "KAFKA_OFFSETS_TOPIC_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_REPLICATION_FACTOR": "1",
        "KAFKA_TRANSACTION_STATE_LOG_MIN_ISR": "1",
        "KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS": "0",
        "KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false",
    }.items():
        kafka = kafka.with_env(key, value)
    for container, ready in ((kafka, "Kafka Server started"), (postgres, "listening on IPv4 address")):
        container.start()
        cleanup.callback(container.stop)
        wait_for_logs(container, ready, timeout=120)
    return Stack(f"postgresql://postgres:test@127.0.0.1:{given['postgres']}/postgres", f"127.0.0.1:{given['kafka']}")


if __name__ == "__main__":
    _hold(Path(sys.argv[1]), json.loads(sys.argv[2]))
