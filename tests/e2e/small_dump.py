"""A community of fifteen, made up so that each rule of the import and of the scores has a row that shows it."""

from __future__ import annotations

from pathlib import Path

from tests.importers.dumps import answer, comment, question, user, vote, write_dump

ASKER, HELPER, FRIEND, CRITIC, LATE = 1, 2, 3, 4, 14
COMMUNITY_ACCOUNT, STRANGER, MISSING = -1, 99, 9_999
MEMBERS = (COMMUNITY_ACCOUNT, *range(1, 15))

ROWS = {"Users": 15, "Posts": 44, "Comments": 37, "Votes": 72, "Badges": 1}
LEFT_OUT = {
    "Users": {},
    "Posts": {"neither question nor answer (a tag wiki or the like)": 2, "an answer whose question is not there": 1},
    "Comments": {"about a post that is not in the dump": 1, "about a post that was left out": 1},
    "Votes": {
        "a vote of another kind than acceptance, up and down": 3,
        "about a post that is not in the dump": 2,
        "about a post that was left out": 1,
        "the acceptance of something that is no answer": 1,
        "an acceptance that a later one replaced": 1,
    },
    "Badges": {"badges are not imported": 1},
}
STRANGERS = 2


def small_dump(folder: Path) -> Path:
    return write_dump(
        folder,
        users=[user(id_, f"2019-12-{16 + id_:02}T10:00:00.000") for id_ in MEMBERS],
        posts=_posts(),
        comments=_comments(),
        votes=_votes(),
        badges=[{"Id": "1", "UserId": "1", "Name": "Teacher", "Date": "2020-01-01T00:00:00.000"}],
    )


def _posts() -> list[dict[str, str]]:
    posts = [
        # The last moment of a year, a leap day, its last millisecond and the next day's first.
        question(1, ASKER, "2019-12-31T23:59:59.999", "<help><été>"),
        answer(2, 1, HELPER, "2020-01-01T00:00:00.000"),
        question(3, FRIEND, "2020-02-29T23:59:59.999", "|help|leap-day|"),
        answer(4, 3, ASKER, "2020-03-01T00:00:00.000"),
        # Oneself: answered, and below accepted, commented and answered again; none of it is a response.
        question(5, HELPER, "2020-01-05T12:00:00.000"),
        answer(6, 5, HELPER, "2020-01-05T12:30:00.000"),
        # Nobody's, a stranger's, and the network's own.
        question(7, None, "2020-01-10T09:00:00.000"),
        answer(8, 7, FRIEND, "2020-01-10T10:00:00.000"),
        answer(9, 7, None, "2020-01-10T11:00:00.000"),
        question(10, STRANGER, "2020-01-11T09:00:00.000"),
        answer(11, 10, CRITIC, "2020-01-11T10:00:00.000"),
        question(12, COMMUNITY_ACCOUNT, "2020-01-12T09:00:00.000"),
        answer(13, 12, COMMUNITY_ACCOUNT, "2020-01-12T09:00:01.000"),
        # What becomes nothing.
        question(14, ASKER, "2020-01-13T09:00:00.000") | {"PostTypeId": "5"},
        question(15, ASKER, "2020-01-13T09:00:00.000") | {"PostTypeId": "4"},
        answer(16, MISSING, ASKER, "2020-01-13T09:00:00.000"),
        # Nobody answers it; and a comer after a year, when the first days leave the window.
        question(17, CRITIC, "2020-06-01T12:00:00.000", ""),
        question(18, LATE, "2020-12-30T12:00:00.000"),
    ]
    # One day on which one member answers another so often that the cap of a pair is reached.
    posts += [question(20 + n, ASKER, f"2020-04-01T08:{n:02}:00.000") for n in range(6)]
    posts += [answer(30 + n, 20 + n, HELPER, f"2020-04-01T09:{n:02}:00.000") for n in range(6)]
    # A circle of answers among the others, so that authority has somewhere to go.
    posts += [question(50 + n, 5 + n, f"2020-05-{1 + n:02}T06:00:00.000") for n in range(7)]
    posts += [answer(60 + n, 50 + n, 5 + (n + 1) % 7, f"2020-05-{1 + n:02}T18:00:00.000") for n in range(7)]
    return posts


