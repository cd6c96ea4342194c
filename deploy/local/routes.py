"""The gateway's routes are generated: from the services' own paths, the most specific first."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

from deploy.local import page

Route = dict[str, Any]
KEPT = 64 * 1024
"""Bytes of a request that are kept to be sent anew; a larger one is passed on as it comes, and sent once."""
BODY_LIMIT = 2_000_000
"""Bytes of a request, unless it streams; more than any service takes."""
EARLY = [401, 405, 408, 413, 415, 417, 429]
"""Statuses of answers that need no body to be read."""
STREAMED = "x-streamed"
"""In the description of an operation that is answered while its request is still being sent."""
HEAD_IN, REQUEST_IN, ANSWER_IN, IDLE = "10s", "60s", "90s", "30s"
"""For a head, a whole request, all up to its answer's end, also of a backfill; and between two requests."""
ASKED_EVERY, ANSWERS_IN, FAILS = "2s", "5s", 3
"""A service that says three times that it is not ready, or nothing at all, is sent nothing until it is ready again."""
LARGEST_HEAD = 32 * 1024
"""Bytes; the services take less, and say so as problems."""
REPEATABLE: list[Route] = [
    {"method": ["GET", "HEAD", "OPTIONS", "PUT", "DELETE"]},
    {"header": {"Idempotency-Key": ["*"]}},
]
"""Requests that take effect once however often they arrive."""
CONTRACT = Path(__file__).parents[2] / "contracts" / "gateway.json"


UNREADABLE = (
    "malformed chunked encoding|invalid byte in chunk length|http chunk length too large|"
    "empty hex number for chunk length|header line too long|too much non-data|trailer|^malformed MIME header|"
    "message too large"
)
"""Of a request's body, as Go says it. Of a service's answer that ends within its head it says two of them, too: there a
`malformed MIME header` has words before it, and whose own body has an `unexpected EOF` has gone and hears nothing.
"""
ADDRESS = r"(\d{1,3}\.){3}\d{1,3}(:\d+)?|\[[0-9a-fA-F:.%]+\](:\d+)?"
LOGS: Route = {
    "default": {
        "level": "WARN",
        "encoder": {
            "format": "filter",
            "wrap": {"format": "json"},
            "fields": {
                "request": {"filter": "delete"},
                "error": {"filter": "regexp", "regexp": ADDRESS, "value": "…"},
            },
        },
        "exclude": ["http.log.error", "http.stdlib"],
    },
    "errors": {
        "level": "WARN",
        "encoder": {
            "format": "filter",
            "wrap": {"format": "json", "message_key": ""},
            "fields": {"request": {"filter": "delete"}},
        },
        "include": ["http.log.error", "http.stdlib"],
    },
}
"""What went wrong and where in the gateway, never whose request it was: no header, path or address of a caller.

Two loggers say the caller's address in the message itself, which no filter reaches: theirs goes without it.
"""


Paths = Mapping[str, Mapping[str, list[str]]]
"""{service: {path template: the methods that stream there}}"""


def contract(path: Path = CONTRACT) -> dict[str, dict[str, list[str]]]:
    """As `make contracts` writes it; empty when it was never written."""
    if not path.exists():
        return {}
    found: dict[str, dict[str, list[str]]] = json.loads(path.read_text())
    return found


