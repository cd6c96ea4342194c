"""A rule machine: people act on a community through all services, and a small model says what must come of it.

What the model knows is what a front end's developer would expect: who may do what, what a repetition does, and that a
list read after a write shows it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import wraps
from typing import Any
from uuid import UUID

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.errors import Flaky
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, run_state_machine_as_test
from hypothesis.stateful import rule as hypothesis_rule

from tests.city.asking import Answer
from tests.city.village import Village
from tests.fuzz.campaign import Campaign

PEOPLE = st.sampled_from(["owner", "moderator", "author", "member"])
WORDS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=80).map(
    lambda text: text.strip()
)
REPEATED = st.booleans()


def rule(**strategies: Any) -> Callable[[Callable[..., Any]], Any]:
    """A rule of hypothesis' that tells of what fails at once: a repetition may find the city otherwise."""

    def decorate(step: Callable[..., Any]) -> Any:
        @wraps(step)
        def told(self: Society, **drawn: Any) -> Any:
            try:
                return step(self, **drawn)
            except AssertionError as error:
                self.failures.append(f"{step.__name__}: {error}")
                raise

        register: Any = hypothesis_rule  # its types do not say what it gives
        return register(**strategies)(told)

    return decorate


class Society(RuleBasedStateMachine):
    """One community; `threads`, `replies` and `suggestions` are what is in it, with who wrote it."""

    campaign: Campaign
    loop: asyncio.AbstractEventLoop
    episode: str
    failures: list[str]
    runs = 0

    threads = Bundle("threads")
    replies = Bundle("replies")
    suggestions = Bundle("suggestions")

    def __init__(self) -> None:
        super().__init__()
        type(self).runs += 1
        name = f"r-{self.campaign.seed}-{self.episode.replace('/', '-')}-{self.runs}"
        self.village = self._wait(Village(self.campaign.city, name).settle())
        self.last = Answer(0, [], b"")
        self.gone: set[str] = set()
        self.accepted: dict[str, str | None] = {}
        self.votes: dict[str, set[str]] = {}
        self.settled: set[str] = set()
        self.reactions: dict[str, set[tuple[str, str]]] = {}
        self.keys = 0

    def _wait(self, awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, self.loop).result()

    def ask(self, who: str, service: str, method: str, path: str, body: object = None, **headers: str) -> Answer:
        request = self.village.request(who, service, method, path, body, **headers)
        self.last, _ = self._wait(self.campaign.judged(self.episode, request))
        return self.last

    def must(self, status: int, who: str, service: str, method: str, path: str, body: object = None, **h: str) -> Any:
        answer = self.ask(who, service, method, path, body, **h)
        assert answer.status == status, (who, method, path, body, answer.status, answer.body)
        return answer.json() if answer.body else None

    def make(self, who: str, service: str, path: str, body: object, *, repeated: bool) -> str:
        """Something new, sent once or twice with the same key: it is there once, and answered alike."""
        self.keys += 1
        key = f"rule {self.keys}"
        made = self.must(201, who, service, "POST", path, body, idempotency_key=key)
        if repeated:
            assert self.must(201, who, service, "POST", path, body, idempotency_key=key) == made
            self.must(422, who, service, "POST", path, _other(body), idempotency_key=key)
        return str(made["id"])

    @rule(target=threads, who=PEOPLE, title=WORDS.filter(bool), repeated=REPEATED)
    def open_thread(self, who: str, title: str, repeated: bool) -> tuple[str, str]:
        channel = self.village.ids["channel"][0]
        body = {"channel_id": channel, "title": title, "body": title, "tags": []}
        made = self.make(who, "content", "/threads", body, repeated=repeated)
        self.accepted[made] = None
        return made, who

    @rule(target=replies, who=PEOPLE, thread=threads, body=WORDS.filter(bool), repeated=REPEATED)
    def post_reply(self, who: str, thread: tuple[str, str], body: str, repeated: bool) -> Any:
        path = f"/threads/{thread[0]}/replies"
        if thread[0] in self.gone:
            assert self.ask(who, "content", "POST", path, {"body": body}).status in (404, 409)
            return "nothing", who, thread
        return self.make(who, "content", path, {"body": body}, repeated=repeated), who, thread

    @rule(who=PEOPLE, reply=replies)
    def accept_answer(self, who: str, reply: tuple[str, str, tuple[str, str]]) -> None:
        made, _, (thread, author) = reply
        if made == "nothing":
            return
        answer = self.ask(who, "content", "PUT", f"/threads/{thread}/accepted-answer", {"reply_id": made})
        if who not in (author, "owner", "moderator"):
            assert answer.status in (403, 404, 409), answer.body
        elif self.accepted[thread] == made:  # again: it is answered as it was then, whatever became of the thread
            assert answer.status == 204, answer.body
        elif {made, thread} & self.gone:
            assert answer.status in (404, 409), answer.body
        else:
            assert answer.status == 204, answer.body
            self.accepted[thread] = made

    @rule(who=PEOPLE, thread=consumes(threads))
    def delete_thread(self, who: str, thread: tuple[str, str]) -> None:
        made, author = thread
        allowed = who in (author, "owner", "moderator")
        assert self.ask(who, "content", "DELETE", f"/threads/{made}").status == (204 if allowed else 403)
        if allowed:
            self.gone.add(made)
            self.must(204, who, "content", "DELETE", f"/threads/{made}")

    @rule(who=PEOPLE, thread=threads, kind=st.sampled_from(["like", "helpful", "dislike"]), back=st.booleans())
    def react(self, who: str, thread: tuple[str, str], kind: str, back: bool) -> None:
        target = thread[0]
        if target in self.gone:
            return
        given = self.reactions.setdefault(target, set())
        self.must(204, who, "engagement", "DELETE" if back else "PUT", f"/reactions/{target}/{kind}")
        if back:
            given.discard((who, kind))
        else:  # of one sign: it takes the place of what the same person gave of the other
            given -= {(by, other) for by, other in given if by == who and (other == "dislike") != (kind == "dislike")}
            given.add((who, kind))
        position = self.last.header(b"guildhall-position")
        after = {"guildhall_after": position.decode(), "prefer": "wait=10"} if position else {}
        shown = self.must(200, who, "engagement", "GET", f"/reactions?target={target}", **after)
        assert sum(shown["counts"].values()) == len(given), (shown["counts"], given)

    @rule(target=suggestions, who=PEOPLE, title=WORDS.filter(bool), anonymous=st.booleans(), repeated=REPEATED)
    def submit(self, who: str, title: str, anonymous: bool, repeated: bool) -> tuple[str, str | None]:
        body = {"title": title, "anonymous": anonymous}
        made = self.make(who, "feedback", "/suggestions", body, repeated=repeated)
        self.votes[made] = set()
        shown = self.must(200, "owner", "feedback", "GET", f"/suggestions/{made}")
        assert (shown["author_id"] is None) == anonymous
        return made, None if anonymous else who

    @rule(who=PEOPLE, suggestion=suggestions, back=st.booleans())
    def vote(self, who: str, suggestion: tuple[str, str | None], back: bool) -> None:
        made = suggestion[0]
        voted = self.votes[made]
        answer = self.ask(who, "feedback", "DELETE" if back else "PUT", f"/suggestions/{made}/votes/me")
        if made in self.settled and (who in voted) == back:
            assert answer.status == 409, answer.body
            return
        assert answer.status in ((204,) if made not in self.settled else (204, 409)), answer.body
        if made not in self.settled:
            (voted.discard if back else voted.add)(who)
        position = answer.header(b"guildhall-position")
        if position is not None and answer.status == 204:
            after = {"guildhall_after": position.decode(), "prefer": "wait=10"}
            shown = self.must(200, who, "feedback", "GET", f"/suggestions/{made}", **after)
            assert (shown["votes"], shown["my_vote"]) == (len(voted), who in voted)

    @rule(who=PEOPLE, suggestion=suggestions, how=st.sampled_from(["complete", "decline"]))
    def settle(self, who: str, suggestion: tuple[str, str | None], how: str) -> None:
        made = suggestion[0]
        answer = self.ask(who, "feedback", "POST", f"/suggestions/{made}/{how}", {"reason": "because"})
        if who in ("author", "member"):
            assert answer.status == 403
        elif made in self.settled:
            assert answer.status in (200, 409)
        else:
            assert answer.status == 200, answer.body
            self.settled.add(made)

    @rule(who=PEOPLE, unknown=st.integers(min_value=0, max_value=2**128 - 1))
    def look_for_nothing(self, who: str, unknown: int) -> None:
        for service, path in (("content", "threads"), ("content", "replies"), ("feedback", "suggestions")):
            self.must(404, who, service, "GET", f"/{path}/{UUID(int=unknown)}")

    @invariant()
    def the_last_write_said_where_it_stands(self) -> None:
        if self.last.status == 201:
            assert self.last.header(b"guildhall-position") is not None
            assert self.last.header(b"etag") is not None


def _other(body: object) -> object:
    assert isinstance(body, dict)
    field = "title" if "title" in body else "body"
    return {**body, field: "something else entirely"}


async def rules(campaign: Campaign, number: int, wanted: int) -> None:
    """An episode of the rule machine: as many runs as make that many requests."""
    episode = f"rules/{number}"
    loop = asyncio.get_running_loop()
    given: dict[str, Any] = {"campaign": campaign, "loop": loop, "episode": episode, "failures": [], "runs": 0}
    machine: Any = type("Society", (Society,), given)

    def run() -> None:
        before = campaign.tally.sources["rules"]
        while campaign.tally.sources["rules"] - before < wanted:
            hypothesis.seed(f"{campaign.seed}/{episode}/{machine.runs}")(machine)
            run_state_machine_as_test(
                machine,
                settings=settings(
                    database=None,
                    deadline=None,
                    max_examples=2,
                    stateful_step_count=30,
                    suppress_health_check=list(HealthCheck),
                    phases=[Phase.generate],
                ),
            )

    try:
        await asyncio.to_thread(run)
    except (AssertionError, Flaky) as error:
        campaign.tally.found(f"rule machine: {(given['failures'] or [error])[0]}"[:1_500], episode)
