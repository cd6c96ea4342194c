"""A dump with everything that real ones have and no one expects; beside it, what should come of it."""

from __future__ import annotations

from pathlib import Path

from tests.importers.dumps import answer, comment, question, user, vote, write_dump

ACCOUNT, ASKER, HELPER, ANCIENT = -1, 1, 2, 5
MOMENT = "2020-01-02T08:00:00.000"
SEVERAL = 60  # rows of one instant
LEFT_OUT = {
    "Users": {"dated before 1970": 1},
    "Posts": {
        "put into the dump by the network, not by the site": 1,
        "dated in the future": 1,
        "an answer to a question that was left out": 2,
        "with the Id of a row before": 1,
    },
    "Comments": {"no row that can be read": 1, "about a post that was left out": 1},
    "Votes": {},
}
ROWS = {"Users": 4, "Posts": 3 + SEVERAL + 5, "Comments": SEVERAL + 2, "Votes": 1}
NOTES = (
    "Note: Comments.xml ends too early: what stands before comes in.",
    "Note: 1 row with something that XML forbids: mended and kept.",
    "Note: 1 row with a title of more than 300 characters: cut there.",
    "Note: 1 row with a text of more than 150,000 characters or 224 KiB: cut there.",
    "Note: 2 rows by a user who is not in Users.xml: kept, as nobody's.",
)


def odd_dump(folder: Path) -> Path:
    """Below one more folder, named and encoded in other ways; threads 1 to 3, with replies and comments on 1."""
    site = write_dump(
        folder / "site",
        users=[user(ACCOUNT), user(ASKER), user(HELPER), user(ANCIENT, "0001-01-01T00:00:00.000")],
        posts=[
            question(1, ASKER, MOMENT, "|Q&A|help|", Body="A\x0e character"),
            question(2, ANCIENT, MOMENT, Title="t" * 400),
            question(3, None, MOMENT, Title="", Body="中" * 160_000),
            *(answer(100 + n, 1, HELPER if n else ANCIENT, MOMENT) for n in range(SEVERAL)),
            question(4, ASKER, "2999-01-01T00:00:00.000"),
            answer(5, 4, HELPER, MOMENT),
            answer(100, 1, ASKER, MOMENT),
            question(1_000_000_001, ACCOUNT, MOMENT),
            answer(6, 1_000_000_001, HELPER, MOMENT),
        ],
        comments=[
            *(comment(n, 1, HELPER, MOMENT) for n in range(SEVERAL)),
            comment(98, 4, ASKER),
            comment(99, 1, ASKER),
        ],
        votes=[vote(1, 101, 1, "2020-01-03")],
    )
    posts = (site / "Posts.xml").read_text("utf-8-sig").replace("\x0e", "&#x0E;")
    (site / "Posts.xml").unlink()
    (site / "posts.XML").write_text(posts.replace("<posts>", "<!DOCTYPE posts>\n<posts>"), "utf-16")
    comments = site / "Comments.xml"
    comments.write_text(comments.read_text("utf-8-sig").partition('Text="Comment 99"')[0])
    (site / "Badges.xml").unlink()
    return folder
