"""What `make check` says of each thing that can be forgotten, each planted here."""

from __future__ import annotations

from copy import copy
from dataclasses import replace
from types import ModuleType
from uuid import UUID

import pytest
import sqlalchemy as sa
from fastapi import APIRouter

from deploy.contracts.documents import SERVICES, load
from services.projection.read_models.actions import ACTION_KINDS
from shared.events.event import Event, Recorded
from shared.processes.process_manager import OutgoingCommand
from shared.projections.read_model import Change, ReadModel, process_manager
from shared.service.service import Service
from tests import check_forgotten
from tests.check_forgotten import (
    METRICS,
    documented,
    events_nobody_reads,
    kinds_not_told,
    modules_of,
    not_listed,
    unknown_kinds,
    unknown_names,
    without_policy,
    without_story,
)
from tests.city.kinds import KINDS, Kind
from tests.city.operations import Json, Operation
from tests.projection.histories import ACTION_KINDS as DRAWN
from tests.security.policy import POLICY, Needs, Rule
from tests.security.stories import STORIES, Story

DOCUMENT = METRICS.read_text(encoding="utf-8")


class PollOpened(Event, frozen=True, tag="guildhall.feedback.poll-opened.v1"):
    """Of an aggregate that somebody adds."""

    poll_id: UUID


def fold(event: PollOpened, record: Recorded) -> list[Change]:
    return []


def react(event: PollOpened, record: Recorded) -> list[OutgoingCommand]:
    return []


def changed(name: str, **parts: object) -> Service:
    """A service of that name, with other parts; made anew it would want tables of its own."""
    service = copy(load(name))
    for part, value in parts.items():
        object.__setattr__(service, part, value)
    return service


@pytest.fixture(scope="module")
def known() -> list[Operation]:
    return documented(load(name) for name in SERVICES)


@pytest.fixture
def poll(known: list[Operation]) -> Operation:
    """An operation that somebody adds: like that which submits a suggestion."""
    like = next(op for op in known if op.id == "submit_suggestion")
    return replace(like, path=like.path.replace("suggestions", "polls"), spec={**like.spec, "operationId": "open_poll"})


