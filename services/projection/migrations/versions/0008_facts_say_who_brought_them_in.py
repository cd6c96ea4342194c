"""facts say who brought them in.

Revision: 0008, after: 0003, of 2026-11-28.

The tables that change are made anew, and their views' marks are taken away: projection's worker reads both from the
topics again, and says meanwhile how far it is.
"""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0003"
branch_labels = None
depends_on = None

_READ_ANEW = "delete from {table} where view in ('actions', 'actions@next', 'responses', 'responses@next')"
_BY_POST = ("response", "response_withdrawal")
_FACT = ("slot", "receiver", "sender", "kind", "post")
_NUMBERED: dict[str, Sequence[str]] = {
    "action_count": ("slot", "kind"),
    "response": _FACT,
    "response_withdrawal": ("withdrawn_slot", *_FACT),
    "action_change": ("day",),
    "response_change": ("day",),
}
_INTEGERS = ("slot", "withdrawn_slot", "former_slot", "day", "brought")


def upgrade() -> None:
    # A migration that cannot get its lock gives up; one that waits would hold up every request behind it.
    op.execute("set local lock_timeout = '4s'")
    _make_anew(by=("importer", "brought"))
    _numbered("action_repeat", ("slot", "former_slot", "kind", "importer", "brought"))
    op.create_table(
        "import_withdrawal",
        *_columns(("community", "importer"), defaults=False),
        sa.Column("until", sa.Integer(), nullable=True),
        *_put(),
        sa.PrimaryKeyConstraint("community", "importer", name=op.f("pk_import_withdrawal")),
        info={"key": ["community", "importer"], "add": [], "include": []},
    )
    _numbered("import_change", ())


def downgrade() -> None:
    op.execute("set local lock_timeout = '4s'")
    for table in ("import_change", "import_withdrawal", "action_repeat"):
        op.drop_table(table)
    _make_anew(by=())


def _make_anew(*, by: Sequence[str]) -> None:
    """The tables of actions and responses; `by` is who brought something in, in the key since this revision."""
    for table in (*_NUMBERED, "active_members", "first_action"):
        op.drop_table(table)
    for table in ("watermark", "parked"):
        op.execute(_READ_ANEW.format(table=table))
    for table, key in _NUMBERED.items():
        _numbered(table, key if table.endswith("_change") else (*key, *by))
    for table in _BY_POST:
        op.create_index(f"ix_{table}_post", table, ["community", "post"])
    key = ("community", "slot", *by)
    op.create_table(
        "active_members",
        *_columns(key),
        sa.Column("members", sa.LargeBinary(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_active_members")),
        info={"key": list(key), "add": [], "include": ["members"]},
    )
    key = ("community", "member", *by)
    op.create_table(
        "first_action",
        *_columns(key),
        sa.Column("slot", sa.Integer(), nullable=True),
        *_put(),
        sa.PrimaryKeyConstraint(*key, name=op.f("pk_first_action")),
        info={"key": list(key), "add": [], "include": []},
    )
    op.create_index("ix_first_action_slot", "first_action", ["community", "slot"])
    # What responses alone stood on is read again with them.
    for table in ("post_parent", "post_deletion"):
        op.execute(f"delete from {table}")  # noqa: S608 - our own names


def _numbered(table: str, key: Sequence[str]) -> None:
    key = ("community", *key)
    op.create_table(
        table,
        *_columns(key),
        sa.Column("n", sa.BigInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint(*key, name=op.f(f"pk_{table}")),
        info={"key": list(key), "add": ["n"], "include": []},
    )


def _columns(key: Sequence[str], *, defaults: bool = True) -> list[sa.Column[object]]:
    given = {"importer": "00000000-0000-0000-0000-000000000000", "brought": "0"} if defaults else {}
    return [sa.Column(name, _type(name), server_default=given.get(name), nullable=False) for name in key]


def _type(name: str) -> sa.types.TypeEngine[object]:
    if name in _INTEGERS:
        return sa.Integer()  # type: ignore[return-value]
    return sa.Text() if name == "kind" else sa.Uuid()  # type: ignore[return-value]


def _put() -> list[sa.Column[object]]:
    return [
        sa.Column("version", sa.BigInteger(), server_default="-9223372036854775808", nullable=False),
        sa.Column("gone", sa.Boolean(), server_default=sa.text("false"), nullable=False),
    ]
