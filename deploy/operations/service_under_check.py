"""One service as the doctor has it before him: its declaration, its database, and what the others and Kafka say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import asyncpg

from deploy.operations.lag import Lag
from shared.db import Driver
from shared.service.service import Service
from shared.settings import Settings


@dataclass(frozen=True, slots=True)
class ServiceUnderCheck:
    """`heads` are the logs' by service, `ends` the offsets that topics' next records get, where those are known.

    They were asked for in the order `lag`, `marks` (of this database), `ends`, `heads`: what comes later can only be
    further, so that none looks ahead of another by mere time.
    """

    settings: Settings
    service: Service
    database: Driver
    lag: Lag
    marks: Sequence[asyncpg.Record]
    heads: Mapping[str, list[int]]
    ends: Mapping[str, list[int]]
    full: bool

    @property
    def name(self) -> str:
        return self.service.name

    @property
    def has_log(self) -> bool:
        return self.service.events is not None
