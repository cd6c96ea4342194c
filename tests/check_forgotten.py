"""What a new aggregate, event, read model or kind of action must be named in besides its own folder, and is not yet.

Run by `make check`; it starts nothing. Each line says what is missing, where to add it, and how.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from importlib import import_module
from itertools import chain
from pathlib import Path
from pkgutil import walk_packages
from types import ModuleType

from fastapi import APIRouter

from deploy.contracts.documents import SERVICES, load
from services.projection.read_models.actions import ACTION_KINDS
from shared.events.catalogue import Catalogue
from shared.events.event import wire_name
from shared.projections.read_model import ReadModel
from shared.service.service import Service, create_app
from shared.settings import Settings
from tests.city.kinds import KINDS, Kind, UnknownName
from tests.city.operations import Operation, operations
from tests.fuzz.drawing import places, way
from tests.projection import histories
from tests.security.matrix import word_for
from tests.security.policy import POLICY, Rule
from tests.security.stories import STORIES, Story

ROOT = Path(__file__).parents[1]
METRICS = ROOT / "docs" / "metrics.md"

UNREAD = "UNREAD"
"""In a service's `events.py`: the events that purposely no read model takes, each with why."""


def documented(services: Iterable[Service]) -> list[Operation]:
    """Every operation of the services' API documents."""
    apps = {service.name: create_app(service, Settings(_env_file=None)) for service in services}
    return operations({name: app.openapi() for name, app in apps.items()})


def without_policy(known: Iterable[Operation], policy: Collection[str]) -> Iterator[str]:
    """Operations that the policy says nothing of, and what it says of none."""
    found = {op.id: op for op in known}
    for name in sorted(found.keys() - set(policy)):
        yield (
            f"{_told(found[name])} has no line in the policy. Add it to POLICY in tests/security/policy.py: "
            f'"{name}": Rule(what it asks of its caller, the kind of thing it is done to, whose).'
        )
    for name in sorted(set(policy) - found.keys()):
        yield (
            f"{name} has a line in POLICY of tests/security/policy.py and is no operation of any service. Take the "
            "line out, or list the operation's router in the service's app.py."
        )


def without_story(known: Iterable[Operation], stories: Collection[str]) -> Iterator[str]:
    """Changes that are never repeated with their key, and stories of none."""
    found = {op.id: op for op in known if any(p["name"] == "Idempotency-Key" for p in op.parameters)}
    for name in sorted(found.keys() - set(stories)):
        yield (
            f"{_told(found[name])} takes an Idempotency-Key and has no story. Add it to STORIES in "
            f'tests/security/stories.py: "{name}": Story(who, what is made for it, what takes it back).'
        )
    for name in sorted(set(stories) - found.keys()):
        yield f"{name} has a story in tests/security/stories.py and takes no Idempotency-Key. Take it out of STORIES."


def unknown_kinds(
    known: Iterable[Operation],
    kinds: Mapping[str, Kind] = KINDS,
    policy: Mapping[str, Rule] = POLICY,
    stories: Mapping[str, Story] = STORIES,
) -> Iterator[str]:
    """Things that are made, named by the policy or told of in a story, and of no kind; and what no kind is made by."""
    ops = {op.id: op for op in known}
    made_by = {operation for kind in kinds.values() for operation in kind.made_by}
    for op in ops.values():
        if op.method == "POST" and op.id not in made_by and "id" in _made(op):
            yield (
                f"{_told(op)} makes something of no kind. Add {op.id} to `made_by` of its kind in tests/city/kinds.py, "
                "and the kind, where it is new: how a village makes one, what its id is called, what uses it up."
            )
    for operation in sorted((made_by | {used for kind in kinds.values() for used in kind.used_up_by}) - ops.keys()):
        yield f"{operation} in tests/city/kinds.py is no operation of any service. Take it out there."
    for operation, rule in policy.items():
        if rule.thing is not None and rule.thing not in kinds:
            yield f"{operation} is done to a {rule.thing} by POLICY, which is no kind. Add it to tests/city/kinds.py."
    for operation, story in stories.items():
        if story.fresh is not None and (story.fresh not in kinds or kinds[story.fresh].making is None):
            yield (
                f"The story of {operation} begins with a fresh {story.fresh}, which no village makes. Give that kind "
                "its `making` in tests/city/kinds.py."
            )


def _made(op: Operation) -> Mapping[str, object]:
    """The fields of what an operation makes."""
    content = op.spec["responses"].get("201", {}).get("content", {}).get("application/json")
    found: Mapping[str, object] = op.resolve(content["schema"]).get("properties", {}) if content else {}
    return found


def unknown_names(known: Iterable[Operation]) -> Iterator[str]:
    """Parameters and fields for which the matrix or the fuzzer would not know what to send; they are asked."""
    for op in known:
        if op.id in POLICY:
            needed = [
                p["name"] for p in op.parameters if p["in"] == "path" or (p["in"] == "query" and p.get("required"))
            ]
            yield from _refusals(op, [partial(word_for, op.id, name) for name in needed if name != "community"])
        yield from _refusals(op, [partial(way, schema, name, prose=prose) for name, schema, prose in places(op)])


