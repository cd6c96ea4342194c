"""`python -m deploy.contracts write` renews contracts/; `check` fails where they differ or break a promise."""

from __future__ import annotations

import sys
from pathlib import Path

from deploy.contracts.documents import Documents, documents, schemas
from deploy.contracts.history import broken_promises

ROOT = Path(__file__).resolve().parents[2]


def differences(root: Path, wanted: Documents) -> list[str]:
    """The files that are missing, different or left over, by path."""
    present = {str(path.relative_to(root)) for path in (root / "contracts").rglob("*") if path.is_file()}
    different = {path for path, content in wanted.items() if not _holds(root / path, content)}
    return sorted(different | (present - set(wanted)))


def _holds(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def write(root: Path, wanted: Documents) -> list[str]:
    """Make contracts/ what the code says; the paths that changed."""
    changed = differences(root, wanted)
    for path in changed:
        if path in wanted:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(wanted[path])
        else:
            (root / path).unlink()
    return changed


def main(arguments: list[str]) -> int:
    if arguments not in (["write"], ["check"]):
        print(__doc__, file=sys.stderr)
        return 2
    if broken := broken_promises(ROOT, schemas()):
        print("Published events would break their readers:", *broken, sep="\n  ", file=sys.stderr)
        print(
            "Keep the published class as it is and give the new meaning a new version: a class with the tag ….v2,\n"
            "and on it `upcast`, which takes the old one.",
            file=sys.stderr,
        )
        return 1
    if arguments == ["write"]:
        changed = write(ROOT, documents())
        print(*changed or ["contracts/ is as the code says"], sep="\n")
        return 0
    if stale := differences(ROOT, documents()):
        print("contracts/ is not what the code says; run `make contracts`:", *stale, sep="\n  ", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
