"""What runs in a process, of the kernel's own parts: API and worker of the service, or readers of the projection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.commands import Commands
from shared.lease import Lease, lead
from shared.log.postgres import PostgresLog
from shared.reactions import carry_out
from shared.relay.relay import Relay
from shared.stream.kafka_source import KafkaSource
from shared.stream.log_source import LogSource
from shared.stream.source import Marks, Source
from shared.tasks import only_own_cancellation
from shared.views.readers import Readers
from shared.views.store_postgres import PostgresViewStore
from tests.simulation.domain import BOOKS, CATALOGUE, COUNT, PARTITIONS, SERVICE, THANK
from tests.simulation.driver import Engine
from tests.simulation.loop import PROCESS, Process

if TYPE_CHECKING:
    from tests.simulation.world import World

Part = Callable[[], Awaitable[None]]


class Instance:
    """One of two that do the same. `start` makes its process anew, `commands` is there while it can be asked."""

    def __init__(self, world: World, name: str, main: Callable[[Instance], Awaitable[None]]) -> None:
        self.world = world
        self.name = name
        self.process: Process | None = None
        self.commands: Commands | None = None
        self.engines: list[Engine] = []
        self.asked: dict[asyncio.Future[Any], None] = {}
        self._main = main

    def start(self) -> None:
        self.process = Process(self.name, self._died)
        self.world.processes.append(self.process)
        self.process.begin(self.world.loop, self._main(self))  # type: ignore[arg-type]

    def engine(self, database: Any) -> Any:
        made = Engine(database)
        self.engines.append(made)
        return made

    def _died(self, process: Process) -> None:
        """Its memory is gone, its connections break, its callers hear of it; it is started again in a while."""
        world = self.world
        world.trace("crash", self.name)
        world.leading.pop((process, "views"), None)
        world.leading.pop((process, "reactions"), None)
        for engine in self.engines:
            engine.hang_up()
        self.engines, self.commands = [], None
        asked, self.asked = self.asked, {}
        for future in asked:
            if not future.done():
                future.set_exception(ConnectionResetError(self.name))
        world.later(0.1 + world.faults.random.random() * 2, self.start)


async def supervise(world: World, name: str, part: Part) -> None:
    """As the worker's: a part that fails is begun again after a pause."""
    pause = 0.5
    while True:
        began = time.monotonic()
        try:
            with only_own_cancellation():
                await part()
            return
        except Exception as error:
            world.trace("part failed", name, type(error).__name__)
        pause = 0.5 if time.monotonic() - began > 30 else min(pause * 2, 30.0)
        await asyncio.sleep(pause)


async def run_service(instance: Instance) -> None:
    """`guildhall run`: commands, relay, own views, reactions; one of two instances leads each."""
    world = instance.world
    engine = instance.engine(world.ledger)
    log = PostgresLog(engine, SERVICE, PARTITIONS)
    await log.start()
    commands = Commands(log, CATALOGUE)
    relay = Relay(log, engine, world.settings)
    log.appended.append(relay.wake)
    instance.commands = commands

    async def views(lease: Lease) -> None:
        source = LogSource(log)
        log.appended.append(source.wake)
        store = PostgresViewStore(engine)
        with world.leads(lease):
            try:
                await Readers([BOOKS], lambda *_: source, store, PARTITIONS).run()
            finally:
                log.appended.remove(source.wake)
                await store.close()

    async def reactions(lease: Lease) -> None:
        def make(*_: object) -> Source:
            return KafkaSource(world.settings, SERVICE)

        store = PostgresViewStore(engine, execute=partial(carry_out, commands))
        with world.leads(lease):
            try:
                await Readers([THANK], make, store, PARTITIONS).run()
            finally:
                await store.close()

    await asyncio.gather(
        supervise(world, "relay", relay.run),
        supervise(world, "views", partial(lead, engine, "views", views)),
        supervise(world, "reactions", partial(lead, engine, "reactions", reactions)),
    )


async def run_projection(instance: Instance) -> None:
    """The read models of another service, from the topic; the instances share the partitions as a group, or race."""
    world = instance.world
    engine = instance.engine(world.projection)

    def make(group: str, source: str, marks: Marks) -> Source:
        if world.grouped:
            return KafkaSource(world.settings, source, f"guildhall-projection-{group}", marks=marks)
        return KafkaSource(world.settings, source)

    async def read() -> None:
        store = PostgresViewStore(engine)
        try:
            await Readers([BOOKS, COUNT], make, store, PARTITIONS).run()
        finally:
            await store.close()

    await supervise(world, "topic views", read)


def current() -> Process:
    process = PROCESS.get()
    assert process is not None
    return process
