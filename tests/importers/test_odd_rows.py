"""What is wrong with a row concerns that row and what cannot stand without it, and each is counted."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from deploy.importers import stackexchange as se
from deploy.importers import values
from deploy.importers.dump import Dump
from deploy.importers.references import References
from deploy.importers.rows import ILLEGIBLE, MENDED
from deploy.importers.stackexchange import PHASES, StackExchange
from tests.importers.census import AT, MIDNIGHT, read, reasons
from tests.importers.dumps import answer, comment, question, user, vote, write_dump

OFFSET = timedelta(days=1)
BAD_DATES = {
    "0001-01-01T00:00:00.000": se.TOO_EARLY,
    "1969-12-31T23:59:59.999": se.TOO_EARLY,
    (datetime.now(UTC) + OFFSET).isoformat(): se.AHEAD,
    "9999-12-31T23:59:59.999": se.AHEAD,
    "2019-02-29T08:00:00.000": se.UNREADABLE,
    "2016-12-31T23:59:60.000": se.UNREADABLE,
    "": se.UNREADABLE,
}


@pytest.mark.parametrize(("date", "reason"), BAD_DATES.items(), ids=range(len(BAD_DATES)))
def test_a_user_without_a_usable_date_is_left_out_and_what_they_did_is_nobodys(
    tmp_path: Path, date: str, reason: str
) -> None:
    posts, comments = [question(1, 5), answer(2, 1, 5)], [comment(3, 2, 5)]
    census, lines = read(tmp_path, users=[user(5, at=date)], posts=posts, comments=comments, votes=[vote(4, 2, 1)])
    assert (reasons(census, "Users"), lines["member"]) == ({reason: 1}, [])
    kinds = ("thread", "reply", "comment", "acceptance")
    assert [line["subject"] for kind in kinds for line in lines[kind]] == [None] * 4
    assert dict(census.notes) == {se.STRANGER: 3}


@pytest.mark.parametrize(("date", "reason"), BAD_DATES.items(), ids=range(len(BAD_DATES)))
def test_a_question_without_a_usable_date_is_left_out_with_all_that_hangs_on_it(
    tmp_path: Path, date: str, reason: str
) -> None:
    census, lines = read(
        tmp_path,
        users=[user(5)],
        posts=[question(1, 5, at=date), answer(2, 1, 5), question(6, 5), answer(7, 6, 5, at=date)],
        comments=[comment(3, 1, 5), comment(4, 2, 5), comment(8, 7, 5), comment(9, 6, 5, at=date)],
        votes=[vote(3, 1, 2), vote(4, 2, 1), vote(5, 7, 1)],
    )
    assert reasons(census, "Posts") == {reason: 2, se.QUESTION_LEFT_OUT: 1}
    assert reasons(census, "Comments") == {se.POST_LEFT_OUT: 3, reason: 1}
    assert reasons(census, "Votes") == {se.POST_LEFT_OUT: 3}
    assert {kind: len(found) for kind, found in lines.items() if found} == {"channel": 1, "member": 1, "thread": 1}


def test_a_date_of_this_minute_is_taken(tmp_path: Path) -> None:
    now = (datetime.now(UTC) + timedelta(seconds=30)).isoformat()
    census, _ = read(tmp_path, users=[user(5, at=now), user(6, at="1970-01-01T00:00:00.000")])
    assert (census.lines["member"], reasons(census, "Users")) == (2, {})


def test_of_rows_with_one_id_the_first_that_can_be_used_stands(tmp_path: Path) -> None:
    later = "2020-01-02T08:00:00.000"
    census, lines = read(
        tmp_path,
        users=[user(5), user(6), user(5, at=later), user(4), user(4)],
        posts=[question(1, 5, at=""), question(1, 6), answer(2, 1, 5), question(2, 5), question(1, 5), answer(3, 1, 6)],
        comments=[comment(8, 1, 5), comment(9, 2, 5), comment(8, 3, 6)],
        votes=[vote(3, 2, 1), vote(3, 2, 1), vote(2, 1, 2), vote(2, 1, 3)],
    )
    assert reasons(census, "Users") == {se.REPEATED_ID: 2}
    assert reasons(census, "Posts") == {se.UNREADABLE: 1, se.REPEATED_ID: 2}
    assert reasons(census, "Comments") == {se.REPEATED_ID: 1}
    assert reasons(census, "Votes") == {se.REPEATED_ID: 2}
    assert [line["subject"] for line in lines["thread"]] == ["stackexchange:town:6"]
    assert [line["target"] for line in lines["comment"]] == ["stackexchange:town:post:1", "stackexchange:town:post:2"]
    assert [line["positive"] for line in lines["reaction"]] == [True]
    assert census.rows.total() == census.lines.total() + sum(sum(reasons(census, t).values()) for t in census.left_out)


@pytest.mark.parametrize("id_", ["", "x", "7.5", "9223372036854775808", "99999999999999999999999"])
def test_a_row_whose_id_is_none_is_left_out(tmp_path: Path, id_: str) -> None:
    bad = {"Id": id_}
    census, _ = read(
        tmp_path,
        users=[user(5) | bad],
        posts=[question(1, 5), question(1, 5) | bad, answer(2, 1, 5) | {"ParentId": id_}],
        comments=[comment(1, 1, 5) | bad, comment(2, 1, 5) | {"PostId": id_}],
        votes=[vote(1, 1, 2) | bad, vote(2, 1, 2) | {"PostId": id_}],
    )
    assert (reasons(census, "Users"), reasons(census, "Posts")) == (
        {se.UNREADABLE: 1},
        {se.UNREADABLE: 1, se.NO_QUESTION: 1},
    )
    assert [reasons(census, table) for table in ("Comments", "Votes")] == [{se.UNREADABLE: 1, se.NO_POST: 1}] * 2


def test_an_answer_to_no_question_is_left_out(tmp_path: Path) -> None:
    posts = [question(1, 5), answer(2, 1, 5), answer(3, 2, 5), answer(4, 4, 5), answer(6, 77, 5)]
    census, lines = read(tmp_path, users=[user(5)], posts=posts, comments=[comment(1, 3, 5), comment(2, 4, 5)])
    assert reasons(census, "Posts") == {se.NO_QUESTION: 3}
    assert reasons(census, "Comments") == {se.POST_LEFT_OUT: 2}
    assert [line["source"] for line in lines["reply"]] == ["stackexchange:town:post:2"]


def test_the_networks_anniversary_posts_are_left_out_with_all_that_hangs_on_them(tmp_path: Path) -> None:
    census, lines = read(
        tmp_path,
        users=[user(-1), user(5)],
        posts=[
            question(999_999_999, 5),
            question(1_000_000_001, -1),
            question(1_000_000_010, -1),
            answer(2, 1_000_000_001, 5),
        ],
        comments=[comment(1, 1_000_000_001, 5), comment(2, 2, 5)],
        votes=[vote(1, 1_000_000_010, 2)],
    )
    assert reasons(census, "Posts") == {se.NOT_OF_THE_SITE: 2, se.QUESTION_LEFT_OUT: 1}
    assert (reasons(census, "Comments"), reasons(census, "Votes")) == ({se.POST_LEFT_OUT: 2}, {se.POST_LEFT_OUT: 1})
    assert [line["source"] for line in lines["thread"]] == ["stackexchange:town:post:999999999"]


def test_rows_of_one_instant_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    alone = "2020-01-01T08:00:00.001"
    posts = [question(n, 5) for n in (3, 1, 2)] + [question(4, 5, at=alone)]
    posts += [answer(n, 1 + n % 3, 5) for n in range(18, 9, -1)] + [answer(9, 99, 5), answer(20, 1, 5, at=alone)]
    comments = [comment(n, 1, 5) for n in range(1, 4)] + [comment(0, 99, 5), comment(9, 1, 5, at=alone)]
    _, lines = read(
        tmp_path, users=[user(5), user(6)], posts=posts, comments=comments, votes=[vote(1, 1, 2), vote(2, 1, 2)]
    )
    for kind, count in (("thread", 3), ("reply", 9), ("comment", 3)):
        in_order = sorted(lines[kind], key=lambda line: int(line["source"].split(":")[-1]))
        times = [line["occurred_at"] for line in in_order]
        expected = [AT, *(f"2020-01-01T08:00:00.{n:06}Z" for n in range(1, count)), "2020-01-01T08:00:00.001Z"]
        assert times == expected
    assert [line["occurred_at"] for kind in ("member", "reaction") for line in lines[kind]] == [
        AT,
        AT,
        MIDNIGHT,
        MIDNIGHT,
    ]


def test_no_row_is_moved_to_another_day(tmp_path: Path) -> None:
    last = "2019-12-31T23:59:59.999"
    _, lines = read(tmp_path, users=[user(5)], posts=[question(n, 5, at=last) for n in range(1, 1_200)])
    times = [line["occurred_at"] for line in lines["thread"]]
    assert (times[0], times[999], times[-1]) == (
        "2019-12-31T23:59:59.999Z",
        "2019-12-31T23:59:59.999999Z",
        "2019-12-31T23:59:59.999999Z",
    )


@pytest.mark.parametrize(
    ("edited", "sent"),
    [
        ("2021-03-04T05:06:07.089", "2021-03-04T05:06:07.089Z"),
        ("2020-01-01T08:00:00.000", AT),
        (None, None),
        ("yesterday", None),
        ("2019-01-01T00:00:00.000", None),
        ("9999-01-01T00:00:00.000", None),
    ],
)
def test_when_the_words_were_edited_last_is_sent_where_it_can_be(
    tmp_path: Path, edited: str | None, sent: str | None
) -> None:
    mark = {} if edited is None else {"LastEditDate": edited}
    posts = [question(1, 5) | mark, answer(2, 1, 5) | mark]
    _, lines = read(tmp_path, users=[user(5)], posts=posts, comments=[comment(3, 1, 5) | mark])
    assert [line["edited_at"] for kind in ("thread", "reply") for line in lines[kind]] == [sent, sent]
    assert "edited_at" not in lines["comment"][0]


def test_a_row_that_xml_forbids_comes_in_and_is_counted(tmp_path: Path) -> None:
    write_dump(tmp_path, users=[user(5)], posts=[question(1, 5), question(2, 5)], comments=[comment(1, 1, 5)])
    posts, comments = tmp_path / "Posts.xml", tmp_path / "Comments.xml"
    posts.write_text(posts.read_text("utf-8-sig").replace("Body 1", "Body&#x1F; 1"))
    comments.write_text(comments.read_text("utf-8-sig").replace('Text="', "Text="))
    with References() as references:
        source = StackExchange(Dump.at(tmp_path), references, "town")
        census = source.survey(lambda activity, rows, total: None)
        assert [line.command["body"] for line in source.lines(PHASES[1])] == ["<p>Body 1</p>", "<p>Body 2</p>"]
    assert (dict(census.notes), reasons(census, "Comments")) == ({MENDED: 1}, {ILLEGIBLE: 1})


def test_words_that_are_too_long_are_cut_and_counted(tmp_path: Path) -> None:
    posts = [question(1, 5, Title="x" * 301, Body="y" * 150_001), question(2, 5, Title="", tags=f"<{'z' * 101}>")]
    census, lines = read(tmp_path, users=[user(5)], posts=posts)
    assert [(len(line["title"] or ""), len(line["body"]), line["tags"]) for line in lines["thread"]] == [
        (300, 150_000, ["help"]),
        (0, len("<p>Body 2</p>"), []),
    ]
    assert dict(census.notes) == {values.LONG_TITLE: 1, values.LONG_BODY: 1, values.MANY_TAGS: 1}
