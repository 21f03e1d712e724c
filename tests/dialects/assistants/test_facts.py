from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.streams import done, facts, listed, run, stream
from wiretape.dialects.assistants import answer, asked, event
from wiretape.dialects.assistants.decode import EVENTS
from wiretape.dialects.events import (
    AgentSeen,
    Asked,
    Content,
    ContentKind,
    ErrorSeen,
    Fact,
    Kind,
    Route,
    RunSeen,
    StepSeen,
    StreamEnd,
    Tokens,
    ToolSeen,
    Unknown,
)
from wiretape.errors import DecodeFailed
from wiretape.wire.sse import Frame

POLL = Route("/v1/threads/{thread_id}/runs/{run_id}", Kind.POLL)
TEXT, CODE, TOOL_ARGS = (Content(kind) for kind in (ContentKind.TEXT, ContentKind.CODE, ContentKind.TOOL_ARGS))
PLAIN_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "delta", "content", "text", "value", "step_details", "tool_calls", "type", "usage"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=15,
)


def said(name: str, **data: Any) -> tuple[Fact, ...]:
    return event(Frame(b"", name, json.dumps(data).encode()))


def message_delta(content: Any) -> tuple[Fact, ...]:
    return said("thread.message.delta", id="msg_1", delta={"content": content})


def step_delta(*calls: dict[str, Any]) -> tuple[Fact, ...]:
    return said("thread.run.step.delta", id="step_1", delta={"step_details": {"tool_calls": list(calls)}})


def test_a_function_call_is_told_from_run_to_pending_call() -> None:
    told = facts(stream("function_call"))
    call = ToolSeen("call_tPnRNbzoc51FeogdvbzDp8mF", "function", "tide_height", None, by_client=True)
    assert [fact.status for fact in told if isinstance(fact, RunSeen)] == [
        "queued",
        "queued",
        "in_progress",
        "requires_action",
    ]
    assert [fact for fact in told if isinstance(fact, Content)] == [TOOL_ARGS, TOOL_ARGS]
    assert [fact.pending for fact in told if isinstance(fact, RunSeen)][-1] == (call,)
    assert [fact for fact in told if isinstance(fact, Unknown)] == []


def test_a_run_is_told_with_its_tokens_and_stamps() -> None:
    last = [fact for fact in facts(stream("tool_outputs")) if isinstance(fact, RunSeen)][-1]
    assert (last.status, last.tokens, last.model) == ("completed", Tokens(264, 25), "gpt-4o")
    assert (last.created_s, last.expires_s) == (1767225600, None)


def test_code_and_text_are_content_and_hosted_calls_are_tools() -> None:
    told = facts(stream("code_interpreter"))
    assert {fact.kind for fact in told if isinstance(fact, Content)} == {ContentKind.CODE, ContentKind.TEXT}
    assert {fact.by_client for fact in told if isinstance(fact, ToolSeen)} == {False}


def test_a_failed_run_tells_its_code() -> None:
    last = [fact for fact in facts(stream("failed")) if isinstance(fact, RunSeen)][-1]
    assert (last.status, last.error) == ("failed", "rate_limit_exceeded")


def test_a_failed_step_tells_its_code() -> None:
    (step,) = said("thread.run.step.failed", id="s", run_id="r", last_error={"code": "server_error"}, failed_at=5)
    assert step == StepSeen(
        step_id="s", run_id="r", type="", status="failed", ended=True, error="server_error", ended_s=5
    )


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ([{"type": "text", "text": {"value": "a"}}], (TEXT,)),
        ([{"type": "text", "text": {"value": ""}}], ()),
        ([{"type": "text", "text": {"annotations": []}}], ()),
        ([{"type": "text", "text": {"value": ""}}, {"type": "refusal", "refusal": "no"}], (TEXT,)),
        ([{"type": "image_file", "image_file": {"file_id": "f"}}], ()),
        ({"type": "text", "text": {"value": "a"}}, (TEXT,)),
        ([{"type": "text", "text": "a"}], (TEXT,)),
        ([], ()),
        (None, ()),
    ],
)
def test_only_written_text_is_content(content: Any, expected: tuple[Fact, ...]) -> None:
    assert message_delta(content) == expected


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ({"type": "function", "function": {"arguments": "{"}}, (TOOL_ARGS,)),
        ({"type": "function", "function": {"arguments": ""}}, ()),
        ({"type": "code_interpreter", "code_interpreter": {"input": "1"}}, (CODE,)),
        ({"type": "code_interpreter", "code_interpreter": {"input": "", "outputs": []}}, ()),
        ({"type": "file_search"}, ()),
        (
            {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{"}},
            (ToolSeen("c", "function", "f", "step_1", by_client=True), TOOL_ARGS),
        ),
        ({"id": "c", "type": "file_search"}, (ToolSeen("c", "file_search", "file_search", "step_1"),)),
    ],
)
def test_a_step_delta_tells_calls_and_content(call: dict[str, Any], expected: tuple[Fact, ...]) -> None:
    assert step_delta(call) == expected


