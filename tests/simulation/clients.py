"""Clients ask either instance of the service over a network that loses and delays; they remember the answers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any
from uuid import UUID, uuid5

import asyncpg

from shared.commands.commands import CommandMetadata, Commands
from shared.commands.decisions import StreamDecision
from shared.events.errors import AlreadyMade, Conflict, PreconditionFailed, Problem
from shared.log.keys import IdempotencyKey
from shared.log.port import VaultRow
from tests.simulation import domain
from tests.simulation.domain import ACCOUNT, COMMUNITY, NOTE, ROOT, SWITCH, UNLUCKY, Account, Deposited
from tests.simulation.going_back import Past
from tests.simulation.oracle import Violation

if TYPE_CHECKING:
    from tests.simulation.processes import Instance
    from tests.simulation.world import World

PATIENCE = 6.0
"""Seconds a client waits for an answer."""
ACCOUNTS = 4
NETWORK = frozenset({"request lost", "reply lost", "delay"})
Request = Callable[[Commands], Awaitable[Any]]


class Lost(Exception):
    """No answer: whether it was done is not known."""


class Client:
    """One client; everything it does follows one after another."""

    def __init__(self, world: World, number: int) -> None:
        self._world = world
        self._random = world.random
        self._number = number
        self._member = uuid5(ROOT, f"member {number}")
        self._facts = 0
        self._take_switch()

    def _take_switch(self) -> None:
        """One that nobody has turned; what a client knows of one is not true of a log that went back."""
        self._as_of = self._past.upheavals
        self._switch = uuid5(ROOT, f"switch {self._number} {self._as_of}")
        self._on = False
        self._version = 0

    @property
    def _past(self) -> Past:
        return self._world.oracle.past

    async def run(self) -> None:
        """Until the world wants no more."""
        kinds = [self._deposit, self._deposit, self._transfer, self._turn, self._look, self._note]
        if not self._world.may_go_back:  # what became of a key is in the database alone, and lost with it (record 46)
            kinds.append(self._pay)
        while self._world.busy:
            await asyncio.sleep(self._random.expovariate(1 / self._world.thinking))
            if self._as_of != self._past.upheavals:
                self._take_switch()
            await self._random.choice(kinds)()

    async def read(self) -> None:
        """Until the world wants no more; who writes is held up while nothing is written, and sees nothing then."""
        while self._world.busy:
            await asyncio.sleep(self._random.expovariate(2 / self._world.thinking))
            await self._read()

    def _fact(self) -> UUID:
        self._facts += 1
        fact = uuid5(self._member, f"fact {self._facts}")
        self._world.oracle.attempted.add(fact)
        return fact

    def _acknowledge(self, asked: int, *facts: UUID) -> None:
        self._world.oracle.acknowledged.update(dict.fromkeys(facts, asked))
        self._world.trace("acknowledged", self._number, *(fact.hex[:8] for fact in facts))

    def _act(self) -> CommandMetadata:
        return CommandMetadata(COMMUNITY, self._member, datetime(2026, 3, 1, tzinfo=UTC))

    async def _deposit(self) -> None:
        """Not repeated where the answer is lost: an account cannot tell a second deposit from the first."""
        fact, account = self._fact(), uuid5(ROOT, f"account {self._random.randrange(ACCOUNTS)}")
        amount = UNLUCKY if self._random.random() < self._world.unlucky else self._random.randrange(-9, 10)

        async def request(commands: Commands) -> None:
            await commands.execute(ACCOUNT, account, partial(_deposit, fact, self._member, amount), act=self._act())

        asked = self._past.returns
        if await self._once(request):
            self._acknowledge(asked, fact)

    async def _pay(self) -> None:
        """A deposit with a key, repeated until it is answered; it happens once."""
        fact, account = self._fact(), uuid5(ROOT, f"account {self._random.randrange(ACCOUNTS)}")
        act = replace(self._act(), key=IdempotencyKey(uuid5(fact, "key"), b"said", datetime(2026, 3, 8, tzinfo=UTC)))
        asked = self._past.returns

        async def request(commands: Commands) -> None:
            with suppress(AlreadyMade):
                await commands.execute(ACCOUNT, account, partial(_deposit, fact, self._member, 1), act=act)

        while self._world.patient and not await self._once(request, repeatable=True):
            await asyncio.sleep(0.1)
        else:
            self._acknowledge(asked, fact)

    async def _transfer(self) -> None:
        one, other = self._random.sample(range(ACCOUNTS), 2)
        taken, given = self._fact(), self._fact()
        steps = [
            StreamDecision(ACCOUNT, uuid5(ROOT, f"account {one}"), partial(_deposit, taken, self._member, -1)),
            StreamDecision(ACCOUNT, uuid5(ROOT, f"account {other}"), partial(_deposit, given, self._member, 1)),
        ]

        async def request(commands: Commands) -> None:
            await commands.execute_together(steps, act=self._act())

        asked = self._past.returns
        if await self._once(request):
            self._acknowledge(asked, taken, given)

    async def _note(self) -> None:
        """Repeated until it is answered; it happens once."""
        fact = self._fact()
        ref = uuid5(fact, "words")

        async def request(commands: Commands) -> None:
            secrets = [VaultRow(COMMUNITY, self._member, ref, b'{"words":"x"}')]
            await commands.execute(
                NOTE, uuid5(fact, "note"), partial(domain.note, fact, ref), act=self._act(), secrets=secrets
            )

        first = asked = self._past.returns
        while self._world.patient and not await self._once(request, repeatable=True):
            await asyncio.sleep(0.1)
            asked = self._past.returns
        else:
            self._acknowledge(asked, fact)
            # A note that is put back into a log that went back has no words: these are in no topic.
            if first == self._past.returns and (COMMUNITY, ref) not in self._world.ledger.table("vault"):
                raise Violation(f"acknowledged words lost: {ref}")

    async def _turn(self) -> None:
        """Turn the switch, at the version it was left at; repeated until it surely is turned, or the log went back."""
        fact, on, version, asked = self._fact(), not self._on, self._version, self._past.returns
        switch = self._switch  # a request that is late is about the one that was meant

        async def request(commands: Commands) -> int:
            done = await commands.execute(
                SWITCH, switch, partial(domain.turn, fact, on), act=self._act(), expect=version
            )
            # One delivered late may find it turned back and turned again: it is as asked for, and nothing is done.
            if domain.is_on(done.state) != on or (done.events and done.version != version + 1):
                raise Violation(f"wrong answer: a switch at {version} was turned {on} and is {done}")
            return done.version

        while self._world.patient:
            try:
                found = await self._ask(request, repeatable=True)
                if found != version + 1 and self._as_of == self._past.upheavals:
                    raise Violation(f"wrong answer: nobody else turned the switch at {version}, and it is at {found}")
            except PreconditionFailed:
                await self._find_turned(version, on)
            except (Lost, Problem):
                await asyncio.sleep(0.1)
                if self._as_of == self._past.upheavals:
                    continue
            if self._as_of == self._past.upheavals:
                self._on, self._version = on, version + 1
                self._acknowledge(asked, fact)
            return

    async def _find_turned(self, version: int, on: bool) -> None:
        """An earlier try of this client's, whose answer was lost, is all that can have moved its switch."""

        switch = self._switch

        async def request(commands: Commands) -> Any:
            return await commands.load(SWITCH, switch)

        while self._world.patient and self._as_of == self._past.upheavals:
            try:
                found = await self._ask(request)
            except (Lost, Problem):
                await asyncio.sleep(0.1)
                continue
            if self._as_of == self._past.upheavals and (found.version, domain.is_on(found.state)) != (version + 1, on):
                raise Violation(f"switch is not as it was left: {found}, not {on} at {version + 1}")
            return

    async def _look(self) -> None:
        """Ask for what is the case, of whoever answers: it must not be refused."""
        on, switch = self._on, self._switch

        async def request(commands: Commands) -> None:
            await commands.execute(SWITCH, switch, partial(domain.require, on), act=self._act())

        try:
            await self._ask(request)
        except Conflict as refusal:
            if refusal.retry_after is None and self._as_of == self._past.upheavals:
                raise Violation(f"wrong refusal: the switch was left {on} at {self._version}") from refusal
        except (Lost, Problem):
            pass

    async def _read(self) -> None:
        """Read an account: it is as it was when that was asked, or as it has become since."""
        account = uuid5(ROOT, f"account {self._random.randrange(ACCOUNTS)}")

        async def request(commands: Commands) -> int:
            return (await commands.load(ACCOUNT, account)).version

        def version() -> int:
            return len(self._world.index.stream(account, 0))

        before, as_of = version(), self._past.upheavals
        try:
            found = await self._ask(request)
        except (Lost, Problem):
            return
        if as_of == self._past.upheavals and not before <= found <= version():
            raise Violation(f"wrong answer: an account is at {found}, and was at {before} before and is at {version()}")

    # The network

    async def _once(self, request: Request, *, repeatable: bool = False) -> bool:
        try:
            await self._ask(request, repeatable=repeatable)
        except (Lost, Problem):
            return False
        return True

    async def _ask(self, request: Request, *, repeatable: bool = False) -> Any:
        """One HTTP request to one of the instances, twice where the network repeats what may be repeated.

        Raises `Lost` where no answer comes.
        """
        world, faults = self._world, self._world.faults
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Any] = loop.create_future()
        fault = faults.network(NETWORK | {"duplicate"} if repeatable else NETWORK)
        delay = faults.latency() + (faults.delay() if fault == "delay" else 0.0)
        if fault != "request lost":
            world.on_the_way[future] = None
            world.later(delay, _deliver, self._random.choice(world.services), request, future, fault != "reply lost")
        if fault == "duplicate":
            nobody = loop.create_future()
            later = delay + faults.delay()
            world.on_the_way[nobody] = None
            world.later(later, _deliver, self._random.choice(world.services), request, nobody, False)
        try:
            async with asyncio.timeout(PATIENCE):
                return await future
        except (TimeoutError, OSError) as error:
            raise Lost from error


