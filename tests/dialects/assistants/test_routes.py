from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wiretape.dialects.assistants.routes import route
from wiretape.dialects.events import Kind, Route

ENDPOINTS = [
    ("GET", "/assistants", "/assistants", Kind.AGENT_READ),
    ("POST", "/assistants", "/assistants", Kind.AGENT_CREATE),
    ("GET", "/assistants/a", "/assistants/{assistant_id}", Kind.AGENT_READ),
    ("POST", "/assistants/a", "/assistants/{assistant_id}", Kind.AGENT_READ),
    ("DELETE", "/assistants/a", "/assistants/{assistant_id}", Kind.OTHER),
    ("POST", "/threads", "/threads", Kind.OTHER),
    ("GET", "/threads", "/threads", Kind.OTHER),
    ("GET", "/threads/t", "/threads/{thread_id}", Kind.OTHER),
    ("POST", "/threads/t", "/threads/{thread_id}", Kind.OTHER),
    ("DELETE", "/threads/t", "/threads/{thread_id}", Kind.OTHER),
    ("GET", "/threads/t/messages", "/threads/{thread_id}/messages", Kind.OTHER),
    ("POST", "/threads/t/messages", "/threads/{thread_id}/messages", Kind.OTHER),
    ("GET", "/threads/t/messages/m", "/threads/{thread_id}/messages/{message_id}", Kind.OTHER),
    ("POST", "/threads/t/messages/m", "/threads/{thread_id}/messages/{message_id}", Kind.OTHER),
    ("DELETE", "/threads/t/messages/m", "/threads/{thread_id}/messages/{message_id}", Kind.OTHER),
    ("GET", "/threads/t/runs", "/threads/{thread_id}/runs", Kind.READ),
    ("POST", "/threads/t/runs", "/threads/{thread_id}/runs", Kind.START),
    ("POST", "/threads/runs", "/threads/runs", Kind.START),
    ("GET", "/threads/t/runs/r", "/threads/{thread_id}/runs/{run_id}", Kind.POLL),
    ("POST", "/threads/t/runs/r", "/threads/{thread_id}/runs/{run_id}", Kind.CHANGE),
    (
        "POST",
        "/threads/t/runs/r/submit_tool_outputs",
        "/threads/{thread_id}/runs/{run_id}/submit_tool_outputs",
        Kind.RESUME,
    ),
    ("POST", "/threads/t/runs/r/cancel", "/threads/{thread_id}/runs/{run_id}/cancel", Kind.CANCEL),
    ("GET", "/threads/t/runs/r/steps", "/threads/{thread_id}/runs/{run_id}/steps", Kind.READ),
    ("GET", "/threads/t/runs/r/steps/s", "/threads/{thread_id}/runs/{run_id}/steps/{step_id}", Kind.READ),
]
PREFIXES = [
    ("", ""),
    ("/v1", "/v1"),
    ("/openai", "/openai"),
    ("/openai/v1", "/openai/v1"),
    ("/openai/deployments/d7", "/openai/deployments/{deployment}"),
    ("/api/v1", "/api/v1"),
    ("/api/projects/p7", "/api/projects/{project}"),
    ("/tenant/7/v1", "/*"),
]


@pytest.mark.parametrize(("prefix", "known"), PREFIXES)
@pytest.mark.parametrize(("method", "path", "template", "kind"), ENDPOINTS)
def test_every_endpoint_is_known_under_every_prefix(
    method: str, path: str, template: str, kind: Kind, prefix: str, known: str
) -> None:
    run_id = "r" if "/r" in path.replace("/runs", "") else None
    thread_id = "t" if "/t/" in f"{path}/".replace("/threads", "") else None
    assert route(method, prefix + path) == Route(known + template, kind, run_id, thread_id)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", "/v1/threads"),
        ("GET", "/v1/files"),
        ("GET", "/"),
        ("GET", ""),
        ("POST", "/v1/threads//runs"),
        ("GET", "/v1/threads/t/runs/r/steps/s/more"),
        ("POST", "/v1/assistants/a/files"),
    ],
)
def test_other_paths_have_no_route(method: str, path: str) -> None:
    assert route(method, path) is None


def test_a_project_named_threads_is_a_prefix() -> None:
    found = route("GET", "/api/projects/threads/threads/t")
    assert found == Route("/api/projects/{project}/threads/{thread_id}", thread_id="t")


def test_a_trailing_slash_changes_nothing() -> None:
    assert route("POST", "/v1/threads/runs/") == Route("/v1/threads/runs", Kind.START)


@given(
    st.sampled_from(["GET", "POST", "DELETE", "PATCH"]),
    st.lists(st.sampled_from(["threads", "assistants", "runs", "v1", "x", "", "steps", "openai"]), max_size=9),
)
def test_templates_are_few_whatever_the_path(method: str, segments: list[str]) -> None:
    found = route(method, "/".join(["", *segments]))
    known = {prefix + endpoint for _, prefix in PREFIXES for _, _, endpoint, _ in ENDPOINTS}
    assert found is None or found.template in known