def test_calls_side_by_side_are_all_told() -> None:
    calls = [{"id": f"c{at}", "type": "function", "function": {"name": "f", "arguments": ""}} for at in range(2)]
    assert [type(fact) for fact in step_delta(*calls)] == [ToolSeen, ToolSeen]


@pytest.mark.parametrize("delta", [{}, {"step_details": None}, {"step_details": {"tool_calls": None}}])
def test_an_empty_step_delta_tells_nothing(delta: dict[str, Any]) -> None:
    assert said("thread.run.step.delta", id="s", delta=delta) == ()


@pytest.mark.parametrize(
    ("name", "status", "expected"),
    [
        ("thread.run.created", "queued", "queued"),
        ("thread.run.created", None, "queued"),
        ("thread.run.completed", "in_progress", "completed"),
        ("thread.run.completed", None, "completed"),
        ("thread.run.in_progress", "queued", "in_progress"),
        ("thread.run.completed", "incomplete", "incomplete"),
        ("thread.run.in_progress", "failed", "failed"),
    ],
)
def test_an_end_that_status_tells_counts_and_else_the_name_of_the_event(
    name: str, status: str | None, expected: str
) -> None:
    (seen,) = said(name, id="r", status=status)
    assert isinstance(seen, RunSeen)
    assert seen.status == expected


@pytest.mark.parametrize(
    ("data", "code"),
    [
        ({"code": "c", "type": "t"}, "c"),
        ({"code": None, "type": "t"}, "t"),
        ({"message": "m"}, "error"),
        ({"error": {"code": 429}}, "429"),
        ({"error": "text"}, "error"),
    ],
)
def test_an_error_has_a_code(data: dict[str, Any], code: str) -> None:
    assert said("error", **data)[0] == ErrorSeen(code)


def test_unknown_events_and_fields_are_counted() -> None:
    assert said("thread.run.paused", id="r") == (Unknown(events=1),)
    assert said("thread.run.queued", id="r", request_id="q", status_code=200)[1:] == (Unknown(fields=2),)


def test_objects_without_an_id_tell_nothing() -> None:
    assert (said("thread.run.queued"), said("thread.run.step.created"), said("thread.created")) == ((), (), ())
    assert answer(POLL, b'{"object": "assistant"}') == ()


@pytest.mark.parametrize("name", ["", "message"])
def test_an_envelope_is_unwrapped(name: str) -> None:
    data = b'{"event": "thread.run.queued", "data": {"id": "r", "status": "queued"}}'
    assert event(Frame(b"", name, data)) == (RunSeen(run_id="r", status="queued"),)


@pytest.mark.parametrize("stamp", [-1, 2**33, 1e300, 10**40, 10**400, -(10**400)])
def test_stamps_that_no_clock_shows_are_none(stamp: float) -> None:
    (seen,) = said("thread.run.queued", id="r", created_at=stamp)
    assert isinstance(seen, RunSeen)
    assert seen.created_s is None


def test_milliseconds_become_seconds() -> None:
    (seen,) = said("thread.run.queued", id="r", created_at=1767225600123, expires_at=1767226200)
    assert isinstance(seen, RunSeen)
    assert (seen.created_s, seen.expires_s) == (1767225600.123, 1767226200)


@pytest.mark.parametrize(
    ("usage", "tokens"),
    [
        (None, None),
        ({}, None),
        ({"prompt_tokens": 3}, Tokens(3, 0)),
        (
            {
                "prompt_tokens": 3,
                "completion_tokens": 4,
                "prompt_token_details": {"cached_tokens": 1},
                "completion_tokens_details": {"reasoning_tokens": 2},
            },
            Tokens(3, 4, 1, 2),
        ),
        ({"prompt_tokens": -3, "completion_tokens": 4, "prompt_token_details": {}}, Tokens(0, 4)),
        ({"prompt_tokens": 10**30}, Tokens(2**40, 0)),
        ({"prompt_tokens": 12.0, "completion_tokens": 1e3, "total_tokens": 1012.0}, Tokens(12, 1000)),
    ],
)
def test_tokens_are_told_where_there_are_any(usage: Any, tokens: Tokens | None) -> None:
    (seen,) = said("thread.run.completed", id="r", usage=usage)
    assert isinstance(seen, RunSeen)
    assert seen.tokens == tokens


