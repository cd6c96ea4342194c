"""The API documents of all services are read with scripts of their own, under a policy that allows no others."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import httpx2 as httpx
import pytest

from deploy.contracts.documents import SERVICES, load
from deploy.local import routes
from shared.service.service import create_app
from shared.settings import Settings
from shared.web.documentation import CONTENT_SECURITY_POLICY


class Page(HTMLParser):
    """What a page loads, links to and does inline."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.links: list[str] = []
        self.inline: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in = tag if tag in ("script", "style") else ""
        self.loads += [given[name] for name in ("src", "data-document") if name in given]
        self.inline += [name for name in given if name.startswith("on") or name == "style"]
        if "href" in given:
            (self.loads if tag == "link" else self.links).append(given["href"])

    def handle_data(self, data: str) -> None:
        if self._in and data.strip():
            self.inline.append(data)


@pytest.fixture(params=SERVICES)
def client(request: pytest.FixtureRequest) -> httpx.AsyncClient:
    app = create_app(load(request.param), Settings())
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url=f"http://{request.param}")


async def test_the_page_loads_what_its_own_service_serves_and_nothing_else(client: httpx.AsyncClient) -> None:
    name = client.base_url.host
    for path in ("/docs", f"/docs/{name}"):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers.get_list("content-security-policy") == [CONTENT_SECURITY_POLICY]
        page = Page(answer.text)
        assert page.inline == []
        assert "://" not in answer.text
        loaded = [address for address in page.loads if not address.startswith("data:")]
        assert len(loaded) == 4
        for address in loaded:
            assert re.fullmatch(rf"/docs/{name}/[a-z.-]+|/openapi/{name}\.json", address)
            got = await client.get(address)
            assert got.status_code == 200
            kind = {"js": "text/javascript", "css": "text/css", "json": "application/json"}[address.rpartition(".")[2]]
            assert got.headers["content-type"].startswith(kind)


async def test_every_answer_says_what_a_browser_may_do_with_it(client: httpx.AsyncClient) -> None:
    name = client.base_url.host
    for path in ("/docs", f"/docs/{name}/start.js", f"/openapi/{name}.json", "/livez", "/nothing", "/docs/nothing"):
        headers = (await client.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff", path
        assert headers["referrer-policy"] == "no-referrer", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert "unsafe" not in headers["content-security-policy"], path
        if path != "/docs":
            assert headers["content-security-policy"].startswith("default-src 'none'; frame-ancestors"), path


async def test_the_document_is_the_same_at_both_addresses(client: httpx.AsyncClient) -> None:
    name = client.base_url.host
    assert (await client.get(f"/openapi/{name}.json")).json() == (await client.get("/openapi.json")).json()


def test_the_gateway_sends_each_page_with_all_it_loads_to_its_service_unchanged() -> None:
    upstreams = {name: routes.local(port) for port, name in enumerate(SERVICES)}
    made, named = routes.routes(SERVICES, {}), routes.proxies(upstreams)
    for port, name in enumerate(SERVICES):
        (route,) = [one for one in made if f"/docs/{name}" in str(one.get("match"))]
        assert route["match"] == [{"path": [f"/docs/{name}", f"/docs/{name}/*", f"/openapi/{name}.json"]}]
        (invoked,) = route["handle"]
        proxy = named[invoked["name"]]["handle"][-1]
        assert proxy["upstreams"] == [{"dial": f"127.0.0.1:{port}"}]
