"""The vault: words that were replaced or deleted are forgotten when their time has come."""

from __future__ import annotations

from typing import Final

from deploy.operations.findings import Finding, ok, warning
from deploy.operations.service_under_check import ServiceUnderCheck
from shared.vault import DUE_WORDS

LATE: Final = 600.0
"""Seconds that words may be due."""


async def forgetting(of: ServiceUnderCheck) -> Finding:
    """No words are long due that stand no more."""
    due = await of.database.fetchrow(DUE_WORDS, of.settings.retention)
    assert due is not None, "it is a count"
    days = f"{of.settings.superseded_words_days:g}"
    if (due["seconds"] or 0.0) < LATE:
        return ok("vault", of.name, f"Words that were replaced or deleted are forgotten after {days} days.")
    return warning(
        "vault",
        of.name,
        f"{due['words']} words that were replaced or deleted more than {days} days ago are still kept, the first of "
        f"them {due['seconds'] / 3600:.1f} h too long.",
        f"Start a worker: guildhall run {of.name} --only worker; if one runs, see `guildhall logs {of.name}`.",
    )
