"""What runs in a process, of the kernel's own parts: API and worker of the service, or readers of the projection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.cancellation import only_own_cancellation, together
from shared.commands.commands import Commands
from shared.db import Held, ends_with_database
from shared.lease import Lease, lead
from shared.log.postgres import PostgresLog
from shared.processes.dispatcher import Dispatcher
from shared.projections.heads import QUICKLY, HeadsFollower
from shared.projections.movement import Movement
from shared.projections.runners import ProjectionRunners
from shared.projections.store_postgres import PostgresReadModelStore
from shared.relay.heads_publisher import HeadsPublisher
from shared.relay.relay import Relay
from shared.subscription.kafka_source import KafkaSource
from shared.subscription.log_source import LogSource
from shared.subscription.source import Marks, Source
from tests.simulation.claims import ask_how_far
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
        self.relay: Relay | None = None
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
        self.engines, self.commands, self.relay = [], None, None
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
    ends_with_database(engine, commands.forget)
    relay = instance.relay = Relay(log, engine, world.settings)
    log.appended.append(relay.wake)
    instance.commands = commands

    async def views(lease: Lease) -> None:
        source = LogSource(log)
        log.appended.append(source.wake)
        store = PostgresReadModelStore(engine)
        with world.leads(lease):
            try:
                await ProjectionRunners([BOOKS], lambda *_: source, store, PARTITIONS).run()
            finally:
                log.appended.remove(source.wake)
                await store.close()

    async def reactions(lease: Lease) -> None:
        def make(*_: object) -> Source:
            return KafkaSource(world.settings, SERVICE)

        dispatcher = Dispatcher(engine, commands, [THANK])
        store = PostgresReadModelStore(engine, issued=dispatcher.wake)
        with world.leads(lease):
            try:
                await together(ProjectionRunners([THANK], make, store, PARTITIONS).run(), dispatcher.run())
            finally:
                await store.close()

    heads = HeadsPublisher(engine, world.settings, SERVICE)
    await asyncio.gather(
        *([supervise(world, "heads", heads.run)] if world.tells_heads else []),
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
        store = PostgresReadModelStore(engine)
        try:
            await ProjectionRunners([BOOKS, COUNT], make, store, PARTITIONS).run()
        finally:
            await store.close()

    parts = {"topic views": read}
    if world.tells_heads:
        parts["heads"] = HeadsFollower(Held(engine, 1, QUICKLY), world.settings, SERVICE, Movement()).run
        parts["answers"] = partial(ask_how_far, world, engine)
    await asyncio.gather(*(supervise(world, name, part) for name, part in parts.items()))


def current() -> Process:
    process = PROCESS.get()
    assert process is not None
    return process
