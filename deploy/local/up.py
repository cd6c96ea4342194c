"""From nothing to a running system, step by step; every step is safe to repeat."""

from __future__ import annotations

import asyncio
import hashlib
import os
import platform
import signal
import time
from pathlib import Path

from deploy.local import demo as sample_community
from deploy.local import jars, measures, paths, problems, summary
from deploy.local.component import tail
from deploy.local.home import Home
from deploy.local.issuer import Issuer
from deploy.local.progress import Progress, Step
from deploy.local.service import guildhall
from deploy.local.supervisor import Supervisor
from deploy.local.system import System
from deploy.local.unroot import launcher
from shared.kafka.principals import ADMIN, OPERATOR

SERVICE_CODE = Path(__file__).parents[2] / "services"
KERNEL_CODE = Path(__file__).parents[2] / "shared"


async def bring_up(system: System, supervisor: Supervisor, progress: Progress, *, demo: bool) -> None:
    """Every step in order; raises LocalError. The caller stops the supervisor, however this ends."""
    home = system.home
    with progress.step("Environment") as step:
        step.tell(environment(home))
    with progress.step("Broker jars") as step:
        cache = jars.cache(home.root)
        # The database is made meanwhile: one waits for the network, the other for the disk.
        fetched, _ = await asyncio.gather(
            asyncio.to_thread(jars.fetch, cache, lambda done, total: step.tell(f"{done} of {total}")),
            asyncio.to_thread(system.postgres.prepare),
        )
        step.tell(f"{len(fetched)} jars in {cache}")
    with progress.step("PostgreSQL and Kafka") as step:
        await supervisor.start_all([system.postgres, system.kafka])
        step.tell(f"127.0.0.1:{system.postgres.port} and {system.kafka.address}")
    # Topics need the broker only, so they are made while the databases migrate.
    topics = asyncio.create_task(make_topics(system))
    try:
        with progress.step("Databases, migrations") as step:
            names = [service.name for service in system.services]
            await system.postgres.create([f"guildhall_{name}" for name in names])
            migrated = await asyncio.gather(*(migrate(system, name) for name in names))
            step.tell(f"{sum(migrated)} migrated, {len(names) - sum(migrated)} unchanged")
        with progress.step("Topics"):
            await topics
    finally:
        topics.cancel()
        await asyncio.gather(topics, return_exceptions=True)
    with progress.step("Services") as step:
        await supervisor.start_all(system.services)
        step.tell(", ".join(f"{one.name} :{one.port}" for one in system.services))
    with progress.step("Gateway") as step:
        await supervisor.start(system.gateway)
        step.tell(system.origin)
    if demo:
        token = Issuer(home).mint()
        with progress.step("Sample community") as step:
            await sample_community.load(home, system.origin, token, step)
        with progress.step("Projected") as step:
            await projected(system, token, step)
        await asyncio.to_thread(summary.show, progress.console, system, token)
    system.kafka.snapshot()
    supervisor.phase = "running"
    supervisor.record()


def environment(home: Home) -> str:
    for found in (paths.postgres_bin, paths.java, paths.caddy):
        found()
    user = "root" if os.geteuid() == 0 else f"uid {os.geteuid()}"
    return f"Python {platform.python_version()}, {platform.system()} as {user}, state in {home.root}"


async def migrate(system: System, service: str) -> bool:
    """Migrate a service's database unless this very code did; the mark lies beside the data it speaks of."""
    folder = SERVICE_CODE / service / "migrations"
    code = hashlib.sha256()
    # The kernel's tables count too: a migration may take them from there.
    files = (*folder.rglob("*.py"), *folder.rglob("*.ini"), *folder.rglob("*.sql"), *KERNEL_CODE.rglob("*.py"))
    for file in sorted(files):
        code.update(file.relative_to(SERVICE_CODE.parent).as_posix().encode() + b"\0" + file.read_bytes())
    mark = system.home.root / "postgres" / "migrated" / service
    if mark.exists() and mark.read_text() == code.hexdigest():
        return False
    await command(system, "migrate", service)
    system.home.write(f"postgres/migrated/{service}", code.hexdigest())
    return True


async def make_topics(system: System) -> None:
    """The topics, and who may do what with them, by the one who may do everything."""
    await command(system, "topics", *(["--acls"] if system.kafka.users else []), signed_in=ADMIN)


async def command(system: System, *arguments: str, signed_in: str = OPERATOR) -> None:
    """Run one `guildhall …` to its end, with the operator's settings; its log tells why it failed."""
    name = "-".join(arguments).replace("---", "-")
    log = system.home.log(name)
    prefix = launcher(f"--death-signal={int(signal.SIGTERM)}", f"--parent={os.getpid()}")
    with system.home.append(name) as output:
        process = await asyncio.create_subprocess_exec(
            *prefix,
            *guildhall(*arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **system.settings, **system.kafka.signed_in(signed_in)},
            start_new_session=True,
        )
    try:
        code = await asyncio.wait_for(process.wait(), 300)
    except BaseException:
        if process.returncode is None:
            process.kill()
        raise
    if code != 0:
        raise problems.died_at_start(f"guildhall {' '.join(arguments)}", log, tail(log, 6))


async def projected(system: System, token: str, step: Step, deadline: float = 600) -> None:
    """Wait until every event written is relayed and taken in by every view."""
    until = time.monotonic() + deadline
    while True:
        found = await asyncio.to_thread(measures.ask, system.ports)
        behind = [one for one in found if one.behind]
        if not behind and await asyncio.to_thread(summary.fresh, system.origin, token):
            step.tell(f"{sum(one.written or 0 for one in found):,} events, lag 0")
            return
        slow = ", ".join(f"{one.service} {max(one.projection_lag or 0, one.relay_lag or 0):,} behind" for one in behind)
        step.tell(slow)
        if time.monotonic() > until:
            raise problems.not_ready("The projection of the sample", deadline, slow, system.home.log("projection"))
        await asyncio.sleep(0.2)