def _refusals(op: Operation, asked: Iterable[Callable[[], object]]) -> Iterator[str]:
    for ask in asked:
        try:
            ask()
        except UnknownName as error:
            yield f"{_told(op)}: {error}"


def _told(op: Operation) -> str:
    return f"{op.id} ({op.method} {op.below} of {op.service})"


def events_nobody_reads(services: Sequence[Service]) -> Iterator[str]:
    """Events that no read model of any service takes, and that are not named as such; and what is named wrongly."""
    taken = {stem for service in services for view in service.views for stem in view.catalogue.handed_out}
    for service in services:
        if service.events is None:
            continue
        place = f"services/{service.name}/events.py"
        unread: Mapping[type, str] = getattr(service.events, UNREAD, {})
        for stem, classes in sorted(Catalogue.of(service.events).handed_out.items()):
            for event in classes:
                name = f"{event.__name__} ({wire_name(event)})"
                if stem in taken and event in unread:
                    yield f"{name} is in {UNREAD} of {place}, and a read model takes it. Take it out of {UNREAD}."
                if stem not in taken and not unread.get(event, "").strip():
                    yield (
                        f"{name} is taken by no read model. Add it to the type of `event` in the fold that shows what "
                        f"it says (read_models/ of any service), or, where nobody is to read it, to {UNREAD} at the "
                        f'end of {place}: {UNREAD} = {{{event.__name__}: "why"}}.'
                    )


def not_listed(service: Service, modules: Iterable[ModuleType]) -> Iterator[str]:
    """Read models and routers in a service's modules that are not part of what the service is."""
    seen = {id(part) for part in (*service.routers, *service.views)}
    app = f"services/{service.name}/app.py"
    for module in modules:
        place = module.__name__.replace(".", "/") + ".py"
        for name, value in inspect.getmembers(module, lambda part: isinstance(part, ReadModel | APIRouter)):
            if id(value) in seen or (isinstance(value, ReadModel) and value.fold.__module__ != module.__name__):
                continue  # it is listed, told of already, or imported here from where it is made
            seen.add(id(value))
            if isinstance(value, ReadModel):
                yield f"{name} in {place} is a read model that nobody runs. Add it to {_list(service, value)} in {app}."
            else:
                yield f"{name} in {place} is a router that nobody serves. Add it to routers in {app}."


def _list(service: Service, view: ReadModel) -> str:
    """The list that a read model belongs to, by what it reads and makes."""
    if not view.tables:
        return "process_managers"
    return "own_read_models" if view.sources == (service.name,) else "topic_read_models"


def modules_of(service: Service) -> Iterator[ModuleType]:
    """Every module in a service's folder but its revisions."""
    package = import_module(f"services.{service.name}")
    for found in walk_packages(package.__path__, f"{package.__name__}."):
        if ".migrations" not in found.name:
            yield import_module(found.name)


def kinds_not_told(kinds: Sequence[str], metrics: str, drawn: Sequence[str]) -> Iterator[str]:
    """Kinds of actions that the document and the histories of the tests do not have in that order.

    The histories keep a list of their own: they and their oracle judge the code that the other list belongs to, and
    would not miss a kind that it lost if they took it from there.
    """
    row = re.search(r"^\| `actions` \| [^:]*: ([^.]*)\.", metrics, re.MULTILINE)
    told = re.findall(r"`(\w+)`", row[1]) if row else []
    for where, found in (("the row `actions` of docs/metrics.md", told), (_HISTORIES, list(drawn))):
        for kind in kinds:
            if kind not in found:
                yield f"The kind of action `{kind}` is missing in {where}. Add it there, as the last one."
        for kind in found:
            if kind not in kinds:
                yield f"`{kind}` in {where} is no kind of action. Take it out, or add it to ActionKind ({_ACTIONS})."
        if sorted(found) == sorted(kinds) and found != list(kinds):
            yield f"The kinds of actions stand in another order in {where} than in ActionKind. Give them that order."


_ACTIONS = "services/projection/read_models/actions.py"
_HISTORIES = "ACTION_KINDS of tests/projection/histories.py"


def forgotten() -> Iterator[str]:
    """All that is forgotten, a sentence each."""
    services = [load(name) for name in SERVICES]
    known = documented(services)
    yield from without_policy(known, POLICY)
    yield from without_story(known, STORIES)
    yield from unknown_kinds(known)
    yield from unknown_names(known)
    yield from events_nobody_reads(services)
    yield from chain.from_iterable(not_listed(service, modules_of(service)) for service in services)
    yield from kinds_not_told(ACTION_KINDS, METRICS.read_text(encoding="utf-8"), histories.ACTION_KINDS)


def main() -> int:
    found = list(forgotten())
    if found:
        print("Something was forgotten:", *found, sep="\n  ", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
