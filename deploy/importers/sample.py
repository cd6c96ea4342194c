"""The sample community is imported like any other dump; its files are facts only and come with the project."""

from __future__ import annotations

from pathlib import Path

from deploy.importers.client import Guildhall
from deploy.importers.dump import Dump
from deploy.importers.report import ImportReport
from deploy.importers.stackexchange import Told
from deploy.importers.transfer import import_dump, silent

FOLDER = Path(__file__).parents[1] / "local" / "sample"
COMMUNITY = "french-meta"
NAME = "French Language Meta"
LANGUAGE = "fr"


async def load_sample(origin: str, token: str, progress: Told = silent) -> ImportReport:
    """Import the sample. Safe to repeat. Raises `ImportStopped` when the origin does not answer or refuses."""
    dump = Dump.at(FOLDER)
    async with Guildhall(origin, token) as guildhall:
        return await import_dump(dump, guildhall, COMMUNITY, name=NAME, language=LANGUAGE, progress=progress)
