"""AsyncAPI 3.0: a channel per service's topic, a message per event, and what a partner may do with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from deploy.contracts.events import by_name, description
from shared.events.event import Event, wire_name

_INFO = (
    "The event streams of Guildhall. Each message is a CloudEvents 1.0 envelope in JSON. Positions of a partition "
    "are 1, 2, 3 … without gaps: a position that you have seen is a repetition, one that is further than the next "
    "is a loss. Events carry references, never the words of a member."
)


def document(events: Mapping[str, list[type[Event]]], version: str) -> dict[str, Any]:
    """The AsyncAPI document for the events of each service."""
    channels: dict[str, Any] = {}
    operations: dict[str, Any] = {}
    messages: dict[str, Any] = {}
    for service, classes in sorted(events.items()):
        names = [wire_name(event) for event in by_name(classes)]
        channels[service] = {
            "address": f"guildhall.{service}.v1",
            "title": f"Events of the {service} service",
            "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
            "bindings": {"kafka": {"topic": f"guildhall.{service}.v1"}},
        }
        operations[f"receive-{service}"] = {
            "action": "receive",
            "channel": {"$ref": f"#/channels/{service}"},
            "summary": f"Receive every event of the {service} service in the order of its streams.",
            "messages": [{"$ref": f"#/channels/{service}/messages/{name}"} for name in names],
        }
        for event in by_name(classes):
            messages[wire_name(event)] = _message(event)
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Guildhall event streams", "version": version, "description": _INFO},
        "defaultContentType": "application/cloudevents+json",
        "channels": channels,
        "operations": operations,
        "components": {"messages": messages},
    }


def _message(event: type[Event]) -> dict[str, Any]:
    name = wire_name(event)
    return {
        "name": name,
        "title": event.__name__,
        "summary": description(event),
        "contentType": "application/cloudevents+json",
        "payload": {
            "schemaFormat": "application/schema+json;version=draft-2020-12",
            "schema": {
                "allOf": [
                    {"$ref": "./events/envelope.schema.json"},
                    {
                        "type": "object",
                        "properties": {"type": {"const": name}, "data": {"$ref": f"./events/{name}.schema.json"}},
                    },
                ]
            },
        },
        "bindings": {"kafka": {"key": {"type": "string", "description": "The stream's id, 16 bytes."}}},
    }
