"""Heads of requests: a target in one form, a query as RFC 3986 has it."""

from __future__ import annotations

import pytest

from shared.events.errors import Invalid
from shared.web.heads import tidy


@pytest.mark.parametrize(
    ("written", "means"),
    [
        (b"tag=c++", b"tag=c%2B%2B"),
        (b"tag=c%2B%2B", b"tag=c%2B%2B"),
        (b"from=2026-01-01T00:00:00+02:00&limit=1", b"from=2026-01-01T00:00:00%2B02:00&limit=1"),
        (b"a=x%20y", b"a=x%20y"),
        (b"cursor=", b""),
        (b"cursor", b""),
        (b"&", b""),
        (b"a=1&&b=", b"a=1"),
        (b"a=&a=1", b"a=1"),
        (b"a=1&a=", b"a=1"),
        (b"a==", b"a=="),
        (b"a=1&b=1", b"a=1&b=1"),
        (b"a=b=c&a2=b", b"a=b=c&a2=b"),
    ],
)
def test_a_plus_is_a_plus_and_an_empty_parameter_is_none(written: bytes, means: bytes) -> None:
    assert tidy(written) == means


@pytest.mark.parametrize("query", [b"limit=1&limit=2", b"limit=1&limit=1", b"limit=1&a=2&li%6dit=3", b"a+=1&a%2B=2"])
def test_a_parameter_is_given_once(query: bytes) -> None:
    with pytest.raises(Invalid, match="once"):
        tidy(query)
