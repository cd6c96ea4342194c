from __future__ import annotations

import inspect
from types import ModuleType

import msgspec
import pytest

from deploy.contracts.events import sample
from services.content import events as content
from services.engagement import events as engagement
from services.feedback import events as feedback
from services.member import events as member
from services.projection import subscriptions
from shared.events.catalogue import Catalogue
from shared.events.envelope import from_wire
from shared.events.event import Event, wire_name

PUBLISHED = {
    name: (service, event)
    for service, module in {
        "member": member,
        "content": content,
        "engagement": engagement,
        "feedback": feedback,
    }.items()
    for name, event in Catalogue.of(module).events.items()
}


def classes_of(module: ModuleType) -> list[type[Event]]:
    return list(Catalogue.of(module).events.values())


@pytest.mark.parametrize("subscribed", classes_of(subscriptions), ids=wire_name)
def test_what_is_subscribed_to_is_published_and_decodes(subscribed: type[Event]) -> None:
    service, published = PUBLISHED[wire_name(subscribed)]
    record = from_wire(sample(service, published))
    read = Catalogue([subscribed]).decode(record.type, record.data)
    written = Catalogue([published]).decode(record.type, record.data)
    for field in msgspec.structs.fields(subscribed):
        # A reader may be ahead of the writer: what is not written yet has its default.
        assert getattr(read, field.name) == getattr(written, field.name, field.default), field.name


def test_every_subscription_is_somebodys() -> None:
    from services.projection.app import SERVICE

    read = {
        event
        for view in SERVICE.topic_read_models
        for event in view.events
        if inspect.getmodule(event) is subscriptions
    }
    assert read == set(classes_of(subscriptions))
