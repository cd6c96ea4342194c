"""The origin's page on a real gateway: its words in both languages, what it loads and links to, and who gets what."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import re
import time
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest
from joserfc import jwt
from joserfc.jwk import KeySet

from deploy.contracts.documents import SERVICES
from deploy.local import page, routes, visitor
from deploy.local.gateway import Gateway
from deploy.local.home import Home
from deploy.local.issuer import AUDIENCE, ISSUER, Issuer
from deploy.local.service import Service
from tests.deploy.test_documentation import Page
from tests.deploy.test_embedded import some_ports
from tests.deploy.test_supervisor import service

FOLDER = Path(page.INSTALLED.page)
BREAKS = """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path.startswith("/v1/communities"):
            self.send_response(200); self.send_header("Content-Length", "100"); self.end_headers()
            self.wfile.write(b"x"); self.wfile.flush()
            return self.connection.shutdown(socket.SHUT_RDWR)
        self.send_response(200); self.send_header("Content-Type", "application/json"); self.end_headers()
        self.wfile.write(self.path.encode())
    do_POST = do_GET
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["GUILDHALL_PORT"])), Handler).serve_forever()
"""


@pytest.fixture(scope="module")
def system(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gateway, Service]]:
    home = Home(tmp_path_factory.mktemp("home")).open()
    one = service(home, BREAKS)
    gateway = Gateway(
        home, some_ports("origin")["origin"], dict.fromkeys(SERVICES, one.port), {"member": {"/v1/communities": []}}
    )
    visitor.renew(home)
    try:
        one.start()
        gateway.start()
        one.wait_ready()
        gateway.wait_ready()
        yield gateway, one
    finally:
        gateway.stop()
        one.stop()


@pytest.fixture
def gateway(system: tuple[Gateway, Service]) -> Gateway:
    return system[0]


def ask(gateway: Gateway, path: str, method: str = "GET", **headers: str) -> tuple[http.client.HTTPResponse, str]:
    connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
    with contextlib.closing(connection):
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as answer:
            return answer, answer.read().decode()


# ---- the page ----


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("", "en"),
        ("en-GB,en;q=0.9", "en"),
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
        ("zh", "zh-Hans"),
        ("ZH-tw;q=0.5", "zh-Hans"),
        ("fr, zh;q=0.3", "zh-Hans"),
        ("zh-Hans-CN, en", "zh-Hans"),
        ("en;q=0.9, zh;q=0.8", "en"),
        ("zh;q=0, en", "en"),
        ("zha", "en"),
        ("de", "en"),
        ("*", "en"),
    ],
)
def test_the_page_speaks_the_language_that_the_browser_likes_best(gateway: Gateway, asked: str, language: str) -> None:
    answer, text = ask(gateway, "/", Accept_Language=asked)
    assert answer.status == 200
    assert f'<html lang="{language}">' in text
    assert "Accept-Language" in str(answer.headers.get_all("Vary"))


@pytest.mark.parametrize(("path", "other"), [("/en", "/zh"), ("/zh", "/en")])
def test_the_page_loads_only_what_is_ours_and_every_link_answers(gateway: Gateway, path: str, other: str) -> None:
    answer, text = ask(gateway, path, Accept_Language="zh" if path == "/en" else "en")
    assert answer.getheader("Content-Security-Policy") == page.POLICY
    assert "unsafe" not in page.POLICY
    found = Page(text)
    assert found.inline == []
    assert sorted(found.loads) == ["/page/icon.svg", "/page/page.css", "/page/page.js"]
    assert other in found.links
    kinds = {"js": "text/javascript", "css": "text/css", "svg": "image/svg", "yaml": "text/plain", "md": "text/plain"}
    for link in {*found.loads, *found.links}:
        if link.startswith("#"):
            assert f'id="{link[1:]}"' in text
            continue
        got, _ = ask(gateway, link)
        assert got.status == 200, link
        assert (got.getheader("Content-Type") or "").startswith(kinds.get(link.rpartition(".")[2], "")), link
    for name in SERVICES:
        assert {f"/docs/{name}", f"/openapi/{name}.json"} <= set(found.links)


@pytest.mark.parametrize("path", ["/", "/en", "/zh", "/page/page.js", "/guides/metrics.md", "/contracts/asyncapi.yaml"])
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_what_the_gateway_answers_by_itself_has_safe_headers(gateway: Gateway, path: str, method: str) -> None:
    safe(ask(gateway, path, method)[0], 200)


@pytest.mark.parametrize(
    "path",
    [
        "/nothing",
        "/page/none.js",
        "/page/../home.py",
        "/guides/none.md",
        "/guides/../../pyproject.toml",
        "/page/en.html",
        "/contracts/none.yaml",
        "/guides/..%2f..%2fMakefile",
        "/try/",
        "/status/",
        "/status/nobody",
        "/en/",
        "/.git/config",
    ],
)
def test_nothing_else_of_the_disk_is_served(gateway: Gateway, path: str) -> None:
    answer, text = ask(gateway, path)
    safe(answer, 404)
    assert json.loads(text)["type"] == "urn:guildhall:problem:not-found"


def safe(answer: http.client.HTTPResponse, status: int) -> None:
    assert answer.status == status
    assert answer.getheader("X-Content-Type-Options") == "nosniff"
    assert answer.getheader("X-Frame-Options") == "DENY"
    assert answer.getheader("Referrer-Policy") == "no-referrer"
    assert answer.getheader("Cross-Origin-Resource-Policy") == "same-origin"
    assert "frame-ancestors 'none'" in (answer.getheader("Content-Security-Policy") or "")


def test_without_javascript_the_line_to_try_names_this_origin(gateway: Gateway) -> None:
    for path in ("/en", "/zh"):
        assert f"'{gateway.origin}/v1/communities'" in ask(gateway, path)[1]


class Skeleton(HTMLParser):
    """A page without its words: its elements, with their attributes."""

    WORDS = frozenset({"lang", "hreflang", "content", "aria-label", "href", "aria-current"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, frozenset[tuple[str, str]]]] = []
        self.feed(text.partition("<main")[2])  # the switch above it is mirrored

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = {(name, value or "") for name, value in attrs if name not in self.WORDS}
        if tag == "a":
            kept |= {(name, value or "") for name, value in attrs if name == "href"}
        self.elements.append((tag, frozenset(kept)))


def words(text: str) -> dict[str, str]:
    return dict(re.findall(r'\s(data-[a-z]+)="([^"]*)"', text.partition("<body")[2].partition(">")[0]))


def test_both_languages_have_the_same_parts_links_and_words_with_the_same_places() -> None:
    english, chinese = ((FOLDER / name).read_text() for name in ("en.html", "zh.html"))
    assert Skeleton(english).elements == Skeleton(chinese).elements
    assert words(english).keys() == words(chinese).keys()
    for name, said in words(english).items():
        assert re.findall(r"\{\w+\}", said) == re.findall(r"\{\w+\}", words(chinese)[name]), name
    assert re.findall(r"\{\{.*?\}\}", english) == re.findall(r"\{\{.*?\}\}", chinese)


def test_the_script_finds_every_word_and_part_that_it_asks_for() -> None:
    script, text = (FOLDER / "page.js").read_text(), (FOLDER / "en.html").read_text()
    asked = set(re.findall(r"WORDS\.(\w+)", script)) | {"ready", "limping", "silent"}
    assert {f"data-{name}" for name in asked} == words(text).keys()
    for part in re.findall(r'byId\("(\w+)"\)', script):
        assert f'id="{part}"' in text
    assert not re.search(
        r"innerHTML|insertAdjacent|document\.write|\beval\b|Function\(|\.style\b|https?://(?!www\.w3\.org/)", script
    )


# ---- the token to try ----


def test_the_token_to_try_is_a_visitors_without_scopes_and_ends_soon(gateway: Gateway) -> None:
    answer, text = ask(gateway, "/try/token")
    safe(answer, 200)
    assert answer.getheader("Cache-Control") == "no-store"
    assert answer.getheader("Access-Control-Allow-Origin") is None
    given = json.loads(text)
    keys = KeySet.import_key_set(Issuer(gateway.home).jwks())  # type: ignore[arg-type]
    claims = jwt.decode(given["access_token"], keys, algorithms=["ES256"]).claims
    assert (claims["sub"], claims["scope"], claims["iss"], claims["aud"]) == ("visitor", "", ISSUER, AUDIENCE)
    assert claims["exp"] - claims["iat"] == visitor.LIFETIME <= 15 * 60
    assert abs(given["expires_at"] - claims["exp"]) <= 1
    assert visitor.LIFETIME - visitor.RENEWED >= 5 * 60  # whoever gets it has some time left


PRIVATE = ["/try/token", "/status/member"]


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("host", ["127.0.0.1:{port}", "localhost:{port}", "127.0.0.1", "LOCALHOST:{port}"])
def test_what_is_local_is_told_to_names_of_this_machine(gateway: Gateway, path: str, host: str) -> None:
    assert ask(gateway, path, Host=host.format(port=gateway.port))[0].status == 200
    assert ask(gateway, path, Sec_Fetch_Site="same-origin")[0].status == 200
    assert ask(gateway, path, Sec_Fetch_Site="none")[0].status == 200


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:{port}"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example:{port}"},
        {"Host": "127.0.0.1@evil.example"},
        {"Host": "0.0.0.0:{port}"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_what_is_local_is_told_to_no_other_name_and_no_page_of_another_origin(
    gateway: Gateway, path: str, headers: dict[str, str]
) -> None:
    answer, text = ask(gateway, path, **{name: value.format(port=gateway.port) for name, value in headers.items()})
    assert answer.status in (400, 404)
    assert "access_token" not in text


@pytest.mark.parametrize("path", PRIVATE)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_no_origin_is_ever_permitted_to_read_it(gateway: Gateway, path: str, method: str) -> None:
    asked = {"Origin": "https://evil.example", "Access-Control-Request-Method": "GET"}
    answer, _ = ask(gateway, path, method, **asked)
    assert answer.status == (204 if method == "OPTIONS" else 405)
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]


def test_a_new_token_takes_the_place_of_the_last_and_the_end_takes_it_away(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    file = home.root / visitor.FOLDER / "token.json"

    async def some_renewals() -> set[str]:
        keeping = asyncio.create_task(visitor.keep(home))
        seen = set[str]()
        until = time.monotonic() + 10
        while len(seen) < 3 and time.monotonic() < until:
            await asyncio.sleep(0.01)
            if file.exists():
                seen.add(file.read_text())
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        return seen

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(visitor, "RENEWED", 0.02)
        assert len(asyncio.run(some_renewals())) == 3
    assert not file.exists()


def test_in_containers_there_is_neither_a_token_nor_a_state_to_read() -> None:
    composed = json.loads((Path(page.INSTALLED.source) / "deploy" / "docker" / "caddy.json").read_text())
    text = json.dumps(composed)
    assert "/try/" not in text
    assert "/status" not in text
    assert "token.json" not in text
    assert "openid-configuration" not in text
    assert composed["logging"]["logs"] == routes.LOGS


# ---- what the gateway keeps of it all ----


def test_the_log_says_what_broke_and_nothing_of_who_asked(system: tuple[Gateway, Service]) -> None:
    gateway, _ = system
    secrets = {
        "Idempotency_Key": "key-7f3a",
        "Authorization": "Bearer token-7f3a",
        "Cookie": "cookie-7f3a",
        "X_Forwarded_For": "203.0.113.77",
        "User_Agent": "agent-7f3a",
    }
    before = gateway.log.stat().st_size
    for method in ("GET", "POST"):
        with pytest.raises(http.client.IncompleteRead):
            ask(gateway, "/v1/communities?name=somebody-7f3a", method, **secrets)
    until = time.monotonic() + 10
    while (said := gateway.log.read_text()[before:]).count("\n") < 2 and time.monotonic() < until:
        time.sleep(0.05)
    lines = [json.loads(line) for line in said.splitlines()]
    assert [line["msg"] for line in lines] == ["aborting with incomplete response"] * 2
    assert "7f3a" not in said
    assert "request" not in {key for line in lines for key in line}
    assert not re.search(r"203\.0\.113\.77|127\.0\.0\.1", said.replace(f"127.0.0.1:{system[1].port}", ""))


def test_addresses_in_what_went_wrong_are_left_out() -> None:
    for text in (
        "write tcp 127.0.0.1:8000->203.0.113.77:5555: broken pipe",
        "read tcp [::1]:8000->[2001:db8::7]:9: reset",
    ):
        assert not re.search(r"\d{4}|:[0-9a-f]", re.sub(routes.ADDRESS, "…", text).replace(": ", ""))
