"""Requests by a seeded die: as the documents describe them, most with one or two things wrong."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any
from urllib.parse import quote

from tests.city.asking import Request
from tests.city.kinds import MADE_BY
from tests.city.operations import Operation
from tests.city.village import MEMBERS, OPERATOR, OUTSIDERS, Village
from tests.fuzz import corpus, corpus_head
from tests.fuzz.drawing import Drawing, pick

SPOT = "<<raw json goes here>>"
WEIGHTS = [(1.0, "as it should be"), (1.0, "body"), (0.6, "field"), (0.35, "query"), (0.35, "header"), (0.35, "path")]
RARE = [(0.12, "type"), (0.06, "method"), (0.06, "cut"), (0.04, "elsewhere"), (0.08, "token")]


class Generator:
    """Makes one request after another about a village; what the answers make goes back in by `learn`."""

    def __init__(self, known: list[Operation], village: Village, other: Village, die: Random) -> None:
        self.known = known
        self.die = die
        self.village = village
        self.other = other
        self.drawing = Drawing(die, village, other)
        self.caller = ""

    def next(self) -> Request:
        """The next request; `caller` says whose it is."""
        die = self.die
        op = die.choice(self.known)
        if op.id in ("archive_community", "leave_community") and die.random() < 0.95:
            op = die.choice(self.known)  # an archived or deserted village is a dull one
        self.caller = pick(
            die, [(0.75, die.choice(MEMBERS)), (0.15, die.choice(OUTSIDERS)), (0.04, "anonymous"), (0.06, OPERATOR)]
        )
        draft = _Draft(op, self)
        for wrong in self._what_is_wrong(op):
            draft.spoil(wrong)
        return draft.request()

    def _what_is_wrong(self, op: Operation) -> set[str]:
        kinds = [(w, kind) for w, kind in WEIGHTS + RARE if op.body_type or kind not in ("body", "field", "type")]
        return {pick(self.die, kinds) for _ in range(self.die.choice([1, 1, 1, 2, 3]))} - {"as it should be"}

    def learn(self, op: Operation | None, made: Any) -> None:
        """Remember what a POST made, so that later requests are about it."""
        if op is not None and (kind := MADE_BY.get(op.id)) and isinstance(made, dict) and "id" in made:
            pool = self.village.ids[kind]
            pool.append(made["id"])
            del pool[2:-20]


class _Draft:
    """A request while it is put together, first right, then spoilt."""

    def __init__(self, op: Operation, generator: Generator) -> None:
        self.op, self.die, self.drawing = op, generator.die, generator.drawing
        self.service, self.method = op.service, op.method
        self.village = generator.village
        self.path = self._path(op)
        self.query = self._query(op)
        self.headers = [*self.village.bearer(generator.caller), *self._headers(op)]
        self.body = b""
        self.value: Any = None
        self.chunks = self.die.choice([1, 1, 1, 1, 3])
        if op.body_type == "application/json":
            self._json_body()
        elif op.body_type is not None:
            self._lines()

    def request(self) -> Request:
        target = self.path + ("?" + self.query if self.query else "")
        return Request(self.service, self.method, target, tuple(self.headers), self.body, self.chunks)

    def _path(self, op: Operation) -> str:
        path = op.path
        for parameter in op.parameters:
            if parameter["in"] == "path" and parameter["name"] != "community":
                chosen = self.drawing.value(op, parameter["schema"], parameter["name"], prose=False)
                path = path.replace(f"{{{parameter['name']}}}", quote(str(chosen), safe=""))
        return path.replace("{community}", self.village.name)

    def _query(self, op: Operation) -> str:
        parts = []
        for parameter in op.parameters:
            if parameter["in"] == "query" and (parameter.get("required") or self.die.random() < 0.3):
                value = self.drawing.value(op, parameter["schema"], parameter["name"], prose=False)
                text = str(value).lower() if isinstance(value, bool) else str(value)
                if value is not None:
                    parts.append(f"{parameter['name']}={quote(text, safe='')}")
        return "&".join(parts)

    def _headers(self, op: Operation) -> list[tuple[bytes, bytes]]:
        found = []
        for parameter in op.parameters:
            if parameter["in"] == "header" and self.die.random() < 0.15:
                name = parameter["name"].lower()
                if name == "idempotency-key":
                    found.append((b"idempotency-key", b"key %d" % self.die.randrange(40)))
                elif name in ("if-match", "if-none-match"):
                    found.append((name.encode(), b'"%d"' % self.die.randrange(4)))
        return found

    def _json_body(self) -> None:
        schema = self.op.body_schema
        assert schema is not None
        self.value = self.drawing.value(self.op, schema)
        if self.op.id == "describe_community" and isinstance(self.value, dict):
            self.value.pop("visibility", None)  # who may see what is settled with the village
        self.headers.append((b"content-type", b"application/json"))
        if self.value is not None:
            self.body = json.dumps(self.value, ensure_ascii=self.die.random() < 0.3).encode()

    def _lines(self) -> None:
        schema = self.op.body_schema
        assert schema is not None
        lines = [self.drawing.value(self.op, schema) for _ in range(self.die.choice([0, 1, 2, 8]))]
        self.body = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
        self.value = lines[0] if lines else {}
        self.headers.append((b"content-type", b"application/x-ndjson"))

    def spoil(self, how: str) -> None:
        wrongs: dict[str, Callable[[], None]] = {
            "body": self._spoil_body,
            "field": self._spoil_field,
            "query": self._spoil_query,
            "header": self._spoil_header,
            "path": self._spoil_path,
            "type": self._spoil_type,
            "method": self._spoil_method,
            "cut": self._cut,
            "elsewhere": self._elsewhere,
            "token": self._spoil_token,
        }
        wrongs[how]()

    def _spoil_body(self) -> None:
        """Another body; the monsters seldom, since they take long and say little."""
        self.body = self.die.choice(corpus.bodies()[:22] if self.die.random() < 0.8 else corpus.bodies())
        self.value = None

    def _spoil_field(self) -> None:
        """One value in the body is another one, is missing, or is there twice; or there is one too many."""
        if not isinstance(self.value, dict):
            self._spoil_body()
            return
        value = json.loads(json.dumps(self.value))
        where, key = self._somewhere(value)
        die = self.die
        how = die.random()
        raw = die.choice([self._text(), die.choice(corpus.UNSTORABLE), die.choice(corpus.NUMBERS), self._shape()])
        if how < 0.65 and key is not None:
            where[key] = SPOT
        elif how < 0.8 and key is not None:
            del where[key]
            self.body = json.dumps(value).encode()
            return
        elif how < 0.9:
            value[die.choice(["unknown", "id", "role", "community", "__class__", "a/b~c", "", "ключ"])] = SPOT
        else:
            again = next(iter(value), "a")
            self.body = json.dumps(value).encode()[:-1] + b"," + json.dumps(again).encode() + b":" + raw + b"}"
            return
        self.body = json.dumps(value).encode().replace(json.dumps(SPOT).encode(), raw)

    def _somewhere(self, value: Any) -> tuple[Any, Any]:
        """A container in the value, and a place in it."""
        while True:
            keys = list(value) if isinstance(value, dict) else list(range(len(value)))
            if not keys:
                return value, None
            key = self.die.choice(keys)
            if not isinstance(value[key], (dict, list)) or not value[key] or self.die.random() < 0.4:
                return value, key
            value = value[key]

    def _text(self) -> bytes:
        return json.dumps(self.die.choice(corpus.TEXTS)).encode()

    def _shape(self) -> bytes:
        shapes = corpus.shapes()
        return self.die.choice(shapes[:11] if self.die.random() < 0.85 else shapes)

    def _spoil_query(self) -> None:
        extra = self.die.choice(corpus_head.QUERIES)
        self.query = self.die.choice([extra, f"{self.query}&{extra}", f"{extra}&{self.query}"])

    def _spoil_header(self) -> None:
        name, values = self.die.choice(corpus_head.HEADERS)
        value = self.die.choice(values)
        if name == b"prefer" and b"99999" in value and self.die.random() < 0.9:
            value = b"wait=0"
        if self.die.random() < 0.7:
            self.headers = [(known, kept) for known, kept in self.headers if known != name]
        self.headers.append((name, value))
        if name == b"guildhall-after" and self.die.random() < 0.8:
            self.headers.append((b"prefer", b"wait=0"))

    def _spoil_path(self) -> None:
        parts = self.path.split("/")
        at = self.die.randrange(3, len(parts)) if len(parts) > 3 else len(parts) - 1
        how = self.die.random()
        if how < 0.7:
            parts[at] = self.die.choice(corpus_head.SEGMENTS)
        elif how < 0.8:
            parts.append(self.die.choice(["", ".", "..", "x"]))
        elif how < 0.9:
            parts.insert(at, "")
        else:
            del parts[at]
        self.path = "/".join(parts) or "/"

    def _spoil_type(self) -> None:
        self.headers = [(name, value) for name, value in self.headers if name != b"content-type"]
        for _ in range(self.die.choice([0, 1, 1, 2])):
            self.headers.append((b"content-type", self.die.choice(corpus_head.CONTENT_TYPES)))

    def _spoil_method(self) -> None:
        self.method = self.die.choice(corpus_head.METHODS)

    def _cut(self) -> None:
        self.body = self.body[: self.die.randint(0, len(self.body))]

    def _elsewhere(self) -> None:
        """In the other village, or at another service."""
        if self.die.random() < 0.7:
            self.path = self.path.replace(self.village.name, self.drawing.other.name)
        else:
            self.service = self.die.choice(["member", "content", "engagement", "feedback", "projection"])

    def _spoil_token(self) -> None:
        at = next((n for n, (name, _) in enumerate(self.headers) if name == b"authorization"), None)
        if at is None:
            return
        name, value = self.headers[at]
        place = self.die.randrange(7, len(value)) if len(value) > 8 else 0
        changed = [value[:place], value[:place] + b"A" + value[place + 1 :], value + value, value + b"."]
        self.headers[at] = (name, self.die.choice(changed))
        if self.die.random() < 0.2:
            self.headers.append((name, value))
