"""One running system for the whole suite, shared by all workers: five services, PostgreSQL, Kafka and the gateway."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.attacks.target import Target
from tests.e2e.system import LocalSystem, free_port

ENVIRONMENT = {
    "GUILDHALL_OTLP_ENDPOINT": "http://127.0.0.1:9",  # tracing is on, and nobody listens
    "OTEL_TRACES_SAMPLER": "parentbased_always_off",
}


@pytest.fixture(scope="package")  # five idle services cost the tests that follow a third of the machine
def attacked(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalSystem]:
    """The system; `GUILDHALL_TEST_SYSTEM` names the state folder of one that runs already.

    The first worker that comes starts it, the last that goes stops it.
    """
    if given := os.environ.get("GUILDHALL_TEST_SYSTEM"):
        yield LocalSystem(Path(given), json.loads((Path(given) / "ports.json").read_text())["origin"])
        return
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    with (shared / "attackers").open("a") as attackers, (shared / "starting").open("a") as starting:
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(attackers, fcntl.LOCK_SH)
        home = shared / "attacked"
        if home.exists():
            system = LocalSystem(home, json.loads((home / "ports.json").read_text())["origin"])
        else:
            system = LocalSystem(home, free_port())
            with pytest.MonkeyPatch.context() as environment:
                for name, value in ENVIRONMENT.items():
                    environment.setenv(name, value)
                system.up()
        fcntl.flock(starting, fcntl.LOCK_UN)
        yield system
        fcntl.flock(starting, fcntl.LOCK_EX)
        fcntl.flock(attackers, fcntl.LOCK_UN)
        with suppress(BlockingIOError):
            fcntl.flock(attackers, fcntl.LOCK_EX | fcntl.LOCK_NB)
            system.down()
            shutil.rmtree(home)  # so that who comes after all starts it anew


@pytest.fixture(scope="package")
async def target(attacked: LocalSystem) -> AsyncIterator[Target]:
    async with Target.of(attacked) as found:
        yield found
