"""The gateway sends every path to the service that owns it."""

from __future__ import annotations

import re
from pathlib import Path

from deploy.local import routes

PATHS = {
    "member": ["/v1/communities", "/v1/communities/{community}", "/v1/communities/{community}/members/me"],
    "content": [
        "/v1/communities/{community}/threads/{thread_id}",
        "/v1/communities/{community}/members/{member_id}/threads",
    ],
    "engagement": ["/v1/communities/{community}/threads/{thread_id}/reactions"],
    "projection": ["/v1/communities/{community}/{rest:path}"],
    "feedback": ["/v1/communities/{community}/threads/pinned"],
}


def owner(path: str) -> str | None:
    for service, templates in routes.owners(PATHS):
        if any(re.match(routes.pattern(template), path) for template in templates):
            return service
    return None


def test_services_that_share_a_prefix_each_get_their_own_paths() -> None:
    assert owner("/v1/communities") == "member"
    assert owner("/v1/communities/french-meta") == "member"
    assert owner("/v1/communities/x/members/me") == "member"
    assert owner("/v1/communities/x/members/7/threads") == "content"
    assert owner("/v1/communities/x/threads/7") == "content"
    assert owner("/v1/communities/x/threads/7/reactions") == "engagement"


def test_a_word_wins_over_a_parameter_and_a_parameter_over_the_rest() -> None:
    assert owner("/v1/communities/x/threads/pinned") == "feedback"
    assert owner("/v1/communities/x/anything/else") == "projection"


def test_a_path_nobody_owns_goes_nowhere() -> None:
    assert owner("/v1/other") is None
    assert owner("/v1/communities-of-others") is None


def test_a_final_slash_and_special_characters_are_taken_literally() -> None:
    assert re.match(routes.pattern("/v1/a.b"), "/v1/a.b/")
    assert not re.match(routes.pattern("/v1/a.b"), "/v1/axb")


def test_the_configuration_opens_no_second_port_and_leaves_the_answer_unbuffered(tmp_path: Path) -> None:
    upstreams = {"member": routes.local(1), "content": routes.local(2)}
    made = routes.routes(upstreams, {"member": {"/v1/communities": []}}, issuer=({}, {}))
    config = routes.config("127.0.0.1:8000", tmp_path, made, upstreams)
    assert config["admin"]["disabled"]
    assert config["apps"]["http"]["servers"]["origin"]["listen"] == ["127.0.0.1:8000"]
    server = config["apps"]["http"]["servers"]["origin"]
    invoked = {step["name"] for route in made for step in route["handle"] if step["handler"] == "invoke"}
    assert {"member", "content"} <= invoked <= server["named_routes"].keys()
    proxies = [route["handle"][-1] for route in server["named_routes"].values()]
    assert all(step["flush_interval"] == -1 for step in proxies)


def test_what_may_be_repeated_is_kept_to_be_sent_anew_and_what_streams_is_not_held_up(tmp_path: Path) -> None:
    thread = "/v1/communities/{community}/threads/{thread}"
    paths = {"content": {"/v1/communities/{community}/content/backfill": ["POST"], thread: []}}
    named = routes.proxies({"content": routes.local(1)})
    proxies = [
        (str(route["match"]), named[route["handle"][-1]["name"]]["handle"][-1])
        for route in routes.routes(["content"], paths)
        if "/v1/" in str(route.get("match"))
    ]
    kinds = {("backfill" in match, "POST" in match, "request_buffers" in step) for match, step in proxies}
    assert kinds == {(True, True, False), (True, False, True), (False, False, True)}  # `PATCH …/backfill` streams not
    assert all(step["load_balancing"]["retry_match"] == routes.REPEATABLE for _, step in proxies)


def test_a_service_is_asked_whether_it_is_ready_once_and_not_for_each_of_its_paths() -> None:
    named = routes.proxies({"content": routes.local(1), "member": routes.named("member-api", 8000)})
    health = {name: route["handle"][-1].get("health_checks") for name, route in named.items()}

    assert health["content"] == health["content, streaming"]
    assert health["content"]["active"]["uri"] == "/readyz"
    assert health["member"] is None  # of an address that is looked up Caddy asks nothing
