"""Values that a JSON schema describes, drawn by a seeded die; what a place is for decides where ids come from."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from tests.city.kinds import KINDS, UnknownName, called
from tests.city.operations import Json, Operation
from tests.city.village import Village
from tests.fuzz.corpus import MARK

ALPHABETS = ("abcdefgh ijkl", "社群运营很重要的人", "äöüßçñø éà", "👍🎉🚀❤️", "a1-_.+#")


class Drawing:
    """Draws for one village. Ids come from it, and now and then from another one or from nowhere."""

    def __init__(self, die: Random, village: Village, other: Village) -> None:
        self.die = die
        self.village = village
        self.other = other

    def id_of(self, name: str) -> str:
        """An id for a place of that name."""
        kind = self.die.choice(called(name))
        chance = self.die.random()
        if chance < 0.05:
            return str(UUID(int=self.die.getrandbits(128)))
        pool = (self.other if chance < 0.12 else self.village).ids["member" if KINDS[kind].person else kind]
        return self.die.choice(pool) if pool else str(UUID(int=self.die.getrandbits(128)))

    def words(self, least: int = 0, most: int = 60) -> str:
        """Text of so many characters."""
        length = self.die.choice([least, most, self.die.randint(least, most)]) if self.die.random() < 0.1 else least
        length = max(length, min(most, self.die.randint(least, least + 40)))
        alphabet = self.die.choice(ALPHABETS)
        text = f"{MARK}{''.join(self.die.choices(alphabet, k=min(length, 400)))}"[:length]
        return text if len(text) == length else text + "x" * (length - len(text))

    def value(self, op: Operation, schema: Json, name: str = "", depth: int = 0, *, prose: bool = True) -> Any:
        """A value that fits the schema, as far as a schema can say. Where there is no `prose`, names must be known."""
        schema = op.resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.die.choice(schema["enum"])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self.value(op, self.die.choice(schema[union]), name, depth, prose=prose)
        match schema.get("type"):
            case "object":
                return self._object(op, schema, depth)
            case "array":
                most = min(schema.get("maxItems", 4), 4)
                size = self.die.randint(min(schema.get("minItems", 0), most), most)
                return [self.value(op, schema.get("items", {}), name, depth + 1, prose=prose) for _ in range(size)]
            case "string":
                return way(schema, name, prose=prose)(self)
            case "integer":
                least = schema.get("minimum", schema.get("exclusiveMinimum", -6) + 1)
                most = schema.get("maximum", schema.get("exclusiveMaximum", max(least, 0) + 201) - 1)
                return self.die.randint(least, most)
            case "number":
                return self.die.choice([0, 1.5, -1, self.die.random()])
            case "boolean":
                return self.die.random() < 0.5
            case "null":
                return None
            case _:
                return self.die.choice([None, 1, MARK])

    def _object(self, op: Operation, schema: Json, depth: int) -> Json:
        required = schema.get("required", [])
        return {
            name: self.value(op, inner, name, depth + 1)
            for name, inner in schema.get("properties", {}).items()
            if name in required or self.die.random() < 0.6
        }

    def before(self) -> datetime:
        """A time gone by; seldom one that is still to come."""
        if self.die.random() < 0.05:
            return datetime(2040, 1, 1, tzinfo=UTC) + timedelta(minutes=self.die.randint(0, 10**6))
        return datetime(2026, 11, 1, tzinfo=UTC) - timedelta(minutes=self.die.randint(0, 10**6))


Way = Callable[[Drawing], str]

FORMATS: dict[str, Way] = {
    "date": lambda it: str((datetime(2026, 11, 1, tzinfo=UTC) - timedelta(days=it.die.randint(0, 800))).date()),
    "date-time": lambda it: it.before().isoformat(),
}
NAMES: dict[str, Way] = {
    "slug": lambda it: f"{it.village.name}-{it.die.randrange(10**6)}",
    "language": lambda it: it.die.choice(["fr", "zh-Hans", "pt-BR", "en"]),
    "time_zone": lambda it: it.die.choice(["Europe/Paris", "UTC", "Asia/Shanghai", "Pacific/Kiritimati"]),
    "subject": lambda it: it.village.subject(it.die.choice(["author", "member", "owner", "guest"])),
    "kind": lambda it: it.die.choice(["like", "up", "down", "love"]),
    "cursor": lambda it: it.words(0, 60),
    **dict.fromkeys(("tag", "tags"), lambda it: it.die.choice(["roses", "soil", "群", "c++", "x" * 50])),
    **dict.fromkeys(("source", "target", *KINDS), lambda it: f"origin:{it.die.randrange(8)}"),
}
"""What stands in a place of that name, where its schema does not say it. A kind of thing is, in a backfill, a name that
the origin knows it by.
"""


def way(schema: Json, name: str, *, prose: bool) -> Way:
    """How a string for a place is drawn. Raises `UnknownName` where only the place's name could say it and does not."""
    if schema.get("format") == "uuid":
        called(name)
        return lambda it: it.id_of(name)
    found = FORMATS.get(schema.get("format", "")) or NAMES.get(name)
    if found is not None:
        return found
    if not prose or "pattern" in schema or "format" in schema:
        raise UnknownName(
            f"what the fuzzer is to send for `{name}` is not known. Add the name to NAMES in tests/fuzz/drawing.py, "
            "with what is drawn for it, or have its schema say it (an enum, a format)."
        )
    return lambda it: it.words(schema.get("minLength", 0), min(schema.get("maxLength", 60), 60_000))


def places(op: Operation) -> Iterator[tuple[str, Json, bool]]:
    """Each place for a string in an operation's path, query and body: its name, its schema, whether it takes prose."""
    for parameter in op.parameters:
        if parameter["in"] in ("path", "query") and parameter["name"] != "community":
            yield from _strings(op, parameter["schema"], parameter["name"], prose=False)
    yield from _strings(op, op.body_schema or {}, "", prose=True)


def _strings(op: Operation, schema: Json, name: str, *, prose: bool) -> Iterator[tuple[str, Json, bool]]:
    schema = op.resolve(schema)
    for part in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *([schema["items"]] if "items" in schema else ())):
        yield from _strings(op, part, name, prose=prose)
    for inner, part in schema.get("properties", {}).items():
        yield from _strings(op, part, inner, prose=prose)
    if schema.get("type") == "string" and not {"const", "enum"} & schema.keys():
        yield name, schema, prose


def pick(die: Random, weighted: Sequence[tuple[float, Any]]) -> Any:
    """One of those, each with its weight."""
    return die.choices([value for _, value in weighted], [weight for weight, _ in weighted])[0]