def _deliver(instance: Instance, request: Request, future: asyncio.Future[Any], heard: bool) -> None:
    commands, process = instance.commands, instance.process
    if commands is None or process is None or not process.alive:
        instance.world.on_the_way.pop(future)
        if not future.done():
            future.set_exception(ConnectionRefusedError(instance.name))
        return
    instance.world.on_the_way[future] = process
    instance.asked[future] = None
    future.add_done_callback(lambda _: instance.asked.pop(future, None))

    async def handle() -> None:
        result: Any = None
        failure: Exception | None = None
        try:
            result = await request(commands)
        except Violation as violation:
            instance.world.violated(violation)
        except Problem as problem:
            failure = problem
        except (asyncpg.PostgresError, OSError) as error:
            failure = ConnectionAbortedError(repr(error))
        except Exception as error:
            instance.world.violated(Violation(f"unexpected error: {error!r} instead of an answer"))
        instance.world.on_the_way.pop(future)
        instance.world.later(instance.world.faults.latency(), answer, result, failure)

    def answer(result: Any, failure: Exception | None) -> None:
        if heard and not future.done():
            if failure is not None:
                future.set_exception(failure)
            else:
                future.set_result(result)

    process.begin(instance.world.loop, handle())


def _deposit(fact: UUID, member: UUID, amount: int, _: Account) -> list[Deposited]:
    return [Deposited(fact, member, amount)]
