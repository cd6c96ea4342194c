"""The sample community comes in by the public API, once; what is interrupted is repeated and changes nothing."""

from __future__ import annotations

import json

from deploy.local.home import Home
from deploy.local.problems import LocalError
from deploy.local.progress import Step

COMMUNITY = "french-meta"
SPAN = ("2011-08-01", "2021-08-31")
LAST_DAY = "2021-08-19"  # of the record
MARK = "sample.json"


async def load(home: Home, origin: str, token: str, step: Step) -> None:
    """Import it unless this state folder has it; the mark is set when all of it is in. Raises LocalError."""
    if home.read(MARK):
        step.tell("imported before")
        return
    from deploy.importers.client import ImportStopped  # here: later starts and `status` do without XML
    from deploy.importers.sample import load_sample

    def told(activity: str, done: int, total: int | None) -> None:
        step.tell(f"{activity} {done:,}{f' of {total:,}' if total else ''}")

    try:
        report = await load_sample(origin, token, told)
    except ImportStopped as error:
        raise LocalError(
            f"The sample community could not be brought in: {error}",
            "What was sent is stored; the import is safe to repeat.",
            f"Look into {home.logs} and run guildhall up again, or without the sample: guildhall up --no-demo",
        ) from error
    counts = {name: getattr(report, name) for name in ("read", "applied", "repeated", "rejected", "left_out")}
    if not report.rejected:  # what was refused is offered again at the next start
        home.write(MARK, json.dumps({"community": COMMUNITY, **counts}))
    step.tell(", ".join(f"{number:,} {name.replace('_', ' ')}" for name, number in counts.items()))
