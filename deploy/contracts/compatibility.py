"""A published event never changes its meaning: what today's code writes, yesterday's reader must read, and back.

Both directions count. Replay decodes old events with today's classes (backward); a partner who was away decodes
new events with the schema of last year (forward). Only an added optional field passes both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]


def breaks(old: Schema, new: Schema) -> list[str]:
    """What in `new` breaks readers or the replay of `old`, each as a sentence; empty where it is compatible."""
    return list(_object("data", old, new, old.get("$defs", {}), new.get("$defs", {})))


def _object(path: str, old: Schema, new: Schema, old_defs: Schema, new_defs: Schema) -> Iterator[str]:
    before, after = old.get("properties", {}), new.get("properties", {})
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    for name in before:
        field = f"{path}.{name}"
        if name not in after:
            yield f"{field} was removed: readers that rely on it break"
            continue
        if name in needed and name not in needs:
            yield f"{field} became optional: readers that rely on it break"
        if name not in needed and name in needs:
            yield f"{field} became required: old events do not carry it"
        yield from _value(field, before[name], after[name], old_defs, new_defs)
    for name in after:
        if name not in before and name in needs:
            yield f"{path}.{name} was added as required: old events do not carry it"


def _value(path: str, old: Schema, new: Schema, old_defs: Schema, new_defs: Schema) -> Iterator[str]:
    old, new = _resolve(old, old_defs), _resolve(new, new_defs)
    old_kinds, new_kinds = _kinds(old, old_defs), _kinds(new, new_defs)
    if old_kinds != new_kinds:
        yield f"{path} changed its type from {'|'.join(sorted(old_kinds))} to {'|'.join(sorted(new_kinds))}"
        return
    for rule in ("enum", "const", "minimum", "maximum", "minLength", "maxLength", "pattern", "maxItems", "minItems"):
        if old.get(rule) != new.get(rule):
            yield f"{path} changed its {rule} from {old.get(rule)} to {new.get(rule)}"
    for one, other in zip(_alternatives(old, old_defs), _alternatives(new, new_defs), strict=True):
        if "properties" in one or "properties" in other:
            yield from _object(path, one, other, old_defs, new_defs)
        if "items" in one and "items" in other:
            yield from _value(f"{path}[]", one["items"], other["items"], old_defs, new_defs)


def _resolve(schema: Schema, defs: Schema) -> Schema:
    while "$ref" in schema:
        schema = defs[schema["$ref"].rpartition("/")[2]]
    return schema


def _alternatives(schema: Schema, defs: Schema) -> list[Schema]:
    parts = [_resolve(part, defs) for part in schema.get("anyOf", [schema])]
    return sorted(parts, key=_kind)


def _kinds(schema: Schema, defs: Schema) -> set[str]:
    return {_kind(part) for part in _alternatives(schema, defs)}


def _kind(schema: Schema) -> str:
    """The type with its format, such as `string:uuid`; two of the same kind are read alike."""
    kind = schema.get("type", "any")
    return f"{kind}:{schema['format']}" if "format" in schema else str(kind)
