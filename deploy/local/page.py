"""The origin's own page, in two languages, and what it reads; on the local system also how everything is, and a token.

What only the local system tells, it tells nobody else's page: it is asked for by a name of this machine (a name that
was made to point here is none), it is not for scripts of other origins, and it carries no permission for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

Route = dict[str, Any]
CLOSED = "default-src 'none'; frame-ancestors 'none'"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
SAFE = {
    "X-Content-Type-Options": ["nosniff"],
    "X-Frame-Options": ["DENY"],
    "Referrer-Policy": ["no-referrer"],
    "Cross-Origin-Resource-Policy": ["same-origin"],
    "Content-Security-Policy": [CLOSED],
}
"""Headers of what the gateway answers by itself; services give their own."""
CHINESE = [
    # Asked for and not refused; and not after English, since browsers name first what they like best.
    {"Accept-Language": {"pattern": r"(?i)(^|,)\s*zh\b[^,;]*(;\s*q=(1|0?\.\d*[1-9])[^,]*)?\s*(,|$)"}},
    {"Accept-Language": {"pattern": r"(?i)(^|,)\s*en\b[^,]*,.*\bzh\b"}},
]


@dataclass(frozen=True)
class Places:
    """Where the files lie, as the gateway sees them: the page, and the folder that holds `docs` and `contracts`."""

    page: str
    source: str


INSTALLED = Places(str(Path(__file__).with_name("page")), str(Path(__file__).parents[2]))


@dataclass(frozen=True)
class Local:
    """What the local system adds: where its services say how they are, and the folder with a visitor's token."""

    services: Mapping[str, str]
    visitor: str


def routes(places: Places, local: Local | None) -> list[Route]:
    """Everything below the origin that belongs to no service; `local` on the local system only."""
    chinese = {"header_regexp": CHINESE[0], "not": [{"header_regexp": CHINESE[1]}]}
    found = [
        _page(["/zh"], "/zh.html", places),
        _page(["/"], "/zh.html", places, chinese),
        _page(["/", "/en"], "/en.html", places),
        _files(["/page/page.css", "/page/page.js", "/page/icon.svg"], "/page", places.page),
        _files(["/guides/*.md", "/guides/adr/*.md"], "/guides", f"{places.source}/docs", "text/plain; charset=utf-8"),
        _files(["/contracts/*.yaml"], "", places.source, "text/plain; charset=utf-8"),
        _files(["/contracts/*.json"], "", places.source),
    ]
    return found if local is None else [*_local(local), *found]


def _headers(**more: str) -> Route:
    given = {name.replace("_", "-"): [value] for name, value in more.items()}
    return {"handler": "headers", "response": {"set": {**SAFE, **given}}}


def _page(paths: list[str], file: str, places: Places, matcher: Route | None = None) -> Route:
    handlers: list[Route] = [
        _headers(Content_Security_Policy=POLICY, Cache_Control="no-cache", Vary="Accept-Language"),
        {"handler": "rewrite", "uri": file},
        # What a template comes to is not known to HEAD, which would say that it has no bytes.
        {"handler": "headers", "response": {"deferred": True, "delete": ["Content-Length"]}},
        {"handler": "templates"},
        {"handler": "file_server", "root": places.page},
    ]
    match = {"path": paths, "method": ["GET", "HEAD"], **(matcher or {})}
    return {"match": [match], "handle": handlers, "terminal": True}


def _files(paths: list[str], prefix: str, root: str, kind: str | None = None) -> Route:
    kinds = {} if kind is None else {"Content_Type": kind}
    handlers: list[Route] = [
        _headers(Cache_Control="no-cache", **kinds),
        {"handler": "rewrite", "strip_path_prefix": prefix},
        {"handler": "file_server", "root": root, "hide": [".*"]},
    ]
    return {"match": [{"path": paths, "method": ["GET", "HEAD"]}], "handle": handlers, "terminal": True}


def _local(local: Local) -> list[Route]:
    def only_here(path: str) -> list[Route]:
        foreign = {"header": {"Sec-Fetch-Site": ["cross-site", "same-site"]}}
        return [{"path": [path], "method": ["GET"], "host": ["127.0.0.1", "localhost"], "not": [foreign]}]

    private = _headers(Cache_Control="no-store")
    token = [private, {"handler": "rewrite", "uri": "/token.json"}, {"handler": "file_server", "root": local.visitor}]
    made: list[Route] = [{"match": only_here("/try/token"), "handle": token, "terminal": True}]
    for name, address in local.services.items():
        proxy = {"handler": "reverse_proxy", "upstreams": [{"dial": address}]}
        steps = [private, {"handler": "rewrite", "uri": "/status"}, proxy]
        made.append({"match": only_here(f"/status/{name}"), "handle": steps, "terminal": True})
    return made
