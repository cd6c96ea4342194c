"""Every file below contracts/, as bytes by path; the same code gives the same bytes."""

from __future__ import annotations

import importlib
import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import yaml

from deploy.contracts import asyncapi
from deploy.contracts.events import by_name, data_schema, envelope_schema, sample
from deploy.local import routes as gateway
from deploy.local.page import Places
from shared.events.catalogue import Catalogue
from shared.events.event import Event, wire_name
from shared.service.service import Service, create_app
from shared.settings import Settings

SERVICES = ("member", "content", "engagement", "feedback", "projection")

Documents = dict[str, bytes]


def load(name: str) -> Service:
    """A service's description."""
    service: Service = importlib.import_module(f"services.{name}.app").SERVICE
    return service


def published() -> dict[str, list[type[Event]]]:
    """The event classes that each service publishes, old versions too."""
    services = [load(name) for name in SERVICES]
    return {s.name: list(Catalogue.of(s.events).events.values()) for s in services if s.events is not None}


def schemas() -> dict[str, dict[str, Any]]:
    """The JSON Schema of every event and of the envelope, by path."""
    found = {
        f"contracts/events/{wire_name(event)}.schema.json": data_schema(event)
        for events in published().values()
        for event in by_name(events)
    }
    return {**found, "contracts/events/envelope.schema.json": envelope_schema()}


def documents() -> Documents:
    """All contracts: event schemas and samples, AsyncAPI, OpenAPI of each service, the gateway's routes."""
    events = published()
    files: Documents = {path: _json(schema) for path, schema in schemas().items()}
    for service, classes in events.items():
        for event in by_name(classes):
            files[f"contracts/samples/{wire_name(event)}.json"] = sample(service, event)
    files["contracts/asyncapi.yaml"] = _yaml(asyncapi.document(events, version("guildhall")))
    routes = {}
    for name in SERVICES:
        openapi = create_app(load(name), Settings(_env_file=None)).openapi()
        files[f"contracts/openapi/{name}.yaml"] = _yaml(openapi)
        routes[name] = gateway.described(openapi)
    files["contracts/gateway.json"] = _json(routes)
    files["deploy/docker/caddy.json"] = _json(_composed(routes))
    return files


def _composed(paths: gateway.Paths) -> dict[str, Any]:
    """The gateway of docker-compose.yml: every replica that answers to a service's name."""
    upstreams = {name: gateway.named(f"{name}-api", 8000) for name in SERVICES}
    made = gateway.routes(upstreams, paths, Places("/srv/page", "/srv"))
    return gateway.config(":8000", Path("/data"), made, upstreams)


def _json(document: Any) -> bytes:
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def _yaml(document: Any) -> bytes:
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return text.encode()
