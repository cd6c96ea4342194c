"""What can be broken by a statement in a service's database, how it is mended, and what the doctor says of it."""

from __future__ import annotations

from dataclasses import dataclass

from deploy.operations.findings import State
from tests.deploy.operations.hall import OWNER, READER

HOLE = "select partition, position from log where position = 3 order by partition limit 1"


@dataclass(frozen=True)
class Break:
    """A statement that breaks something in a service's database, one that mends it, and what the doctor says."""

    check: str
    state: State
    words: str
    harm: str
    mend: str
    service: str = OWNER
    full: bool = False


def shifted(table: str, column: str, by: str) -> tuple[str, str]:
    return f"update {table} set {column} = {column} + {by}", f"update {table} set {column} = {column} - {by}"


SAVED = "create table saved as select * from log where (partition, position) = "
GIVE_BACK = "insert into log select * from saved; drop table saved"
OLD = "update log set recorded_at = recorded_at - interval '1 hour'"
OLD_AGAIN = "update log set recorded_at = recorded_at + interval '1 hour'"

BREAKS = {
    "a position in the middle of the log is gone": Break(
        "log", State.BROKEN, "Events are missing from the log: partition",
        f"{SAVED} ({HOLE}); delete from log where (partition, position) = ({HOLE})",
        GIVE_BACK,
    ),
    "a position in the middle of the log is gone, and all are counted": Break(
        "log", State.BROKEN, "Events are missing from the log: partition",
        f"{SAVED} ({HOLE}); delete from log where (partition, position) = ({HOLE})",
        GIVE_BACK,
        full=True,
    ),
    "the last position of the log is gone": Break(
        "log", State.BROKEN, "and says",
        "update log_partition set position = position + 1 where id = 3",
        "update log_partition set position = position - 1 where id = 3",
    ),
    "a version of a stream is gone": Break(
        "log", State.BROKEN, "Versions are missing in streams",
        "update log set version = 99 where version = 3 and partition = (select min(partition) from log)",
        "update log set version = 3 where version = 99",
        full=True,
    ),
    "the database has begun anew and nobody compared": Break(
        "log and topic", State.BROKEN, "nothing is written",
        "create table saved as select agreed from log_partition limit 1; update log_partition set agreed = 'another'",
        "update log_partition set agreed = (select agreed from saved); drop table saved",
    ),
    "the relay is ahead of the log": Break(
        "relay", State.BROKEN, "restored from an older state", *shifted("relay_checkpoint", "position", "1000")
    ),
    "the relay stands still": Break(
        "relay", State.BROKEN, "The relay stands still",
        f"create table saved as select * from relay_checkpoint; update relay_checkpoint set position = 0; {OLD}",
        "update relay_checkpoint c set position = s.position from saved s where s.partition = c.partition; "
        f"drop table saved; {OLD_AGAIN}",
    ),
    "the relay is a little late": Break(
        "relay", State.WARNING, "wait to be relayed",
        "create table saved as select * from relay_checkpoint; update relay_checkpoint set position = 0; "
        "update log set recorded_at = clock_timestamp() - interval '10 seconds'",
        "update relay_checkpoint c set position = s.position from saved s where s.partition = c.partition; "
        "drop table saved",
    ),
    "the log has other partitions than the settings": Break(
        "migrations", State.BROKEN, "has 13 partitions, the settings say 12",
        "insert into relay_checkpoint values (12, 0)", "delete from relay_checkpoint where partition = 12",
    ),
    "words that were deleted are still kept": Break(
        "vault", State.WARNING, "1 words that were replaced or deleted more than 30 days ago are still kept",
        "insert into vault (community, ref, content, superseded_at) values (gen_random_uuid(), gen_random_uuid(), 'x', "
        "clock_timestamp() - interval '31 days')",
        "delete from vault where content = 'x'",
    ),
    "nobody leads": Break(
        "leases", State.BROKEN, "Nobody leads relay",
        "update lease set expires_at = now() - interval '1 hour' where name = 'relay'",
        "update lease set expires_at = now() + interval '1 hour'",
    ),
    "a lease was let go and nobody took it": Break(
        "leases", State.BROKEN, "Nobody leads views",
        "update lease set holder = null where name = 'views'",
        "update lease set holder = gen_random_uuid(), expires_at = now() + interval '1 hour' where name = 'views'",
    ),
    "a leader died just now": Break(
        "leases", State.WARNING, "The leader of relay died",
        "update lease set expires_at = now() - interval '2 seconds' where name = 'relay'",
        "update lease set expires_at = now() + interval '1 hour'",
    ),
    "two could lead": Break(
        "leases", State.BROKEN, "relay stands in it twice",
        "alter table lease drop constraint pk_lease; insert into lease select * from lease where name = 'relay'",
        "delete from lease where ctid <> (select min(ctid) from lease l where l.name = lease.name); "
        "alter table lease add constraint pk_lease primary key (name)",
    ),
    "a view is ahead of the log": Break(
        "watermarks", State.BROKEN, f"tally at {OWNER}/", *shifted("watermark", "position", "1000"), service=READER
    ),
    "a token is from a time to come": Break(
        "watermarks", State.BROKEN, "a time to come", *shifted("watermark", "moved_at", "interval '1 hour'")
    ),
    "a topic is shorter than what was read of it": Break(
        "watermarks", State.WARNING, "made anew", *shifted("watermark", "kafka_offset", "1000"), service=READER
    ),
    "a view was never read": Break(
        "watermarks", State.WARNING, f"Never read yet: tally of {OWNER}",
        "create table saved as select * from watermark; delete from watermark",
        "insert into watermark select * from saved; drop table saved",
    ),
    "a rebuild was broken off": Break(
        "watermarks", State.WARNING, "A rebuild is under way or was broken off",
        f"insert into watermark (view, source, partition) values ('tally@next', '{OWNER}', 0)",
        "delete from watermark where view = 'tally@next'",
    ),
    "a mark is of a view that is none": Break(
        "watermarks", State.WARNING, "taken out of the program",
        f"insert into watermark (view, source, partition) values ('gone', '{OWNER}', 0)",
        "delete from watermark where view = 'gone'",
    ),
    "a log does not say how far it is": Break(
        "heads", State.BROKEN, f"Nobody says how far logs are: {OWNER} for 3",
        "update log_head set at = at - interval '2 hours'", "update log_head set at = at + interval '2 hours'",
        service=READER,
    ),
    "a log never said how far it is": Break(
        "heads", State.BROKEN, f"Nobody says how far logs are: {OWNER}.",
        "create table saved as select * from log_head; delete from log_head",
        "insert into log_head select * from saved; drop table saved",
        service=READER,
    ),
    "a view stands still": Break(
        "views", State.BROKEN, f"Answers are out of date: {OWNER}.tally lacks 12 events",
        f"update watermark set position = position - 1; {OLD}",
        f"update watermark set position = position + 1; {OLD_AGAIN}",
    ),
    "a view is a little late": Break(
        "views", State.WARNING, "a little out of date",
        "update watermark set position = position - 1; "
        "update log set recorded_at = clock_timestamp() - interval '10 seconds'",
        "update watermark set position = position + 1",
    ),
    "a command was given up": Break(
        "commands", State.BROKEN, "1 of gifts",
        "insert into outgoing_command (id, manager, target, community, cause, occurred_at, due_at, command, dead_at) "
        "select u, 'gifts', u, u, u, now(), now(), '{}', now() from (select gen_random_uuid()) as made(u)",
        "delete from outgoing_command",
    ),
    "a command that is due waits": Break(
        "commands", State.BROKEN, "gifts for",
        "insert into outgoing_command (id, manager, target, community, cause, occurred_at, due_at, issued_at, command) "
        "select u, 'gifts', u, u, u, now(), now() - interval '1 day', now() - interval '2 minutes', '{}' "
        "from (select gen_random_uuid()) as made(u)",
        "delete from outgoing_command",
    ),
    "an event is parked": Break(
        "parked", State.BROKEN, f"1 of tally, first {OWNER}/3/1",
        "insert into parked (view, source, partition, position, reason, value) "
        f"values ('tally', '{OWNER}', 3, 1, 'KeyError', '')",
        "delete from parked",
    ),
    "a stray record is noted": Break(
        "parked", State.WARNING, "1 for tally",
        "insert into parked (view, source, partition, position, reason, value) "
        f"values ('tally', '{OWNER}', 3, -18, 'no envelope', '')",
        "delete from parked",
    ),
    "a table is missing": Break(
        "parked", State.BROKEN, "did not answer this check",
        "alter table parked rename to elsewhere", "alter table elsewhere rename to parked",
    ),
}  # fmt: skip
