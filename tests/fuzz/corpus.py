"""What has broken programs like ours, in bodies: texts, numbers, shapes, and whole bodies."""

from __future__ import annotations

import gzip
from functools import cache

MARK = "zqx"
"""In what is sent and need not come back: an error that holds it repeats what was sent."""

TEXTS = (
    "",
    " ",
    "\t\n\r ",
    "\u00a0\u2003\u3000",
    f"{MARK} plain",
    "社群运营很重要",
    "👩‍👩‍👧‍👦" * 40,
    "e\u0301" * 60,
    "\u202eoverridden\u202c",
    "\u200b",
    "\ufeff",
    "\ufffe\uffff",
    "a" * 81,
    "a" * 301,
    "a" * 50_001,
    "ß" * 100,
    "İ" * 50,
    "ﷺ" * 60,
    "Ω≈ç√∫˜µ≤≥÷",
    "'; drop table log; --",
    "' or '1'='1",
    "$$ || pg_sleep(10) || $$",
    "%s %n {0} {x.__class__} ${7*7} {{7*7}}",
    "<script>alert(1)</script>",
    "../../../../etc/passwd",
    "=1+1",
    "null",
    "true",
    "NaN",
    "-1",
    "1e400",
    "00000000-0000-0000-0000-000000000000",
    "2026-13-45",
    "9999-12-31T23:59:59.999999999Z",
    "0001-01-01T00:00:00+14:00",
    "2016-12-31T23:59:60Z",
    "\x01\x02\x1b[31m",
    "\x7f\x85\x9f",
)
"""Texts that any encoding can hold; a place takes them or refuses them by name."""

UNSTORABLE = (
    b'"\\u0000"',
    b'"before\\u0000after"',
    b'"\\ud800"',
    b'"\\udfff\\ud800"',
    b'"\x00"',
    b'"\xff\xfe"',
    b'"\xed\xa0\x80"',
    b'"\xc0\x80"',
    b'"\xf4\x90\x80\x80"',
    b'"unfinished',
    b'"\\x41"',
    b'"line\nbreak"',
)
"""Texts in JSON, or nearly, that some store or encoder cannot hold."""

NUMBERS = (
    b"NaN",
    b"Infinity",
    b"-Infinity",
    b"1e999",
    b"-1e999",
    b"1e-999",
    b"-0",
    b"-0.0",
    b"0.1",
    b"2147483648",
    b"9007199254740993",
    b"9223372036854775807",
    b"9223372036854775808",
    b"-9223372036854775809",
    b"18446744073709551616",
    b"9" * 5_000,
    b"-" + b"9" * 5_000,
    b"0." + b"3" * 5_000,
    b"1e" + b"9" * 500,
    b"01",
    b"+1",
    b"1_000",
    b"0x10",
    b".5",
)


@cache
def shapes() -> tuple[bytes, ...]:
    """Values of the wrong shape, small and monstrous."""
    return (
        b"null",
        b"true",
        b"false",
        b"0",
        b"1",
        b"[]",
        b"{}",
        b'""',
        b"[null]",
        b"[[[[[]]]]]",
        b'{"a":{"b":{"c":[]}}}',
        b"[" * 300 + b"]" * 300,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
        b"[" + b",".join([b"1"] * 100_000) + b"]",
        b"[" + b",".join([b'"a"'] * 100_000) + b"]",
        b"[" + b",".join([b"{}"] * 100_000) + b"]",
        b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
        b'"' + b"a" * 200_000 + b'"',
        b'"' + b"\\u0041" * 50_000 + b'"',
        b'"' + b"\\ud83d\\ude00" * 30_000 + b'"',
    )


@cache
def bodies() -> tuple[bytes, ...]:
    """Whole bodies that are no JSON, hardly JSON, or too much of it."""
    return (
        b"",
        b" ",
        b"\n",
        b"{",
        b"}",
        b"{}}",
        b"{}{}",
        b"{,}",
        b"[,]",
        b'{"a"}',
        b"{'a':1}",
        b"{a:1}",
        b'{"a":1,}',
        b'{"a":undefined}',
        b"// comment\n{}",
        b"\xef\xbb\xbf{}",
        b"\xff\xfe{\x00}\x00",
        b"{\x00}",
        b"\x00" * 100,
        b"\xff" * 100,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'"' + b"\\" * 99_999,
        b'"' + b'\\"' * 99_999,
        b"[" + b",".join([b'"'] * 99_999),
        b"{}" + b" " * 999_990,
        b"{}" + b" " * 1_000_000,
        b"<xml/>",
        b"a=1&b=2",
        b"--x\r\ncontent-disposition: form-data; name=a\r\n\r\n1\r\n--x--",
        gzip.compress(b'{"name":"' + b"a" * 1_000_000 + b'"}'),
        *shapes(),
    )
