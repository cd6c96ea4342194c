"""The kernel's own tables, made in each service's metadata; alembic sees them beside the service's views."""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, BYTEA, UUID

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "pk": "pk_%(table_name)s",
}


def _time(name: str, *, default: bool = False) -> sa.Column[object]:
    return sa.Column(
        name, sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now() if default else None
    )


def service_metadata(*, facts: bool) -> sa.MetaData:
    """Metadata of a service's database with the kernel's tables; `facts` is true where the service owns a log."""
    metadata = sa.MetaData(naming_convention=NAMING)
    if facts:
        _log(metadata)
    _views(metadata)
    return metadata


def _log(metadata: sa.MetaData) -> None:
    sa.Table(
        "log_partition",
        metadata,
        sa.Column("id", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("agreed", sa.Text),  # the database (log/agreement.py) that was found to agree with its topic
        postgresql_with={"fillfactor": "50"},
    )
    sa.Table(
        "log",
        metadata,
        sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("stream", UUID, nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("type", sa.Text, nullable=False),
        sa.Column("id", UUID, nullable=False),
        sa.Column("community", UUID, nullable=False),
        sa.Column("actor", UUID),
        _time("occurred_at"),
        _time("recorded_at", default=True),
        sa.Column("causation", UUID),
        sa.Column("data", BYTEA, nullable=False),
        sa.Column("traceparent", sa.Text),
        sa.Column("imported_by", UUID),
        sa.UniqueConstraint("stream", "version"),
    )
    sa.Table(
        "vault",
        metadata,
        sa.Column("community", UUID, nullable=False),
        sa.Column("ref", UUID, nullable=False),
        sa.Column("subject", UUID),
        sa.Column("content", BYTEA),  # null where it was forgotten: the row stays, so that nobody writes it again
        sa.Column("fingerprint", BYTEA),
        sa.Column("superseded_at", sa.DateTime(timezone=True)),
        _time("recorded_at", default=True),
        sa.PrimaryKeyConstraint("community", "ref"),
        sa.Index("ix_vault_subject", "subject"),
        sa.Index("ix_vault_superseded_at", "superseded_at", postgresql_where=sa.text("superseded_at is not null")),
    )
    sa.Table(
        "claim",
        metadata,
        sa.Column("community", UUID, primary_key=True),
        sa.Column("scope", sa.Text, primary_key=True),
        sa.Column("key", sa.Text, primary_key=True),
        sa.Column("stream", UUID, primary_key=True),  # two of a key only where a log that went back was put right
        sa.Index("ix_claim_stream", "stream"),
    )
    sa.Table(
        "idempotency_key",
        metadata,
        sa.Column("id", UUID, primary_key=True),
        sa.Column("fingerprint", BYTEA, nullable=False),
        sa.Column("versions", BYTEA),  # null where nothing was written
        sa.Column("answer", BYTEA),  # null where whoever wrote did not come to answer
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False, index=True),
    )
    sa.Table(
        "outgoing_command",
        metadata,
        sa.Column("id", UUID, primary_key=True),
        sa.Column("number", sa.BigInteger, sa.Identity(), nullable=False),
        sa.Column("manager", sa.Text, nullable=False),
        sa.Column("target", UUID, nullable=False),
        sa.Column("community", UUID, nullable=False),
        sa.Column("cause", UUID, nullable=False),
        _time("occurred_at"),
        _time("due_at"),
        _time("issued_at", default=True),
        sa.Column("command", BYTEA, nullable=False),
        sa.Column("tries", sa.Integer, nullable=False, server_default="0"),
        sa.Column("reason", sa.Text),
        sa.Column("again_at", sa.DateTime(timezone=True)),
        sa.Column("dead_at", sa.DateTime(timezone=True)),
        sa.Index("ix_outgoing_command_due_at", "due_at", "number", postgresql_where=sa.text("dead_at is null")),
        sa.Index("ix_outgoing_command_target", "target", postgresql_where=sa.text("dead_at is null")),
    )
    sa.Table(
        "quota",
        metadata,
        sa.Column("what", sa.Text, primary_key=True),
        sa.Column("caller", UUID, primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("used", sa.BigInteger, nullable=False),
    )
    sa.Table(
        "relay_checkpoint",
        metadata,
        sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
    )


def _views(metadata: sa.MetaData) -> None:
    sa.Table(
        "lease",
        metadata,
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("epoch", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("holder", UUID),
        _time("expires_at", default=True),
    )
    sa.Table(
        "watermark",
        metadata,
        sa.Column("view", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("kafka_offset", sa.BigInteger),
        sa.Column("caught_up_at", sa.DateTime(timezone=True)),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.func.now()),
        postgresql_with={"fillfactor": "50"},  # moved with every batch, within its page
    )
    sa.Table(
        "log_head",
        metadata,
        sa.Column("source", sa.Text, primary_key=True),
        _time("at"),  # by the clock of the source's database, and never later than this one's when it was written
        sa.Column("positions", ARRAY(sa.BigInteger), nullable=False),
        postgresql_with={"fillfactor": "50"},
    )
    sa.Table(
        "parked",
        metadata,
        sa.Column("view", sa.Text, primary_key=True),
        sa.Column("source", sa.Text, primary_key=True),
        sa.Column("partition", sa.SmallInteger, primary_key=True, autoincrement=False),
        sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("stream", UUID),
        sa.Column("type", sa.Text),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("value", BYTEA, nullable=False),
        _time("parked_at", default=True),
        sa.Index("ix_parked_stream", "view", "stream"),
    )
    sa.Table(
        "member_ordinal",
        metadata,
        sa.Column("community", UUID, primary_key=True),
        sa.Column("member", UUID, primary_key=True),
        sa.Column("ordinal", sa.Integer, nullable=False),
        sa.UniqueConstraint("community", "ordinal"),
    )