@pytest.fixture
def events(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module of feedback's events with one more in it."""
    events = load("feedback").events
    assert events is not None
    monkeypatch.setattr(events, "PollOpened", PollOpened, raising=False)
    monkeypatch.setattr(PollOpened, "__module__", events.__name__)
    return events


def test_nothing_is_forgotten() -> None:
    assert list(check_forgotten.forgotten()) == []


def test_an_operation_without_a_line_in_the_policy_is_refused(known: list[Operation], poll: Operation) -> None:
    assert list(without_policy([*known, poll], POLICY)) == [
        "open_poll (POST /polls of feedback) has no line in the policy. Add it to POLICY in tests/security/policy.py: "
        '"open_poll": Rule(what it asks of its caller, the kind of thing it is done to, whose).'
    ]


def test_a_line_of_the_policy_without_an_operation_is_refused(known: list[Operation]) -> None:
    assert list(without_policy(known, {*POLICY, "open_poll"})) == [
        "open_poll has a line in POLICY of tests/security/policy.py and is no operation of any service. Take the line "
        "out, or list the operation's router in the service's app.py."
    ]


def test_a_change_without_a_story_and_a_story_without_a_change_are_refused(
    known: list[Operation], poll: Operation
) -> None:
    assert list(without_story([*known, poll], STORIES)) == [
        "open_poll (POST /polls of feedback) takes an Idempotency-Key and has no story. Add it to STORIES in "
        'tests/security/stories.py: "open_poll": Story(who, what is made for it, what takes it back).'
    ]
    assert list(without_story(known, {*STORIES, "open_poll"})) == [
        "open_poll has a story in tests/security/stories.py and takes no Idempotency-Key. Take it out of STORIES."
    ]


def test_what_is_made_and_of_no_kind_is_refused(known: list[Operation], poll: Operation) -> None:
    assert list(unknown_kinds([*known, poll])) == [
        "open_poll (POST /polls of feedback) makes something of no kind. Add open_poll to `made_by` of its kind in "
        "tests/city/kinds.py, and the kind, where it is new: how a village makes one, what its id is called, what uses "
        "it up."
    ]
    assert list(unknown_kinds([*known, poll], KINDS | {"poll": Kind(made_by=("open_poll",))})) == []


def test_a_kind_of_which_something_else_knows_nothing_is_refused(known: list[Operation]) -> None:
    kinds = KINDS | {"poll": Kind(made_by=("open_poll",), used_up_by=("close_poll",))}
    policy, stories = {"close_ballot": Rule(Needs.MODERATE, "ballot")}, {"close_poll": Story(fresh="poll")}

    assert list(unknown_kinds(known, kinds, policy, stories)) == [
        "close_poll in tests/city/kinds.py is no operation of any service. Take it out there.",
        "open_poll in tests/city/kinds.py is no operation of any service. Take it out there.",
        "close_ballot is done to a ballot by POLICY, which is no kind. Add it to tests/city/kinds.py.",
        "The story of close_poll begins with a fresh poll, which no village makes. Give that kind its `making` in "
        "tests/city/kinds.py.",
    ]


def with_parameter(op: Operation, name: str, where: str, schema: Json) -> Operation:
    parameter = {"name": name, "in": where, "required": where == "path", "schema": schema}
    return replace(op, spec={**op.spec, "parameters": [*op.parameters, parameter]})


UUIDS = {"type": "string", "format": "uuid"}


@pytest.mark.parametrize(
    ("name", "where", "schema", "said"),
    [
        ("poll_id", "path", UUIDS, ["the matrix has nothing to send", "Add the name to `called` of its kind"]),
        ("poll", "query", {"anyOf": [UUIDS, {"type": "null"}]}, ["Add the name to `called` of its kind"]),
        ("wanted", "query", {"type": "string"}, ["Add the name to NAMES in tests/fuzz/drawing.py"]),
        (
            "wanted",
            "query",
            {"type": "array", "items": {"type": "string", "format": "time"}},
            ["Add the name to NAMES"],
        ),
        ("choice", "path", {"type": "string", "enum": ["yes", "no"]}, ["or to WORDS where it is no id"]),
        ("wanted", "query", {"type": "string", "enum": ["open", "closed"]}, []),
        ("until", "query", {"type": "string", "format": "date"}, []),
    ],
)
def test_a_parameter_for_which_nothing_would_be_sent_is_refused(
    known: list[Operation], name: str, where: str, schema: Json, said: list[str]
) -> None:
    op = with_parameter(next(op for op in known if op.id == "get_suggestion"), name, where, schema)

    found = list(unknown_names([op]))

    assert len(found) == len(said)
    for line, words in zip(found, said, strict=True):
        assert line.startswith("get_suggestion (GET /suggestions/{suggestion_id} of feedback): ")
        assert f"`{name}`" in line
        assert words in line


def test_a_field_of_a_body_that_holds_ids_of_no_kind_is_refused(known: list[Operation]) -> None:
    op = next(op for op in known if op.id == "submit_suggestion")
    assert op.body_schema is not None
    body = op.resolve(op.body_schema)
    body = {**body, "properties": {**body["properties"], "poll_id": UUIDS}}
    spec = {**op.spec, "requestBody": {"content": {"application/json": {"schema": body}}}}

    (found,) = unknown_names([replace(op, spec=spec)])

    assert "`poll_id` holds ids of nobody knows what. Add the name to `called` of its kind" in found


def test_an_event_that_nobody_reads_is_refused_until_it_says_why(
    events: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    feedback = load("feedback")
    assert list(events_nobody_reads([feedback])) == [
        "PollOpened (guildhall.feedback.poll-opened.v1) is taken by no read model. Add it to the type of `event` in "
        "the fold that shows what it says (read_models/ of any service), or, where nobody is to read it, to UNREAD at "
        'the end of services/feedback/events.py: UNREAD = {PollOpened: "why"}.'
    ]
    monkeypatch.setattr(events, "UNREAD", {PollOpened: " "}, raising=False)
    assert len(list(events_nobody_reads([feedback]))) == 1

    monkeypatch.setattr(events, "UNREAD", {PollOpened: "The poll itself is read from its stream."})
    assert list(events_nobody_reads([feedback])) == []


def test_an_event_that_is_read_and_said_to_be_unread_is_refused(
    events: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(events, "UNREAD", {PollOpened: "Nobody does."}, raising=False)
    reading = changed("feedback", own_read_models=(*load("feedback").views, ReadModel("polls", (), fold)))

    assert list(events_nobody_reads([reading])) == [
        "PollOpened (guildhall.feedback.poll-opened.v1) is in UNREAD of services/feedback/events.py, and a read model "
        "takes it. Take it out of UNREAD."
    ]


def test_an_event_that_only_another_service_reads_is_read() -> None:
    shared = [changed("content", own_read_models=()), load("projection")]

    assert "ThreadOpened" not in str(list(events_nobody_reads(shared)))
    assert "ThreadOpened" in str(list(events_nobody_reads(shared[:1])))


def module(**parts: object) -> ModuleType:
    """A module of a service's folder that has those parts."""
    made = ModuleType("services.feedback.read_models.polls")
    vars(made).update(parts)
    return made


@pytest.mark.parametrize(
    ("part", "service", "said"),
    [
        ("view", "feedback", "read model that nobody runs. Add it to own_read_models in services/feedback/app.py."),
        ("view", "content", "read model that nobody runs. Add it to topic_read_models in services/content/app.py."),
        ("manager", "content", "read model that nobody runs. Add it to process_managers in services/content/app.py."),
        ("router", "feedback", "router that nobody serves. Add it to routers in services/feedback/app.py."),
    ],
)
def test_what_a_service_has_in_its_folder_and_does_not_list_is_refused(
    monkeypatch: pytest.MonkeyPatch, part: str, service: str, said: str
) -> None:
    table = sa.Table("polls", sa.MetaData())
    view, manager = ReadModel("polls", (table,), fold), process_manager("polls", react, [])
    made = {"view": view, "manager": manager, "router": APIRouter()}
    for function in (fold, react):
        monkeypatch.setattr(function, "__module__", "services.feedback.read_models.polls")
    elsewhere = ModuleType("services.feedback.polls.listing")
    vars(elsewhere).update(POLLS=view)

    found = list(not_listed(load(service), [elsewhere, module(POLLS=made[part], AGAIN=made[part])]))

    assert len(found) == 1
    assert found[0].endswith(f" in services/feedback/read_models/polls.py is a {said}")


def test_a_services_own_lists_are_what_its_folder_is_held_to() -> None:
    less = changed("feedback", own_read_models=(), routers=())

    found = list(not_listed(less, modules_of(less)))

    assert [line.partition(" is ")[0] for line in found] == [
        "SUGGESTION_BOARD in services/feedback/read_models/suggestion_board.py",
        "router in services/feedback/suggestions/routes.py",
        "router in services/feedback/votes/routes.py",
    ]


def test_a_kind_of_action_that_is_not_told_is_refused() -> None:
    added = (*ACTION_KINDS, "ballot")

    assert list(kinds_not_told(added, DOCUMENT, DRAWN)) == [
        f"The kind of action `ballot` is missing in {where}. Add it there, as the last one."
        for where in ("the row `actions` of docs/metrics.md", "ACTION_KINDS of tests/projection/histories.py")
    ]


def test_a_kind_of_action_that_is_none_or_stands_elsewhere_is_refused() -> None:
    (gone,) = kinds_not_told(ACTION_KINDS[:-1], DOCUMENT.replace(", `vote`", ""), DRAWN)
    (other,) = kinds_not_told(ACTION_KINDS, DOCUMENT, DRAWN[::-1])

    assert gone.startswith("`vote` in ACTION_KINDS of tests/projection/histories.py is no kind of action.")
    assert other.startswith("The kinds of actions stand in another order in ACTION_KINDS of tests/projection/hist")


def test_a_document_that_lost_its_list_is_refused() -> None:
    assert len(list(kinds_not_told(ACTION_KINDS, "# What the metrics mean\n", DRAWN))) == len(ACTION_KINDS)
