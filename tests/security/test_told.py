"""What the served documents tell of who may do what is what the one table in `policy.py` says."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from shared.service.service import create_app
from shared.settings import Settings
from tests.city.city import SERVICES, City
from tests.city.operations import Operation, operations
from tests.security.policy import POLICY, Needs, told


def disagreements(known: Iterable[Operation]) -> list[str]:
    """Where the document tells a partner something else than the table."""
    return [
        f"{op.id}: tells {op.spec.get('x-permission')}, not {told(op.id)}"
        for op in known
        if op.spec.get("x-permission") != told(op.id)
    ]


def test_the_documents_tell_what_the_policy_says(town: City) -> None:
    known = operations(town.documents)

    assert disagreements(known) == []
    assert {op.id for op in known} == set(POLICY)


@pytest.fixture(scope="module")
def documented() -> dict[str, Operation]:
    """Every operation by its id, without anything that runs."""
    documents = {name: create_app(service, Settings(_env_file=None)).openapi() for name, service in SERVICES.items()}
    return {op.id: op for op in operations(documents)}


@pytest.mark.parametrize(
    ("operation", "instead"),
    [
        ("get_thread", None),
        ("get_thread", {"who": "reader", "in": "community"}),
        ("rename_channel", {"who": "moderator", "in": "community"}),
        ("answer_suggestion", {"who": "moderator"}),
        ("post_reply", {"who": "member", "in": "community", "even_archived": True}),
        ("archive_community", {"who": "owner", "in": "community"}),
        ("backfill_content", {"who": "administrator", "in": "community"}),
    ],
    ids=[
        "nothing is told",
        "an archived one is not read",
        "a lower role",
        "in no community",
        "an archived one is written",
        "an archived one is not left alone",
        "without its scope",
    ],
)
def test_a_document_that_tells_something_else_is_found(
    documented: Mapping[str, Operation], operation: str, instead: dict[str, Any] | None
) -> None:
    op = documented[operation]
    spec = {name: value for name, value in op.spec.items() if name != "x-permission"}
    wrong = replace(op, spec=spec if instead is None else {**spec, "x-permission": instead})

    (found,) = disagreements({**documented, operation: wrong}.values())
    assert found.startswith(f"{operation}: tells {instead}, not")


@pytest.mark.parametrize("needs", Needs)
def test_a_line_of_the_table_that_says_something_else_is_found(
    documented: Mapping[str, Operation], monkeypatch: pytest.MonkeyPatch, needs: Needs
) -> None:
    monkeypatch.setitem(POLICY, "edit_thread", replace(POLICY["edit_thread"], needs=needs))

    found = disagreements(documented.values())
    assert [line.split(":")[0] for line in found] == ([] if needs is Needs.CONTRIBUTE else ["edit_thread"])