def _comments() -> list[dict[str, str]]:
    comments = [
        comment(1, 1, FRIEND, "2020-01-01T00:00:00.001"),
        comment(2, 2, ASKER, "2020-01-02T08:00:00.000"),
        comment(3, 6, HELPER, "2020-01-05T13:00:00.000"),
        comment(4, 7, CRITIC, "2020-01-10T12:00:00.000"),
        comment(5, 8, None, "2020-01-10T13:00:00.000"),
        comment(6, 11, STRANGER, "2020-01-11T11:00:00.000"),
        comment(7, MISSING, ASKER, "2020-01-13T10:00:00.000"),
        comment(8, 14, ASKER, "2020-01-13T10:00:00.000"),
        # A year less a day, a year and a year and a day after HELPER's first answer.
        comment(9, 2, LATE, "2020-12-30T23:59:59.999"),
        comment(10, 2, LATE, "2020-12-31T00:00:00.000"),
        comment(11, 2, CRITIC, "2021-01-02T00:00:00.000"),
    ]
    # With the six answers of that day: 18 points and 2 × 12 are more than the 40 that one may give another.
    comments += [comment(20 + n, 20 + n % 6, HELPER, f"2020-04-01T10:{n:02}:00.000") for n in range(12)]
    comments += [comment(40 + n, 50 + n, 5 + (n + 2) % 7, f"2020-05-{2 + n:02}T00:00:00.000") for n in range(7)]
    comments += [comment(50 + n, 60 + n, 5 + n, f"2020-05-{3 + n:02}T23:59:59.999") for n in range(7)]
    return comments


def _votes() -> list[dict[str, str]]:
    return [
        vote(1, 2, 1, "2020-01-02"),  # accepted by the asker
        vote(2, 6, 1, "2020-01-05"),  # by oneself
        vote(3, 8, 1, "2020-01-11"),  # by nobody: the question has no owner
        vote(4, 9, 1, "2020-01-10"),  # for the same question before it, so it does not stand
        vote(5, 11, 1, "2020-01-12"),  # by a stranger
        vote(6, 1, 1, "2020-01-13"),  # of a question: no answer
        vote(7, 4, 1, "2020-03-01"),
        vote(8, 1, 5, "2020-01-02"),  # a bookmark, an approval and a closing
        vote(9, 1, 16, "2020-01-02"),
        vote(10, 1, 6, "2020-01-02"),
        vote(11, MISSING, 2, "2020-01-02"),
        vote(12, MISSING, 1, "2020-01-02"),
        vote(13, 15, 2, "2020-01-13"),
        vote(14, 7, 2, "2020-01-10"),  # of what belongs to nobody
        vote(15, 10, 3, "2020-01-11"),
        vote(16, 17, 3, "2020-06-01"),  # a score below zero, for a while
        vote(17, 17, 3, "2020-06-01"),
        vote(18, 13, 2, "2020-01-12"),
        # On one day so many that the cap of a day is reached, after what known senders gave.
        *(vote(100 + n, 20 + n % 6, 2, "2020-04-01") for n in range(24)),
        # One who accepts six answers of another on a day gives forty points with them, not ninety.
        *(vote(180 + n, 30 + n, 1, "2020-04-01") for n in range(6)),
        *(vote(130 + n, 20 + n, 3, "2020-04-01") for n in range(3)),
        *(vote(140 + n, 50 + n % 7, 2, f"2020-05-{4 + n:02}") for n in range(14)),
        *(vote(160 + n, 60 + n, 1, f"2020-05-{6 + n:02}") for n in range(7)),
    ]
