"""Values that a JSON schema describes, drawn by a seeded die; what a place is for decides where ids come from."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID

from tests.city.operations import Json, Operation
from tests.city.village import Village
from tests.fuzz.corpus import MARK

KINDS = {
    "channel_id": "channel",
    "channel": "channel",
    "thread_id": "thread",
    "reply_id": "reply",
    "comment_id": "comment",
    "suggestion_id": "suggestion",
    "member": "member",
    "author": "member",
}
"""Which kind of thing a parameter or field of that name means."""
TARGETS = ("thread", "reply", "comment")
ALPHABETS = ("abcdefgh ijkl", "社群运营很重要的人", "äöüßçñø éà", "👍🎉🚀❤️", "a1-_.+#")


class Drawing:
    """Draws for one village. Ids come from it, and now and then from another one or from nowhere."""

    def __init__(self, die: Random, village: Village, other: Village) -> None:
        self.die = die
        self.village = village
        self.other = other

    def id_of(self, name: str) -> str:
        """An id for a place of that name."""
        kind = KINDS.get(name) or self.die.choice(TARGETS)
        chance = self.die.random()
        if chance < 0.05:
            return str(UUID(int=self.die.getrandbits(128)))
        pool = (self.other if chance < 0.12 else self.village).ids[kind]
        return self.die.choice(pool) if pool else str(UUID(int=self.die.getrandbits(128)))

    def words(self, least: int = 0, most: int = 60) -> str:
        """Text of so many characters."""
        length = self.die.choice([least, most, self.die.randint(least, most)]) if self.die.random() < 0.1 else least
        length = max(length, min(most, self.die.randint(least, least + 40)))
        alphabet = self.die.choice(ALPHABETS)
        text = f"{MARK}{''.join(self.die.choices(alphabet, k=min(length, 400)))}"[:length]
        return text if len(text) == length else text + "x" * (length - len(text))

    def value(self, op: Operation, schema: Json, name: str = "", depth: int = 0) -> Any:
        """A value that fits the schema, as far as a schema can say."""
        schema = op.resolve(schema)
        if "const" in schema:
            return schema["const"]
        if "enum" in schema:
            return self.die.choice(schema["enum"])
        for union in ("anyOf", "oneOf"):
            if union in schema:
                return self.value(op, self.die.choice(schema[union]), name, depth)
        match schema.get("type"):
            case "object":
                return self._object(op, schema, depth)
            case "array":
                most = min(schema.get("maxItems", 4), 4)
                size = self.die.randint(min(schema.get("minItems", 0), most), most)
                return [self.value(op, schema.get("items", {}), name, depth + 1) for _ in range(size)]
            case "string":
                return self._string(schema, name)
            case "integer":
                return self.die.randint(schema.get("minimum", -5), schema.get("maximum", 200))
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

    def _string(self, schema: Json, name: str) -> str:
        match schema.get("format"):
            case "uuid":
                return self.id_of(name)
            case "date":
                return str((datetime(2026, 11, 1, tzinfo=UTC) - timedelta(days=self.die.randint(0, 800))).date())
            case "date-time":
                return (datetime(2026, 11, 1, tzinfo=UTC) - timedelta(minutes=self.die.randint(0, 10**6))).isoformat()
        special = self._special(name)
        if special is not None:
            return special
        if "pattern" in schema:
            return self.die.choice(["like", "up", "down", "love"])
        return self.words(schema.get("minLength", 0), min(schema.get("maxLength", 60), 60_000))

    def _special(self, name: str) -> str | None:
        match name:
            case "slug":
                return f"{self.village.name}-{self.die.randrange(10**6)}"
            case "language":
                return self.die.choice(["fr", "zh-Hans", "pt-BR", "en"])
            case "time_zone":
                return self.die.choice(["Europe/Paris", "UTC", "Asia/Shanghai", "Pacific/Kiritimati"])
            case "source" | "thread" | "reply" | "target" | "channel" | "suggestion":
                return f"origin:{self.die.randrange(8)}"
            case "subject":
                return self.village.subject(self.die.choice(["author", "member", "owner", "guest"]))
            case "tag" | "tags":
                return self.die.choice(["roses", "soil", "群", "c++", "x" * 50])
        return None


def pick(die: Random, weighted: Sequence[tuple[float, Any]]) -> Any:
    """One of those, each with its weight."""
    return die.choices([value for _, value in weighted], [weight for weight, _ in weighted])[0]
