"""The issuer's keys: only those that may verify, looked up within bounds, and kept while the issuer is away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from joserfc.errors import SecurityWarning
from joserfc.jwk import ECKey, Key, OKPKey, RSAKey

from shared.events.errors import Unavailable
from shared.web.access.jwks import Keys, read_keys
from tests.shared.issuer import key_set


def test_keys_that_cannot_verify_are_left_out_of_a_set() -> None:
    with pytest.warns(SecurityWarning):
        weak = RSAKey.generate_key(1024, {"kid": "weak"})
    others: dict[str, Key] = {
        "weak": weak,
        "curve": ECKey.generate_key("P-384", {"kid": "curve"}),
        "sealing": ECKey.generate_key("P-256", {"kid": "sealing", "use": "enc"}),
        "agreeing": OKPKey.generate_key("X25519", {"kid": "agreeing"}),
    }

    assert set(read_keys(key_set(**others))) == {"rsa", "ec", "ed"}
    shared = (
        b'{"keys":[{"kty":"oct","kid":"hmac","k":"AAAA"},{"kid":7},"x",{"kty":"RSA","kid":"r","n":"!","e":"AQAB"}]}'
    )
    assert read_keys(shared) == {}


def test_a_key_that_names_its_algorithm_verifies_no_other() -> None:
    named = RSAKey.generate_key(2048, {"kid": "named", "alg": "PS256"})

    assert read_keys(key_set(named=named))["named"].algorithms == {"PS256"}


class _Issuer:
    """An issuer's key address, served over HTTP; `answer` is what it sends, `asked` how often it was asked."""

    def __init__(self) -> None:
        self.answer: tuple[int, bytes] = (200, key_set())
        self.asked = 0
        self.hangs = False

    async def asked_times(self, times: int) -> None:
        """Wait for that many questions, and see that there are no more."""
        async with asyncio.timeout(60):
            while self.asked < times:
                await asyncio.sleep(0.01)
        assert self.asked == times

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        while self.hangs:
            await asyncio.sleep(0.01)
        status, body = self.answer
        head = (
            f"HTTP/1.1 {status} X\r\ncontent-length: {len(body)}\r\nlocation: /elsewhere\r\nconnection: close\r\n\r\n"
        )
        writer.write(head.encode() + body)
        writer.close()


@pytest.fixture
async def issuer(servers: None) -> AsyncIterator[tuple[_Issuer, str]]:
    issuer = _Issuer()
    server = await asyncio.start_server(issuer.serve, "127.0.0.1", 0)
    async with server:
        yield issuer, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/jwks"
        issuer.hangs = False


async def test_made_up_key_ids_cost_the_issuer_one_question_a_minute(issuer: tuple[_Issuer, str]) -> None:
    served, address = issuer
    clock = [1000.0]
    keys = Keys(address, clock=lambda: clock[0])

    assert await keys.find("ec") is not None
    await asyncio.gather(*(keys.find(f"made-up-{n}") for n in range(20)))
    assert served.asked == 1

    clock[0] += 61
    await asyncio.gather(*(keys.find(f"made-up-{n}") for n in range(20)))
    assert served.asked == 2


async def test_a_new_key_of_the_issuer_is_found(issuer: tuple[_Issuer, str]) -> None:
    served, address = issuer
    clock = [1000.0]
    keys = Keys(address, clock=lambda: clock[0])
    assert await keys.find("new") is None

    served.answer = (200, key_set(new=ECKey.generate_key("P-256", {"kid": "new"})))
    clock[0] += 61
    assert await keys.find("new") is not None


@pytest.mark.parametrize(
    "answer", [(500, b""), (302, b""), (200, b"no json"), (200, b"[]"), (200, b"{}"), (200, b" " * 300_000)]
)
async def test_known_keys_outlast_an_issuer_that_answers_nonsense(
    issuer: tuple[_Issuer, str], answer: tuple[int, bytes]
) -> None:
    served, address = issuer
    clock = [1000.0]
    keys = Keys(address, clock=lambda: clock[0])
    assert await keys.find("ec") is not None

    served.answer = answer
    clock[0] += 301
    assert await keys.find("ec") is not None
    await served.asked_times(2)
    assert await keys.find("ec") is not None

    clock[0] += 300  # for as long as keys are believed, and no longer
    with pytest.raises(Unavailable):
        await keys.find("ec")
    served.answer = (200, key_set())
    clock[0] += 2
    assert await keys.find("ec") is not None


async def test_an_issuer_that_hangs_holds_up_nobody_whose_key_is_known(issuer: tuple[_Issuer, str]) -> None:
    served, address = issuer
    clock = [1000.0]
    keys = Keys(address, clock=lambda: clock[0])
    assert await keys.find("ec") is not None

    served.hangs = True
    clock[0] += 301
    async with asyncio.timeout(1):  # a read of the keys may take three seconds
        assert all(await asyncio.gather(*(keys.find("ec") for _ in range(20))))
    await served.asked_times(2)


async def test_a_key_that_was_withdrawn_is_forgotten_when_the_keys_have_grown_old(issuer: tuple[_Issuer, str]) -> None:
    served, address = issuer
    served.answer = (200, key_set(old=ECKey.generate_key("P-256", {"kid": "old"})))
    clock = [1000.0]
    keys = Keys(address, clock=lambda: clock[0])
    assert await keys.find("old") is not None

    served.answer = (200, key_set())
    clock[0] += 301
    async with asyncio.timeout(60):
        while await keys.find("old") is not None:
            await asyncio.sleep(0.01)


async def test_without_any_keys_the_service_is_unavailable_not_the_token_bad(issuer: tuple[_Issuer, str]) -> None:
    served, address = issuer
    served.answer = (500, b"")

    with pytest.raises(Unavailable):
        await Keys(address).find("ec")
    with pytest.raises(Unavailable):
        await Keys("/no/such/file").find("ec")