def described(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """The same of one service, from its OpenAPI document."""
    return {
        path: sorted(method.upper() for method, operation in item.items() if operation.get(STREAMED))
        for path, item in sorted(document["paths"].items())
        if path.startswith("/v1/")
    }


def pattern(template: str) -> str:
    """A path template as an anchored regular expression: `{id}` is one segment, `{rest:path}` any number."""
    parts = re.split(r"(\{[^}]+\})", template.rstrip("/"))
    out = [
        (".+" if part.endswith(":path}") else "[^/]+") if part.startswith("{") else re.escape(part) for part in parts
    ]
    return f"^{''.join(out)}/?$"


def specificity(template: str) -> tuple[tuple[int, ...], str]:
    """Sorts templates so that the first that matches is right: words before parameters before rests."""
    ranks = [
        2 if segment.endswith(":path}") else 1 if "{" in segment else 0 for segment in template.strip("/").split("/")
    ]
    return (*ranks,), template


def owners(paths: Mapping[str, Iterable[str]]) -> list[tuple[str, list[str]]]:
    """Neighbouring templates of one service together, in the order in which they must be tried."""
    ordered = sorted(
        ((template, service) for service, templates in paths.items() for template in templates),
        key=lambda one: specificity(one[0]),
    )
    return [(service, [one[0] for one in run]) for service, run in groupby(ordered, key=lambda one: one[1])]


def local(port: int) -> Route:
    """Where a service is, as Caddy has it: a port of this machine."""
    return {"upstreams": [{"dial": f"127.0.0.1:{port}"}]}


def named(host: str, port: int) -> Route:
    """Where a service is, as Caddy has it: every address that a name has at the moment, one per replica."""
    return {"dynamic_upstreams": {"source": "a", "name": host, "port": str(port), "refresh": "2s"}}


def _proxy(service: str, *, streaming: bool = False) -> list[Route]:
    return [{"handler": "invoke", "name": f"{service}, streaming" if streaming else service}]


def proxies(upstreams: Mapping[str, Route]) -> dict[str, Route]:
    """What `routes` refer to by name: once for each service, so that its connections and its health are known once."""
    made = {}
    for service, upstream in upstreams.items():
        for streaming in (False, True):
            (invoked,) = _proxy(service, streaming=streaming)
            made[invoked["name"]] = {"handle": _to(upstream, streaming=streaming)}
    return made


def _to(upstream: Route, *, streaming: bool) -> list[Route]:
    proxy: Route = {
        "handler": "reverse_proxy",
        **upstream,
        "flush_interval": -1,  # server-sent events and NDJSON answers pass line by line
        # A service that is being started again is waited for, and what may be repeated is sent anew if the service
        # ends while it answers; else only a refused connection is tried again. A replica that stands still has requests
        # open, so the others have fewer.
        "load_balancing": {
            "selection_policy": {"policy": "least_conn"},
            "try_duration": "3s",
            "try_interval": "100ms",
            "retry_match": REPEATABLE,
        },
        # Shorter than a service keeps idle connections, or a request meets a closing door.
        "transport": {"protocol": "http", "keep_alive": {"idle_timeout": "5s"}},
    }
    if "upstreams" in upstream:  # Caddy asks none whose addresses it has to look up
        health = {"uri": "/readyz", "interval": ASKED_EVERY, "timeout": ANSWERS_IN, "fails": FAILS, "passes": 1}
        proxy["health_checks"] = {"active": health}
        if len(upstream["upstreams"]) > 1:
            # A replica that has ended has the fewest requests open, and would be tried again and again.
            proxy["health_checks"]["passive"] = {"fail_duration": "1s", "max_fails": 1}
    # What is answered before it was read to its end ends the connection, or the rest would be taken for a request.
    early = {"status_code": [4, 5] if streaming else EARLY}
    proxy["headers"] = {"response": {"set": {"Connection": ["close"]}, "require": early}}
    if streaming:
        return [proxy]
    # Read whole first, as nearly all are: a body that is still being read while its service ends breaks the caller's
    # connection (Go panics with "invalid concurrent Body.Read call"), and could not be sent anew. Not for large ones:
    # eighty of them held 244 MB.
    proxy["request_buffers"] = KEPT
    return [{"handler": "request_body", "max_size": BODY_LIMIT}, proxy]


def _answer(body: str, kind: str, status: int = 200) -> Route:
    headers = {"Content-Type": [kind], **page.SAFE}
    return {"handler": "static_response", "status_code": status, "headers": headers, "body": body}


def _exactly(path: str, *handlers: Route) -> Route:
    return {"match": [{"path": [path]}], "handle": list(handlers), "terminal": True}


def _read_only(page: Route) -> list[Route]:
    """A page of the gateway's own, for the methods that read; the others are told which those are."""
    (found,) = page["match"]
    match = {name: value for name, value in found.items() if name != "method"}
    allow = {"Allow": ["GET, HEAD, OPTIONS"]}
    options = {"handler": "static_response", "status_code": 204, "headers": {**allow, "Cache-Control": ["no-store"]}}
    refusal = problem(
        405, "method-not-allowed", "Method not allowed", "This path takes other methods; `Allow` lists them."
    )
    refusal["headers"].update(allow)
    return [
        {**page, "match": [{**match, "method": ["GET", "HEAD"]}]},
        {"match": [{**match, "method": ["OPTIONS"]}], "handle": [options], "terminal": True},
        {"match": [match], "handle": [refusal], "terminal": True},
    ]


def problem(status: int, kind: str, title: str, detail: str) -> Route:
    body = {"type": f"urn:guildhall:problem:{kind}", "title": title, "status": status, "detail": detail}
    answer = _answer(json.dumps(body), "application/problem+json", status)
    answer["headers"]["Cache-Control"] = ["no-store"]
    return answer


NOT_FOUND = problem(404, "not-found", "Not found", "No service owns this path.")


def _service_documents(service: str) -> Route:
    paths = [f"/docs/{service}", f"/docs/{service}/*", f"/openapi/{service}.json"]
    return {"match": [{"path": paths}], "handle": _proxy(service), "terminal": True}


def routes(
    services: Iterable[str],
    paths: Paths,
    places: page.Places = page.INSTALLED,
    local: page.Local | None = None,
    issuer: tuple[dict[str, Any], dict[str, Any]] | None = None,
) -> list[Route]:
    """All routes of the origin; `issuer` is the local one's discovery document and keys, where there is one."""
    made = page.routes(places, local)
    if issuer is not None:
        discovery, jwks = map(json.dumps, issuer)
        made += [
            _exactly("/.well-known/openid-configuration", _answer(discovery, "application/json")),
            _exactly("/.well-known/jwks.json", _answer(jwks, "application/jwk-set+json")),
        ]
    made = [route for page_route in made for route in _read_only(page_route)]
    made += [_service_documents(service) for service in sorted(services)]
    for service, templates in owners(paths):
        for streaming, some in groupby(templates, key=lambda template: tuple(paths[service][template])):
            matchers = [{"path_regexp": {"pattern": pattern(template)}} for template in some]
            if streaming:
                matched = [{**matcher, "method": list(streaming)} for matcher in matchers]
                made.append({"match": matched, "handle": _proxy(service, streaming=True), "terminal": True})
            made.append({"match": matchers, "handle": _proxy(service), "terminal": True})
    made.append({"handle": [NOT_FOUND]})
    return made


def config(listen: str, folder: Path, route_list: list[Route], upstreams: Mapping[str, Route]) -> dict[str, Any]:
    """Caddy's whole configuration: no administration port, no certificates, nothing kept outside `folder`."""
    unavailable = problem(503, "service-unavailable", "Service unavailable", "The service does not answer; try again.")
    unavailable["headers"]["Retry-After"] = ["1"]
    large = problem(413, "too-large", "Too large", f"The request is larger than {BODY_LIMIT:,} bytes.")
    broken = problem(400, "bad-request", "Bad request", "The request's body ended early, or is not what its head says.")
    for refusal in (large, broken, unavailable):  # or what is left of a body would be taken for a request
        refusal["headers"]["Connection"] = ["close"]
    too_large = {"expression": "{http.error.status_code} == 413"}
    no_body = {"expression": f'{{http.error.message}}.matches("{UNREADABLE}")'}
    missing = {"expression": "{http.error.status_code} == 404"}  # a file; what a service does not have, it says itself
    server = {
        "listen": [listen],
        "automatic_https": {"disable": True},
        # Without TLS nobody speaks HTTP/2 but who fills its 250 streams a connection.
        "protocols": ["h1"],
        "read_header_timeout": HEAD_IN,
        "read_timeout": REQUEST_IN,
        "write_timeout": ANSWER_IN,
        # Caddy's clocks between two bytes are off: they clear the ones above when a body ends early, and then what
        # remains of it is waited for without end.
        "read_idle_timeout": -1,
        "write_idle_timeout": -1,
        "idle_timeout": IDLE,
        "max_header_bytes": LARGEST_HEAD,
        # A backfill answers line by line while its request is still being sent.
        "enable_full_duplex": True,
        "routes": route_list,
        "named_routes": proxies(upstreams),
        "errors": {
            "routes": [
                {"match": [missing], "handle": [NOT_FOUND]},
                {"match": [too_large], "handle": [large]},
                {"match": [no_body], "handle": [broken]},
                {"handle": [unavailable]},
            ]
        },
    }
    return {
        "admin": {"disabled": True, "config": {"persist": False}},
        "logging": {"logs": LOGS},
        "storage": {"module": "file_system", "root": str(folder)},
        "apps": {"http": {"servers": {"origin": server}, "grace_period": "5s"}},
    }