@pytest.mark.parametrize("key", ["id", "thread_id", "assistant_id", "model"])
def test_a_name_too_long_to_be_kept_is_left_out(key: str) -> None:
    told = {"id": "r", "thread_id": "t", "assistant_id": "a", "model": "m"}
    assert said("thread.run.queued", **told | {key: "x" * 512}) != ()
    (long, short) = (said("thread.run.queued", **one) for one in (told | {key: "x" * 513}, told | {key: None}))
    assert long == (short if key != "id" else ())


def test_an_incomplete_run_tells_its_reason() -> None:
    (seen,) = said("thread.run.incomplete", id="r", incomplete_details={"reason": "max_prompt_tokens"}, last_error={})
    assert isinstance(seen, RunSeen)
    assert seen.error == "max_prompt_tokens"


def test_calls_that_wait_for_approval_are_pending_too() -> None:
    """Foundry classic."""
    action = {"type": "submit_tool_approval", "submit_tool_approval": {"tool_calls": [{"id": "c", "type": "mcp"}]}}
    (seen,) = said("thread.run.requires_action", id="r", required_action=action)
    assert isinstance(seen, RunSeen)
    assert seen.pending == (ToolSeen("c", "mcp", "mcp", None, by_client=True),)


def test_a_json_answer_tells_the_run() -> None:
    (seen,) = answer(POLL, done(prompt=7, completion=2))
    assert isinstance(seen, RunSeen)
    assert (seen.run_id, seen.status, seen.tokens) == ("run_1", "completed", Tokens(7, 2))


def test_a_list_tells_each_of_its_objects() -> None:
    step = b'{"object": "thread.run.step", "id": "s", "run_id": "r", "status": "completed", "type": "tool_calls"}'
    agent = b'{"object": "assistant", "id": "asst_1", "name": "Tide", "model": "gpt-4o"}'
    told = answer(POLL, listed(run(), step, agent, b'{"object": "thread.message"}'))
    assert [type(fact) for fact in told] == [RunSeen, StepSeen, AgentSeen]


@pytest.mark.parametrize(
    ("kind", "expected"), [(Kind.POLL, RunSeen), (Kind.AGENT_CREATE, AgentSeen), (Kind.READ, None)]
)
def test_an_answer_without_object_is_what_the_route_expects(kind: Kind, expected: type[Fact] | None) -> None:
    told = answer(Route("/x", kind), b'{"id": "x"}')
    assert [type(fact) for fact in told] == ([expected] if expected else [])


def test_an_error_told_with_status_200_is_no_run() -> None:
    assert answer(POLL, b'{"error": {"message": "m"}}') == ()


def test_unknown_fields_of_answers_are_counted() -> None:
    assert answer(POLL, run(file_ids=[]))[1:] == (Unknown(fields=1),)


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b'{"object": "list", "data": [1]}'])
def test_an_answer_that_is_no_object_fails(body: bytes) -> None:
    with pytest.raises(DecodeFailed):
        answer(POLL, body)


def test_a_start_request_tells_what_is_asked() -> None:
    body = b'{"stream": true, "assistant_id": "asst_1", "model": "m", "thread": {"messages": []}}'
    assert asked(Route("/x", Kind.START), body) == Asked("asst_1", "m", stream=True)


def test_a_resume_request_tells_the_answered_calls() -> None:
    body = b'{"tool_outputs": [{"tool_call_id": "c", "output": "1"}, {"output": "2"}], "stream": true}'
    assert asked(Route("/x", Kind.RESUME), body) == Asked(stream=True, answered_calls=("c",))


def test_a_resume_request_may_have_no_outputs() -> None:
    assert asked(Route("/x", Kind.RESUME), b'{"tool_outputs": null}') == Asked()


@given(st.sampled_from([*sorted(EVENTS), ""]), PLAIN_JSON)
def test_any_event_tells_or_fails_as_one_error(name: str, data: object) -> None:
    for tell in (lambda body: event(Frame(b"", name, body)), lambda body: answer(POLL, body)):
        try:
            tell(json.dumps(data).encode())
        except DecodeFailed:
            continue


def test_the_end_mark_of_a_stream_is_told() -> None:
    assert facts(b"event: done\ndata: [DONE]\n\ndata: [DONE]\n\n") == [StreamEnd(), StreamEnd()]
