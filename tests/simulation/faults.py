"""How often what fails, drawn from the seed: some seeds are calm about one kind of fault and wild about another."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from random import Random

KINDS = (
    "request lost",
    "reply lost",
    "swallowed",
    "delay",
    "transaction failed",
    "crash",
    "pause",
    "duplicate",
    "connections cut",
    "database went back",
    "broker away",
    "topic lost",
    "clock jump",
    "reader silent",
    "forged",
)


@dataclass
class Faults:
    """The dice of one seed. `network` decides on one message; the rest is decided by the clock (see `world.py`).

    `on` ends when the faults are to stop. `done` counts what was done, by kind.
    """

    random: Random
    on: bool = True
    network_is_slow: float = 1.0
    """How much longer everything takes than on a good local network; 0 for no time at all."""
    done: Counter[str] = field(default_factory=Counter)
    rates: dict[str, float] = field(init=False)

    def __post_init__(self) -> None:
        draw = self.random
        worst = {
            "request lost": 0.02,
            "reply lost": 0.03,
            "swallowed": 0.004,
            "delay": 0.03,
            "transaction failed": 0.03,
            "crash": 0.006,
            "duplicate": 0.05,
        }
        self.rates = {kind: rate * draw.choice([0.0, 0.2, 0.5, 1.0, 1.0]) for kind, rate in worst.items()}
        self._network = sum(self.rates.values())
        self._order = list(self.rates.items())

    def network(self, allowed: frozenset[str]) -> str | None:
        """What befalls a message; None for nothing."""
        if not self.on:
            return None
        dice = self.random.random()
        if dice >= self._network:
            return None
        for kind, rate in self._order:
            if dice < rate:
                if kind not in allowed:
                    return None
                self.done[kind] += 1
                return kind
            dice -= rate
        return None

    def latency(self) -> float:
        """Seconds one way on a network that works."""
        return (0.0002 + self.random.random() * 0.0015) * self.network_is_slow

    def commit(self) -> float:
        """Seconds that a commit takes, its locks held meanwhile."""
        return (0.0002 + self.random.random() * 0.003) * self.network_is_slow

    def delay(self) -> float:
        """Seconds of a delay that counts as a fault."""
        return self.random.choice([0.02, 0.1, 0.5, 2.0, 6.0]) * (0.5 + self.random.random())
