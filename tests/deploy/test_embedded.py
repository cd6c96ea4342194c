"""The real PostgreSQL, Kafka and Caddy: they start, survive kill -9 and a changed port, and keep what they hold."""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import random
import signal
import urllib.error
import urllib.request
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local import ports
from deploy.local.gateway import Gateway
from deploy.local.home import Home
from deploy.local.kafka import Kafka
from deploy.local.postgres import Postgres
from tests.deploy.test_supervisor import TRIVIAL, service

pytestmark = pytest.mark.usefixtures("servers")


def some_ports(*names: str) -> dict[str, int]:
    return ports.assign(names, random.randrange(24000, 29000), {})


async def test_postgres_keeps_what_was_committed_through_kill_and_a_new_port(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    first = Postgres(home, some_ports("p")["p"])
    try:
        first.start()
        first.wait_ready()
        await first.create(["guildhall_member"])
        await first.create(["guildhall_member"])
        connection = await asyncpg.connect(first.dsn("guildhall_member"))
        assert await connection.fetchval("show fsync") == "on"
        assert not await connection.fetchval("select usesuper from pg_user where usename = current_user")
        await connection.execute("create table kept as select 42 as answer")
        connection.terminate()
        assert first.pid is not None
        os.kill(first.pid, signal.SIGKILL)
        await asyncio.sleep(0)
    finally:
        first.kill()
    second = Postgres(home, some_ports("p")["p"])
    try:
        second.start()
        second.wait_ready()
        connection = await asyncpg.connect(second.dsn("guildhall_member"))
        assert await connection.fetchval("select answer from kept") == 42
        await connection.close()
    finally:
        second.stop()
    assert second.pid is None


async def test_kafka_keeps_its_topics_through_kill_and_new_ports(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    given = some_ports("k", "c", "k2", "c2")
    first = Kafka(home, given["k"], given["c"])
    try:
        first.start()
        first.wait_ready()
        admin = AIOKafkaAdminClient(bootstrap_servers=first.address)
        await admin.start()
        await admin.create_topics([NewTopic("facts", 2, 1)])
        await admin.close()
        async with AIOKafkaProducer(bootstrap_servers=first.address, acks="all") as producer:
            await producer.send_and_wait("facts", b"one", partition=1)
    finally:
        first.kill()
    second = Kafka(home, given["k2"], given["c2"])
    try:
        second.start()
        second.wait_ready()
        async with AIOKafkaConsumer(bootstrap_servers=second.address, auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition("facts", 1)])
            async with asyncio.timeout(20):
                assert (await consumer.getone()).value == b"one"
    finally:
        second.stop()


def fetch(address: str) -> tuple[int, str]:
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def test_the_gateway_serves_a_service_the_issuer_and_clear_errors(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    member = service(home, TRIVIAL)
    given = some_ports("origin", "nobody")
    gateway = Gateway(
        home,
        given["origin"],
        {"member": member.port, "content": given["nobody"]},
        {"member": {"/v1/communities": []}, "content": {"/v1/communities/{community}/threads": []}},
    )
    try:
        member.start()
        gateway.start()
        member.wait_ready()
        gateway.wait_ready()
        assert fetch(f"{gateway.origin}/v1/communities") == (200, "{}")
        assert fetch(f"{gateway.origin}/docs/member")[0] == 200
        assert "/docs/content" in fetch(f"{gateway.origin}/")[1]
        discovery = json.loads(fetch(f"{gateway.origin}/.well-known/openid-configuration")[1])
        assert json.loads(fetch(discovery["jwks_uri"])[1])["keys"][0]["alg"] == "ES256"
        assert json.loads(fetch(f"{gateway.origin}/v1/nothing")[1])["status"] == 404
        assert json.loads(fetch(f"{gateway.origin}/v1/communities/x/threads")[1])["status"] == 503
    finally:
        gateway.stop()
        member.stop()


LINES = """
import http.server, os
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def do_POST(self):
        self.send_response(200); self.send_header("Transfer-Encoding", "chunked"); self.end_headers()
        while size := int(self.rfile.readline(), 16):
            line = b"ok " + self.rfile.read(size); self.rfile.readline()
            self.wfile.write(b"%x\\r\\n%s\\r\\n" % (len(line), line)); self.wfile.flush()
        self.wfile.write(b"0\\r\\n\\r\\n")
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["GUILDHALL_PORT"])), Handler).serve_forever()
"""


def test_an_answer_streams_while_its_request_is_still_being_sent(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    member = service(home, LINES)
    gateway = Gateway(
        home, some_ports("o")["o"], {"member": member.port}, {"member": {"/v1/communities/backfill": ["POST"]}}
    )
    try:
        member.start()
        gateway.start()
        member.wait_ready()
        gateway.wait_ready()
        connection = http.client.HTTPConnection("127.0.0.1", gateway.port, timeout=10)
        connection.putrequest("POST", "/v1/communities/backfill")
        connection.putheader("Transfer-Encoding", "chunked")
        connection.endheaders()
        connection.send(b"4\r\none\n\r\n")
        answer = connection.response_class(connection.sock, method="POST")
        answer.begin()
        assert answer.readline() == b"ok one\n"
        connection.send(b"4\r\ntwo\n\r\n")
        assert answer.readline() == b"ok two\n"
        connection.send(b"0\r\n\r\n")
        assert answer.read() == b""
        answer.close()
        connection.close()
    finally:
        gateway.stop()
        member.stop()


BREAKS = """
import http.server, os, socket
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, seen = "HTTP/1.1", 0
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "2"); self.end_headers(); self.wfile.write(b"{}")
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        Handler.seen += 1
        if Handler.seen % 2:
            self.close_connection = True
            return self.connection.shutdown(socket.SHUT_RDWR)
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers()
        self.wfile.write(body)
http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["GUILDHALL_PORT"])), Handler).serve_forever()
"""


def test_a_request_that_may_be_repeated_is_sent_anew_when_its_service_ends_under_it(tmp_path: Path) -> None:
    home = Home(tmp_path).open()
    member = service(home, BREAKS)
    gateway = Gateway(home, some_ports("o")["o"], {"member": member.port}, {"member": {"/v1/communities": []}})
    address = f"{gateway.origin}/v1/communities"
    try:
        member.start()
        gateway.start()
        member.wait_ready()
        gateway.wait_ready()
        keyed = urllib.request.Request(address, b"hello", {"Idempotency-Key": "1"})
        with urllib.request.urlopen(keyed, timeout=10) as answer:
            assert answer.read() == b"hello"
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(urllib.request.Request(address, b"hello"), timeout=10)
        with refused.value as error:
            assert error.code == 503
    finally:
        gateway.stop()
        member.stop()
