from __future__ import annotations

import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from support.streams import NAMES, frames, stream
from wiretape.dialects.assistants import events
from wiretape.dialects.assistants.decode import EVENTS, SHAPES, Shape, decode, unwrap
from wiretape.dialects.assistants.objects import Assistant, ContentPart, ErrorBody, Text
from wiretape.dialects.assistants.run_objects import Page, Run, RunStep
from wiretape.errors import DecodeFailed

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)
RUN_FIELDS = st.sampled_from(["id", "status", "usage", "tools", "temperature", "last_error", "required_action", "new"])


def test_the_table_has_the_25_events() -> None:
    groups = (events.RunStreamEvent, events.RunStepStreamEvent, events.MessageStreamEvent)
    assert [len(get_args(group)) for group in groups] == [10, 7, 5]
    assert len(EVENTS) == 25
    assert set(EVENTS.values()) == set(get_args(events.AssistantStreamEvent))
    assert all(struct.event == name for name, struct in EVENTS.items())


@pytest.mark.parametrize("name", sorted(SHAPES))
def test_an_event_decodes_to_its_own_class(name: str) -> None:
    told = decode(name, b'{"id": "x", "object": "y"}')
    assert type(told) is EVENTS[name]


@pytest.mark.parametrize("name", NAMES)
def test_recordings_decode_with_no_field_lost(name: str) -> None:
    """Each value of the wire is found again in the typed object."""
    for frame in frames(stream(name)):
        told = decode(frame.event, frame.data or b"")
        if frame.event not in {"done", "error"}:
            assert SHAPES[frame.event].unknown_fields(frame.data or b"") == 0
            assert told == msgspec.json.decode(frame.data or b"", type=EVENTS[frame.event])
            assert json.loads(msgspec.json.encode(told)).keys() >= json.loads(frame.data or b"").keys()


@pytest.mark.parametrize(
    ("name", "data"),
    [("done", b"[DONE]"), ("done", b""), ("", b"[DONE]"), ("end", b"[DONE] "), ("done", b"{}")],
)
def test_the_end_mark_is_no_json(name: str, data: bytes) -> None:
    assert decode(name, data) == events.DoneEvent()


def test_an_unknown_name_passes_with_its_bytes() -> None:
    told = decode("thread.run.paused", b"not even JSON")
    assert told == events.UnknownEvent("thread.run.paused", b"not even JSON")


def test_name_and_status_may_disagree() -> None:
    told = decode("thread.run.completed", b'{"id": "r", "status": "in_progress"}')
    assert isinstance(told, events.ThreadRunCompleted)
    assert told.status == "in_progress"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'"text"',
        b"[DONE]",
        b"\xff",
        b'{"id": "\xff"}',
        b'{"id": "\\ud800"}',
        b'{"metadata": ' + b"[" * 100_000,
        b'{"tools": 1, "metadata": ' + b"[" * 100_000,
        b'{"tools": 1, "\xff": 2}',
    ],
)
def test_what_is_no_json_object_fails_as_one_error(data: bytes) -> None:
    with pytest.raises(DecodeFailed, match="ThreadRunCompleted"):
        decode("thread.run.completed", data)


def test_a_field_of_an_odd_type_is_left_out_and_the_rest_is_kept() -> None:
    data = (
        b'{"id": "r", "status": "completed", "temperature": "warm", "tools": {}, "usage": {"prompt_tokens": 3}, "x": 1}'
    )
    told = decode("thread.run.completed", data)
    assert isinstance(told, Run)
    assert (told.id, told.status, told.temperature, told.tools) == ("r", "completed", None, ())
    assert told.usage is not None
    assert told.usage.prompt_tokens == 3


def test_fractions_of_seconds_are_taken() -> None:
    told = decode("thread.run.queued", b'{"id": "r", "created_at": 1767225600.5}')
    assert isinstance(told, Run)
    assert told.created_at == 1767225600.5


def test_unknown_fields_are_counted_by_their_own_keys() -> None:
    shape = Shape(Run)
    assert shape.unknown_fields(b'{"id": "r", "new": {"deep": 1}, "newer": 2, "tools": [{"x": 1}]}') == 2
    assert shape.unknown_fields(b'{"\xff": 1}') == 1


def test_content_of_a_delta_may_be_one_part() -> None:
    """Alibaba Model Studio."""
    told = decode("thread.message.delta", b'{"delta": {"content": {"type": "text", "text": {"value": "hi"}}}}')
    assert isinstance(told, events.ThreadMessageDelta)
    assert told.delta.content == ContentPart(type="text", text=Text(value="hi"))


def test_an_error_is_flat_or_wrapped() -> None:
    flat = decode("error", b'{"code": null, "message": "m", "param": null, "type": "server_error"}')
    wrapped = decode("error", b'{"error": {"code": 500, "message": "m"}}')
    assert flat == events.ErrorEvent(message="m", type="server_error")
    assert wrapped == events.ErrorEvent(error=ErrorBody(code=500, message="m"))


@pytest.mark.parametrize(
    ("data", "name", "inner"),
    [
        (b'{"event": "thread.run.queued", "data": {"id": "r"}}', "thread.run.queued", b'{"id": "r"}'),
        (b'{"data": {"id": "t"}, "event": "thread.created", "enabled": true}', "thread.created", b'{"id": "t"}'),
        (b'{"event": "done", "data": "[DONE]"}', "done", b'"[DONE]"'),
        (b'{"event": "done"}', "done", b"{}"),
        (b"[DONE]", "done", None),
        (b'{"error": {"message": "m"}}', "error", None),
        (b'{"object": "thread", "id": "t"}', "thread.created", None),
        (b'{"object": "thread.run", "status": "completed"}', "thread.run.completed", None),
        (b'{"object": "thread.run.step", "status": "in_progress"}', "thread.run.step.in_progress", None),
        (b'{"object": "thread.run.step.delta"}', "thread.run.step.delta", None),
        (b'{"object": "thread.message.delta"}', "thread.message.delta", None),
        (b'{"object": "thread.message"}', "thread.message", None),
        (b'{"object": "chat.completion.chunk"}', "chat.completion.chunk", None),
        (b"{}", "", None),
    ],
)
def test_an_event_without_a_name_is_named_by_its_data(data: bytes, name: str, inner: bytes | None) -> None:
    assert unwrap(data) == (name, inner if inner is not None else data)


def test_lists_and_assistants_have_shapes_too() -> None:
    page = Shape(Page[Assistant]).read(b'{"object": "list", "data": [{"id": "asst_1"}], "has_more": false}')
    assert page == Page(data=(Assistant(id="asst_1"),), has_more=False)
    assert Shape(RunStep).read(b'{"id": "s", "expires_at": 1}').expires_at == 1


@given(st.sampled_from(sorted(SHAPES)), st.dictionaries(RUN_FIELDS, JSON, max_size=5))
def test_any_json_object_decodes(name: str, fields: dict[str, object]) -> None:
    assert type(decode(name, json.dumps(fields).encode())) is EVENTS[name]


@given(st.sampled_from([*sorted(EVENTS), "", "x"]), st.binary(max_size=60))
def test_any_bytes_decode_or_fail_as_one_error(name: str, data: bytes) -> None:
    try:
        unwrap(data)
        decode(name, data)
    except DecodeFailed:
        return
