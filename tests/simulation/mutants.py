"""Planted bugs: each patch in `bugs/` is applied to a copy of the kernel, and seeds run until one of them fails.

`python -m tests.simulation.mutants [words]` prints at which seed each was caught, counted from 0. With `--quick` the
seed that caught it the last time (`caught.json`, written by `--write`) is tried first, and the others only where it no
longer does. A patch that no longer applies is an error. What is imported here is inherited by the forks, so nothing of
`shared/` or `deploy/` may be.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parent.parent
CAUGHT = HERE / "bugs" / "caught.json"
LIMIT = 200
"""Seeds within which a planted bug must be caught."""
WARM = ("asyncpg", "sqlalchemy.ext.asyncio", "aiokafka.admin", "msgspec", "structlog", "prometheus_client", "pyroaring")
"""Imported once, and not again for each bug."""


@dataclass(frozen=True)
class Caught:
    """What became of a planted bug; `seed` is None where no seed found it, and `property` says what was violated."""

    bug: str
    about: str
    seed: int | None
    property: str


class StalePatch(Exception):
    """A planted bug is not to be had any more: the code it changes has changed."""


def bugs(words: Sequence[str] = ()) -> list[Path]:
    found = sorted((HERE / "bugs").glob("*.patch"))
    return [path for path in found if not words or any(word in path.stem for word in words)]


def about(patch: Path) -> str:
    """The patch's first line, which says what it breaks."""
    return patch.read_text().partition("\n")[0]


def plant(patch: Path, folder: Path) -> None:
    """A copy of the kernel and of the simulation, with the bug in it."""
    ignore = shutil.ignore_patterns("__pycache__", "*.patch")
    shutil.copytree(ROOT / "shared", folder / "shared", ignore=ignore)
    shutil.copytree(ROOT / "deploy" / "operations", folder / "deploy" / "operations", ignore=ignore)
    for needed in ("doubles", "simulation"):
        shutil.copytree(HERE.parent / needed, folder / "tests" / needed, ignore=ignore)
    for package in ("deploy", "tests"):
        shutil.copy(ROOT / package / "__init__.py", folder / package / "__init__.py")
    done = subprocess.run(
        ["git", "apply", "--unidiff-zero", str(patch)], cwd=folder, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise StalePatch(
            f"The planted bug {patch.name} does not apply any more:\n{done.stderr}"
            "Make it anew for the code as it is, so that the simulation goes on being tested by it."
        )


def hunt(patch: Path, seeds: Iterable[int] = range(LIMIT)) -> Caught:
    """Plant it and run seeds until one fails."""
    with tempfile.TemporaryDirectory() as folder:
        plant(patch, Path(folder))
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            try:
                os.close(reader)
                with open(writer, "w") as pipe:
                    json.dump(_run(folder, seeds), pipe)
            finally:
                os._exit(0)
        os.close(writer)
        with open(reader) as pipe:
            answer = pipe.read()
        os.waitpid(child, 0)
    if not answer:
        raise RuntimeError(f"The simulation with {patch.name} in it broke down; run its seed by hand.")
    seed, violated = json.loads(answer)
    return Caught(patch.stem, about(patch), seed, violated)


def _run(folder: str, seeds: Iterable[int]) -> tuple[int | None, str]:
    for name in [name for name in sys.modules if name.partition(".")[0] in ("tests", "shared", "deploy")]:
        del sys.modules[name]
    sys.path.insert(0, folder)
    import shared
    from tests.simulation.seed import quiet, run_seed

    assert (shared.__file__ or "").startswith(folder), "the copy with the bug in it must be what runs"
    quiet()
    for seed in seeds:
        outcome = run_seed(seed)
        if outcome.violation is not None:
            return seed, outcome.violation
    return None, ""


def _names() -> set[str]:
    return {patch.stem for patch in bugs()}


def main(arguments: Sequence[str]) -> int:
    for name in WARM:
        __import__(name)
    words = [word for word in arguments if not word.startswith("--")]
    known = json.loads(CAUGHT.read_text()) if "--quick" in arguments else {}
    found: dict[str, int | None] = {}
    for patch in bugs(words):
        began = time.monotonic()
        caught = hunt(patch, [*([known[patch.stem]] if patch.stem in known else []), *range(LIMIT)])
        found[patch.stem] = caught.seed
        print(json.dumps({**asdict(caught), "seconds": round(time.monotonic() - began, 1)}), flush=True)
    if "--write" in arguments:
        there = {name: seed for name, seed in json.loads(CAUGHT.read_text()).items() if name in _names()}
        CAUGHT.write_text(json.dumps(dict(sorted({**there, **found}.items())), indent=2) + "\n")
    return 1 if None in found.values() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
