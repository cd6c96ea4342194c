"""What each row becomes: lines as they are sent, or a reason why not."""

from __future__ import annotations

from pathlib import Path

from deploy.importers import stackexchange as se
from tests.importers.census import AT, CHANNEL, MIDNIGHT, read, reasons
from tests.importers.dumps import answer, comment, question, user, vote


def test_a_user_becomes_a_member_and_the_networks_own_account_a_robot(tmp_path: Path) -> None:
    _, lines = read(tmp_path, users=[user(5), user(-1)])
    joined = {"command": "join", "occurred_at": AT}
    assert lines["member"] == [
        {**joined, "source": "stackexchange:town:user:5", "subject": "stackexchange:town:5"},
        {**joined, "source": "stackexchange:town:user:-1", "subject": "stackexchange:town:-1", "robot": True},
    ]


def test_a_question_becomes_a_thread_with_its_words_as_they_stand(tmp_path: Path) -> None:
    _, lines = read(tmp_path, users=[user(5)], posts=[question(1, 5, tags="<c++><help>")])
    assert lines["thread"] == [
        {
            "command": "open-thread",
            "source": "stackexchange:town:post:1",
            "subject": "stackexchange:town:5",
            "occurred_at": AT,
            "channel": CHANNEL,
            "title": "Title 1",
            "body": "<p>Body 1</p>",
            "edited_at": None,
            "tags": ["c++", "help"],
        }
    ]


def test_an_answer_becomes_a_reply_to_its_question_wherever_that_stands_in_the_file(tmp_path: Path) -> None:
    _, lines = read(tmp_path, users=[user(5)], posts=[answer(1, 2, 5), question(2, 5)])
    assert lines["reply"] == [
        {
            "command": "post-reply",
            "source": "stackexchange:town:post:1",
            "subject": "stackexchange:town:5",
            "occurred_at": AT,
            "thread": "stackexchange:town:post:2",
            "body": "<p>Body 1</p>",
            "edited_at": None,
        }
    ]


def test_a_comment_says_what_it_is_on(tmp_path: Path) -> None:
    posts = [question(1, 5), answer(2, 1, 5)]
    _, lines = read(tmp_path, users=[user(5)], posts=posts, comments=[comment(8, 1, 5), comment(9, 2, 5)])
    assert [(line["target"], line["target_kind"]) for line in lines["comment"]] == [
        ("stackexchange:town:post:1", "thread"),
        ("stackexchange:town:post:2", "reply"),
    ]


def test_an_acceptance_is_the_askers_at_the_midnight_of_its_day(tmp_path: Path) -> None:
    _, lines = read(tmp_path, users=[user(5), user(6)], posts=[question(1, 5), answer(2, 1, 6)], votes=[vote(3, 2, 1)])
    assert lines["acceptance"] == [
        {
            "command": "accept-answer",
            "source": "stackexchange:town:vote:3",
            "subject": "stackexchange:town:5",
            "occurred_at": MIDNIGHT,
            "thread": "stackexchange:town:post:1",
            "reply": "stackexchange:town:post:2",
        }
    ]


def test_of_several_acceptances_for_a_question_the_latest_stands(tmp_path: Path) -> None:
    posts = [question(1, 5), answer(2, 1, 5), answer(3, 1, 5)]
    votes = [vote(1, 2, 1, "2020-01-03"), vote(2, 3, 1, "2020-01-04"), vote(3, 2, 1, "2020-01-02")]
    census, lines = read(tmp_path, users=[user(5)], posts=posts, votes=votes)
    assert [line["reply"] for line in lines["acceptance"]] == ["stackexchange:town:post:3"]
    assert reasons(census, "Votes") == {se.REPLACED: 2}


