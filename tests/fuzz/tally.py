"""What a run came to: requests by service and status, what was found and how to see it again."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tests.city.asking import Answer, Request

KEPT = 200
"""Findings that are kept with their requests; the rest is only counted."""


@dataclass(frozen=True)
class Finding:
    """`episode` names the seed and the episode that finds it again."""

    problem: str
    episode: str
    curl: str
    status: int
    answer: str


@dataclass
class Tally:
    """Adds up; `repeated` are requests whose answer asked to be repeated and which then succeeded."""

    requests: Counter[str] = field(default_factory=Counter)
    sources: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    succeeded: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)
    violations: int = 0
    repeated: int = 0
    stalls: int = 0
    stalled: list[str] = field(default_factory=list)
    longest_turn: float = 0.0

    @property
    def total(self) -> int:
        return sum(self.requests.values())

    def count(self, source: str, request: Request, answer: Answer, operation: str | None) -> None:
        self.requests[request.service] += 1
        self.sources[source] += 1
        self.statuses[answer.status] += 1
        if operation is not None and 200 <= answer.status < 300:
            self.succeeded[operation] += 1

    def found(self, problem: str, episode: str, request: Request | None = None, answer: Answer | None = None) -> None:
        self.violations += 1
        if len(self.findings) < KEPT:
            curl = request.as_curl()[:4_000] if request else ""
            body = repr(answer.body[:600]) if answer else ""
            self.findings.append(Finding(problem, episode, curl, answer.status if answer else 0, body))

    def add(self, other: Tally) -> None:
        for name in ("requests", "sources", "statuses", "succeeded"):
            getattr(self, name).update(getattr(other, name))
        self.findings += other.findings
        self.violations += other.violations
        self.repeated += other.repeated
        self.stalls += other.stalls
        self.stalled += other.stalled
        self.longest_turn = max(self.longest_turn, other.longest_turn)

    def as_json(self) -> dict[str, Any]:
        return {**vars(self), "findings": [asdict(finding) for finding in self.findings]}

    @classmethod
    def of_json(cls, value: dict[str, Any]) -> Tally:
        tally = cls(**value)
        for name in ("requests", "sources", "succeeded"):
            setattr(tally, name, Counter(value[name]))
        tally.statuses = Counter({int(status): count for status, count in value["statuses"].items()})
        tally.findings = [Finding(**finding) for finding in value["findings"]]
        return tally