def test_votes_up_and_down_are_reactions_of_somebody_unknown(tmp_path: Path) -> None:
    _, lines = read(tmp_path, users=[user(5)], posts=[question(1, 5)], votes=[vote(3, 1, 2), vote(4, 1, 3)])
    common = {"command": "react", "subject": None, "occurred_at": MIDNIGHT, "kind": "up"}
    target = {"target": "stackexchange:town:post:1", "target_kind": "thread"}
    assert lines["reaction"] == [
        {**common, **target, "source": "stackexchange:town:vote:3", "positive": True},
        {**common, **target, "source": "stackexchange:town:vote:4", "positive": False},
    ]


def test_what_nobody_owns_is_nobodys_and_so_is_what_a_stranger_wrote(tmp_path: Path) -> None:
    posts = [question(1, None), answer(2, 1, 99)]
    comments, votes = [comment(8, 1, None)], [vote(3, 2, 1)]
    census, lines = read(tmp_path, users=[user(5)], posts=posts, comments=comments, votes=votes)
    kinds = ("thread", "reply", "comment", "acceptance")
    assert [line["subject"] for kind in kinds for line in lines[kind]] == [None, None, None, None]
    assert dict(census.notes) == {se.STRANGER: 1}


def test_every_row_that_becomes_nothing_has_a_reason(tmp_path: Path) -> None:
    wiki = question(3, 5) | {"PostTypeId": "5"}
    census, _ = read(
        tmp_path,
        users=[user(5), {"Id": "x", "CreationDate": AT}],
        posts=[question(1, 5), wiki, answer(4, 77, 5), answer(6, 3, 5), question(7, 5, at="yesterday")],
        comments=[comment(1, 3, 5), comment(2, 4, 5), comment(3, 404, 5), comment(4, 1, 5)],
        votes=[vote(1, 1, 5), vote(2, 404, 2), vote(3, 3, 2), vote(4, 1, 1), vote(5, 1, 2)],
        badges=[{"Id": "1", "UserId": "5", "Name": "Teacher"}],
    )
    assert reasons(census, "Users") == {se.UNREADABLE: 1}
    assert reasons(census, "Posts") == {se.NOT_A_POST: 1, se.NO_QUESTION: 2, se.UNREADABLE: 1}
    assert reasons(census, "Comments") == {se.POST_LEFT_OUT: 2, se.NO_POST: 1}
    assert reasons(census, "Votes") == {se.OTHER_VOTE: 1, se.NO_POST: 1, se.POST_LEFT_OUT: 1, se.NO_ANSWER: 1}
    assert reasons(census, "Badges") == {se.NOT_IMPORTED: 1}
    assert census.rows.total() == census.lines.total() + sum(sum(reasons(census, t).values()) for t in census.left_out)


def test_the_channel_opens_with_the_first_thing_that_happened(tmp_path: Path) -> None:
    _, lines = read(tmp_path, users=[user(5, at="2019-05-01T10:00:00")], posts=[question(1, 5)])
    assert [(line["source"], line["occurred_at"]) for line in lines["channel"]] == [
        (CHANNEL, "2019-05-01T10:00:00.000Z")
    ]


def test_an_empty_dump_sends_nothing(tmp_path: Path) -> None:
    _, lines = read(tmp_path)
    assert list(lines.values()) == [[]] * 7


def test_what_has_no_words_is_sent_without(tmp_path: Path) -> None:
    bare = {key: value for key, value in question(1, 5).items() if key not in ("Title", "Tags")} | {"Body": " \n"}
    _, lines = read(tmp_path, users=[user(5)], posts=[bare])
    assert [(line["title"], line["body"], line["tags"]) for line in lines["thread"]] == [(None, None, [])]


def test_words_stay_as_they_stand_and_none_are_sent_where_nothing_shows(tmp_path: Path) -> None:
    text = "    code\n\n  e\u0301  "
    posts = [question(1, 5, Body=text), question(2, 5, Body=" \u200b\n")]
    _, lines = read(tmp_path, users=[user(5)], posts=posts)
    assert [line["body"] for line in lines["thread"]] == [text, None]
